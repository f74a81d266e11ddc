//! The base model's log-probability: sharpening.

use super::{Params, Reward, Signal, Value};
use crate::registry::Entry;
use crate::seen::Seen;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "log_prior",
        aliases: &["sharpening"],
        doc: "The base model's log-probability: sharpening.",
        formula: "r = log pi_ref(y) = sum_t log pi_ref,t, nats",
        source: "Mittal et al., arXiv 2604.16259: mode optimization, alpha = 1, k = 0; arXiv 2412.01951",
        elsewhere: &[("dist_sharpening", "optimization, k = 0")],
    },
    label_free: true,
    params: &[],
    shuffles: false,
    formula: &Value(LogPrior),
};

struct LogPrior;

impl Reward for LogPrior {
    #[inline(always)]
    fn reward<R: Seen>(r: &R, _: &Params<R::Number>) -> R::Number {
        r.ref_logprob()
    }
}

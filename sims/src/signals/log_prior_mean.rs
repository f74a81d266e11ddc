//! The base model's mean log-probability per token.

use super::{Params, Reward, Signal, Value};
use crate::registry::Entry;
use crate::seen::Seen;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "log_prior_mean",
        aliases: &[],
        doc: "The base model's mean log-probability per token.",
        formula: "r = mean_t log pi_ref,t, nats",
        source: "Mittal et al., arXiv 2604.16259, code: length-normalised variant",
        elsewhere: &[],
    },
    label_free: true,
    params: &[],
    shuffles: false,
    formula: &Value(MeanLogPrior),
};

struct MeanLogPrior;

impl Reward for MeanLogPrior {
    #[inline(always)]
    fn reward<R: Seen>(r: &R, _: &Params<R::Number>) -> R::Number {
        r.mean_ref_logprob()
    }
}

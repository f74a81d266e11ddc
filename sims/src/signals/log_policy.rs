//! The response's own log-probability: self-sharpening.

use super::{Params, Reward, Signal, Value};
use crate::registry::Entry;
use crate::seen::Seen;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "log_policy",
        aliases: &["em_seq", "entropy_min_seq"],
        doc: "The response's own log-probability: self-sharpening.",
        formula: "r = log pi(y) = sum_t log pi_t, nats",
        source: "EM-RL sequence, arXiv 2505.15134; sharpening, arXiv 2412.01951",
        elsewhere: &[("EM-RL", "sequence")],
    },
    label_free: true,
    params: &[],
    shuffles: false,
    formula: &Value(LogPolicy),
};

struct LogPolicy;

impl Reward for LogPolicy {
    #[inline(always)]
    fn reward<R: Seen>(r: &R, _: &Params<R::Number>) -> R::Number {
        r.logprob()
    }
}

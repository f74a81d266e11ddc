//! The mean log-probability of the sampled tokens.

use super::{Params, Reward, Signal, Value};
use crate::registry::Entry;
use crate::seen::Seen;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "logprob_mean",
        aliases: &[],
        doc: "The mean log-probability of the sampled tokens.",
        formula: "r = mean_t log pi_t, nats",
        source: "MTA code: its entropy minimisation; never constant in a group, so dynamic sampling drops nothing",
        elsewhere: &[("model-task-align-rl", "extropy_min")],
    },
    label_free: true,
    params: &[],
    shuffles: false,
    formula: &Value(MeanLogPolicy),
};

struct MeanLogPolicy;

impl Reward for MeanLogPolicy {
    #[inline(always)]
    fn reward<R: Seen>(r: &R, _: &Params<R::Number>) -> R::Number {
        r.mean_logprob()
    }
}

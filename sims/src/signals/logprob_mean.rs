//! The mean log-probability of the sampled tokens.

use super::{Signal, value};
use crate::registry::Entry;

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
    pay: |group, _| value(group, |r| r.token_mean(|t| t.logprob)),
};

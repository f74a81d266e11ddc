//! The base model's mean log-probability per token.

use super::{Signal, value};
use crate::registry::Entry;

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
    pay: |group, _| value(group, |r| r.token_mean(|t| t.ref_logprob)),
};

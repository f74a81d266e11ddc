//! How far the policy's choices are from uniform, averaged over tokens.

use super::{Signal, value};
use crate::registry::Entry;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "self_certainty",
        aliases: &[],
        doc: "How far the policy's choices are from uniform, averaged over tokens.",
        formula: "r = mean_t [logsumexp(z_t) - mean_v z_tv] = mean_t KL(U, pi_t) + log V, nats",
        source: "Intuitor, arXiv 2505.19590",
        elsewhere: &[("Intuitor", "self_certainty")],
    },
    label_free: true,
    params: &[],
    shuffles: false,
    pay: |group, _| value(group, |r| r.token_mean(|t| t.certainty)),
};

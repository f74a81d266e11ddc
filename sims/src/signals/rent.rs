//! Minus the mean token entropy.

use super::{Signal, value};
use crate::registry::Entry;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "rent",
        aliases: &[],
        doc: "Minus the mean token entropy.",
        formula: "r = -mean_t H(pi_t), nats",
        source: "RENT, arXiv 2505.22660",
        elsewhere: &[],
    },
    label_free: true,
    params: &[],
    shuffles: false,
    pay: |group, _| value(group, |r| -r.token_mean(|t| t.entropy)),
};

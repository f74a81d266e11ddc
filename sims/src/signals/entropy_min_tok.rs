//! Minus the summed token entropy.

use super::{Signal, value};
use crate::registry::Entry;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "entropy_min_tok",
        aliases: &["em_tok"],
        doc: "Minus the summed token entropy.",
        formula: "r = -sum_t H(pi_t), nats",
        source: "EM-RL token, arXiv 2505.15134",
        elsewhere: &[("EM-RL", "token")],
    },
    label_free: true,
    params: &[],
    shuffles: false,
    pay: |group, _| value(group, |r| -(r.length() as f64) * r.token_mean(|t| t.entropy)),
};

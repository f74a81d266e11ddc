//! 1 for every rollout: imitation of whoever sampled it.

use super::{Signal, indicator};
use crate::registry::Entry;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "constant",
        aliases: &["imitation"],
        doc: "1 for every rollout: imitation of whoever sampled it.",
        formula: "r = 1",
        source: "supervised fine-tuning on a teacher's samples, as a reward",
        elsewhere: &[],
    },
    label_free: true,
    params: &[],
    shuffles: false,
    pay: |group, _| indicator(group, |_| true),
};

//! No reward: the control in which nothing may change.

use super::{Signal, indicator};
use crate::registry::Entry;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "none",
        aliases: &[],
        doc: "No reward: the control in which nothing may change.",
        formula: "r = 0",
        source: "control",
        elsewhere: &[],
    },
    label_free: true,
    params: &[],
    shuffles: false,
    pay: |group, _| indicator(group, |_| false),
};

//! 1 for a well-formed response.

use super::{Signal, indicator};
use crate::registry::Entry;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "format",
        aliases: &[],
        doc: "1 for a well-formed response.",
        formula: "r = 1[formatted]",
        source: "MTA: think_format; Spurious Rewards: box_only_format",
        elsewhere: &[("TRL", "think_format_reward")],
    },
    label_free: true,
    params: &[],
    shuffles: false,
    pay: |group, _| indicator(group, |r| r.formatted),
};

//! A coin for well-formed responses, nothing for others: it carries a format signal.

use super::{Signal, coin};
use crate::registry::Entry;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "random_format",
        aliases: &[],
        doc: "A coin for well-formed responses, nothing for others: it carries a format signal.",
        formula: "r ~ Bernoulli(random_rate) if formatted, else 0",
        source: "MTA code: its random reward",
        elsewhere: &[("model-task-align-rl", "random")],
    },
    label_free: true,
    params: &["random_rate"],
    shuffles: false,
    pay: |group, p| coin(group, |r| if r.formatted { p.random_rate } else { 0.0 }),
};

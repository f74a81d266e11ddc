//! A coin that knows nothing.

use super::{Signal, coin};
use crate::registry::Entry;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "random",
        aliases: &[],
        doc: "A coin that knows nothing.",
        formula: "r ~ Bernoulli(random_rate), independent of the response",
        source: "Spurious Rewards, arXiv 2506.10947",
        elsewhere: &[("Spurious_Rewards", "random0.5")],
    },
    label_free: true,
    params: &["random_rate"],
    shuffles: false,
    pay: |group, p| coin(group, |_| p.random_rate),
};

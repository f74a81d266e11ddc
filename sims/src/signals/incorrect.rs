//! The opposite of the truth: 1 for a wrong response.

use super::{Signal, indicator};
use crate::registry::Entry;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "incorrect",
        aliases: &[],
        doc: "The opposite of the truth: 1 for a wrong response.",
        formula: "r = 1 - 1[correct]",
        source: "Spurious Rewards, arXiv 2506.10947; MTA, arXiv 2508.21188",
        elsewhere: &[],
    },
    label_free: false,
    params: &[],
    shuffles: false,
    pay: |group, _| indicator(group, |r| !r.correct),
};

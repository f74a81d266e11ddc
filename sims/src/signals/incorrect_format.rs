//! 1 for a wrong response in the right format.

use super::{Signal, indicator};
use crate::registry::Entry;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "incorrect_format",
        aliases: &[],
        doc: "1 for a wrong response in the right format.",
        formula: "r = 1[formatted and not correct]",
        source: "MTA code, logic tasks",
        elsewhere: &[("model-task-align-rl", "incorrect")],
    },
    label_free: false,
    params: &[],
    shuffles: false,
    pay: |group, _| indicator(group, |r| r.formatted && !r.correct),
};

//! The true rewards of a group, dealt to its rollouts at random: the control with the right statistics and no information.

use super::ground_truth::Correct;
use super::{Holds, Signal};
use crate::registry::Entry;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "shuffled",
        aliases: &[],
        doc: "The true rewards of a group, dealt to its rollouts at random: the control with the right statistics and no information.",
        formula: "r = 1[correct] of a random rollout of the group",
        source: "control",
        elsewhere: &[],
    },
    label_free: false,
    params: &[],
    shuffles: true,
    formula: &Holds(Correct),
};

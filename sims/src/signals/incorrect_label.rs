//! The majority answer, on the prompts where it is wrong; elsewhere nothing.

use super::{Pay, Signal, indicator};
use crate::config::Signals;
use crate::registry::Entry;
use crate::rollout::Group;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "incorrect_label",
        aliases: &[],
        doc: "The majority answer, on the prompts where it is wrong; elsewhere nothing.",
        formula: "r = 1[answer = majority] where the majority is wrong, else 0",
        source: "Spurious Rewards, arXiv 2506.10947",
        elsewhere: &[("Spurious_Rewards", "incorrect")],
    },
    label_free: false,
    params: &[],
    shuffles: false,
    pay,
};

fn pay(group: &Group, _: &Signals) -> Vec<Pay> {
    let majority = group.majority();
    let wrong = group.rollouts.iter().any(|r| Some(r.answer) == majority && !r.correct);
    indicator(group, |r| wrong && Some(r.answer) == majority)
}

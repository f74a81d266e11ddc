//! 1 for the answer most rollouts give.

use super::{Pay, Signal, indicator};
use crate::config::Signals;
use crate::registry::Entry;
use crate::rollout::Group;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "majority",
        aliases: &["ttrl", "majority_vote"],
        doc: "1 for the answer most rollouts give.",
        formula: "r = 1[answer = mode of the votes]; of equals, the answer seen first",
        source: "TTRL, arXiv 2504.16084",
        elsewhere: &[("TTRL", "majority vote"), ("model-task-align-rl", "maj_vote")],
    },
    label_free: true,
    params: &["votes"],
    shuffles: false,
    pay,
};

fn pay(group: &Group, _: &Signals) -> Vec<Pay> {
    let majority = group.majority();
    indicator(group, |r| Some(r.answer) == majority)
}

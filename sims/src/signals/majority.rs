//! 1 for the answer most rollouts give.

use super::{Holds, Indicator, Signal};
use crate::registry::Entry;
use crate::seen::Seen;

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
    formula: &Holds(Majority),
};

struct Majority;

impl Indicator for Majority {
    const VOTES: bool = true;

    #[inline(always)]
    fn holds<R: Seen>(r: &R) -> R::Truth {
        r.in_majority()
    }
}

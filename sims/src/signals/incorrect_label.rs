//! The majority answer, on the prompts where it is wrong; elsewhere nothing.

use super::{Holds, Indicator, Signal};
use crate::real::Truth;
use crate::registry::Entry;
use crate::seen::Seen;

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
    formula: &Holds(WrongMajority),
};

struct WrongMajority;

impl Indicator for WrongMajority {
    const VOTES: bool = true;

    #[inline(always)]
    fn holds<R: Seen>(r: &R) -> R::Truth {
        r.majority_is_wrong().and(r.in_majority())
    }
}

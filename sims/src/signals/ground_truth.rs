//! The true reward: 1 for a correct response, else 0.

use super::{Holds, Indicator, Signal};
use crate::registry::Entry;
use crate::seen::Seen;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "ground_truth",
        aliases: &[],
        doc: "The true reward: 1 for a correct response, else 0.",
        formula: "r = 1[correct]",
        source: "every trainer; the MTA code also asks for the response format, which the simulated truth includes",
        elsewhere: &[("verl", "reward_model.ground_truth"), ("TRL", "accuracy_reward")],
    },
    label_free: false,
    params: &[],
    shuffles: false,
    formula: &Holds(Correct),
};

/// Whether a response is correct.
pub(super) struct Correct;

impl Indicator for Correct {
    #[inline(always)]
    fn holds<R: Seen>(r: &R) -> R::Truth {
        r.correct()
    }
}

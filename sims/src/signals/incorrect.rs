//! The opposite of the truth: 1 for a wrong response.

use super::{Holds, Indicator, Signal};
use crate::real::Truth;
use crate::registry::Entry;
use crate::seen::Seen;

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
    formula: &Holds(Wrong),
};

struct Wrong;

impl Indicator for Wrong {
    #[inline(always)]
    fn holds<R: Seen>(r: &R) -> R::Truth {
        r.correct().not()
    }
}

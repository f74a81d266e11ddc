//! No reward: the control in which nothing may change.

use super::{Holds, Indicator, Signal};
use crate::real::Truth;
use crate::registry::Entry;
use crate::seen::Seen;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "none",
        aliases: &[],
        doc: "No reward: the control in which nothing may change.",
        formula: "r = 0",
        source: "control",
        elsewhere: &[],
    },
    label_free: true,
    params: &[],
    shuffles: false,
    formula: &Holds(Nothing),
};

struct Nothing;

impl Indicator for Nothing {
    #[inline(always)]
    fn holds<R: Seen>(r: &R) -> R::Truth {
        r.always().not()
    }
}

//! 1 for a wrong response in the right format.

use super::{Holds, Indicator, Signal};
use crate::real::Truth;
use crate::registry::Entry;
use crate::seen::Seen;

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
    formula: &Holds(WellFormedWrong),
};

struct WellFormedWrong;

impl Indicator for WellFormedWrong {
    #[inline(always)]
    fn holds<R: Seen>(r: &R) -> R::Truth {
        r.formatted().and(r.correct().not())
    }
}

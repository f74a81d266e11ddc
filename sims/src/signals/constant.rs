//! 1 for every rollout: imitation of whoever sampled it.

use super::{Holds, Indicator, Signal};
use crate::registry::Entry;
use crate::seen::Seen;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "constant",
        aliases: &["imitation"],
        doc: "1 for every rollout: imitation of whoever sampled it.",
        formula: "r = 1",
        source: "supervised fine-tuning on a teacher's samples, as a reward",
        elsewhere: &[],
    },
    label_free: true,
    params: &[],
    shuffles: false,
    formula: &Holds(One),
};

struct One;

impl Indicator for One {
    #[inline(always)]
    fn holds<R: Seen>(r: &R) -> R::Truth {
        r.always()
    }
}

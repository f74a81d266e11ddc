//! 1 for a well-formed response.

use super::{Holds, Indicator, Signal};
use crate::registry::Entry;
use crate::seen::Seen;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "format",
        aliases: &[],
        doc: "1 for a well-formed response.",
        formula: "r = 1[formatted]",
        source: "MTA: think_format; Spurious Rewards: box_only_format",
        elsewhere: &[("TRL", "think_format_reward")],
    },
    label_free: true,
    params: &[],
    shuffles: false,
    formula: &Holds(Formatted),
};

struct Formatted;

impl Indicator for Formatted {
    #[inline(always)]
    fn holds<R: Seen>(r: &R) -> R::Truth {
        r.formatted()
    }
}

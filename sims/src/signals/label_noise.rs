//! Wrong labels on a share of the prompts, fixed for the prompt: there a wrong answer earns 1 and the truth 0.

use super::{Holds, Indicator, Signal};
use crate::real::Choice;
use crate::registry::Entry;
use crate::seen::Seen;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "label_noise",
        aliases: &[],
        doc: "Wrong labels on a share of the prompts, fixed for the prompt: there a wrong answer earns 1 and the truth 0.",
        formula: "r = 1[answer = label(x)], label(x) wrong with probability label_noise",
        source: "One-Shot-RLVR, author's remarks; correlated within a prompt, unlike noisy",
        elsewhere: &[],
    },
    label_free: false,
    params: &["label_noise"],
    shuffles: false,
    formula: &Holds(Label),
};

struct Label;

impl Indicator for Label {
    #[inline(always)]
    fn holds<R: Seen>(r: &R) -> R::Truth {
        Choice::choose(r.mislabelled(), r.as_mislabelled(), r.correct())
    }
}

//! The share of the votes for one's own answer; nothing where the answers are all different.

use super::{Params, Reward, Signal, Value};
use crate::real::Choice;
use crate::registry::Entry;
use crate::seen::Seen;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "empo",
        aliases: &[],
        doc: "The share of the votes for one's own answer; nothing where the answers are all different.",
        formula: "r = votes for the answer / votes, 0 if the entropy of the answers reaches log(votes)",
        source: "EMPO, arXiv 2504.05812",
        elsewhere: &[],
    },
    label_free: true,
    params: &[],
    shuffles: false,
    formula: &Value(Share),
};

struct Share;

impl Reward for Share {
    const VOTES: bool = true;
    const SCORES: bool = false;

    #[inline(always)]
    fn reward<R: Seen>(r: &R, _: &Params<R::Number>) -> R::Number {
        Choice::choose(r.scattered(), r.number(0.0), r.share())
    }
}

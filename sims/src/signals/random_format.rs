//! A coin for well-formed responses, nothing for others: it carries a format signal.

use super::{Chance, Coin, Rates, Signal};
use crate::real::Choice;
use crate::registry::Entry;
use crate::seen::Seen;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "random_format",
        aliases: &[],
        doc: "A coin for well-formed responses, nothing for others: it carries a format signal.",
        formula: "r ~ Bernoulli(random_rate) if formatted, else 0",
        source: "MTA code: its random reward",
        elsewhere: &[("model-task-align-rl", "random")],
    },
    label_free: true,
    params: &["random_rate"],
    shuffles: false,
    formula: &Coin(WellFormedRandom),
};

struct WellFormedRandom;

impl Chance for WellFormedRandom {
    #[inline(always)]
    fn chance<R: Seen, C: Choice<R::Truth>>(r: &R, p: &Rates<C>) -> C {
        C::choose(r.formatted(), p.random_rate, p.never)
    }
}

//! A coin that knows nothing.

use super::{Chance, Coin, Rates, Signal};
use crate::real::Choice;
use crate::registry::Entry;
use crate::seen::Seen;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "random",
        aliases: &[],
        doc: "A coin that knows nothing.",
        formula: "r ~ Bernoulli(random_rate), independent of the response",
        source: "Spurious Rewards, arXiv 2506.10947",
        elsewhere: &[("Spurious_Rewards", "random0.5")],
    },
    label_free: true,
    params: &["random_rate"],
    shuffles: false,
    formula: &Coin(Random),
};

struct Random;

impl Chance for Random {
    #[inline(always)]
    fn chance<R: Seen, C: Choice<R::Truth>>(_: &R, p: &Rates<C>) -> C {
        p.random_rate
    }
}

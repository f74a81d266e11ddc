//! A verifier that errs independently on every rollout.

use super::{Chance, Coin, Rates, Signal};
use crate::real::Choice;
use crate::registry::Entry;
use crate::seen::Seen;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "noisy",
        aliases: &[],
        doc: "A verifier that errs independently on every rollout.",
        formula: "P(r = 1 | correct) = tpr, P(r = 1 | incorrect) = fpr; J = tpr - fpr",
        source: "Rad et al., arXiv 2601.04411",
        elsewhere: &[],
    },
    label_free: false,
    params: &["tpr", "fpr"],
    shuffles: false,
    formula: &Coin(Noisy),
};

struct Noisy;

impl Chance for Noisy {
    #[inline(always)]
    fn chance<R: Seen, C: Choice<R::Truth>>(r: &R, p: &Rates<C>) -> C {
        C::choose(r.correct(), p.tpr, p.fpr)
    }
}

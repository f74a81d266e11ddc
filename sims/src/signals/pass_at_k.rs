//! Credit for the success of k attempts together: its mean gradient is that of pass@k.

use super::{Params, Reward, Signal, Value};
use crate::real::Choice;
use crate::registry::Entry;
use crate::seen::Seen;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "pass_at_k",
        aliases: &["pass@k"],
        doc: "Credit for the success of k attempts together: its mean gradient is that of pass@k.",
        formula: "r = k if correct, else k (1 - C(G-1-c, k-1) / C(G-1, k-1)), with c correct of G rollouts",
        source: "unbiased pass@k policy gradient, Walder and Karkhanis, arXiv 2505.15201",
        elsewhere: &[],
    },
    label_free: false,
    params: &["pass_k"],
    shuffles: false,
    formula: &Value(Attempts),
};

struct Attempts;

impl Reward for Attempts {
    const SCORES: bool = false;

    #[inline(always)]
    fn reward<R: Seen>(r: &R, p: &Params<R::Number>) -> R::Number {
        p.pass_k * Choice::choose(r.correct(), r.number(1.0), r.others_succeed())
    }
}

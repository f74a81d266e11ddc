//! Minus the mean token entropy.

use super::{Params, Reward, Signal, Value};
use crate::registry::Entry;
use crate::seen::Seen;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "rent",
        aliases: &[],
        doc: "Minus the mean token entropy.",
        formula: "r = -mean_t H(pi_t), nats",
        source: "RENT, arXiv 2505.22660",
        elsewhere: &[],
    },
    label_free: true,
    params: &[],
    shuffles: false,
    formula: &Value(MeanEntropy),
};

struct MeanEntropy;

impl Reward for MeanEntropy {
    #[inline(always)]
    fn reward<R: Seen>(r: &R, _: &Params<R::Number>) -> R::Number {
        -r.mean_entropy()
    }
}

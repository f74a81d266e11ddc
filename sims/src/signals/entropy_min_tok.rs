//! Minus the summed token entropy.

use super::{Params, Reward, Signal, Value};
use crate::registry::Entry;
use crate::seen::Seen;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "entropy_min_tok",
        aliases: &["em_tok"],
        doc: "Minus the summed token entropy.",
        formula: "r = -sum_t H(pi_t), nats",
        source: "EM-RL token, arXiv 2505.15134",
        elsewhere: &[("EM-RL", "token")],
    },
    label_free: true,
    params: &[],
    shuffles: false,
    formula: &Value(SummedEntropy),
};

struct SummedEntropy;

impl Reward for SummedEntropy {
    #[inline(always)]
    fn reward<R: Seen>(r: &R, _: &Params<R::Number>) -> R::Number {
        -r.length() * r.mean_entropy()
    }
}

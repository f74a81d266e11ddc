//! How far the policy's choices are from uniform, averaged over tokens.

use super::{Params, Reward, Signal, Value};
use crate::registry::Entry;
use crate::seen::Seen;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "self_certainty",
        aliases: &[],
        doc: "How far the policy's choices are from uniform, averaged over tokens.",
        formula: "r = mean_t [logsumexp(z_t) - mean_v z_tv] = mean_t KL(U, pi_t) + log V, nats",
        source: "Intuitor, arXiv 2505.19590",
        elsewhere: &[("Intuitor", "self_certainty")],
    },
    label_free: true,
    params: &[],
    shuffles: false,
    formula: &Value(Certainty),
};

struct Certainty;

impl Reward for Certainty {
    const CERTAINTY: bool = true;

    #[inline(always)]
    fn reward<R: Seen>(r: &R, _: &Params<R::Number>) -> R::Number {
        r.mean_certainty()
    }
}

//! Sampling from a power of the prior, without the task.

use super::{Params, Reward, Signal, Value};
use crate::registry::Entry;
use crate::seen::Seen;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "tempered",
        aliases: &[],
        doc: "Sampling from a power of the prior, without the task.",
        formula: "R = (alpha - 1) log pi_ref + (log pi_ref - log pi), nats; optimum pi_ref^alpha",
        source: "Mittal et al., arXiv 2604.16259, code: mode sampling, k = 0",
        elsewhere: &[("dist_sharpening", "tempered sampling")],
    },
    label_free: true,
    params: &["prior_power"],
    shuffles: false,
    formula: &Value(Tempered),
};

struct Tempered;

impl Reward for Tempered {
    #[inline(always)]
    fn reward<R: Seen>(r: &R, p: &Params<R::Number>) -> R::Number {
        p.prior_power * r.ref_logprob() - r.logprob()
    }
}

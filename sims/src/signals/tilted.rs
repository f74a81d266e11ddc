//! The true reward plus a power of the prior, with the policy's own log-probability as KL term: its optimum is pi_ref^alpha exp(k r).

use super::{Params, Reward, Signal, Value};
use crate::registry::Entry;
use crate::seen::Seen;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "tilted",
        aliases: &[],
        doc: "The true reward plus a power of the prior, with the policy's own log-probability as KL term: its optimum is pi_ref^alpha exp(k r).",
        formula: "R = r + ((alpha - 1)/k) log pi_ref + (1/k) (log pi_ref - log pi)",
        source: "Mittal et al., arXiv 2604.16259, code: mode sampling, k > 0",
        elsewhere: &[("dist_sharpening", "tilted sampling")],
    },
    label_free: false,
    params: &["prior_power", "beta_inv"],
    shuffles: false,
    formula: &Value(Tilted),
};

struct Tilted;

impl Reward for Tilted {
    #[inline(always)]
    fn reward<R: Seen>(r: &R, p: &Params<R::Number>) -> R::Number {
        r.number_if(r.correct()) + (p.prior_power * r.ref_logprob() - r.logprob()) / p.beta_inv
    }
}

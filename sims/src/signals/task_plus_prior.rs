//! The true reward plus the log-prior.

use super::{Params, Reward, Signal, Value};
use crate::registry::Entry;
use crate::seen::Seen;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "task_plus_prior",
        aliases: &[],
        doc: "The true reward plus the log-prior.",
        formula: "R = r + (alpha/k) log pi_ref",
        source: "Mittal et al., arXiv 2604.16259, code: mode optimization, k > 0",
        elsewhere: &[("dist_sharpening", "optimization, k > 0")],
    },
    label_free: false,
    params: &["prior_power", "beta_inv"],
    shuffles: false,
    formula: &Value(TaskPlusPrior),
};

struct TaskPlusPrior;

impl Reward for TaskPlusPrior {
    #[inline(always)]
    fn reward<R: Seen>(r: &R, p: &Params<R::Number>) -> R::Number {
        r.number_if(r.correct()) + p.prior_power / p.beta_inv * r.ref_logprob()
    }
}

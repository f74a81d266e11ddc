//! The true reward plus the log-prior.

use super::{Signal, value};
use crate::registry::Entry;

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
    pay: |group, p| value(group, |r| f64::from(r.correct) + p.prior_power / p.beta_inv * r.ref_logprob()),
};

//! Credit for the success of k attempts together: its mean gradient is that of pass@k.

use super::{Pay, Signal, value};
use crate::config::Signals;
use crate::registry::Entry;
use crate::rollout::Group;
use mta_theory::pass_at_k::{others_pass_at_k, pass_at_k};

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
    pay,
};

fn pay(group: &Group, p: &Signals) -> Vec<Pay> {
    let k = p.pass_k as f64;
    let others = others_succeed(group, p.pass_k).unwrap_or(1.0);
    value(group, |r| if r.correct { k } else { k * others })
}

/// Chance that k - 1 other rollouts contain a correct one, as seen from a wrong rollout.
fn others_succeed(group: &Group, k: usize) -> Option<f64> {
    let trained = group.rollouts.iter().filter(|r| r.weight > 0.0);
    match group.size {
        Some(g) => others_pass_at_k(g as u64, trained.filter(|r| r.correct).count() as u64, k as u64),
        None => Some(pass_at_k(group.mean(|r| f64::from(r.correct)), k as f64 - 1.0)),
    }
}

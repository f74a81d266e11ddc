//! The share of the votes for one's own answer; nothing where the answers are all different.

use super::{Pay, Signal, value};
use crate::config::Signals;
use crate::registry::Entry;
use crate::rollout::Group;
use std::collections::HashMap;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "empo",
        aliases: &[],
        doc: "The share of the votes for one's own answer; nothing where the answers are all different.",
        formula: "r = votes for the answer / votes, 0 if the entropy of the answers reaches log(votes)",
        source: "EMPO, arXiv 2504.05812",
        elsewhere: &[],
    },
    label_free: true,
    params: &[],
    shuffles: false,
    pay,
};

fn pay(group: &Group, _: &Signals) -> Vec<Pay> {
    let tally = group.tally();
    let entropy: f64 = tally.iter().map(|(_, share)| -share * share.ln()).sum();
    let scattered = group.size.is_some_and(|votes| entropy >= (votes as f64).ln() - 1e-9);
    let share: HashMap<u128, f64> = tally.into_iter().collect();
    value(group, |r| if scattered { 0.0 } else { share.get(&r.answer).copied().unwrap_or(0.0) })
}

//! The true rewards of a group, dealt to its rollouts at random: the control with the right statistics and no information.

use super::{Pay, Signal, coin, indicator};
use crate::config::Signals;
use crate::registry::Entry;
use crate::rollout::Group;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "shuffled",
        aliases: &[],
        doc: "The true rewards of a group, dealt to its rollouts at random: the control with the right statistics and no information.",
        formula: "r = 1[correct] of a random rollout of the group",
        source: "control",
        elsewhere: &[],
    },
    label_free: false,
    params: &[],
    shuffles: true,
    pay,
};

/// Sampled rewards are dealt anew by the loop; in the population every response earns the group's pass rate.
fn pay(group: &Group, _: &Signals) -> Vec<Pay> {
    match group.size {
        Some(_) => indicator(group, |r| r.correct),
        None => coin(group, |_| group.mean(|r| f64::from(r.correct))),
    }
}

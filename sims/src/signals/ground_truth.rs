//! The true reward: 1 for a correct response, else 0.

use super::{Signal, indicator};
use crate::registry::Entry;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "ground_truth",
        aliases: &[],
        doc: "The true reward: 1 for a correct response, else 0.",
        formula: "r = 1[correct]",
        source: "every trainer; the MTA code also asks for the response format, which the simulated truth includes",
        elsewhere: &[("verl", "reward_model.ground_truth"), ("TRL", "accuracy_reward")],
    },
    label_free: false,
    params: &[],
    shuffles: false,
    pay: |group, _| indicator(group, |r| r.correct),
};

//! ReMax: the greedy response as baseline.

use super::Rule;
use crate::config::{Baseline, LossAgg, Objective, PolicyLoss};
use crate::registry::Entry;

/// Reward less the reward of the greedy response; costs one more rollout per prompt.
pub(super) static REMAX: Rule = Rule {
    entry: Entry {
        name: "remax",
        aliases: &[],
        doc: "Reward less the reward of the greedy response; costs one more rollout per prompt.",
        formula: "A_i = r_i - r(greedy); loss -A_i sum_t log pi",
        source: "Li et al., arXiv 2310.10505; verl remax",
        elsewhere: &[("verl", "remax")],
    },
    objective: Objective {
        baseline: Baseline::Greedy,
        policy_loss: PolicyLoss::Score,
        loss_agg_mode: LossAgg::SeqMeanTokenSum,
        ..Objective::DEFAULT
    },
};

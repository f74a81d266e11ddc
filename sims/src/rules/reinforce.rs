//! REINFORCE and its batch-whitened forms.

use super::Rule;
use crate::config::{Baseline, LossAgg, Objective, PolicyLoss};
use crate::registry::Entry;

/// The score function with the reward itself, no baseline.
pub(super) static REINFORCE: Rule = Rule {
    entry: Entry {
        name: "reinforce",
        aliases: &[],
        doc: "The score function with the reward itself, no baseline.",
        formula: "A_i = r_i; loss -A_i sum_t log pi",
        source: "Williams 1992",
        elsewhere: &[("OpenRLHF", "not its reinforce, which whitens over the batch: see reinforce++")],
    },
    objective: Objective {
        baseline: Baseline::None,
        policy_loss: PolicyLoss::Score,
        loss_agg_mode: LossAgg::SeqMeanTokenSum,
        ..Objective::DEFAULT
    },
};

/// Reward less the batch mean over the batch's standard deviation (all tokens), with PPO clipping.
pub(super) static PLUS_PLUS: Rule = Rule {
    entry: Entry {
        name: "reinforce++",
        aliases: &["reinforce_plus_plus"],
        doc: "Reward less the batch mean over the batch's standard deviation (all tokens), with PPO clipping.",
        formula: "A_it = (r_i - mean_tokens)/(std_tokens + std_floor)",
        source: "arXiv 2501.03262; verl reinforce_plus_plus",
        elsewhere: &[("verl", "reinforce_plus_plus"), ("OpenRLHF", "reinforce"), ("slime", "reinforce_plus_plus")],
    },
    objective: Objective {
        baseline: Baseline::None,
        whiten: true,
        std_floor: 1e-8,
        loss_agg_mode: LossAgg::TokenMean,
        ..Objective::DEFAULT
    },
};

/// Reward less the group mean, then whitened over all tokens of the batch, with PPO clipping.
pub(super) static PLUS_PLUS_BASELINE: Rule = Rule {
    entry: Entry {
        name: "reinforce++-baseline",
        aliases: &["reinforce_plus_plus_baseline"],
        doc: "Reward less the group mean, then whitened over all tokens of the batch, with PPO clipping.",
        formula: "A_i = r_i - mean_group, then whitened over tokens",
        source: "arXiv 2501.03262; verl reinforce_plus_plus_baseline",
        elsewhere: &[("verl", "reinforce_plus_plus_baseline"), ("OpenRLHF", "reinforce_baseline")],
    },
    objective: Objective { whiten: true, std_floor: 1e-8, loss_agg_mode: LossAgg::TokenMean, ..Objective::DEFAULT },
};

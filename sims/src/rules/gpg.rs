//! GPG and OPO: policy gradients with other baselines.

use super::Rule;
use crate::config::{Baseline, LossAgg, Objective, PolicyLoss, Scale};
use crate::registry::Entry;

/// Centred reward, scaled up by the share of the batch that earns anything.
pub(super) static GPG: Rule = Rule {
    entry: Entry {
        name: "gpg",
        aliases: &[],
        doc: "Centred reward, scaled up by the share of the batch that earns anything.",
        formula: "A_i = alpha (r_i - mean r), alpha = rollouts / rollouts with r != 0; loss -A_i log pi",
        source: "arXiv 2504.02546; verl gpg",
        elsewhere: &[("verl", "gpg")],
    },
    objective: Objective {
        scale: Scale::NonzeroShare,
        policy_loss: PolicyLoss::Score,
        loss_agg_mode: LossAgg::TokenMean,
        ..Objective::DEFAULT
    },
};

/// Reward less its length-weighted mean over the group.
pub(super) static OPO: Rule = Rule {
    entry: Entry {
        name: "opo",
        aliases: &[],
        doc: "Reward less its length-weighted mean over the group.",
        formula: "A_i = r_i - sum T_j r_j / sum T_j",
        source: "arXiv 2505.23585; verl opo",
        elsewhere: &[("verl", "opo")],
    },
    objective: Objective { baseline: Baseline::LengthWeighted, loss_agg_mode: LossAgg::TokenMean, ..Objective::DEFAULT },
};

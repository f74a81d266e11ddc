//! Dr. GRPO: no standard deviation, no length in the denominator.

use super::Rule;
use crate::config::{LossAgg, Objective};
use crate::registry::Entry;

/// Reward less the group mean; token sums divided by the longest possible length.
pub(super) static DR_GRPO: Rule = Rule {
    entry: Entry {
        name: "dr_grpo",
        aliases: &[],
        doc: "Reward less the group mean; token sums divided by the longest possible length.",
        formula: "A_i = r_i - mean r; loss sum_t(...) / L_max",
        source: "Liu et al., arXiv 2503.20783",
        elsewhere: &[
            ("TRL", "loss_type=dr_grpo, scale_rewards=none"),
            ("verl", "norm_adv_by_std_in_grpo=False, loss_agg_mode=seq-mean-token-sum-norm"),
            ("OpenRLHF", "dr_grpo (its reinforce_baseline whitens as well: see reinforce++-baseline)"),
        ],
    },
    objective: Objective { loss_agg_mode: LossAgg::SeqMeanTokenSumNorm, ..Objective::DEFAULT },
};

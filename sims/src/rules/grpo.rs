//! GRPO: as the paper has it and as two libraries have it.

use super::Rule;
use crate::config::{LossAgg, Objective, Scale};
use crate::registry::Entry;

/// Group-relative advantage over the group's standard deviation, clipped ratio, mean over tokens of a sequence and then over sequences.
pub(super) static GRPO: Rule = Rule {
    entry: Entry {
        name: "grpo",
        aliases: &[],
        doc: "Group-relative advantage over the group's standard deviation, clipped ratio, mean over tokens of a sequence and then over sequences.",
        formula: "A_i = (r_i - mean r)/(std r + std_floor); loss -min(w A, clip(w, 1 - clip_low, 1 + clip_high) A)",
        source: "DeepSeekMath, arXiv 2402.03300; population std, floor 1e-6",
        elsewhere: &[
            ("TRL", "loss_type=grpo (with std_ddof 1, std_floor 1e-4)"),
            ("verl", "grpo with loss_agg_mode=seq-mean-token-mean (std_ddof 1)"),
        ],
    },
    objective: Objective { scale: Scale::GroupStd, ..Objective::DEFAULT },
};

/// What TRL's GRPOTrainer runs by default: its loss_type is dapo, a token mean over the global batch.
pub(super) static GRPO_TRL: Rule = Rule {
    entry: Entry {
        name: "grpo_trl",
        aliases: &[],
        doc: "What TRL's GRPOTrainer runs by default: its loss_type is dapo, a token mean over the global batch.",
        formula: "A_i = (r_i - mean r)/(std r + 1e-4), std with divisor G-1; token-mean",
        source: "TRL GRPOConfig: loss_type=dapo, scale_rewards=group, beta=0",
        elsewhere: &[("TRL", "GRPOTrainer, default")],
    },
    objective: Objective { scale: Scale::GroupStd, std_ddof: 1, std_floor: 1e-4, loss_agg_mode: LossAgg::TokenMean, ..Objective::DEFAULT },
};

/// What verl runs as grpo by default: token mean over the batch.
pub(super) static GRPO_VERL: Rule = Rule {
    entry: Entry {
        name: "grpo_verl",
        aliases: &[],
        doc: "What verl runs as grpo by default: token mean over the batch.",
        formula: "A_i = (r_i - mean r)/(std r + 1e-6), std with divisor G-1; token-mean",
        source: "verl adv_estimator=grpo, loss_agg_mode=token-mean",
        elsewhere: &[("verl", "grpo, default")],
    },
    objective: Objective { scale: Scale::GroupStd, std_ddof: 1, loss_agg_mode: LossAgg::TokenMean, ..Objective::DEFAULT },
};

/// Group mean as baseline, the batch's standard deviation as scale.
pub(super) static LITE_PPO: Rule = Rule {
    entry: Entry {
        name: "lite_ppo",
        aliases: &[],
        doc: "Group mean as baseline, the batch's standard deviation as scale.",
        formula: "A_i = (r_i - mean_group)/(std_batch + std_floor); token-mean",
        source: "arXiv 2508.08221; TRL scale_rewards=batch",
        elsewhere: &[("TRL", "scale_rewards=batch")],
    },
    objective: Objective { scale: Scale::BatchStd, loss_agg_mode: LossAgg::TokenMean, ..Objective::DEFAULT },
};

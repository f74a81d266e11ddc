//! DAPO and the setting of the MTA runs.

use super::Rule;
use crate::config::{LossAgg, Objective, Scale};
use crate::registry::Entry;

/// GRPO's advantage, a higher upper clip, token mean over the batch, groups without signal dropped and replaced.
pub(super) static DAPO: Rule = Rule {
    entry: Entry {
        name: "dapo",
        aliases: &[],
        doc: "GRPO's advantage, a higher upper clip, token mean over the batch, groups without signal dropped and replaced.",
        formula: "A_i as grpo; clip(w, 1 - 0.2, 1 + 0.28); token-mean; dynamic sampling",
        source: "Yu et al., arXiv 2503.14476",
        elsewhere: &[("verl", "recipe/dapo"), ("TRL", "loss_type=dapo has no dynamic sampling: see grpo_trl")],
    },
    objective: Objective {
        scale: Scale::GroupStd,
        clip_high: 0.28,
        loss_agg_mode: LossAgg::TokenMean,
        dynamic_sampling: true,
        ..Objective::DEFAULT
    },
};

/// DAPO as the MTA code runs it: dual clip at 10, at most two rollout batches, what is kept repeated to fill the batch. Its two updates per batch are minibatches = 2.
pub(super) static DAPO_MTA: Rule = Rule {
    entry: Entry {
        name: "dapo_mta",
        aliases: &[],
        doc: "DAPO as the MTA code runs it: dual clip at 10, at most two rollout batches, what is kept repeated to fill the batch. Its two updates per batch are minibatches = 2.",
        formula: "as dapo, std with divisor G-1; clip_ratio_c 10; max_num_gen_batches 2",
        source: "model-task-align-rl scripts, arXiv 2508.21188",
        elsewhere: &[("model-task-align-rl", "all runs")],
    },
    objective: Objective {
        scale: Scale::GroupStd,
        std_ddof: 1,
        clip_high: 0.28,
        clip_ratio_c: 10.0,
        loss_agg_mode: LossAgg::TokenMean,
        dynamic_sampling: true,
        max_num_gen_batches: 2,
        ..Objective::DEFAULT
    },
};

//! Positive and negative samples as the MTA code has them: GRPO's advantage with one side set to zero, so all-wrong groups do not push.

use super::Rule;
use crate::config::{Objective, Scale};
use crate::registry::Entry;

/// GRPO's advantage, kept where the reward is positive.
pub(super) static PSR_MTA: Rule = Rule {
    entry: Entry {
        name: "psr_mta",
        aliases: &[],
        doc: "GRPO's advantage, kept where the reward is positive.",
        formula: "A_i = (r_i - mean r)/(std r + std_floor) if r_i > 0, else 0",
        source: "model-task-align-rl, arXiv 2508.21188",
        elsewhere: &[("model-task-align-rl", "psr")],
    },
    objective: Objective { scale: Scale::GroupStd, negative_weight: 0.0, ..Objective::DEFAULT },
};

/// GRPO's advantage, kept where the reward is not positive.
pub(super) static NSR_MTA: Rule = Rule {
    entry: Entry {
        name: "nsr_mta",
        aliases: &[],
        doc: "GRPO's advantage, kept where the reward is not positive.",
        formula: "A_i = (r_i - mean r)/(std r + std_floor) if r_i <= 0, else 0",
        source: "model-task-align-rl, arXiv 2508.21188",
        elsewhere: &[("model-task-align-rl", "nsr")],
    },
    objective: Objective { scale: Scale::GroupStd, positive_weight: 0.0, ..Objective::DEFAULT },
};

/// GRPO's advantage with positive rollouts weighted 0.1.
pub(super) static W_REINFORCE_MTA: Rule = Rule {
    entry: Entry {
        name: "w_reinforce_mta",
        aliases: &[],
        doc: "GRPO's advantage with positive rollouts weighted 0.1.",
        formula: "A_i = (r_i - mean r)/(std r + std_floor), times 0.1 if r_i > 0",
        source: "w_reinforce on group-normalised advantages",
        elsewhere: &[],
    },
    objective: Objective { scale: Scale::GroupStd, positive_weight: 0.1, ..Objective::DEFAULT },
};

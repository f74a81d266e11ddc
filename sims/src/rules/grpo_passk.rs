//! Pass@k GRPO: only the best rollout counts.

use super::Rule;
use crate::config::{Baseline, LossAgg, Objective, Scale};
use crate::registry::Entry;

/// Only the best rollout is pushed, by its lead over the second best; with 0/1 rewards that is when exactly one is right.
pub(super) static GRPO_PASSK: Rule = Rule {
    entry: Entry {
        name: "grpo_passk",
        aliases: &[],
        doc: "Only the best rollout is pushed, by its lead over the second best; with 0/1 rewards that is when exactly one is right.",
        formula: "A_best = (r_max - r_2nd)/(std r + std_floor), others 0",
        source: "verl grpo_passk",
        elsewhere: &[("verl", "grpo_passk")],
    },
    objective: Objective {
        baseline: Baseline::SecondBest,
        scale: Scale::GroupStd,
        std_ddof: 1,
        loss_agg_mode: LossAgg::TokenMean,
        ..Objective::DEFAULT
    },
};

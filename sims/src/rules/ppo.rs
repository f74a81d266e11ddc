//! PPO with a critic.

use super::Rule;
use crate::config::{Baseline, LossAgg, Objective};
use crate::registry::Entry;

/// Generalised advantage estimation from a critic with one value per prompt and position, clipped ratio.
pub(super) static PPO: Rule = Rule {
    entry: Entry {
        name: "ppo",
        aliases: &[],
        doc: "Generalised advantage estimation from a critic with one value per prompt and position, clipped ratio.",
        formula: "A_t = sum_l (gamma lambda)^l delta_{t+l}, delta_t = r_t + gamma V_{t+1} - V_t",
        source: "Schulman et al., arXiv 1707.06347; verl gamma = lambda = 1",
        elsewhere: &[("verl", "gae"), ("OpenRLHF", "gae")],
    },
    objective: Objective { baseline: Baseline::Critic, loss_agg_mode: LossAgg::TokenMean, ..Objective::DEFAULT },
};

//! P5: the expected GRPO step at finite group size.

use super::setting::{gradient_weight, recipe, reports, small, two_arms};
use super::{Simulation, sampled};
use crate::config::Config;
use crate::stream::Seed;

/// One sampled group per replicate.
pub(super) static P5: Simulation = Simulation {
    proposition: "P5",
    setup: "one sampled group: the logit's move over the gradient of accuracy, under grpo, dr_grpo, and grpo with dynamic sampling",
    tolerance: 0.0,
    measures: &[
        sampled("amplification", |x, seed| weight(x, seed, "grpo", |_| {})),
        sampled("amplification_without_std", |x, seed| weight(x, seed, "dr_grpo", |_| {})),
        sampled("amplification_of_kept_groups", |x, seed| {
            (x[1] > 1.0)
                .then(|| weight(x, seed, "grpo", |c| (c.objective.dynamic_sampling, c.objective.max_num_gen_batches) = (true, 10_000)))?
        }),
        sampled("informative", |x, seed| {
            let world = two_arms(x[0], seed)?;
            let mut recipe = recipe("ground_truth", "grpo", |_| {});
            recipe.config.train.group_size = small(x[1], 65_536.0)?;
            Some(1.0 - reports(&world, &recipe)[0].frac_reward_zero_std)
        }),
    ],
};

fn weight(x: &[f64], seed: Seed, rule: &str, set: fn(&mut Config)) -> Option<f64> {
    gradient_weight(&two_arms(x[0], seed)?, recipe("ground_truth", rule, set), x[1])
}

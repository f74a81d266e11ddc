//! P31: prompts that training never reaches.

use super::difficulty::prompt;
use super::setting::{bandit_with, before_and_after, log_ratio, recipe, reports, small, two_arms};
use super::{Simulation, sampled};
use crate::policy::{Policy, SoftmaxPolicy};
use crate::recipe::Ready;
use crate::stream::Purpose;
use crate::world::World;

/// One run per replicate.
pub(super) static P31: Simulation = Simulation {
    proposition: "P31",
    setup: "one sampled run of grpo: whether any rollout was right, whether the policy moved; tail_miss: one sampled group; ceilings are bounds, and \
            tail_crossing is a limit: not measured",
    tolerance: 0.0,
    measures: &[
        sampled("unhit", |x, seed| is_unhit(&two_arms(x[0], seed)?, &run(x)?)),
        sampled("never_updated", |x, seed| {
            let (before, after) = before_and_after(&two_arms(x[0], seed)?, &run(x)?, log_ratio);
            Some(f64::from(before == after))
        }),
        sampled("dead_share", |x, seed| is_unhit(&prompt(x[3], x[4], seed)?, &run(x)?)),
        sampled("tail_miss", |x, seed| {
            let probs = [x[0] * x[5], x[0] * (1.0 - x[5]), 1.0 - x[0]];
            let world = bandit_with(&probs, &[true, true, false], seed)?;
            let base = SoftmaxPolicy::new(&world.task, &world.base, 0.0);
            let group = base.sample(&[(0, seed.stream(Purpose::Rollout, 0, 0))], small(x[1], 65_536.0)?).swap_remove(0);
            let any = |arm: u32| group.iter().any(|path| path[0].id == arm);
            Some(f64::from(!any(0) && any(1) && any(2)))
        }),
    ],
};

/// At least one step, at most as many as take milliseconds.
fn run(x: &[f64]) -> Option<Ready> {
    let mut recipe = recipe("ground_truth", "grpo", |_| {});
    recipe.config.train.steps = small(x[2], 1000.0).filter(|steps| *steps > 0)?;
    recipe.config.train.group_size = small(x[1], 10_000.0 / x[2])?;
    Some(recipe)
}

fn is_unhit(world: &World, recipe: &Ready) -> Option<f64> {
    Some(f64::from(reports(world, recipe).iter().all(|step| step.reward == 0.0)))
}

//! P40: trees whose nodes and prompts share parameters.

use super::flow::Flow;
use super::setting::{UNUSED, small};
use super::{Simulation, exact};
use crate::config::Config;
use crate::measure::summary;
use crate::policy::SoftmaxPolicy;
use crate::world::World;
use mta_theory::simplex::logit;
use ndarray::Array3;

/// Expected updates over all leaves.
pub(super) static P40: Simulation = Simulation {
    proposition: "P40",
    setup: "exact mode, ground_truth, uniform trees with the first m tokens right at every depth, and prompts without a right token: flow time until the chance of \
            a correct response reaches the target, or what another prompt has by then. Memory belongs to nodes, so with several right tokens only what is all \
            skill; npg's Fisher matrix is that of separate nodes: no natural gradient of shared parameters",
    tolerance: 1e-4,
    measures: &[
        exact("pg_time", |x| reaches(&flow(&world(x, 1, 0)?, "pg", 1.0), 0, x[3])),
        exact("node_npg_time", |x| reaches(&flow(&single(x, 1, 0)?, "npg", 1.0), 0, x[3])),
        exact("full_data_pg_time", |x| reaches(&flow(&single(x, prompts(x[5])?, 0)?, "pg", x[4]), 0, x[3])),
        exact("one_shot_held_out", |x| held_out(x, 1)),
        exact("full_data_held_out", |x| held_out(x, prompts(x[5])?)),
        exact("transfer_failure", |x| {
            let world = single(x, 1, 1)?;
            let tree = flow(&world, "pg", x[4]);
            let time = reaches(&tree, 1, x[3])?;
            tree.flow.after(time, 1.0, &|policy| tree.log_odds(policy, 0)).map(|u| 1.0 / (1.0 + u.exp()))
        }),
    ],
};

/// A world and the flow in it.
struct Tree<'w> {
    world: &'w World,
    flow: Flow<'w>,
}

impl Tree<'_> {
    /// Log-odds of a correct response to a prompt, nats.
    fn log_odds(&self, policy: &SoftmaxPolicy, prompt: usize) -> f64 {
        logit(summary(policy, &self.world.task, prompt).success)
    }
}

/// Batches of all prompts, so that each one's memory takes its whole gradient.
fn flow<'w>(world: &'w World, rule: &str, sharing: f64) -> Tree<'w> {
    let set = |c: &mut Config| (c.policy.sharing, c.train.train_batch_size) = (sharing, world.training().len());
    Tree { world, flow: Flow::new(world, "ground_truth", rule).with(set) }
}

fn reaches(tree: &Tree, prompt: usize, target: f64) -> Option<f64> {
    tree.flow.time_until(logit(target), &|policy| tree.log_odds(policy, prompt))
}

/// Mean success on held-out prompts, as many of them carried as of all, once the first trained prompt has reached the target.
fn held_out(x: &[f64], trained: usize) -> Option<f64> {
    let others = prompts(x[5])?;
    let world = single(x, trained, others)?;
    let tree = flow(&world, "pg", x[4]);
    let time = reaches(&tree, 0, x[3])?;
    let mean =
        |policy: &SoftmaxPolicy| world.held_out().map(|prompt| summary(policy, &world.task, prompt).success).sum::<f64>() / others as f64;
    tree.flow.after(time, 1.0, &mean)
}

/// The fewest prompts of which `carried` is a share, up to 8.
fn prompts(carried: f64) -> Option<usize> {
    (1..=8).find(|n| (carried * *n as f64 - (carried * *n as f64).round()).abs() < 1e-9 && carried * *n as f64 > 0.5)
}

/// [`world`] with one right token per depth.
fn single(x: &[f64], trained: usize, held_out: usize) -> Option<World> {
    (x[1] == 1.0).then(|| world(x, trained, held_out)).flatten()
}

/// Trained and held-out prompts on a uniform tree, of either the first `x[5]` with right tokens, at least one.
fn world(x: &[f64], trained: usize, held_out: usize) -> Option<World> {
    let (vocab, right, depth) = (small(x[0], 64.0)?, small(x[1], x[0] - 1.0)?, small(x[2], 12.0)?);
    let carried = |i: usize, of: usize| (i as f64) < (x[5] * of as f64).round().max(1.0);
    let shape = (trained + held_out, depth, vocab);
    let is_right = |i: usize| if i < trained { carried(i, trained) } else { carried(i - trained, held_out) };
    let truth = Array3::from_shape_fn(shape, |(i, _, v)| v < right && is_right(i));
    Some(World::explicit(Array3::zeros(shape), truth, trained, UNUSED))
}

//! P33, P34: sequences with a single right leaf.

use super::flow::Flow;
use super::setting::{UNUSED, accuracy, recipe, reports, small};
use super::{Simulation, exact, sampled};
use crate::stream::Seed;
use crate::world::World;
use mta_theory::simplex::logit;
use ndarray::Array3;

/// Expected updates over all leaves.
pub(super) static P33: Simulation = Simulation {
    proposition: "P33",
    setup: "exact mode, ground_truth, a uniform tree with one right leaf: flow time until its chance reaches the target; every step enumerates the leaves, so \
            only of small trees",
    tolerance: 1e-4,
    measures: &[exact("pg_time", |x| time(x, "pg")), exact("pg_std_time", |x| time(x, "pg_std")), exact("npg_time", |x| time(x, "npg"))],
};

fn time(x: &[f64], rule: &str) -> Option<f64> {
    let world = uniform_tree(x[0], x[1], UNUSED)?;
    Flow::new(&world, "ground_truth", rule).time_until(logit(x[2]), &|policy| logit(accuracy(&world, policy)))
}

/// Most leaves of a tree whose leaves are told apart.
const MAX_LEAVES: f64 = 1e12;

fn uniform_tree(branching: f64, depth: f64, seed: Seed) -> Option<World> {
    (branching.powf(depth) <= MAX_LEAVES).then_some(())?;
    let shape = (1, small(depth, 64.0)?, small(branching, 1024.0)?);
    let right = Array3::from_shape_fn(shape, |(_, _, v)| v == 0);
    Some(World::explicit(Array3::zeros(shape), right, 1, seed))
}

/// One run per replicate.
pub(super) static P34: Simulation = Simulation {
    proposition: "P34",
    setup: "one sampled run of grpo on a uniform tree with one right leaf: the first step with a reward, where it is expected within 200",
    tolerance: 0.0,
    measures: &[
        sampled("expected_groups", |x, seed| {
            (x[0].powf(x[1]) / x[2] <= MAX_GROUPS).then_some(())?;
            [64, 512, 4096, 32_768].into_iter().find_map(|steps| first_success(x, steps, seed)?).map(|step| step as f64)
        }),
        sampled("still_waiting", |x, seed| {
            let steps = small(x[3], 4096.0)?;
            Some(f64::from(first_success(x, steps, seed)?.is_none()))
        }),
    ],
};

/// Most groups worth waiting for on average.
const MAX_GROUPS: f64 = 200.0;

/// The first of `steps` groups that earns anything.
fn first_success(x: &[f64], steps: usize, seed: Seed) -> Option<Option<usize>> {
    let world = uniform_tree(x[0], x[1], seed)?;
    let mut recipe = recipe("ground_truth", "grpo", |c| c.train.steps = steps);
    recipe.config.train.group_size = small(x[2], 1024.0)?;
    Some(reports(&world, &recipe).iter().position(|step| step.reward > 0.0).map(|step| step + 1))
}

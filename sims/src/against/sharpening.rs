//! P22: sharpened policies.

use super::flow::{Flow, Read, refine};
use super::setting::{UNUSED, accuracy, bandit, three_arms};
use super::{Simulation, exact};
use crate::measure::summary;
use crate::world::World;

/// The optimum of the tempered signal is a power of the base policy.
pub(super) static P22: Simulation = Simulation {
    proposition: "P22",
    setup: "exact mode, npg, tempered with prior_power = exponent (1e9 for the limit), where it settles; entropy_rate: a small step on ground_truth",
    tolerance: 1e-5,
    measures: &[
        exact("accuracy", |x| sharpened_accuracy(&world(x)?, x[2])),
        exact("slope", |x| {
            let world = world(x)?;
            refine(0.1, 12, |step| Some((sharpened_accuracy(&world, x[2] + step)? - sharpened_accuracy(&world, x[2])?) / step))
        }),
        exact("limit_accuracy", |x| sharpened_accuracy(&world(x)?, 1e9)),
        exact("entropy", |x| {
            let world = world(x)?;
            sharpened(&world, x[2], &|policy| summary(policy, &world.task, 0).entropy)
        }),
        exact("entropy_rate", |x| {
            let world = world(x)?;
            Flow::new(&world, "ground_truth", "npg").slope(&|policy| summary(policy, &world.task, 0).entropy)
        }),
    ],
};

fn world(x: &[f64]) -> Option<World> {
    bandit(&three_arms(x[0], x[1]), UNUSED)
}

fn sharpened_accuracy(world: &World, power: f64) -> Option<f64> {
    sharpened(world, power, &|policy| accuracy(world, policy))
}

/// `read` of a power of the base policy.
pub(super) fn sharpened(world: &World, power: f64, read: Read) -> Option<f64> {
    Flow::new(world, "tempered", "npg").with(|c| c.signal.prior_power = power).limit(0.75, read)
}

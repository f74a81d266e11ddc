//! P41: sharpening over random worlds.

use super::alignment::gaussian;
use super::setting::{accuracy, small};
use super::sharpening::sharpened;
use super::{Simulation, sampled};
use crate::measure::summary;
use crate::policy::SoftmaxPolicy;
use crate::stream::Seed;
use crate::world::World;

/// One random base policy per replicate.
pub(super) static P41: Simulation = Simulation {
    proposition: "P41",
    setup: "base policies kappa (a z + sqrt(1 - a^2) xi) with independent xi: as they are, where npg on tempered settles (prior_power = power), and whether the \
            most likely token is right",
    tolerance: 0.0,
    measures: &[
        sampled("pass_at_1", |x, seed| {
            let world = world(x, seed)?;
            Some(accuracy(&world, &SoftmaxPolicy::new(&world.task, &world.base, 0.0)))
        }),
        sampled("sharpened", |x, seed| {
            let world = world(x, seed)?;
            sharpened(&world, x[4], &|policy| accuracy(&world, policy))
        }),
        sampled("mode_accuracy", |x, seed| {
            let world = world(x, seed)?;
            Some(f64::from(summary(&SoftmaxPolicy::new(&world.task, &world.base, 0.0), &world.task, 0).mode_is_correct()))
        }),
    ],
};

fn world(x: &[f64], seed: Seed) -> Option<World> {
    let (vocab, right) = (small(x[0], 1024.0)?, small(x[1], x[0] - 2.0)?);
    let share = x[1] / x[0];
    let distance = ((1.0 - share) / share).sqrt() + (share / (1.0 - share)).sqrt();
    Some(gaussian([right, vocab], x[2] * (1.0 - x[3] * x[3]).sqrt(), x[2] * x[3] * distance, seed))
}

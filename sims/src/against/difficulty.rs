//! P29: populations of prompts of Beta difficulty.

use super::setting::{accuracy, two_arms};
use super::{Simulation, sampled};
use crate::policy::SoftmaxPolicy;
use crate::stream::{Purpose, Seed};
use crate::world::World;
use mta_theory::pass_at_k::pass_at_k;
use rand_distr::{Beta, Distribution};

/// One prompt per replicate.
pub(super) static P29: Simulation = Simulation {
    proposition: "P29",
    setup: "one prompt of a random population: pass@k of its base policy, before and after; crossings belong to the curves and are not measured",
    tolerance: 0.0,
    measures: &[
        sampled("pass_at_k", |x, seed| base_pass_at_k(&prompt(x[0], x[1], seed)?, x[4])),
        sampled("pass_at_k_after", |x, seed| base_pass_at_k(&prompt(x[2], x[3], seed)?, x[4])),
    ],
};

/// A prompt whose chance of a right answer is drawn from Beta(a, b), and not so near 0 or 1 that the floats round it there.
pub(super) fn prompt(a: f64, b: f64, seed: Seed) -> Option<World> {
    let p: f64 = Beta::new(a, b).ok()?.sample(&mut seed.stream(Purpose::Population, 0, 0));
    two_arms(p.clamp(f64::MIN_POSITIVE, 1.0 - f64::EPSILON), seed)
}

pub(super) fn base_pass_at_k(world: &World, k: f64) -> Option<f64> {
    let base = SoftmaxPolicy::new(&world.task, &world.base, 0.0);
    Some(pass_at_k(accuracy(world, &base), k))
}

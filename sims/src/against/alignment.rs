//! P23, P35: base models drawn with a known alignment.

use super::setting::small;
use super::{Simulation, sampled};
use crate::config::World as Settings;
use crate::measure::{Measured, measure, summary};
use crate::policy::SoftmaxPolicy;
use crate::stream::{Purpose, Seed};
use crate::world::World;
use ndarray::Array3;
use rand_distr::{Distribution, StandardNormal};

/// One random base policy per replicate.
pub(super) static P23: Simulation = Simulation {
    proposition: "P23",
    setup: "base policies with Gaussian logits: whether the most likely arm is right, which is where sharpening ends",
    tolerance: 0.0,
    measures: &[
        sampled("limit_accuracy", mode_is_right),
        sampled("gain_over_chance", |x, seed| Some(mode_is_right(x, seed)? - 1.0 / x[0])),
    ],
};

fn mode_is_right(x: &[f64], seed: Seed) -> Option<f64> {
    let mut stream = seed.stream(Purpose::Population, 0, 0);
    let shape = (1, 1, small(x[0], 65_536.0)?);
    let noise = Array3::from_shape_simple_fn(shape, || -> f64 { StandardNormal.sample(&mut stream) });
    let right = Array3::from_shape_fn(shape, |(_, _, v)| v == 0);
    let logits = noise * x[1] + right.mapv(|right| if right { x[2] } else { 0.0 });
    let world = World::explicit(logits, right, 1, seed);
    let base = SoftmaxPolicy::new(&world.task, &world.base, 0.0);
    Some(f64::from(summary(&base, &world.task, 0).mode_is_correct()))
}

/// One random world per replicate.
pub(super) static P35: Simulation = Simulation {
    proposition: "P35",
    setup: "random worlds of these knobs, f V good tokens (rounded) that are always right and no others: the base model on four held-out prompts",
    tolerance: 0.0,
    measures: &[
        sampled("bulk_pass_at_1", |x, seed| Some(base_model(x, seed)?.pass_at[0])),
        sampled("mode_accuracy", |x, seed| Some(base_model(x, seed)?.mode_accuracy)),
    ],
};

fn base_model(x: &[f64], seed: Seed) -> Option<Measured> {
    let vocab = small(x[0], 65_536.0).filter(|v| *v > 2)?;
    let (confidence, idiosyncrasy, alignment) = (x[2], x[3], x[4]);
    let settings = Settings {
        vocab,
        good_tokens: (x[0] * x[1]).round() as usize,
        good_quality: 1.0,
        bad_quality: 0.0,
        confidence,
        idiosyncrasy,
        alignment,
        prompts: 1,
        held_out: 4,
        ..Settings::DEFAULT
    };
    (1..vocab).contains(&settings.good_tokens).then_some(())?;
    let world = World::new(&settings, seed).ok()?;
    Some(measure(&SoftmaxPolicy::new(&world.task, &world.base, 0.0), &world.task, world.held_out()))
}

//! P36: a clip on many arms.

use super::clipping::pass;
use super::setting::{bandit, change, first_and_equal_others, prob};
use super::{Simulation, sampled};
use crate::stream::Seed;

/// One pass over fresh minibatches, with the clip and without.
pub(super) static P36: Simulation = Simulation {
    proposition: "P36",
    setup: "one sampled batch, random +1 or -1, one update per minibatch, on the same draws with the clip and with one that no ratio reaches",
    tolerance: 0.0,
    measures: &[
        sampled("clip_drift", |x, seed| Some(drift(x, seed, [x[2], x[3]])? - drift(x, seed, NO_CLIP)?)),
        sampled("noise_drift", |x, seed| drift(x, seed, NO_CLIP)),
    ],
};

/// Clip ranges that no ratio reaches.
const NO_CLIP: [f64; 2] = [f64::INFINITY; 2];

fn drift(x: &[f64], seed: Seed, clip: [f64; 2]) -> Option<f64> {
    let world = bandit(&first_and_equal_others(x[0], x[1])?, seed)?;
    Some(change(&world, &pass(clip, x[4], [x[5], x[6]])?, |policy| prob(policy, 0)))
}

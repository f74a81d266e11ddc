//! P13, P14: clipped updates on random rewards.

use super::setting::{change, log_ratio, prob, recipe, signed, small, two_arms};
use super::{Simulation, sampled};
use crate::recipe::Ready;
use crate::stream::Seed;

/// One pass over fresh minibatches.
pub(super) static P13: Simulation = Simulation {
    proposition: "P13",
    setup: "one sampled batch, random +1 or -1, one clipped update per minibatch; the same run stands beside the first order (small \
            noise) and beside saturation (noise of a batch much larger, of a minibatch much smaller than the clip range)",
    tolerance: 0.0,
    measures: &[
        sampled("first_order", |x, seed| Some(change(&two_arms(x[0], seed)?, &pass(x)?, log_ratio))),
        sampled("saturated", pass_change),
        sampled("saturated_leading", pass_change),
    ],
};

fn pass_change(x: &[f64], seed: Seed) -> Option<f64> {
    Some(change(&two_arms(x[0], seed)?, &pass(x)?, |policy| prob(policy, 0)))
}

/// A minibatch is one group.
fn pass(x: &[f64]) -> Option<Ready> {
    let (minibatches, size) = (small(x[3], 100.0)?, small(x[4], 10_000.0)?);
    Some(recipe("random", "grpo", |c| {
        signed(c);
        (c.objective.clip_low, c.objective.clip_high) = (x[1], x[1]);
        (c.train.train_batch_size, c.train.minibatches, c.train.group_size) = (minibatches, minibatches, size);
        c.train.learning_rate = x[2];
    }))
}

/// Several epochs over one group.
pub(super) static P14: Simulation = Simulation {
    proposition: "P14",
    setup: "one sampled group, random, grpo with num_iterations epochs over it, with its clip and with one that no ratio reaches",
    tolerance: 0.0,
    measures: &[
        sampled("drift", |x, seed| reused(x, seed, x[1])),
        sampled("drift_unclipped", |x, seed| reused(x, seed, f64::INFINITY)),
        sampled("up", |x, seed| Some(f64::from(reused(x, seed, x[1])? > 0.0))),
        sampled("down", |x, seed| Some(f64::from(reused(x, seed, x[1])? < 0.0))),
    ],
};

fn reused(x: &[f64], seed: Seed, clip: f64) -> Option<f64> {
    let recipe = recipe("random", "grpo", |c| {
        (c.objective.clip_low, c.objective.clip_high) = (clip, clip);
        (c.train.group_size, c.train.num_iterations, c.train.learning_rate) = (x[3] as usize, x[4] as usize, x[2]);
    });
    Some(change(&two_arms(x[0], seed)?, &recipe, |policy| prob(policy, 0)))
}

//! P25, P26: training on one prompt, read on another.

use super::flow::Flow;
use super::setting::{UNUSED, log_ratio_at, small};
use super::{Simulation, exact};
use crate::measure::summary;
use crate::world::World;
use mta_theory::simplex::logit;
use ndarray::Array3;

/// Two prompts that share the skill.
pub(super) static P25: Simulation = Simulation {
    proposition: "P25",
    setup: "exact mode, ground_truth, pg on one of two prompts of two arms, sharing |overlap|/2 (a larger overlap as a larger step): change of accuracy \
            on the other over a small step; negative overlaps swap its right arm",
    tolerance: 1e-6,
    measures: &[exact("rate", |x| transfer_rate(x[1], x[0], x[2])), exact("own_rate", |x| transfer_rate(x[1], x[1], 1.0))],
};

fn transfer_rate(trained: f64, tested: f64, overlap: f64) -> Option<f64> {
    let world = two_prompts(logit(trained), &[(logit(tested), overlap >= 0.0)])?;
    let sharing = (0.5 * overlap.abs()).min(1.0);
    let flow = Flow::new(&world, "ground_truth", "pg").with(|c| c.policy.sharing = sharing);
    let rate = flow.slope(&|policy| summary(policy, &world.task, 1).success)?;
    Some(rate * (0.5 * overlap.abs()).max(1.0))
}

/// A training prompt whose first arm is right and leads by `trained` nats, and others: lead of the right arm, and whether it is the first.
fn two_prompts(trained: f64, others: &[(f64, bool)]) -> Option<World> {
    let prompts: Vec<(f64, bool)> = std::iter::once((trained, true)).chain(others.iter().copied()).collect();
    let shape = (prompts.len(), 1, 2);
    let right = Array3::from_shape_fn(shape, |(x, _, v)| (v == 0) == prompts[x].1);
    let logits = Array3::from_shape_fn(shape, |(x, _, v)| if right[[x, 0, v]] { prompts[x].0 } else { 0.0 });
    prompts.iter().all(|(lead, _)| lead.is_finite()).then(|| World::explicit(logits, right, 1, UNUSED))
}

/// A trained prompt, one of its sign and one of the other.
pub(super) static P26: Simulation = Simulation {
    proposition: "P26",
    setup: "exact mode, ground_truth, pg, sharing lambda^2/(1 + lambda^2), which is the coupling itself: logits after (1 + lambda^2)/2 of the flow time, as \
            two logits share a step; full data: n equal prompts",
    tolerance: 1e-5,
    measures: &[
        exact("trained_logit", |x| logit_after(x, 0, 1.0)),
        exact("aligned_logit", |x| logit_after(x, 1, 1.0)),
        exact("misaligned_logit", |x| logit_after(x, 2, -1.0)),
        exact("one_shot_to_full_rate", |x| {
            let prompts = small(x[1], 10_000.0)?;
            let one_shot = two_prompts(x[3], &[(x[3], true)])?;
            let full = World::explicit(
                Array3::from_shape_fn((prompts, 1, 2), |(_, _, v)| if v == 0 { x[3] } else { 0.0 }),
                Array3::from_shape_fn((prompts, 1, 2), |(_, _, v)| v == 0),
                prompts,
                UNUSED,
            );
            Some(
                shared(&one_shot, x[0]).slope(&|policy| log_ratio_at(policy, 1))?
                    / shared(&full, x[0]).slope(&|policy| log_ratio_at(policy, 0))?,
            )
        }),
    ],
};

fn shared(world: &World, loading: f64) -> Flow<'_> {
    let coupling = loading * loading / (1.0 + loading * loading);
    Flow::new(world, "ground_truth", "pg").with(|c| c.policy.sharing = coupling)
}

/// Log-odds of the right arm, which is the first or (sign -1) the second.
fn logit_after(x: &[f64], prompt: usize, sign: f64) -> Option<f64> {
    let world = two_prompts(x[3], &[(x[3], true), (x[3], false)])?;
    let time = 0.5 * (1.0 + x[0] * x[0]) * x[4];
    shared(&world, x[0]).after(time, 0.5, &|policy| sign * log_ratio_at(policy, prompt))
}

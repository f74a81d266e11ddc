//! P18, P19: rewarding one's own log-probability, free and on a leash.

use super::flow::Flow;
use super::leash::leash;
use super::setting::{UNUSED, log_ratio, small, two_arms_at};
use super::{Simulation, exact};
use crate::world::World;
use ndarray::Array3;

/// Times between two logits, and how a tie is left.
pub(super) static P18: Simulation = Simulation {
    proposition: "P18",
    setup: "exact mode, log_policy: flow time until the log-ratio reaches u, extrapolated to step 0; a tie with one arm ahead by 1e-5 nats",
    tolerance: 1e-5,
    measures: &[
        exact("time_pg", |x| time(x, "pg")),
        exact("time_npg", |x| time(x, "npg")),
        exact("tie_eigenvalue", |x| {
            let world = near_tie(small(x[2], 1024.0).filter(|arms| *arms > 1)?);
            Some(Flow::new(&world, "log_policy", "pg").slope(&log_ratio)? / LEAD)
        }),
    ],
};

fn time(x: &[f64], rule: &str) -> Option<f64> {
    Flow::new(&two_arms_at(x[0], UNUSED), "log_policy", rule).time_until(x[1], &log_ratio)
}

/// By how much one arm of a tie is ahead, nats.
const LEAD: f64 = 1e-5;

fn near_tie(arms: usize) -> World {
    let shape = (1, 1, arms);
    World::explicit(
        Array3::from_shape_fn(shape, |(_, _, v)| if v == 0 { LEAD } else { 0.0 }),
        Array3::from_shape_fn(shape, |(_, _, v)| v == 0),
        1,
        UNUSED,
    )
}

/// Self-reward less KL to the prior.
pub(super) static P19: Simulation = Simulation {
    proposition: "P19",
    setup: "exact mode, npg, log_policy (gain_fixed: log_prior), KL k1 taken off the reward: at time t, and where it settles",
    tolerance: 1e-5,
    measures: &[
        exact("log_ratio", |x| {
            let world = two_arms_at(x[0], UNUSED);
            leashed(&world, "log_policy", x[1]).after(x[2], (1.0 - x[1]).abs(), &log_ratio)
        }),
        exact("limit", |x| Some(self_gain(x[0], x[1])? * x[0])),
        exact("gain", |x| self_gain(x[0], x[1])),
        exact("gain_fixed", |x| fixed_gain(x[0], x[1])),
    ],
};

fn leashed<'w>(world: &'w World, signal: &str, beta: f64) -> Flow<'w> {
    Flow::new(world, signal, "npg").with(|c| leash(c, beta))
}

/// Log-odds of the optimum of self-reward per log-odds of the prior.
pub(super) fn self_gain(l0: f64, beta: f64) -> Option<f64> {
    gain(l0, "log_policy", beta, 0.25 / (beta - 1.0))
}

/// The same when the reward is the log-probability of the prior.
pub(super) fn fixed_gain(l0: f64, beta: f64) -> Option<f64> {
    gain(l0, "log_prior", beta, 0.25 / beta)
}

fn gain(l0: f64, signal: &str, beta: f64, step: f64) -> Option<f64> {
    (l0 != 0.0 && step > 0.0).then_some(())?;
    Some(leashed(&two_arms_at(l0, UNUSED), signal, beta).limit(step, &log_ratio)? / l0)
}

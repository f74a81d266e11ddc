//! P20: how far the leashed optimum moves.

use super::flow::Flow;
use super::leash::leash;
use super::self_reward::{fixed_gain, self_gain};
use super::setting::{UNUSED, prob, two_arms_at};
use super::verifier::accept;
use super::{Simulation, exact};

/// The pair of two-armed tasks for which the bound is attained.
pub(super) static P20: Simulation = Simulation {
    proposition: "P20",
    setup: "exact mode, npg with KL k1 in the reward, two arms: settled with and without the reward, from log-priors as far on either side of 0; condition \
            numbers from log-ratio 1",
    tolerance: 1e-6,
    measures: &[
        exact("distance", |x| {
            let half = 0.5 * (x[0] + x[1] / x[2]);
            Some(settled(half - x[1] / x[2], x[1], x[2])? - settled(-half, 0.0, x[2])?)
        }),
        exact("condition_fixed", |x| fixed_gain(1.0, x[2])),
        exact("condition_self", |x| self_gain(1.0, x[2])),
    ],
};

/// Chance of the rewarded arm where the leash holds it; its reward is an acceptance, so at most 1.
fn settled(prior: f64, reward: f64, beta: f64) -> Option<f64> {
    (reward <= 1.0).then_some(())?;
    let world = two_arms_at(prior, UNUSED);
    let flow = Flow::new(&world, "noisy", "npg").with(|c| {
        accept(c, reward, 0.0);
        leash(c, beta);
    });
    flow.limit(0.25 / beta, &|policy| prob(policy, 0))
}

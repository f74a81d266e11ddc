//! P15: rewards for the wrong thing.

use super::flow::Flow;
use super::setting::{UNUSED, bandit_with, prob, three_arms, two_arms};
use super::verifier::accept;
use super::{Simulation, exact};

/// Modes are arms; a rewarded wrong arm is a task in which it is the right one.
pub(super) static P15: Simulation = Simulation {
    proposition: "P15",
    setup: "exact mode: change over a small step; modes are two arms accepted at different rates (noisy), read at fixed accuracies; the wrong arm is the \
            right one of the task trained on",
    tolerance: 1e-6,
    measures: &[
        exact("mode_slope", |x| {
            let world = two_arms(x[0], UNUSED)?;
            let flow = Flow::new(&world, "noisy", "npg").with(|c| accept(c, 0.5 + 0.5 * x[1], 0.5 - 0.5 * x[1]));
            flow.slope(&|policy| x[2] * prob(policy, 0))
        }),
        exact("npg_slope", |x| wrong_arm_slope(x, "npg")),
        exact("pg_slope", |x| wrong_arm_slope(x, "pg")),
    ],
};

fn wrong_arm_slope(x: &[f64], rule: &str) -> Option<f64> {
    let world = bandit_with(&three_arms(x[3], x[4]), &[false, true, false], UNUSED)?;
    Flow::new(&world, "ground_truth", rule).slope(&|policy| prob(policy, 0))
}

//! P1: rates of accuracy under five rewards.

use super::flow::Flow;
use super::setting::{UNUSED, accuracy, bandit, bandit_with, prob, three_arms, two_arms};
use super::{Simulation, exact};

/// One small step of each reward, over its size.
pub(super) static P1: Simulation = Simulation {
    proposition: "P1",
    setup: "exact mode, npg and pg: change of accuracy over the step, extrapolated to step 0; a labelled wrong arm is a task in which it is the right one",
    tolerance: 1e-6,
    measures: &[
        exact("true_reward", |x| two_armed_rate(x[0], "ground_truth", 0.0)),
        exact("noisy", |x| two_armed_rate(x[0], "noisy", x[2])),
        exact("random", |x| two_armed_rate(x[0], "random", 0.0)),
        exact("wrong_label", |x| {
            let world = bandit_with(&three_arms(x[0], x[1]), &[false, true, false], UNUSED)?;
            Flow::new(&world, "ground_truth", "npg").slope(&|policy| prob(policy, 0))
        }),
        exact("log_p", |x| self_reward_rate(x, "npg")),
        exact("log_p_gradient", |x| self_reward_rate(x, "pg")),
    ],
};

fn two_armed_rate(p: f64, signal: &str, youden: f64) -> Option<f64> {
    let world = two_arms(p, UNUSED)?;
    let flow = Flow::new(&world, signal, "npg").with(|c| (c.signal.tpr, c.signal.fpr) = (0.5 + 0.5 * youden, 0.5 - 0.5 * youden));
    flow.slope(&|policy| accuracy(&world, policy))
}

fn self_reward_rate(x: &[f64], rule: &str) -> Option<f64> {
    let world = bandit(&three_arms(x[0], x[1]), UNUSED)?;
    Flow::new(&world, "log_policy", rule).slope(&|policy| accuracy(&world, policy))
}

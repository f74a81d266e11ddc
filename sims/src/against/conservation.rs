//! P3: which of several right arms survives.

use super::flow::{Flow, aitken};
use super::setting::{UNUSED, log_ratio};
use super::{Simulation, exact};
use crate::policy::SoftmaxPolicy;
use crate::world::World;
use ndarray::Array3;

/// Two right arms and a wrong one of logit 0.
pub(super) static P3: Simulation = Simulation {
    proposition: "P3",
    setup: "exact mode, ground_truth, two right arms and a wrong one of logit 0: after a flow time of 20; limits extrapolated from 250, 500 and 1000",
    tolerance: 3e-3,
    measures: &[
        exact("invariant", |x| {
            let gap = |policy: &SoftmaxPolicy| (-logit_of(policy, x, 0)).exp() - (-logit_of(policy, x, 1)).exp();
            Flow::new(&world(x), "ground_truth", "pg").after(20.0, 1.0, &gap)
        }),
        exact("limit_logit", limit_logit),
        exact("gain", |x| Some(limit_logit(x)? - x[0])),
        exact("ratio_npg", |x| Flow::new(&world(x), "ground_truth", "npg").after(20.0, 1.0, &|policy| log_ratio(policy).exp())),
    ],
};

fn world(x: &[f64]) -> World {
    let logits = [x[0], x[1], 0.0];
    let shape = (1, 1, logits.len());
    World::explicit(Array3::from_shape_fn(shape, |(_, _, v)| logits[v]), Array3::from_shape_fn(shape, |(_, _, v)| v < 2), 1, UNUSED)
}

/// The logit of an arm, nats: the policy gradient keeps the mean of the three, so it can be read off log-probabilities.
fn logit_of(policy: &SoftmaxPolicy, x: &[f64], arm: usize) -> f64 {
    let logprobs = policy.first(0).logprobs;
    logprobs[arm] + (x[0] + x[1] - logprobs.iter().sum::<f64>()) / 3.0
}

/// Aitken's limit of the logit at three times, each twice the one before: what falls like a power of time falls geometrically from one to the next.
fn limit_logit(x: &[f64]) -> Option<f64> {
    (x[0] < x[1]).then_some(())?;
    let world = world(x);
    let flow = Flow::new(&world, "ground_truth", "pg");
    let at = |time| flow.after(time, 0.5, &|policy| logit_of(policy, x, 0));
    Some(aitken([at(250.0)?, at(500.0)?, at(1000.0)?]))
}

//! P4: three levels of reward.

use super::flow::{Flow, Read};
use super::setting::{UNUSED, bandit, three_arms};
use super::verifier::{ARM_ACCEPTANCE, accept};
use super::{Simulation, exact};
use crate::policy::SoftmaxPolicy;

/// One small step, over its size.
pub(super) static P4: Simulation = Simulation {
    proposition: "P4",
    setup: "exact mode, pg, arms accepted with chances 1, r_good and 0: change over the step, extrapolated to step 0",
    tolerance: 1e-6,
    measures: &[
        exact("best_arm_rate", |x| rate(x, &|policy| policy.first(0).probs[0])),
        exact("mean_reward_rate", |x| rate(x, &|policy| policy.first(0).probs[0] + x[2] * policy.first(0).probs[1])),
        exact("gradient_norm", |x| {
            let moves: Option<Vec<f64>> = (0..3).map(|arm| rate(x, &|policy| centred_logit(policy, arm))).collect();
            Some(moves?.iter().map(|m| m * m).sum::<f64>().sqrt())
        }),
    ],
};

fn rate(x: &[f64], read: Read) -> Option<f64> {
    let world = bandit(&three_arms(x[0], x[1]), UNUSED)?;
    Flow::new(&world, "noisy", "pg").paid_by(&ARM_ACCEPTANCE).with(|c| accept(c, 1.0, x[2])).slope(read)
}

fn centred_logit(policy: &SoftmaxPolicy, arm: usize) -> f64 {
    let logprobs = policy.first(0).logprobs;
    logprobs[arm] - logprobs.iter().sum::<f64>() / logprobs.len() as f64
}

//! P16, P17: the majority vote as reward.

use super::setting::{bandit, gradient_weight, recipe, reports, small, two_arms};
use super::{Simulation, sampled};
use crate::measure::summary;
use crate::policy::SoftmaxPolicy;
use crate::stream::{Purpose, Seed};
use rand_distr::{Distribution, Exp1};

/// One sampled group, and the mode of random policies.
pub(super) static P16: Simulation = Simulation {
    proposition: "P16",
    setup: "one sampled group, majority, reinforce: the logit's move over p (1 - p) is the reward gap; modes: base policies drawn uniformly, not trained",
    tolerance: 0.0,
    measures: &[
        sampled("reward_gap", |x, seed| gradient_weight(&two_arms(x[0], seed)?, recipe("majority", "reinforce", |_| {}), x[1])),
        sampled("mode_chance", |x, seed| {
            let others = uniform_shares(x[2] - 1.0, seed)?;
            let probs: Vec<f64> = std::iter::once(x[0]).chain(others.iter().map(|share| (1.0 - x[0]) * share)).collect();
            mode_is_right(&probs, seed)
        }),
        sampled("volume", |x, seed| mode_is_right(&uniform_shares(x[2], seed)?, seed)),
    ],
};

/// A uniform point of the simplex.
fn uniform_shares(arms: f64, seed: Seed) -> Option<Vec<f64>> {
    let mut stream = seed.stream(Purpose::Population, 0, 0);
    let waits: Vec<f64> = (0..small(arms, 1024.0)?).map(|_| Exp1.sample(&mut stream)).collect();
    let sum: f64 = waits.iter().sum();
    Some(waits.iter().map(|wait| wait / sum).collect())
}

fn mode_is_right(probs: &[f64], seed: Seed) -> Option<f64> {
    let world = bandit(probs, seed)?;
    let base = SoftmaxPolicy::new(&world.task, &world.base, 0.0);
    Some(f64::from(summary(&base, &world.task, 0).mode_is_correct()))
}

/// One sampled vote.
pub(super) static P17: Simulation = Simulation {
    proposition: "P17",
    setup: "one sampled group, majority: whether its rewards agree with the truth; slopes and rounds belong to the curve and are not measured",
    tolerance: 0.0,
    measures: &[sampled("maj", |x, seed| {
        let mut recipe = recipe("majority", "grpo", |_| {});
        recipe.config.train.group_size = small(x[1], 65_536.0)?;
        Some(reports(&two_arms(x[0], seed)?, &recipe)[0].reward_accuracy)
    })],
};

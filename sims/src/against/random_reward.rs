//! P11, P12: rewards that know nothing of the action.

use super::setting::{
    before_and_after, change, first_and_equal_others, first_logit_move, log_ratio, prob, recipe, signed, small, two_arms,
};
use super::{Simulation, sampled};
use crate::recipe::Ready;
use crate::stream::Seed;
use crate::world::World;

/// One sampled step on coins.
pub(super) static P11: Simulation = Simulation {
    proposition: "P11",
    setup: "one sampled update, random, group mean as baseline, no clip; kappa from the square of the first logit's move; the vanishing arm is one of 1e-12",
    tolerance: 0.0,
    measures: &[
        sampled("kappa", |x, seed| {
            let (world, p) = (world(x, seed, 0.0)?, x[0]);
            Some(first_logit_move(&world, &coins(x)?).powi(2) / (p * (1.0 - p)))
        }),
        sampled("drift", |x, seed| Some(change(&world(x, seed, 0.0)?, &coins(x)?, |policy| prob(policy, 0)))),
        sampled("log_drift", |x, seed| Some(change(&world(x, seed, 0.0)?, &coins(x)?, |policy| policy.first(0).logprobs[0]))),
        sampled("vanishing_arm", |x, seed| {
            let last = |policy: &crate::policy::SoftmaxPolicy| policy.first(0).probs[x[1] as usize];
            let (before, after) = before_and_after(&world(x, seed, VANISHING)?, &coins(x)?, last);
            Some((after - before) / before)
        }),
    ],
};

/// Probability of an arm so rare that it counts for nothing.
const VANISHING: f64 = 1e-12;

/// The arms of the proposition, and one more of probability `further` if that is not 0.
fn world(x: &[f64], seed: Seed, further: f64) -> Option<World> {
    let mut probs = first_and_equal_others(x[0], x[1])?;
    probs.extend(Some(further).filter(|p| *p > 0.0));
    super::setting::bandit(&probs, seed)
}

fn coins(x: &[f64]) -> Option<Ready> {
    let mut recipe = recipe("random", "pg", |c| (c.train.learning_rate, c.signal.random_rate) = (x[2], x[4]));
    recipe.config.train.group_size = small(x[3], 65_536.0)?;
    Some(recipe)
}

/// One sampled step of signed coins on two arms.
pub(super) static P12: Simulation = Simulation {
    proposition: "P12",
    setup: "one sampled update of two rollouts, random +1 or -1, step size sqrt(2 kappa); no linear update, and no wait for an exit",
    tolerance: 0.0,
    measures: &[sampled("logit_variance", |x, seed| {
        let recipe = recipe("random", "pg", |c| {
            signed(c);
            (c.train.group_size, c.train.learning_rate) = (2, (2.0 * x[1]).sqrt());
        });
        Some(change(&two_arms(x[0], seed)?, &recipe, log_ratio).powi(2))
    })],
};

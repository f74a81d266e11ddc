//! P24: the likeliest of several draws.

use super::setting::{bandit, small, three_arms};
use super::{Simulation, sampled};
use crate::policy::{Policy, SoftmaxPolicy};
use crate::rollout::Token;
use crate::stream::{Purpose, Seed};

/// One group per replicate.
pub(super) static P24: Simulation = Simulation {
    proposition: "P24",
    setup: "one sampled group of the base policy: whether its likeliest rollout is right (of equals, the last drawn), and \
            whether any is",
    tolerance: 0.0,
    measures: &[
        sampled("self_rewarded", |x, seed| {
            let rollouts = draws(x, seed)?;
            let best = rollouts.iter().max_by(|a, b| a.0.logprob.total_cmp(&b.0.logprob))?;
            Some(f64::from(best.1))
        }),
        sampled("verified", |x, seed| Some(f64::from(draws(x, seed)?.iter().any(|(_, correct)| *correct)))),
    ],
};

/// Rollouts of one token, and whether each is right.
fn draws(x: &[f64], seed: Seed) -> Option<Vec<(Token, bool)>> {
    let world = bandit(&three_arms(x[0], x[1]), seed)?;
    let base = SoftmaxPolicy::new(&world.task, &world.base, 0.0);
    let paths = base.sample(&[(0, seed.stream(Purpose::Rollout, 0, 0))], small(x[2], 65_536.0)?).swap_remove(0);
    let judged = |path: Vec<Token>| (path[0], world.task.judge(0, path.iter().map(|t| t.id)).correct);
    Some(paths.into_iter().map(judged).collect())
}

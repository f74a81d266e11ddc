//! What simulations share: small worlds, bare recipes, and what one run did to the policy.

use crate::cell::train_in;
use crate::config::Config;
use crate::measure::summary;
use crate::policy::SoftmaxPolicy;
use crate::recipe::Ready;
use crate::registry::find;
use crate::rules::RULES;
use crate::run::StepStats;
use crate::signals::SIGNALS;
use crate::stream::Seed;
use crate::world::World;

/// The seed of worlds in which nothing is drawn.
pub(super) const UNUSED: Seed = Seed(0);

/// Most arms of a bandit, so that a step takes microseconds.
const MAX_ARMS: f64 = 1024.0;

/// A bandit whose first arm is right and all others wrong; `None` unless every arm has some probability and all together 1.
pub(super) fn bandit(probs: &[f64], seed: Seed) -> Option<World> {
    let right: Vec<bool> = (0..probs.len()).map(|i| i == 0).collect();
    bandit_with(probs, &right, seed)
}

/// A bandit with any right arms.
pub(super) fn bandit_with(probs: &[f64], right: &[bool], seed: Seed) -> Option<World> {
    let whole = (probs.iter().sum::<f64>() - 1.0).abs() < 1e-9;
    (whole && probs.iter().all(|p| *p > 0.0)).then(|| World::bandit(probs, right, seed))
}

/// Two arms, the first right.
pub(super) fn two_arms(p: f64, seed: Seed) -> Option<World> {
    bandit(&[p, 1.0 - p], seed)
}

/// Two arms whose logits differ by `u`, the first right.
pub(super) fn two_arms_at(u: f64, seed: Seed) -> World {
    let logits = ndarray::Array3::from_shape_fn((1, 1, 2), |(_, _, v)| if v == 0 { u } else { 0.0 });
    let right = ndarray::Array3::from_shape_fn((1, 1, 2), |(_, _, v)| v == 0);
    World::explicit(logits, right, 1, seed)
}

/// Three arms: `first`, `second` and the rest.
pub(super) fn three_arms(first: f64, second: f64) -> [f64; 3] {
    [first, second, 1.0 - first - second]
}

/// `p`, and what is left shared equally by `arms - 1` others; `None` for more arms than a step in microseconds allows.
pub(super) fn first_and_equal_others(p: f64, arms: f64) -> Option<Vec<f64>> {
    let others = (1.0 - p) / (arms - 1.0);
    (arms <= MAX_ARMS).then(|| (0..arms as usize).map(|i| if i == 0 { p } else { others }).collect())
}

/// Signal and rule of the registry on one tabular prompt: no sharing, one group and one update per step, no floor under standard deviations.
pub(super) fn recipe(signal: &str, rule: &str, set: impl FnOnce(&mut Config)) -> Ready {
    let signal = find("signal", SIGNALS, signal).expect("simulations name signals that exist: tested");
    let rule = find("rule", RULES, rule).expect("simulations name rules that exist: tested");
    let mut ready = Ready::new("against", signal, rule);
    let config = &mut ready.config;
    (config.policy.sharing, config.objective.std_floor) = (0.0, 0.0);
    (config.train.steps, config.train.train_batch_size) = (1, 1);
    set(config);
    ready
}

/// Advantages +1 and -1, whatever the group.
pub(super) fn signed(config: &mut Config) {
    use crate::config::{Baseline, RewardMap, Scale};
    let rule = &mut config.objective;
    (rule.reward_map, rule.baseline, rule.scale) = (RewardMap::Signed, Baseline::None, Scale::None);
}

/// Chance of a right response to the first prompt.
pub(super) fn accuracy(world: &World, policy: &SoftmaxPolicy) -> f64 {
    summary(policy, &world.task, 0).success
}

/// Probability of an arm.
pub(super) fn prob(policy: &SoftmaxPolicy, arm: usize) -> f64 {
    policy.first(0).probs[arm]
}

/// Log-ratio of the first arm to the second, nats.
pub(super) fn log_ratio(policy: &SoftmaxPolicy) -> f64 {
    log_ratio_at(policy, 0)
}

/// The same on any prompt.
pub(super) fn log_ratio_at(policy: &SoftmaxPolicy, prompt: usize) -> f64 {
    let choice = policy.first(prompt);
    choice.logprobs[0] - choice.logprobs[1]
}

/// `read` of the base model and of the policy after the last step.
pub(super) fn before_and_after<T>(world: &World, recipe: &Ready, read: impl Fn(&SoftmaxPolicy) -> T) -> (T, T) {
    let (mut first, mut last) = (None, None);
    train_in(world, recipe, &mut |step, policy, _| match step {
        0 => first = Some(read(policy)),
        _ if step == recipe.config.train.steps => last = Some(read(policy)),
        _ => {}
    });
    (first.expect("the base model is shown"), last.expect("there is a step"))
}

/// By how much `read` changes in the run.
pub(super) fn change(world: &World, recipe: &Ready, read: impl Fn(&SoftmaxPolicy) -> f64) -> f64 {
    let (before, after) = before_and_after(world, recipe, read);
    after - before
}

/// By how much the logit of the first arm moves. A Euclidean step moves logits by amounts that sum to 0, so they can be read off log-probabilities.
pub(super) fn first_logit_move(world: &World, recipe: &Ready) -> f64 {
    change(world, recipe, |policy| {
        let logprobs = policy.first(0).logprobs;
        logprobs[0] - logprobs.iter().sum::<f64>() / logprobs.len() as f64
    })
}

/// What each step reported.
pub(super) fn reports(world: &World, recipe: &Ready) -> Vec<StepStats> {
    let mut all = Vec::new();
    train_in(world, recipe, &mut |_, _, stats| all.extend(stats.copied()));
    all
}

/// Factor on the gradient of accuracy in one sampled update of one group on a bandit whose first arm is right: the first logit's move over `p (1 - p)`.
pub(super) fn gradient_weight(world: &World, mut recipe: Ready, group: f64) -> Option<f64> {
    let p = accuracy(world, &SoftmaxPolicy::new(&world.task, &world.base, 0.0));
    recipe.config.train.group_size = small(group, 65_536.0)?;
    Some(first_logit_move(world, &recipe) / (p * (1.0 - p)))
}

/// A count that is whole and no larger than `most`.
pub(super) fn small(count: f64, most: f64) -> Option<usize> {
    (count <= most && count.fract() == 0.0).then_some(count as usize)
}

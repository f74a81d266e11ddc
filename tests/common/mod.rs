//! What the test files share: random groups and batches, small worlds, and plain statistics.
#![allow(dead_code)] // each test file uses its own part

use mta_sim::sims::config::{Baseline, Config, World as WorldSettings};
use mta_sim::sims::objective::shape;
use mta_sim::sims::paid::Paid;
use mta_sim::sims::reward::{Dice, pay};
use mta_sim::sims::rollout::{Group, Label, Rollout, Token};
use mta_sim::sims::rules::{RULES, Rule};
use mta_sim::sims::signals::{SIGNALS, Signal};
use mta_sim::sims::stream::{Purpose, Seed};
use proptest::collection::vec;
use proptest::prelude::*;

/// A token with made-up scores.
pub fn token() -> impl Strategy<Value = Token> {
    let scores = (-4.0..-0.05f64, -4.0..-0.05f64, 0.0..1.6f64, 1.6..4.0f64);
    (0..5u32, scores).prop_map(|(id, (logprob, ref_logprob, entropy, certainty))| Token { id, logprob, ref_logprob, entropy, certainty })
}

/// A response with made-up answer and verdict, not yet weighed.
pub fn rollout() -> impl Strategy<Value = Rollout> {
    let verdict = (0..3u128, any::<bool>(), any::<bool>());
    (vec(token(), 1..=4), verdict).prop_map(|(tokens, (answer, correct, formatted))| Rollout {
        tokens,
        weight: 0.0,
        vote: 0.0,
        answer,
        correct,
        formatted,
    })
}

/// A label, with or without a wrong answer.
pub fn label() -> impl Strategy<Value = Label> {
    (0.01..0.99f64, proptest::option::of(0..3u128)).prop_map(|(luck, wrong)| Label { luck, wrong })
}

/// A group of `size` sampled rollouts.
pub fn group(size: usize) -> impl Strategy<Value = Group> {
    (vec(rollout(), size), label()).prop_map(move |(rollouts, label)| {
        let share = 1.0 / size as f64;
        let rollouts = rollouts.into_iter().map(|r| Rollout { weight: share, vote: share, ..r }).collect();
        Group { prompt: 0, rollouts, size: Some(size), label }
    })
}

/// One to four groups of equal size, one per prompt, and for each a greedy response.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The groups.
    pub groups: Vec<Group>,
    /// The greedy response to each prompt.
    pub greedy: Vec<Rollout>,
    /// An order of a group's rollouts.
    pub order: Vec<usize>,
    /// Seed of the dice.
    pub seed: u64,
    /// A number per rollout, for rewards that no signal pays.
    pub rewards: Vec<f64>,
}

/// Most rollouts of a random group, and most groups of a batch.
const MOST: (usize, usize) = (6, 4);

/// Random batches; rewards are 0/1 in half of them, real numbers in the rest.
pub fn batch() -> impl Strategy<Value = Batch> {
    let sizes = (2..=MOST.0, 1..=MOST.1);
    sizes.prop_flat_map(|(size, count)| {
        let order = Just((0..size).collect::<Vec<_>>()).prop_shuffle();
        (vec(group(size), count), vec(rollout(), count), order, any::<u64>(), rewards(MOST.1 * (MOST.0 + 1))).prop_map(
            |(mut groups, greedy, order, seed, rewards)| {
                groups.iter_mut().enumerate().for_each(|(i, g)| g.prompt = i);
                Batch { groups, greedy, order, seed, rewards }
            },
        )
    })
}

fn rewards(count: usize) -> impl Strategy<Value = Vec<f64>> {
    let coin = any::<bool>().prop_map(f64::from);
    prop_oneof![vec(coin, count), vec(-2.0..2.0f64, count)]
}

impl Batch {
    /// The groups as the loop would hand them to `rule`: with the greedy response last where the rule compares with it.
    pub fn groups_for(&self, rule: &Rule) -> Vec<Group> {
        let mut groups = self.groups.clone();
        if rule.objective.baseline == Baseline::Greedy {
            groups.iter_mut().zip(&self.greedy).for_each(|(g, r)| g.rollouts.push(r.clone()));
        }
        groups
    }

    /// The groups as `signal` pays them, shaped by `rule`.
    pub fn paid(&self, signal: &Signal, rule: &Rule) -> Vec<Paid> {
        let pay = |(slot, group)| pay(signal, &Config::DEFAULT.signal, group, &mut dice(self.seed, slot));
        self.groups_for(rule).into_iter().enumerate().map(pay).map(|paid| shape(&rule.objective, paid)).collect()
    }

    /// The groups with the batch's own made-up rewards, not shaped.
    pub fn rewarded(&self, rule: &Rule) -> Vec<Paid> {
        let mut rewards = self.rewards.iter().copied();
        let reward = |group: Group| {
            let rewards = rewards.by_ref().take(group.rollouts.len()).collect();
            Paid { group, rewards }
        };
        self.groups_for(rule).into_iter().map(reward).collect()
    }
}

/// The dice of one group.
pub fn dice(seed: u64, slot: usize) -> Dice {
    let stream = |purpose| Seed(seed).stream(purpose, 0, slot);
    Dice { coins: stream(Purpose::Reward), shuffle: stream(Purpose::Shuffle) }
}

/// Every signal with every rule.
pub fn all_pairs() -> impl Iterator<Item = (&'static Signal, &'static Rule)> {
    SIGNALS.iter().flat_map(|s| RULES.iter().map(move |r| (*s, *r)))
}

/// The rule called `name`.
pub fn rule(name: &str) -> &'static Rule {
    mta_sim::sims::registry::find("rule", RULES, name).unwrap()
}

/// The signal called `name`.
pub fn signal(name: &str) -> &'static Signal {
    mta_sim::sims::registry::find("signal", SIGNALS, name).unwrap()
}

/// `xs` in the order given for its first entries; the rest stays.
pub fn reordered<T: Clone>(xs: &[T], order: &[usize]) -> Vec<T> {
    (0..xs.len()).map(|i| xs[order.get(i).copied().unwrap_or(i)].clone()).collect()
}

/// Whether two numbers agree to `tolerance`, relative where they are large.
pub fn close(x: f64, y: f64, tolerance: f64) -> bool {
    x == y || (x - y).abs() <= tolerance * (1.0 + x.abs().max(y.abs()))
}

/// Arithmetic mean.
pub fn mean(xs: &[f64]) -> f64 {
    xs.iter().sum::<f64>() / xs.len() as f64
}

/// Standard deviation with divisor n - `ddof`.
pub fn std(xs: &[f64], ddof: usize) -> f64 {
    let m = mean(xs);
    (xs.iter().map(|x| (x - m).powi(2)).sum::<f64>() / (xs.len() - ddof) as f64).sqrt()
}

/// A world small enough to enumerate: `vocab` tokens, `depth` deep, three training and two held-out prompts.
pub fn small_world(vocab: usize, depth: usize, end_token: bool) -> WorldSettings {
    WorldSettings { vocab, depth, end_token, prompts: 3, held_out: 2, good_tokens: 1, bad_quality: 0.3, ..WorldSettings::DEFAULT }
}

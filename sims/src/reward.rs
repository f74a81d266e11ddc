//! Paying a group: the coins of a signal are tossed when rollouts are sampled, and split into their outcomes when all responses are enumerated.

use crate::config::Signals;
use crate::paid::Paid;
use crate::rollout::{Group, Rollout};
use crate::signals::{Pay, Signal};
use crate::stream::Stream;
use rand::Rng;

/// The streams a reward may draw from.
#[derive(Clone, Debug)]
pub struct Dice {
    /// One uniform per rollout.
    pub coins: Stream,
    /// The order of a shuffle.
    pub shuffle: Stream,
}

/// What every rollout of `group` earns from `signal`.
pub fn pay(signal: &Signal, params: &Signals, group: Group, dice: &mut Dice) -> Paid {
    let pays = signal.pay(&group, params);
    if group.size.is_none() {
        return expand(&group, &pays);
    }
    let mut rewards: Vec<f64> = pays.iter().enumerate().map(|(i, pay)| toss(*pay, dice.coins.uniform(i as u64))).collect();
    if signal.shuffles {
        shuffle(&mut rewards, &mut dice.shuffle);
    }
    Paid { group, rewards }
}

fn toss(pay: Pay, uniform: f64) -> f64 {
    match pay {
        Pay::Value(reward) => reward,
        Pay::Coin(chance) => f64::from(uniform < chance),
    }
}

/// Every response with a coin becomes two, one per outcome, sharing its weight: the population of (response, reward) pairs. A response without weight is a
/// baseline, and earns what its coin pays in the mean.
fn expand(group: &Group, pays: &[Pay]) -> Paid {
    let mut paid =
        Paid { group: Group { rollouts: Vec::new(), prompt: group.prompt, size: group.size, label: group.label }, rewards: Vec::new() };
    let mut add = |rollout: &Rollout, share: f64, reward: f64| {
        paid.group.rollouts.push(Rollout { weight: rollout.weight * share, vote: rollout.vote * share, ..rollout.clone() });
        paid.rewards.push(reward);
    };
    for (rollout, pay) in group.rollouts.iter().zip(pays) {
        match *pay {
            Pay::Value(reward) => add(rollout, 1.0, reward),
            Pay::Coin(chance) if rollout.weight == 0.0 => add(rollout, 1.0, chance),
            Pay::Coin(chance) => {
                add(rollout, chance, 1.0);
                add(rollout, 1.0 - chance, 0.0);
            }
        }
    }
    paid
}

/// Fisher-Yates.
pub(crate) fn shuffle<T>(rewards: &mut [T], stream: &mut Stream) {
    for last in (1..rewards.len()).rev() {
        rewards.swap(last, stream.random_range(0..=last));
    }
}

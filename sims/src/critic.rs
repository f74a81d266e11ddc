//! A tabular critic: one value per prompt and position, for PPO's advantages.

use crate::config::Objective;
use crate::paid::Paid;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Values V[x, t], 0 where never trained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Critic {
    #[serde(with = "pairs")]
    values: HashMap<(usize, usize), f64>,
}

impl Critic {
    fn value(&self, prompt: usize, position: usize) -> f64 {
        self.values.get(&(prompt, position)).copied().unwrap_or(0.0)
    }

    /// Generalised advantage estimates of a response of `length` tokens that earns `reward` at its end.
    ///
    /// ```text
    /// delta_t = r_t + gamma V_{t+1} - V_t        A_t = delta_t + gamma lambda A_{t+1}
    /// ```
    ///
    /// # Source
    /// Schulman et al., arXiv 1506.02438, equation 16.
    pub fn advantages(&self, rule: &Objective, prompt: usize, length: usize, reward: f64) -> Vec<f64> {
        let (mut next_value, mut next, mut all) = (0.0, 0.0, vec![0.0; length]);
        for t in (0..length).rev() {
            let earned = if t + 1 == length { reward } else { 0.0 };
            let value = self.value(prompt, t);
            next = earned + rule.gamma * next_value - value + rule.gamma * rule.gae_lambda * next;
            (all[t], next_value) = (next, value);
        }
        all
    }

    /// Moves each value a step toward the mean discounted return seen there.
    pub fn learn(&mut self, rule: &Objective, batch: &[Paid]) {
        let mut sums: HashMap<(usize, usize), (f64, f64)> = HashMap::new();
        for paid in batch {
            for (rollout, reward) in paid.group.rollouts.iter().zip(&paid.rewards) {
                for t in 0..rollout.length() {
                    let sum = sums.entry((paid.group.prompt, t)).or_default();
                    sum.0 += rollout.weight;
                    sum.1 += rollout.weight * reward * rule.gamma.powi((rollout.length() - 1 - t) as i32);
                }
            }
        }
        for (at, (weight, total)) in sums.into_iter().filter(|(_, (weight, _))| *weight > 0.0) {
            let value = self.values.entry(at).or_insert(0.0);
            *value += rule.critic_learning_rate * (total / weight - *value);
        }
    }
}

/// As a list of ((prompt, position), value): JSON has no keys but text.
mod pairs {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::collections::{BTreeMap, HashMap};

    type Values = HashMap<(usize, usize), f64>;

    pub(super) fn serialize<S: Serializer>(values: &Values, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().collect::<BTreeMap<_, _>>())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Values, D::Error> {
        Ok(Vec::<((usize, usize), f64)>::deserialize(deserializer)?.into_iter().collect())
    }
}

//! Signals: what pays. One file each; adding one is a file, a `mod` line and a line in [`SIGNALS`].
//!
//! A signal is a pure function of a group: it says what each rollout earns, either as a number or as the probability of a coin. The loop tosses the coins,
//! from the stream when rollouts are sampled, by splitting a response into its two outcomes when all responses are enumerated. So a signal is written once and
//! holds for every engine.

use crate::config::Signals;
use crate::registry::{Entry, Named};
use crate::rollout::{Group, Rollout};

mod constant;
mod empo;
mod entropy_min_tok;
mod format;
mod ground_truth;
mod incorrect;
mod incorrect_format;
mod incorrect_label;
mod label_noise;
mod log_policy;
mod log_prior;
mod log_prior_mean;
mod logprob_mean;
mod majority;
mod noisy;
mod none;
mod pass_at_k;
mod random;
mod random_format;
mod rent;
mod self_certainty;
mod shuffled;
mod task_plus_prior;
mod tempered;
mod tilted;

/// Every signal: the truth and its distortions, then what knows no truth, then the controls.
pub static SIGNALS: &[&Signal] = &[
    &ground_truth::SIGNAL,
    &noisy::SIGNAL,
    &label_noise::SIGNAL,
    &pass_at_k::SIGNAL,
    &tilted::SIGNAL,
    &task_plus_prior::SIGNAL,
    &incorrect::SIGNAL,
    &incorrect_format::SIGNAL,
    &incorrect_label::SIGNAL,
    &random::SIGNAL,
    &random_format::SIGNAL,
    &format::SIGNAL,
    &majority::SIGNAL,
    &empo::SIGNAL,
    &self_certainty::SIGNAL,
    &rent::SIGNAL,
    &entropy_min_tok::SIGNAL,
    &log_policy::SIGNAL,
    &logprob_mean::SIGNAL,
    &log_prior::SIGNAL,
    &log_prior_mean::SIGNAL,
    &tempered::SIGNAL,
    &constant::SIGNAL,
    &none::SIGNAL,
    &shuffled::SIGNAL,
];

/// A reward signal.
pub struct Signal {
    /// Name, meaning, formula and source.
    pub entry: Entry,
    /// Whether it never looks at the truth of a rollout.
    pub label_free: bool,
    /// The knobs it uses.
    pub params: &'static [&'static str],
    /// Whether sampled rewards change places at random inside the group.
    pub shuffles: bool,
    /// What each rollout of the group earns.
    pub pay: fn(&Group, &Signals) -> Vec<Pay>,
}

impl Signal {
    /// Whether it looks at the base model's log-probabilities.
    pub fn reads_reference(&self) -> bool {
        ["log_prior", "log_prior_mean", "tempered", "tilted", "task_plus_prior"].contains(&self.entry.name)
    }
}

/// What a rollout earns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pay {
    /// This much.
    Value(f64),
    /// 1 with this probability, else 0.
    Coin(f64),
}

impl Named for Signal {
    fn entry(&self) -> &Entry {
        &self.entry
    }
}

/// A deterministic reward for each rollout.
fn value(group: &Group, reward: impl Fn(&Rollout) -> f64) -> Vec<Pay> {
    group.rollouts.iter().map(|r| Pay::Value(reward(r))).collect()
}

/// A coin for each rollout, with the probability of heads.
fn coin(group: &Group, chance: impl Fn(&Rollout) -> f64) -> Vec<Pay> {
    group.rollouts.iter().map(|r| Pay::Coin(chance(r))).collect()
}

/// 1 where `holds`, else 0.
fn indicator(group: &Group, holds: impl Fn(&Rollout) -> bool) -> Vec<Pay> {
    value(group, |r| f64::from(holds(r)))
}

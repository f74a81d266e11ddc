//! What a run reports: one snapshot per evaluated step, and the list of metrics every table is made of.

use crate::measure::{Measured, PASS_KS};
use crate::run::StepStats;
use serde::{Deserialize, Serialize};

/// The policy after `step` updates.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Updates done.
    pub step: usize,
    /// On held-out prompts.
    pub held_out: Measured,
    /// On training prompts.
    pub train: Measured,
    /// What the step that led here did; none before the first.
    pub stats: Option<StepStats>,
}

/// Reads a number off a snapshot.
pub type Reader = Box<dyn Fn(&Snapshot) -> Option<f64> + Send + Sync>;

/// A number in every table.
pub struct Metric {
    /// Column name, as TRL or verl have it where they have one.
    pub name: String,
    /// Meaning and unit.
    pub doc: &'static str,
    /// Reads it; missing where it does not apply.
    pub get: Reader,
}

/// One finished cell: the metrics of [`metrics`] at each evaluated step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    /// Alignment knob of the base model (found by bisection where the setting was a base pass@k).
    pub alignment: f64,
    /// Prompts trained on, where the data regime chose some.
    pub chosen: Vec<usize>,
    /// Evaluated steps, the first being 0.
    pub steps: Vec<usize>,
    /// `[metric][evaluation]`.
    pub values: Vec<Vec<Option<f64>>>,
}

/// Number of metrics.
pub const METRICS: usize = PASS_KS.len() + FIXED.len();

/// All metrics, in column order.
pub fn metrics() -> Vec<Metric> {
    let mut all = Vec::new();
    let mut add = |name: String, doc, get: Reader| all.push(Metric { name, doc, get });
    for (i, k) in PASS_KS.iter().enumerate() {
        add(
            format!("held_out/pass@{k}"),
            "mean over held-out prompts of the chance that one of k responses is correct",
            Box::new(move |s| Some(s.held_out.pass_at[i])),
        );
    }
    for (name, doc, get) in FIXED {
        add(name.to_string(), doc, Box::new(get));
    }
    all
}

type Getter = fn(&Snapshot) -> Option<f64>;

const FIXED: [(&str, &str, Getter); 19] = [
    ("held_out/mode_accuracy", "share of held-out prompts whose most likely response is correct (maj@infinity)", |s| {
        Some(s.held_out.mode_accuracy)
    }),
    ("held_out/cov_correct_logprob", "mean covariance of correctness and log-probability on held-out prompts, nats", |s| {
        Some(s.held_out.covariance)
    }),
    ("held_out/entropy", "mean entropy of responses on held-out prompts, nats", |s| Some(s.held_out.entropy)),
    ("held_out/kl", "mean KL divergence from the base model on held-out prompts, nats", |s| Some(s.held_out.kl)),
    ("held_out/mean_length", "mean number of tokens on held-out prompts", |s| Some(s.held_out.mean_length)),
    ("train/pass@1", "mean chance of a correct response on training prompts", |s| Some(s.train.pass_at[0])),
    ("train/mode_accuracy", "share of training prompts whose most likely response is correct", |s| Some(s.train.mode_accuracy)),
    ("train/entropy", "mean entropy of responses on training prompts, nats", |s| Some(s.train.entropy)),
    ("kl", "mean KL divergence from the base model on training prompts, nats (TRL: kl)", |s| Some(s.train.kl)),
    ("reward", "mean reward of the step's rollouts (TRL: reward)", |s| s.stats.map(|t| t.reward)),
    ("reward_std", "mean over groups of the standard deviation of rewards (TRL: reward_std)", |s| s.stats.map(|t| t.reward_std)),
    ("frac_reward_zero_std", "share of groups whose rewards are all equal (TRL: frac_reward_zero_std)", |s| {
        s.stats.map(|t| t.frac_reward_zero_std)
    }),
    ("reward_accuracy", "share of rollouts whose reward agrees with the truth (TTRL: reward_accuracy)", |s| {
        s.stats.map(|t| t.reward_accuracy)
    }),
    ("entropy", "mean token entropy of the step's rollouts, nats (TRL: entropy)", |s| s.stats.map(|t| t.entropy)),
    ("completions/mean_length", "mean number of tokens of the step's rollouts (TRL: completions/mean_length)", |s| {
        s.stats.map(|t| t.mean_length)
    }),
    ("clip_ratio/low_mean", "share of tokens cut at 1 - clip_low (TRL: clip_ratio/low_mean); empty without a ratio", |s| {
        clipped(s, |c| c.low)
    }),
    ("clip_ratio/high_mean", "share of tokens cut at 1 + clip_high (TRL: clip_ratio/high_mean); empty without a ratio", |s| {
        clipped(s, |c| c.high)
    }),
    ("rollouts", "rollouts sampled in the step", |s| s.stats.map(|t| t.rollouts)),
    ("wasted_rollouts", "of these, dropped or without signal", |s| s.stats.map(|t| t.wasted)),
];

fn clipped(snapshot: &Snapshot, part: fn(&crate::objective::Clipped) -> f64) -> Option<f64> {
    let clipped = snapshot.stats?.clipped;
    (clipped.tokens > 0.0).then(|| part(&clipped) / clipped.tokens)
}

impl Curves {
    /// The curves of a run's snapshots.
    pub fn of(alignment: f64, chosen: Vec<usize>, snapshots: &[Snapshot]) -> Self {
        let values = metrics().iter().map(|m| snapshots.iter().map(|s| (m.get)(s).filter(|x| x.is_finite())).collect()).collect();
        Curves { alignment, chosen, steps: snapshots.iter().map(|s| s.step).collect(), values }
    }

    /// Whether there is a number, or none, for each metric at each evaluated step, the base model being one: what was read from a file may be of another
    /// version.
    pub fn is_whole(&self) -> bool {
        !self.steps.is_empty() && self.values.len() == METRICS && self.values.iter().all(|values| values.len() == self.steps.len())
    }
}

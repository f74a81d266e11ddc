//! A world: a task and a base model that is aligned with it as far as the knob says.

use crate::config::{AlignBy, World as Settings};
use crate::knob::KnobError;
use crate::leaves::Leaves;
use crate::measure;
use crate::policy::SoftmaxPolicy;
use crate::prior::Prior;
use crate::stream::Seed;
use crate::task::Task;
use ndarray::{Array2, Array3, Axis};

/// Task, base model, and where the alignment knob ended up.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    /// What is right.
    pub task: Task,
    /// What the base model believes.
    pub base: Prior,
    /// The alignment knob of `base`: the setting itself, or what bisection found; NaN where the prior was given.
    pub alignment: f64,
    /// The seed it was drawn from.
    pub seed: Seed,
}

/// Halvings of the bisection: the knob is found to 2^-40.
const HALVINGS: usize = 40;

impl World {
    /// Draws the world of `seed`.
    ///
    /// # Errors
    /// When the settings leave no world, or ask for a base pass@k that no alignment reaches.
    pub fn new(settings: &Settings, seed: Seed) -> Result<Self, KnobError> {
        let task = Task::new(settings, seed)?;
        let alignment = match settings.align_by {
            AlignBy::Knob => settings.alignment,
            AlignBy::PassAt(k) => solve_alignment(&task, seed, k)?,
        };
        let base = Prior::new(&task, seed, alignment, settings.confidence);
        Ok(World { task, base, alignment, seed })
    }

    /// A world whose logits (nats, up to a constant per row) and truth are given, both `[P + P', H, V]`; the first `prompts` prompts are trained on.
    ///
    /// # Panics
    /// When the shapes differ or are empty; see [`Task::explicit`].
    pub fn explicit(logits: Array3<f64>, right: Array3<bool>, prompts: usize, seed: Seed) -> Self {
        assert_eq!(logits.dim(), right.dim(), "logits and truth must have one shape");
        World { task: Task::explicit(right, prompts, seed), base: Prior::explicit(logits), alignment: f64::NAN, seed }
    }

    /// The bandit of theory: one training prompt, arms of given probabilities, some of them right.
    ///
    /// # Example
    /// ```
    /// use mta_sims::{policy::SoftmaxPolicy, stream::Seed, world::World};
    /// let world = World::bandit(&[0.2, 0.3, 0.5], &[true, false, false], Seed(1));
    /// let probs = SoftmaxPolicy::new(&world.task, &world.base, 0.0).first(0).probs;
    /// assert!((probs[0] - 0.2).abs() < 1e-15 && (probs[2] - 0.5).abs() < 1e-15);
    /// ```
    pub fn bandit(probs: &[f64], right: &[bool], seed: Seed) -> Self {
        let shape = (1, 1, probs.len());
        World::explicit(
            Array3::from_shape_fn(shape, |(_, _, v)| probs[v].ln()),
            Array3::from_shape_fn(shape, |(_, _, v)| right[v]),
            1,
            seed,
        )
    }

    /// One training prompt whose right responses are listed: `logits` (nats, up to a constant per row) are `[H, V]`, `right` has an entry for each of the V^H
    /// responses, the first token being the most significant digit.
    ///
    /// # Panics
    /// When `right` is not that long, or longer than [`crate::leaves::MAX_LEAVES`].
    ///
    /// # Example
    /// A tree of two tokens with one right response of four:
    /// ```
    /// use mta_sims::{measure::summary, policy::SoftmaxPolicy, stream::Seed, world::World};
    /// let world = World::listed(ndarray::Array2::zeros((2, 2)), &[false, true, false, false], Seed(1));
    /// let policy = SoftmaxPolicy::new(&world.task, &world.base, 0.0);
    /// assert_eq!(summary(&policy, &world.task, 0).success, 0.25);
    /// ```
    pub fn listed(logits: Array2<f64>, right: &[bool], seed: Seed) -> Self {
        let (depth, vocab) = logits.dim();
        let base = Prior::explicit(logits.insert_axis(Axis(0)));
        let probs: Vec<Vec<f64>> = (0..depth).map(|h| base.row(0, h).iter().map(|l| l.exp()).collect()).collect();
        let task = Task::explicit(Array3::from_elem((1, depth, vocab), true), 1, seed);
        World { task: task.listed(Leaves::new(right, &probs), seed), base, alignment: f64::NAN, seed }
    }

    /// Indices of the training prompts.
    pub fn training(&self) -> std::ops::Range<usize> {
        0..self.task.settings.prompts
    }

    /// Indices of the held-out prompts.
    pub fn held_out(&self) -> std::ops::Range<usize> {
        self.task.settings.prompts..self.task.settings.all_prompts()
    }
}

/// The alignment at which held-out base pass@k equals the target in `task.settings.alignment`.
fn solve_alignment(task: &Task, seed: Seed, k: u64) -> Result<f64, KnobError> {
    let target = task.settings.alignment;
    let reached = |a: f64| base_pass_at(task, seed, a, k);
    let (worst, best) = (reached(-1.0), reached(1.0));
    if !(worst..=best).contains(&target) {
        let allowed = format!("base pass@{k} of seed {} can be set between {worst:.4} and {best:.4}", seed.0);
        return Err(KnobError::new("alignment", target, allowed));
    }
    let (mut low, mut high) = (-1.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if reached(middle) < target { low = middle } else { high = middle }
    }
    Ok(0.5 * (low + high))
}

fn base_pass_at(task: &Task, seed: Seed, alignment: f64, k: u64) -> f64 {
    let base = Prior::new(task, seed, alignment, task.settings.confidence);
    let policy = SoftmaxPolicy::new(task, &base, 0.0);
    let held_out = task.settings.prompts..task.settings.all_prompts();
    let chances: Vec<f64> = held_out.map(|x| measure::summary(&policy, task, x).success).collect();
    mta_theory::pass_at_k::mean_pass_at_k(&chances, k as f64)
}

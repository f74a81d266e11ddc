//! What cells of one block must share, and what the engine runs.

use super::block::Uses;
use super::lanes::ROW;
use crate::cell::Cell;
use crate::config::{self, Baseline, Config, Geometry, KNOBS, Mode, Regime, Sampler, Scale};
use crate::knob::{Kind, KnobError};
use crate::recipe::Ready;
use std::ops::Range;

/// Entries of a table that a gather can address.
const MAX_ENTRIES: usize = 1 << 25;
/// Weights that a step of trees keeps.
const MAX_STEP_ENTRIES: usize = 1 << 23;
/// Private logits of one replica at one depth.
const MAX_REMEMBERED: usize = 1 << 25;

/// Whether the engine runs cells of this recipe.
///
/// # Errors
/// Names the first knob that asks for what only the reference loop does, and what this engine does instead.
pub fn supports(recipe: &Ready) -> Result<(), KnobError> {
    let c = &recipe.config;
    require(c.world.depth == 1 || c.train.mode == Mode::Sampled, "mode", c.train.mode.name(), "must be sampled at a depth above 1")?;
    require(c.data.sampler == Sampler::Policy, "sampler", c.data.sampler.name(), "must be policy")?;
    let o = &c.objective;
    require(o.baseline != Baseline::Critic, "baseline", o.baseline.name(), "must not be critic")?;
    require(o.scale != Scale::BetaDensity, "scale", o.scale.name(), "must not be beta_density")?;
    // divided by a standard deviation that vanishes with the last wrong response, natural gradients leave the range of f32
    let natural_std = o.geometry == Geometry::Natural && o.scale != Scale::None;
    require(!natural_std, "scale", o.scale.name(), "must be none for a natural gradient")?;
    require(!o.dynamic_sampling, "dynamic_sampling", true, "must be false")?;
    let shape = Shape::of(recipe);
    let entries = shape.prompts.saturating_mul(shape.depth * shape.stride);
    require(entries <= MAX_ENTRIES, "vocab", c.world.vocab, "times depth and all prompts must be at most 2^25")?;
    if shape.is_tree() { supports_tree(c, &shape) } else { Ok(()) }
}

/// Whether the tables of a tree are of a size the engine can hold.
fn supports_tree(c: &Config, shape: &Shape) -> Result<(), KnobError> {
    let step = shape.places().saturating_mul(shape.stride);
    let allowed = "times rollouts, depth and vocab must be at most 2^23";
    require(step <= MAX_STEP_ENTRIES, "train_batch_size", c.train.train_batch_size, allowed)?;
    let visits = (c.train.steps as f64) * (shape.batch * shape.group) as f64;
    let remembered = visits.min(shape.domain.len() as f64 * (shape.arms as f64).powi(shape.depth as i32 - 1)) * shape.stride as f64;
    let allowed = "times rollouts and vocab must be at most 2^25";
    require(remembered <= MAX_REMEMBERED as f64, "steps", c.train.steps, allowed)
}

fn require(holds: bool, knob: &str, value: impl std::fmt::Display, allowed: &str) -> Result<(), KnobError> {
    config::require(holds, knob, value, format!("{allowed} in the batched engine"))
}

/// What the cells of one block have in common, as text: signal, all knobs that are not real numbers, and what those that are ask for, so that no cell runs what
/// only its neighbours need.
pub(super) fn key(cell: &Cell) -> String {
    let config = &cell.recipe.config;
    let knobs = KNOBS.iter().filter(|k| !matches!((k.kind)(), Kind::Real(_)));
    let lines: String = knobs.map(|k| format!("{} = {}\n", k.name, (k.get)(config))).collect();
    format!("signal = {}\n{:?}\n{lines}", cell.recipe.signal.entry.name, Uses::asked_by(&[&cell.recipe]))
}

/// The sizes of a block.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// Arms, or tokens at each depth, to choose from, V.
    pub(super) arms: usize,
    /// Whether all responses are enumerated instead of sampled.
    pub(super) exact: bool,
    /// Tokens of a response, H: 1 in a bandit.
    pub(super) depth: usize,
    /// The most actions of any depth: V, and the end token where there is one.
    pub(super) actions: usize,
    /// Entries of a prompt and depth in tables of actions: the actions of a bandit, and of a tree whole rows.
    pub(super) stride: usize,
    /// Prompts of a step, B.
    pub(super) batch: usize,
    /// Rollouts of a prompt trained on, G: sampled ones; or all arms, then, where the signal tosses coins, all arms once more. The first then earn what a coin
    /// pays, the second what it does not.
    pub(super) group: usize,
    /// Rollouts that vote.
    pub(super) votes: usize,
    /// Whether the greedy response is paid as well.
    pub(super) greedy: bool,
    /// All prompts.
    pub(super) prompts: usize,
    /// Prompts trained on, as the engine numbers them.
    pub(super) domain: Range<usize>,
    /// Held-out prompts.
    pub(super) held_out: Range<usize>,
    /// Prompts of a minibatch; the last may have fewer.
    pub(super) minibatch: usize,
    /// Passes.
    pub(super) passes: usize,
    /// Whether some update is made with rollouts of an older policy.
    pub(super) goes_off_policy: bool,
}

impl Shape {
    /// The sizes of a block of replicas of this recipe.
    pub(super) fn of(recipe: &Ready) -> Self {
        let c = &recipe.config;
        let prompts = c.trained_on();
        let exact = c.train.mode == Mode::Exact;
        let batch = if exact { prompts } else { c.train.train_batch_size };
        let (minibatch, passes) = (batch.div_ceil(c.train.minibatches).max(1), c.train.num_iterations);
        let start = if c.data.regime == Regime::TestTime { c.world.prompts } else { 0 };
        let group = if exact { c.world.vocab * (1 + usize::from(recipe.signal.splits())) } else { c.train.group_size };
        Shape {
            arms: c.world.vocab,
            exact,
            depth: c.world.depth,
            actions: c.world.widest(),
            stride: if c.world.depth == 1 { c.world.vocab } else { c.world.widest().next_multiple_of(ROW) },
            batch,
            group,
            votes: if exact { group } else { recipe.signal.voters(&c.signal, group) },
            greedy: c.objective.baseline == Baseline::Greedy,
            prompts: c.world.all_prompts(),
            domain: start..start + prompts,
            held_out: c.world.prompts..c.world.all_prompts(),
            minibatch,
            passes,
            goes_off_policy: passes > 1 || minibatch < batch,
        }
    }

    /// Whether enumerated responses come as two outcomes of a coin each.
    pub(super) fn is_split(&self) -> bool {
        self.exact && self.group > self.arms
    }

    /// Whether the weights of enumerated responses are other numbers than the probabilities of arms as they now are.
    pub(super) fn weighs_apart(&self) -> bool {
        self.is_split() || (self.exact && self.goes_off_policy)
    }

    /// Whether responses may have more than one token.
    pub(super) fn is_tree(&self) -> bool {
        self.depth > 1
    }

    /// Whether responses may end early.
    pub(super) fn ends(&self) -> bool {
        self.actions > self.arms
    }

    /// Policies that a step of trees looks at: for each prompt of the batch, at every depth that of nodes of which nothing is remembered, and that of every
    /// visit.
    pub(super) fn places(&self) -> usize {
        self.batch * (1 + self.paid()) * self.depth
    }

    /// Words that the rollouts of a prompt are drawn by.
    pub(super) fn words(&self) -> usize {
        (self.sampled() * self.depth).max(self.paid())
    }

    /// Rollouts sampled.
    pub(super) fn sampled(&self) -> usize {
        self.group.max(self.votes)
    }

    /// Rollouts paid: the sampled ones, then the greedy one.
    pub(super) fn paid(&self) -> usize {
        self.sampled() + usize::from(self.greedy)
    }

    /// The updates of a step: the slots of a minibatch, and whether its rollouts are of the policy as it is.
    pub(super) fn updates(&self) -> impl Iterator<Item = (Range<usize>, bool)> + use<> {
        let (batch, size) = (self.batch, self.minibatch);
        let minibatches = move |pass| (0..batch).step_by(size).map(move |first| (first..batch.min(first + size), pass == 0 && first == 0));
        (0..self.passes).flat_map(minibatches)
    }
}

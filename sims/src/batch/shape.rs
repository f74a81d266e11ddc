//! What cells of one block must share, and what the engine runs.

use super::block::sums_to_zero;
use crate::cell::Cell;
use crate::config::{self, Baseline, Geometry, KNOBS, Mode, Regime, Sampler, Scale};
use crate::knob::{Kind, KnobError};
use crate::recipe::Ready;
use std::ops::Range;

/// Entries of a table that a gather can address.
const MAX_ENTRIES: usize = 1 << 25;

/// Whether the engine runs cells of this recipe.
///
/// # Errors
/// Names the first knob that asks for what only the reference loop does, and what this engine does instead.
pub fn supports(recipe: &Ready) -> Result<(), KnobError> {
    let c = &recipe.config;
    require(c.world.depth == 1, "depth", c.world.depth, "must be 1")?;
    require(c.data.sampler == Sampler::Policy, "sampler", c.data.sampler.name(), "must be policy")?;
    let o = &c.objective;
    require(o.baseline != Baseline::Critic, "baseline", o.baseline.name(), "must not be critic")?;
    require(o.scale != Scale::BetaDensity, "scale", o.scale.name(), "must not be beta_density")?;
    // divided by a standard deviation that vanishes with the last wrong response, natural gradients leave the range of f32
    let natural_std = o.geometry == Geometry::Natural && o.scale != Scale::None;
    require(!natural_std, "scale", o.scale.name(), "must be none for a natural gradient")?;
    require(!o.dynamic_sampling, "dynamic_sampling", true, "must be false")?;
    let entries = c.world.all_prompts().saturating_mul(c.world.vocab);
    require(entries <= MAX_ENTRIES, "vocab", c.world.vocab, "times all prompts must be at most 2^25")
}

fn require(holds: bool, knob: &str, value: impl std::fmt::Display, allowed: &str) -> Result<(), KnobError> {
    config::require(holds, knob, value, format!("{allowed} in the batched engine"))
}

/// What the cells of one block have in common: signal, all knobs that are not real numbers, as text, and whether the part of the gradient in all arms vanishes,
/// since in a block it is taken for all or for none.
pub(super) fn key(cell: &Cell) -> String {
    let config = &cell.recipe.config;
    let knobs = KNOBS.iter().filter(|k| !matches!((k.kind)(), Kind::Real(_)));
    let lines: String = knobs.map(|k| format!("{} = {}\n", k.name, (k.get)(config))).collect();
    format!("signal = {}\n{lines}sums to zero = {}", cell.recipe.signal.entry.name, sums_to_zero(config))
}

/// The sizes of a block.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// Arms to choose from, V.
    pub(super) arms: usize,
    /// Whether all responses are enumerated instead of sampled.
    pub(super) exact: bool,
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
    /// Prompts that may be trained on.
    pub(super) domain: Range<usize>,
    /// Held-out prompts.
    pub(super) held_out: Range<usize>,
    /// Updates per pass.
    pub(super) minibatches: usize,
    /// Passes.
    pub(super) passes: usize,
}

impl Shape {
    /// The sizes of a block whose replicas train on `prompts` prompts.
    pub(super) fn of(recipe: &Ready, prompts: usize) -> Self {
        let c = &recipe.config;
        let held_out = c.world.prompts..c.world.all_prompts();
        let exact = c.train.mode == Mode::Exact;
        let group = if exact { c.world.vocab * (1 + usize::from(recipe.signal.splits())) } else { c.train.group_size };
        Shape {
            arms: c.world.vocab,
            exact,
            batch: if exact { prompts } else { c.train.train_batch_size },
            group,
            votes: if exact { group } else { recipe.signal.voters(&c.signal, group) },
            greedy: c.objective.baseline == Baseline::Greedy,
            prompts: c.world.all_prompts(),
            domain: if c.data.regime == Regime::TestTime { held_out.clone() } else { 0..c.world.prompts },
            held_out,
            minibatches: c.train.minibatches,
            passes: c.train.num_iterations,
        }
    }

    /// Rollouts sampled.
    pub(super) fn sampled(&self) -> usize {
        self.group.max(self.votes)
    }

    /// Rollouts paid: the sampled ones, then the greedy one.
    pub(super) fn paid(&self) -> usize {
        self.sampled() + usize::from(self.greedy)
    }

    /// Prompts of a minibatch; the last may have fewer.
    pub(super) fn minibatch(&self) -> usize {
        self.batch.div_ceil(self.minibatches).max(1)
    }

    /// Whether some update is made with rollouts of an older policy.
    pub(super) fn goes_off_policy(&self) -> bool {
        self.passes > 1 || self.minibatch() < self.batch
    }
}

//! A cell: one recipe on one world with one seed, run from the base model to the last step.

use crate::config::{Config, KNOBS, Sampler};
use crate::data::choose;
use crate::digest;
use crate::knob::{KnobError, Value};
use crate::measure::measure;
use crate::policy::{Policy, SoftmaxPolicy};
use crate::prior::Prior;
use crate::recipe::Ready;
use crate::record::{Curves, Snapshot};
use crate::registry::Named;
use crate::run::{StepStats, Training, train};
use crate::stream::Seed;
use crate::world::World;
use std::fmt::Write as _;

/// Changes whenever the meaning of a cell does, so that stored results of an older meaning are not taken for new ones.
pub const SEMANTICS: u32 = 2;

/// One recipe, one world, one seed.
#[derive(Clone)]
pub struct Cell {
    /// The recipe, with every knob set.
    pub recipe: Ready,
    /// The seed of the task, the prior and all dice.
    pub seed: Seed,
}

impl Cell {
    /// Name of the cell: a hash of everything its result depends on, and of nothing else.
    pub fn id(&self) -> String {
        digest::name(&self.description())
    }

    /// Everything the result depends on, one `name = value` per line.
    pub fn description(&self) -> String {
        description(self.seed, &self.recipe.description())
    }

    /// Runs the cell.
    ///
    /// # Errors
    /// When its world cannot be made; see [`World::new`].
    pub fn run(&self) -> Result<Curves, KnobError> {
        let world = World::new(&self.recipe.config.world, self.seed)?;
        Ok(run_in(&world, &self.recipe))
    }
}

/// Everything the result of a cell depends on, `recipe` being what [`Ready::description`] says of its recipe.
pub fn description(seed: Seed, recipe: &str) -> String {
    format!("semantics = {SEMANTICS}\nseed = {}\n{recipe}", seed.0)
}

impl Ready {
    /// Everything a result depends on besides the seed: what pays, and every knob that counts, one `name = value` per line.
    pub fn description(&self) -> String {
        let knobs = KNOBS.iter().filter(|k| k.section != "signal" || self.signal.params.contains(&k.name));
        let mut text = format!("signal = {}\n", self.signal.name());
        for knob in knobs {
            let _ = writeln!(text, "{} = {}", knob.name, (knob.get)(&self.config));
        }
        text
    }
}

/// Runs `recipe` in `world`, which must have been made with the recipe's settings.
pub fn run_in(world: &World, recipe: &Ready) -> Curves {
    let config = &recipe.config;
    let mut snapshots = Vec::new();
    let prompts = train_in(world, recipe, &mut |step, policy, stats| {
        if config.train.evaluates(step) {
            snapshots.push(snapshot(world, step, policy, stats.copied()));
        }
    });
    Curves::of(world.alignment, config.data.regime.chosen(prompts), &snapshots)
}

/// What is shown of a run: the step (0 is the base model), the policy, and what the step that led here did.
pub type Observer<'o> = dyn FnMut(usize, &SoftmaxPolicy, Option<&StepStats>) + 'o;

/// Trains by `recipe` in `world`, shows the base model and then each step's policy to `observe`, and gives the prompts that were trained on.
pub fn train_in(world: &World, recipe: &Ready, observe: &mut Observer) -> Vec<usize> {
    let config = &recipe.config;
    let prompts = choose(world, recipe);
    let stronger = teacher_prior(world, config);
    let teacher = stronger.as_ref().map(|prior| SoftmaxPolicy::new(&world.task, prior, 0.0));
    let mut policy = SoftmaxPolicy::new(&world.task, &world.base, config.policy.sharing);
    observe(0, &policy, None);
    let training = Training {
        config,
        signal: recipe.signal,
        environment: &world.task,
        prompts: &prompts,
        teacher: teacher.as_ref().map(|t| t as &dyn Policy),
        seed: world.seed,
    };
    train(&mut policy, &training, &mut |step, policy, stats| observe(step, policy, Some(stats)));
    prompts
}

fn teacher_prior(world: &World, config: &Config) -> Option<Prior> {
    let stronger = || Prior::new(&world.task, world.seed, config.data.teacher_alignment, config.data.teacher_confidence);
    (config.data.sampler == Sampler::Teacher).then(stronger)
}

fn snapshot(world: &World, step: usize, policy: &SoftmaxPolicy, stats: Option<StepStats>) -> Snapshot {
    let held_out = measure(policy, &world.task, world.held_out());
    Snapshot { step, held_out, train: measure(policy, &world.task, world.training()), stats }
}

/// The value of a knob in a configuration, as a number where it is one.
pub fn knob_number(config: &Config, name: &str) -> Option<f64> {
    let knob = KNOBS.iter().find(|k| k.name == name)?;
    if let Value::Number(x) = (knob.get)(config) { Some(x) } else { None }
}

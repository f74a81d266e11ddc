//! A cell on a grown model: the simulator's cell with a transformer for its table.

use super::corpus::{EOS, prompt, response_length};
use super::family;
use super::grow::{GrowSettings, grow, shape};
use super::judge::Arithmetic;
use super::world::{MethodSettings, MethodWorld};
use crate::error::{Error, Result};
use crate::exam::{Choice, SELECTION};
use crate::folder;
use crate::measure::{Answers, Draw, ask};
use crate::model::Model;
use crate::optimizer::AdamSettings;
use crate::policy::LanguageModel;
use crate::sample::Sampling;
use candle_core::{DType, Device};
use mta_sims::config::{Config, Sampler, World as Settings};
use mta_sims::policy::Policy;
use mta_sims::recipe::Ready;
use mta_sims::record::{Curves, Snapshot};
use mta_sims::run::{StepStats, Training, train};
use mta_sims::stream::Seed;
use serde_json::Value;
use std::path::Path;

/// What the simulator's knobs do not say about a run on a grown model.
#[derive(Clone, Debug, PartialEq)]
pub struct GrownSettings {
    /// Digits of a question.
    pub terms: usize,
    /// Base of the arithmetic.
    pub modulus: usize,
    /// Share of contaminated documents.
    pub leak: f64,
    /// How base models are grown.
    pub grow: GrowSettings,
    /// The optimiser of RL; its learning rate is the recipe's.
    pub adam: AdamSettings,
    /// Responses per prompt of an evaluation.
    pub samples: usize,
    /// Temperature of rollouts and evaluations.
    pub temperature: f64,
}

impl GrownSettings {
    /// Questions of five digits modulo 5; 16 responses per prompt at temperature 1.
    pub const DEFAULT: Self = GrownSettings {
        terms: 5,
        modulus: 5,
        leak: 0.0,
        grow: GrowSettings::DEFAULT,
        adam: AdamSettings::DEFAULT,
        samples: 16,
        temperature: 1.0,
    };

    /// The world of `knobs` and `seed`.
    ///
    /// # Errors
    /// As [`MethodWorld::new`].
    pub fn world(&self, knobs: &Settings, seed: Seed) -> std::result::Result<MethodWorld, mta_sims::knob::KnobError> {
        let settings = MethodSettings { world: knobs.clone(), terms: self.terms, modulus: self.modulus, leak: self.leak };
        MethodWorld::new(&settings, seed)
    }
}

/// A base model in its world.
pub struct Grown {
    /// The world.
    pub world: MethodWorld,
    /// The model.
    pub model: Model,
    prompts: Vec<Vec<u32>>,
}

impl Grown {
    /// The base model of `world` from `folder`, grown and saved there if it is not.
    ///
    /// # Errors
    /// When the folder cannot be read or written, or holds a model of another shape.
    pub fn at(folder: &Path, world: MethodWorld, settings: &GrowSettings) -> Result<Self> {
        if folder.join("config.json").is_file() {
            let model = folder::load(folder, DType::F32, &Device::Cpu)?;
            check_shape(&model, &world, settings, folder)?;
            return Ok(Grown::of(world, model));
        }
        let model = grow(&world, settings, &mut |_, _| ())?;
        family::save(folder, &model, &world, settings.steps * settings.batch)?;
        Ok(Grown::of(world, model))
    }

    /// A model that was grown in `world` before.
    pub fn of(world: MethodWorld, model: Model) -> Self {
        let prompts = world.questions.iter().map(|q| prompt(q)).collect();
        Grown { world, model, prompts }
    }

    /// The verifier.
    pub fn judge(&self) -> Arithmetic<'_> {
        Arithmetic { world: &self.world }
    }

    /// A copy of the model, ready to be trained.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn policy(&self, settings: &GrownSettings, keeps_reference: bool) -> Result<LanguageModel<'_>> {
        let sampling =
            Sampling { temperature: settings.temperature, top_p: 1.0, max_new_tokens: response_length(settings.terms), stop: vec![EOS] };
        LanguageModel::new(self.model.copy()?, &self.prompts, sampling, settings.adam.clone(), keeps_reference)
    }

    /// Responses to `prompts`, judged.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn ask(&self, policy: &LanguageModel, settings: &GrownSettings, prompts: std::ops::Range<usize>, round: usize) -> Result<Answers> {
        ask(policy, &self.judge(), &prompts.collect::<Vec<_>>(), self.draw(settings, round))
    }

    fn draw(&self, settings: &GrownSettings, round: usize) -> Draw {
        Draw { samples: settings.samples, at_once: usize::MAX, seed: self.world.seed, round }
    }

    /// Trains a copy by `recipe`, evaluated as often as the recipe says; `teacher` samples where the recipe has one, and is then what KL terms refer to, as in
    /// the simulator.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn run(&self, settings: &GrownSettings, recipe: &Ready, teacher: Option<&Grown>) -> Result<Curves> {
        let config = &recipe.config;
        let policy = self.policy(settings, true)?;
        let mut policy = if recipe.reads_reference() { policy } else { policy.refers_only_when_measured() };
        let chosen = self.choose(&policy, settings, config)?;
        let teacher = teacher.map(|t| t.policy(settings, true)).transpose()?;
        let training = Training {
            config,
            signal: recipe.signal,
            environment: &self.judge(),
            prompts: &chosen,
            teacher: teacher.as_ref().map(|t| t as &dyn Policy),
            seed: self.world.seed,
        };
        let mut snapshots = vec![Ok(self.snapshot(&policy, settings, 0, None)?)];
        train(&mut policy, &training, &mut |step, policy, stats| {
            if config.train.evaluates(step) {
                snapshots.push(self.snapshot(policy, settings, step, Some(*stats)));
            }
        });
        let snapshots = snapshots.into_iter().collect::<Result<Vec<_>>>()?;
        Ok(Curves::of(config.world.alignment, config.data.regime.chosen(chosen), &snapshots))
    }

    fn snapshot(&self, policy: &LanguageModel, settings: &GrownSettings, step: usize, stats: Option<StepStats>) -> Result<Snapshot> {
        let held_out = self.ask(policy, settings, self.world.held_out(), step)?.measured();
        let train = self.ask(policy, settings, self.world.training(), step)?.measured();
        Ok(Snapshot { step, held_out, train, stats })
    }

    /// The prompts the data regime trains on.
    fn choose(&self, policy: &LanguageModel, settings: &GrownSettings, config: &Config) -> Result<Vec<usize>> {
        let choice = Choice { training: self.world.training(), held_out: self.world.held_out(), draw: self.draw(settings, SELECTION) };
        choice.of(policy, &self.judge(), config)
    }
}

/// Compares all that makes an architecture, not the shapes of its parameters alone.
fn check_shape(model: &Model, world: &MethodWorld, settings: &GrowSettings, folder: &Path) -> Result<()> {
    let [found, wanted] = [&model.architecture, &shape(world, settings)].map(|architecture| architecture.config(DType::F32));
    let differing = wanted.as_object().into_iter().flatten().find(|(name, value)| found[name.as_str()] != **value);
    let refuse = |(name, value): (&String, &Value)| {
        let what = format!("holds a model of another shape: its {name} is {}, and this world asks for {value}", found[name.as_str()]);
        Err(Error::damaged(folder, what))
    };
    differing.map_or(Ok(()), refuse)
}

/// Whether a recipe samples from a teacher, and then the teacher's world.
pub fn teacher_world(config: &Config) -> Option<Settings> {
    let stronger =
        || Settings { alignment: config.data.teacher_alignment, confidence: config.data.teacher_confidence, ..config.world.clone() };
    (config.data.sampler == Sampler::Teacher).then(stronger)
}

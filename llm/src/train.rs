//! Training runs: reinforcement learning by any recipe, or imitation of given responses, on any exam.
//!
//! ```text
//! run.json          what the run is: the same command goes on with it, another is refused
//! metrics.jsonl     one row per step, under TRL's and verl's names; what is missing is left out
//! checkpoints/      see checkpoint
//! model/, adapter/  what came out
//! ```
//! A run that was stopped goes on from its last checkpoint and ends, on CPUs, in the same bytes as one that was not: every draw has an address, and the
//! checkpoint holds all that a step reads.

use crate::atomic;
use crate::checkpoint::{self, State};
use crate::error::{Error, Result};
use crate::exam::{Choice, Exam, Lesson, SELECTION};
use crate::json;
use crate::lora::{Adapter, Lora};
use crate::measure::{Draw, ask};
use crate::memory;
use crate::model::Model;
use crate::optimizer::AdamSettings;
use crate::policy::LanguageModel;
use crate::sample::Sampling;
use candle_core::DType;
use mta_sims::config::Config;
use mta_sims::measure::{Measured, PASS_KS};
use mta_sims::policy::{Nudge, Policy, Step};
use mta_sims::recipe::reads_reference;
use mta_sims::record::{Snapshot, metrics};
use mta_sims::rollout::Token;
use mta_sims::run::{StepStats, Training};
use mta_sims::signals::Signal;
use mta_sims::stream::{Purpose, Seed};
use serde_json::{Map, Value};
use std::fs::OpenOptions;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What moves the model.
#[derive(Clone, Copy)]
pub enum Course {
    /// Rewards by this signal.
    Reinforced(&'static Signal),
    /// The exam's lessons: minus the mean log-probability of their tokens goes down.
    Supervised,
}

/// What the simulator's knobs do not say about a run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The optimiser; its learning rate is the knob's.
    pub adam: AdamSettings,
    /// Temperature of rollouts and evaluations.
    pub temperature: f64,
    /// Mass of the most likely tokens that may be drawn.
    pub top_p: f64,
    /// Size and place of the adapter; none trains all parameters.
    pub lora: Option<Lora>,
    /// Sequences scored or differentiated at once; 0: all of a minibatch.
    pub micro_batch: usize,
    /// Responses per prompt of an evaluation, and of the choice of prompts.
    pub eval_samples: usize,
    /// Held-out prompts that evaluations ask: the first.
    pub eval_prompts: usize,
    /// Training prompts among which `one-shot` and `few` choose: the first.
    pub candidates: usize,
    /// Steps between checkpoints.
    pub save_steps: usize,
    /// Checkpoints kept.
    pub save_total_limit: usize,
    /// Master seed.
    pub seed: Seed,
}

/// A run.
pub struct Plan<'a> {
    /// Prompts and judge.
    pub exam: &'a Exam,
    /// Every knob.
    pub config: &'a Config,
    /// What moves the model.
    pub course: Course,
    /// The rest.
    pub settings: Settings,
    /// The folder the model came from.
    pub base: &'a Path,
    /// All that the result depends on, for `run.json`; more steps may be asked for later, so their number is no part of it.
    pub about: Map<String, Value>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// The last step is done; here is what came out.
    Finished(PathBuf),
    /// It was asked to stop after this step, whose checkpoint is kept.
    Stopped(usize),
}

/// One line of `metrics.jsonl`.
pub type Row = Map<String, Value>;

/// Whether updates ask for the base model's log-probabilities, so that a frozen copy must be kept.
pub fn needs_reference(config: &Config, course: Course) -> bool {
    match course {
        Course::Reinforced(signal) => reads_reference(signal, config),
        Course::Supervised => false,
    }
}

/// What the memory of a run hangs on, with prompts and responses of so many tokens at most.
pub fn shape(config: &Config, course: Course, settings: &Settings, [prompt, response]: [usize; 2], dtype: DType) -> memory::Plan {
    let train = &config.train;
    let per_prompt = if matches!(course, Course::Supervised) { 1 } else { train.group_size };
    let minibatch = train.train_batch_size.div_ceil(train.minibatches) * per_prompt;
    memory::Plan {
        dtype,
        lora: settings.lora.clone(),
        reference: needs_reference(config, course),
        sampled: train.train_batch_size * per_prompt.max(config.signal.votes),
        differentiated: if settings.micro_batch == 0 { minibatch } else { settings.micro_batch.min(minibatch) },
        tokens: prompt + response,
        response,
    }
}

impl Plan<'_> {
    fn sampling(&self) -> Sampling {
        let Settings { temperature, top_p, .. } = self.settings;
        Sampling { temperature, top_p, max_new_tokens: self.exam.longest, stop: self.exam.stop.clone() }
    }

    fn policy(&self, model: Model, keeps_reference: bool) -> Result<LanguageModel<'_>> {
        let mut policy = LanguageModel::new(model, &self.exam.prompts, self.sampling(), self.settings.adam.clone(), keeps_reference)?;
        policy.micro_batch = self.settings.micro_batch;
        Ok(policy)
    }

    /// `model` with a fresh adapter, where one is asked for.
    fn adapted(&self, model: Model) -> Result<Model> {
        let Some(lora) = self.settings.lora.clone() else { return Ok(model) };
        let (dtype, device) = (model.weights.dtype(), model.weights.device().clone());
        let adapter = Adapter::new(&model.architecture, lora, self.settings.seed, dtype, &device)?;
        Ok(model.adapted(adapter))
    }

    /// Sequences sampled at once: those of a step.
    fn at_once(&self) -> usize {
        self.config.train.train_batch_size * self.config.train.group_size
    }

    fn choose(&self, policy: &LanguageModel) -> Result<Vec<usize>> {
        let Range { start, end } = self.exam.training;
        let end = if self.config.data.regime.selects() { end.min(start.saturating_add(self.settings.candidates)) } else { end };
        let choice = Choice { training: start..end, held_out: self.exam.held_out.clone(), draw: self.draw(SELECTION) };
        choice.of(policy, self.exam, self.config)
    }

    /// How responses are drawn that measure, in this round.
    fn draw(&self, round: usize) -> Draw {
        Draw { samples: self.settings.eval_samples, at_once: self.at_once(), seed: self.settings.seed, round }
    }
}

/// Trains `model` as planned in `folder`, going on from the last checkpoint there. `observe` sees every row; `stop` is asked after every step.
///
/// # Errors
/// A folder of another run, a damaged checkpoint, a disk or device that fails.
pub fn train(
    plan: &Plan,
    model: Model,
    teacher: Option<Model>,
    folder: &Path,
    observe: &mut dyn FnMut(&Row),
    stop: &dyn Fn() -> bool,
) -> Result<Ended> {
    std::fs::create_dir_all(checkpoint::shelf(folder)).map_err(Error::file(folder, "cannot be made"))?;
    claim(&folder.join("run.json"), &plan.about)?;
    let mut run = Run::start(plan, model, teacher, folder)?;
    if run.state.progress.step == 0 {
        run.report(None, Instant::now(), observe)?;
    }
    while run.state.progress.step < plan.config.train.steps {
        run.advance(observe)?;
        if run.saves() || stop() {
            run.save()?;
        }
        if stop() && run.state.progress.step < plan.config.train.steps {
            return Ok(Ended::Stopped(run.state.progress.step));
        }
    }
    let place = folder.join(if plan.settings.lora.is_some() { "adapter" } else { "model" });
    checkpoint::model_to(&place, &run.policy.model, plan.base)?;
    Ok(Ended::Finished(place))
}

/// Writes what the run is, or makes sure that it is the one that is written there.
fn claim(path: &Path, about: &Map<String, Value>) -> Result<()> {
    if !path.is_file() {
        return atomic::file(path, format!("{:#}\n", Value::from(about.clone())).as_bytes());
    }
    let there = json::read(path)?;
    let differs = about.iter().find(|(name, value)| there.get(name.as_str()) != Some(value));
    match differs {
        None => Ok(()),
        Some((name, value)) => {
            let other = there.get(name.as_str()).map_or("nothing".into(), Value::to_string);
            Err(Error::damaged(path, format!("belongs to another run: {name} is {other} there and {value} here; choose another folder")))
        }
    }
}

/// A run on its way.
struct Run<'p> {
    plan: &'p Plan<'p>,
    policy: LanguageModel<'p>,
    teacher: Option<LanguageModel<'p>>,
    lessons: Vec<&'p Lesson>,
    state: State,
    folder: &'p Path,
}

impl<'p> Run<'p> {
    /// At the last checkpoint, or before the first step.
    fn start(plan: &'p Plan<'p>, model: Model, teacher: Option<Model>, folder: &'p Path) -> Result<Self> {
        let policy = plan.policy(plan.adapted(model)?, needs_reference(plan.config, plan.course))?;
        let teacher = teacher.map(|model| plan.policy(model, false)).transpose()?;
        let mut run = Run { plan, policy, teacher, lessons: plan.exam.taught(), state: State::default(), folder };
        match checkpoint::list(folder)?.pop() {
            Some((step, _)) if step > plan.config.train.steps => {
                let what = format!("steps is {}, and {} holds a checkpoint of step {step}", plan.config.train.steps, folder.display());
                return Err(Error::Setting(what));
            }
            Some((_, path)) => run.state = checkpoint::restore(&path, &mut run.policy)?,
            None if matches!(plan.course, Course::Reinforced(_)) => run.state.chosen = plan.choose(&run.policy)?,
            None => {}
        }
        run.forget()?;
        Ok(run)
    }

    fn metrics(&self) -> PathBuf {
        self.folder.join("metrics.jsonl")
    }

    /// Takes back rows of steps that will be done again; before the first step, all.
    fn forget(&self) -> Result<()> {
        let path = self.metrics();
        if !path.is_file() {
            return Ok(());
        }
        let done = self.state.progress.step as u64;
        let text = std::fs::read_to_string(&path).map_err(Error::file(&path, "cannot be read"))?;
        let step = |line: &&str| serde_json::from_str::<Value>(line).ok().and_then(|row| row["step"].as_u64());
        let kept = text.lines().filter(|line| done > 0 && step(line).is_some_and(|s| s <= done)).map(|line| format!("{line}\n"));
        atomic::file(&path, kept.collect::<String>().as_bytes())
    }

    /// One step, and its row.
    fn advance(&mut self, observe: &mut dyn FnMut(&Row)) -> Result<()> {
        let clock = Instant::now();
        let stats = match self.plan.course {
            Course::Reinforced(signal) => Some(self.reinforce(signal)),
            Course::Supervised => {
                self.imitate();
                None
            }
        };
        self.report(Some(stats), clock, observe)
    }

    fn reinforce(&mut self, signal: &'static Signal) -> StepStats {
        let State { progress, chosen, .. } = &mut self.state;
        let training = Training {
            config: self.plan.config,
            signal,
            environment: self.plan.exam,
            prompts: chosen,
            teacher: self.teacher.as_ref().map(|t| t as &dyn Policy),
            seed: self.plan.settings.seed,
        };
        training.step(&mut self.policy, progress)
    }

    /// A step up the mean log-probability of the tokens of a batch of lessons, drawn with replacement.
    fn imitate(&mut self) {
        let (train, step) = (&self.plan.config.train, self.state.progress.step);
        let stream = self.plan.settings.seed.stream(Purpose::Prompts, step, 0);
        let drawn = (0..train.train_batch_size as u64).map(|i| *stream.pick(i, &self.lessons));
        let batch: Vec<(&Lesson, Vec<Token>)> = drawn.map(|l| (l, unscored(&l.tokens))).collect();
        let weight = 1.0 / batch.iter().map(|(_, tokens)| tokens.len()).sum::<usize>() as f64;
        let nudge = |(lesson, tokens): &'_ (&Lesson, Vec<Token>)| (lesson.prompt, vec![weight; tokens.len()], vec![0.0; tokens.len()]);
        let parts = batch.iter().map(nudge).collect::<Vec<_>>();
        let nudges: Vec<Nudge> = parts
            .into_iter()
            .zip(&batch)
            .map(|((prompt, push, entropy_push), (_, tokens))| Nudge { prompt, tokens, push, entropy_push })
            .collect();
        let stride = Step {
            learning_rate: train.learning_rate,
            batch: train.train_batch_size as f64,
            geometry: self.plan.config.objective.geometry,
        };
        self.policy.ascend(&nudges, &stride);
        self.state.progress.step += 1;
    }

    /// Whether the step just done is one of those evaluated.
    fn evaluates(&self) -> bool {
        self.plan.config.train.evaluates(self.state.progress.step)
    }

    /// Writes and shows the row of the step just done (none: of the base model).
    fn report(&mut self, done: Option<Option<StepStats>>, clock: Instant, observe: &mut dyn FnMut(&Row)) -> Result<()> {
        let held_out = if self.evaluates() { self.evaluate()? } else { None };
        let mut row = Row::from_iter([("step".to_string(), self.state.progress.step.into())]);
        row.extend(numbers(self.state.progress.step, done.flatten(), held_out));
        if done.is_some() {
            let update = [("loss", self.policy.gain.map(|gain| -gain)), ("grad_norm", self.policy.grad_norm)];
            let rate = ("learning_rate", Some(self.policy.adam.settings.rate(self.policy.adam.steps)));
            let known =
                update.into_iter().chain([rate]).filter_map(|(name, x)| Some((name.to_string(), x.filter(|x| x.is_finite())?.into())));
            row.extend(known);
        }
        row.insert("seconds".into(), clock.elapsed().as_secs_f64().into());
        self.append(&row)?;
        observe(&row);
        Ok(())
    }

    fn append(&self, row: &Row) -> Result<()> {
        let path = self.metrics();
        let line = format!("{}\n", Value::from(row.clone()));
        let written = OpenOptions::new().create(true).append(true).open(&path).and_then(|mut file| file.write_all(line.as_bytes()));
        written.map_err(Error::file(&path, "cannot be written"))
    }

    /// Measurements on held-out prompts; none where there are none.
    fn evaluate(&self) -> Result<Option<Measured>> {
        let asked: Vec<usize> = self.plan.exam.held_out.clone().take(self.plan.settings.eval_prompts).collect();
        if asked.is_empty() {
            return Ok(None);
        }
        let draw = self.plan.draw(self.state.progress.step);
        Ok(Some(ask(&self.policy, self.plan.exam, &asked, draw)?.measured()))
    }

    fn saves(&self) -> bool {
        let step = self.state.progress.step;
        step.is_multiple_of(self.plan.settings.save_steps) || step == self.plan.config.train.steps
    }

    fn save(&mut self) -> Result<()> {
        self.state.optimizer_steps = self.policy.adam.steps;
        checkpoint::save(self.folder, &self.policy, &self.state, self.plan.base)?;
        checkpoint::prune(self.folder, self.plan.settings.save_total_limit)
    }
}

/// Tokens of which nothing but their names is known.
fn unscored(ids: &[u32]) -> Vec<Token> {
    let token = |id: &u32| Token { id: *id, logprob: f64::NAN, ref_logprob: f64::NAN, entropy: f64::NAN, certainty: f64::NAN };
    ids.iter().map(token).collect()
}

/// The simulator's metrics that are known of a step, under their names.
fn numbers(step: usize, stats: Option<StepStats>, held_out: Option<Measured>) -> Vec<(String, Value)> {
    let snapshot = Snapshot { step, held_out: held_out.unwrap_or_else(unmeasured), train: unmeasured(), stats };
    metrics().iter().filter_map(|m| Some((m.name.clone(), (m.get)(&snapshot).filter(|x| x.is_finite())?.into()))).collect()
}

fn unmeasured() -> Measured {
    let nothing = f64::NAN;
    Measured {
        pass_at: vec![nothing; PASS_KS.len()],
        mode_accuracy: nothing,
        covariance: nothing,
        entropy: nothing,
        kl: nothing,
        mean_length: nothing,
    }
}

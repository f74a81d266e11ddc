//! The simulator's forecast for a grown model, made before it is trained.
//!
//! What is measured of the base model: how likely it is to follow each method on each question. What is known of the task: which method answers which
//! question. Both make an explicit world of the simulator with methods for arms, and one more arm for responses that name none; the recipe then runs there,
//! with the same signal, rule, batch and number of steps. What the base model cannot tell is how far an update moves it: that is [`Kinetics`].

use crate::error::Result;
use crate::grown::cell::Grown;
use crate::grown::corpus::{Vocabulary, prompt};
use crate::score::{LOGPROB, Sequence};
use mta_sims::cell::run_in;
use mta_sims::config::Knob;
use mta_sims::knob::{KnobError, Value};
use mta_sims::recipe::Ready;
use mta_sims::record::{Curves, metrics};
use mta_sims::stream::{Purpose, Seed};
use mta_sims::world::World;
use ndarray::{Array2, Array3};
use rand::RngCore;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// How far an update moves a transformer's choice of method, in the simulator's terms.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kinetics {
    /// Step size of the simulated update that moves the choice as far as one update of the transformer does.
    pub learning_rate: f64,
    /// Part of an update that other questions feel.
    pub sharing: f64,
}

impl Kinetics {
    /// Checks the numbers against the ranges of the simulator's knobs.
    ///
    /// # Errors
    /// A number out of its knob's range.
    pub fn validate(self) -> std::result::Result<(), KnobError> {
        let check = |name: &str, value: f64| Knob::find(name).map_or(Ok(()), |knob| knob.check(&Value::Number(value)));
        check("learning_rate", self.learning_rate).and_then(|()| check("sharing", self.sharing))
    }
}

/// Log-probability that the base model begins a response with each method, `[question][method]`, in nats.
///
/// # Errors
/// When the device has no room.
pub fn method_logprobs(grown: &Grown) -> Result<Vec<Vec<f64>>> {
    let methods = grown.world.methods.len();
    let vocabulary = Vocabulary::of(&grown.world);
    let texts: Vec<Vec<u32>> = grown
        .world
        .questions
        .iter()
        .flat_map(|question| (0..methods).map(move |v| prompt(question).into_iter().chain([vocabulary.method(v)]).collect()))
        .collect();
    let sequences: Vec<Sequence> = texts.iter().map(|tokens| Sequence { tokens, from: tokens.len() - 1 }).collect();
    let scores: Vec<Vec<f32>> = grown.model.score(&sequences, 1.0)?.to_vec2()?;
    Ok(scores.chunks(methods).map(|rows| rows.iter().map(|row| f64::from(row[LOGPROB])).collect()).collect())
}

/// The simulator in the place of a grown model: one explicit world per throw of the dice.
pub struct Simulator {
    worlds: Vec<World>,
}

/// Runs a forecast averages over.
pub const DICE: usize = 8;

impl Simulator {
    /// The worlds of `grown`, for `dice` runs that differ in their dice only.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn new(grown: &Grown, dice: usize) -> Result<Self> {
        let logprobs = method_logprobs(grown)?;
        Ok(Simulator { worlds: (0..dice).map(|i| explicit(grown, &logprobs, i)).collect() })
    }

    /// The curves expected of `recipe`: means over the runs.
    pub fn run(&self, recipe: &Ready, kinetics: Kinetics) -> Curves {
        let recipe = moved(recipe, kinetics);
        let runs: Vec<Curves> = self.worlds.iter().map(|world| run_in(world, &recipe)).collect();
        Curves { alignment: recipe.config.world.alignment, values: means(&runs), ..runs[0].clone() }
    }
}

/// What training really did to some base models, beside their simulators.
pub struct Probe {
    /// The simulator of the base model.
    pub simulator: Simulator,
    /// Recipes and what came of them.
    pub outcomes: Vec<(Ready, Curves)>,
}

/// Kinetics, and how well they fit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// The kinetics.
    #[serde(flatten)]
    pub kinetics: Kinetics,
    /// Root of the mean squared difference that they leave between forecast and outcome, in accuracy.
    pub rmse: f64,
}

impl Fit {
    /// The kinetics under which the simulator comes nearest to the outcomes of all probes together: least squares over the accuracies of all evaluations, on
    /// training and held-out questions, over a grid of step sizes and sharings.
    ///
    /// # Panics
    /// Without any evaluation.
    pub fn of(probes: &[Probe]) -> Self {
        let grid: Vec<Kinetics> =
            RATES.iter().flat_map(|rate| SHARINGS.iter().map(|sharing| Kinetics { learning_rate: *rate, sharing: *sharing })).collect();
        let tried: Vec<Fit> = grid.into_par_iter().map(|kinetics| Fit { kinetics, rmse: rmse(probes, kinetics) }).collect();
        tried.into_iter().min_by(|a, b| a.rmse.total_cmp(&b.rmse)).expect("the grid is not empty")
    }
}

fn rmse(probes: &[Probe], kinetics: Kinetics) -> f64 {
    let of = |probe: &Probe| -> Vec<f64> {
        probe.outcomes.iter().flat_map(|(recipe, seen)| squares(&probe.simulator.run(recipe, kinetics), seen)).collect()
    };
    let squares: Vec<f64> = probes.iter().flat_map(of).collect();
    (squares.iter().sum::<f64>() / squares.len() as f64).sqrt()
}

/// Step sizes tried, a factor of 1.4 apart.
const RATES: [f64; 16] = [0.1, 0.14, 0.2, 0.28, 0.4, 0.56, 0.8, 1.1, 1.6, 2.2, 3.2, 4.5, 6.4, 9.0, 12.8, 18.0];

/// Sharings tried.
const SHARINGS: [f64; 10] = [0.1, 0.2, 0.35, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0];

/// Metrics that a fit looks at.
const FITTED: [&str; 2] = ["held_out/pass@1", "train/pass@1"];

/// Squared differences of the fitted metrics at each evaluation.
fn squares(expected: &Curves, seen: &Curves) -> Vec<f64> {
    let all = metrics();
    let fitted = (0..all.len()).filter(|m| FITTED.contains(&all[*m].name.as_str()));
    let pairs = fitted.flat_map(|m| expected.values[m].iter().zip(&seen.values[m]));
    pairs.filter_map(|(e, s)| Some((e.as_ref()? - s.as_ref()?).powi(2))).collect()
}

/// The simulator's world: methods for arms, and a last arm for responses that name none.
fn explicit(grown: &Grown, logprobs: &[Vec<f64>], dice: usize) -> World {
    let (task, methods) = (&grown.world.task, grown.world.methods.len());
    let shape = (logprobs.len(), 1, methods + 1);
    let none = |x: usize| (1.0 - logprobs[x].iter().map(|l| l.exp()).sum::<f64>()).max(f64::MIN_POSITIVE).ln();
    let logits = Array3::from_shape_fn(shape, |(x, _, v)| logprobs[x].get(v).copied().unwrap_or_else(|| none(x)));
    let right = Array3::from_shape_fn(shape, |(x, _, v)| v < methods && task.is_right(x, 0, v));
    let seed = Seed(grown.world.seed.stream(Purpose::Replicate, 0, dice).next_u64());
    let mut world = World::explicit(logits, right, grown.world.settings.world.prompts, seed);
    world.task = world.task.gated(Array2::from_shape_fn((1, methods + 1), |(_, v)| v < methods && task.formatted()[[0, v]]));
    world
}

fn moved(recipe: &Ready, kinetics: Kinetics) -> Ready {
    let mut recipe = recipe.clone();
    recipe.config.policy.sharing = kinetics.sharing;
    recipe.config.train.learning_rate = kinetics.learning_rate;
    recipe
}

/// Means over runs, entry by entry; missing where one is missing.
fn means(runs: &[Curves]) -> Vec<Vec<Option<f64>>> {
    let mean = |m: usize, e: usize| runs.iter().map(|r| r.values[m][e]).sum::<Option<f64>>().map(|sum| sum / runs.len() as f64);
    let metric = |m: usize| (0..runs[0].values[m].len()).map(|e| mean(m, e)).collect();
    (0..runs[0].values.len()).map(metric).collect()
}

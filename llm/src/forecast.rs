//! The simulator's forecast for a grown model, made before it is trained.
//!
//! What is measured of the base model: how often it follows each method. What is known of the task: which method answers which question. Both make an
//! explicit world of the simulator with methods for arms, and one more arm for responses that name none; the recipe then runs there, with the same
//! signal, rule, batch and number of steps. What the base model cannot tell is how far an update moves it: that is [`Kinetics`].

use crate::error::Result;
use crate::grown::cell::{Grown, GrownSettings};
use mta_sims::cell::run_in;
use mta_sims::recipe::Ready;
use mta_sims::record::Curves;
use mta_sims::world::World;
use ndarray::Array3;
use serde::{Deserialize, Serialize};

/// How far an update moves a transformer's choice of method, in the simulator's terms.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kinetics {
    /// Step size of the simulated update that moves the choice as far as one update of the transformer does.
    pub learning_rate: f64,
    /// Part of an update that other questions feel.
    pub sharing: f64,
}

/// How often a base model follows each method; the last entry is for responses that name none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shares(pub Vec<f64>);

/// The shares of `grown`, over `samples` responses to each training question, with half a response added to each.
pub fn shares(grown: &Grown, settings: &GrownSettings) -> Result<Shares> {
    let policy = grown.policy(settings, false)?;
    let questions: Vec<usize> = grown.world.training().collect();
    let mut counts = vec![0.5; grown.world.methods.len() + 1];
    for tokens in policy.probe(&questions, settings.samples, grown.world.seed, ROUND)?.iter().flatten() {
        let said = grown.judge().read(tokens);
        counts[said.method.filter(|_| said.answer.is_some()).unwrap_or(grown.world.methods.len())] += 1.0;
    }
    let total: f64 = counts.iter().sum();
    Ok(Shares(counts.into_iter().map(|c| c / total).collect()))
}

/// The evaluation round of forecasts.
const ROUND: usize = mta_sims::stream::MAX_STEPS - 2;

/// The curves the simulator expects of `recipe`.
pub fn forecast(grown: &Grown, shares: &Shares, recipe: &Ready, kinetics: Kinetics) -> Curves {
    let questions = grown.world.questions.len();
    let arms = shares.0.len();
    let logits = Array3::from_shape_fn((questions, 1, arms), |(_, _, v)| shares.0[v].ln());
    let right = Array3::from_shape_fn((questions, 1, arms), |(x, _, v)| v + 1 < arms && grown.world.task.is_right(x, 0, v));
    let world = World::explicit(logits, right, grown.world.settings.world.prompts, grown.world.seed);
    let mut recipe = recipe.clone();
    recipe.config.policy.sharing = kinetics.sharing;
    recipe.config.train.learning_rate = kinetics.learning_rate;
    Curves { alignment: recipe.config.world.alignment, ..run_in(&world, &recipe) }
}

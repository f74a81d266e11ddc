//! Where margins are measured: the runs of one seed, each done once however many parts ask for it.

use crate::cell::{Cell, train_in};
use crate::config::Config;
use crate::measure::{Measured, PASS_KS, measure, summary};
use crate::policy::{Policy, SoftmaxPolicy};
use crate::recipe::{RECIPES, Ready};
use crate::record::{Curves, metrics};
use crate::registry::find;
use crate::rollout::Token;
use crate::stream::Seed;
use crate::world::World;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

/// All runs of one seed.
pub struct Lab {
    /// The seed of every world and all dice.
    pub seed: Seed,
    runner: Arc<Runner>,
    runs: RefCell<HashMap<String, Rc<Curves>>>,
}

/// What runs a cell.
pub type Runner = dyn Fn(&Cell) -> Curves + Send + Sync;

impl Lab {
    /// An empty lab, which simulates.
    ///
    /// # Panics
    /// Its runs do when the world cannot be made: claims state settings that can, and a test runs them all.
    pub fn new(seed: Seed) -> Self {
        Lab::with(seed, Arc::new(|cell: &Cell| cell.run().unwrap_or_else(|e| panic!("{}: {e}", cell.recipe.name))))
    }

    /// An empty lab whose cells `runner` runs.
    pub fn with(seed: Seed, runner: Arc<Runner>) -> Self {
        Lab { seed, runner, runs: RefCell::default() }
    }

    /// The curves of `recipe` in its own world.
    pub fn run(&self, recipe: &Ready) -> Rc<Curves> {
        let cell = Cell { recipe: recipe.clone(), seed: self.seed };
        let id = cell.id();
        let known = self.runs.borrow().get(&id).cloned();
        known.unwrap_or_else(|| {
            let curves = Rc::new((self.runner)(&cell));
            self.runs.borrow_mut().insert(id, Rc::clone(&curves));
            curves
        })
    }

    /// Gain of `recipe` in held-out pass@1, as a share of what was left to gain: the distance from the base model to the `ceiling` of the task.
    ///
    /// In [-1, 1]: a policy below zero or above the ceiling is cut off there.
    pub fn progress(&self, recipe: &Ready, ceiling: f64) -> f64 {
        let curves = self.run(recipe);
        let (base, end) = (first(&curves, PASS_1), last(&curves, PASS_1));
        if ceiling > base { ((end - base) / (ceiling - base)).clamp(-1.0, 1.0) } else { 0.0 }
    }

    /// Base model and trained policy measured on the prompts `recipe` trains on.
    pub fn on_training_prompts(&self, recipe: &Ready) -> (Measured, Measured) {
        let world = made(recipe, self.seed);
        let look = |policy: &SoftmaxPolicy| measure(policy, &world.task, world.training());
        let (mut before, mut after) = (None, None);
        train_in(&world, recipe, &mut |step, policy, _| {
            if step == 0 {
                before = Some(look(policy));
            }
            if step == recipe.config.train.steps {
                after = Some(look(policy));
            }
        });
        (before.expect("step 0 is shown"), after.expect("the last step is shown"))
    }
}

/// Probabilities of all responses to the first prompt of `world` after training by `recipe`, in the order of [`Policy::enumerate`].
pub fn responses(world: &World, recipe: &Ready) -> Vec<f64> {
    let mut end = Vec::new();
    train_in(world, recipe, &mut |step, policy, _| {
        if step == recipe.config.train.steps {
            let chance = |tokens: Vec<Token>| tokens.iter().map(|t| t.logprob).sum::<f64>().exp();
            end = policy.enumerate(0).into_iter().map(chance).collect();
        }
    });
    end
}

/// Of every training prompt: Cov(correct, log p) under the base model, and the change of its accuracy by training.
pub fn slopes(seed: Seed, recipe: &Ready) -> Vec<(f64, f64)> {
    let world = made(recipe, seed);
    let look = |policy: &SoftmaxPolicy| world.training().map(|x| summary(policy, &world.task, x)).collect::<Vec<_>>();
    let (mut before, mut after) = (Vec::new(), Vec::new());
    train_in(&world, recipe, &mut |step, policy, _| if step == 0 { before = look(policy) } else { after = look(policy) });
    before.iter().zip(&after).map(|(b, a)| (b.covariance(), a.success - b.success)).collect()
}

fn made(recipe: &Ready, seed: Seed) -> World {
    World::new(&recipe.config.world, seed).unwrap_or_else(|e| panic!("{}: {e}", recipe.name))
}

/// Held-out accuracy.
pub const PASS_1: &str = "held_out/pass@1";

static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| metrics().into_iter().map(|m| m.name).collect());

fn column<'c>(curves: &'c Curves, metric: &str) -> &'c [Option<f64>] {
    let place = NAMES.iter().position(|name| name == metric).unwrap_or_else(|| panic!("no metric is called {metric}"));
    &curves.values[place]
}

/// A metric of the base model.
pub fn first(curves: &Curves, metric: &str) -> f64 {
    column(curves, metric)[0].unwrap_or_else(|| panic!("{metric} is missing at the start"))
}

/// A metric after the last step.
pub fn last(curves: &Curves, metric: &str) -> f64 {
    column(curves, metric).last().copied().flatten().unwrap_or_else(|| panic!("{metric} is missing at the end"))
}

/// A metric after `step` updates, which must have been evaluated.
pub fn at(curves: &Curves, metric: &str, step: usize) -> f64 {
    let place = curves.steps.iter().position(|s| *s == step).unwrap_or_else(|| panic!("step {step} was not evaluated"));
    column(curves, metric)[place].unwrap_or_else(|| panic!("{metric} is missing at step {step}"))
}

/// pass@k of a measurement, k a power of two up to 1024.
pub fn pass_at(measured: &Measured, k: u32) -> f64 {
    measured.pass_at[PASS_KS.iter().position(|p| *p == k).unwrap_or_else(|| panic!("pass@{k} is not measured"))]
}

/// The recipe of the registry with some knobs changed.
pub fn recipe(name: &str, set: impl FnOnce(&mut Config)) -> Ready {
    let mut ready = Ready::named(find("recipe", RECIPES, name).expect("claims name recipes that exist: tested"));
    ready.config.train.eval_every = usize::MAX;
    set(&mut ready.config);
    ready
}

//! Fixed workloads that other simulators were timed on as well, and what a step of training costs in arithmetic.
//!
//! | | task | steps |
//! |---|---|---|
//! | `w1` | bandits of 64 arms, 4 right; GRPO on 16 rewards that err (true positives 0.8, false positives 0.1), step size 0.25 | 200 |
//! | `w3` | bandits of 64 arms, logits drawn from N(0, 1); the exact gradient of E[log pi] less 0.25 KL to the initial policy, step size 0.01 | 1000 |

use crate::batch::Replica;
use crate::config::{KlForm, KlPlace, Mode};
use crate::measure::measure;
use crate::policy::SoftmaxPolicy;
use crate::recipe::Ready;
use crate::registry::{Entry, Named, find};
use crate::rules::RULES;
use crate::run::{Training, train};
use crate::signals::SIGNALS;
use crate::stream::{Purpose, Seed};
use crate::world::World;
use ndarray::Array3;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

/// Arms of the bandits.
const ARMS: usize = 64;

/// A fixed workload.
pub struct Workload {
    /// Name, meaning, formula and source.
    pub entry: Entry,
    /// Replicas it is usually run with.
    pub replicas: usize,
    recipe: fn() -> Ready,
    worlds: fn(usize) -> Vec<World>,
}

impl Named for Workload {
    fn entry(&self) -> &Entry {
        &self.entry
    }
}

/// Every workload.
pub static WORKLOADS: &[&Workload] = &[&W1, &W3];

static W1: Workload = Workload {
    entry: Entry {
        name: "w1",
        aliases: &["bandit-grpo"],
        doc: "Bandits trained by GRPO on rewards that err.",
        formula: "V = 64, 4 right, G = 16, T = 200, tpr = .8, fpr = .1, eta = .25, theta_0 = 0",
        source: "",
        elsewhere: &[],
    },
    replicas: 4096,
    recipe: bandit_grpo,
    worlds: |_| (0..16).map(sixteenth).collect(),
};

static W3: Workload = Workload {
    entry: Entry {
        name: "w3",
        aliases: &["exact-flow"],
        doc: "The exact gradient flow of sharpening with a leash.",
        formula: "V = 64, T = 1000, A = (1 - beta) log pi + beta log pi_0, eta = .01, beta = .25, theta_0 ~ N(0, 1)",
        source: "",
        elsewhere: &[],
    },
    replicas: 100_000,
    recipe: exact_flow,
    worlds: |replicas| (0..replicas).map(gaussian).collect(),
};

fn named(name: &'static str, signal: &str, rule: &str) -> Ready {
    let known = "workloads name what is registered";
    Ready::new(name, find("signal", SIGNALS, signal).expect(known), find("rule", RULES, rule).expect(known))
}

fn bandit_grpo() -> Ready {
    let mut recipe = named("w1", "noisy", "grpo");
    let c = &mut recipe.config;
    (c.world.vocab, c.world.prompts, c.world.held_out) = (ARMS, 1, 0);
    (c.train.steps, c.train.train_batch_size, c.train.group_size, c.train.learning_rate) = (200, 1, 16, 0.25);
    (c.policy.sharing, c.signal.tpr, c.signal.fpr) = (1.0, 0.8, 0.1);
    recipe
}

fn exact_flow() -> Ready {
    let mut recipe = named("w3", "log_policy", "pg");
    let c = &mut recipe.config;
    (c.world.vocab, c.world.prompts, c.world.held_out) = (ARMS, 1, 0);
    (c.train.mode, c.train.steps, c.train.learning_rate) = (Mode::Exact, 1000, 0.01);
    (c.train.train_batch_size, c.policy.sharing) = (1, 1.0);
    // the expected gradient of k2 in the loss is that of the KL divergence
    (c.objective.kl_beta, c.objective.kl_form, c.objective.kl_place) = (0.25, KlForm::K2, KlPlace::Loss);
    recipe
}

/// The bandit in which arm a is right where a mod 16 is `k`.
fn sixteenth(k: usize) -> World {
    let truth = Array3::from_shape_fn((1, 1, ARMS), |(_, _, a)| a % 16 == k);
    World::explicit(Array3::zeros((1, 1, ARMS)), truth, 1, Seed(0))
}

/// The bandit of the `i`-th draw of logits, in which the arm that leads at first is right.
fn gaussian(i: usize) -> World {
    let mut dice = Seed(i as u64).stream(Purpose::Population, 0, 0);
    let logits: Vec<f64> = StandardNormal.sample_iter(&mut dice).take(ARMS).collect();
    let leader = (0..ARMS).fold(0, |best, a| if logits[a] > logits[best] { a } else { best });
    let truth = Array3::from_shape_fn((1, 1, ARMS), |(_, _, a)| a == leader);
    World::explicit(Array3::from_shape_fn((1, 1, ARMS), |(_, _, a)| logits[a]), truth, 1, Seed(i as u64))
}

/// The worlds and the recipe of a workload.
pub struct Fleet {
    /// What every replica runs.
    pub recipe: Ready,
    worlds: Vec<World>,
    size: usize,
}

impl Workload {
    /// A fleet of `replicas`.
    pub fn fleet(&self, replicas: usize) -> Fleet {
        Fleet { recipe: (self.recipe)(), worlds: (self.worlds)(replicas), size: replicas }
    }

    /// What one replica does in one step.
    pub fn work(&self) -> Work {
        Work::of(&(self.recipe)())
    }
}

impl Fleet {
    /// Its replicas, the `i`-th with seed `i`.
    pub fn replicas(&self) -> Vec<Replica<'_>> {
        let replica =
            |i: usize| Replica { world: &self.worlds[i % self.worlds.len()], recipe: &self.recipe, prompts: &[0], dice: Seed(i as u64) };
        (0..self.size).map(replica).collect()
    }
}

/// Success at the training prompts after the last update, by replica: by the reference loop, on the threads of the current pool.
pub fn reference(replicas: &[Replica]) -> Vec<f64> {
    replicas.par_iter().map(train_one).collect()
}

fn train_one(replica: &Replica) -> f64 {
    let (world, config) = (replica.world, &replica.recipe.config);
    let mut policy = SoftmaxPolicy::new(&world.task, &world.base, config.policy.sharing);
    let training = Training {
        config,
        signal: replica.recipe.signal,
        environment: &world.task,
        prompts: replica.prompts,
        teacher: None,
        seed: replica.dice,
    };
    train(&mut policy, &training, &mut |_, _, _| ());
    measure(&policy, &world.task, world.training()).pass_at[0]
}

/// Arithmetic of one replica in one step of training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Work {
    /// Rollouts sampled.
    pub samples: f64,
    /// Logits brought up to date.
    pub updates: f64,
    /// Exponentials.
    pub exps: f64,
    /// Random words.
    pub words: f64,
}

impl Work {
    /// That of a bandit recipe: every pass over a minibatch computes the policy at its prompts anew.
    pub fn of(recipe: &Ready) -> Self {
        let (train, arms) = (&recipe.config.train, recipe.config.world.vocab as f64);
        let prompts = train.train_batch_size as f64;
        let group = recipe.signal.voters(&recipe.config.signal, train.group_size).max(train.group_size);
        let sampled = if train.mode == Mode::Sampled { prompts * group as f64 } else { 0.0 };
        let coins = if recipe.signal.formula.tosses() { sampled } else { 0.0 };
        let updates = prompts * arms * train.num_iterations as f64;
        Work { samples: sampled, updates, exps: updates, words: sampled + coins }
    }
}

//! Fixed workloads that other simulators were timed on as well, and what a step of training costs in arithmetic.
//!
//! | | task | steps |
//! |---|---|---|
//! | `w1` | bandits of 64 arms, 4 right; GRPO on 16 rewards that err (true positives 0.8, false positives 0.1), step size 0.25 | 200 |
//! | `w2` | trees of 6 tokens out of 8 with listed right responses; GRPO on 16 true rewards, step size 1.5, success after every tenth step | 100 |
//! | `w3` | bandits of 64 arms, logits drawn from N(0, 1); the exact gradient of E[log pi] less 0.25 KL to the initial policy, step size 0.01 | 1000 |

use crate::batch::{Options, Replica, follow, success};
use crate::config::{Baseline, KlForm, KlPlace, LossAgg, Mode};
use crate::measure::measure;
use crate::recipe::Ready;
use crate::registry::{Entry, Named, find};
use crate::rules::RULES;
use crate::run::train;
use crate::signals::SIGNALS;
use crate::stream::{Purpose, Seed};
use crate::world::World;
use ndarray::{Array2, Array3};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

/// Arms of the bandits.
const ARMS: usize = 64;
/// Tokens to choose from in the trees, and tokens of a response.
const TOKENS: u32 = 8;
const DEPTH: u32 = 6;

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
pub static WORKLOADS: &[&Workload] = &[&W1, &W2, &W3];

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

static W2: Workload = Workload {
    entry: Entry {
        name: "w2",
        aliases: &["tree-grpo"],
        doc: "Trees trained by GRPO on true rewards, with exact success after every tenth step.",
        formula: "V = 8, H = 6, G = 16, T = 100, eta = 1.5, theta_0 = 0; half of the prefixes of 2 tokens are right, half of those of 4 below, half of the ends",
        source: "",
        elsewhere: &[],
    },
    replicas: 512,
    recipe: tree_grpo,
    worlds: |_| vec![three_tiers()],
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

fn tree_grpo() -> Ready {
    let mut recipe = named("w2", "ground_truth", "grpo");
    let c = &mut recipe.config;
    (c.world.vocab, c.world.depth, c.world.prompts, c.world.held_out) = (TOKENS as usize, DEPTH as usize, 1, 0);
    (c.train.steps, c.train.train_batch_size, c.train.group_size, c.train.learning_rate) = (100, 1, 16, 1.5);
    (c.policy.sharing, c.train.eval_every) = (0.0, 10);
    c.objective.loss_agg_mode = LossAgg::SeqMeanTokenSum;
    recipe
}

fn exact_flow() -> Ready {
    let mut recipe = named("w3", "log_policy", "pg");
    let c = &mut recipe.config;
    (c.world.vocab, c.world.prompts, c.world.held_out) = (ARMS, 1, 0);
    (c.train.mode, c.train.steps, c.train.learning_rate) = (Mode::Exact, 1000, 0.01);
    (c.train.train_batch_size, c.train.eval_every, c.policy.sharing) = (1, 1000, 1.0);
    // what is taken off all rewards changes no expected gradient
    c.objective.baseline = Baseline::None;
    // the expected gradient of k2 in the loss is that of the KL divergence
    (c.objective.kl_beta, c.objective.kl_form, c.objective.kl_place) = (0.25, KlForm::K2, KlPlace::Loss);
    recipe
}

/// The bandit in which arm a is right where a mod 16 is `k`.
fn sixteenth(k: usize) -> World {
    let truth = Array3::from_shape_fn((1, 1, ARMS), |(_, _, a)| a % 16 == k);
    World::explicit(Array3::zeros((1, 1, ARMS)), truth, 1, Seed(0))
}

/// Mixes 32 bits.
fn hash(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7FEB_352D);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846C_A68B);
    x ^ x >> 16
}

/// The tree in which half of the prefixes of two tokens, half of those of four below them, and half of the responses below those are right.
fn three_tiers() -> World {
    let bit = |code: u32, salt: u32| hash(code ^ salt) >> 31 == 1;
    let right = |code: u32| {
        // the hashes name a path with the first token least significant
        let mirrored = (0..DEPTH).fold((code, 0), |(rest, m), _| (rest / TOKENS, m * TOKENS + rest % TOKENS)).1;
        bit(mirrored % TOKENS.pow(2), 0x1B87_3593) && bit(mirrored % TOKENS.pow(4), 0x85EB_CA6B) && bit(mirrored, 0xC2B2_AE35)
    };
    let right: Vec<bool> = (0..TOKENS.pow(DEPTH)).map(right).collect();
    World::listed(Array2::zeros((DEPTH as usize, TOKENS as usize)), &right, Seed(0))
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
}

impl Fleet {
    /// Its replicas, the `i`-th with seed `i`.
    pub fn replicas(&self) -> Vec<Replica<'_>> {
        let replica =
            |i: usize| Replica { world: &self.worlds[i % self.worlds.len()], recipe: &self.recipe, prompts: &[0], dice: Seed(i as u64) };
        (0..self.size).map(replica).collect()
    }
}

/// Success at the training prompts after the last update, by replica: by the batched engine, which also follows success and entropy of sampled bandits in every
/// step, and else success in evaluated ones.
pub fn batched(replicas: &[Replica], options: Options) -> Vec<f64> {
    if replicas.iter().any(|replica| replica.recipe.config.world.depth > 1 || replica.recipe.config.train.mode == Mode::Exact) {
        success(replicas, options).into_iter().filter_map(|trail| trail.last().copied()).collect()
    } else {
        follow(replicas, options).success
    }
}

/// Success at the training prompts after the last update, by replica: by the reference loop, on the threads of the current pool.
pub fn reference(replicas: &[Replica]) -> Vec<f64> {
    replicas.par_iter().map(train_one).collect()
}

fn train_one(replica: &Replica) -> f64 {
    let (world, mut policy) = (replica.world, replica.policy());
    train(&mut policy, &replica.training(), &mut |_, _, _| ());
    measure(&policy, &world.task, world.training()).pass_at[0]
}

/// Arithmetic of one replica in one step of training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Work {
    /// Tokens sampled.
    pub samples: f64,
    /// Logits brought up to date.
    pub updates: f64,
    /// Exponentials that the formulas ask for; of those of an exact flow, most are made by multiplying what was there.
    pub exps: f64,
    /// Random words.
    pub words: f64,
}

impl Work {
    /// That of a recipe: every pass over a minibatch computes the policy anew, of bandits at its prompts, of trees at every token of its rollouts. Measurements do
    /// not count.
    pub fn of(recipe: &Ready) -> Self {
        let (train, world) = (&recipe.config.train, &recipe.config.world);
        let (prompts, depth) = (train.train_batch_size as f64, world.depth as f64);
        let group = recipe.signal.voters(&recipe.config.signal, train.group_size).max(train.group_size) as f64;
        let rollouts = if train.mode == Mode::Sampled { prompts * group } else { 0.0 };
        let coins = if recipe.signal.formula.tosses() { rollouts } else { 0.0 };
        let policies = if world.depth == 1 { prompts } else { prompts * group * depth };
        let updates = policies * world.vocab as f64 * train.num_iterations as f64;
        Work { samples: rollouts * depth, updates, exps: updates, words: rollouts * depth + coins }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::{mean, standard_error};

    fn ending(all: &[f64]) -> [f64; 2] {
        [mean(all).unwrap(), standard_error(all).unwrap()]
    }

    fn assert_agree([a, a_se]: [f64; 2], [b, b_se]: [f64; 2]) {
        assert!((a - b).abs() < 3.0 * a_se.hypot(b_se), "{a} +- {a_se} is not {b} +- {b_se}");
    }

    /// The engine, the reference loop, and what a C++ program written from the same definitions measured on 512 worlds of other seeds.
    #[test]
    fn trees_end_where_others_have_them_end() {
        let fleet = W2.fleet(512);
        let replicas = fleet.replicas();
        let engine = ending(&batched(&replicas, Options::default()));
        assert_agree(engine, [0.7686, 0.0026]);
        assert_agree(engine, ending(&reference(&replicas[..24])));
    }
}

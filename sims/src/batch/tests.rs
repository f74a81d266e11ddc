//! The engine against itself on narrower vectors, bit for bit, and against the reference loop.

use super::*;
use crate::batch::lanes::Vectors;
use crate::config::Mode;
use crate::policy::{Nudge, Policy, SoftmaxPolicy, Step};
use crate::recipe::Ready;
use crate::rollout::Token;
use crate::rules::RULES;
use crate::run::{StepStats, Training, train};
use crate::signals::SIGNALS;
use crate::stream::{Purpose, Stream};
use rand::Rng;
use std::cell::{Cell as Slot, RefCell};

/// Distance of a uniform from a boundary between arms below which rounding may choose the other arm: 40 sums of 2^-24 each, and half a step of a 24-bit uniform.
pub(super) const CLOSE: f64 = 2.5e-6;

/// A policy that notes what it draws, and how close its uniforms come to boundaries.
struct Noted<'w> {
    policy: SoftmaxPolicy<'w>,
    drawn: RefCell<Vec<Vec<u32>>>,
    closest: Slot<f64>,
}

impl Policy for Noted<'_> {
    fn sample(&self, prompts: &[(usize, Stream)], count: usize) -> Vec<Vec<Vec<Token>>> {
        for (prompt, words) in prompts {
            let mut sum = 0.0;
            for p in self.policy.first(*prompt).probs {
                sum += p;
                let distances = (0..count as u64).map(|i| (words.uniform(i) - sum).abs());
                self.closest.set(distances.fold(self.closest.get(), f64::min));
            }
        }
        let sampled = self.policy.sample(prompts, count);
        self.drawn.borrow_mut().push(sampled.iter().flatten().map(|tokens| tokens[0].id).collect());
        sampled
    }
    fn greedy(&self, prompts: &[usize]) -> Vec<Vec<Token>> {
        self.policy.greedy(prompts)
    }
    fn enumerate(&self, prompt: usize) -> Vec<Vec<Token>> {
        self.policy.enumerate(prompt)
    }
    fn rescore(&self, responses: &[(usize, &[Token])]) -> Vec<Vec<Token>> {
        self.policy.rescore(responses)
    }
    fn ascend(&mut self, nudges: &[Nudge], step: &Step) {
        self.policy.ascend(nudges, step);
    }
}

/// What the reference loop says of a replica.
pub(super) struct Expected {
    /// First tokens of all rollouts sampled, step by step.
    pub(super) drawn: Vec<Vec<u32>>,
    pub(super) stats: Vec<StepStats>,
    pub(super) skill: Vec<f64>,
    pub(super) memory: Vec<f64>,
    pub(super) closest: f64,
}

pub(super) fn reference(replica: &Replica) -> Expected {
    let (world, config) = (replica.world, &replica.recipe.config);
    let policy = SoftmaxPolicy::new(&world.task, &world.base, config.policy.sharing);
    let mut noted = Noted { policy, drawn: RefCell::default(), closest: Slot::new(1.0) };
    let training = Training {
        config,
        signal: replica.recipe.signal,
        environment: &world.task,
        prompts: replica.prompts,
        teacher: None,
        seed: replica.dice,
    };
    let mut stats = Vec::new();
    train(&mut noted, &training, &mut |_, _, did| stats.push(*did));
    let memory = |prompt| match noted.policy.memory(prompt).root() {
        Some(node) => noted.policy.memory(prompt).logits(node).to_vec(),
        None => vec![0.0; config.world.vocab],
    };
    let domain = shape::Shape::of(replica.recipe, replica.prompts.len()).domain;
    let memory = domain.flat_map(memory).collect();
    let drawn = noted.drawn.take();
    Expected { drawn, stats, skill: noted.policy.skill().row(0).to_vec(), memory, closest: noted.closest.get() }
}

/// A random configuration of a recipe.
pub(super) fn vary(recipe: &mut Ready, dice: &mut Stream) {
    let c = &mut recipe.config;
    c.world.vocab = dice.random_range(4..40);
    (c.world.prompts, c.world.held_out) = (dice.random_range(1..6), dice.random_range(1..20));
    (c.world.format_rate, c.world.bad_quality) = (dice.random_range(0.5..1.0), 0.2);
    (c.train.steps, c.train.eval_every) = (10, 1);
    (c.train.train_batch_size, c.train.group_size) = (dice.random_range(1..6), dice.random_range(2..12));
    c.train.learning_rate = dice.random_range(0.1..1.0);
    if dice.random_bool(0.4) {
        c.train.minibatches = dice.random_range(1..=c.train.train_batch_size);
        c.train.num_iterations = dice.random_range(1..3);
    }
    c.policy.sharing = *dice.pick(7, &[0.0, 0.3, 0.8, 1.0]);
    (c.signal.votes, c.signal.pass_k) = (dice.random_range(0..16), dice.random_range(1..=c.train.group_size));
    (c.signal.label_noise, c.signal.random_rate) = (dice.random_range(0.0..1.0), dice.random_range(0.0..1.0));
    if dice.random_bool(0.3) {
        c.objective.kl_beta = dice.random_range(0.0..0.1);
        c.objective.kl_form = *dice.pick(40, &[crate::config::KlForm::K1, crate::config::KlForm::K2, crate::config::KlForm::K3]);
    }
    if dice.random_bool(0.2) {
        c.objective.entropy_coeff = dice.random_range(-0.05..0.05);
    }
}

/// Worlds and recipes for one fleet: seeds, alignments and step sizes differ.
pub(super) fn fleet(recipe: &Ready, size: u64) -> Vec<(World, Ready)> {
    let one = |i: u64| {
        let mut own = recipe.clone();
        own.config.world.alignment = 0.1 + 0.8 * i as f64 / size as f64;
        own.config.train.learning_rate *= 1.0 + i as f64 / size as f64;
        (World::new(&own.config.world, Seed(1000 + i)).unwrap(), own)
    };
    (0..size).map(one).collect()
}

pub(super) fn replicas<'a>(made: &'a [(World, Ready)], prompts: &'a [Vec<usize>]) -> Vec<Replica<'a>> {
    made.iter().zip(prompts).map(|((world, recipe), prompts)| Replica { world, recipe, prompts, dice: world.seed }).collect()
}

pub(super) fn prompts(made: &[(World, Ready)]) -> Vec<Vec<usize>> {
    made.iter().map(|(world, recipe)| choose(world, recipe)).collect()
}

/// Every pair of signal and rule the engine runs, in a random configuration: another one in every round.
pub(super) fn pairs(mode: Mode, round: usize) -> impl Iterator<Item = Ready> {
    SIGNALS.iter().flat_map(|signal| RULES.iter().map(move |rule| (signal, rule))).enumerate().filter_map(move |(i, (signal, rule))| {
        let mut recipe = Ready::new("random", signal, rule);
        vary(&mut recipe, &mut Seed(77).stream(Purpose::Population, round, i));
        recipe.config.train.mode = mode;
        (recipe.validate().is_ok() && supports(&recipe).is_ok()).then_some(recipe)
    })
}

#[test]
fn every_width_gives_the_same_bits() {
    for recipe in pairs(Mode::Sampled, 0).step_by(3).chain(pairs(Mode::Exact, 0).step_by(5)) {
        let made = fleet(&recipe, 19);
        let prompts = prompts(&made);
        let replicas = replicas(&made, &prompts);
        let scalar = watch(&replicas, Options { vectors: Vectors::Scalar });
        for vectors in [Vectors::V3, Vectors::V4] {
            assert!(
                watch(&replicas, Options { vectors }) == scalar,
                "{vectors:?}: {} with {}",
                recipe.signal.entry.name,
                recipe.rule.entry.name
            );
        }
    }
}

/// Largest difference of two tables over the larger of 1 and the largest entry.
pub(super) fn distance(a: &[f64], b: &[f64]) -> f64 {
    let size = a.iter().fold(1.0f64, |m, x| m.max(x.abs()));
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max) / size
}

/// How far the reference loop itself moves when its step size is changed by 1e-7 of itself.
pub(super) fn sensitivity(replica: &Replica, expected: &Expected) -> f64 {
    let mut recipe = replica.recipe.clone();
    recipe.config.train.learning_rate *= 1.0 + 1e-7;
    let moved = reference(&Replica { recipe: &recipe, ..*replica });
    distance(&expected.skill, &moved.skill).max(distance(&expected.memory, &moved.memory))
}

/// Same samples and rewards as far as they show: shares of flat groups, of agreeing and of clipped rollouts. Amounts that are 0 but for rounding may have
/// either sign: they agree with the truth or not, and their ratios are cut below or above.
pub(super) fn same_counts(expected: &StepStats, seen: &StepStats, amounts: bool) -> bool {
    let near = |a: f64, b: f64| (a - b).abs() < 1e-5;
    let cuts = |stats: &StepStats| (stats.clipped.low, stats.clipped.high);
    let same_signs = near(expected.reward_accuracy, seen.reward_accuracy) && cuts(expected) == cuts(seen);
    near(expected.frac_reward_zero_std, seen.frac_reward_zero_std) && (amounts || same_signs)
}

/// Whether the signal pays amounts. Their differences inside a group may be small beside them, and a rule that divides by the standard deviation of a group
/// then divides their rounding by it too: 1e-5 becomes 1e-3.
pub(super) fn pays_amounts(recipe: &Ready) -> bool {
    [
        "pass_at_k",
        "tilted",
        "task_plus_prior",
        "empo",
        "self_certainty",
        "rent",
        "entropy_min_tok",
        "log_policy",
        "logprob_mean",
        "log_prior",
        "log_prior_mean",
        "tempered",
    ]
    .contains(&recipe.signal.entry.name)
}

#[test]
fn agrees_with_the_reference_loop() {
    compare(pairs(Mode::Sampled, 0), 1e-3);
}

#[test]
fn agrees_with_the_reference_loop_in_exact_mode() {
    compare(pairs(Mode::Exact, 0), 0.1);
}

/// Logits that leave responses with a probability that `f64` does not hold.
const VANISHED: f64 = 700.0;

/// Both engines on a fleet of every recipe; where amounts are paid, rounding may be `amplification` in the logits.
fn compare(recipes: impl Iterator<Item = Ready>, amplification: f64) {
    let (mut cells, mut close, mut amplified, mut unstable, mut equal, mut vanished, mut worst) = (0, 0, 0, 0, 0, 0, 0.0f64);
    let mut failures = Vec::new();
    for recipe in recipes {
        let made = fleet(&recipe, 19);
        let prompts = prompts(&made);
        let replicas = replicas(&made, &prompts);
        for (replica, seen) in replicas.iter().zip(watch(&replicas, Options::default())) {
            let expected = reference(replica);
            let gap = distance(&expected.skill, &seen.skill).max(distance(&expected.memory, &seen.memory));
            let stats: Vec<StepStats> = seen.snapshots.iter().filter_map(|s| s.stats).collect();
            let amounts = pays_amounts(&recipe);
            let same = expected.stats.iter().zip(&stats).all(|(e, s)| same_counts(e, s, amounts));
            cells += 1;
            if gap < 1e-5 && same {
                worst = worst.max(gap);
            } else if gap < amplification && same && amounts {
                amplified += 1;
            } else if gap < 0.1 && expected.stats.iter().zip(&stats).any(|(e, s)| s.frac_reward_zero_std > e.frac_reward_zero_std) {
                equal += 1;
            } else if expected.skill.iter().chain(&expected.memory).any(|x| x.abs() > VANISHED) {
                vanished += 1;
            } else if same && gap < 100.0 * sensitivity(replica, &expected) {
                unstable += 1;
            } else if expected.closest < CLOSE {
                close += 1;
            } else {
                let (signal, rule) = (recipe.signal.entry.name, recipe.rule.entry.name);
                let moved = sensitivity(replica, &expected);
                failures.push(format!("{signal} with {rule}: {gap:.1e}, counts same: {same}, sensitivity {moved:.1e}"));
            }
        }
    }
    println!(
        "{cells} cells; {close} differ after a uniform within {CLOSE:.1e} of a boundary; largest difference of the others {worst:.1e}"
    );
    println!("{vanished} have responses that vanished from f64");
    println!(
        "{amplified} cells paid by amounts differ by up to {amplification}; {equal} once paid what f32 cannot tell apart; {unstable} are unstable"
    );
    failures.iter().take(60).for_each(|f| println!("{f}"));
    assert!(failures.is_empty(), "{} of {cells} cells differ", failures.len());
    let excused = close + amplified + equal + vanished + unstable;
    assert!(excused * 100 < cells, "{excused} of {cells} cells are excused");
}

/// The curves of both engines, for every recipe of the registry that runs here, mixed in one call.
#[test]
fn curves_are_those_of_the_reference_loop() {
    let cell = |recipe: &Ready, seed: u64, alignment: f64| {
        let mut recipe = recipe.clone();
        let world = &mut recipe.config.world;
        (world.prompts, world.held_out, world.alignment) = (8, 40, alignment);
        recipe.config.train.steps = 8;
        Cell { recipe, seed: Seed(seed) }
    };
    let recipes: Vec<Ready> = crate::recipe::RECIPES.iter().map(|r| Ready::named(r)).collect();
    let supported: Vec<Ready> = recipes.into_iter().filter(|r| supports(r).is_ok()).collect();
    assert_eq!(supported.len(), 19, "all recipes but distill");
    let cells: Vec<Cell> = (0..4).flat_map(|seed| supported.iter().map(move |r| cell(r, seed, 0.2 + 0.2 * seed as f64))).collect();
    for (cell, curves) in cells.iter().zip(run(&cells, Options::default())) {
        let (curves, expected) = (curves.unwrap(), cell.run().unwrap());
        assert_eq!((curves.alignment, &curves.chosen, &curves.steps), (expected.alignment, &expected.chosen, &expected.steps));
        for (metric, (a, b)) in crate::record::metrics().iter().zip(curves.values.iter().zip(&expected.values)) {
            for (a, b) in a.iter().zip(b) {
                let close = match (a, b) {
                    (Some(a), Some(b)) => (a - b).abs() < 2e-5 * (1.0 + b.abs()),
                    _ => a == b,
                };
                assert!(close, "{} of {}, seed {}: {a:?} is not {b:?}", metric.name, cell.recipe.name, cell.seed.0);
            }
        }
    }
}

#[test]
fn neighbours_and_threads_change_nothing() {
    let recipe = pairs(Mode::Sampled, 0).nth(5).unwrap();
    let made = fleet(&recipe, 37);
    let prompts = prompts(&made);
    let replicas = replicas(&made, &prompts);
    let all = watch(&replicas, Options::default());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    assert!(pool.install(|| watch(&replicas, Options::default())) == all);
    for (replica, seen) in replicas.iter().zip(&all) {
        assert!(watch(&[*replica], Options::default()) == [seen.clone()]);
    }
}

/// A penalty of zero beside others that are not: the part of the gradient that it needs not must not reach it by rounding.
#[test]
fn a_cell_is_the_same_beside_cells_of_other_penalties() {
    let cells: Vec<Cell> = (0..6u32)
        .map(|i| {
            let mut recipe = Ready::named(crate::recipe::RECIPES[0]);
            let c = &mut recipe.config;
            (c.world.prompts, c.world.held_out, c.train.steps) = (8, 40, 12);
            c.objective.kl_beta = f64::from(i % 2) * 0.1;
            Cell { recipe, seed: Seed(u64::from(i)) }
        })
        .collect();
    for (cell, together) in cells.iter().zip(run(&cells, Options::default())) {
        let alone = run(std::slice::from_ref(cell), Options::default()).remove(0);
        assert!(together.unwrap() == alone.unwrap(), "seed {}", cell.seed.0);
    }
}

#[test]
fn what_is_not_supported_says_why() {
    let mut recipe = pairs(Mode::Sampled, 0).next().unwrap();
    recipe.config.world.depth = 2;
    assert_eq!(supports(&recipe).unwrap_err().to_string(), "depth = 2: must be 1 in the batched engine");
    let cell = Cell { recipe, seed: Seed(0) };
    assert!(run(&[cell], Options::default())[0].is_err());
}

//! The engine against itself on narrower vectors, bit for bit, and against the reference loop.

use super::*;
use crate::batch::lanes::Vectors;
use crate::memory::Memory;
use crate::policy::{Nudge, Policy, SoftmaxPolicy, Step};
use crate::recipe::Ready;
use crate::rollout::Token;
use crate::rules::RULES;
use crate::run::{StepStats, Training, train};
use crate::signals::SIGNALS;
use crate::stream::{Purpose, Stream};
use rand::Rng;
use std::cell::Cell as Slot;

/// Distance of a uniform from a boundary between arms below which rounding may choose the other arm: 40 sums of 2^-24 each, and half a step of a 24-bit uniform.
const CLOSE: f64 = 2.5e-6;

/// A policy that notes how close its uniforms come to boundaries.
struct Noted<'w> {
    policy: SoftmaxPolicy<'w>,
    depth: usize,
    closest: Slot<f64>,
}

impl Noted<'_> {
    /// Notes the uniforms that the tokens of one prompt's responses were drawn by.
    fn note(&self, prompt: usize, words: &Stream, responses: &[Vec<Token>]) {
        let mut sums: HashMap<(Option<usize>, usize), Vec<f64>> = HashMap::new();
        for (i, tokens) in responses.iter().enumerate() {
            let mut node = self.policy.memory(prompt).root();
            for (h, token) in tokens.iter().enumerate() {
                let running = |sum: &mut f64, p: f64| {
                    *sum += p;
                    Some(*sum)
                };
                let sums = sums
                    .entry((node, h))
                    .or_insert_with(|| self.policy.choice(prompt, node, h).probs.into_iter().scan(0.0, |sum, p| running(sum, p)).collect());
                let uniform = words.uniform((i * self.depth + h) as u64);
                self.closest.set(sums.iter().map(|sum| (uniform - sum).abs()).fold(self.closest.get(), f64::min));
                node = node.and_then(|node| self.policy.memory(prompt).child(node, token.id));
            }
        }
    }
}

impl Policy for Noted<'_> {
    fn sample(&self, prompts: &[(usize, Stream)], count: usize) -> Vec<Vec<Vec<Token>>> {
        let groups = self.policy.sample(prompts, count);
        prompts.iter().zip(&groups).for_each(|((prompt, words), group)| self.note(*prompt, words, group));
        groups
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
struct Expected {
    stats: Vec<StepStats>,
    skill: Vec<f64>,
    memory: Vec<f64>,
    nodes: Vec<Node>,
    closest: f64,
}

fn reference(replica: &Replica) -> Expected {
    let (world, config) = (replica.world, &replica.recipe.config);
    let policy = SoftmaxPolicy::new(&world.task, &world.base, config.policy.sharing);
    let mut noted = Noted { policy, depth: config.world.depth, closest: Slot::new(1.0) };
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
    let shape = shape::Shape::of(replica.recipe);
    let (memory, nodes) = if shape.is_tree() {
        (Vec::new(), shape.domain.flat_map(|prompt| nodes(noted.policy.memory(prompt), prompt)).collect())
    } else {
        (shape.domain.flat_map(memory).collect(), Vec::new())
    };
    Expected { stats, skill: noted.policy.skill().iter().copied().collect(), memory, nodes, closest: noted.closest.get() }
}

/// The nodes of a prompt's memory.
fn nodes(memory: &Memory, prompt: usize) -> Vec<Node> {
    let mut found: Vec<Node> = Vec::new();
    let mut open: Vec<(usize, Vec<u32>)> = memory.root().map(|root| (root, Vec::new())).into_iter().collect();
    while let Some((node, path)) = open.pop() {
        open.extend(memory.children(node).map(|(token, child)| (child, [&path[..], &[token as u32]].concat())));
        found.push(Node { prompt, path, logits: memory.logits(node).to_vec() });
    }
    found
}

/// A random configuration of a recipe.
fn vary(recipe: &mut Ready, dice: &mut Stream) {
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

/// A random configuration of a recipe on trees.
fn vary_tree(recipe: &mut Ready, dice: &mut Stream) {
    vary(recipe, dice);
    let c = &mut recipe.config;
    (c.world.vocab, c.world.depth, c.world.end_token) = (dice.random_range(3..12), dice.random_range(2..5), dice.random_bool(0.3));
    (c.world.prompts, c.world.held_out) = (dice.random_range(1..4), dice.random_range(1..6));
    (c.world.good_tokens, c.world.bad_quality) = (2, 0.4);
    if dice.random_bool(0.3) {
        c.objective.gamma = dice.random_range(0.7..1.0);
    }
    if dice.random_bool(0.5) {
        use crate::config::LossAgg::*;
        let all = [TokenMean, TokenMeanLocal, SeqMeanTokenSum, SeqMeanTokenMean, SeqMeanTokenSumNorm];
        c.objective.loss_agg_mode = *dice.pick(50, &all);
        c.train.micro_batches = dice.random_range(1..=c.train.train_batch_size / c.train.minibatches);
    }
    if dice.random_bool(0.5) {
        use crate::config::RatioLevel::*;
        c.objective.importance_sampling_level = *dice.pick(51, &[Token, Sequence, SequenceProduct]);
    }
}

/// Worlds and recipes for one fleet: seeds, alignments and step sizes differ.
fn fleet(recipe: &Ready, size: u64) -> Vec<(World, Ready)> {
    let one = |i: u64| {
        let mut own = recipe.clone();
        own.config.world.alignment = 0.1 + 0.8 * i as f64 / size as f64;
        own.config.train.learning_rate *= 1.0 + i as f64 / size as f64;
        (World::new(&own.config.world, Seed(1000 + i)).unwrap(), own)
    };
    (0..size).map(one).collect()
}

fn replicas<'a>(made: &'a [(World, Ready)], prompts: &'a [Vec<usize>]) -> Vec<Replica<'a>> {
    made.iter().zip(prompts).map(|((world, recipe), prompts)| Replica { world, recipe, prompts, dice: world.seed }).collect()
}

fn prompts(made: &[(World, Ready)]) -> Vec<Vec<usize>> {
    made.iter().map(|(world, recipe)| choose(world, recipe)).collect()
}

/// Every pair of signal and rule the engine runs, in a random configuration.
fn pairs() -> impl Iterator<Item = Ready> {
    varied(vary)
}

/// The same on trees.
fn tree_pairs() -> impl Iterator<Item = Ready> {
    varied(vary_tree)
}

fn varied(vary: fn(&mut Ready, &mut Stream)) -> impl Iterator<Item = Ready> {
    SIGNALS.iter().flat_map(|signal| RULES.iter().map(move |rule| (signal, rule))).enumerate().filter_map(move |(i, (signal, rule))| {
        let mut recipe = Ready::new("random", signal, rule);
        vary(&mut recipe, &mut Seed(77).stream(Purpose::Population, 0, i));
        (recipe.validate().is_ok() && supports(&recipe).is_ok()).then_some(recipe)
    })
}

#[test]
fn every_width_gives_the_same_bits() {
    for recipe in pairs().step_by(3).chain(tree_pairs().step_by(7)) {
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
fn distance(a: &[f64], b: &[f64]) -> f64 {
    let size = a.iter().fold(1.0f64, |m, x| m.max(x.abs()));
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max) / size
}

/// How far the reference loop itself moves when its step size is changed by 1e-7 of itself.
fn sensitivity(replica: &Replica, expected: &Expected) -> f64 {
    let mut recipe = replica.recipe.clone();
    recipe.config.train.learning_rate *= 1.0 + 1e-7;
    let moved = reference(&Replica { recipe: &recipe, ..*replica });
    distance(&expected.skill, &moved.skill).max(distance(&expected.memory, &moved.memory)).max(node_distance(&expected.nodes, &moved.nodes))
}

/// Largest difference of the logits of nodes over the larger of 1 and the largest; of a node that only one side has, they are 0 on the other.
fn node_distance(a: &[Node], b: &[Node]) -> f64 {
    let place = |node: &Node| (node.prompt, node.path.clone());
    let (a, b): (HashMap<_, &Node>, HashMap<_, &Node>) =
        (a.iter().map(|n| (place(n), n)).collect(), b.iter().map(|n| (place(n), n)).collect());
    let size = a.values().flat_map(|n| &n.logits).fold(1.0f64, |m, x| m.max(x.abs()));
    let logit = |of: &HashMap<_, &Node>, at, v: usize| of.get(at).and_then(|n| n.logits.get(v)).copied().unwrap_or(0.0);
    let gap = |at| (0..64).map(|v| (logit(&a, at, v) - logit(&b, at, v)).abs()).fold(0.0, f64::max);
    a.keys().chain(b.keys()).map(gap).fold(0.0, f64::max) / size
}

/// Same samples and rewards as far as they show: shares of right, agreeing and clipped rollouts and of flat groups.
/// Amounts that are equal but for rounding may make a group flat on one side only.
fn same_counts(expected: &StepStats, seen: &StepStats, amounts: bool) -> bool {
    let near = |a: f64, b: f64| (a - b).abs() < 1e-5;
    near(expected.reward_accuracy, seen.reward_accuracy)
        && (amounts || near(expected.frac_reward_zero_std, seen.frac_reward_zero_std))
        && near(expected.mean_length / 10.0, seen.mean_length / 10.0)
        && near(expected.clipped.tokens / 1e6, seen.clipped.tokens / 1e6)
}

/// Same ratios cut. Where rewards are amounts, an advantage that is 0 but for rounding may have either sign.
fn same_cuts(expected: &StepStats, seen: &StepStats) -> bool {
    (expected.clipped.low, expected.clipped.high) == (seen.clipped.low, seen.clipped.high)
}

/// Whether the signal pays amounts. Their differences inside a group may be small beside them, and a rule that divides by the standard deviation of a group
/// then divides their rounding by it too: 1e-5 becomes 1e-3.
fn pays_amounts(recipe: &Ready) -> bool {
    let o = &recipe.config.objective;
    if o.kl_beta > 0.0 && o.kl_place == crate::config::KlPlace::Reward {
        return true;
    }
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

/// Whether rewards are divided by a standard deviation, which may be that of rounding where amounts are equal but for it.
fn divides_by_deviation(recipe: &Ready) -> bool {
    use crate::config::Scale;
    let o = &recipe.config.objective;
    o.whiten || matches!(o.scale, Scale::GroupStd | Scale::BatchStd)
}

#[test]
fn agrees_with_the_reference_loop() {
    compare(pairs());
}

#[test]
fn trees_agree_with_the_reference_loop() {
    compare(tree_pairs());
}

fn compare(recipes: impl Iterator<Item = Ready>) {
    let (mut cells, mut close, mut amplified, mut drowned, mut unstable, mut worst) = (0, 0, 0, 0, 0, 0.0f64);
    let mut failures = Vec::new();
    for recipe in recipes {
        let made = fleet(&recipe, 19);
        let prompts = prompts(&made);
        let replicas = replicas(&made, &prompts);
        let seen = watch(&replicas, Options::default()).into_iter().zip(recall(&replicas, Options::default()));
        for (replica, (seen, nodes)) in replicas.iter().zip(seen) {
            let expected = reference(replica);
            let gap = distance(&expected.skill, &seen.skill).max(distance(&expected.memory, &seen.memory));
            let gap = gap.max(node_distance(&expected.nodes, &nodes));
            let stats: Vec<StepStats> = seen.snapshots.iter().filter_map(|s| s.stats).collect();
            let amounts = pays_amounts(&recipe);
            let same = expected.stats.iter().zip(&stats).all(|(e, s)| same_counts(e, s, amounts) && (amounts || same_cuts(e, s)));
            cells += 1;
            if gap < 1e-5 && same {
                worst = worst.max(gap);
            } else if gap < 1e-3 && same && amounts {
                amplified += 1;
            } else if same && gap < 100.0 * sensitivity(replica, &expected) {
                unstable += 1;
            } else if expected.closest < CLOSE {
                close += 1;
            } else if amounts && divides_by_deviation(&recipe) && gap < 0.5 {
                drowned += 1;
            } else {
                let (signal, rule) = (recipe.signal.entry.name, recipe.rule.entry.name);
                let moved = sensitivity(replica, &expected);
                failures.push(format!("{signal} with {rule}: {gap:.1e}, counts same: {same}, sensitivity {moved:.1e}, {}", odd(&recipe)));
            }
        }
    }
    println!(
        "{cells} cells; {close} differ after a uniform within {CLOSE:.1e} of a boundary; largest difference of the others {worst:.1e}"
    );
    println!("{amplified} cells paid by amounts differ by up to 1e-3, {drowned} by more; {unstable} are unstable");
    failures.iter().take(60).for_each(|f| println!("{f}"));
    assert!(failures.is_empty(), "{} of {cells} cells differ", failures.len());
    assert!(
        close * 200 < cells && amplified * 100 < cells && unstable * 200 < cells && drowned * 400 < cells,
        "too many cells are excused"
    );
}

/// What may make a configuration differ.
fn odd(recipe: &Ready) -> String {
    let c = &recipe.config;
    let (w, t, o) = (&c.world, &c.train, &c.objective);
    let world = format!("depth {} vocab {} end {} sharing {}", w.depth, w.vocab, w.end_token, c.policy.sharing);
    let rule = format!(
        "kl {} bonus {} gamma {} {} {}",
        o.kl_beta,
        o.entropy_coeff,
        o.gamma,
        o.loss_agg_mode.name(),
        o.importance_sampling_level.name()
    );
    format!("{world}, {} minibatches, {} passes, {rule}", t.minibatches, t.num_iterations)
}

/// The curves of both engines, for every recipe of the registry that runs here, mixed in one call.
#[test]
fn curves_are_those_of_the_reference_loop() {
    let cell = |recipe: &Ready, seed: u64, alignment: f64| {
        let mut recipe = recipe.clone();
        let world = &mut recipe.config.world;
        (world.prompts, world.held_out, world.alignment) = (8, 40, alignment);
        recipe.config.train.steps = 8;
        // bandits, trees, trees that may end early
        (world.depth, world.end_token) = (1 + seed as usize % 3, seed % 3 == 2);
        if world.depth > 1 {
            (world.vocab, world.bad_quality) = (8, 0.2);
        }
        Cell { recipe, seed: Seed(seed) }
    };
    let recipes: Vec<Ready> = crate::recipe::RECIPES.iter().map(|r| Ready::named(r)).collect();
    let supported: Vec<Ready> = recipes.into_iter().filter(|r| supports(r).is_ok()).collect();
    assert_eq!(supported.len(), 19, "all recipes but distill");
    let cells: Vec<Cell> = (0..6).flat_map(|seed| supported.iter().map(move |r| cell(r, seed, 0.2 + 0.1 * seed as f64))).collect();
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

/// Mean chance of a right response over the domain after evaluated steps, in the reference loop, and the closest uniform.
fn reference_success(replica: &Replica) -> (Vec<f64>, f64) {
    let (world, config) = (replica.world, &replica.recipe.config);
    let policy = SoftmaxPolicy::new(&world.task, &world.base, config.policy.sharing);
    let mut noted = Noted { policy, depth: config.world.depth, closest: Slot::new(1.0) };
    let training = Training {
        config,
        signal: replica.recipe.signal,
        environment: &world.task,
        prompts: replica.prompts,
        teacher: None,
        seed: replica.dice,
    };
    let domain = shape::Shape::of(replica.recipe).domain;
    let mean = |policy: &SoftmaxPolicy| {
        domain.clone().map(|x| crate::measure::summary(policy, &world.task, x).success).sum::<f64>() / domain.len() as f64
    };
    let mut trail = vec![mean(&noted.policy)];
    train(&mut noted, &training, &mut |step, noted: &Noted, _| {
        if config.train.evaluates(step) {
            trail.push(mean(&noted.policy));
        }
    });
    (trail, noted.closest.get())
}

/// A tree whose right responses are listed: about every third.
fn listed(vocab: usize, depth: usize, seed: u64) -> World {
    let mut dice = Seed(seed).stream(Purpose::Population, 1, 0);
    let right: Vec<bool> = (0..vocab.pow(depth as u32)).map(|_| dice.random_bool(0.3)).collect();
    World::listed(ndarray::Array2::from_shape_fn((depth, vocab), |_| dice.random_range(-1.0..1.0)), &right, Seed(seed))
}

#[test]
fn success_is_that_of_the_reference_loop() {
    let grpo = |sharing: f64, size: [usize; 3]| {
        let mut recipe = Ready::new("success", SIGNALS[0], RULES[0]);
        let c = &mut recipe.config;
        [c.world.vocab, c.world.depth, c.world.prompts] = size;
        (c.world.bad_quality, c.train.steps, c.train.eval_every) = (0.3, 12, 3);
        (c.train.train_batch_size, c.train.group_size, c.policy.sharing) = (2, 8, sharing);
        c.world.held_out = 0;
        recipe
    };
    let (mut seen, mut close) = (0, 0);
    for (sharing, size, is_listed) in
        [(0.0, [4, 3, 1], true), (0.0, [9, 2, 1], true), (0.0, [6, 4, 3], false), (0.5, [6, 3, 3], false), (0.0, [33, 2, 2], false)]
    {
        let recipe = grpo(sharing, size);
        let made: Vec<(World, Ready)> =
            if is_listed { (0..19).map(|i| (listed(size[0], size[1], i / 4), recipe.clone())).collect() } else { fleet(&recipe, 19) };
        let prompts: Vec<Vec<usize>> = made.iter().map(|_| (0..size[2]).collect()).collect();
        let mut replicas = replicas(&made, &prompts);
        replicas.iter_mut().enumerate().for_each(|(i, replica)| replica.dice = Seed(i as u64));
        let trails = success(&replicas, Options::default());
        assert!(trails == success(&replicas, Options { vectors: Vectors::Scalar }));
        for (replica, trail) in replicas.iter().zip(trails) {
            let (expected, closest) = reference_success(replica);
            assert_eq!(trail.len(), expected.len());
            seen += 1;
            if trail.iter().zip(&expected).any(|(a, b)| (a - b).abs() > 2e-5) {
                assert!(closest < CLOSE, "{size:?} {sharing}: {trail:?} is not {expected:?}");
                close += 1;
            }
        }
    }
    assert!(close * 10 < seen, "{close} of {seen} are excused");
}

#[test]
fn neighbours_and_threads_change_nothing() {
    for recipe in [pairs().nth(5), tree_pairs().nth(5), tree_pairs().nth(300)] {
        neighbours_change_nothing(&recipe.unwrap());
    }
}

fn neighbours_change_nothing(recipe: &Ready) {
    let made = fleet(recipe, 37);
    let prompts = prompts(&made);
    let replicas = replicas(&made, &prompts);
    let all = watch(&replicas, Options::default());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    assert!(pool.install(|| watch(&replicas, Options::default())) == all);
    for (replica, seen) in replicas.iter().zip(&all) {
        assert!(watch(&[*replica], Options::default()) == [seen.clone()]);
    }
}

#[test]
fn what_is_not_supported_says_why() {
    let mut recipe = pairs().next().unwrap();
    recipe.config.train.mode = crate::config::Mode::Exact;
    assert_eq!(supports(&recipe).unwrap_err().to_string(), "mode = exact: must be sampled in the batched engine");
    let cell = Cell { recipe, seed: Seed(0) };
    assert!(run(&[cell], Options::default())[0].is_err());
}

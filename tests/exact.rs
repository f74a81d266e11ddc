//! The number 1 test: sampled training converges to exact training, for every signal with every rule; and exact training follows the true gradient.

mod common;

use common::{all_pairs, close, mean, rule, signal, small_world, std};
use mta_sim::sims::config::{Config, Geometry, KlForm, KlPlace, Mode, Objective, World as WorldSettings};
use mta_sim::sims::measure::summary;
use mta_sim::sims::policy::{Policy, SoftmaxPolicy};
use mta_sim::sims::prior::Prior;
use mta_sim::sims::registry::Named;
use mta_sim::sims::rollout::Token;
use mta_sim::sims::rules::{RULES, Rule};
use mta_sim::sims::run::{Training, train};
use mta_sim::sims::signals::Signal;
use mta_sim::sims::stream::Seed;
use mta_sim::sims::world::World;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Step size at which an update is its own first-order term, and yet far above rounding.
const TINY: f64 = 1e-6;

// ---- worlds ------------------------------------------------------------------------------------------------------------------------------

/// The three small worlds: a bandit, a tree, and a tree whose responses may stop early. In each, prompts are neither hopeless nor solved, the most likely
/// response leads by a margin (so that a majority of many votes is no accident), and is right for some training prompts and wrong for others.
fn worlds() -> [World; 3] {
    let settings = |vocab, depth, end_token, bad_quality| WorldSettings {
        bad_quality,
        format_rate: 0.8,
        confidence: 1.5,
        end_logit: -0.5,
        ..small_world(vocab, depth, end_token)
    };
    [settings(5, 1, false, 0.3), settings(3, 2, false, 0.4), settings(3, 2, true, 0.4)].map(|settings| telling_world(&settings))
}

fn telling_world(settings: &WorldSettings) -> World {
    let worlds = (0..).map(|seed| World::new(settings, Seed(seed)).unwrap());
    worlds.take(100_000).find(is_telling).expect("some world tells rules apart")
}

fn is_telling(world: &World) -> bool {
    let policy = trained_a_little(world);
    let summaries: Vec<_> = world.training().map(|x| summary(&policy, &world.task, x)).collect();
    let modes = summaries.iter().filter(|s| s.mode_is_correct()).count();
    let mislabelled = world.training().filter(|&x| world.task.label(x).luck < 0.5).count();
    summaries.iter().all(|s| (0.25..0.75).contains(&s.success))
        && world.training().all(|x| lead_of_the_mode(&policy, x) > 0.12)
        && (1..3).contains(&modes)
        && (1..3).contains(&mislabelled)
}

/// How much likelier the most likely response is than the next.
fn lead_of_the_mode(policy: &SoftmaxPolicy, prompt: usize) -> f64 {
    let mut chances: Vec<f64> = policy.enumerate(prompt).iter().map(|y| chance(y)).collect();
    chances.sort_by(|x, y| y.total_cmp(x));
    chances[0] - chances[1]
}

fn chance(tokens: &[Token]) -> f64 {
    tokens.iter().map(|t| t.logprob).sum::<f64>().exp()
}

/// A policy away from the base model, with skill and with memory on every node, so that no term of any rule is zero by symmetry.
fn trained_a_little(world: &World) -> SoftmaxPolicy<'_> {
    let mut policy = SoftmaxPolicy::new(&world.task, &world.base, 0.5);
    let mut config = Config { world: world.task.settings.clone(), objective: rule("pg").objective.clone(), ..Config::DEFAULT };
    (config.train.mode, config.train.steps, config.train.learning_rate, config.train.train_batch_size) = (Mode::Exact, 2, 0.3, 3);
    let prompts: Vec<usize> = world.training().collect();
    train(&mut policy, &training(world, &config, signal("log_prior"), &prompts, 0), &mut |_, _, _| {});
    policy
}

fn training<'a>(
    world: &'a World,
    config: &'a Config,
    signal: &'static Signal,
    prompts: &'a [usize],
    seed: u64,
) -> Training<'a, mta_sim::sims::task::Task> {
    Training { config, signal, environment: &world.task, prompts, teacher: None, seed: Seed(seed) }
}

// ---- one update --------------------------------------------------------------------------------------------------------------------------

/// An update to be made in both modes: what pays, how it is used, on which prompts.
#[derive(Clone)]
struct Update<'a> {
    world: &'a World,
    start: &'a SoftmaxPolicy<'a>,
    signal: &'static Signal,
    config: Config,
    prompts: Vec<usize>,
    teacher: Option<&'a SoftmaxPolicy<'a>>,
}

impl<'a> Update<'a> {
    fn new(world: &'a World, start: &'a SoftmaxPolicy<'a>, signal: &'static Signal, objective: &Objective, prompts: &[usize]) -> Self {
        let mut config = Config { world: world.task.settings.clone(), objective: objective.clone(), ..Config::DEFAULT };
        (config.train.steps, config.train.learning_rate, config.train.train_batch_size) = (1, TINY, prompts.len());
        (config.signal.label_noise, config.signal.pass_k) = (0.5, 3);
        Update { world, start, signal, config, prompts: prompts.to_vec(), teacher: None }
    }

    /// The expected update. Memory takes a prompt's whole gradient as often as the batch draws it, so the batch's size counts here too.
    fn exact(&self, size: Size) -> Vec<f64> {
        self.run(|train| (train.mode, train.train_batch_size) = (Mode::Exact, size.prompts), 0)
    }

    fn sampled(&self, size: Size, seed: u64) -> Vec<f64> {
        self.run(|train| (train.train_batch_size, train.group_size) = (size.prompts, size.group), seed)
    }

    /// How the log-probability of every token of every response changes, per unit of step size: of the trained prompts, and of one held out.
    fn run(&self, set: impl Fn(&mut mta_sim::sims::config::Train), seed: u64) -> Vec<f64> {
        let mut config = self.config.clone();
        set(&mut config.train);
        let mut policy = self.start.clone();
        let teacher = self.teacher.map(|t| t as &dyn Policy);
        let training = Training { teacher, ..training(self.world, &config, self.signal, &self.prompts, seed) };
        train(&mut policy, &training, &mut |_, _, _| {});
        let seen = self.prompts.iter().copied().chain(self.world.held_out().take(1));
        let change =
            |x| logprobs(&policy, x).into_iter().zip(logprobs(self.start, x)).map(|(new, old)| (new - old) / config.train.learning_rate);
        seen.flat_map(change).collect()
    }

    /// Distance of the mean sampled update, over `size.repeats` seeds, from the exact one, and the standard error of that distance; both in units of
    /// 1 + the size of the exact update.
    fn error(&self, size: Size) -> Error {
        let exact = self.exact(size);
        let runs: Vec<Vec<f64>> = (0..size.repeats).map(|seed| self.sampled(size, seed)).collect();
        let column = |i: usize| runs.iter().map(|run| run[i]).collect::<Vec<f64>>();
        let norm = |f: &dyn Fn(usize) -> f64| (0..exact.len()).map(|i| f(i).powi(2)).sum::<f64>().sqrt();
        let unit = 1.0 + norm(&|i| exact[i]);
        let (distance, noise) = (norm(&|i| mean(&column(i)) - exact[i]), norm(&|i| std(&column(i), 1)) / (size.repeats as f64).sqrt());
        Error { distance: distance / unit, noise: noise / unit }
    }
}

fn logprobs(policy: &SoftmaxPolicy, prompt: usize) -> Vec<f64> {
    policy.enumerate(prompt).iter().flatten().map(|t| t.logprob).collect()
}

/// Prompts per batch, rollouts per prompt, and how often to repeat.
#[derive(Clone, Copy, Debug)]
struct Size {
    prompts: usize,
    group: usize,
    repeats: u64,
}

#[derive(Clone, Copy, Debug)]
struct Error {
    distance: f64,
    noise: f64,
}

/// Why a sampled update is not converging at the rate 1/G, if it is not: what is left at the larger size must be noise (4 standard errors), or at most twice
/// the share of the smaller size's error that the rate leaves.
fn complaint(update: &Update, small: Size, large: Size) -> Option<String> {
    let (before, after) = (update.error(small), update.error(large));
    let rate = small.group as f64 / large.group as f64;
    let allowed = 4.0 * after.noise + 2.0 * rate * (before.distance + 4.0 * before.noise) + 1e-8;
    (after.distance > allowed || !after.distance.is_finite()).then(|| format!("small: {before:.4?}, large: {after:.4?}"))
}

fn assert_all_converge(updates: &[(String, Update)], small: Size, large: Size) {
    let complaints: Vec<String> =
        updates.par_iter().filter_map(|(name, update)| complaint(update, small, large).map(|c| format!("{name}: {c}"))).collect();
    assert!(complaints.is_empty(), "{} of {} do not converge:\n{}", complaints.len(), updates.len(), complaints.join("\n"));
}

/// Rules that have a sampled form; the natural gradient weighs every token by how rarely it is reached, which takes all responses.
fn can_be_sampled(rule: &Rule) -> bool {
    rule.objective.geometry == Geometry::Euclidean
}

/// Every signal with every rule that can be sampled, on one prompt after the other.
fn assert_every_pair_converges(world: &World) {
    let start = trained_a_little(world);
    let pairs = all_pairs().filter(|(_, rule)| can_be_sampled(rule));
    let updates = pairs.flat_map(|(signal, rule)| world.training().map(move |x| (signal, rule, x))).map(|(signal, rule, x)| {
        let name = format!("{} x {} on prompt {x}", signal.name(), rule.name());
        (name, Update::new(world, &start, signal, &rule.objective, &[x]))
    });
    assert_all_converge(&updates.collect::<Vec<_>>(), SMALL, LARGE);
}

const SMALL: Size = Size { prompts: 1, group: 32, repeats: 24 };
const LARGE: Size = Size { prompts: 1, group: 512, repeats: 8 };

#[test]
fn every_signal_with_every_rule_converges_on_the_bandit() {
    assert_every_pair_converges(&worlds()[0]);
}

#[test]
fn every_signal_with_every_rule_converges_on_the_tree() {
    assert_every_pair_converges(&worlds()[1]);
}

#[test]
fn every_signal_with_every_rule_converges_where_responses_may_stop() {
    assert_every_pair_converges(&worlds()[2]);
}

// ---- batches of several prompts, several updates per batch -------------------------------------------------------------------------------

/// Statistics taken over the batch (whitening, batch standard deviation, token means, Beta fits) converge with the number of prompts drawn.
#[test]
fn every_rule_converges_on_batches_of_prompts() {
    let world = &worlds()[2];
    let start = trained_a_little(world);
    let prompts: Vec<usize> = world.training().collect();
    let rules = RULES.iter().filter(|rule| can_be_sampled(rule));
    let updates =
        rules.map(|rule| (rule.name().to_string(), Update::new(world, &start, signal("ground_truth"), &rule.objective, &prompts)));
    let (small, large) = (Size { prompts: 12, group: 32, repeats: 16 }, Size { prompts: 96, group: 256, repeats: 6 });
    assert_all_converge(&updates.collect::<Vec<_>>(), small, large);
}

/// Three passes over one batch with a large step: ratios leave the clip range, KL terms bite, and both modes still go the same way.
#[test]
fn several_passes_over_a_batch_converge() {
    let world = &worlds()[2];
    let start = trained_a_little(world);
    let updates = off_policy_variants().into_iter().map(|(name, objective)| {
        let mut update = Update::new(world, &start, signal("ground_truth"), &objective, &[0]);
        (update.config.train.num_iterations, update.config.train.learning_rate) = (3, 0.7);
        (name, update)
    });
    assert_all_converge(&updates.collect::<Vec<_>>(), SMALL, LARGE);
}

/// Every rule off-policy, and GRPO with each KL term in each place, an entropy bonus, a discount.
fn off_policy_variants() -> Vec<(String, Objective)> {
    let grpo = &rule("grpo").objective;
    let rules = RULES.iter().filter(|rule| can_be_sampled(rule)).map(|rule| (rule.name().to_string(), rule.objective.clone()));
    let kl = [KlForm::K1, KlForm::K2, KlForm::K3, KlForm::K3Plus].into_iter().flat_map(|kl_form| {
        [KlPlace::Loss, KlPlace::Reward].map(|kl_place| {
            let name = format!("grpo with {} in the {}", kl_form.name(), kl_place.name());
            (name, Objective { kl_beta: 0.5, kl_form, kl_place, ..grpo.clone() })
        })
    });
    let others = [
        ("entropy bonus".to_string(), Objective { entropy_coeff: 0.3, ..grpo.clone() }),
        ("discount".to_string(), Objective { gamma: 0.7, ..grpo.clone() }),
    ];
    rules.chain(kl).chain(others).collect()
}

/// A stronger sampler: the update is off-policy from the first pass, and both modes weigh by the sampler. ReMax on coins is the sharp case: under another's
/// samples its baseline, the greedy response's expected reward, matters in the mean.
#[test]
fn learning_from_a_teacher_converges() {
    let world = &worlds()[2];
    let start = trained_a_little(world);
    let stronger = Prior::new(&world.task, world.seed, 1.0, 2.0);
    let teacher = SoftmaxPolicy::new(&world.task, &stronger, 0.0);
    let pairs = ["constant", "ground_truth", "noisy", "log_policy"]
        .into_iter()
        .flat_map(|s| ["reinforce", "remax", "grpo", "dapo"].map(|r| (s, r)));
    let updates = pairs.flat_map(|(s, r)| world.training().map(move |x| (s, r, x))).map(|(s, r, x)| {
        let update = Update::new(world, &start, signal(s), &rule(r).objective, &[x]);
        (format!("{s} x {r} on prompt {x}"), Update { teacher: Some(&teacher), ..update })
    });
    // many repeats, for the greedy response tosses one coin per group however large
    assert_all_converge(&updates.collect::<Vec<_>>(), Size { repeats: 100, ..SMALL }, Size { repeats: 100, ..LARGE });
}

/// Prompts without signal are dropped in both modes, and those kept count equally: a hopeless prompt does not shift weight among the others.
#[test]
fn dropping_hopeless_prompts_converges() {
    let hopeless = (0..).map(|seed| World::new(&small_world(5, 1, false), Seed(seed)).unwrap()).find(one_of_three_is_hopeless).unwrap();
    let start = SoftmaxPolicy::new(&hopeless.task, &hopeless.base, 0.5);
    let prompts: Vec<usize> = hopeless.training().collect();
    let updates = ["dapo", "dapo_mta"].map(|name| {
        let mut objective = rule(name).objective.clone();
        objective.max_num_gen_batches = 10;
        (name.to_string(), Update::new(&hopeless, &start, signal("ground_truth"), &objective, &prompts))
    });
    let (small, large) = (Size { prompts: 12, group: 32, repeats: 64 }, Size { prompts: 96, group: 256, repeats: 24 });
    assert_all_converge(&updates, small, large);
}

fn one_of_three_is_hopeless(world: &World) -> bool {
    let base = SoftmaxPolicy::new(&world.task, &world.base, 0.0);
    let success = |x| summary(&base, &world.task, x).success;
    success(2) == 0.0 && [0, 1].iter().all(|&x| (0.2..0.8).contains(&success(x)))
}

// ---- exact updates against finite differences --------------------------------------------------------------------------------------------

/// The logits of one prompt's tree: path to a node -> one number per action.
type Logits = BTreeMap<Vec<u32>, Vec<f64>>;

fn ids(tokens: &[Token]) -> Vec<u32> {
    tokens.iter().map(|t| t.id).collect()
}

/// The policy's tree for `prompt`, its log-probabilities as logits.
fn logits(policy: &SoftmaxPolicy, prompt: usize) -> Logits {
    let mut tree: BTreeMap<Vec<u32>, BTreeMap<u32, f64>> = BTreeMap::new();
    for tokens in policy.enumerate(prompt) {
        for (t, token) in tokens.iter().enumerate() {
            tree.entry(ids(&tokens[..t])).or_default().insert(token.id, token.logprob);
        }
    }
    tree.into_iter().map(|(path, row)| (path, row.into_values().collect())).collect()
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let total: f64 = logits.iter().map(|l| l.exp()).sum();
    logits.iter().map(|l| l.exp() / total).collect()
}

fn entropy(logits: &[f64]) -> f64 {
    -softmax(logits).iter().map(|p| p * p.ln()).sum::<f64>()
}

/// All responses with their probabilities under `tree`.
fn responses(policy: &SoftmaxPolicy, prompt: usize, tree: &Logits) -> Vec<(Vec<u32>, f64)> {
    let chance = |y: &[u32]| (0..y.len()).map(|t| softmax(&tree[&y[..t]])[y[t] as usize]).product::<f64>();
    policy.enumerate(prompt).iter().map(|tokens| ids(tokens)).map(|y| (y.clone(), chance(&y))).collect()
}

/// Gradient of `f` in every logit of `tree`, by central differences.
fn gradient(tree: &Logits, f: &dyn Fn(&Logits) -> f64) -> Logits {
    let h = 1e-5;
    let moved = |path: &Vec<u32>, v: usize, by: f64| {
        let mut other = tree.clone();
        other.get_mut(path).unwrap()[v] += by;
        f(&other)
    };
    let slope = |path: &Vec<u32>, v: usize| (moved(path, v, h) - moved(path, v, -h)) / (2.0 * h);
    tree.iter().map(|(path, row)| (path.clone(), (0..row.len()).map(|v| slope(path, v)).collect())).collect()
}

/// The base model before and after an exact step on `prompts`: of memory only (`sharing` 0) or skill only (1).
fn exact_step<'a>(
    world: &'a World,
    sharing: f64,
    signal: &'static Signal,
    objective: &Objective,
    prompts: &[usize],
) -> (SoftmaxPolicy<'a>, SoftmaxPolicy<'a>) {
    let start = SoftmaxPolicy::new(&world.task, &world.base, sharing);
    let mut config = Update::new(world, &start, signal, objective, prompts).config;
    config.train.mode = Mode::Exact;
    let mut policy = start.clone();
    train(&mut policy, &training(world, &config, signal, prompts, 0), &mut |_, _, _| {});
    (start, policy)
}

/// How logits moved per unit of step size, up to a constant per node: the change of log-probabilities.
fn moves(start: &SoftmaxPolicy, policy: &SoftmaxPolicy, prompt: usize) -> Logits {
    let (old, new) = (logits(start, prompt), logits(policy, prompt));
    let change = |path: &Vec<u32>, row: &Vec<f64>| row.iter().zip(&old[path]).map(|(n, o)| (n - o) / TINY).collect();
    new.iter().map(|(path, row)| (path.clone(), change(path, row))).collect()
}

/// What a move of the logits by `slope` does to log-probabilities: less its mean under the policy, node by node.
fn centred(tree: &Logits, slope: &Logits) -> Logits {
    let less_mean = |path: &Vec<u32>, row: &Vec<f64>| {
        let middle: f64 = softmax(&tree[path]).iter().zip(row).map(|(p, g)| p * g).sum();
        row.iter().map(|g| g - middle).collect()
    };
    slope.iter().map(|(path, row)| (path.clone(), less_mean(path, row))).collect()
}

fn assert_same_moves(got: &Logits, expected: &Logits, what: &str) {
    assert!(got.keys().eq(expected.keys()) && got.values().flatten().any(|x| x.abs() > 1e-3), "{what}: nothing moved");
    for (path, row) in got {
        let same = row.iter().zip(&expected[path]).all(|(x, y)| close(*x, *y, 1e-5));
        assert!(same, "{what} at {path:?}: {row:?} is not {:?}", expected[path]);
    }
}

fn correct(world: &World, prompt: usize, y: &[u32]) -> f64 {
    f64::from(world.task.judge(prompt, y.iter().copied()).correct)
}

/// A functional of the tree, with the policy it started from at hand.
type Functional = dyn Fn(&World, &SoftmaxPolicy, &Logits) -> f64;

/// Panics unless an exact step of memory follows the gradient of `f` on every world.
fn assert_ascends(signal: &'static Signal, objective: &Objective, f: &Functional, what: &str) {
    for world in &worlds() {
        let (start, policy) = exact_step(world, 0.0, signal, objective, &[0]);
        let tree = logits(&start, 0);
        let slope = gradient(&tree, &|tree| f(world, &start, tree));
        assert_same_moves(&moves(&start, &policy, 0), &centred(&tree, &slope), what);
    }
}

fn pass_rate(world: &World, policy: &SoftmaxPolicy, tree: &Logits) -> f64 {
    pass_rate_of(world, policy, tree, 0)
}

fn pass_rate_of(world: &World, policy: &SoftmaxPolicy, tree: &Logits, prompt: usize) -> f64 {
    responses(policy, prompt, tree).iter().map(|(y, p)| p * correct(world, prompt, y)).sum()
}

#[test]
fn pg_is_the_gradient_of_expected_reward() {
    assert_ascends(signal("ground_truth"), &rule("pg").objective, &pass_rate, "pg");
}

#[test]
fn maxrl_is_the_gradient_of_the_log_pass_rate() {
    let objective = Objective { std_floor: 0.0, loss_agg_mode: rule("pg").objective.loss_agg_mode, ..rule("maxrl").objective.clone() };
    assert_ascends(signal("ground_truth"), &objective, &|world, policy, tree| pass_rate(world, policy, tree).ln(), "maxrl");
}

#[test]
fn the_pass_at_k_signal_ascends_pass_at_k() {
    let pass_at_3 = |world: &World, policy: &SoftmaxPolicy, tree: &Logits| 1.0 - (1.0 - pass_rate(world, policy, tree)).powi(3);
    assert_ascends(signal("pass_at_k"), &rule("pg").objective, &pass_at_3, "pass@3");
}

/// Rewarding the policy's own log-probability descends its entropy: the gradient through the reward itself has mean zero.
#[test]
fn self_sharpening_descends_entropy() {
    let minus_entropy = |_: &World, policy: &SoftmaxPolicy, tree: &Logits| responses(policy, 0, tree).iter().map(|(_, p)| p * p.ln()).sum();
    assert_ascends(signal("log_policy"), &rule("pg").objective, &minus_entropy, "log_policy");
}

/// The entropy bonus ascends the entropy of every node, weighed by how often the sampler reaches it (the loss does not differentiate through that).
#[test]
fn the_entropy_bonus_ascends_token_entropy() {
    let objective = Objective { entropy_coeff: 0.4, ..rule("pg").objective.clone() };
    let bonus = |_: &World, policy: &SoftmaxPolicy, tree: &Logits| {
        let visits = policy.enumerate(0).into_iter().map(|y| (chance(&y), ids(&y)));
        let along = |y: &[u32]| (0..y.len()).map(|t| entropy(&tree[&y[..t]])).sum::<f64>();
        0.4 * visits.map(|(p, y)| p * along(&y)).sum::<f64>()
    };
    assert_ascends(signal("none"), &objective, &bonus, "entropy bonus");
}

/// k2 in the loss is the reverse KL's gradient on-policy at a token, so from the base model nothing moves; k1's gradient has mean zero anywhere.
#[test]
fn kl_terms_do_not_move_the_base_model() {
    let [world, ..] = worlds();
    for kl_form in [KlForm::K1, KlForm::K2, KlForm::K3, KlForm::K3Plus] {
        let objective = Objective { kl_beta: 1.0, kl_form, kl_place: KlPlace::Loss, ..rule("pg").objective.clone() };
        let (start, policy) = exact_step(&world, 0.0, signal("none"), &objective, &[0]);
        assert!(moves(&start, &policy, 0).values().flatten().all(|x| x.abs() < 1e-8), "{}", kl_form.name());
    }
}

/// Q - V at a node, by summing over the responses that pass it.
fn node_advantages(world: &World, policy: &SoftmaxPolicy) -> Logits {
    let tree = logits(policy, 0);
    let all = responses(policy, 0, &tree);
    let mean_below = |path: &[u32]| {
        let below = || all.iter().filter(|(y, _)| y.starts_with(path));
        below().map(|(y, p)| p * correct(world, 0, y)).sum::<f64>() / below().map(|(_, p)| p).sum::<f64>()
    };
    let q = |path: &[u32], v: usize| mean_below(&[path, &[v as u32]].concat());
    tree.iter().map(|(path, row)| (path.clone(), (0..row.len()).map(|v| q(path, v) - mean_below(path)).collect())).collect()
}

#[test]
fn npg_moves_every_logit_by_its_advantage() {
    for world in &worlds() {
        let (start, policy) = exact_step(world, 0.0, signal("ground_truth"), &rule("npg").objective, &[0]);
        assert_same_moves(&moves(&start, &policy, 0), &node_advantages(world, &start), "npg");
    }
}

#[test]
fn npg_std_is_npg_over_the_spread_of_the_reward() {
    for world in &worlds() {
        let (start, policy) = exact_step(world, 0.0, signal("ground_truth"), &rule("npg_std").objective, &[0]);
        let p = pass_rate(world, &start, &logits(&start, 0));
        let scale = (p * (1.0 - p)).sqrt() + 1e-6;
        let expected =
            node_advantages(world, &start).into_iter().map(|(path, row)| (path, row.iter().map(|a| a / scale).collect())).collect();
        assert_same_moves(&moves(&start, &policy, 0), &expected, "npg_std");
    }
}

/// With all sharing, the skill of a depth moves by the sum of its nodes' gradients, averaged over the prompts of the batch; with none, it does not move.
#[test]
fn skill_moves_by_the_mean_gradient() {
    for world in &worlds() {
        let (start, policy) = exact_step(world, 1.0, signal("ground_truth"), &rule("pg").objective, &[0, 1, 2]);
        let slopes: Vec<Logits> = (0..3).map(|x| gradient(&logits(&start, x), &|tree| pass_rate_of(world, &start, tree, x))).collect();
        for ((depth, v), moved) in policy.skill().indexed_iter() {
            let nodes = slopes.iter().flatten().filter(|(path, _)| path.len() == depth);
            let expected = nodes.filter_map(|(_, row)| row.get(v)).sum::<f64>() / 3.0;
            assert!(close(moved / TINY, expected, 1e-6), "depth {depth}, token {v}: {} is not {expected}", moved / TINY);
        }
        let (_, policy) = exact_step(world, 0.0, signal("ground_truth"), &rule("pg").objective, &[0]);
        assert!(policy.skill().iter().all(|w| *w == 0.0));
    }
}

/// A prompt's memory takes its whole gradient, however many prompts share the batch; the memory of others is not touched.
#[test]
fn memory_takes_the_whole_gradient() {
    for world in &worlds() {
        let (start, together) = exact_step(world, 0.0, signal("ground_truth"), &rule("pg").objective, &[0, 1, 2]);
        for x in world.training() {
            let (_, alone) = exact_step(world, 0.0, signal("ground_truth"), &rule("pg").objective, &[x]);
            assert_same_moves(&moves(&start, &together, x), &moves(&start, &alone, x), "memory");
        }
        for x in world.held_out() {
            assert_eq!(logits(&start, x), logits(&together, x));
        }
    }
}

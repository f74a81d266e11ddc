//! The reference loop beside an engine: what it draws and does, how far rounding moves it, and what excuses a difference.

use crate::batch::cuda::term::{Sample, Term};
use crate::batch::shown::{Shown, Sink};
use crate::batch::{Node, Observed, Replica};
use crate::config::{KlPlace, Signals};
use crate::memory::Memory;
use crate::policy::{Nudge, Policy, SoftmaxPolicy, Step};
use crate::recipe::Ready;
use crate::rollout::{Group, Token};
use crate::run::{StepStats, train};
use crate::signals::{Formula, Pay, Signal};
use crate::stream::{Purpose, Seed, Stream};
use crate::world::World;
use std::cell::{Cell as Slot, RefCell};
use std::collections::{BTreeMap, HashMap};

/// Distance of a uniform from a boundary between arms below which rounding may choose the other arm: 40 sums of 2^-24 each, and half a step of a 24-bit uniform.
pub(super) const CLOSE: f64 = 2.5e-6;

/// A policy that notes what it draws, and how close its uniforms come to boundaries.
struct Noted<'w> {
    policy: SoftmaxPolicy<'w>,
    drawn: RefCell<Vec<Vec<u32>>>,
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
        self.drawn.borrow_mut().push(groups.iter().flatten().map(|tokens| tokens[0].id).collect());
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

/// What a run of one replica shows of all that is compared.
pub(in crate::batch) struct Shows {
    /// First tokens of all rollouts sampled, step by step; empty where an engine does not tell.
    pub(in crate::batch) drawn: Vec<Vec<u32>>,
    stats: Vec<StepStats>,
    skill: Vec<f64>,
    memory: Vec<f64>,
    nodes: Vec<Node>,
}

impl Shows {
    pub(in crate::batch) fn of(seen: Observed, drawn: Vec<Vec<u32>>, nodes: Vec<Node>) -> Self {
        Shows { drawn, stats: seen.snapshots.iter().filter_map(|s| s.stats).collect(), skill: seen.skill, memory: seen.memory, nodes }
    }
}

/// The policy of a replica, noting what it draws.
fn noted<'w>(replica: &Replica<'w>) -> Noted<'w> {
    Noted { policy: replica.policy(), drawn: RefCell::default(), depth: replica.recipe.config.world.depth, closest: Slot::new(1.0) }
}

/// What the reference loop shows of a replica, and how close its uniforms came to a boundary.
fn reference(replica: &Replica) -> (Shows, f64) {
    let vocab = replica.recipe.config.world.vocab;
    let mut noted = noted(replica);
    let mut stats = Vec::new();
    train(&mut noted, &replica.training(), &mut |_, _, did| stats.push(*did));
    let memory = |prompt| match noted.policy.memory(prompt).root() {
        Some(node) => noted.policy.memory(prompt).logits(node).to_vec(),
        None => vec![0.0; vocab],
    };
    let prompts = replica.prompts.iter().copied();
    let (memory, nodes) = if replica.recipe.config.world.depth > 1 {
        (Vec::new(), prompts.flat_map(|prompt| nodes(noted.policy.memory(prompt), prompt)).collect())
    } else {
        (prompts.flat_map(memory).collect(), Vec::new())
    };
    let skill = noted.policy.skill().iter().copied().collect();
    (Shows { drawn: noted.drawn.take(), stats, skill, memory, nodes }, noted.closest.get())
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

/// Largest difference of two tables over the larger of 1 and the largest entry.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    let size = a.iter().fold(1.0f64, |m, x| m.max(x.abs()));
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max) / size
}

/// How far the reference loop itself moves when it is disturbed as rounding to `f32` does: its step size by 1e-7 of itself, base log-probabilities as the engine
/// rounds them, and amounts by 1e-6 of themselves, up or down: some roundings at the size of the logits. Also whether it then draws other responses.
fn sensitivity(replica: &Replica, expected: &Shows) -> (f64, bool) {
    let mut faster = replica.recipe.clone();
    faster.config.train.learning_rate *= 1.0 + 1e-7;
    let world = rounded(replica.world);
    let shaken: Vec<Ready> = (0..3).map(|pattern| shaken(replica.recipe, pattern)).collect();
    let moved = [Replica { recipe: &faster, ..*replica }, Replica { world: &world, ..*replica }];
    let shaken = shaken.iter().map(|recipe| Replica { recipe, ..*replica });
    let apart = |moved| {
        let shows = reference(&moved).0;
        (gap(expected, &shows), shows.drawn != expected.drawn)
    };
    moved.into_iter().chain(shaken).map(apart).fold((0.0, false), |(most, strays), (gap, strayed)| (gap.max(most), strays || strayed))
}

/// What rounding adds up to at most where all rollouts of a run are added to one logit.
fn accumulated(recipe: &Ready) -> f64 {
    let t = &recipe.config.train;
    (t.steps * t.num_iterations * t.train_batch_size * t.group_size) as f64 * 2f64.powi(-24)
}

/// The recipe with amounts that err, in one of several patterns.
fn shaken(recipe: &Ready, pattern: u64) -> Ready {
    let mut shaken = recipe.clone();
    if pays_amounts(recipe) {
        let formula = Box::leak(Box::new(Shaken { formula: recipe.signal.formula, pattern }));
        shaken.signal = Box::leak(Box::new(Signal { entry: recipe.signal.entry.clone(), formula, ..*recipe.signal }));
    }
    shaken
}

/// A formula whose amounts err.
struct Shaken {
    formula: &'static dyn Formula,
    pattern: u64,
}

impl Shaken {
    /// +1 or -1.
    fn sign(&self, rollout: usize) -> f64 {
        let luck = Seed(self.pattern).stream(Purpose::Population, 0, rollout).uniform(0);
        if luck < 0.5 { 1.0 } else { -1.0 }
    }
}

impl Formula for Shaken {
    fn looks_at_votes(&self) -> bool {
        self.formula.looks_at_votes()
    }
    fn looks_at_scores(&self) -> bool {
        self.formula.looks_at_scores()
    }
    fn tosses(&self) -> bool {
        self.formula.tosses()
    }
    fn printed<'b>(&self, sample: &Sample<'b>) -> Term<'b> {
        self.formula.printed(sample)
    }
    fn reference(&self, group: &Group, params: &Signals) -> Vec<Pay> {
        let shaken = |(i, pay): (usize, Pay)| match pay {
            Pay::Value(x) => Pay::Value(x + 1e-6 * x.abs().max(1.0) * self.sign(i)),
            coin => coin,
        };
        self.formula.reference(group, params).into_iter().enumerate().map(shaken).collect()
    }
    fn scalar(&self, s: pulp::Scalar, shown: &Shown<pulp::Scalar>, sink: Sink<pulp::Scalar>) {
        self.formula.scalar(s, shown, sink);
    }
    #[cfg(target_arch = "x86_64")]
    fn v3(&self, s: pulp::x86::V3, shown: &Shown<pulp::x86::V3>, sink: Sink<pulp::x86::V3>) {
        self.formula.v3(s, shown, sink);
    }
    #[cfg(target_arch = "x86_64")]
    fn v4(&self, s: pulp::x86::V4, shown: &Shown<pulp::x86::V4>, sink: Sink<pulp::x86::V4>) {
        self.formula.v4(s, shown, sink);
    }
}

/// The world with base log-probabilities in `f32` and units of log 2.
fn rounded(world: &World) -> World {
    let mut rounded = world.clone();
    rounded.base.logprobs.mapv_inplace(|x| f64::from((x * std::f64::consts::LOG2_E) as f32) * std::f64::consts::LN_2);
    rounded
}

fn gap(a: &Shows, b: &Shows) -> f64 {
    distance(&a.skill, &b.skill).max(distance(&a.memory, &b.memory)).max(node_distance(&a.nodes, &b.nodes))
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

/// Same samples and rewards as far as they show: lengths, and shares of agreeing and clipped rollouts and of flat groups. Amounts that are equal but for rounding
/// may make a group flat on one side only, or agree with the truth or not, and an advantage that is 0 but for rounding is cut below or above.
fn same_counts(expected: &StepStats, seen: &StepStats, amounts: bool) -> bool {
    let near = |a: f64, b: f64| (a - b).abs() < 1e-5;
    let cuts = |stats: &StepStats| (stats.clipped.low, stats.clipped.high);
    let same_signs = near(expected.reward_accuracy, seen.reward_accuracy) && cuts(expected) == cuts(seen);
    let same_lengths =
        near(expected.mean_length / 10.0, seen.mean_length / 10.0) && near(expected.clipped.tokens / 1e6, seen.clipped.tokens / 1e6);
    same_lengths && (amounts || same_signs && near(expected.frac_reward_zero_std, seen.frac_reward_zero_std))
}

/// How many ratios more, or fewer, were cut.
fn cuts_apart(expected: &StepStats, seen: &StepStats) -> f64 {
    (expected.clipped.low - seen.clipped.low).abs() + (expected.clipped.high - seen.clipped.high).abs()
}

/// Whether rewards are amounts. Their differences inside a group may be small beside them, and a rule that divides by the standard deviation of a group then
/// divides their rounding by it too.
fn pays_amounts(recipe: &Ready) -> bool {
    let o = &recipe.config.objective;
    let penalised = o.kl_beta > 0.0 && o.kl_place == KlPlace::Reward;
    penalised || recipe.signal.formula.looks_at_scores() || ["pass_at_k", "empo"].contains(&recipe.signal.entry.name)
}

/// Logits that leave responses with a probability that `f64` does not hold.
const VANISHED: f64 = 700.0;

/// Why a run may differ from that of the reference loop.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::batch) enum Excuse {
    /// A uniform came so near to a boundary that rounding chose the other token.
    Boundary,
    /// The reference loop moves as much when its own numbers are rounded; where draws differ, it draws otherwise too.
    Unstable,
    /// So many numbers were added to a logit that their rounding may be this much.
    Accumulated,
    /// A ratio came so near to an edge of the clip that rounding cut it, or not.
    Edge,
    /// Responses vanished from `f64`.
    Vanished,
    /// The logits are the same, but rewards are equal to `f32` and not to `f64`.
    Equal,
}

/// How a run compares with that of the reference loop.
pub(in crate::batch) enum Verdict {
    /// All is the same, logits to this much.
    Same(f64),
    /// It differs, as it may.
    Excused(Excuse),
    /// It differs, in this.
    Differs(String),
}

/// Compares what an engine shows of a replica with the reference loop.
pub(in crate::batch) fn verdict(replica: &Replica, seen: &Shows) -> Verdict {
    let recipe = replica.recipe;
    let (expected, closest) = reference(replica);
    // an advantage that is 0 but for rounding has either sign
    let amounts = pays_amounts(recipe) || recipe.config.objective.whiten;
    let same_draws = seen.drawn.is_empty() || seen.drawn == expected.drawn;
    let steps = || expected.stats.iter().zip(&seen.stats);
    let same = same_draws && steps().all(|(e, s)| same_counts(e, s, amounts));
    let gap = gap(&expected, seen);
    if gap < 1e-5 && same {
        return Verdict::Same(gap);
    }
    let (moved, strays) = sensitivity(replica, &expected);
    if ((same || strays) && gap < 100.0 * moved) || gap < moved {
        Verdict::Excused(Excuse::Unstable)
    } else if same && gap < accumulated(recipe) {
        Verdict::Excused(Excuse::Accumulated)
    } else if same_draws && gap < 0.01 && (1.0..3.0).contains(&steps().map(|(e, s)| cuts_apart(e, s)).sum()) {
        Verdict::Excused(Excuse::Edge)
    } else if closest < CLOSE {
        Verdict::Excused(Excuse::Boundary)
    } else if expected.skill.iter().chain(&expected.memory).any(|x| x.abs() > VANISHED) {
        Verdict::Excused(Excuse::Vanished)
    } else if gap < 1e-5 && same_draws && steps().any(|(e, s)| s.frac_reward_zero_std > e.frac_reward_zero_std) {
        Verdict::Excused(Excuse::Equal)
    } else {
        let (signal, rule) = (recipe.signal.entry.name, recipe.rule.entry.name);
        Verdict::Differs(format!(
            "{signal} with {rule}: {gap:.1e}, draws and counts same: {same}, sensitivity {moved:.1e}, {}",
            odd(recipe)
        ))
    }
}

/// Verdicts, counted.
#[derive(Default)]
pub(in crate::batch) struct Tally {
    cells: usize,
    worst: f64,
    excused: BTreeMap<Excuse, usize>,
    failures: Vec<String>,
}

impl Tally {
    pub(in crate::batch) fn add(&mut self, verdict: Verdict) {
        self.cells += 1;
        match verdict {
            Verdict::Same(gap) => self.worst = self.worst.max(gap),
            Verdict::Excused(excuse) => *self.excused.entry(excuse).or_default() += 1,
            Verdict::Differs(how) => self.failures.push(how),
        }
    }

    /// Panics where a cell differs, or more than one in fifty is excused.
    pub(in crate::batch) fn check(&self) {
        let Tally { cells, worst, excused, failures } = self;
        println!("{cells} cells; the logits of all but {excused:?} differ by up to {worst:.1e}");
        assert!(failures.is_empty(), "{} of {cells} cells differ: {:#?}", failures.len(), &failures[..failures.len().min(60)]);
        let all: usize = excused.values().sum();
        assert!(all * 50 < *cells, "{all} of {cells} cells are excused");
    }
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

/// Mean chance of a right response over the prompts trained on after evaluated steps, in the reference loop, and the closest uniform.
pub(super) fn reference_success(replica: &Replica) -> (Vec<f64>, f64) {
    let (world, config) = (replica.world, &replica.recipe.config);
    let mut noted = noted(replica);
    let prompts = replica.prompts;
    let mean = |policy: &SoftmaxPolicy| {
        prompts.iter().map(|x| crate::measure::summary(policy, &world.task, *x).success).sum::<f64>() / prompts.len() as f64
    };
    let mut trail = vec![mean(&noted.policy)];
    train(&mut noted, &replica.training(), &mut |step, noted: &Noted, _| {
        if config.train.evaluates(step) {
            trail.push(mean(&noted.policy));
        }
    });
    (trail, noted.closest.get())
}

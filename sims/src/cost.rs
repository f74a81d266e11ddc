//! What a cell costs, known from its recipe alone: so many pieces of elementary work, and what each takes.
//!
//! ```text
//! seconds of a cell = sum over PIECES of count(recipe) * nanoseconds(engine) * 1e-9
//! bytes of a run    = worlds * bytes of a world + cells * bytes of what is learned and seen + threads * bytes worked on
//! ```
//!
//! The nanoseconds were fitted (least squares of relative errors, none below 0) to the least processor time in three runs of random cells on one server core with
//! AVX-512, of the batched engine in full vectors; but where too few of these had a piece apart from others, it was set: an action of a bandit's policy, to what `w1`
//! spends on one. A machine is so many times slower or faster than that one; [`slowness`] measures how many.
//! Counts are deterministic: shards are packed by them.

use crate::batch::lanes::ROW;
use crate::batch::{self, Options};
use crate::cell::Cell;
use crate::config::{Baseline, Config, Mode, Regime, SelectBy, World};
use crate::recipe::{RECIPES, Ready};
use crate::stream::Seed;
use std::f64::consts::PI;
use std::hint::black_box;
use std::time::Instant;

/// What runs a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The readable loop.
    Reference,
    /// The batched engine, in full vectors; what that denies, the readable loop.
    Batched,
}

/// Elementary work.
pub struct Piece {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static str,
    /// How often a cell does it.
    pub count: fn(&Sizes) -> f64,
    /// Nanoseconds that it takes: the readable loop sampled, the same enumerating all responses; the batched engine on bandits, on trees, enumerating all arms.
    nanoseconds: [f64; KINDS],
}

/// Signals that pay all responses alike where the policies at the nodes of a depth are: as they are in a base model.
const SAME_FOR_ALL: [&str; 5] = ["none", "constant", "self_certainty", "rent", "entropy_min_tok"];

/// Kinds of runs that nanoseconds are fitted to.
const KINDS: usize = 5;

/// Numbers that counts are made of.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    steps: f64,
    /// Prompts of a step, and of the world.
    batch: f64,
    prompts: f64,
    /// Rollouts of a prompt that are paid, and that are trained on.
    paid: f64,
    group: f64,
    /// Actions at a node, and tokens of a response.
    actions: f64,
    depth: f64,
    /// Policies computed for a prompt and step: once, and once more for every update with rollouts of an older one.
    policies: f64,
    passes: f64,
    /// Evaluated steps, the first among them.
    looks: f64,
    /// Prompts trained on, and rollouts of each in the whole run that move something in its own tree: none where there is no such tree, and as many as move it at
    /// first, all along.
    trained: f64,
    visits: f64,
    /// Tokens, and the variance of their log-probabilities.
    vocab: f64,
    spread: f64,
    votes: bool,
    scores: bool,
    private: bool,
    /// Whether the prompts of bandits remember something of their own.
    remembers: bool,
    shuffles: bool,
    /// Whether updates move actions that were not drawn.
    dense: bool,
    /// Whether rewards become pushes with nothing between.
    flows: bool,
}

impl Sizes {
    /// Those of a recipe.
    pub fn of(recipe: &Ready) -> Self {
        let Config { world, train, policy, objective, .. } = &recipe.config;
        let exact = train.mode == Mode::Exact;
        let trained = recipe.config.trained_on();
        let group = if exact { world.responses() * (1.0 + f64::from(u8::from(recipe.signal.splits()))) } else { train.group_size as f64 };
        let voters = if exact { 0 } else { recipe.signal.voters(&recipe.config.signal, train.group_size) };
        let batch = (if exact { trained } else { train.train_batch_size }) as f64;
        let (steps, passes) = (train.steps as f64, train.num_iterations as f64);
        let minibatches = (train.minibatches as f64).min(batch);
        let private = policy.sharing < 1.0 && world.depth > 1;
        let spread = world.confidence.powi(2) + world.idiosyncrasy.powi(2);
        let (formula, moving) = (recipe.signal.formula, moving(recipe, group));
        // what a bandit pays all its arms alike, it finds once
        let by_draw = formula.looks_at_scores() && (world.depth > 1 || !SAME_FOR_ALL.contains(&recipe.signal.entry.name));
        Sizes {
            steps,
            batch,
            prompts: world.all_prompts() as f64,
            paid: group.max(voters as f64),
            group,
            actions: world.widest() as f64,
            depth: world.depth as f64,
            policies: 1.0 + passes - 1.0 / minibatches,
            passes,
            looks: train.evaluations() as f64,
            trained: trained as f64,
            vocab: world.vocab as f64,
            spread,
            visits: when(private, moving * steps * batch * group / trained as f64),
            votes: formula.looks_at_votes(),
            private: private && moving > 0.0,
            remembers: policy.sharing < 1.0 && world.depth == 1,
            scores: by_draw || objective.kl_beta > 0.0,
            shuffles: recipe.signal.shuffles,
            dense: batch::moves_all(recipe),
            flows: passes == 1.0 && minibatches == 1.0 && batch::passes_rewards(recipe),
        }
    }

    /// Prompts of all steps.
    fn slots(&self) -> f64 {
        self.steps * self.batch
    }

    /// Nodes of which a prompt remembers something after a part of the run, if log-probabilities of tokens are normal and stay what they are.
    fn remembered(&self, part: f64) -> f64 {
        (1..self.depth as i32).map(|h| self.found(part * self.visits, h)).fold(0.0, |all, n| all + n)
    }

    /// Nodes of depth `h` that so many visits find: the mean over nodes of `1 - exp(-visits p)`, where log p is normal, times their number.
    fn found(&self, visits: f64, h: i32) -> f64 {
        let (nodes, variance) = (self.vocab.powi(h), f64::from(h) * self.spread);
        let density = |z: f64| (-0.5 * z * z).exp();
        let missed = |z: f64| (-visits / nodes * (variance.sqrt() * z - 0.5 * variance).exp()).exp_m1();
        let grid = || (-16..=16).map(|i| 0.25 * f64::from(i));
        -nodes * grid().map(|z| density(z) * missed(z)).sum::<f64>() / grid().map(density).sum::<f64>()
    }

    /// Entries of a row of a tree.
    fn row(&self) -> f64 {
        (self.actions / ROW as f64).ceil() * ROW as f64
    }

    /// Words of a vector that the nodes of its prompts take.
    fn node_words(&self) -> f64 {
        self.trained * self.remembered(1.0) * (2.0 * self.row() + NODE_WORDS)
    }

    /// The share of nodes that lies beyond a cache of so many words.
    fn beyond(&self, words: f64) -> f64 {
        (1.0 - words / self.node_words()).max(0.0)
    }

    /// Tokens drawn.
    fn tokens(&self) -> f64 {
        self.slots() * self.paid * self.depth
    }
}

/// About the share of rollouts that move their prompt, at the base model, in groups of this size.
fn moving(recipe: &Ready, group: f64) -> f64 {
    let Config { world, objective, .. } = &recipe.config;
    let (formula, right) = (recipe.signal.formula, right(world));
    let punishes = objective.baseline == Baseline::None && objective.negative_weight != 0.0;
    let only_right = objective.baseline == Baseline::None || objective.negative_weight == 0.0;
    if punishes {
        1.0
    } else if !world.end_token && SAME_FOR_ALL.contains(&recipe.signal.entry.name) {
        0.0
    } else if formula.looks_at_scores() || formula.looks_at_votes() || formula.tosses() {
        1.0
    } else if only_right {
        right
    } else {
        // groups of right and wrong responses
        1.0 - right.powf(group) - (1.0 - right).powf(group)
    }
}

/// About the chance that a response of the base model is right. The logit of a token is `confidence * alignment` times its standardised quality, and normal noise;
/// sums of log-normal weights are taken for log-normal, and the mean of a logistic function of normal odds for that of tempered ones (MacKay).
fn right(world: &World) -> f64 {
    let vocab = world.vocab as f64;
    let good = (world.good_tokens as f64).clamp(0.5, vocab - 0.5);
    let lean = world.confidence * world.alignment;
    let noise = world.confidence.powi(2) - lean.powi(2) + world.idiosyncrasy.powi(2);
    let log_sum = |tokens: f64, quality: f64| {
        let variance = (noise.exp_m1() / tokens).ln_1p();
        [tokens.ln() + lean * quality + 0.5 * (noise - variance), variance]
    };
    let [odds, variance] = {
        let (best, rest) = (log_sum(good, ((vocab - good) / good).sqrt()), log_sum(vocab - good, -(good / (vocab - good)).sqrt()));
        [best[0] - rest[0], best[1] + rest[1]]
    };
    let mass = 1.0 / (1.0 + (-odds / (1.0 + PI / 8.0 * variance).sqrt()).exp());
    (mass * world.good_quality + (1.0 - mass) * world.bad_quality).powi(world.depth as i32)
}

/// `x` where something is done.
fn when(done: bool, x: f64) -> f64 {
    if done { x } else { 0.0 }
}

const fn piece(name: &'static str, count: fn(&Sizes) -> f64, nanoseconds: [f64; KINDS], doc: &'static str) -> Piece {
    Piece { name, doc, count, nanoseconds }
}

/// All pieces.
#[rustfmt::skip]
pub static PIECES: &[Piece] = &[
    piece("cell", |_| 1.0, [0.0, 0.0, 14700.0, 16000.0, 14700.0], "A cell and its curves."),
    piece("world", |s| s.prompts * s.depth * s.actions, [14.0, 8.74, 38.3, 44.3, 38.6], "An action of the base model."),
    piece("step", |s| s.steps, [389.0, 1110.0, 0.0, 0.0, 0.0], "A step."),
    piece("slot", Sizes::slots, [373.0, 584.0, 10.1, 0.0, 6.62], "A prompt of a step."),
    piece("arm", |s| s.slots() * s.policies * s.depth * s.actions, [10.2, 129.0, 0.18, 0.66, 0.48], "An action of a policy."),
    piece("arm of many", |s| when(s.trained > 1.0, s.slots() * s.policies * s.actions), [4.68, 0.0, 0.863, 0.657, 0.237], "The same at the first token, looked up by prompt."),
    piece("own arm", |s| when(s.remembers, s.slots() * s.policies * s.actions), [0.0, 0.0, 0.474, 0.0, 1.14], "An action of which a bandit remembers something."),
    piece("search", |s| s.tokens() * s.actions.log2(), [13.3, 0.0, 0.116, 0.461, 0.016], "A halving in the search for it."),
    piece("own draw", |s| when(s.private, s.tokens() * s.policies), [0.0, 0.0, 0.0, 3.54, 0.0], "A token drawn in a tree of the prompt's own."),
    piece("own visit", |s| when(s.private, s.tokens() * s.policies * s.row()), [0.0, 0.0, 0.0, 0.133, 0.0], "An entry of the row that it is drawn from there."),
    piece("score", |s| when(s.scores, s.tokens()), [30.2, 108.0, 0.284, 0.578, 0.0705], "The log-probability of a token drawn."),
    piece("ratio", |s| when(s.policies > 1.0, s.tokens() * s.policies), [30.2, 108.0, 2.69, 0.449, 0.0705], "The same where the policy has moved since, and the ratio."),
    piece("vote", |s| when(s.votes, s.slots() * s.paid * s.paid), [1.49, 0.0, 0.0347, 0.226, 0.000141], "An answer compared with another."),
    piece("shuffle", |s| when(s.shuffles, s.slots() * s.paid), [38.2, 0.0, 11.2, 11.6, 0.0], "A reward dealt anew."),
    piece("push", |s| s.slots() * s.passes * s.group * s.depth, [253.0, 260.0, 1.52, 2.12, 0.748], "The push of a token."),
    piece("compare", |s| when(!s.flows, s.slots() * s.passes * s.group), [23.7, 0.0, 0.0, 0.0, 0.224], "A reward compared with others of its group."),
    piece("pull", |s| when(s.dense, s.slots() * s.passes * s.actions), [33.1, 0.0, 0.676, 0.0, 0.0], "An action at the first token that is moved though it was not drawn."),
    piece("ascent", |s| s.slots() * s.passes * s.group * s.depth * s.actions, [0.234, 0.224, 0.00718, 0.0958, 0.0], "An action that it moves."),
    piece("row", |s| s.looks, [878.0, 0.0, 336.0, 260.0, 348.0], "A row of the curves."),
    piece("prompt", |s| s.looks * s.prompts, [0.0, 0.0, 8.15, 24.9, 0.0], "A prompt measured."),
    piece("look", |s| s.looks * s.prompts * s.depth * s.actions, [16.1, 11.8, 0.327, 0.299, 0.465], "An action measured."),
    piece("node", |s| s.looks * s.trained * s.remembered(0.5), [0.0, 0.0, 0.0, 10.7, 0.0], "A remembered node measured."),
    piece("node's arm", |s| s.looks * s.trained * s.remembered(0.5) * s.actions, [14.8, 0.0, 0.0, 0.0, 0.0], "An action there."),
    piece("node's entry", |s| s.looks * s.trained * s.remembered(0.5) * s.row(), [0.0, 0.0, 0.0, 0.597, 0.0], "An entry of its row, which is longer than the actions."),
    piece("far node", |s| s.beyond(CACHE_WORDS) * (when(s.private, s.tokens() * s.policies) + s.looks * s.trained * s.remembered(0.5)), [90.5, 0.0, 0.0, 0.0, 0.0], "A node, drawn at or measured, that lies beyond the cache."),
    piece("far entry", |s| s.beyond(NEAR_WORDS) * s.looks * s.trained * s.remembered(0.5) * s.row(), [0.0, 0.0, 0.0, 1.55, 0.0], "An entry of a row measured that lies beyond half the cache."),
    piece("opened entry", |s| s.trained * s.remembered(1.0) * s.row(), [0.0, 0.0, 0.0, 1.98, 0.0], "An entry of the row of a node that is remembered for the first time."),
    piece("opening", |s| s.trained * s.remembered(1.0), [824.0, 0.0, 0.0, 0.0, 0.0], "A node that is remembered for the first time."),
];

/// The kind of run a recipe is on an engine: which nanoseconds count.
pub fn kind(recipe: &Ready, engine: Engine) -> usize {
    let exact = recipe.config.train.mode == Mode::Exact;
    match engine {
        Engine::Batched if batch::supports(recipe).is_ok() => match (exact, recipe.config.world.depth) {
            (true, _) => 4,
            (false, 1) => 2,
            (false, _) => 3,
        },
        _ => usize::from(exact),
    }
}

/// Seconds of processor time that a cell takes where `together` of its kind can share vectors.
pub fn seconds(recipe: &Ready, engine: Engine, together: usize) -> f64 {
    let (sizes, kind) = (Sizes::of(recipe), kind(recipe, engine));
    let idle = if kind < 2 { 1.0 } else { together.next_multiple_of(LANES) as f64 / together.max(1) as f64 };
    let own: f64 =
        PIECES.iter().enumerate().map(|(i, p)| (p.count)(&sizes) * p.nanoseconds[kind] * if i < ALONE { 1.0 } else { idle }).sum();
    own * 1e-9 + pilot(recipe)
}

/// Pieces, the first ones, that are done cell by cell by every engine.
const ALONE: usize = 2;

/// Replicas of a vector of the machine that was measured.
pub const LANES: usize = 16;

/// What is run at once.
#[derive(Clone, Copy, Debug)]
pub struct Together {
    /// Cells.
    pub cells: usize,
    /// Worlds among them: cells of other recipes may share one.
    pub worlds: usize,
    /// Threads that run them.
    pub threads: usize,
}

/// Bytes that cells of a recipe take while they are run together: their worlds, what is learned in and seen of each, and what a thread works on.
pub fn bytes(recipe: &Ready, engine: Engine, together: Together) -> f64 {
    let s = Sizes::of(recipe);
    let [cells, worlds, threads] = [together.cells, together.worlds, together.threads].map(|n| n as f64);
    let [cells_held, worlds_held] = if kind(recipe, engine) < 2 { [threads; 2] } else { [cells, worlds] };
    let tokens = s.depth * s.actions;
    let world = s.prompts * (tokens * ACTION + PROMPT) + tokens * TOKEN;
    let learned = (when(s.depth == 1.0, s.trained) * s.actions + tokens) * size_of::<f64>() as f64;
    FIXED + worlds_held * world + cells_held * learned + cells * s.looks * LOOK + threads * working(&s, recipe, engine)
}

/// Bytes that a thread works on.
fn working(s: &Sizes, recipe: &Ready, engine: Engine) -> f64 {
    let tokens = s.batch * s.paid * s.depth;
    if kind(recipe, engine) < 2 {
        return tokens * REFERENCE_TOKEN;
    }
    let row = if s.depth > 1.0 { s.row() } else { s.actions };
    let tables = s.prompts * s.depth * row + s.batch * s.depth * (2.0 * row + 8.0);
    let bandit = when(s.depth == 1.0, s.trained * s.actions) + s.batch * s.paid * ROLLOUT_WORDS;
    let tree = when(s.depth > 1.0, tokens * (2.0 * row + TOKEN_WORDS) + s.node_words());
    (tables + bandit + tree) * (LANES * size_of::<f32>()) as f64
}

/// Bytes beside all that; of a world, for every action of its base model, every prompt, and every token that may be drawn at a depth; of a cell, for every row of its
/// curves (fitted).
const FIXED: f64 = 4.4e6;
const ACTION: f64 = 9.6;
const PROMPT: f64 = 41.0;
const TOKEN: f64 = 12.7;
const LOOK: f64 = 473.0;
/// Bytes of a token in the readable loop; words of a vector by rollout, by token and by remembered node in the batched engine.
const REFERENCE_TOKEN: f64 = 300.0;
const ROLLOUT_WORDS: f64 = 10.0;
const TOKEN_WORDS: f64 = 16.0;
const NODE_WORDS: f64 = 12.0;
/// Words of a vector, of 64 bytes, that stay in the cache of the machine that was measured: 8 MiB.
const CACHE_WORDS: f64 = (1 << 17) as f64;
/// Half of them.
const NEAR_WORDS: f64 = 0.5 * CACHE_WORDS;

/// How many times slower than predicted this machine is now, by some milliseconds of a default cell on one thread.
pub fn slowness(engine: Engine) -> f64 {
    let mut recipe = Ready::named(RECIPES[0]);
    (recipe.config.world.prompts, recipe.config.world.held_out, recipe.config.train.steps) = (16, 16, 20);
    let cells = if engine == Engine::Reference { 1 } else { 2 * LANES as u64 };
    let cells: Vec<Cell> = (0..cells).map(|seed| Cell { recipe: recipe.clone(), seed: Seed(seed) }).collect();
    let run = || match engine {
        Engine::Reference => cells.iter().for_each(|cell| drop(black_box(cell.run()))),
        Engine::Batched => drop(black_box(batch::run(&cells, Options::default()))),
    };
    let timed = || {
        let clock = Instant::now();
        run();
        clock.elapsed().as_secs_f64()
    };
    // one thread, unless even that cannot be had
    let least = || (0..9).map(|_| timed()).fold(f64::INFINITY, f64::min);
    let least = rayon::ThreadPoolBuilder::new().num_threads(1).build().map_or_else(|_| least(), |pool| pool.install(least));
    least / (seconds(&recipe, engine, cells.len()) * cells.len() as f64)
}

/// What choosing prompts by a pilot run takes on top, which the readable loop makes.
fn pilot(recipe: &Ready) -> f64 {
    let data = &recipe.config.data;
    if !matches!(data.regime, Regime::OneShot | Regime::Few) || data.select_by != SelectBy::Variance {
        return 0.0;
    }
    let mut run = recipe.clone();
    (run.config.data.regime, run.config.train.eval_every) = (Regime::Full, 1);
    seconds(&run, Engine::Reference, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Few visits find a node each, many find them all, and more never find fewer.
    #[test]
    fn visits_find_nodes() {
        let mut recipe = Ready::named(RECIPES[0]);
        (recipe.config.world.vocab, recipe.config.world.depth, recipe.config.policy.sharing) = (6, 4, 0.0);
        let sizes = Sizes::of(&recipe);
        assert!((sizes.found(1e-3, 3) / 1e-3 - 1.0).abs() < 0.05);
        assert!((sizes.found(1e9, 3) / 216.0 - 1.0).abs() < 1e-6);
        let found: Vec<f64> = (0..20).map(|i| sizes.found(f64::from(2u32.pow(i)), 3)).collect();
        assert!(found.is_sorted() && found[0] > 0.9 && found[10] < 216.0, "{found:?}");
    }

    /// What never pays opens no node.
    #[test]
    fn rewards_that_are_equal_open_no_node() {
        let opened = |name: &str| {
            let mut recipe = Ready::named(RECIPES.iter().find(|r| r.entry.name == name).unwrap());
            (recipe.config.world.vocab, recipe.config.world.depth, recipe.config.policy.sharing) = (6, 4, 0.0);
            Sizes::of(&recipe).remembered(1.0)
        };
        let (nothing, some) = (opened("control.none"), opened("standard"));
        assert!(nothing == 0.0 && some > 20.0, "{nothing} and {some} nodes");
    }

    /// The mean over worlds and prompts of the chance of a right response, summed token by token.
    #[test]
    fn base_models_are_right_about_as_often_as_told() {
        for (vocab, good_tokens, depth, alignment) in [(20, 6, 5, 0.5), (11, 1, 3, 0.5), (8, 2, 3, 0.9), (40, 5, 1, 0.1), (3, 1, 2, 0.5)] {
            let mut recipe = Ready::named(RECIPES[0]);
            let set = &mut recipe.config.world;
            (set.vocab, set.good_tokens, set.depth, set.alignment, set.prompts) = (vocab, good_tokens, depth, alignment, 16);
            let chance = |world: &crate::world::World, prompt: usize| -> f64 {
                let at = |h| world.base.row(prompt, h).iter().zip(world.task.right_row(prompt, h));
                (0..depth).map(|h| at(h).map(|(l, right)| if *right { l.exp() } else { 0.0 }).sum::<f64>()).product()
            };
            let worlds: Vec<_> = (0..60).map(|seed| crate::world::World::new(set, Seed(seed)).unwrap()).collect();
            let mean = worlds.iter().flat_map(|world| (0..16).map(move |prompt| chance(world, prompt))).sum::<f64>() / 960.0;
            let told = right(set);
            assert!((told / mean - 1.0).abs() < 0.3, "{vocab} tokens, {good_tokens} good, depth {depth}: {told} told, {mean} so");
        }
    }
}

//! The sizes, choices and tables of a fleet: what the kernel is compiled for and works on.

use super::LAUNCH;
use super::formulas::scale_number;
use crate::batch::block::{Block, Replica, Uses};
use crate::batch::evaluate::MEASURES;
use crate::batch::lanes::ROW;
use crate::batch::search::{bit_rows, padded};
use crate::batch::shape::Shape;
use crate::batch::tree::fresh_chances;
use crate::config::{Baseline, KlPlace, LossAgg, PolicyLoss};
use crate::objective::Dials;
use crate::recipe::Ready;
use crate::registry::Named;
use crate::signals::{Params, Rates, SIGNALS};
use pulp::Scalar;
use std::ops::Range;

/// What is wanted of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wanted {
    /// Of each replica all that is seen at evaluated steps.
    Curves,
    /// Of each replica the chance of a right response at evaluated steps, over the prompts its regime trains on.
    Success,
    /// Means over replicas at every step; of bandits only.
    Trail,
}

/// What a step did, in the order in which the kernel writes it.
pub(super) const DID: usize = 10;

/// Rows of an evaluated step: held-out prompts, training prompts, what the step did.
pub(super) const LOOK_ROWS: usize = 2 * MEASURES + DID;

/// What a kernel is compiled for.
pub(super) struct Plan {
    pub(super) shape: Shape,
    /// Sizes and choices, by the kernel's name for them.
    pub(super) constants: Vec<(String, u32)>,
    /// Inputs, then what is wanted in the end, then the rest: one behind the other in memory.
    pub(super) tables: Vec<Table>,
}

/// A table `[row][replica]` of 32-bit numbers, or of tiles: `[tile][replica][ROW]`.
#[derive(Clone)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// Type in C.
    pub(super) kind: &'static str,
    pub(super) rows: usize,
    /// What is in it at first: a column of a replica's block, or zeros.
    pub(super) source: Source,
    /// Where a thread works on it.
    pub(super) place: Place,
}

/// Where a table lies while a kernel works on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    /// In memory, between launches too.
    Far,
    /// In the memory that a block of threads shares: quick wherever one reads.
    Shared,
    /// In a thread's own array: registers, where every loop over its rows is unrolled.
    Own,
}

/// Rows of a thread in shared memory: with 512 bytes each, an H200's multiprocessor holds 14 warps.
const SHARED_ROWS: usize = 128;

/// The same of trees, which wait for memory rather than for arithmetic: with 1 KiB each, 7 warps.
const SHARED_TREE_ROWS: usize = 256;

/// Rows of a table in a thread's own array.
const OWN_ROWS: usize = 64;

type Source = Option<fn(&Block<Scalar>) -> Vec<u32>>;

fn floats(name: &'static str, rows: usize) -> Table {
    Table { name, kind: "float", rows, source: None, place: Place::Far }
}

fn words(name: &'static str, rows: usize) -> Table {
    Table { name, kind: "u32", rows, source: None, place: Place::Far }
}

/// Rows of the nodes of trees, whole: what one thread reads together lies together, for each stands at a node of its own.
fn tiles(name: &'static str, kind: &'static str, count: usize) -> Table {
    Table { name, kind, rows: count * ROW, source: None, place: Place::Far }
}

fn float_tiles(name: &'static str, count: usize) -> Table {
    tiles(name, "Tile<float, TILE>", count)
}

impl Table {
    fn from(self, source: fn(&Block<Scalar>) -> Vec<u32>) -> Self {
        Table { source: Some(source), ..self }
    }

    /// Whether it lies in memory before or after a launch.
    pub(super) fn lasts(&self) -> bool {
        self.source.is_some() || ["skill", "memory", "shift"].contains(&self.name)
    }

    /// The constant that says where it starts.
    pub(super) fn start(&self) -> String {
        format!("ROW_{}", self.name)
    }

    /// Whether it is one of tiles.
    fn is_tiled(&self) -> bool {
        self.kind.starts_with("Tile")
    }

    /// What is only scratch, and worked on elsewhere, has none.
    fn rows_in_memory(&self) -> usize {
        if self.place == Place::Far || self.lasts() { self.rows } else { 0 }
    }

    /// None, unless there is a use for it.
    fn only_if(self, used: bool) -> Self {
        Table { rows: if used { self.rows } else { 0 }, ..self }
    }
}

/// Says where each table lies: scratch and state that are read at random in shared memory, the rest of what is small in the threads' own arrays.
fn put(tables: &mut [Table], shape: &Shape) {
    let (mut room, shared): (usize, &[&str]) =
        if shape.is_tree() { (SHARED_TREE_ROWS, &["node", "token", "base", "skill"]) } else { (SHARED_ROWS, &["sums", "skill", "memory"]) };
    for name in shared {
        let table = tables.iter_mut().find(|table| table.name == *name).expect("it is a table");
        if (1..=room).contains(&table.rows) {
            room -= table.rows;
            table.place = Place::Shared;
        }
    }
    let own = own(shape);
    for table in tables.iter_mut().filter(|table| own.contains(&table.name) && table.rows <= OWN_ROWS) {
        table.place = Place::Own;
    }
}

/// Tables whose rows only loops that are unrolled walk through.
fn own(shape: &Shape) -> Vec<&'static str> {
    let by_group: &[&str] = match (unrolls_groups(shape), shape.is_tree()) {
        (false, _) => &[],
        (true, true) => &["reward", "shaped", "greedy", "advantage"],
        (true, false) => &["arm", "reward", "shaped", "greedy", "logprob", "advantage", "push"],
    };
    let single: &[&str] = match (shape.batch == 1, shape.is_tree()) {
        (false, _) => &[],
        (true, true) => &["prompt"],
        (true, false) => &["prompt", "log_sum", "shift"],
    };
    let small: &[&str] = match (unrolls_arms(shape), shape.is_tree()) {
        (true, true) => &["sums", "logits"],
        (true, false) if shape.prompts == 1 => &["base", "right", "formatted"],
        _ => &[],
    };
    [by_group, single, small].concat()
}

/// Whether loops over the actions are unrolled.
pub(super) fn unrolls_arms(shape: &Shape) -> bool {
    shape.stride <= OWN_ROWS
}

/// Whether loops over the rollouts of a batch are unrolled.
pub(super) fn unrolls_groups(shape: &Shape) -> bool {
    shape.batch == 1 && shape.paid() <= OWN_ROWS / 2
}

/// The bits of numbers.
fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

/// The rows of each table in memory, one behind the other; tiles begin at whole ones.
pub(super) fn layout(tables: &[Table]) -> Vec<Range<usize>> {
    let mut end = 0usize;
    let range = |table: &Table| {
        let start = if table.is_tiled() { end.next_multiple_of(ROW) } else { end };
        end = start + table.rows_in_memory();
        start..end
    };
    tables.iter().map(range).collect()
}

impl Plan {
    /// For replicas of one fleet; `puts` says whether tables may lie nearer than in memory.
    pub(super) fn new(replicas: &[Replica], wanted: Wanted, puts: bool) -> Self {
        let recipe = replicas[0].recipe;
        let (shape, uses) = (Shape::of(recipe), Uses::of(replicas));
        let choices = Choices::of(replicas[0], &shape, uses, wanted);
        let mut tables = [
            inputs(&shape, &choices),
            outputs(recipe, &shape, uses, wanted),
            scratch(&shape, &choices),
            tree(&shape, &choices, &first_nodes(&shape, recipe.config.train.steps)),
        ]
        .concat();
        if puts {
            put(&mut tables, &shape);
        }
        let constants = [sizes(recipe, &shape), choices.constants(recipe, &shape, uses, wanted)].concat();
        let rows = tables.iter().zip(layout(&tables)).map(|(table, rows)| (table.start(), rows.start));
        let all = constants.into_iter().map(|(name, value)| (name.to_string(), value)).chain(rows);
        let constants = all.map(|(name, value)| (name, u32::try_from(value).expect("supported sizes have 32 bits"))).collect();
        Plan { shape, constants, tables }
    }

    /// Threads of a block. Trees are few and wait for memory: small blocks spread them over all multiprocessors.
    pub(super) fn threads(&self) -> usize {
        if self.shape.is_tree() { 32 } else { 128 }
    }
}

/// The number of the first node of every depth, then what would be the next: node 0 is none. Nodes come into being where a rollout trained on first moves them, so
/// there are at most as many of a depth as rollouts, or as paths of that length.
pub(super) fn first_nodes(shape: &Shape, steps: usize) -> Vec<usize> {
    let moved = steps.saturating_mul(shape.batch * shape.group);
    let paths = |h: usize| shape.domain.len().saturating_mul(shape.arms.saturating_pow(h as u32));
    let count = |h: usize| if h == 0 { paths(0) } else { paths(h).min(moved) };
    let mut first = vec![1usize];
    (0..shape.depth).for_each(|h| first.push(first[h].saturating_add(count(h))));
    first
}

/// Names of a replica's numbers: dials of rules, parameters of signals, step sizes.
pub(super) fn numbers() -> Vec<&'static str> {
    [Dials::named(|name| name).values(), Params::named(|name| name).values(), vec!["step_shared", "step_own"]].concat()
}

/// Names of a replica's thresholds of coins.
pub(super) fn chances() -> Vec<&'static str> {
    Rates::named(|name| name, "").values()
}

fn sizes(recipe: &Ready, shape: &Shape) -> Vec<(&'static str, usize)> {
    let train = &recipe.config.train;
    vec![
        ("ARMS", shape.arms),
        ("DEPTH", shape.depth),
        ("ACTIONS", shape.actions),
        ("STRIDE", shape.stride),
        ("TILES", shape.stride / ROW),
        ("BIT_ROWS", bit_rows(shape.arms)),
        ("PADDED", padded(shape.arms)),
        ("BATCH", shape.batch),
        ("GROUP", shape.group),
        ("VOTES", shape.votes),
        ("SAMPLED", shape.sampled()),
        ("PAID", shape.paid()),
        ("PROMPTS", shape.prompts),
        ("DOMAIN_START", shape.domain.start),
        ("DOMAIN_END", shape.domain.end),
        ("SINGLE", usize::from(shape.domain.len() == 1)),
        ("HELD_OUT_START", shape.held_out.start),
        ("MINIBATCH", shape.minibatch),
        ("PASSES", shape.passes),
        ("STEPS", train.steps),
        ("EVAL_EVERY", eval_every(recipe)),
    ]
}

/// Steps between evaluations: more than all steps are as good as all steps.
pub(super) fn eval_every(recipe: &Ready) -> usize {
    recipe.config.train.eval_every.min(recipe.config.train.steps.max(1))
}

/// What of the kernel a fleet needs.
struct Choices {
    greedy: bool,
    keeps_logits: bool,
    keeps_logprobs: bool,
    uses: Uses,
    /// Whether every step asks for log-probabilities or entropies, and whether some step does.
    scores: bool,
    ever_scores: bool,
    /// Whether right responses are listed.
    lists: bool,
    /// Whether chances of right responses are kept at nodes, and whether nodes are measured.
    keeps_success: bool,
    measures_nodes: bool,
}

impl Choices {
    fn of(replica: Replica, shape: &Shape, uses: Uses, wanted: Wanted) -> Self {
        let keeps_logprobs = uses.kl || shape.goes_off_policy;
        let keeps_success = wanted == Wanted::Success && shape.is_tree() && !uses.skill;
        let scores = keeps_logprobs || uses.entropy || uses.scores;
        Choices {
            greedy: shape.greedy,
            // in a bandit the part of a gradient in all arms asks for logits after some have moved, in a tree that of the entropy alone: the other keeps weights
            keeps_logits: if shape.is_tree() { uses.entropy } else { uses.dense },
            keeps_logprobs,
            uses,
            scores,
            ever_scores: scores || wanted == Wanted::Curves,
            lists: replica.world.task.leaves().is_some(),
            keeps_success,
            measures_nodes: shape.is_tree() && uses.memory && !keeps_success,
        }
    }

    fn constants(&self, recipe: &Ready, shape: &Shape, uses: Uses, wanted: Wanted) -> Vec<(&'static str, usize)> {
        let rule = &recipe.config.objective;
        let signal = SIGNALS.iter().position(|signal| signal.name() == recipe.signal.name()).expect("the signal is in the registry");
        let numbers = [
            ("SIGNAL", signal),
            ("BASELINE", rule.baseline as usize),
            ("SCALE", scale_number(rule)),
            ("POLICY_LOSS", rule.policy_loss as usize),
            ("REWARD_MAP", rule.reward_map as usize),
            ("KL_FORM", rule.kl_form as usize),
            ("LOSS_AGG", rule.loss_agg_mode as usize),
            ("RATIO_LEVEL", rule.importance_sampling_level as usize),
            ("MICRO_BATCHES", recipe.config.train.micro_batches),
        ];
        let flags = [
            ("WATCHES", wanted == Wanted::Curves),
            ("SUCCEEDS", wanted == Wanted::Success),
            ("FOLLOWS", wanted == Wanted::Trail),
            ("TREE", shape.is_tree()),
            ("ENDS", shape.ends()),
            ("LISTS", self.lists),
            ("KEEPS_SUCCESS", self.keeps_success),
            ("GREEDY", self.greedy),
            ("SHUFFLES", recipe.signal.shuffles),
            ("LOOKS_AT_VOTES", uses.votes),
            ("LOOKS_AT_OTHERS", uses.others),
            ("RATED", rule.policy_loss != PolicyLoss::Score),
            ("KL_IN_REWARD", uses.kl && rule.kl_place == KlPlace::Reward),
            ("KL_IN_LOSS", uses.kl && rule.kl_place == KlPlace::Loss),
            ("AMOUNTS", uses.amounts),
            ("WHITENS", rule.whiten),
            ("ONLY_BEST", rule.baseline == Baseline::SecondBest),
            ("LOCAL", rule.loss_agg_mode == LossAgg::TokenMeanLocal),
            ("USES_SKILL", uses.skill),
            ("USES_MEMORY", uses.memory),
            ("USES_ENTROPY", uses.entropy),
            ("USES_DENSE", uses.dense),
            ("USES_SIGNS", uses.signs),
            ("USES_DISCOUNT", uses.discount),
            ("CUTS_ONE", uses.dual),
            ("SCORES", self.scores),
            ("KEEPS_LOGITS", self.keeps_logits),
            ("KEEPS_LOGPROBS", self.keeps_logprobs),
        ];
        numbers.into_iter().chain(flags.map(|(name, flag)| (name, usize::from(flag)))).collect()
    }
}

fn inputs(shape: &Shape, choices: &Choices) -> Vec<Table> {
    let levels = shape.prompts * shape.depth;
    let fresh = choices.keeps_success && !choices.lists;
    vec![
        floats("base", levels * shape.stride).from(|block| bits(&block.base)),
        words("right", levels * bit_rows(shape.arms)).from(|block| block.right.to_vec()),
        words("formatted", shape.depth * bit_rows(shape.arms)).from(|block| block.formatted.to_vec()),
        words("label", levels).from(labels).only_if(choices.uses.labels),
        words("luck", shape.prompts).from(lucks).only_if(choices.uses.labels),
        floats("others", shape.group + 1).from(|block| bits(&block.others)).only_if(choices.uses.others),
        floats("work", shape.prompts).from(|block| bits(&block.tree.work)).only_if(shape.ends()),
        words("first", shape.depth + 1).from(first).only_if(shape.is_tree()),
        floats("fresh", shape.domain.len() * shape.depth * shape.stride).from(fresh_of_domain).only_if(fresh),
        // where a replica's list begins depends on the worlds of the fleet: filled in when all are known
        words("listed_from", 1).from(|_| vec![0]).only_if(choices.lists),
        words("seed", 2).from(|block| [0, 32].map(|shift| (block.replicas[0].dice.0 >> shift) as u32).to_vec()),
        floats("numbers", numbers().len()).from(|block| {
            let (dials, params) = (block.dials.values(), block.params.values());
            let steps = block.step_size.map(f32::to_bits);
            dials.into_iter().chain(params).map(|number| number.x.to_bits()).chain(steps).collect()
        }),
        words("chances", chances().len()).from(|block| block.rates.values().into_iter().map(|rate| rate.0).collect()),
    ]
}

/// The tokens of the answer that each prompt's label names if it is wrong; no tokens where it names none.
fn labels(block: &Block<Scalar>) -> Vec<u32> {
    let (task, depth) = (&block.replicas[0].world.task, block.shape.depth);
    let tokens = |prompt: &usize| match task.label(*prompt).wrong {
        Some(answer) => task.tokens(answer),
        None => vec![u32::MAX; depth],
    };
    block.order[0].iter().flat_map(tokens).collect()
}

/// Whether each prompt's label is wrong.
fn lucks(block: &Block<Scalar>) -> Vec<u32> {
    let replica = block.replicas[0];
    let noise = replica.recipe.config.signal.label_noise;
    block.order[0].iter().map(|prompt| u32::from(replica.world.task.label(*prompt).luck < noise)).collect()
}

fn first(block: &Block<Scalar>) -> Vec<u32> {
    let steps = block.replicas[0].recipe.config.train.steps;
    first_nodes(&block.shape, steps).into_iter().map(|node| node as u32).collect()
}

/// Chances of a right response below new nodes, by prompt of the domain, depth and token.
fn fresh_of_domain(block: &Block<Scalar>) -> Vec<u32> {
    let shape = &block.shape;
    let fresh = |prompt: &usize| bits(&fresh_chances(block.replicas[0].world, *prompt, shape));
    block.order[0][shape.domain.clone()].iter().flat_map(fresh).collect()
}

fn scratch(shape: &Shape, choices: &Choices) -> Vec<Table> {
    let (by_group, by_paid) = (shape.batch * shape.group, shape.batch * shape.paid());
    let (visits, tokens) = (by_paid * shape.depth, by_group * shape.depth);
    let trees = shape.is_tree();
    let logits = if trees && !choices.keeps_logits { shape.stride } else { places(shape) * shape.stride };
    vec![
        words("prompt", shape.batch),
        floats("logits", logits).only_if(trees || choices.keeps_logits),
        floats("log_sum", places(shape)).only_if(!trees || choices.keeps_logits),
        floats("shift", 1).only_if(!trees && shape.domain.len() == 1),
        floats("sums", if trees { shape.stride } else { padded(shape.arms) }),
        words("arm", by_paid).only_if(!trees || choices.uses.votes),
        floats("reward", shape.paid()),
        floats("shaped", by_group),
        floats("greedy", shape.batch).only_if(choices.greedy),
        floats("logprob", if trees { visits } else { by_group }).only_if(choices.keeps_logprobs),
        floats("advantage", by_group),
        floats("push", tokens),
    ]
}

/// Policies that are kept from sampling to updates: those of the prompts of a batch, of trees those of all visits.
fn places(shape: &Shape) -> usize {
    if shape.is_tree() { shape.batch * shape.paid() * shape.depth } else { shape.batch }
}

/// What only trees need: scratch of a step, and nodes.
fn tree(shape: &Shape, choices: &Choices, first: &[usize]) -> Vec<Table> {
    let (visits, by_paid, by_group) = (places(shape), shape.batch * shape.paid(), shape.batch * shape.group);
    let (tiles, uses) = (shape.stride / ROW, choices.uses);
    let count = |used: bool, count: usize| if used { count } else { 0 };
    let (all, inner) = (count(uses.memory, first[shape.depth]), count(uses.memory, first[shape.depth - 1]));
    let (kept, measured) = (count(choices.keeps_success, all), count(choices.measures_nodes, all));
    let tables = vec![
        words("words", (shape.sampled() * shape.depth).next_multiple_of(4)),
        words("length", by_paid).only_if(shape.ends()),
        words("verdict", by_paid),
        words("token", visits),
        words("node", visits),
        floats("weight", visits * shape.stride),
        floats("inverse", visits),
        floats("entropy_at", visits).only_if(uses.entropy),
        floats("now", by_group * shape.depth).only_if(shape.goes_off_policy),
        floats("token_advantage", by_group * shape.depth),
        floats("bonus", by_group),
        floats("path_logprob", shape.paid()).only_if(choices.ever_scores),
        floats("path_ref_logprob", shape.paid()).only_if(choices.ever_scores),
        floats("path_entropy", shape.paid()).only_if(choices.ever_scores),
        floats("path_certainty", shape.paid()).only_if(choices.ever_scores),
        words("used", shape.depth),
        words("owner", all),
        words("above", all),
        words("state", kept),
        words("queue", kept),
        words("queued", count(choices.keeps_success, shape.depth)),
        floats("root_chance", count(choices.keeps_success, shape.domain.len())),
        float_tiles("private_logits", all * tiles),
        self::tiles("children", "Tile<u32, TILE>", inner * tiles),
        float_tiles("below", kept * tiles),
        float_tiles("outlook", measured),
        float_tiles("unknown", count(choices.measures_nodes, shape.domain.len() * (shape.depth + 1))),
    ];
    tables.into_iter().map(|table| table.only_if(shape.is_tree())).collect()
}

fn outputs(recipe: &Ready, shape: &Shape, uses: Uses, wanted: Wanted) -> Vec<Table> {
    let memory = if shape.is_tree() { 0 } else { shape.domain.len() * shape.arms };
    let by_look = match wanted {
        Wanted::Curves => LOOK_ROWS,
        Wanted::Success => 1,
        Wanted::Trail => 0,
    };
    vec![
        floats("skill", shape.depth * shape.stride),
        floats("memory", memory).only_if(uses.memory),
        floats("looks", recipe.config.train.evaluations() * by_look),
        floats("trail", 2 * LAUNCH).only_if(wanted == Wanted::Trail),
        floats("last", MEASURES).only_if(wanted == Wanted::Trail),
    ]
}

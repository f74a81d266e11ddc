//! The sizes, choices and tables of a fleet: what the kernel is compiled for and works on.

use super::STRIDE;
use super::formulas::scale_number;
use crate::batch::block::{Block, Replica, Uses};
use crate::batch::evaluate::MEASURES;
use crate::batch::search::{bit_rows, padded};
use crate::batch::shape::Shape;
use crate::config::{Baseline, KlPlace, PolicyLoss};
use crate::objective::Dials;
use crate::recipe::Ready;
use crate::registry::Named;
use crate::signals::{Params, Rates, SIGNALS};
use pulp::Scalar;
use std::ops::Range;

/// What a step did, in the order in which the kernel writes it.
pub(super) const DID: usize = 9;

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

/// A table `[row][replica]` of 32-bit numbers.
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

/// Rows of a table in a thread's own array.
const OWN_ROWS: usize = 64;

type Source = Option<fn(&Block<Scalar>) -> Vec<u32>>;

fn floats(name: &'static str, rows: usize) -> Table {
    Table { name, kind: "float", rows, source: None, place: Place::Far }
}

fn words(name: &'static str, rows: usize) -> Table {
    Table { name, kind: "u32", rows, source: None, place: Place::Far }
}

impl Table {
    fn from(self, source: fn(&Block<Scalar>) -> Vec<u32>) -> Self {
        Table { source: Some(source), ..self }
    }

    /// Whether it lies in memory before or after a launch.
    pub(super) fn lasts(&self) -> bool {
        self.source.is_some() || ["skill", "memory"].contains(&self.name)
    }

    /// The constant that says where it starts.
    pub(super) fn start(&self) -> String {
        format!("ROW_{}", self.name)
    }

    /// What is only scratch, and worked on elsewhere, has none.
    pub(super) fn rows_in_memory(&self) -> usize {
        if self.place == Place::Far || self.lasts() { self.rows } else { 0 }
    }

    /// None, unless there is a use for it.
    fn only_if(self, used: bool) -> Self {
        Table { rows: if used { self.rows } else { 0 }, ..self }
    }
}

/// Says where each table lies: scratch and state that are read at random in shared memory, the rest of what is small in the threads' own arrays.
fn put(tables: &mut [Table], shape: &Shape) {
    let mut room = SHARED_ROWS;
    for name in ["sums", "skill", "memory"] {
        let table = tables.iter_mut().find(|table| table.name == name).expect("it is a table");
        if (1..=room).contains(&table.rows) {
            room -= table.rows;
            table.place = Place::Shared;
        }
    }
    let unrolled: &[&str] =
        if unrolls_groups(shape) { &["arm", "reward", "shaped", "greedy", "logprob", "advantage", "push"] } else { &[] };
    let single: &[&str] = if shape.batch == 1 { &["prompt", "log_sum"] } else { &[] };
    let small: &[&str] = if shape.prompts == 1 && unrolls_arms(shape) { &["base", "right", "formatted"] } else { &[] };
    for table in tables.iter_mut().filter(|table| [unrolled, single, small].concat().contains(&table.name)) {
        table.place = Place::Own;
    }
}

/// Whether loops over the arms are unrolled.
pub(super) fn unrolls_arms(shape: &Shape) -> bool {
    shape.arms <= OWN_ROWS
}

/// Whether loops over the rollouts of a batch are unrolled.
pub(super) fn unrolls_groups(shape: &Shape) -> bool {
    shape.batch == 1 && shape.paid() <= OWN_ROWS / 2
}

/// The bits of numbers.
fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

impl Plan {
    /// For replicas of one fleet. If it `follows`, every step shows its means over replicas and nothing else is seen; else replicas are seen one by one, at
    /// evaluated steps. `puts` says whether tables may lie nearer than in memory.
    pub(super) fn new(replicas: &[Replica], follows: bool, puts: bool) -> Self {
        let recipe = replicas[0].recipe;
        let (shape, uses) = (Shape::of(recipe, replicas[0].prompts.len()), Uses::of(replicas));
        let choices = Choices::of(recipe, &shape, uses);
        let chosen = replicas[0].prompts.len();
        let tables =
            [inputs(&shape, chosen, &choices), outputs(recipe, &shape, uses, follows), scratch(&shape, &choices)].map(Vec::into_iter);
        let constants = [
            sizes(recipe, &shape, chosen),
            choices.constants(recipe, uses),
            vec![("WATCHES", usize::from(!follows)), ("FOLLOWS", usize::from(follows))],
        ]
        .concat();
        let mut plan = Plan { shape, constants: Vec::new(), tables: tables.into_iter().flatten().collect() };
        if puts {
            put(&mut plan.tables, &plan.shape);
        }
        let rows = plan.tables.iter().map(|table| (table.start(), plan.rows(table.name).start));
        let all = constants.into_iter().map(|(name, value)| (name.to_string(), value)).chain(rows);
        plan.constants = all.map(|(name, value)| (name, u32::try_from(value).expect("supported sizes have 32 bits"))).collect();
        plan
    }

    /// The rows of a table in memory among those of all.
    pub(super) fn rows(&self, name: &str) -> Range<usize> {
        let place = self.tables.iter().position(|table| table.name == name).expect("tables are asked for by their names");
        let start = self.tables[..place].iter().map(Table::rows_in_memory).sum();
        start..start + self.tables[place].rows_in_memory()
    }
}

/// Names of a replica's numbers: dials of rules, parameters of signals, step sizes.
pub(super) fn numbers() -> Vec<&'static str> {
    [Dials::named(|name| name).values(), Params::named(|name| name).values(), vec!["step_shared", "step_own"]].concat()
}

/// Names of a replica's thresholds of coins.
pub(super) fn chances() -> Vec<&'static str> {
    Rates::named(|name| name, "").values()
}

fn sizes(recipe: &Ready, shape: &Shape, chosen: usize) -> Vec<(&'static str, usize)> {
    let train = &recipe.config.train;
    vec![
        ("ARMS", shape.arms),
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
        ("HELD_OUT_START", shape.held_out.start),
        ("CHOSEN", chosen),
        ("MINIBATCH", shape.minibatch()),
        ("PASSES", shape.passes),
        ("STEPS", train.steps),
        ("EVAL_EVERY", eval_every(recipe)),
    ]
}

/// Steps between evaluations: more than all steps are as good as all steps.
pub(super) fn eval_every(recipe: &Ready) -> usize {
    recipe.config.train.eval_every.min(recipe.config.train.steps.max(1))
}

/// Evaluated steps, the first being 0.
pub(super) fn looks(recipe: &Ready) -> usize {
    1 + recipe.config.train.steps.div_ceil(eval_every(recipe))
}

/// What of the kernel a recipe needs.
struct Choices {
    greedy: bool,
    labels: bool,
    others: bool,
    votes: bool,
    keeps_logits: bool,
    keeps_logprobs: bool,
}

impl Choices {
    fn of(recipe: &Ready, shape: &Shape, uses: Uses) -> Self {
        let asks = |knob| recipe.signal.params.contains(&knob);
        Choices {
            greedy: shape.greedy,
            labels: asks("label_noise"),
            others: asks("pass_k"),
            votes: recipe.signal.formula.looks_at_votes(),
            // the part of a gradient in all arms asks for logits after some have moved
            keeps_logits: uses.dense,
            keeps_logprobs: uses.kl || shape.goes_off_policy(),
        }
    }

    fn constants(&self, recipe: &Ready, uses: Uses) -> Vec<(&'static str, usize)> {
        let rule = &recipe.config.objective;
        let signal = SIGNALS.iter().position(|signal| signal.name() == recipe.signal.name()).expect("the signal is in the registry");
        let numbers = [
            ("SIGNAL", signal),
            ("BASELINE", rule.baseline as usize),
            ("SCALE", scale_number(rule)),
            ("POLICY_LOSS", rule.policy_loss as usize),
            ("REWARD_MAP", rule.reward_map as usize),
            ("KL_FORM", rule.kl_form as usize),
        ];
        let flags = [
            ("GREEDY", self.greedy),
            ("SHUFFLES", recipe.signal.shuffles),
            ("LOOKS_AT_VOTES", self.votes),
            ("LOOKS_AT_OTHERS", self.others),
            ("RATED", rule.policy_loss != PolicyLoss::Score),
            ("KL_IN_REWARD", uses.kl && rule.kl_place == KlPlace::Reward),
            ("KL_IN_LOSS", uses.kl && rule.kl_place == KlPlace::Loss),
            ("WHITENS", rule.whiten),
            ("ONLY_BEST", rule.baseline == Baseline::SecondBest),
            ("USES_SKILL", uses.skill),
            ("USES_MEMORY", uses.memory),
            ("USES_ENTROPY", uses.entropy),
            ("USES_DENSE", uses.dense),
            ("CUTS_ONE", uses.dual),
            ("KEEPS_LOGITS", self.keeps_logits),
            ("KEEPS_LOGPROBS", self.keeps_logprobs),
        ];
        numbers.into_iter().chain(flags.map(|(name, flag)| (name, usize::from(flag)))).collect()
    }
}

fn inputs(shape: &Shape, chosen: usize, choices: &Choices) -> Vec<Table> {
    vec![
        floats("base", shape.prompts * shape.arms).from(|block| bits(&block.base)),
        words("right", shape.prompts * bit_rows(shape.arms)).from(|block| block.right.to_vec()),
        words("formatted", bit_rows(shape.arms)).from(|block| block.formatted.to_vec()),
        words("chosen", chosen).from(|block| block.replicas[0].prompts.iter().map(|prompt| *prompt as u32).collect()),
        words("label", shape.prompts).from(labels).only_if(choices.labels),
        floats("others", shape.group + 1).from(|block| bits(&block.others)).only_if(choices.others),
        words("seed", 2).from(|block| [0, 32].map(|shift| (block.replicas[0].dice.0 >> shift) as u32).to_vec()),
        floats("numbers", numbers().len()).from(|block| {
            let (dials, params) = (block.dials.values(), block.params.values());
            let steps = block.step_size.map(f32::to_bits);
            dials.into_iter().chain(params).map(|number| number.x.to_bits()).chain(steps).collect()
        }),
        words("chances", chances().len()).from(|block| block.rates.values().into_iter().map(|rate| rate.0).collect()),
    ]
}

/// The arm that each prompt's label names if it is wrong, and in the highest bit whether it is.
fn labels(block: &Block<Scalar>) -> Vec<u32> {
    const NONE: u32 = (1 << 31) - 1;
    let replica = block.replicas[0];
    let noise = replica.recipe.config.signal.label_noise;
    let word = |prompt| {
        let label = replica.world.task.label(prompt);
        // in a bandit, the answer of arm v is v + 1
        label.wrong.map_or(NONE, |answer| answer as u32 - 1) | u32::from(label.luck < noise) << 31
    };
    (0..block.shape.prompts).map(word).collect()
}

fn scratch(shape: &Shape, choices: &Choices) -> Vec<Table> {
    let by_group = shape.batch * shape.group;
    vec![
        words("prompt", shape.batch),
        floats("logits", shape.batch * shape.arms).only_if(choices.keeps_logits),
        floats("log_sum", shape.batch),
        floats("sums", padded(shape.arms)),
        words("arm", shape.batch * shape.paid()),
        floats("reward", shape.paid()),
        floats("shaped", by_group),
        floats("greedy", shape.batch).only_if(choices.greedy),
        floats("logprob", by_group).only_if(choices.keeps_logprobs),
        floats("advantage", by_group),
        floats("push", by_group),
    ]
}

fn outputs(recipe: &Ready, shape: &Shape, uses: Uses, follows: bool) -> Vec<Table> {
    vec![
        floats("skill", shape.arms),
        floats("memory", shape.domain.len() * shape.arms).only_if(uses.memory),
        floats("looks", looks(recipe) * LOOK_ROWS).only_if(!follows),
        floats("trail", 2 * STRIDE).only_if(follows),
        floats("last", MEASURES).only_if(follows),
    ]
}

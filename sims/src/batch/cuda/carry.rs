//! Replicas into tables, and tables into what is seen of each replica.

use super::tables::{DID, LOOK_ROWS, Plan, eval_every};
use crate::batch::block::{Block, Replica};
use crate::batch::evaluate::{MEASURES, Means};
use crate::batch::fleet::{Look, Observed};
use crate::batch::number::Lane;
use crate::batch::update::Did;
use crate::measure::Measured;
use crate::recipe::Ready;
use pulp::Scalar;
use rayon::prelude::*;
use std::collections::HashMap;

/// Replicas whose columns are made at a time.
const AT_A_TIME: usize = 1024;

/// A block of one replica without vector instructions: it holds what a column holds.
fn block<'a>(replica: &'a [Replica<'a>; 1]) -> Block<'a, Scalar> {
    Block::new(Scalar::new(), replica, None)
}

/// What a run starts from, as bits.
pub(super) struct Inputs {
    /// The tables of inputs, `[row][replica]`.
    pub(super) tables: Vec<u32>,
    /// The right responses of worlds that list them, world after world; never empty, for memory of no size cannot be had.
    pub(super) lists: Vec<u32>,
}

impl Inputs {
    /// Those of a fleet.
    pub(super) fn of(plan: &Plan, replicas: &[Replica]) -> Self {
        let (mut tables, (lists, from)) = (columns(plan, replicas), lists(replicas));
        let first = plan.rows("listed_from").start * replicas.len();
        tables[first..][..from.len()].copy_from_slice(&from);
        Inputs { tables, lists }
    }
}

/// Lists of right responses with the chances below every prefix, of every world once, and where that of each replica begins; nothing where worlds list none.
fn lists(replicas: &[Replica]) -> (Vec<u32>, Vec<u32>) {
    let mut known = HashMap::new();
    let (mut lists, mut from) = (vec![0], Vec::new());
    for replica in replicas {
        let Some(leaves) = replica.world.task.leaves() else { return (vec![0], Vec::new()) };
        let begins = *known.entry(std::ptr::from_ref(replica.world)).or_insert(lists.len());
        if begins == lists.len() {
            lists.extend(leaves.words());
            lists.extend(leaves.chances().map(f32::to_bits));
        }
        from.push(u32::try_from(begins).expect("supported lists have 32 bits"));
    }
    (lists, from)
}

fn columns(plan: &Plan, replicas: &[Replica]) -> Vec<u32> {
    let mut tables = vec![0; plan.wanted().start * replicas.len()];
    for first in (0..replicas.len()).step_by(AT_A_TIME) {
        let some = &replicas[first..replicas.len().min(first + AT_A_TIME)];
        let columns: Vec<Vec<u32>> = some.par_iter().map(|replica| column(plan, *replica)).collect();
        for row in 0..plan.wanted().start {
            let words = &mut tables[row * replicas.len() + first..][..some.len()];
            words.iter_mut().zip(&columns).for_each(|(word, column)| *word = column[row]);
        }
    }
    tables
}

/// A replica's column of the inputs.
fn column(plan: &Plan, replica: Replica) -> Vec<u32> {
    let replica = [replica];
    let block = block(&replica);
    let sources = plan.tables.iter().filter(|table| table.rows > 0).map_while(|table| table.source);
    sources.flat_map(|source| source(&block)).collect()
}

/// What is seen of each replica, from the rows that are wanted of a fleet that has run.
pub(super) fn observed(plan: &Plan, wanted: &[u32], replicas: &[Replica]) -> Vec<Observed> {
    let one = [replicas[0]];
    let mut block = block(&one);
    let column = |name: &str, lane: usize| -> Vec<f32> {
        plan.rows(name).map(|row| f32::from_bits(wanted[(row - plan.wanted().start) * replicas.len() + lane])).collect()
    };
    let mut see = |lane: usize| {
        let (skill, memory) = (column("skill", lane), column("memory", lane));
        block.skill.copy_from_slice(&skill);
        block.memory[..memory.len()].copy_from_slice(&memory);
        block.seen(&read(replicas[0].recipe, &column("looks", lane)), 0)
    };
    (0..replicas.len()).map(&mut see).collect()
}

/// The measures of each replica, from rows of them.
pub(super) fn measured(rows: &[u32], replicas: usize) -> Vec<Measured> {
    let number = |row: usize, lane: usize| f32::from_bits(rows[row * replicas + lane]);
    let means = |lane: usize| Means::<Scalar>(std::array::from_fn(|row| number(row, lane)));
    (0..replicas).map(|lane| means(lane).lane(0)).collect()
}

/// The chance of a right response at evaluated steps, by replica, from a row for each.
pub(super) fn trails(rows: &[u32], replicas: usize) -> Vec<Vec<f64>> {
    let trail = |lane: usize| rows.iter().skip(lane).step_by(replicas).map(|x| f64::from(f32::from_bits(*x))).collect();
    (0..replicas).map(trail).collect()
}

/// The evaluated steps of a replica.
fn read(recipe: &Ready, rows: &[f32]) -> Vec<Look<Scalar>> {
    let means = |rows: &[f32]| Means(rows.try_into().expect("a row per measure"));
    let look = |number: usize| {
        let rows = &rows[number * LOOK_ROWS..][..LOOK_ROWS];
        let (held_out, rest) = rows.split_at(MEASURES);
        let (train, did) = rest.split_at(MEASURES);
        let step = (number * eval_every(recipe)).min(recipe.config.train.steps);
        Look { step, train: means(train), held_out: means(held_out), did: did_of(did.try_into().expect("a row per number")) }
    };
    (0..recipe.config.train.evaluations()).map(look).collect()
}

/// What a step did, in the kernel's order.
fn did_of(numbers: [f32; DID]) -> Did<Scalar> {
    let s = Scalar::new();
    let [reward, reward_std, flat, accuracy, entropy, success, length, tokens, low, high] = numbers.map(|x| Lane { s, x });
    Did { reward, reward_std, flat, accuracy, entropy, success, length, tokens, low, high }
}

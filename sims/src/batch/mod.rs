//! Many cells at once: one replica per SIMD lane, in `f32`, with the semantics and the draws of [`Cell::run`].
//!
//! ```text
//! supports(recipe)                     shape       what runs here; what the cells of one block share
//! run(cells) -> [Curves]               mod         worlds made once, cells sorted into fleets
//! watch, recall, success, follow       fleet       blocks of replicas over threads; the program of a step
//! Block                                block       the state of one vector of replicas
//!   roll_out                           sample      bandits: policy, search in running sums
//!   enumerate                          exact       all arms with their probabilities in place of a sample
//!   roll_out_trees                     tree/       trees: policies at the nodes visited, draws, verdicts
//!   pay                                pay         signal, votes, labels
//!   assess                             update      the blocks of crate::objective, in lanes
//!   update, update_trees               update, tree/   pushes of arms or tokens, ascent
//!   measure                            evaluate, tree/ exact measurements
//! Lane, Mask, Threshold                number      vectors as the numbers of formulas
//! Shown                                shown       what draws show to a signal
//! Lanes, dispatch                      lanes       vector instructions, chosen at run time; all `unsafe` of the crate
//! exp2, log2; Keys, Streams            math, philox
//! Ceilings                             ceiling     what this machine can do at most
//! Weigh                                weigh       from logits to weights, their sums and moments
//! Flow, Pushes                         flow        exact gradients into which rewards enter as they are, many steps at a time
//! Search, Bits                         search      which arm a uniform means
//! the same engine as one CUDA kernel   cuda/       one replica per thread
//! ```
//!
//! A bandit is a tree of depth 1. Both are one block: they draw prompts, coins and words, pay, centre and scale rewards, count what a step did, and add
//! up measurements in the same lines, a lane being a replica. What differs is where a policy lives: a bandit's in one dense table, computed once for all rollouts
//! of a prompt and searched, a tree's at nodes of which each rollout visits others. So sampling, ascent and what is measured of a prompt are written twice, and
//! chosen while compiling; the root of a tree, where all rollouts meet, is treated as a bandit is.
//!
//! The arithmetic of a replica is one sequential program of correctly rounded `f32` operations, and lanes never meet. So no result depends on vector width,
//! instruction set, threads or neighbours. Prompts are numbered replica by replica, those it has chosen to train on first (`Replica::order`): where each replica chooses
//! its own, all lanes still train on the same rows and measure the same nodes. The engine differs from the reference loop by rounding: a uniform has 24 bits here and 32 there, and running sums of V weights
//! carry an error of up to V 2^-24 of their total, so a draw may differ where its uniform lies that close to a boundary between arms; from there on the two are
//! different samples of the same law.

mod block;
pub mod ceiling;
pub mod cuda;
mod evaluate;
mod exact;
mod fleet;
pub mod flow;
pub mod lanes;
pub mod math;
mod memory;
pub mod number;
mod pay;
pub mod philox;
mod sample;
mod search;
mod shape;
pub mod shown;
#[cfg(test)]
mod tests;
mod tree;
mod update;
mod weigh;

pub use block::Replica;
pub use fleet::{Observed, Options, Trail, follow, recall, success, watch};
pub use shape::supports;
pub use tree::Node;

use crate::cell::Cell;
use crate::config::World as Settings;
use crate::data::choose;
use crate::knob::KnobError;
use crate::recipe::Ready;
use crate::record::Curves;
use crate::stream::Seed;
use crate::world::World;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;

/// Changes whenever results of this engine do, so that stored results of an older one are not taken for new ones.
pub const SEMANTICS: u32 = 8;

/// Runs cells, in any mixture of recipes and worlds, and gives the curves of each, in their order.
///
/// # Errors
/// Per cell: when [`supports`] denies its recipe, or its world cannot be made.
pub fn run(cells: &[Cell], options: Options) -> Vec<Result<Curves, KnobError>> {
    let Ok(all) = run_by(cells, supports, |fleet| Ok::<_, Infallible>(watch(fleet, options)));
    all
}

/// The same by another engine of replicas, which can run what `supports` allows.
///
/// # Errors
/// When the engine fails.
fn run_by<E: Send>(
    cells: &[Cell],
    supports: fn(&Ready) -> Result<(), KnobError>,
    watch: impl Fn(&[Replica]) -> Result<Vec<Observed>, E> + Sync,
) -> Result<Vec<Result<Curves, KnobError>>, E> {
    let worlds = make_worlds(cells);
    let world = |cell: &Cell| &worlds[&world_key(cell)];
    let prompts: Vec<Vec<usize>> =
        cells.par_iter().map(|cell| world(cell).as_ref().map_or(Vec::new(), |w| choose(w, &cell.recipe))).collect();
    let replica = |i: usize| -> Result<Replica, KnobError> {
        supports(&cells[i].recipe)?;
        let world = world(&cells[i]).as_ref().map_err(Clone::clone)?;
        Ok(Replica { world, recipe: &cells[i].recipe, prompts: &prompts[i], dice: cells[i].seed })
    };
    let replicas: Vec<Result<Replica, KnobError>> = (0..cells.len()).map(replica).collect();
    let ready = |i: &usize| *replicas[*i].as_ref().expect("only what can run is in a fleet");
    let watched = |members: &Vec<usize>| {
        let fleet: Vec<Replica> = members.iter().map(ready).collect();
        Ok(members.iter().copied().zip(watch(&fleet)?).collect())
    };
    let all: Vec<Vec<(usize, Observed)>> = fleets(cells, &replicas).par_iter().map(watched).collect::<Result<_, E>>()?;
    let mut seen: HashMap<usize, Observed> = all.into_iter().flatten().collect();
    let result = |(i, replica): (usize, Result<Replica, KnobError>)| replica.map(|r| curves(&r, &seen.remove(&i).expect("it ran")));
    Ok(replicas.iter().cloned().enumerate().map(result).collect())
}

/// Whether an update of this recipe moves all actions at a prompt, and not only those drawn.
pub(crate) fn moves_all(recipe: &Ready) -> bool {
    block::Uses::asked_by(&[recipe]).dense
}

/// Whether rewards enter the gradient of this recipe as they are, whatever their mean, so that nobody compares them.
pub(crate) fn passes_rewards(recipe: &Ready) -> bool {
    block::Uses::asked_by(&[recipe]).pass_rewards(&recipe.config.objective, recipe.signal)
}

/// Indices of the cells that can run, sorted into fleets.
fn fleets(cells: &[Cell], replicas: &[Result<Replica, KnobError>]) -> Vec<Vec<usize>> {
    let mut fleets: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for i in (0..cells.len()).filter(|i| replicas[*i].is_ok()) {
        fleets.entry(shape::key(&cells[i])).or_default().push(i);
    }
    fleets.into_values().collect()
}

/// The curves of a replica.
fn curves(replica: &Replica, seen: &Observed) -> Curves {
    let chosen = replica.recipe.config.data.regime.chosen(replica.prompts.to_vec());
    Curves::of(replica.world.alignment, chosen, &seen.snapshots)
}

/// What a world depends on: its knobs, as text, and the seed.
type WorldKey = (String, u64);

fn world_key(cell: &Cell) -> WorldKey {
    (cell.recipe.config.world.key(), cell.seed.0)
}

/// The world of every cell, each made once.
fn make_worlds(cells: &[Cell]) -> HashMap<WorldKey, Result<World, KnobError>> {
    let wanted: HashMap<WorldKey, &Settings> = cells.iter().map(|cell| (world_key(cell), &cell.recipe.config.world)).collect();
    wanted.into_par_iter().map(|(key, settings)| (key.clone(), World::new(settings, Seed(key.1)))).collect()
}

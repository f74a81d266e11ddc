//! Many cells at once: one replica per SIMD lane, in `f32`, with the semantics and the draws of [`Cell::run`].
//!
//! ```text
//! supports(recipe)                     shape       what runs here; what the cells of one block share
//! run(cells) -> [Curves]               mod         worlds made once, cells sorted into fleets
//! watch, follow: [Replica] -> ...      fleet       blocks of replicas over threads
//! Block                                block       the state of one vector of replicas
//!   sample, pay                        sample      policy, search in running sums, signal
//!   advantages, pushes, ascent         update      the blocks of crate::objective, in lanes
//!   measure                            evaluate    exact measurements
//! Lane, Mask, Threshold                number      vectors as the numbers of formulas
//! Shown                                shown       what draws show to a signal
//! Lanes, dispatch                      lanes       vector instructions, chosen at run time; all `unsafe` of the crate
//! exp2, log2; Keys, Streams            math, philox
//! Search, Bits                         search      which arm a uniform means
//! ```
//!
//! The arithmetic of a replica is one sequential program of correctly rounded `f32` operations, and lanes never meet. So no result depends on vector width,
//! instruction set, threads or neighbours. It differs from the reference loop by rounding: a uniform has 24 bits here and 32 there, and running sums of V weights
//! carry an error of up to V 2^-24 of their total, so a draw may differ where its uniform lies that close to a boundary between arms; from there on the two are
//! different samples of the same law.

mod block;
mod evaluate;
mod fleet;
pub mod lanes;
pub mod math;
mod memory;
pub mod number;
pub mod philox;
mod sample;
mod search;
mod shape;
pub mod shown;
#[cfg(test)]
mod tests;
mod update;

pub use block::Replica;
pub use fleet::{Observed, Options, Trail, follow, watch};
pub use shape::supports;

use crate::cell::Cell;
use crate::config::World as Settings;
use crate::data::choose;
use crate::knob::KnobError;
use crate::record::Curves;
use crate::stream::Seed;
use crate::world::World;
use rayon::prelude::*;
use std::collections::HashMap;

/// Runs cells, in any mixture of recipes and worlds, and gives the curves of each, in their order.
///
/// # Errors
/// Per cell: when [`supports`] denies its recipe, or its world cannot be made.
pub fn run(cells: &[Cell], options: Options) -> Vec<Result<Curves, KnobError>> {
    let worlds = make_worlds(cells);
    let world = |cell: &Cell| &worlds[&(settings_key(&cell.recipe.config.world), cell.seed.0)];
    let prompts: Vec<Vec<usize>> =
        cells.par_iter().map(|cell| world(cell).as_ref().map_or(Vec::new(), |w| choose(w, &cell.recipe))).collect();
    let mut results: Vec<Option<Result<Curves, KnobError>>> = vec![None; cells.len()];
    let mut fleets: Vec<(String, Vec<usize>)> = Vec::new();
    let mut place: HashMap<String, usize> = HashMap::new();
    for (i, cell) in cells.iter().enumerate() {
        match (supports(&cell.recipe), world(cell)) {
            (Err(error), _) => results[i] = Some(Err(error)),
            (_, Err(error)) => results[i] = Some(Err(error.clone())),
            _ => {
                let key = shape::key(cell);
                let at = *place.entry(key.clone()).or_insert(fleets.len());
                if at == fleets.len() {
                    fleets.push((key, Vec::new()));
                }
                fleets[at].1.push(i);
            }
        }
    }
    let replica = |i: usize| {
        let world = world(&cells[i]).as_ref().expect("cells without a world are in no fleet");
        Replica { world, recipe: &cells[i].recipe, prompts: &prompts[i], dice: cells[i].seed }
    };
    let run_fleet = |(_, members): &(String, Vec<usize>)| watch(&members.iter().map(|&i| replica(i)).collect::<Vec<_>>(), options);
    let seen: Vec<Vec<Observed>> = fleets.par_iter().map(run_fleet).collect();
    for ((_, members), seen) in fleets.iter().zip(seen) {
        for (&i, seen) in members.iter().zip(seen) {
            results[i] = Some(Ok(curves(&replica(i), &seen)));
        }
    }
    results.into_iter().map(|result| result.expect("every cell ran or failed")).collect()
}

/// The curves of a replica.
fn curves(replica: &Replica, seen: &Observed) -> Curves {
    let chosen = if replica.recipe.config.data.regime.selects() { replica.prompts.to_vec() } else { Vec::new() };
    Curves::of(replica.world.alignment, chosen, &seen.snapshots)
}

type Worlds = HashMap<(String, u64), Result<World, KnobError>>;

/// The world of every cell, each made once.
fn make_worlds(cells: &[Cell]) -> Worlds {
    let mut wanted: HashMap<(String, u64), &Settings> = HashMap::new();
    for cell in cells {
        wanted.entry((settings_key(&cell.recipe.config.world), cell.seed.0)).or_insert(&cell.recipe.config.world);
    }
    wanted.into_par_iter().map(|(key, settings)| (key.clone(), World::new(settings, Seed(key.1)))).collect()
}

fn settings_key(settings: &Settings) -> String {
    format!("{settings:?}")
}

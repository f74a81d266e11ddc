//! The batched engine as one CUDA kernel: one replica per thread, the draws and the bits of [`super::watch`].
//!
//! ```text
//! Term, Fact, Rate; Sample             term        numbers that print themselves as C
//! print()                              formulas    every formula of signals and rules, printed from where it is defined
//! Plan: constants, tables              tables      what a fleet's kernel is compiled for and works on
//! load, observed                       carry       tables from replicas, and what is seen of each
//! kernel.cu                            kernel.cu   the order of things: sample, pay, compare, push, ascend, measure
//! Device                               device      NVRTC, memory and launches, with the feature `cuda`
//! ```
//!
//! A new signal or rule needs nothing here: its formula is the one generic function of its file, run on [`term::Term`]. The kernel is one source. For a device it
//! is compiled once per shape of fleet, with sizes and choices as constants; for the tests it is compiled once as C++, with the same names as variables, and run
//! against the batched engine on every pair of signal and rule.

mod carry;
#[cfg(feature = "cuda")]
mod device;
mod formulas;
#[cfg(test)]
mod host;
mod tables;
pub mod term;
#[cfg(test)]
mod tests;

#[cfg(feature = "cuda")]
pub use device::Device;

use super::block::Replica;
use super::fleet::{Observed, Trail};
#[cfg(feature = "cuda")]
use super::run_by;
use crate::config;
use crate::knob::KnobError;
use crate::recipe::Ready;
use std::ops::Range;
use tables::Plan;

/// The kernel, but for what is printed.
const KERNEL: &str = include_str!("kernel.cu");

/// The kernel with `header` as its `shape.h`.
fn source(header: &str) -> String {
    KERNEL.replace("#include \"shape.h\"\n", header).replace("#include \"formulas.h\"\n", &formulas::print())
}

/// The whole source that a device compiles for a fleet of these replicas, which must be of one fleet as in [`super::watch`].
pub fn source_for(replicas: &[Replica]) -> String {
    source(&Plan::watching(replicas, true).header())
}

/// Whether the kernel runs cells of this recipe.
///
/// # Errors
/// As [`super::supports`], and for trees.
pub fn supports(recipe: &Ready) -> Result<(), KnobError> {
    super::supports(recipe)?;
    let depth = recipe.config.world.depth;
    config::require(depth == 1, "depth", depth, "must be 1 in the CUDA engine")?;
    let batch = recipe.config.train.train_batch_size;
    let rows = batch.saturating_mul(recipe.config.world.vocab);
    config::require(rows <= MAX_LOGITS, "train_batch_size", batch, "times vocab must be at most 2^28 in the CUDA engine")
}

/// Logits of a batch: rows of a table are counted in 32 bits.
const MAX_LOGITS: usize = 1 << 28;

/// What runs kernels.
trait Machine {
    /// Why it could not.
    type Failure;
    /// The tables of a fleet.
    type Memory;

    /// Whether kernels are compiled for one fleet, so that small tables may lie nearer than in memory.
    fn puts(&self) -> bool;

    /// Tables with these inputs, and zeros in all other rows.
    fn load(&self, plan: &Plan, inputs: &[u32], replicas: usize) -> Result<Self::Memory, Self::Failure>;

    /// Runs some steps.
    fn launch(&self, plan: &Plan, memory: &mut Self::Memory, steps: Range<usize>) -> Result<(), Self::Failure>;

    /// Sums over replicas of some rows of numbers, each in [`PARTS`] parts.
    fn sums(&self, plan: &Plan, memory: &Self::Memory, rows: Range<usize>) -> Result<Vec<f64>, Self::Failure>;

    /// Some rows.
    fn read(&self, memory: &Self::Memory, rows: Range<usize>) -> Result<Vec<u32>, Self::Failure>;
}

/// Steps of a launch.
const STRIDE: usize = 32;

/// Threads of a block.
const THREADS: usize = 128;

/// Threads that sum a row.
const PARTS: usize = 256;

/// The steps of a run, launch by launch; one launch where there are none, for what is seen of the base model.
fn launches(plan: &Plan) -> impl Iterator<Item = Range<usize>> {
    let steps = plan.constant("STEPS") as usize;
    (0..steps.max(1)).step_by(STRIDE).map(move |first| first..steps.min(first + STRIDE))
}

/// Runs replicas and gives what is seen of each, in their order; with the demands of [`super::watch`].
fn watch<M: Machine>(machine: &M, replicas: &[Replica]) -> Result<Vec<Observed>, M::Failure> {
    let plan = Plan::watching(replicas, machine.puts());
    let mut memory = machine.load(&plan, &carry::inputs(&plan, replicas), replicas.len())?;
    for steps in launches(&plan) {
        machine.launch(&plan, &mut memory, steps)?;
    }
    Ok(carry::observed(&plan, &machine.read(&memory, plan.wanted())?, replicas))
}

/// Runs replicas, at most `room` at a time, without looking at single ones: means over replicas of what every step sampled from.
fn follow<M: Machine>(machine: &M, replicas: &[Replica], room: usize) -> Result<Trail, M::Failure> {
    let mut trail = vec![[0.0; 2]; replicas[0].recipe.config.train.steps];
    for some in replicas.chunks(room) {
        let plan = Plan::following(some, machine.puts());
        let mut memory = machine.load(&plan, &carry::inputs(&plan, some), some.len())?;
        for steps in launches(&plan).filter(|steps| !steps.is_empty()) {
            machine.launch(&plan, &mut memory, steps.clone())?;
            let start = plan.rows("trail").start;
            let parts = machine.sums(&plan, &memory, start..start + 2 * steps.len())?;
            let sums: Vec<f64> = parts.chunks(PARTS).map(|parts| parts.iter().sum()).collect();
            trail[steps].iter_mut().zip(sums.chunks(2)).for_each(|(all, some)| *all = [all[0] + some[0], all[1] + some[1]]);
        }
    }
    Ok(trail.iter().map(|sum| sum.map(|x| x / replicas.len() as f64)).collect())
}

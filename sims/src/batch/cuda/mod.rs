//! The batched engine as one CUDA kernel: one replica per thread, the draws and the bits of [`super::watch`].
//!
//! ```text
//! Term, Fact, Rate; Sample             term        numbers that print themselves as C
//! print()                              formulas    every formula of signals and rules, printed from where it is defined
//! Plan: constants, tables              tables      what a fleet's kernel is compiled for and works on
//! header                               header      the plan, printed
//! kernel.cu                            kernel.cu   the order of things: sample, pay, compare, push, ascend, measure
//! inputs, observed                     carry       tables from replicas, and what is seen of each
//! Machine; watch, follow               machine     launches on whatever runs the kernel
//! Device                               device      NVRTC, memory and launches, with the feature `cuda`
//! ```
//!
//! A new signal or rule needs nothing here: its formula is the one generic function of its file, run on [`term::Term`]. The kernel is one source. For a device it
//! is compiled once per shape of fleet, with sizes and choices as constants; for the tests it is compiled once as C++, with the same names as variables, and run
//! against the batched engine on every pair of signal and rule.

#[cfg(any(test, feature = "cuda"))]
mod carry;
#[cfg(feature = "cuda")]
mod device;
mod formulas;
mod header;
#[cfg(test)]
mod host;
#[cfg(any(test, feature = "cuda"))]
mod machine;
mod tables;
pub mod term;
#[cfg(test)]
mod tests;

#[cfg(feature = "cuda")]
pub use device::Device;

use super::block::Replica;
use crate::config::{self, Mode};
use crate::knob::KnobError;
use crate::recipe::Ready;
use tables::Plan;

/// The kernel, but for what is printed.
const KERNEL: &str = include_str!("kernel.cu");

/// The kernel with `header` as its `shape.h`.
fn source(header: &str) -> String {
    KERNEL.replace("#include \"shape.h\"\n", header).replace("#include \"formulas.h\"\n", &formulas::print())
}

/// The whole source that a device compiles to watch or to follow these replicas, which must be of one fleet as in [`super::watch`].
pub fn source_for(replicas: &[Replica], follows: bool) -> String {
    source(&Plan::new(replicas, follows, true).header())
}

/// Whether the kernel runs cells of this recipe.
///
/// # Errors
/// As [`super::supports`], and for trees and exact mode.
pub fn supports(recipe: &Ready) -> Result<(), KnobError> {
    super::supports(recipe)?;
    let depth = recipe.config.world.depth;
    config::require(depth == 1, "depth", depth, "must be 1 in the CUDA engine")?;
    let mode = recipe.config.train.mode;
    config::require(mode == Mode::Sampled, "mode", mode.name(), "must be sampled in the CUDA engine")?;
    let batch = recipe.config.train.train_batch_size;
    let rows = batch.saturating_mul(recipe.config.world.vocab);
    config::require(rows <= MAX_LOGITS, "train_batch_size", batch, "times vocab must be at most 2^28 in the CUDA engine")
}

/// Logits of a batch: rows of a table are counted in 32 bits.
const MAX_LOGITS: usize = 1 << 28;

/// Steps of a launch.
const STRIDE: usize = 32;

/// Threads of a block.
const THREADS: usize = 128;

/// Threads that sum a row.
const PARTS: usize = 256;

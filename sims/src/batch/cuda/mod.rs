//! The batched engine as one CUDA kernel: one replica per thread, the draws and the bits of [`super::watch`] and [`super::success`].
//!
//! ```text
//! Term, Fact, Rate; Sample             term        numbers that print themselves as C
//! print()                              formulas    every formula of signals and rules, printed from where it is defined
//! Plan: constants, tables              tables      what a fleet's kernel is compiled for and works on
//! header                               header      the plan, printed
//! kernel.cu                            kernel.cu   the order of things: sample, pay, compare, push, ascend, measure
//!   trees.cu                           trees.cu    the same of trees: visits, tokens, nodes; part of the one source
//! inputs, observed                     carry       tables from replicas, and what is seen of each
//! Machine; watch, success, follow      machine     launches on whatever runs the kernel
//! Device                               device      NVRTC, memory and launches, with the feature `cuda`
//! ```
//!
//! A tree of a replica lies in tables of fixed size: nodes come into being where rollouts first move them, so steps times rollouts bound their number at each depth,
//! and so do paths where these are fewer. Rows of a node lie together, for every thread stands at a node of its own; all else is `[row][replica]`. Right responses
//! that are listed lie once per world beside the tables.
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
use super::shape::Shape;
use crate::config::{self, Mode};
use crate::knob::KnobError;
use crate::recipe::Ready;
pub use tables::Wanted;
use tables::{Plan, first_nodes};

/// The kernel, but for what is printed.
const KERNEL: &str = include_str!("kernel.cu");
const TREES: &str = include_str!("trees.cu");

/// The kernel with `header` as its `shape.h`.
fn source(header: &str) -> String {
    let included = [("shape.h", header), ("formulas.h", &formulas::print()), ("trees.cu", TREES)];
    included.into_iter().fold(KERNEL.to_string(), |text, (name, part)| text.replace(&format!("#include \"{name}\"\n"), part))
}

/// The whole source that a device compiles to run these replicas, which must be of one fleet as in [`super::watch`].
pub fn source_for(replicas: &[Replica], wanted: Wanted) -> String {
    source(&Plan::new(replicas, wanted, true).header())
}

/// Whether the kernel runs cells of this recipe.
///
/// # Errors
/// As [`super::supports`], and for exact mode.
pub fn supports(recipe: &Ready) -> Result<(), KnobError> {
    super::supports(recipe)?;
    let mode = recipe.config.train.mode;
    config::require(mode == Mode::Sampled, "mode", mode.name(), "must be sampled in the CUDA engine")?;
    let (train, shape) = (&recipe.config.train, Shape::of(recipe));
    let rows = shape.batch.saturating_mul(shape.stride);
    let allowed = "times vocab must be at most 2^28 in the CUDA engine";
    config::require(rows <= MAX_LOGITS, "train_batch_size", train.train_batch_size, allowed)?;
    let nodes = first_nodes(&shape, train.steps)[shape.depth].saturating_mul(shape.stride);
    let allowed = "times rollouts, depth and vocab must be at most 2^28 in the CUDA engine";
    config::require(!shape.is_tree() || nodes <= MAX_LOGITS, "steps", train.steps, allowed)
}

/// Logits of a batch, and of the nodes of a replica: rows of all tables together are counted in 32 bits.
const MAX_LOGITS: usize = 1 << 28;

/// Steps of a launch.
const LAUNCH: usize = 32;

/// Threads that sum a row.
const PARTS: usize = 256;

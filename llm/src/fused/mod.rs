//! The decoder for CPUs in f32: the whole stack, from tokens to scores, as one candle operation with a backward pass of its own.
//!
//! ```text
//! parameters, one after the other      layout      where each lies; queries, keys and values are one matrix, and so are gate and up
//! sequences, one after the other       tape        rows without padding; what forward leaves for backward
//! x W^T, dy W, dy^T x                  gemm        the one unsafe call
//! norms, turns, softmax, scores        kernels     row by row, forward and backward, in 16 lanes
//! heads of one sequence                attention
//! blocks and head                      stack       on one thread
//! asks                                 draw        the same with keys and values kept
//! ```
//!
//! *Accuracy.* Scores and gradients are those of [`crate::decoder`] in f64 to a few parts in a million of the largest (tests allow 1e-4 and 1e-3); what the
//! sampler says of a token and what the scorer says of it differ by less than 1e-5 (allowed: 1e-4). The exponential is right to 2e-7.
//!
//! *Determinism.* Sequences are taken through the stack [`SEQUENCES`] at a time, each batch by one thread; gradients are summed in [`SHARDS`] fixed parts, and
//! those in their order. So results are the same to the last bit on any number of threads. A *score* may change in its last bits with the sequences that share
//! its batch, since the products of matrices then have other sizes; a *drawn token* and its numbers do not, see [`draw`]. Between processors with different
//! vector instructions products of matrices may differ in the last bits.
//!
//! *Time* of a training step, of one thread on a CPU with AVX-512: at width 64 about 45 % products of matrices and 4 % packing for them, the
//! rest rows, copies, candle's bookkeeping, the optimiser and memory; at width 128 about 60 % products and 5 % packing.
//!
//! *Memory.* Tapes are kept from forward to backward where they hold at most [`TAPED`] numbers together; otherwise the backward pass makes them anew, one per
//! thread at a time.

mod attention;
mod draw;
mod gemm;
pub(crate) mod kernels;
mod layout;
mod stack;
mod tape;

use crate::architecture::Architecture;
use crate::error::Result;
use crate::sample::{Ask, Sampling};
use crate::score::Sequence;
use crate::weights::Weights;
use candle_core::{CpuStorage, CustomOp1, DType, Shape, Tensor};
use draw::{Party, party_size};
use layout::Layout;
use mta_sims::rollout::Token;
use rayon::prelude::*;
use stack::{Stack, turned};
use std::sync::Mutex;
use tape::{Batch, Scratch, Tape};

/// Sequences that one thread takes through the stack at a time.
const SEQUENCES: usize = 8;
/// Gradients that are summed separately, at most: threads that can help in the backward pass.
const SHARDS: usize = 8;
/// Numbers that separate gradients may hold together.
const SHARDED: usize = 1 << 30;
/// Numbers that tapes may hold between forward and backward; where they would hold more, the backward pass computes them anew.
const TAPED: usize = 1 << 28;

/// Whether these weights run in this form.
pub(crate) fn fits(weights: &Weights) -> bool {
    let plain = weights.adapter().is_none() && weights.find("model.layers.0.self_attn.o_proj.bias").is_none();
    plain && weights.device().is_cpu() && weights.vars().iter().all(|v| v.dtype() == DType::F32)
}

/// Scores of all response tokens, as [`crate::score::score`] gives them.
pub(crate) fn score(architecture: &Architecture, weights: &Weights, sequences: &[Sequence], temperature: f64) -> Result<Tensor> {
    let flat: candle_core::Result<Vec<Tensor>> = architecture.parameters().iter().map(|p| weights.get(&p.name).flatten_all()).collect();
    Ok(Tensor::cat(&flat?, 0)?.apply_op1(Scores::new(architecture, sequences, temperature))?)
}

/// One response to each ask, as [`crate::sample::generate`] gives them.
pub(crate) fn generate(architecture: &Architecture, weights: &Weights, asks: &[Ask], sampling: &Sampling) -> Result<Vec<Vec<Token>>> {
    let layout = Layout::new(architecture);
    let mut flat = Vec::with_capacity(layout.size);
    for parameter in architecture.parameters() {
        flat.extend(weights.get(&parameter.name).flatten_all()?.to_vec1::<f32>()?);
    }
    let turned = turned(&layout, &flat);
    let turns = layout.turns(asks.iter().map(|a| a.prompt.len()).max().unwrap_or(0) + sampling.max_new_tokens);
    let stack = Stack { layout: &layout, flat: &flat, turned: &turned, turns: &turns };
    let size = party_size(asks.len(), rayon::current_num_threads());
    let drawn: Vec<Vec<Vec<Token>>> = asks.par_chunks(size).map(|asks| Party::draw(stack, asks, sampling)).collect();
    Ok(drawn.into_iter().flatten().collect())
}

/// The operation: all parameters to `[response tokens, 3]`.
struct Scores {
    layout: Layout,
    batches: Vec<Batch>,
    turns: Vec<f32>,
    temperature: f64,
    kept: Mutex<Option<Kept>>,
}

/// What the forward pass leaves: the turned weights, and a tape for each batch, or none.
struct Kept {
    turned: Scratch,
    tapes: Vec<Option<Scratch>>,
}

impl Scores {
    fn new(architecture: &Architecture, sequences: &[Sequence], temperature: f64) -> Self {
        let layout = Layout::new(architecture);
        let batches: Vec<Batch> = sequences.chunks(SEQUENCES).map(Batch::new).collect();
        let turns = layout.turns(batches.iter().map(Batch::longest).max().unwrap_or(0));
        Scores { layout, batches, turns, temperature, kept: Mutex::new(None) }
    }

    fn stack<'a>(&'a self, flat: &'a [f32], turned: &'a [f32]) -> Stack<'a> {
        Stack { layout: &self.layout, flat, turned, turns: &self.turns }
    }

    /// Scores of one batch, and the tape they were made on.
    fn taped(&self, stack: &Stack, batch: &Batch) -> (Vec<f32>, Scratch) {
        let mut memory = Scratch::new(Tape::size(&self.layout, batch));
        let mut tape = Tape::over(&mut memory, &self.layout, batch);
        stack.forward(batch, self.temperature, &mut tape);
        (tape.scores.to_vec(), memory)
    }

    fn forward(&self, flat: &[f32]) -> Vec<f32> {
        let turned = turned(&self.layout, flat);
        let stack = self.stack(flat, &turned);
        let keeps = self.batches.iter().map(|b| Tape::size(&self.layout, b)).sum::<usize>() <= TAPED;
        let one = |batch: &Batch| {
            let (scores, tape) = self.taped(&stack, batch);
            (scores, keeps.then_some(tape))
        };
        let (scores, tapes): (Vec<_>, Vec<_>) = self.batches.par_iter().map(one).unzip();
        *self.kept.lock().expect("no thread has died") = Some(Kept { turned, tapes });
        scores.concat()
    }

    fn backward(&self, flat: &[f32], upstream: &[f32]) -> Vec<f32> {
        let kept = self.kept.lock().expect("no thread has died").take();
        let kept = kept.unwrap_or_else(|| Kept { turned: turned(&self.layout, flat), tapes: self.batches.iter().map(|_| None).collect() });
        let stack = self.stack(flat, &kept.turned);
        let mut rest = upstream;
        let mut jobs: Vec<(&Batch, Option<Scratch>, &[f32])> = Vec::new();
        for (batch, tape) in self.batches.iter().zip(kept.tapes) {
            let (own, after) = rest.split_at(batch.targets.len() * 3);
            jobs.push((batch, tape, own));
            rest = after;
        }
        let shards = SHARDS.min(SHARDED / self.layout.size).clamp(1, jobs.len().max(1));
        let per_shard = jobs.len().div_ceil(shards).max(1);
        let gradients: Vec<Scratch> = jobs.par_chunks_mut(per_shard).map(|jobs| self.shard(&stack, jobs)).collect();
        summed(&gradients, self.layout.size)
    }

    /// The gradient of some batches, one after the other.
    fn shard(&self, stack: &Stack, jobs: &mut [(&Batch, Option<Scratch>, &[f32])]) -> Scratch {
        let mut gradient = Scratch::zeros(self.layout.size);
        for (batch, tape, upstream) in jobs {
            let mut memory = tape.take().unwrap_or_else(|| self.taped(stack, batch).1);
            let mut tape = Tape::over(&mut memory, &self.layout, batch);
            stack.backward(batch, self.temperature, &mut tape, upstream, &mut gradient);
        }
        gradient
    }
}

/// The sum of gradients, in their order.
fn summed(gradients: &[Scratch], size: usize) -> Vec<f32> {
    const PIECE: usize = 1 << 14;
    let mut sum = vec![0.0; size];
    sum.par_chunks_mut(PIECE).enumerate().for_each(|(i, sum)| {
        gradients.iter().for_each(|g| kernels::add(sum, &g[i * PIECE..][..sum.len()]));
    });
    sum
}

impl CustomOp1 for Scores {
    fn name(&self) -> &'static str {
        "scores"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &candle_core::Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let scores = self.forward(contiguous(storage, layout)?);
        let shape = Shape::from((scores.len() / 3, 3));
        Ok((CpuStorage::F32(scores), shape))
    }

    fn bwd(&self, flat: &Tensor, _: &Tensor, upstream: &Tensor) -> candle_core::Result<Option<Tensor>> {
        let upstream = upstream.flatten_all()?.to_vec1::<f32>()?;
        let (storage, layout) = flat.storage_and_layout();
        let candle_core::Storage::Cpu(storage) = &*storage else { candle_core::bail!("the fused decoder runs on CPUs") };
        let gradient = self.backward(contiguous(storage, layout)?, &upstream);
        Ok(Some(Tensor::from_vec(gradient, flat.shape(), flat.device())?))
    }
}

/// The numbers of a contiguous tensor.
fn contiguous<'a>(storage: &'a CpuStorage, layout: &candle_core::Layout) -> candle_core::Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else { candle_core::bail!("the parameters are not contiguous") };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

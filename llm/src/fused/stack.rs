//! The blocks and the head over one batch of rows, forward and backward, on the calling thread.

use super::attention::{Attention, Slopes};
use super::gemm::{Matrix, Onto, multiply};
use super::kernels::{add_bias, add_rows, gated, gated_back, norm, norm_back, scores, scores_back, transpose};
use super::layout::{Block, Layout};
use super::tape::{Batch, Inner, Knife, Scratch, Tape, pitch};
use std::ops::Range;

/// Shape and numbers, ready to run.
#[derive(Clone, Copy)]
pub(crate) struct Stack<'a> {
    pub layout: &'a Layout,
    /// All parameters, matrices `[out, in]`.
    pub flat: &'a [f32],
    /// The same with matrices `[in, out]`, which products can read as they lie.
    pub turned: &'a [f32],
    /// [`Layout::turns`] of all positions.
    pub turns: &'a [f32],
}

/// All matrices transposed, in their places.
pub(crate) fn turned(layout: &Layout, flat: &[f32]) -> Scratch {
    let mut to = Scratch::new(layout.size);
    for (place, rows, columns) in layout.matrices() {
        transpose(&flat[place.clone()], rows, columns, &mut to[place]);
    }
    to
}

/// Gradients that the backward pass hands from piece to piece.
struct Wake<'t> {
    stream: &'t mut [f32],
    narrow: &'t mut [f32],
    wide: &'t mut [f32],
    slopes: Slopes<'t>,
}

impl<'t> Wake<'t> {
    fn sizes(layout: &Layout, batch: &Batch) -> [usize; 8] {
        let (rows, d, q, k) = (batch.rows(), layout.width, layout.queries(), layout.keys());
        let pairs = layout.shared() * batch.longest() * pitch(batch.longest());
        [rows * d, rows * d, rows * layout.inside.max(q), rows * q, rows * k, rows * k, rows * q, pairs]
    }

    fn over(memory: &'t mut [f32], sizes: [usize; 8]) -> Self {
        let mut knife = Knife::new(memory);
        let [stream, narrow, wide, queries, keys, values, mixed, chances] = sizes.map(|size| knife.cut(size));
        Wake { stream, narrow, wide, slopes: Slopes { queries, keys, values, mixed, chances } }
    }
}

impl<'a> Stack<'a> {
    fn attention(&self, block: &'a Block) -> Attention<'a> {
        Attention { layout: self.layout, block, flat: self.flat, turns: self.turns }
    }

    /// `y = x W^T`, or `y += ..`.
    pub fn linear(&self, place: &Range<usize>, x: &[f32], inputs: usize, onto: Onto, y: &mut [f32]) {
        let weight = &self.turned[place.clone()];
        let x = Matrix::new(x, x.len() / inputs, inputs);
        multiply(y, onto, 1.0, x, Matrix::new(weight, inputs, weight.len() / inputs));
    }

    /// Backward of [`Self::linear`]: `dW += dy^T x`, and `dx = dy W`.
    fn linear_back(&self, place: &Range<usize>, x: &[f32], dy: &[f32], outputs: usize, dx: &mut [f32], gradient: &mut [f32]) {
        let weight = &self.flat[place.clone()];
        let inputs = weight.len() / outputs;
        let rows = dy.len() / outputs;
        let dy = Matrix::new(dy, rows, outputs);
        multiply(&mut gradient[place.clone()], Onto::Sum, 1.0, dy.t(), Matrix::new(x, rows, inputs));
        multiply(dx, Onto::Nothing, 1.0, dy, Matrix::new(weight, outputs, inputs));
    }

    /// Scores of the batch's response tokens, into `tape.scores`.
    pub fn forward(&self, batch: &Batch, temperature: f64, tape: &mut Tape) {
        let (layout, d) = (self.layout, self.layout.width);
        let mut room = Scratch::new(batch.rows() * layout.queries());
        self.embed(&batch.tokens, tape.stream[0]);
        for (layer, block) in layout.blocks.iter().enumerate() {
            let (before, after) = tape.stream.split_at_mut(layer + 1);
            self.block(batch, block, before[layer], &mut tape.blocks[layer], after[0], &mut room);
        }
        let stream = &tape.stream[layout.blocks.len()];
        for (to, row) in tape.last.chunks_exact_mut(d).zip(&batch.scored) {
            to.copy_from_slice(&stream[row * d..][..d]);
        }
        norm(tape.last, &self.flat[layout.norm.clone()], layout.floor, tape.hidden, tape.last_inverse);
        self.linear(&layout.unembedding, tape.hidden, d, Onto::Nothing, tape.logs);
        scores(tape.logs, layout.vocab, temperature, &batch.targets, tape.scores);
    }

    /// Rows of the embedding.
    pub fn embed(&self, tokens: &[u32], rows: &mut [f32]) {
        let (d, table) = (self.layout.width, &self.flat[self.layout.embedding.clone()]);
        for (row, token) in rows.chunks_exact_mut(d).zip(tokens) {
            row.copy_from_slice(&table[*token as usize * d..][..d]);
        }
    }

    fn block(&self, batch: &Batch, block: &'a Block, x: &[f32], inner: &mut Inner, y: &mut [f32], room: &mut [f32]) {
        let (layout, d) = (self.layout, self.layout.width);
        norm(x, &self.flat[block.attention_norm.clone()], layout.floor, inner.attention_input, inner.attention_inverse);
        self.project(block, inner.attention_input, inner.qkv);
        self.attention(block).forward(batch, inner, room);
        inner.middle.copy_from_slice(x);
        self.linear(&block.out, inner.mixed, layout.queries(), Onto::Sum, inner.middle);
        norm(inner.middle, &self.flat[block.mlp_norm.clone()], layout.floor, inner.mlp_input, inner.mlp_inverse);
        self.linear(&block.gate_up, inner.mlp_input, d, Onto::Nothing, inner.gate_up);
        gated(inner.gate_up, layout.inside, inner.gated);
        y.copy_from_slice(inner.middle);
        self.linear(&block.down, inner.gated, layout.inside, Onto::Sum, y);
    }

    /// Queries, keys and values, with their biases.
    pub fn project(&self, block: &Block, x: &[f32], qkv: &mut [f32]) {
        self.linear(&block.qkv, x, self.layout.width, Onto::Nothing, qkv);
        if let Some(bias) = &block.qkv_bias {
            add_bias(qkv, &self.flat[bias.clone()]);
        }
    }

    /// Adds the gradient of `sum(upstream * scores)` to `gradient`; uses the tape up.
    pub fn backward(&self, batch: &Batch, temperature: f64, tape: &mut Tape, upstream: &[f32], gradient: &mut [f32]) {
        let sizes = Wake::sizes(self.layout, batch);
        let mut memory = Scratch::new(sizes.iter().sum());
        let mut wake = Wake::over(&mut memory, sizes);
        scores_back(tape.logs, self.layout.vocab, temperature, &batch.targets, tape.scores, upstream);
        self.head_back(batch, tape, &mut wake, gradient);
        for (layer, block) in self.layout.blocks.iter().enumerate().rev() {
            self.block_back(batch, block, tape.stream[layer], &mut tape.blocks[layer], &mut wake, gradient);
        }
        let (d, table) = (self.layout.width, &mut gradient[self.layout.embedding.clone()]);
        for (row, token) in wake.stream.chunks_exact(d).zip(&batch.tokens) {
            add_rows(&mut table[*token as usize * d..][..d], row);
        }
    }

    fn head_back(&self, batch: &Batch, tape: &mut Tape, wake: &mut Wake, gradient: &mut [f32]) {
        let (layout, d) = (self.layout, self.layout.width);
        let mut dlast = Scratch::zeros(tape.last.len());
        let dhidden = &mut wake.narrow[..tape.hidden.len()];
        self.linear_back(&layout.unembedding, tape.hidden, tape.logs, layout.vocab, dhidden, gradient);
        let weight = layout.norm.clone();
        norm_back(tape.last, &self.flat[weight.clone()], tape.last_inverse, dhidden, &mut dlast, &mut gradient[weight]);
        wake.stream.fill(0.0);
        for (from, row) in dlast.chunks_exact(d).zip(&batch.scored) {
            wake.stream[row * d..][..d].copy_from_slice(from);
        }
    }

    fn block_back(&self, batch: &Batch, block: &'a Block, x: &[f32], inner: &mut Inner, wake: &mut Wake, gradient: &mut [f32]) {
        let (layout, d, rows) = (self.layout, self.layout.width, batch.rows());
        let dgated = &mut wake.wide[..rows * layout.inside];
        self.linear_back(&block.down, inner.gated, wake.stream, d, dgated, gradient);
        gated_back(inner.gate_up, layout.inside, dgated);
        self.linear_back(&block.gate_up, inner.mlp_input, inner.gate_up, 2 * layout.inside, wake.narrow, gradient);
        let weight = block.mlp_norm.clone();
        norm_back(inner.middle, &self.flat[weight.clone()], inner.mlp_inverse, wake.narrow, wake.stream, &mut gradient[weight]);
        let dmixed = &mut wake.wide[..rows * layout.queries()];
        self.linear_back(&block.out, inner.mixed, wake.stream, d, dmixed, gradient);
        self.attention(block).backward(batch, inner, dmixed, &mut wake.slopes, gradient);
        if let Some(bias) = &block.qkv_bias {
            add_rows(&mut gradient[bias.clone()], inner.qkv);
        }
        self.linear_back(&block.qkv, inner.attention_input, inner.qkv, layout.qkv(), wake.narrow, gradient);
        let weight = block.attention_norm.clone();
        norm_back(x, &self.flat[weight.clone()], inner.attention_inverse, wake.narrow, wake.stream, &mut gradient[weight]);
    }
}

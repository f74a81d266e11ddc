//! What the forward pass leaves for the backward pass: one stretch of memory, cut into named pieces.

use super::kernels::LANES;
use super::layout::Layout;
use crate::score::Sequence;
use std::sync::Mutex;

/// A sequence's rows in a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// First row.
    pub start: usize,
    /// Rows, which are positions 0, 1, ..
    pub tokens: usize,
}

/// Distance between rows of attention scores over `tokens` keys: whole lanes.
pub(crate) fn pitch(tokens: usize) -> usize {
    tokens.next_multiple_of(LANES)
}

/// Sequences one after the other, without padding. A sequence's last token is only a target: it needs no row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    /// Rows of each sequence.
    pub spans: Vec<Span>,
    /// Token of each row.
    pub tokens: Vec<u32>,
    /// Rows whose next token is scored.
    pub scored: Vec<usize>,
    /// Those next tokens.
    pub targets: Vec<u32>,
}

impl Batch {
    pub fn new(sequences: &[Sequence]) -> Self {
        let mut batch = Batch::default();
        sequences.iter().filter(|s| s.length() > 0).for_each(|s| batch.push(s));
        batch
    }

    fn push(&mut self, sequence: &Sequence) {
        let (start, tokens) = (self.tokens.len(), sequence.tokens.len() - 1);
        self.spans.push(Span { start, tokens });
        self.tokens.extend(&sequence.tokens[..tokens]);
        self.scored.extend(start + sequence.from - 1..start + tokens);
        self.targets.extend(&sequence.tokens[sequence.from..]);
    }

    /// Rows in all.
    pub fn rows(&self) -> usize {
        self.tokens.len()
    }

    /// Longest sequence, in rows.
    pub fn longest(&self) -> usize {
        self.spans.iter().map(|s| s.tokens).max().unwrap_or(0)
    }

    /// Attention scores of one head over all sequences.
    pub fn pairs(&self) -> usize {
        self.spans.iter().map(|s| s.tokens * pitch(s.tokens)).sum()
    }
}

/// Values of one block. Rows are `[rows, ..]`; queries, keys and values after their turn lie head by head, `[heads, tokens, head]` per sequence.
pub(crate) struct Inner<'t> {
    pub attention_inverse: &'t mut [f32],
    pub attention_input: &'t mut [f32],
    pub qkv: &'t mut [f32],
    pub head_inverse: &'t mut [f32],
    pub queries: &'t mut [f32],
    pub keys: &'t mut [f32],
    pub values: &'t mut [f32],
    pub chances: &'t mut [f32],
    pub mixed: &'t mut [f32],
    pub middle: &'t mut [f32],
    pub mlp_inverse: &'t mut [f32],
    pub mlp_input: &'t mut [f32],
    pub gate_up: &'t mut [f32],
    pub gated: &'t mut [f32],
}

/// Values of the whole stack: the residual stream before each block and after the last, the blocks, and the head.
pub(crate) struct Tape<'t> {
    pub stream: Vec<&'t mut [f32]>,
    pub blocks: Vec<Inner<'t>>,
    pub last: &'t mut [f32],
    pub last_inverse: &'t mut [f32],
    pub hidden: &'t mut [f32],
    pub logs: &'t mut [f32],
    pub scores: &'t mut [f32],
}

/// Cuts pieces off a stretch of memory; without memory it only counts.
pub(crate) struct Knife<'t> {
    rest: &'t mut [f32],
}

impl<'t> Knife<'t> {
    pub fn new(memory: &'t mut [f32]) -> Self {
        Knife { rest: memory }
    }

    pub fn cut(&mut self, size: usize) -> &'t mut [f32] {
        let (piece, rest) = std::mem::take(&mut self.rest).split_at_mut(size);
        self.rest = rest;
        piece
    }
}

/// Sizes of the pieces of a block, in the order of [`Inner`].
fn inner_sizes(layout: &Layout, batch: &Batch) -> [usize; 14] {
    let (rows, d, f) = (batch.rows(), layout.width, layout.inside);
    let (q, k, heads) = (layout.queries(), layout.keys(), layout.heads + layout.key_heads);
    let [n, n_heads, n_q, n_k] = [1, heads, q, k].map(|width| rows * width);
    let chances = layout.heads * batch.pairs();
    [n, n * d, n * layout.qkv(), n_heads, n_q, n_k, n_k, chances, n_q, n * d, n, n * d, n * 2 * f, n * f]
}

impl<'t> Tape<'t> {
    /// Numbers a tape of this batch holds.
    pub fn size(layout: &Layout, batch: &Batch) -> usize {
        let (rows, scored, layers) = (batch.rows(), batch.targets.len(), layout.blocks.len());
        let inner: usize = inner_sizes(layout, batch).iter().sum();
        (layers + 1) * rows * layout.width + layers * inner + scored * (2 * layout.width + 1 + layout.vocab + 3)
    }

    /// A tape over memory of that size.
    pub fn over(memory: &'t mut [f32], layout: &Layout, batch: &Batch) -> Self {
        let mut knife = Knife::new(memory);
        let (rows, scored, d) = (batch.rows(), batch.targets.len(), layout.width);
        Tape {
            stream: (0..=layout.blocks.len()).map(|_| knife.cut(rows * d)).collect(),
            blocks: layout.blocks.iter().map(|_| Inner::cut(&mut knife, layout, batch)).collect(),
            last: knife.cut(scored * d),
            last_inverse: knife.cut(scored),
            hidden: knife.cut(scored * d),
            logs: knife.cut(scored * layout.vocab),
            scores: knife.cut(scored * 3),
        }
    }
}

impl<'t> Inner<'t> {
    fn cut(knife: &mut Knife<'t>, layout: &Layout, batch: &Batch) -> Self {
        let mut pieces = inner_sizes(layout, batch).into_iter().map(|size| knife.cut(size));
        let mut next = || pieces.next().expect("every piece has a size");
        Inner {
            attention_inverse: next(),
            attention_input: next(),
            qkv: next(),
            head_inverse: next(),
            queries: next(),
            keys: next(),
            values: next(),
            chances: next(),
            mixed: next(),
            middle: next(),
            mlp_inverse: next(),
            mlp_input: next(),
            gate_up: next(),
            gated: next(),
        }
    }
}

/// Memory that was used and will be again, so that steps do not ask the system for fresh pages. What it holds is left over.
static POOL: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

/// Stretches the pool keeps.
const KEPT: usize = 64;

/// A stretch of memory of which everything is written before it is read; it goes back to the pool when dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    memory: Vec<f32>,
    size: usize,
}

impl Scratch {
    pub fn new(size: usize) -> Self {
        Scratch { memory: pooled(size).unwrap_or_else(|| vec![0.0; size]), size }
    }

    /// Memory of zeros.
    pub fn zeros(size: usize) -> Self {
        let mut scratch = Scratch::new(size);
        scratch.fill(0.0);
        scratch
    }
}

/// The smallest stretch of the pool that is large enough.
fn pooled(size: usize) -> Option<Vec<f32>> {
    let mut pool = POOL.lock().ok()?;
    let fits = (0..pool.len()).filter(|i| pool[*i].len() >= size);
    let place = fits.min_by_key(|i| pool[*i].len())?;
    Some(pool.swap_remove(place))
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Ok(mut pool) = POOL.lock() {
            if pool.len() >= KEPT {
                pool.remove(0);
            }
            pool.push(std::mem::take(&mut self.memory));
        }
    }
}

impl std::ops::Deref for Scratch {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.memory[..self.size]
    }
}

impl std::ops::DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.memory[..self.size]
    }
}

//! Grouped causal attention of sequences that lie one after the other, forward and backward.
//!
//! The query heads of one key head are one matrix, `[shared * tokens, head]`, so that each product of a group is one call.

use super::gemm::{Matrix, Onto, multiply, multiply_spaced};
use super::kernels::{norm_in_place, norm_row_back, rotate, rotate_back, softmax, softmax_back};
use super::layout::{Block, Layout};
use super::tape::{Batch, Inner, Span, pitch};
use crate::vectors::vectorised;
use std::ops::Range;

/// Everything attention needs to know of its block.
pub(crate) struct Attention<'a> {
    pub layout: &'a Layout,
    pub block: &'a Block,
    /// All parameters.
    pub flat: &'a [f32],
    /// [`Layout::turns`] of all positions.
    pub turns: &'a [f32],
}

/// Which part of a row of queries, keys and values a head is, and where it goes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Part {
    Query,
    Key,
    Value,
}

/// Gradients of queries, keys and values, head by head, and room for the mixture.
pub(crate) struct Slopes<'t> {
    pub queries: &'t mut [f32],
    pub keys: &'t mut [f32],
    pub values: &'t mut [f32],
    pub mixed: &'t mut [f32],
    pub chances: &'t mut [f32],
}

impl Attention<'_> {
    fn parts(&self) -> [(Part, usize, usize); 3] {
        let (heads, keys) = (self.layout.heads, self.layout.key_heads);
        [(Part::Query, heads, 0), (Part::Key, keys, heads), (Part::Value, keys, heads + keys)]
    }

    /// The weight of the norm of this part's heads, if they have one.
    pub fn norm(&self, part: Part) -> Option<Range<usize>> {
        match part {
            Part::Query => self.block.q_norm.clone(),
            Part::Key => self.block.k_norm.clone(),
            Part::Value => None,
        }
    }

    /// A head of queries or keys, normalised and turned in place; gives the inverse root mean square.
    #[inline(always)]
    pub fn turned(&self, weight: Option<&[f32]>, position: usize, head: &mut [f32]) -> f32 {
        let inverse = match weight {
            Some(weight) => norm_in_place(head, weight, self.layout.floor),
            None => 1.0,
        };
        rotate(head, self.turn(position));
        inverse
    }

    #[inline(always)]
    fn turn(&self, position: usize) -> &[f32] {
        let head = self.layout.head;
        &self.turns[position * head..(position + 1) * head]
    }

    /// Rows of queries, keys and values to heads, normalised and turned.
    fn spread(&self, span: Span, inner: &mut Inner) {
        let (head, width) = (self.layout.head, self.layout.qkv());
        let all_heads = self.layout.heads + self.layout.key_heads;
        for (part, heads, first) in self.parts() {
            let to = match part {
                Part::Query => &mut *inner.queries,
                Part::Key => &mut *inner.keys,
                Part::Value => &mut *inner.values,
            };
            let to = &mut to[span.start * heads * head..][..span.tokens * heads * head];
            let weight = self.norm(part).map(|w| &self.flat[w]);
            vectorised(
                #[inline(always)]
                || {
                    for (i, to) in to.chunks_exact_mut(head).enumerate() {
                        let (h, t) = (i / span.tokens, i % span.tokens);
                        let from = &inner.qkv[(span.start + t) * width + (first + h) * head..][..head];
                        to.copy_from_slice(from);
                        if part != Part::Value {
                            let inverse = self.turned(weight, t, to);
                            inner.head_inverse[(span.start + t) * all_heads + first + h] = inverse;
                        }
                    }
                },
            );
        }
    }

    /// Queries, keys and values of `inner.qkv` to `inner.mixed`.
    pub fn forward(&self, batch: &Batch, inner: &mut Inner, room: &mut [f32]) {
        let mut pairs = 0;
        for &span in &batch.spans {
            self.spread(span, inner);
            for group in 0..self.layout.key_heads {
                let place = Group::new(self.layout, span, group, &mut pairs);
                let chances = &mut inner.chances[place.chances.clone()];
                let (q, k) = (place.queries(inner.queries), place.keys(inner.keys));
                multiply_spaced(chances, place.pitch, Onto::Nothing, self.layout.attention_scale(), q, k.t());
                softmax(chances, span.tokens, place.pitch);
                let values = place.keys(inner.values);
                multiply(&mut room[place.rows.clone()], Onto::Nothing, 1.0, place.chances(inner.chances), values);
            }
            gather(self.layout, span, room, inner.mixed);
        }
    }

    /// Gradients of the mixture, `dmixed` in rows, to those of `inner.qkv`, which they replace; adds those of the norms to `gradient`.
    pub fn backward(&self, batch: &Batch, inner: &mut Inner, dmixed: &[f32], slopes: &mut Slopes, gradient: &mut [f32]) {
        let scale = self.layout.attention_scale();
        let mut pairs = 0;
        for &span in &batch.spans {
            scatter(self.layout, span, dmixed, slopes.mixed);
            for group in 0..self.layout.key_heads {
                let place = Group::new(self.layout, span, group, &mut pairs);
                let (chances, dmixed) = (place.chances(inner.chances), place.queries(slopes.mixed));
                multiply(&mut slopes.values[place.key_rows.clone()], Onto::Nothing, 1.0, chances.t(), dmixed);
                let dscores = &mut slopes.chances[..place.chances.len()];
                multiply_spaced(dscores, place.pitch, Onto::Nothing, 1.0, dmixed, place.keys(inner.values).t());
                softmax_back(&inner.chances[place.chances.clone()], dscores, span.tokens, place.pitch);
                let dscores = Matrix::spaced(dscores, place.queries, span.tokens, place.pitch);
                multiply(&mut slopes.queries[place.rows.clone()], Onto::Nothing, scale, dscores, place.keys(inner.keys));
                multiply(&mut slopes.keys[place.key_rows.clone()], Onto::Nothing, scale, dscores.t(), place.queries(inner.queries));
            }
            self.unspread(span, inner, slopes, gradient);
        }
    }

    /// Backward of [`Self::spread`], in place of `inner.qkv`.
    fn unspread(&self, span: Span, inner: &mut Inner, slopes: &mut Slopes, gradient: &mut [f32]) {
        let (head, width) = (self.layout.head, self.layout.qkv());
        let all_heads = self.layout.heads + self.layout.key_heads;
        for (part, heads, first) in self.parts() {
            let from = match part {
                Part::Query => &mut *slopes.queries,
                Part::Key => &mut *slopes.keys,
                Part::Value => &mut *slopes.values,
            };
            let from = &mut from[span.start * heads * head..][..span.tokens * heads * head];
            let weight = self.norm(part);
            vectorised(
                #[inline(always)]
                || {
                    let mut sum = vec![0.0; head];
                    let mut raw = vec![0.0; head];
                    for (i, from) in from.chunks_exact_mut(head).enumerate() {
                        let (h, t) = (i / span.tokens, i % span.tokens);
                        let to = &mut inner.qkv[(span.start + t) * width + (first + h) * head..][..head];
                        if part != Part::Value {
                            rotate_back(from, self.turn(t));
                        }
                        if let Some(weight) = &weight {
                            let inverse = inner.head_inverse[(span.start + t) * all_heads + first + h];
                            raw.copy_from_slice(to);
                            to.fill(0.0);
                            norm_row_back(&raw, &self.flat[weight.clone()], inverse, from, to, &mut sum);
                        } else {
                            to.copy_from_slice(from);
                        }
                    }
                    if let Some(weight) = &weight {
                        gradient[weight.clone()].iter_mut().zip(&sum).for_each(|(g, s)| *g += s);
                    }
                },
            );
        }
    }
}

/// Where the query heads of one key head lie, for one sequence.
struct Group {
    tokens: usize,
    head: usize,
    /// Distance between rows of its attention scores.
    pitch: usize,
    /// Rows of queries of all its heads together.
    queries: usize,
    rows: Range<usize>,
    key_rows: Range<usize>,
    chances: Range<usize>,
}

impl Group {
    /// Of key head `group`; `pairs` counts the attention scores before it.
    fn new(layout: &Layout, span: Span, group: usize, pairs: &mut usize) -> Self {
        let (tokens, head) = (span.tokens, layout.head);
        let queries = layout.shared() * tokens;
        let at = span.start * layout.queries() + group * queries * head;
        let key_at = span.start * layout.keys() + group * tokens * head;
        let chances = *pairs..*pairs + queries * pitch(tokens);
        *pairs = chances.end;
        Group {
            tokens,
            head,
            pitch: pitch(tokens),
            queries,
            rows: at..at + queries * head,
            key_rows: key_at..key_at + tokens * head,
            chances,
        }
    }

    fn queries<'a>(&self, all: &'a [f32]) -> Matrix<'a> {
        Matrix::new(&all[self.rows.clone()], self.queries, self.head)
    }

    fn keys<'a>(&self, all: &'a [f32]) -> Matrix<'a> {
        Matrix::new(&all[self.key_rows.clone()], self.tokens, self.head)
    }

    fn chances<'a>(&self, all: &'a [f32]) -> Matrix<'a> {
        Matrix::spaced(&all[self.chances.clone()], self.queries, self.tokens, self.pitch)
    }
}

/// Heads to rows.
fn gather(layout: &Layout, span: Span, heads: &[f32], rows: &mut [f32]) {
    let stretch = span.start * layout.queries()..(span.start + span.tokens) * layout.queries();
    let (heads, rows) = (&heads[stretch.clone()], &mut rows[stretch]);
    for (i, piece) in heads.chunks_exact(layout.head).enumerate() {
        rows[(i % span.tokens) * layout.queries() + i / span.tokens * layout.head..][..layout.head].copy_from_slice(piece);
    }
}

/// Rows to heads.
fn scatter(layout: &Layout, span: Span, rows: &[f32], heads: &mut [f32]) {
    let stretch = span.start * layout.queries()..(span.start + span.tokens) * layout.queries();
    let (heads, rows) = (&mut heads[stretch.clone()], &rows[stretch]);
    for (i, piece) in heads.chunks_exact_mut(layout.head).enumerate() {
        piece.copy_from_slice(&rows[(i % span.tokens) * layout.queries() + i / span.tokens * layout.head..][..layout.head]);
    }
}

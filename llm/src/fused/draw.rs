//! Sampling over the same kernels, with keys and values kept.
//!
//! Asks are drawn in parties, each by one thread. A prompt that several asks of a party share is read once. Responses that are over drop out.
//!
//! Every product of matrices runs over tiles of a fixed number of rows, and attention row by row: what a row comes to, to the last bit, does not depend on
//! the rows beside it. So parties may be cut to the number of threads.

use super::attention::{Attention, Part};
use super::gemm::Onto;
use super::kernels::{LANES, add_scaled, gated, norm, softmax_seen};
use super::layout::{Block, Layout};
use super::stack::Stack;
use super::tape::{Knife, Scratch, pitch};
use crate::sample::{Ask, Sampling, choose, is_over};
use crate::vectors::vectorised;
use mta_sims::rollout::Token;
use std::ops::Range;

/// Rows of every product: those that gemm's AVX-512 kernel takes at once.
const TILE: usize = 6;
/// Asks of a party, at most; larger ones were measured to be no faster.
const LARGEST: usize = 3 * TILE;

/// Asks of each party but the last: equally many parties for each thread, where each then has a tile of its own.
pub(crate) fn party_size(asks: usize, threads: usize) -> usize {
    let parties = asks.div_ceil(LARGEST).next_multiple_of(threads).min(asks.div_ceil(TILE));
    asks.div_ceil(parties.max(1)).max(1)
}

/// Keys and values of one response and its prompt: per block, keys `[key heads, head, capacity]`, then values `[key heads, capacity, head]`.
type Slot = Vec<f32>;

/// Where a row stands: whose it is, and its position.
#[derive(Clone, Copy)]
struct Row {
    slot: usize,
    position: usize,
}

/// Some asks drawn together.
pub(crate) struct Party<'a> {
    stack: Stack<'a>,
    capacity: usize,
    slots: Vec<Slot>,
}

impl<'a> Party<'a> {
    /// Draws a response to each ask.
    pub fn draw(stack: Stack<'a>, asks: &[Ask], sampling: &Sampling) -> Vec<Vec<Token>> {
        let longest = asks.iter().map(|a| a.prompt.len()).max().unwrap_or(0);
        let mut party = Party { stack, capacity: pitch(longest + sampling.max_new_tokens), slots: Vec::new() };
        let mut logits = party.prefill(asks);
        let mut drawn = vec![Vec::new(); asks.len()];
        let mut active: Vec<usize> = (0..asks.len()).filter(|i| !is_over(&drawn[*i], sampling)).collect();
        for t in 0..sampling.max_new_tokens {
            for (row, &i) in logits.chunks_exact_mut(stack.layout.vocab).zip(&active) {
                drawn[i].push(choose(row, sampling, asks[i].uniform(sampling, t)));
            }
            active.retain(|i| !is_over(&drawn[*i], sampling));
            if active.is_empty() {
                break;
            }
            let tokens: Vec<u32> = active.iter().map(|i| drawn[*i][t].id).collect();
            let rows: Vec<Row> = active.iter().map(|&slot| Row { slot, position: asks[slot].prompt.len() + t }).collect();
            logits = party.advance(&tokens, &rows, 0..rows.len());
        }
        drawn
    }

    /// Reads the prompts, each once; logits after the last token of each.
    fn prefill(&mut self, asks: &[Ask]) -> Vec<f32> {
        let mut logits = Vec::with_capacity(asks.len() * self.stack.layout.vocab);
        for (slot, ask) in asks.iter().enumerate() {
            if let Some(twin) = asks[..slot].iter().position(|a| a.prompt == ask.prompt) {
                self.slots.push(self.slots[twin].clone());
                logits.extend_from_within(twin * self.stack.layout.vocab..(twin + 1) * self.stack.layout.vocab);
                continue;
            }
            self.slots.push(vec![0.0; self.stack.layout.blocks.len() * 2 * self.stack.layout.keys() * self.capacity]);
            let rows: Vec<Row> = (0..ask.prompt.len()).map(|position| Row { slot, position }).collect();
            logits.extend(self.advance(ask.prompt, &rows, rows.len() - 1..rows.len()));
        }
        logits
    }

    /// Takes tokens through the stack, keeps their keys and values, and gives the logits of the rows `wanted`.
    fn advance(&mut self, tokens: &[u32], rows: &[Row], wanted: Range<usize>) -> Vec<f32> {
        let (layout, d) = (self.stack.layout, self.stack.layout.width);
        let padded = rows.len().next_multiple_of(TILE);
        let widths = [d, d, layout.qkv(), layout.queries(), 2 * layout.inside, layout.inside, 1];
        let mut memory = Scratch::new(padded * widths.iter().sum::<usize>());
        let mut knife = Knife::new(&mut memory);
        let [stream, input, qkv, mixed, gate_up, gate, inverse] = widths.map(|width| knife.cut(padded * width));
        stream.fill(0.0);
        mixed.fill(0.0);
        self.stack.embed(tokens, stream);
        for (layer, block) in layout.blocks.iter().enumerate() {
            self.norm(&block.attention_norm, stream, input, inverse);
            tiles(input, d, qkv, layout.qkv(), |x, y| self.stack.project(block, x, y));
            self.attend(layer, block, rows, qkv, mixed);
            tiles(mixed, layout.queries(), stream, d, |x, y| self.stack.linear(&block.out, x, layout.queries(), Onto::Sum, y));
            self.norm(&block.mlp_norm, stream, input, inverse);
            tiles(input, d, gate_up, 2 * layout.inside, |x, y| self.stack.linear(&block.gate_up, x, d, Onto::Nothing, y));
            gated(gate_up, layout.inside, gate);
            tiles(gate, layout.inside, stream, d, |x, y| self.stack.linear(&block.down, x, layout.inside, Onto::Sum, y));
        }
        self.head(&stream[wanted.start * d..wanted.end * d])
    }

    fn norm(&self, weight: &Range<usize>, x: &[f32], y: &mut [f32], inverse: &mut [f32]) {
        norm(x, &self.stack.flat[weight.clone()], self.stack.layout.floor, y, inverse);
    }

    /// Logits of rows of the stream.
    fn head(&self, rows: &[f32]) -> Vec<f32> {
        let (layout, d) = (self.stack.layout, self.stack.layout.width);
        let count = rows.len() / d;
        let padded = count.next_multiple_of(TILE);
        let mut hidden = Scratch::zeros(padded * d);
        self.norm(&layout.norm, rows, &mut hidden, &mut Scratch::new(count));
        let mut logits = vec![0.0; padded * layout.vocab];
        tiles(&hidden, d, &mut logits, layout.vocab, |x, y| self.stack.linear(&layout.unembedding, x, d, Onto::Nothing, y));
        logits.truncate(count * layout.vocab);
        logits
    }

    /// Keeps keys and values of all rows, then lets each row attend to its own slot up to its position.
    fn attend(&mut self, layer: usize, block: &Block, rows: &[Row], qkv: &mut [f32], mixed: &mut [f32]) {
        let (layout, width) = (self.stack.layout, self.stack.layout.qkv());
        let attention = Attention { layout, block, flat: self.stack.flat, turns: self.stack.turns };
        let half = layout.keys() * self.capacity;
        let (capacity, slots) = (self.capacity, &mut self.slots);
        vectorised(
            #[inline(always)]
            || {
                let mut scores = vec![0.0; capacity];
                for (row, qkv) in rows.iter().zip(qkv.chunks_exact_mut(width)) {
                    turn(&attention, row.position, qkv);
                    let slot = &mut slots[row.slot][layer * 2 * half..][..2 * half];
                    keep(layout, capacity, row.position, &qkv[layout.queries()..], slot);
                }
                for ((row, qkv), mixed) in rows.iter().zip(qkv.chunks_exact(width)).zip(mixed.chunks_exact_mut(layout.queries())) {
                    look(layout, capacity, row.position + 1, qkv, &slots[row.slot][layer * 2 * half..][..2 * half], &mut scores, mixed);
                }
            },
        );
    }
}

/// `f` over tiles of rows of `x` and `y`.
fn tiles(x: &[f32], inputs: usize, y: &mut [f32], outputs: usize, mut f: impl FnMut(&[f32], &mut [f32])) {
    x.chunks_exact(TILE * inputs).zip(y.chunks_exact_mut(TILE * outputs)).for_each(|(x, y)| f(x, y));
}

/// Norms and turns the queries and keys of one row, in place.
#[inline(always)]
fn turn(attention: &Attention, position: usize, qkv: &mut [f32]) {
    let head = attention.layout.head;
    let (queries, rest) = qkv.split_at_mut(attention.layout.queries());
    for (part, heads) in [(Part::Query, queries), (Part::Key, &mut rest[..attention.layout.keys()])] {
        let weight = attention.norm(part).map(|w| &attention.flat[w]);
        for piece in heads.chunks_exact_mut(head) {
            attention.turned(weight, position, piece);
        }
    }
}

/// Writes the keys and values of one row to its slot.
#[inline(always)]
fn keep(layout: &Layout, capacity: usize, position: usize, keys_values: &[f32], slot: &mut [f32]) {
    let (keys, values) = keys_values.split_at(layout.keys());
    let (key_slot, value_slot) = slot.split_at_mut(layout.keys() * capacity);
    for (i, key) in keys.iter().enumerate() {
        key_slot[i * capacity + position] = *key;
    }
    for (h, value) in values.chunks_exact(layout.head).enumerate() {
        value_slot[(h * capacity + position) * layout.head..][..layout.head].copy_from_slice(value);
    }
}

/// Attention of one row's queries to the first `seen` keys of its slot.
#[inline(always)]
fn look(layout: &Layout, capacity: usize, seen: usize, queries: &[f32], slot: &[f32], scores: &mut [f32], mixed: &mut [f32]) {
    let (keys, values) = slot.split_at(layout.keys() * capacity);
    let stretch = layout.head * capacity;
    let scores = &mut scores[..pitch(seen)];
    for (h, (query, mixed)) in queries.chunks_exact(layout.head).zip(mixed.chunks_exact_mut(layout.head)).enumerate() {
        let group = h / layout.shared();
        products(query, &keys[group * stretch..][..stretch], capacity, layout.attention_scale(), scores);
        softmax_seen(scores, seen);
        mix(&scores[..seen], &values[group * stretch..][..seen * layout.head], mixed);
    }
}

/// `mixed = chances values`, over values `[seen, head]`, in lanes.
#[inline(always)]
fn mix(chances: &[f32], values: &[f32], mixed: &mut [f32]) {
    let head = mixed.len();
    let (lanes, rest) = mixed.as_chunks_mut::<LANES>();
    let whole = lanes.len() * LANES;
    for (i, mixed) in lanes.iter_mut().enumerate() {
        let mut sums = [0.0f32; LANES];
        for (chance, value) in chances.iter().zip(values.chunks_exact(head)) {
            let value = &value[i * LANES..][..LANES];
            for lane in 0..LANES {
                sums[lane] += chance * value[lane];
            }
        }
        *mixed = sums;
    }
    rest.fill(0.0);
    for (chance, value) in chances.iter().zip(values.chunks_exact(head)) {
        add_scaled(rest, *chance, &value[whole..]);
    }
}

/// `scores = scale * query keys`, over keys `[head, capacity]`, in lanes.
#[inline(always)]
fn products(query: &[f32], keys: &[f32], capacity: usize, scale: f32, scores: &mut [f32]) {
    for (i, scores) in scores.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        let mut sums = [0.0f32; LANES];
        for (q, keys) in query.iter().zip(keys.chunks_exact(capacity)) {
            let keys = &keys[i * LANES..][..LANES];
            for lane in 0..LANES {
                sums[lane] += q * keys[lane];
            }
        }
        for lane in 0..LANES {
            scores[lane] = sums[lane] * scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_draws_as_many_as_the_next() {
        for (asks, threads, size) in
            [(64, 2, 16), (64, 1, 16), (32, 2, 16), (16, 2, 8), (48, 2, 12), (48, 3, 16), (8, 2, 4), (6, 2, 6), (1, 4, 1)]
        {
            assert_eq!(party_size(asks, threads), size, "{asks} asks, {threads} threads");
        }
        assert_eq!(party_size(0, 2), 1);
    }

    #[test]
    fn no_thread_draws_much_more_than_its_share() {
        for (asks, threads) in (1..200).flat_map(|asks| (1..9).map(move |threads| (asks, threads))) {
            let size = party_size(asks, threads);
            let busiest = (asks.div_ceil(size).div_ceil(threads) * size).min(asks);
            assert!(size <= LARGEST && busiest <= asks.div_ceil(threads) + TILE, "{asks} asks, {threads} threads: one draws {busiest}");
        }
    }
}

//! The nodes of one depth.

use super::success::Chances;
use crate::batch::lanes::{Lanes, ROW, Row};
use crate::batch::memory::{self, Table};
use crate::batch::search::bit_rows;
use crate::batch::shape::Shape;
use std::cell::Cell;
use std::ops::Range;

/// Rows of logits that a thread keeps for its next block: 32 MiB.
const MOST_KEPT: usize = 1 << 20;

/// The nodes of one depth that the replicas of a block remember. Node 0 is none: its logits are zero, and it has no children.
#[derive(Default)]
pub(super) struct Level {
    /// Rows of a node, and words of one bit per token.
    tiles: usize,
    words: usize,
    /// Whether there is a depth below.
    inner: bool,
    /// Whether nodes are listed, for measurements and for who asks what is remembered. Else `taken`, `parent`, `token` and `of` say nothing.
    listed: bool,
    /// Nodes in use.
    used: usize,
    /// What a visit looks at, node by node: private logits, in units of log 2, and, of inner nodes, the child by every token, as bits.
    pub(super) rows: Table<Row>,
    /// By which tokens there are children, bits, of inner nodes.
    pub(super) taken: Vec<u32>,
    /// The node above, and the token that led here.
    pub(super) parent: Vec<u32>,
    pub(super) token: Vec<u32>,
    /// What lies below, as the last measurement found it.
    pub(super) outlook: Table<Row>,
    /// The chance of a right response below, where it is kept.
    pub(super) chances: Chances,
    /// The nodes of a prompt of the domain and a lane, in order of birth.
    pub(super) of: Vec<Vec<u32>>,
}

/// A node that a replica remembers: one that an update has moved, or passed.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The prompt.
    pub prompt: usize,
    /// The tokens that lead to it.
    pub path: Vec<u32>,
    /// Logits gained, in nats.
    pub logits: Vec<f64>,
}

thread_local! {
    /// Levels of the last block of this thread: their memory is there already, and only what a node uses is written when it is born.
    static SPARE: Cell<Vec<Level>> = const { Cell::new(Vec::new()) };
}

/// Empty levels for a block.
pub(super) fn levels(shape: &Shape, lanes: usize) -> Vec<Level> {
    let mut levels = SPARE.take();
    levels.resize_with(shape.depth, Level::default);
    levels.iter_mut().enumerate().for_each(|(h, level)| level.start(shape, h, lanes));
    levels
}

/// Keeps the levels of a block for the next one, unless they are large.
pub(super) fn keep(levels: Vec<Level>) {
    if levels.iter().map(|level| level.rows.len()).sum::<usize>() <= MOST_KEPT {
        SPARE.set(levels);
    }
}

impl Level {
    /// Forgets all nodes; at depth 0 every prompt of the domain then has its root in every lane.
    fn start(&mut self, shape: &Shape, h: usize, lanes: usize) {
        (self.tiles, self.words, self.inner) = (shape.stride / ROW, bit_rows(shape.arms), h + 1 < shape.depth);
        (self.used, self.listed) = (0, true);
        self.of.iter_mut().for_each(Vec::clear);
        self.of.resize(shape.domain.len() * lanes, Vec::new());
        let roots = if h == 0 { self.of.len() } else { 0 };
        self.fit(roots + 1);
        self.clear::<0>(0..roots + 1);
        self.used = roots + 1;
        for owner in 0..roots {
            (self.parent[owner + 1], self.token[owner + 1]) = (0, 0);
            self.list(owner, owner as u32 + 1);
        }
    }

    /// Lists no nodes but roots from now on.
    pub(super) fn list_no_more(&mut self) {
        self.listed = false;
    }

    /// The root of a prompt of the domain, in a lane, where all there are were opened in that order.
    pub(super) fn root(prompt: usize, lane: usize, lanes: usize) -> usize {
        1 + prompt * lanes + lane
    }

    /// Nodes there is room for.
    #[inline(always)]
    pub(super) fn room(&self) -> usize {
        self.parent.len()
    }

    /// Number of the node born next.
    #[inline(always)]
    pub(super) fn born(&self) -> usize {
        self.used
    }

    /// Makes room for `more` nodes.
    #[inline(always)]
    pub(super) fn reserve(&mut self, more: usize) {
        if self.used + more > self.room() {
            self.fit((self.used + more) * 5 / 4);
        }
    }

    /// Makes room for `nodes` nodes in all.
    #[cold]
    #[inline(never)]
    fn fit(&mut self, nodes: usize) {
        let nodes = nodes.max(self.room());
        let widen = |table: &mut Vec<u32>, size: usize| table.resize(size.max(table.len()), 0);
        self.rows.widen(nodes * self.rows_of_node::<0>());
        widen(&mut self.parent, nodes);
        widen(&mut self.token, nodes);
        if self.inner {
            widen(&mut self.taken, nodes * self.words);
        }
    }

    /// Rows of a node, and words of one bit per token, where these are known while compiling: `STRIDE` is the number of entries of a node, or else 0.
    #[inline(always)]
    fn size<const STRIDE: usize>(&self) -> (usize, usize) {
        if STRIDE == 0 { (self.tiles, self.words) } else { (STRIDE / ROW, bit_rows(STRIDE)) }
    }

    /// Rows of a node in the table of rows.
    #[inline(always)]
    fn rows_of_node<const STRIDE: usize>(&self) -> usize {
        self.size::<STRIDE>().0 << u32::from(self.inner)
    }

    /// The first rows of `nodes`.
    #[inline(always)]
    pub(super) fn first_rows<S: Lanes, const STRIDE: usize>(&self, s: S, nodes: S::u32s) -> S::u32s {
        s.mul_u32s(nodes, s.splat_u32s(self.rows_of_node::<STRIDE>() as u32))
    }

    /// The private logits of `nodes` by tokens, as entries of the table of rows.
    #[inline(always)]
    pub(super) fn logit_entries<S: Lanes, const STRIDE: usize>(&self, s: S, nodes: S::u32s, tokens: S::u32s) -> S::u32s {
        s.add_u32s(s.mul_u32s(nodes, s.splat_u32s((self.rows_of_node::<STRIDE>() * ROW) as u32)), tokens)
    }

    /// The children of inner `nodes` by tokens, as entries of the table of rows.
    #[inline(always)]
    pub(super) fn child_entries<S: Lanes, const STRIDE: usize>(&self, s: S, nodes: S::u32s, tokens: S::u32s) -> S::u32s {
        let stride = self.size::<STRIDE>().0 * ROW;
        s.add_u32s(self.logit_entries::<S, STRIDE>(s, nodes, tokens), s.splat_u32s(stride as u32))
    }

    /// The children of inner `nodes` by tokens; 0 where there is none.
    #[inline(always)]
    pub(super) fn children<S: Lanes, const STRIDE: usize>(&self, s: S, nodes: S::u32s, tokens: S::u32s) -> S::u32s {
        s.transmute_u32s_f32s(s.gather(self.rows.as_flattened(), self.child_entries::<S, STRIDE>(s, nodes, tokens)))
    }

    /// The private logits of a node.
    pub(super) fn logits(&self, node: usize) -> &[f32] {
        self.rows[node * self.rows_of_node::<0>()..][..self.tiles].as_flattened()
    }

    /// Writes zeros where `nodes` will be.
    #[inline(always)]
    fn clear<const STRIDE: usize>(&mut self, nodes: Range<usize>) {
        let ((_, words), rows) = (self.size::<STRIDE>(), self.rows_of_node::<STRIDE>());
        for row in &mut self.rows[nodes.start * rows..][..nodes.len() * rows] {
            *row = [0.0; ROW];
        }
        if self.inner && self.listed {
            for word in &mut self.taken[nodes.start * words..][..nodes.len() * words] {
                *word = 0;
            }
        }
    }

    /// New nodes, one for each lane of a mask, by tokens below those of the level above; there must be room for one in every lane.
    #[inline(always)]
    pub(super) fn open<S: Lanes, const STRIDE: usize>(&mut self, s: S, new: S::m32s, parents: S::u32s, tokens: S::u32s) {
        let first = self.used;
        self.clear::<STRIDE>(first..first + S::LANES);
        self.used += s.bits(new).count_ones() as usize;
        if self.listed {
            put(s, &mut self.parent[first..], new, parents);
            put(s, &mut self.token[first..], new, tokens);
        }
    }

    /// Lists a node of `owner` that is there.
    #[inline(always)]
    pub(super) fn list(&mut self, owner: usize, node: u32) {
        if self.listed {
            self.of[owner].push(node);
        }
    }

    /// Notes the child of a node by a token, `entry` being its entry in the table of rows.
    #[inline(always)]
    pub(super) fn adopt<const STRIDE: usize>(&mut self, entry: u32, child: u32) {
        self.rows.as_flattened_mut()[entry as usize] = f32::from_bits(child);
        if self.listed {
            let ((tiles, words), size) = (self.size::<STRIDE>(), self.rows_of_node::<STRIDE>() * ROW);
            let (node, token) = (entry as usize / size, entry as usize % size - tiles * ROW);
            self.taken[node * words + token / 32] |= 1 << (token % 32);
        }
    }
}

/// Writes the words of the lanes of a mask side by side; after them, anything.
#[inline(always)]
pub(super) fn put<S: Lanes>(s: S, table: &mut [u32], mask: S::m32s, words: S::u32s) {
    table[..S::LANES].copy_from_slice(memory::flat_words::<S>(&[s.compress(mask, words)]));
}

//! The chance of a right response alone, where no skill is shared: what lies below a node then changes only where an update has been, so only nodes that moved
//! are computed anew, and those above them.

use super::FLOOR;
use super::level::{Level, put};
use crate::batch::block::Block;
use crate::batch::lanes::{Lanes, ROW, Row};
use crate::batch::math::exp2_above;
use crate::batch::memory::{self, Table};
use crate::batch::shape::Shape;
use crate::batch::weigh::largest;
use crate::task::Task;
use crate::world::World;
use pulp::bytemuck;
use std::mem::take;

/// Chances of a right response below the nodes of one depth.
#[derive(Default)]
pub(super) struct Chances {
    /// By node and token: the chance below, 0 where the token is wrong; at nodes that are wrong themselves, nobody reads it. None of the last depth, where that
    /// never changes.
    below: Table<Row>,
    /// Its rows of a node.
    tiles: usize,
    /// At the last depth, the code of the tokens that lead to a node, where right responses are listed.
    prefix: Vec<u32>,
    /// Where the parent keeps the chance at the node; 0, which nobody reads, at the root and below a wrong token.
    slot: Vec<u32>,
    /// The prompt of the domain and the lane, as a number.
    owner: Vec<u32>,
    /// Whether a node waits to be computed anew; true where that is not wanted.
    stale: Vec<bool>,
    /// The nodes that wait, and how many they are.
    queue: Vec<u32>,
    queued: usize,
}

/// What chances of right responses are made of, and what the last evaluation found.
pub(super) struct Success {
    /// Base log-probabilities by owner, depth and token, in units of log 2.
    base: Vec<Row>,
    /// Chances below a new node, by owner, depth and token.
    fresh: Vec<Row>,
    /// At the root, by owner.
    root: Vec<f32>,
}

impl Chances {
    /// Makes room for as many nodes as their level has.
    #[inline(always)]
    pub(super) fn reserve(&mut self, nodes: usize) {
        if nodes > self.slot.len() {
            self.fit(nodes);
        }
    }

    #[cold]
    #[inline(never)]
    fn fit(&mut self, nodes: usize) {
        self.below.widen(nodes * self.tiles);
        if self.tiles == 0 {
            self.prefix.resize(nodes, 0);
        }
        self.slot.resize(nodes, 0);
        self.owner.resize(nodes, 0);
        self.stale.resize(nodes, false);
        self.queue.resize(nodes + 64, 0);
    }

    /// Forgets all nodes; from now on chances below one have so many rows.
    fn start(&mut self, nodes: usize, tiles: usize) {
        self.tiles = tiles;
        self.fit(nodes.max(self.slot.len()));
        (self.stale[0], self.queued) = (true, 0);
    }

    /// Notes that `nodes` have moved.
    #[inline(always)]
    fn touch(&mut self, nodes: &[u32]) {
        let (queue, stale, mut queued) = (&mut self.queue[..], &mut self.stale[..], self.queued);
        for node in nodes {
            // no branch, for whether a node waits already is hard to predict
            queue[queued] = *node;
            queued += usize::from(!stale[*node as usize]);
            stale[*node as usize] = true;
        }
        self.queued = queued;
    }
}

/// Chances of a right response below a new node of `prompt`, by depth and action, under the base model: 0 where a token is wrong, or the end comes too early.
pub(in crate::batch) fn fresh_chances(world: &World, prompt: usize, shape: &Shape) -> Vec<f32> {
    let Shape { depth, stride, .. } = *shape;
    let ended = |tokens: usize| f64::from(u8::from(world.task.is_enough(prompt, tokens)));
    let mut fresh = vec![0.0; depth * stride];
    let mut below = ended(depth);
    for h in (0..depth).rev() {
        let right = world.task.right_row(prompt, h).iter().map(|right| if *right { below } else { 0.0 });
        // no response ends before its first token
        let all = right.chain((h > 0 && shape.ends()).then(|| ended(h)));
        let chances: Vec<f64> = all.collect();
        fresh[h * stride..].iter_mut().zip(&chances).for_each(|(fresh, chance)| *fresh = *chance as f32);
        below = world.base.row(prompt, h).iter().zip(chances).map(|(logprob, chance)| logprob.exp() * chance).sum();
    }
    fresh
}

/// New nodes.
pub(super) struct Births<S: Lanes> {
    /// The lanes in which there is one.
    pub(super) new: S::m32s,
    /// Its number.
    pub(super) born: S::u32s,
    /// The node above, and the token that led here.
    pub(super) parents: S::u32s,
    pub(super) tokens: S::u32s,
}

/// A new node.
#[derive(Clone, Copy)]
pub(super) struct Newborn {
    pub(super) h: usize,
    pub(super) node: usize,
    /// The prompt of the domain and the lane, as a number.
    pub(super) owner: usize,
    /// The code of the tokens that lead here, where right responses are listed.
    pub(super) prefix: usize,
}

impl Success {
    /// Writes the chances below a new node that is not of the last depth, as they are under the base model.
    #[inline(always)]
    pub(super) fn write_below<const STRIDE: usize>(&self, shape: &Shape, task: &Task, here: &mut Chances, newborn: &Newborn) {
        let Newborn { h, node, owner, prefix } = *newborn;
        let tiles = if STRIDE == 0 { shape.stride } else { STRIDE } / ROW;
        let below = &mut here.below[node * tiles..][..tiles];
        if let Some(leaves) = task.leaves() {
            let (own, padding) = below.as_flattened_mut().split_at_mut(shape.arms);
            leaves.write_below(h, prefix, own);
            padding.fill(0.0);
        } else {
            let first = (owner * shape.depth + h) * tiles;
            for (below, fresh) in below.iter_mut().zip(&self.fresh[first..][..tiles]) {
                *below = *fresh;
            }
        }
    }
}

impl<S: Lanes> Block<'_, S> {
    /// Keeps chances of right responses from now on; no step may have been made.
    pub(in crate::batch) fn keep_success(&mut self) {
        let Shape { depth, stride, .. } = self.shape;
        let (tiles, start, owners) = (stride / ROW, self.shape.domain.start, self.shape.domain.len() * S::LANES);
        let mut base = vec![super::PAD; owners * depth * stride];
        let mut fresh = Vec::with_capacity(base.len());
        for owner in 0..owners {
            let (lane, number) = (owner % S::LANES, start + owner / S::LANES);
            let (prompt, world) = (self.order[lane][number], self.replicas[lane].world);
            for h in 0..depth {
                let at = (owner * depth + h) * stride;
                for (base, logprob) in base[at..][..stride].iter_mut().zip(world.base.row(prompt, h)) {
                    *base = (logprob * std::f64::consts::LOG2_E) as f32;
                }
            }
            fresh.extend(fresh_chances(world, prompt, &self.shape));
        }
        let rows = |table: Vec<f32>| bytemuck::cast_slice(&table).to_vec();
        self.tree.success = Some(Success { base: rows(base), fresh: rows(fresh), root: vec![0.0; owners] });
        for (h, level) in self.tree.levels.iter_mut().enumerate() {
            level.list_no_more();
            level.chances.start(level.room(), if h + 1 < depth { tiles } else { 0 });
        }
        let Some(success) = &self.tree.success else { return };
        let chances = &mut self.tree.levels[0].chances;
        for owner in 0..owners {
            let root = Level::root(owner / S::LANES, owner % S::LANES, S::LANES);
            (chances.owner[root], chances.slot[root], chances.stale[root]) = (owner as u32, 0, false);
            let task = &self.replicas[owner % S::LANES].world.task;
            success.write_below::<0>(&self.shape, task, chances, &Newborn { h: 0, node: root, owner, prefix: 0 });
            chances.touch(&[root as u32]);
        }
    }

    /// Notes nodes of depth `h` about to be opened, at which a visit is, with their owners; there must be room for one in every lane.
    #[inline(always)]
    pub(super) fn keep_births<const STRIDE: usize>(&mut self, h: usize, visit: usize, births: &Births<S>, owners: S::u32s) {
        let (s, zero, first) = (self.s, self.s.splat_u32s(0), self.tree.levels[h].born());
        let slots = s.add_u32s(s.mul_u32s(births.parents, s.splat_u32s(self.stride::<STRIDE>() as u32)), births.tokens);
        // a chance of 0 is that of a wrong token, or nothing below is right: it stays, and so do those further down
        let counts = if self.lists_right_responses() { self.opens(h, visit) } else { self.lies_open(h - 1, births.parents, slots) };
        let level = &mut self.tree.levels[h];
        level.chances.reserve(level.room());
        let chances = &mut level.chances;
        put(s, &mut chances.owner[first..], births.new, owners);
        put(s, &mut chances.slot[first..], births.new, s.select_u32s(counts, slots, zero));
        for (stale, slot) in chances.stale[first..][..S::LANES].iter_mut().zip(&chances.slot[first..]) {
            *stale = *slot == 0;
        }
        if h + 1 == self.shape.depth && self.lists_right_responses() {
            put(s, &mut self.tree.levels[h].chances.prefix[first..], births.new, self.tree.prefix[visit]);
        }
    }

    /// Whether listed responses lie below the prefixes at which a visit of depth `h` is.
    #[inline(always)]
    fn opens(&self, h: usize, visit: usize) -> S::m32s {
        let (s, prefix) = (self.s, self.tree.prefix[visit]);
        let from = s.add_u32s(self.tree.listed_from, s.splat_u32s(self.tree.opens_from[h] as u32));
        s.bit(self.tree.listed_word(s, from, prefix), prefix)
    }

    /// Whether right responses may lie below slots of nodes of depth `h`.
    #[inline(always)]
    fn lies_open(&self, h: usize, nodes: S::u32s, slots: S::u32s) -> S::m32s {
        let (s, chances) = (self.s, &self.tree.levels[h].chances);
        let below = s.greater_than_f32s(s.gather(chances.below.as_flattened(), slots), s.splat_f32s(0.0));
        if h == 0 {
            return below;
        }
        s.and_m32s(below, s.greater_than_u32s(s.gather_words(&chances.slot, nodes), s.splat_u32s(0)))
    }

    /// Notes that `nodes` of depth `h` have moved, but for lanes that stand `still`.
    #[inline(always)]
    pub(super) fn touch(&mut self, h: usize, nodes: S::u32s, still: S::m32s) {
        let s = self.s;
        if self.tree.success.is_none() {
            return;
        }
        let moved = [s.select_u32s(still, s.splat_u32s(0), nodes)];
        self.tree.levels[h].chances.touch(memory::flat_words::<S>(&moved));
    }

    /// Mean chance of a right response over the prompts trained on.
    #[inline(always)]
    pub(in crate::batch) fn succeed(&mut self) -> S::f32s {
        let s = self.s;
        for h in (0..self.shape.depth).rev() {
            if self.shape.stride == ROW {
                self.compute_stale::<ROW>(h);
            } else {
                self.compute_stale::<0>(h);
            }
        }
        let mut sum = s.splat_f32s(0.0);
        let Some(success) = &self.tree.success else { return sum };
        for roots in success.root.chunks_exact(S::LANES) {
            sum = s.add_f32s(sum, bytemuck::cast_slice(roots)[0]);
        }
        s.mul_f32s(sum, s.splat_f32s(1.0 / self.shape.domain.len() as f32))
    }

    /// Computes the chance at every node of depth `h` that waits, and hands it to its parent, which then waits.
    #[inline(always)]
    fn compute_stale<const STRIDE: usize>(&mut self, h: usize) {
        let chances = &mut self.tree.levels[h].chances;
        let (mut queue, count) = (take(&mut chances.queue), take(&mut chances.queued));
        if count > 0 {
            // lanes past the end repeat the last node
            let last = queue[count - 1];
            queue[count..][..S::LANES].fill(last);
        }
        for nodes in queue[..count.next_multiple_of(S::LANES)].chunks_exact(S::LANES) {
            let chance = self.chance_at::<STRIDE>(h, bytemuck::pod_read_unaligned(bytemuck::cast_slice(nodes)));
            self.hand_over::<STRIDE>(h, nodes, chance);
        }
        self.tree.levels[h].chances.queue = queue;
    }

    /// The chance of a right response at `nodes` of depth `h`.
    #[inline(always)]
    fn chance_at<const STRIDE: usize>(&mut self, h: usize, nodes: S::u32s) -> S::f32s {
        let (s, stride) = (self.s, self.stride::<STRIDE>());
        let (tiles, one) = (s.splat_u32s((stride / ROW) as u32), s.splat_u32s(1));
        let zero = s.splat_f32s(0.0);
        let Some(success) = &self.tree.success else { return zero };
        let mut table = take(&mut self.tree.logits);
        let chances = &self.tree.levels[h].chances;
        let owners = s.gather_words(&chances.owner, nodes);
        let row = s.add_u32s(s.mul_u32s(owners, s.splat_u32s(self.shape.depth as u32)), s.splat_u32s(h as u32));
        let level = &self.tree.levels[h];
        let (mut at, base_at) = (level.first_rows::<S, STRIDE>(s, nodes), s.mul_u32s(row, tiles));
        let mut row = [zero; ROW];
        let logits = if STRIDE == ROW { &mut row[..] } else { &mut table[..stride] };
        let mut base_row = base_at;
        for logits in logits.chunks_exact_mut(ROW) {
            let mut tile = s.load_rows(&level.rows, at);
            for (own, base) in tile.iter_mut().zip(s.load_rows(&success.base, base_row)) {
                *own = s.add_f32s(*own, base);
            }
            logits.copy_from_slice(&s.transpose(tile));
            (at, base_row) = (s.add_u32s(at, one), s.add_u32s(base_row, one));
        }
        let top = largest(s, logits);
        let (mut total, mut sum) = (zero, zero);
        let is_last = h + 1 == self.shape.depth;
        let mut below_at = if is_last { base_at } else { s.mul_u32s(nodes, tiles) };
        for (tile, logits) in logits.chunks_exact(ROW).enumerate() {
            let below = if is_last && self.lists_right_responses() {
                self.completed(nodes, owners, tile * ROW)
            } else {
                s.transpose(s.load_rows(if is_last { &success.fresh } else { &chances.below }, below_at))
            };
            for (logit, below) in logits.iter().zip(&below) {
                let w = exp2_above(s, FLOOR, s.sub_f32s(*logit, top)).1;
                total = s.add_f32s(total, w);
                sum = s.mul_add_f32s(w, *below, sum);
            }
            below_at = s.add_u32s(below_at, one);
        }
        self.tree.logits = table;
        s.div_f32s(sum, total)
    }

    /// Whether each of a tile of tokens from `first` on completes a listed response, at `nodes` of the last depth and of `owners`: 1 or 0.
    #[inline(always)]
    fn completed(&self, nodes: S::u32s, owners: S::u32s, first: usize) -> [S::f32s; ROW] {
        let (s, arms) = (self.s, self.shape.arms);
        let (zero, one) = (s.splat_f32s(0.0), s.splat_f32s(1.0));
        let from = s.transmute_u32s_f32s(s.pick(s.transmute_f32s_u32s(self.tree.listed_from), owners));
        let prefixes = s.gather_words(&self.tree.levels[self.shape.depth - 1].chances.prefix, nodes);
        let code = |token: usize| s.add_u32s(s.mul_u32s(prefixes, s.splat_u32s(arms as u32)), s.splat_u32s(token as u32));
        let last = ROW.min(arms - first);
        // a tile may lie across two words, unless tokens come in tiles
        let start = self.tree.listed_word(s, from, code(first));
        let end = if arms.is_multiple_of(ROW) { start } else { self.tree.listed_word(s, from, code(first + last - 1)) };
        let mut tile = [zero; ROW];
        for (k, entry) in tile[..last].iter_mut().enumerate() {
            let own = code(first + k);
            let is_near = s.equal_u32s(s.shr::<5>(own), s.shr::<5>(code(first)));
            *entry = s.select_f32s(s.bit(s.select_u32s(is_near, start, end), own), one, zero);
        }
        tile
    }

    /// Hands the chances at `nodes` of depth `h` to their parents.
    #[inline(always)]
    fn hand_over<const STRIDE: usize>(&mut self, h: usize, nodes: &[u32], chance: S::f32s) {
        let (s, stride, chance) = (self.s, self.stride::<STRIDE>() as u32, [chance]);
        let Some(success) = &mut self.tree.success else { return };
        let (above, here) = self.tree.levels.split_at_mut(h);
        let (stale, slots, owners) = (&mut here[0].chances.stale[..], &here[0].chances.slot[..], &here[0].chances.owner[..]);
        let mut parents = [s.splat_u32s(0)];
        let all = nodes.iter().zip(memory::flat_words_mut::<S>(&mut parents)).zip(memory::flat::<S>(&chance));
        for ((node, parent), chance) in all {
            stale[*node as usize] = false;
            if h == 0 {
                success.root[owners[*node as usize] as usize] = *chance;
            } else {
                let slot = slots[*node as usize];
                above[h - 1].chances.below.as_flattened_mut()[slot as usize] = *chance;
                *parent = slot / stride;
            }
        }
        if h > 0 {
            above[h - 1].chances.touch(memory::flat_words::<S>(&parents));
        }
    }
}

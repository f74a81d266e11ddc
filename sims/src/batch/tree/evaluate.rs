//! Exact measurements of trees: what lies below the nodes remembered, deepest first, and below all others.

use super::level::Level;
use super::{FLOOR, Node, PAD};
use crate::batch::block::Block;
use crate::batch::lanes::{Lanes, ROW};
use crate::batch::math::{exp2_above, log2};
use crate::batch::memory;
use crate::batch::search::{Bits, bit_rows};
use std::f64::consts::LN_2;

/// What can be said about the responses below a node, given that everything above was right, as [`crate::measure::Summary`] has it; in units of log 2.
#[derive(Clone, Copy)]
pub(in crate::batch) struct Outlook<S: Lanes> {
    pub(in crate::batch) success: S::f32s,
    pub(in crate::batch) success_logprob: S::f32s,
    pub(in crate::batch) entropy: S::f32s,
    pub(in crate::batch) kl: S::f32s,
    pub(in crate::batch) length: S::f32s,
    /// log pi of the most likely way to go on, and 1 where that is right.
    pub(in crate::batch) mode_logprob: S::f32s,
    pub(in crate::batch) mode_right: S::f32s,
    /// log2 of the sum of 2^logit at the node.
    log_sum: S::f32s,
}

impl<S: Lanes> Outlook<S> {
    #[inline(always)]
    fn tile(self) -> [S::f32s; ROW] {
        [self.success, self.success_logprob, self.entropy, self.kl, self.length, self.mode_logprob, self.mode_right, self.log_sum]
    }

    #[inline(always)]
    fn of([success, success_logprob, entropy, kl, length, mode_logprob, mode_right, log_sum]: [S::f32s; ROW]) -> Self {
        Outlook { success, success_logprob, entropy, kl, length, mode_logprob, mode_right, log_sum }
    }
}

/// Sums over the actions of a node.
struct Sums<S: Lanes> {
    total: S::f32s,
    /// Of weight times log2 of the weight, over all and over right tokens.
    moment: S::f32s,
    right_moment: S::f32s,
    /// Of the weights of right tokens.
    right: S::f32s,
    /// Of weight times what the logit exceeds the base log-probability by.
    gained: S::f32s,
    /// log2 of the end's weight, and the weight.
    end: [S::f32s; 2],
    top: S::f32s,
    /// Largest logit of tokens below which nothing is remembered, and 1 where that token is right.
    mode: S::f32s,
    mode_right: S::f32s,
}

impl<S: Lanes> Block<'_, S> {
    /// All about the responses to `prompt`.
    #[inline(always)]
    pub(in crate::batch) fn measure_tree(&mut self, prompt: usize) -> Outlook<S> {
        let (s, depth) = (self.s, self.shape.depth);
        let size = depth * self.shape.stride;
        let rows = self.base[prompt * size..][..size].iter().zip(self.skill.iter());
        for (row, (base, skill)) in self.tree.measured.iter_mut().zip(rows) {
            *row = s.add_f32s(*base, *skill);
        }
        // what lies below nodes of which nothing is remembered, by depth; last the end
        let mut unknown = vec![self.finished(prompt, depth); depth + 1];
        let nothing = s.splat_u32s(0);
        for h in (0..depth).rev() {
            unknown[h] = self.outlook(prompt, h, nothing, &unknown[h + 1]);
        }
        if !(self.uses.memory && self.shape.domain.contains(&prompt)) {
            return unknown[0];
        }
        for level in &mut self.tree.levels {
            level.outlook.widen(level.room());
        }
        for h in (0..depth).rev() {
            self.measure_level(prompt, h, &unknown[h + 1]);
        }
        let first = Level::root(prompt - self.shape.domain.start, 0, S::LANES) as u32;
        let root = s.add_u32s(s.splat_u32s(first), self.iota);
        Outlook::of(s.transpose(s.load_rows(&self.tree.levels[0].outlook, root)))
    }

    /// The end of a response of `tokens` tokens.
    #[inline(always)]
    fn finished(&self, prompt: usize, tokens: usize) -> Outlook<S> {
        let (s, zero) = (self.s, self.s.splat_f32s(0.0));
        let enough = s.greater_than_or_equal_f32s(s.splat_f32s(tokens as f32), self.tree.work[prompt]);
        let enough = s.select_f32s(enough, s.splat_f32s(1.0), zero);
        Outlook::of([enough, zero, zero, zero, zero, zero, enough, zero])
    }

    /// Number `k` of the nodes of `prompt` at depth `h` of every lane; 0 where a lane has fewer.
    #[inline(always)]
    fn nodes(&self, prompt: usize, h: usize, k: usize) -> S::u32s {
        let mut nodes = [self.s.splat_u32s(0)];
        let all = &self.tree.levels[h].of[(prompt - self.shape.domain.start) * S::LANES..][..S::LANES];
        for (node, own) in memory::flat_words_mut::<S>(&mut nodes).iter_mut().zip(all) {
            *node = own.get(k).copied().unwrap_or(0);
        }
        nodes[0]
    }

    /// The most nodes of `prompt` at depth `h` that a lane has.
    fn most_nodes(&self, prompt: usize, h: usize) -> usize {
        let all = &self.tree.levels[h].of[(prompt - self.shape.domain.start) * S::LANES..][..S::LANES];
        all.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// Measures the nodes remembered of `prompt` at depth `h`, those below being measured; `below` is what lies below a token where nothing is remembered.
    #[inline(always)]
    fn measure_level(&mut self, prompt: usize, h: usize, below: &Outlook<S>) {
        let s = self.s;
        let tiles = self.shape.stride / ROW;
        let mut next = self.nodes(prompt, h, 0);
        for k in 0..self.most_nodes(prompt, h) {
            let nodes = std::mem::replace(&mut next, self.nodes(prompt, h, k + 1));
            for tile in (0..tiles).step_by(2) {
                let level = &self.tree.levels[h];
                s.prefetch(&level.rows, s.add_u32s(level.first_rows::<S, 0>(s, next), s.splat_u32s(tile as u32)));
            }
            let outlook = self.outlook(prompt, h, nodes, below);
            s.put_rows(&mut self.tree.levels[h].outlook, nodes, s.transpose(outlook.tile()));
        }
        if h + 1 < self.shape.depth {
            for k in 0..self.most_nodes(prompt, h + 1) {
                self.hand_up(prompt, h, self.nodes(prompt, h + 1, k), below);
            }
        }
    }

    /// Corrects the outlook of the parents of `nodes`, at depth `h`, by what lies below these: so far it counts as if nothing were remembered there.
    #[inline(always)]
    fn hand_up(&mut self, prompt: usize, h: usize, nodes: S::u32s, below: &Outlook<S>) {
        let (s, stride, rows) = (self.s, self.shape.stride, bit_rows(self.shape.arms));
        let [above, level] = &mut self.tree.levels[h..h + 2] else { return };
        let (parents, tokens) = (s.gather_words(&level.parent, nodes), s.gather_words(&level.token, nodes));
        let own = Outlook::<S>::of(s.transpose(s.load_rows(&level.outlook, nodes)));
        let mut sum = Outlook::<S>::of(s.transpose(s.load_rows(&above.outlook, parents)));
        let private = s.gather(above.rows.as_flattened(), above.logit_entries::<S, 0>(s, parents, tokens));
        let position = s.add_u32s(s.mul_u32s(tokens, s.splat_u32s(S::LANES as u32)), self.iota);
        let row = s.gather(memory::flat::<S>(&self.tree.measured[h * stride..][..stride]), position);
        let logprob = s.sub_f32s(s.add_f32s(row, private), sum.log_sum);
        // lanes without a node of their own write to no node
        let (_, p) = exp2_above(s, FLOOR, s.min_f32s(logprob, s.splat_f32s(0.0)));
        let bits = &self.right[(prompt * self.shape.depth + h) * rows..][..rows];
        let right = Bits::<S>::new(bits, self.iota).of(s, position);
        let zero = s.splat_f32s(0.0);
        let share = s.select_f32s(right, p, zero);
        let gain = s.sub_f32s(own.success, below.success);
        let gained_logprob = s.mul_add_f32s(logprob, gain, s.sub_f32s(own.success_logprob, below.success_logprob));
        sum.success = s.mul_add_f32s(share, gain, sum.success);
        sum.success_logprob = s.mul_add_f32s(share, gained_logprob, sum.success_logprob);
        sum.entropy = s.mul_add_f32s(p, s.sub_f32s(own.entropy, below.entropy), sum.entropy);
        sum.kl = s.mul_add_f32s(p, s.sub_f32s(own.kl, below.kl), sum.kl);
        sum.length = s.mul_add_f32s(p, s.sub_f32s(own.length, below.length), sum.length);
        let mode = s.add_f32s(logprob, own.mode_logprob);
        let likelier = s.greater_than_f32s(mode, sum.mode_logprob);
        sum.mode_logprob = s.select_f32s(likelier, mode, sum.mode_logprob);
        sum.mode_right = s.select_f32s(likelier, s.select_f32s(right, own.mode_right, zero), sum.mode_right);
        s.put_rows(&mut above.outlook, parents, s.transpose(sum.tile()));
    }

    /// What lies below `nodes` of depth `h`, as if nothing were remembered below; of node 0, below those of which nothing is remembered. The most likely way to
    /// go on is sought only where nothing is.
    #[inline(always)]
    fn outlook(&mut self, prompt: usize, h: usize, nodes: S::u32s, below: &Outlook<S>) -> Outlook<S> {
        let s = self.s;
        let (top, mode, mode_right) = self.look_at(prompt, h, nodes);
        let sums = self.sum_up(prompt, h, top, mode, mode_right);
        let ended = if self.shape.ends() && h > 0 { Some(self.finished(prompt, h)) } else { None };
        let one = s.splat_f32s(1.0);
        let inverse = s.div_f32s(one, sums.total);
        let bits = log2(s, sums.total).0;
        let log_sum = s.add_f32s(sums.top, bits);
        let right = s.mul_f32s(sums.right, inverse);
        let right_logprob = s.sub_f32s(s.mul_f32s(sums.right_moment, inverse), s.mul_f32s(right, bits));
        let mut sum = Outlook {
            success: s.mul_f32s(right, below.success),
            success_logprob: s.mul_add_f32s(right_logprob, below.success, s.mul_f32s(right, below.success_logprob)),
            entropy: s.sub_f32s(bits, s.mul_f32s(sums.moment, inverse)),
            // KL = E[logit - base] - log sum
            kl: s.sub_f32s(s.mul_f32s(sums.gained, inverse), log_sum),
            length: one,
            mode_logprob: s.add_f32s(s.sub_f32s(sums.mode, log_sum), below.mode_logprob),
            mode_right: s.mul_f32s(sums.mode_right, below.mode_right),
            log_sum,
        };
        let mut goes_on = one;
        if let Some(ended) = ended {
            let p = s.mul_f32s(sums.end[1], inverse);
            let logprob = s.sub_f32s(sums.end[0], bits);
            let share = s.mul_f32s(p, ended.success);
            sum.success = s.add_f32s(sum.success, share);
            sum.success_logprob = s.mul_add_f32s(share, logprob, sum.success_logprob);
            let likelier = s.greater_than_f32s(logprob, sum.mode_logprob);
            sum.mode_logprob = s.select_f32s(likelier, logprob, sum.mode_logprob);
            sum.mode_right = s.select_f32s(likelier, ended.mode_right, sum.mode_right);
            goes_on = s.sub_f32s(one, p);
        }
        sum.entropy = s.mul_add_f32s(goes_on, below.entropy, sum.entropy);
        sum.kl = s.mul_add_f32s(goes_on, below.kl, sum.kl);
        sum.length = s.mul_f32s(goes_on, s.add_f32s(one, below.length));
        sum
    }

    /// Finds the logits of `nodes` and the largest of them; also the largest of tokens below which nothing is remembered, and whether that token is right.
    #[inline(always)]
    fn look_at(&mut self, prompt: usize, h: usize, nodes: S::u32s) -> (S::f32s, S::f32s, S::f32s) {
        let (s, stride, words) = (self.s, self.shape.stride, bit_rows(self.shape.arms));
        let (zero, one, none) = (s.splat_f32s(0.0), s.splat_f32s(1.0), s.splat_f32s(PAD));
        let level = &self.tree.levels[h];
        let known = s.any(s.greater_than_u32s(nodes, s.splat_u32s(0)));
        let mut at = level.first_rows::<S, 0>(s, nodes);
        let mut word = s.mul_u32s(nodes, s.splat_u32s(words as u32));
        let [mut top, mut mode, mut mode_right] = [none, none, zero];
        let (mut taken, mut right) = (s.splat_u32s(0), s.splat_u32s(0));
        let rows = self.tree.measured[h * stride..][..stride].chunks_exact(ROW);
        for (tile, (logits, rows)) in self.tree.logits[..stride].chunks_exact_mut(ROW).zip(rows).enumerate() {
            let mut own = [zero; ROW];
            if known {
                own = s.transpose(s.load_rows(&level.rows, at));
                at = s.add_u32s(at, s.splat_u32s(1));
            }
            for (k, ((logit, row), own)) in logits.iter_mut().zip(rows).zip(&own).enumerate() {
                let token = tile * ROW + k;
                *logit = s.add_f32s(*row, *own);
                top = s.max_f32s(top, *logit);
                if token >= self.shape.arms {
                    continue;
                }
                if token.is_multiple_of(32) {
                    right = self.right[(prompt * self.shape.depth + h) * words + token / 32];
                    if known && h + 1 < self.shape.depth {
                        taken = s.gather_words(&level.taken, word);
                        word = s.add_u32s(word, s.splat_u32s(1));
                    }
                }
                let bit = s.splat_u32s(1 << (token % 32));
                let free = s.select_f32s(s.meets(taken, bit), none, *logit);
                let likelier = s.greater_than_f32s(free, mode);
                mode = s.select_f32s(likelier, free, mode);
                mode_right = s.select_f32s(likelier, s.select_f32s(s.meets(right, bit), one, zero), mode_right);
            }
        }
        (top, mode, mode_right)
    }

    /// Sums over the actions of the nodes looked at last.
    #[inline(always)]
    fn sum_up(&self, prompt: usize, h: usize, top: S::f32s, mode: S::f32s, mode_right: S::f32s) -> Sums<S> {
        let (s, stride, words) = (self.s, self.shape.stride, bit_rows(self.shape.arms));
        let zero = s.splat_f32s(0.0);
        let [mut total, mut moment, mut right, mut right_moment, mut gained] = [zero; 5];
        let mut end = [zero; 2];
        let at = prompt * self.shape.depth + h;
        let bits = &self.right[at * words..][..words];
        let actions = self.actions(h);
        let entries = self.tree.logits[..actions].iter().zip(&self.base[at * stride..][..actions]);
        for (token, (logit, base)) in entries.enumerate() {
            let (x, w) = exp2_above(s, FLOOR, s.sub_f32s(*logit, top));
            total = s.add_f32s(total, w);
            moment = s.mul_add_f32s(w, x, moment);
            gained = s.mul_add_f32s(w, s.sub_f32s(*logit, *base), gained);
            if token < self.shape.arms {
                let share = s.select_f32s(s.meets(bits[token / 32], s.splat_u32s(1 << (token % 32))), w, zero);
                right = s.add_f32s(right, share);
                right_moment = s.mul_add_f32s(share, x, right_moment);
            } else {
                end = [x, w];
            }
        }
        Sums { total, moment, right_moment, right, gained, end, top, mode, mode_right }
    }
}

impl<S: Lanes> Block<'_, S> {
    /// What the replica in a lane remembers.
    pub(in crate::batch) fn recall(&self, lane: usize) -> Vec<Node> {
        let prompts = &self.order[lane][self.shape.domain.clone()];
        let depths = self.tree.levels.iter().enumerate();
        let owned = |(h, level): (usize, &Level)| -> Vec<Node> {
            let nodes = level.of.iter().skip(lane).step_by(S::LANES);
            prompts.iter().zip(nodes).flat_map(|(prompt, nodes)| nodes.iter().map(move |node| self.node(*prompt, h, *node))).collect()
        };
        depths.flat_map(owned).collect()
    }

    fn node(&self, prompt: usize, h: usize, number: u32) -> Node {
        let private = self.tree.levels[h].logits(number as usize);
        let logits = private[..self.actions(h)].iter().map(|x| f64::from(*x) * LN_2).collect();
        let (mut path, mut node) = (Vec::new(), number as usize);
        for level in self.tree.levels[1..=h].iter().rev() {
            path.insert(0, level.token[node]);
            node = level.parent[node] as usize;
        }
        Node { prompt, path, logits }
    }
}

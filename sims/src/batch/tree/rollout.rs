//! Sampling and judging the groups of a step of trees.

use super::level::Level;
use super::{FLOOR, PAD};
use crate::batch::block::Block;
use crate::batch::lanes::{Kernel, Lanes, ROW};
use crate::batch::math::{exp2_above, log2};
use crate::batch::memory;
use crate::batch::search::{Bits, bit_rows};
use crate::batch::shown::Path;
use crate::batch::weigh::largest;
use crate::signals::Signal;
use std::f32::consts::LN_2;

/// The largest logit; no number where logits have left the range of numbers, or what is no action is the largest.
#[inline(always)]
fn known<S: Lanes>(s: S, top: S::f32s) -> S::f32s {
    s.select_f32s(s.less_than_f32s(s.abs_f32s(top), s.splat_f32s(-PAD)), top, s.splat_f32s(f32::NAN))
}

/// Draws all rollouts of a slot, by itself.
struct Descend<'b, 'a, S: Lanes, const STRIDE: usize, const SCORED: bool> {
    block: &'b mut Block<'a, S>,
    slot: usize,
}

impl<S: Lanes, const STRIDE: usize, const SCORED: bool> Kernel<S> for Descend<'_, '_, S, STRIDE, SCORED> {
    type Output = ();
    #[inline(always)]
    fn run(self, _: S) {
        self.block.descend::<STRIDE, SCORED>(self.slot);
    }
}

impl<S: Lanes> Block<'_, S> {
    /// Samples and pays the groups of a step of trees; `watched` says whether their entropy is asked for.
    #[inline(always)]
    pub(in crate::batch) fn roll_out_trees(&mut self, step: usize, watched: bool) {
        let signal = self.replicas[0].recipe.signal;
        self.draw_prompts(step);
        for slot in 0..self.shape.batch {
            self.sample_paths(signal, step, slot, watched);
        }
    }

    /// Samples, judges and pays the slot's group.
    #[inline(always)]
    fn sample_paths(&mut self, signal: &Signal, step: usize, slot: usize, watched: bool) {
        self.fetch_words(step, slot);
        self.fetch_coins(step, slot);
        let scored = watched || self.uses.scores || self.uses.kl || self.uses.entropy || self.shape.goes_off_policy;
        // one row and no scores is worth its own copy
        if self.shape.stride == ROW && !scored {
            self.s.enter(Descend::<S, ROW, false> { block: &mut *self, slot });
        } else {
            self.s.enter(Descend::<S, 0, true> { block: &mut *self, slot });
        }
        self.judge(slot);
        if self.uses.votes || self.uses.labels {
            self.identify(slot);
        }
        self.show_paths(slot, scored);
        self.pay(signal, step, slot);
    }

    /// Entries of a place in tables of actions; `STRIDE` is their number where that is known while compiling, else 0.
    #[inline(always)]
    pub(super) fn stride<const STRIDE: usize>(&self) -> usize {
        if STRIDE == 0 { self.shape.stride } else { STRIDE }
    }

    /// Number of a visit.
    #[inline(always)]
    pub(super) fn visit_of(&self, slot: usize, rollout: usize, h: usize) -> usize {
        (slot * self.shape.paid() + rollout) * self.shape.depth + h
    }

    /// Draws all rollouts of the slot, depth by depth.
    #[inline(always)]
    fn descend<const STRIDE: usize, const SCORED: bool>(&mut self, slot: usize) {
        self.open_slot(slot);
        for h in 0..self.shape.depth {
            for rollout in 0..self.shape.paid() {
                self.visit::<STRIDE, SCORED>(slot, rollout, h);
            }
        }
    }

    /// Loads what the slot's prompt has at all nodes, and sets all rollouts to its root.
    #[inline(always)]
    pub(super) fn open_slot(&mut self, slot: usize) {
        let (s, depth, paid) = (self.s, self.shape.depth, self.shape.paid());
        self.load_levels(slot);
        let root = self.roots(slot);
        for rollout in 0..paid {
            self.tree.visits[(slot * paid + rollout) * depth].node = root;
        }
        for ready in &mut self.tree.ready[slot * depth..][..depth] {
            *ready = false;
        }
        if self.shape.ends() {
            for rollout in 0..paid {
                self.tree.ended[rollout] = s.less_than_u32s(s.splat_u32s(0), s.splat_u32s(0));
                self.tree.length[slot * paid + rollout] = s.splat_u32s(0);
            }
        }
    }

    /// The root of the slot's prompt; none where nothing is ever remembered.
    #[inline(always)]
    fn roots(&self, slot: usize) -> S::u32s {
        let s = self.s;
        if !self.uses.memory {
            return s.splat_u32s(0);
        }
        let first = Level::root(0, 0, S::LANES) as u32;
        let prompt = s.sub_u32s(self.step.prompt[slot], s.splat_u32s(self.shape.domain.start as u32));
        s.add_u32s(s.mul_u32s(prompt, s.splat_u32s(S::LANES as u32)), s.add_u32s(self.iota, s.splat_u32s(first)))
    }

    /// Base log-probabilities of the slot's prompt, by depth and action, without and with the skill, and its right tokens.
    #[inline(always)]
    fn load_levels(&mut self, slot: usize) {
        let (s, size) = (self.s, self.shape.depth * self.shape.stride);
        let here = slot * size..(slot + 1) * size;
        let known = self.tree.loaded[slot];
        if !known {
            let table = memory::flat::<S>(&self.base);
            let mut at = s.add_u32s(s.mul_u32s(self.step.prompt[slot], s.splat_u32s((size * S::LANES) as u32)), self.iota);
            for base in &mut self.tree.base[here.clone()] {
                *base = s.gather(table, at);
                at = s.add_u32s(at, s.splat_u32s(S::LANES as u32));
            }
            self.tree.loaded[slot] = self.is_single();
        }
        if !known || self.uses.skill {
            let rows = self.tree.rows[here.clone()].iter_mut().zip(&self.tree.base[here]);
            for ((row, base), skill) in rows.zip(self.skill.iter()) {
                *row = s.add_f32s(*base, *skill);
            }
        }
        if !known {
            self.load_right(slot);
        }
    }

    /// Right tokens of the slot's prompt.
    #[inline(always)]
    fn load_right(&mut self, slot: usize) {
        let (s, words) = (self.s, self.tree.right.len());
        let mut at = s.add_u32s(s.mul_u32s(self.step.prompt[slot], s.splat_u32s((words * S::LANES) as u32)), self.iota);
        for right in self.tree.right.iter_mut() {
            *right = s.gather_words(memory::flat_words::<S>(&self.right), at);
            at = s.add_u32s(at, s.splat_u32s(S::LANES as u32));
        }
    }

    /// Computes the policy of the slot's prompt at depth `h`, at `nodes` or where nothing is remembered, into `place`.
    #[inline(always)]
    fn weigh_nodes<const STRIDE: usize, const SCORED: bool>(&mut self, slot: usize, h: usize, nodes: Option<S::u32s>, place: usize) {
        let (s, stride) = (self.s, self.stride::<STRIDE>());
        let rows = &self.tree.rows[(slot * self.shape.depth + h) * stride..][..stride];
        let mut row = [s.splat_f32s(0.0); ROW];
        // without scores, nobody looks at them again, and one row stays in registers
        let logits = if !SCORED && STRIDE == ROW { &mut row[..] } else { &mut self.tree.logits[place * stride..][..stride] };
        if let Some(nodes) = nodes {
            let mut at = self.tree.levels[h].first_rows::<S, STRIDE>(s, nodes);
            for (logits, rows) in logits.chunks_exact_mut(ROW).zip(rows.chunks_exact(ROW)) {
                let own = s.transpose(s.load_rows(&self.tree.levels[h].rows, at));
                for ((logit, row), own) in logits.iter_mut().zip(rows).zip(&own) {
                    *logit = s.add_f32s(*row, *own);
                }
                at = s.add_u32s(at, s.splat_u32s(1));
            }
        } else {
            logits.copy_from_slice(rows);
        }
        let top = known(s, largest(s, logits));
        let [mut total, mut moment] = [s.splat_f32s(0.0); 2];
        for (logit, weight) in logits.iter().zip(&mut self.tree.weights[place * stride..][..stride]) {
            let (x, w) = exp2_above(s, FLOOR, s.sub_f32s(*logit, top));
            total = s.add_f32s(total, w);
            if SCORED {
                moment = s.mul_add_f32s(w, x, moment);
            }
            *weight = w;
        }
        // no number where the largest logit is none, for then all draws are of the first token
        let total = s.mul_add_f32s(top, s.splat_f32s(0.0), total);
        self.tree.places[place].total = total;
        self.tree.places[place].inverse = s.div_f32s(s.splat_f32s(1.0), total);
        if SCORED {
            self.score(h, place, top, moment);
        }
    }

    /// log2 of the sum of weights, entropy and certainty of the policy at a place.
    #[inline(always)]
    fn score(&mut self, h: usize, place: usize, top: S::f32s, moment: S::f32s) {
        let (s, nats) = (self.s, self.s.splat_f32s(LN_2));
        let bits = log2(s, self.tree.places[place].total).0;
        let log_sum = s.add_f32s(top, bits);
        self.tree.places[place].log_sum = log_sum;
        self.tree.places[place].entropy = s.mul_f32s(s.sub_f32s(bits, s.mul_f32s(moment, self.tree.places[place].inverse)), nats);
        let actions = self.actions(h);
        let mut sum = s.splat_f32s(0.0);
        for logit in &self.tree.logits[place * self.shape.stride..][..actions] {
            sum = s.add_f32s(sum, s.sub_f32s(log_sum, *logit));
        }
        self.tree.places[place].certainty = s.mul_f32s(sum, s.splat_f32s(LN_2 / actions as f32));
    }

    /// Actions at depth `h`.
    #[inline(always)]
    pub(super) fn actions(&self, h: usize) -> usize {
        if h == 0 { self.shape.arms } else { self.shape.actions }
    }

    /// The place of a visit's policy, computed where it is not there.
    #[inline(always)]
    pub(super) fn place<const STRIDE: usize, const SCORED: bool>(&mut self, slot: usize, visit: usize, h: usize) -> usize {
        let (s, plain, nodes) = (self.s, slot * self.shape.depth + h, self.tree.visits[visit].node);
        let known = self.uses.memory && s.any(s.greater_than_u32s(nodes, s.splat_u32s(0)));
        // at the root, all rollouts of the slot share a place
        let place = if known && h > 0 { self.shape.batch * self.shape.depth + visit } else { plain };
        if place != plain || !self.tree.ready[plain] {
            self.weigh_nodes::<STRIDE, SCORED>(slot, h, if known { Some(nodes) } else { None }, place);
        }
        if place == plain {
            self.tree.ready[plain] = true;
        }
        place
    }

    /// Takes rollout `rollout` of the slot one token further: the token drawn, or, after those sampled, the most likely one.
    #[inline(always)]
    fn visit<const STRIDE: usize, const SCORED: bool>(&mut self, slot: usize, rollout: usize, h: usize) {
        let s = self.s;
        let visit = self.visit_of(slot, rollout, h);
        let place = self.place::<STRIDE, SCORED>(slot, visit, h);
        let sampled = rollout < self.shape.sampled();
        let mut token = if sampled { self.drawn::<STRIDE>(place, rollout * self.shape.depth + h) } else { self.likeliest(place) };
        let mut goes_on = s.splat_u32s(1);
        if self.shape.ends() {
            (token, goes_on) = self.end(slot, rollout, token);
        }
        self.tree.place[visit] = place;
        self.tree.visits[visit].token = token;
        if SCORED {
            self.tree.visits[visit].logprob = self.token_logprob(place, token);
            self.tree.visits[visit].ref_logprob = self.token_ref_logprob(slot, h, token);
        }
        if h + 1 < self.shape.depth {
            let nodes = s.mul_u32s(goes_on, self.below::<STRIDE>(visit, h));
            self.tree.visits[visit + 1].node = nodes;
            if self.uses.memory {
                self.fetch_nodes::<STRIDE>(h + 1, nodes);
            }
        }
    }

    /// Counts the token of a response that has not ended; none where it has. Also whether it goes on.
    #[inline(always)]
    fn end(&mut self, slot: usize, rollout: usize, token: S::u32s) -> (S::u32s, S::u32s) {
        let (s, zero, one) = (self.s, self.s.splat_u32s(0), self.s.splat_u32s(1));
        let before = self.tree.ended[rollout];
        let length = &mut self.tree.length[slot * self.shape.paid() + rollout];
        *length = s.add_where(s.not_m32s(before), *length, one);
        let ends = s.equal_u32s(token, s.splat_u32s(self.shape.arms as u32));
        let ended = s.or_m32s(before, ends);
        self.tree.ended[rollout] = ended;
        (s.select_u32s(before, zero, token), s.select_u32s(ended, zero, one))
    }

    /// The child of a visit's nodes by its tokens.
    #[inline(always)]
    pub(super) fn below<const STRIDE: usize>(&self, visit: usize, h: usize) -> S::u32s {
        let (s, nodes) = (self.s, self.tree.visits[visit].node);
        if !self.uses.memory || !s.any(s.greater_than_u32s(nodes, s.splat_u32s(0))) {
            return s.splat_u32s(0);
        }
        self.tree.levels[h].children::<S, STRIDE>(s, nodes, self.tree.visits[visit].token)
    }

    /// Asks for what a visit of `nodes` of depth `h` will read: as many visits come before it as there are rollouts.
    #[inline(always)]
    fn fetch_nodes<const STRIDE: usize>(&self, h: usize, nodes: S::u32s) {
        let (s, level) = (self.s, &self.tree.levels[h]);
        let at = level.first_rows::<S, STRIDE>(s, nodes);
        s.prefetch(&level.rows, at);
        // where a node has one row of logits, that of its children lies in the same cache line
        if STRIDE != ROW && h + 1 < self.shape.depth {
            s.prefetch(&level.rows, s.add_u32s(at, s.splat_u32s((self.shape.stride / ROW) as u32)));
        }
    }

    /// The token that word number `word` of the slot's words means at a place: the first whose running sum of weights exceeds the uniform's.
    #[inline(always)]
    fn drawn<const STRIDE: usize>(&self, place: usize, word: usize) -> S::u32s {
        let (s, stride) = (self.s, self.stride::<STRIDE>());
        let scale = s.mul_f32s(self.tree.places[place].total, s.splat_f32s(2f32.powi(-24)));
        // below the sum of all weights, for (1 - 2^-24) x rounds to less than x
        let target = s.mul_f32s(s.to_f32(s.shr::<8>(self.step.words[word])), scale);
        let (mut token, mut sum) = (s.splat_u32s(0), s.splat_f32s(0.0));
        for (before, weight) in self.tree.weights[place * stride..][..stride].iter().enumerate() {
            sum = s.add_f32s(sum, *weight);
            token = s.select_u32s(s.greater_than_or_equal_f32s(target, sum), s.splat_u32s(before as u32 + 1), token);
        }
        token
    }

    /// The most likely token at a place; of equals, the first.
    #[inline(always)]
    fn likeliest(&self, place: usize) -> S::u32s {
        let (s, stride) = (self.s, self.shape.stride);
        let weights = &self.tree.weights[place * stride..][..stride];
        let top = largest(s, weights);
        let mut found = s.splat_u32s(0);
        for (token, weight) in weights.iter().enumerate().rev() {
            found = s.select_u32s(s.greater_than_or_equal_f32s(*weight, top), s.splat_u32s(token as u32), found);
        }
        found
    }

    /// Where a token stands in a table of actions.
    #[inline(always)]
    pub(super) fn position(&self, token: S::u32s) -> S::u32s {
        let s = self.s;
        s.add_u32s(s.mul_u32s(token, s.splat_u32s(S::LANES as u32)), self.iota)
    }

    /// log pi of a token at a place, in nats.
    #[inline(always)]
    pub(super) fn token_logprob(&self, place: usize, token: S::u32s) -> S::f32s {
        let (s, stride) = (self.s, self.shape.stride);
        let logit = s.gather(memory::flat::<S>(&self.tree.logits[place * stride..][..stride]), self.position(token));
        s.mul_f32s(s.sub_f32s(logit, self.tree.places[place].log_sum), s.splat_f32s(LN_2))
    }

    /// log pi of a token at depth `h` under the base model, in nats.
    #[inline(always)]
    fn token_ref_logprob(&self, slot: usize, h: usize, token: S::u32s) -> S::f32s {
        let (s, stride) = (self.s, self.shape.stride);
        let base = &self.tree.base[(slot * self.shape.depth + h) * stride..][..stride];
        s.mul_f32s(s.gather(memory::flat::<S>(base), self.position(token)), s.splat_f32s(LN_2))
    }

    /// Which responses to the slot's prompt still go on before their token number `h`.
    #[inline(always)]
    pub(super) fn is_token(&self, slot: usize, rollout: usize, h: usize) -> S::m32s {
        let s = self.s;
        s.greater_than_u32s(self.tree.length[slot * self.shape.paid() + rollout], s.splat_u32s(h as u32))
    }

    /// Which responses of the slot are right and well formed.
    #[inline(always)]
    fn judge(&mut self, slot: usize) {
        let (s, rows) = (self.s, bit_rows(self.shape.arms));
        let zero = s.splat_u32s(0);
        for rollout in 0..self.shape.paid() {
            let mut right = s.equal_u32s(zero, zero);
            let mut formatted = right;
            let mut content = zero;
            for h in 0..self.shape.depth {
                let mut token = self.tree.visits[self.visit_of(slot, rollout, h)].token;
                let mut counts = s.equal_u32s(zero, zero);
                if self.shape.ends() {
                    counts = s.and_m32s(self.is_token(slot, rollout, h), s.less_than_u32s(token, s.splat_u32s(self.shape.arms as u32)));
                    token = s.select_u32s(counts, token, zero);
                    content = s.add_where(counts, content, s.splat_u32s(1));
                }
                let position = self.position(token);
                let is_right = Bits::<S>::new(&self.tree.right[h * rows..][..rows], self.iota).of(s, position);
                right = s.and_m32s(right, s.or_m32s(is_right, s.not_m32s(counts)));
                if self.uses.format {
                    let is_formatted = Bits::<S>::new(&self.formatted[h * rows..][..rows], self.iota).of(s, position);
                    formatted = s.and_m32s(formatted, s.or_m32s(is_formatted, s.not_m32s(counts)));
                }
            }
            if self.shape.ends() {
                let needed = s.gather(memory::flat::<S>(&self.tree.work), self.position(self.step.prompt[slot]));
                right = s.and_m32s(right, s.greater_than_or_equal_f32s(s.to_f32(content), needed));
            }
            if !self.tree.listed.is_empty() {
                right = s.and_m32s(right, self.is_listed(slot, rollout));
            }
            self.step.right[rollout] = right;
            self.step.formatted[rollout] = formatted;
        }
    }

    /// Whether a rollout is among the right ones listed.
    #[inline(always)]
    fn is_listed(&mut self, slot: usize, rollout: usize) -> S::m32s {
        let s = self.s;
        let (arms, mut code) = (s.splat_u32s(self.shape.arms as u32), s.splat_u32s(0));
        for h in 0..self.shape.depth {
            let visit = self.visit_of(slot, rollout, h);
            self.tree.prefix[visit] = code;
            code = s.add_u32s(s.mul_u32s(code, arms), self.tree.visits[visit].token);
        }
        s.bit(self.tree.listed_word(s, self.tree.listed_from, code), code)
    }

    /// Names the answer of every rollout of the slot by the first that took the same path.
    #[inline(always)]
    fn identify(&mut self, slot: usize) {
        let (s, depth, paid) = (self.s, self.shape.depth, self.shape.paid());
        let visits = &self.tree.visits[slot * paid * depth..][..paid * depth];
        for (i, path) in visits.chunks_exact(depth).enumerate() {
            let mut first = s.splat_u32s(i as u32);
            for (j, other) in visits.chunks_exact(depth).take(i).enumerate().rev() {
                let mut same = s.equal_u32s(path[0].token, other[0].token);
                for (a, b) in path[1..].iter().zip(&other[1..]) {
                    same = s.and_m32s(same, s.equal_u32s(a.token, b.token));
                }
                first = s.select_u32s(same, s.splat_u32s(j as u32), first);
            }
            self.step.position[slot * paid + i] = first;
        }
    }

    /// Number of the first rollout of the slot that gives, in a lane, the answer with this code; of none where none does.
    pub(in crate::batch) fn first_with(&self, slot: usize, lane: usize, code: u128) -> u32 {
        let paid = self.shape.paid();
        let task = &self.replicas[lane].world.task;
        let token = |visit: usize| memory::word::<S>(&self.tree.visits[visit].token, lane);
        let path = |rollout: usize| {
            let length = memory::word::<S>(&self.tree.length[slot * paid + rollout], lane) as usize;
            task.code((0..length).map(|h| token(self.visit_of(slot, rollout, h))))
        };
        (0..paid).find(|rollout| path(*rollout) == code).map_or(u32::MAX, |rollout| rollout as u32)
    }

    /// Sums and means over the tokens of every path of the slot; of those trained on, the mean entropy.
    #[inline(always)]
    fn show_paths(&mut self, slot: usize, scored: bool) {
        let (s, paid) = (self.s, self.shape.paid());
        let zero = s.splat_f32s(0.0);
        let mut mean = zero;
        for rollout in 0..paid {
            let visit = self.visit_of(slot, rollout, 0);
            self.tree.opening[rollout] = self.position(self.tree.visits[visit].token);
            let length = s.to_f32(self.tree.length[slot * paid + rollout]);
            self.tree.paths[rollout].length = length;
            if scored {
                let path = self.summed(slot, rollout, length);
                self.tree.paths[rollout] = path;
                if rollout < self.shape.group {
                    mean = s.add_f32s(mean, path.entropy);
                }
            }
        }
        self.step.entropy[slot] = s.mul_f32s(mean, s.splat_f32s(1.0 / self.shape.group as f32));
    }

    #[inline(always)]
    fn summed(&self, slot: usize, rollout: usize, length: S::f32s) -> Path<S> {
        let (s, zero) = (self.s, self.s.splat_f32s(0.0));
        let mut sum = Path { length, logprob: zero, ref_logprob: zero, entropy: zero, certainty: zero };
        for h in 0..self.shape.depth {
            let visit = self.visit_of(slot, rollout, h);
            let place = self.tree.place[visit];
            let counts = self.is_token(slot, rollout, h);
            sum.logprob = s.add_f32s(sum.logprob, s.select_f32s(counts, self.tree.visits[visit].logprob, zero));
            sum.ref_logprob = s.add_f32s(sum.ref_logprob, s.select_f32s(counts, self.tree.visits[visit].ref_logprob, zero));
            sum.entropy = s.add_f32s(sum.entropy, s.select_f32s(counts, self.tree.places[place].entropy, zero));
            sum.certainty = s.add_f32s(sum.certainty, s.select_f32s(counts, self.tree.places[place].certainty, zero));
        }
        (sum.entropy, sum.certainty) = (s.div_f32s(sum.entropy, length), s.div_f32s(sum.certainty, length));
        sum
    }
}

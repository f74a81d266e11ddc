//! Sampling the groups of a step of bandits.

use super::block::Block;
use super::lanes::{Kernel, Lanes};
use super::math::log2;
use super::memory::{self, MAX_LANES};
use super::number::Lane;
use super::search::{Bits, Search, bit_rows, find_turned, turned};
use super::shown::Scores;
use super::weigh::{Keep, Loaded, Summed, Weights, is_far, largest, weigh};
use crate::signals::Signal;
use crate::stream::Purpose;
use std::f32::consts::LN_2;
use std::mem::take;

/// Running sums, to be searched.
struct Sums;

impl<S: Lanes> Keep<S> for Sums {
    type Row = S::f32s;
    #[inline(always)]
    fn row(_: S, _: S::f32s, sum: S::f32s) -> S::f32s {
        sum
    }
}

/// Draws a group, as many of each replica at once as there are lanes: turns running sums and words, so that a vector holds those of one replica.
struct FindTurned<'k, S: Lanes, const ACROSS: usize> {
    total: S::f32s,
    iota: S::u32s,
    sums: &'k mut [[S::f32s; ACROSS]],
    words: &'k [S::u32s],
    positions: &'k mut [S::u32s],
}

impl<S: Lanes, const ACROSS: usize> Kernel<S> for FindTurned<'_, S, ACROSS> {
    type Output = ();
    #[inline(always)]
    fn run(self, s: S) {
        let mut targets = [[s.splat_f32s(0.0)]; MAX_LANES];
        let targets = &mut targets[..S::LANES];
        s.turn(self.sums);
        for (positions, words) in self.positions.chunks_mut(S::LANES).zip(self.words.chunks(S::LANES)) {
            for ([target], word) in targets.iter_mut().zip(words) {
                *target = draw(s, *word, self.total);
            }
            find_turned(s, self.sums, targets);
            for (position, [found]) in positions.iter_mut().zip(&*targets) {
                *position = s.add_u32s(s.transmute_u32s_f32s(*found), self.iota);
            }
        }
    }
}

/// The uniform of a word, times `total`.
#[inline(always)]
fn draw<S: Lanes>(s: S, word: S::u32s, total: S::f32s) -> S::f32s {
    s.mul_f32s(s.to_f32(s.shr::<8>(word)), s.mul_f32s(total, s.splat_f32s(2f32.powi(-24))))
}

/// Tells which arms drawn have their bit.
struct LookUp<'k, S: Lanes> {
    bits: Bits<'k, S>,
    positions: &'k [S::u32s],
    told: &'k mut [S::m32s],
}

impl<S: Lanes> Kernel<S> for LookUp<'_, S> {
    type Output = ();
    #[inline(always)]
    fn run(self, s: S) {
        for (told, position) in self.told.iter_mut().zip(self.positions) {
            *told = self.bits.of(s, *position);
        }
    }
}

impl<S: Lanes> Block<'_, S> {
    /// Samples, or enumerates, and pays the groups of a step of bandits; `watched` says whether their success is asked for.
    #[inline(always)]
    pub(super) fn roll_out(&mut self, step: usize, watched: bool) {
        let signal = self.replicas[0].recipe.signal;
        if self.shape.exact {
            return self.enumerate(signal, step, watched);
        }
        if step == 0 {
            self.fetch_words(0, 0);
            self.fetch_coins(0, 0);
        }
        self.draw_prompts(step);
        for slot in 0..self.shape.batch {
            self.sample(signal, step, slot, watched);
        }
    }

    /// Draws the prompts of `step`.
    #[inline(always)]
    pub(super) fn draw_prompts(&mut self, step: usize) {
        let (start, count) = (self.shape.domain.start as u32, self.shape.domain.len());
        if count == 1 && step > 0 {
            return;
        }
        self.streams[0].fill(self.s, &self.keys, Purpose::Prompts, step, &mut self.step.prompt);
        let prompts = memory::flat_words_mut::<S>(&mut self.step.prompt);
        for word in prompts {
            // floor((word + 1/2) / 2^32 * n)
            let pick = ((2 * u64::from(*word) + 1) * count as u64) >> 33;
            *word = start + pick as u32;
        }
    }

    /// Whether every lane trains on the same single prompt of its table.
    #[inline(always)]
    pub(super) fn is_single(&self) -> bool {
        self.shape.domain.len() == 1
    }

    /// First index of a prompt's rows in a table with a row for every prompt from `start` and arm.
    #[inline(always)]
    pub(super) fn rows_of(&self, slot: usize, start: usize) -> S::u32s {
        let s = self.s;
        let row = s.sub_u32s(self.step.prompt[slot], s.splat_u32s(start as u32));
        s.mul_u32s(row, s.splat_u32s((self.shape.arms * S::LANES) as u32))
    }

    /// Base log-probabilities of the slot's prompt, by arm.
    #[inline(always)]
    pub(super) fn base_row(&self, slot: usize) -> &[S::f32s] {
        let arms = self.shape.arms;
        if self.is_single() { &self.base[self.shape.domain.start * arms..][..arms] } else { &self.step.base[slot * arms..][..arms] }
    }

    /// Computes the logits of the slot's prompt less the shift, where all train on a single one.
    #[inline(always)]
    pub(super) fn load_single(&mut self, slot: usize) {
        let (s, arms) = (self.s, self.shape.arms);
        let logits = &mut self.step.logits[slot * arms..][..arms];
        for (((x, anchor), skill), own) in logits.iter_mut().zip(&*self.anchor).zip(&self.skill[..arms]).zip(&self.memory[..arms]) {
            *x = s.add_f32s(*anchor, *skill);
            if self.uses.memory {
                *x = s.add_f32s(*x, *own);
            }
        }
    }

    /// Computes the logits of the slot's prompt and keeps its base log-probabilities; gives the largest.
    #[inline(always)]
    pub(super) fn load_many(&mut self, slot: usize) -> S::f32s {
        let (s, arms) = (self.s, self.shape.arms);
        let mut base_at = s.add_u32s(self.rows_of(slot, 0), self.iota);
        let mut memory_at = s.add_u32s(self.rows_of(slot, self.shape.domain.start), self.iota);
        let next = s.splat_u32s(S::LANES as u32);
        let rows = self.step.logits[slot * arms..][..arms].iter_mut().zip(&mut self.step.base[slot * arms..][..arms]);
        for ((logit, base), skill) in rows.zip(&self.skill[..arms]) {
            *base = s.gather(memory::flat::<S>(&self.base), base_at);
            let mut x = s.add_f32s(*base, *skill);
            if self.uses.memory {
                x = s.add_f32s(x, s.gather(memory::flat::<S>(&self.memory), memory_at));
            }
            (base_at, memory_at) = (s.add_u32s(base_at, next), s.add_u32s(memory_at, next));
            *logit = x;
        }
        self.largest_logit(slot)
    }

    /// The largest of the logits loaded.
    #[inline(always)]
    pub(super) fn largest_logit(&self, slot: usize) -> S::f32s {
        let arms = self.shape.arms;
        largest(self.s, &self.step.logits[slot * arms..][..arms])
    }

    /// Computes the policy at the slot's prompt, and keeps its weights, or their running sums, in `kept`; where `watched`, also the weight of right arms.
    #[inline(always)]
    pub(super) fn find_policy<K: Keep<S>>(&mut self, slot: usize, watched: bool, kept: &mut [K::Row]) -> Weights<S> {
        let (s, described) = (self.s, self.is_described(watched));
        let (top, weights) = if self.is_single() {
            (s.splat_f32s(0.0), self.weigh_single::<K>(slot, described, kept))
        } else {
            let top = self.load_many(slot);
            (top, self.weigh_loaded::<K>(slot, described, top, kept).known(s))
        };
        self.step.log_sum[slot] = s.add_f32s(top, log2(s, weights.total).0);
        weights
    }

    /// Whether more is asked of a policy than to sample from it.
    #[inline(always)]
    pub(super) fn is_described(&self, watched: bool) -> bool {
        watched || self.uses.scores
    }

    /// The same, with running sums to be searched.
    #[inline(always)]
    fn find_sums(&mut self, slot: usize, watched: bool) -> Weights<S> {
        let (mut sums, arms) = (take(&mut self.step.sums), self.shape.arms);
        let weights = self.find_policy::<Sums>(slot, watched, &mut sums[..arms]);
        sums[arms - 1..].fill(self.s.splat_f32s(f32::INFINITY));
        self.step.sums = sums;
        weights
    }

    /// Weights of logits less the shift, which needs no look at them all before. It is the same for all slots: the same response has then the same
    /// log-probability, to the bit, in all of them. Where it takes the sum of weights far from 1, the largest logit becomes the shift.
    #[inline(always)]
    fn weigh_single<K: Keep<S>>(&mut self, slot: usize, described: bool, kept: &mut [K::Row]) -> Weights<S> {
        let (s, weights) = (self.s, self.weigh_shifted::<K>(slot, described, kept));
        let far = is_far(s, weights.total);
        if !s.any(far) {
            return weights;
        }
        self.shift_anew(slot, far);
        self.weigh_shifted::<K>(slot, described, kept).known(s)
    }

    /// Makes the largest logit the shift of these lanes.
    #[inline(always)]
    pub(super) fn shift_anew(&mut self, slot: usize, far: S::m32s) {
        let s = self.s;
        self.shift_to(s.select_f32s(far, s.splat_f32s(0.0), self.shift));
        self.load_single(slot);
        self.shift_to(s.select_f32s(far, self.largest_logit(slot), self.shift));
    }

    /// From now on takes `shift` off the logits of the single prompt that all train on.
    #[inline(always)]
    pub(super) fn shift_to(&mut self, shift: S::f32s) {
        self.shift = shift;
        let base = &self.base[self.shape.domain.start * self.shape.arms..];
        for (anchor, base) in self.anchor.iter_mut().zip(base) {
            *anchor = self.s.sub_f32s(*base, shift);
        }
    }

    /// Weights of the logits of the single prompt that all train on, less the shift.
    #[inline(always)]
    fn weigh_shifted<K: Keep<S>>(&mut self, slot: usize, described: bool, kept: &mut [K::Row]) -> Weights<S> {
        if self.uses.memory {
            self.load_single(slot);
            self.weigh_loaded::<K>(slot, described, self.s.splat_f32s(0.0), kept)
        } else if self.keeps_logits {
            self.weigh_summed::<K, true>(slot, described, kept)
        } else {
            self.weigh_summed::<K, false>(slot, described, kept)
        }
    }

    /// Weights of the logits loaded, less `shift`.
    #[inline(always)]
    fn weigh_loaded<K: Keep<S>>(&self, slot: usize, described: bool, shift: S::f32s, kept: &mut [K::Row]) -> Weights<S> {
        let arms = self.shape.arms;
        let logits = Loaded { logits: &self.step.logits[slot * arms..][..arms], shift };
        weigh::<S, K, _>(self.s, logits, described, &self.step.is_right, kept)
    }

    /// Weights of the logits of a prompt that remembers nothing.
    #[inline(always)]
    fn weigh_summed<K: Keep<S>, const KEPT: bool>(&mut self, slot: usize, described: bool, kept: &mut [K::Row]) -> Weights<S> {
        let arms = self.shape.arms;
        let logits =
            Summed::<S, KEPT> { anchor: &self.anchor, skill: &self.skill[..arms], kept: &mut self.step.logits[slot * arms..][..arms] };
        weigh::<S, K, _>(self.s, logits, described, &self.step.is_right, kept)
    }

    /// Entropy and chance of a right answer under the policy sampled from, where they are asked for.
    #[inline(always)]
    pub(super) fn describe_weights(&mut self, slot: usize, watched: bool, weights: &Weights<S>) {
        if self.is_described(watched) {
            self.step.entropy[slot] = weights.entropy(self.s);
            self.step.success[slot] = self.s.div_f32s(weights.right, weights.total);
        }
    }

    /// What is right for the slot's prompt, as bits and, where the policy is `watched`, as masks; where all train on a single prompt, it stays as it is.
    #[inline(always)]
    pub(super) fn fetch_right(&mut self, slot: usize, watched: bool, first: bool) {
        if !self.is_single() || first {
            self.fetch_bits(slot);
            if watched || self.is_single() {
                self.spread_bits();
            }
        }
    }

    /// Computes the policy at the slot's prompt and samples and pays its group.
    #[inline(always)]
    fn sample(&mut self, signal: &Signal, step: usize, slot: usize, watched: bool) {
        self.fetch_right(slot, watched, (step, slot) == (0, 0));
        let weights = self.find_sums(slot, watched);
        self.describe_weights(slot, watched, &weights);
        self.find_arms(slot, weights.total);
        self.describe_arms(slot);
        if self.shape.greedy {
            self.choose_greedily(slot);
        }
        // words for the slot to come, while this one's searches are under way
        let (next_step, next_slot) = self.after(step, slot);
        self.fetch_words(next_step, next_slot);
        if slot > 0 {
            self.fetch_coins(step, slot);
        }
        self.pay(signal, step, slot);
        if self.uses.kl || self.shape.goes_off_policy {
            self.keep_logprobs(slot);
            self.keep_ref_logprobs(slot);
        }
    }

    /// Keeps log pi of the rollouts trained on.
    #[inline(always)]
    pub(super) fn keep_logprobs(&mut self, slot: usize) {
        let group = self.shape.group;
        let mut logprob = take(&mut self.step.logprob);
        self.find_logprobs(slot, &mut logprob[slot * group..][..group]);
        self.step.logprob = logprob;
    }

    /// Keeps log pi of the rollouts trained on under the base model, where somebody looks at it.
    #[inline(always)]
    pub(super) fn keep_ref_logprobs(&mut self, slot: usize) {
        let group = self.shape.group;
        let mut ref_logprob = take(&mut self.step.ref_logprob);
        if self.uses.kl || self.shape.exact {
            self.find_ref_logprobs(slot, &mut ref_logprob[slot * group..][..group]);
        }
        self.step.ref_logprob = ref_logprob;
    }

    /// log pi of the slot's rollouts trained on under the rows loaded last, in nats.
    #[inline(always)]
    pub(super) fn find_logprobs(&self, slot: usize, logprobs: &mut [Lane<S>]) {
        if !self.shape.exact {
            return logprobs.iter_mut().enumerate().for_each(|(g, logprob)| *logprob = self.logprob(slot, g));
        }
        let (s, arms, log_sum, nats) = (self.s, self.shape.arms, self.step.log_sum[slot], self.s.splat_f32s(LN_2));
        for logprobs in logprobs.chunks_mut(arms) {
            for (logprob, logit) in logprobs.iter_mut().zip(&self.step.logits[slot * arms..][..arms]) {
                *logprob = Lane { s, x: s.mul_f32s(s.sub_f32s(*logit, log_sum), nats) };
            }
        }
    }

    /// The same under the base model.
    #[inline(always)]
    fn find_ref_logprobs(&self, slot: usize, logprobs: &mut [Lane<S>]) {
        if !self.shape.exact {
            return logprobs.iter_mut().enumerate().for_each(|(g, logprob)| *logprob = self.ref_logprob(slot, g));
        }
        let (s, nats) = (self.s, self.s.splat_f32s(LN_2));
        for logprobs in logprobs.chunks_mut(self.shape.arms) {
            for (logprob, base) in logprobs.iter_mut().zip(self.base_row(slot)) {
                *logprob = Lane { s, x: s.mul_f32s(*base, nats) };
            }
        }
    }

    /// What signals may look at, of the slot's prompt.
    #[inline(always)]
    pub(super) fn arm_scores(&self, slot: usize) -> Scores<'_, S> {
        let arms = self.shape.arms;
        Scores {
            paths: None,
            listed: self.shape.exact.then(|| &self.step.ref_logprob[slot * self.shape.group..][..self.shape.group]),
            logits: &self.step.logits[slot * arms..][..arms],
            gained: None,
            log_sum: self.step.log_sum[slot],
            base: self.base_row(slot),
            entropy: self.step.entropy[slot],
            certainty: self.s.splat_f32s(f32::NAN),
        }
    }

    /// The step and slot sampled after these.
    #[inline(always)]
    fn after(&self, step: usize, slot: usize) -> (usize, usize) {
        if slot + 1 < self.shape.batch { (step, slot + 1) } else { (step + 1, 0) }
    }

    /// Fetches the words of a slot's rollouts.
    #[inline(always)]
    pub(super) fn fetch_words(&mut self, step: usize, slot: usize) {
        self.streams[slot].fill(self.s, &self.keys, Purpose::Rollout, step, &mut self.step.words);
    }

    /// Fetches the words of a slot's coins: of the first slot ahead of its step, while the advantages of the step before are under way.
    #[inline(always)]
    pub(super) fn fetch_coins(&mut self, step: usize, slot: usize) {
        self.streams[slot].fill(self.s, &self.keys, Purpose::Reward, step, &mut self.step.coins);
    }

    /// Computes the policy at the slot's prompt anew, after it has moved.
    #[inline(always)]
    pub(super) fn rescore(&mut self, slot: usize) {
        if self.shape.exact {
            self.find_chances(slot, false);
        } else {
            self.find_sums(slot, false);
        }
    }

    /// Which arms are right for the slot's prompt.
    #[inline(always)]
    pub(super) fn fetch_bits(&mut self, slot: usize) {
        let (s, rows) = (self.s, bit_rows(self.shape.arms));
        let at = s.mul_u32s(self.step.prompt[slot], s.splat_u32s((rows * S::LANES) as u32));
        let mut at = s.add_u32s(at, self.iota);
        for bits in self.step.right_bits.iter_mut() {
            *bits = s.transmute_u32s_f32s(s.gather(memory::bits::<S>(&self.right), at));
            at = s.add_u32s(at, s.splat_u32s(S::LANES as u32));
        }
    }

    /// The same as masks, arm by arm.
    #[inline(always)]
    fn spread_bits(&mut self) {
        let s = self.s;
        for (bits, masks) in self.step.right_bits.iter().zip(self.step.is_right.chunks_mut(32)) {
            let mut bit = s.splat_u32s(1);
            for mask in masks {
                *mask = s.meets(*bits, bit);
                bit = s.add_u32s(bit, bit);
            }
        }
    }

    /// Draws the group.
    #[inline(always)]
    fn find_arms(&mut self, slot: usize, total: S::f32s) {
        match turned::<S>(self.step.sums.len()) {
            Some(1) => self.find_turned::<1>(slot, total),
            Some(2) => self.find_turned::<2>(slot, total),
            Some(4) => self.find_turned::<4>(slot, total),
            Some(_) => self.find_turned::<8>(slot, total),
            None => self.find_each(slot, total),
        }
    }

    /// Draws the group: as many of each replica at once as there are lanes.
    #[inline(always)]
    fn find_turned<const ACROSS: usize>(&mut self, slot: usize, total: S::f32s) {
        let positions = &mut self.step.position[slot * self.shape.paid()..][..self.shape.sampled()];
        let (iota, words) = (self.iota, &self.step.words[..positions.len()]);
        self.s.enter(FindTurned::<S, ACROSS> { total, iota, sums: self.step.sums.as_chunks_mut().0, words, positions });
    }

    /// Draws the group one by one.
    #[inline(always)]
    fn find_each(&mut self, slot: usize, total: S::f32s) {
        let (s, iota) = (self.s, self.iota);
        let search = Search::<S>::new(&self.step.sums);
        let positions = &mut self.step.position[slot * self.shape.paid()..][..self.shape.sampled()];
        for (position, word) in positions.iter_mut().zip(self.step.words.iter()) {
            *position = search.find(s, draw(s, *word, total), iota);
        }
    }

    /// What is said of every arm drawn.
    #[inline(always)]
    fn describe_arms(&mut self, slot: usize) {
        let (s, iota) = (self.s, self.iota);
        let positions = &self.step.position[slot * self.shape.paid()..][..self.shape.sampled()];
        s.enter(LookUp { bits: Bits::<S>::new(&self.step.right_bits, iota), positions, told: &mut self.step.right });
        if self.uses.format {
            s.enter(LookUp { bits: Bits::<S>::new(&self.formatted, iota), positions, told: &mut self.step.formatted });
        }
    }

    /// Adds the most likely arm; of equals, the first.
    #[inline(always)]
    pub(super) fn choose_greedily(&mut self, slot: usize) {
        let (s, arms, last) = (self.s, self.shape.arms, self.shape.sampled());
        let top = self.largest_logit(slot);
        let mut found = s.splat_u32s(0);
        for arm in (0..arms).rev() {
            let here = s.add_u32s(self.iota, s.splat_u32s((arm * S::LANES) as u32));
            found = s.select_u32s(s.greater_than_or_equal_f32s(self.step.logits[slot * arms + arm], top), here, found);
        }
        self.step.position[slot * self.shape.paid() + last] = found;
        self.step.right[last] = Bits::<S>::new(&self.step.right_bits, self.iota).of(s, found);
        self.step.formatted[last] = Bits::<S>::new(&self.formatted, self.iota).of(s, found);
    }

    /// log pi of a rollout under the rows loaded last, in nats.
    #[inline(always)]
    pub(super) fn logprob(&self, slot: usize, rollout: usize) -> Lane<S> {
        let (s, arms) = (self.s, self.shape.arms);
        let logit = self.entry(&self.step.logits[slot * arms..][..arms], slot, rollout);
        Lane { s, x: s.mul_f32s(s.sub_f32s(logit, self.step.log_sum[slot]), s.splat_f32s(LN_2)) }
    }

    /// What a table by arm holds for a rollout's arm.
    #[inline(always)]
    fn entry(&self, table: &[S::f32s], slot: usize, rollout: usize) -> S::f32s {
        self.s.gather(memory::flat::<S>(table), self.step.position[slot * self.shape.paid() + rollout])
    }

    /// log pi of a rollout under the base model, in nats.
    #[inline(always)]
    pub(super) fn ref_logprob(&self, slot: usize, rollout: usize) -> Lane<S> {
        let s = self.s;
        Lane { s, x: s.mul_f32s(self.entry(self.base_row(slot), slot, rollout), s.splat_f32s(LN_2)) }
    }
}

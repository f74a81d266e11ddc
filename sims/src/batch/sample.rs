//! Sampling and paying the groups of a step.

use super::block::Block;
use super::lanes::Lanes;
use super::math::{exp2, log2};
use super::memory;
use super::number::Lane;
use super::search::{Bits, Search, bit_rows};
use super::shown::{Coins, Shown, Votes};
use crate::signals::Signal;
use crate::stream::Purpose;
use std::f32::consts::LN_2;

/// The policy at one prompt: sum of 2^(logit - top), their moment, and their sum over right arms.
struct Weights<S: Lanes> {
    total: S::f32s,
    moment: S::f32s,
    right: S::f32s,
}

/// The largest of each lane, in four chains: the order of maxima changes nothing.
#[inline(always)]
fn largest<S: Lanes>(s: S, all: &[S::f32s]) -> S::f32s {
    let mut tops = [s.splat_f32s(f32::NEG_INFINITY); 4];
    for chunk in all.chunks(4) {
        for (top, x) in tops.iter_mut().zip(chunk) {
            *top = s.max_f32s(*top, *x);
        }
    }
    s.max_f32s(s.max_f32s(tops[0], tops[1]), s.max_f32s(tops[2], tops[3]))
}

impl<S: Lanes> Block<'_, S> {
    /// Draws the prompts of `step`.
    #[inline(always)]
    pub(super) fn draw_prompts(&mut self, step: usize) {
        let count = self.replicas[0].prompts.len();
        if count == 1 && step > 0 {
            return;
        }
        self.streams[0].fill(self.s, &self.keys, Purpose::Prompts, step, &mut self.step.prompt);
        let prompts = memory::flat_words_mut::<S>(&mut self.step.prompt);
        for (i, word) in prompts.iter_mut().enumerate() {
            // floor((word + 1/2) / 2^32 * n)
            let pick = ((2 * u64::from(*word) + 1) * count as u64) >> 33;
            *word = self.replicas[i % S::LANES].prompts[pick as usize] as u32;
        }
    }

    /// Whether every lane trains on the same single prompt of its table.
    #[inline(always)]
    fn is_single(&self) -> bool {
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

    /// Computes the logits of the slot's prompt; gives the largest.
    #[inline(always)]
    pub(super) fn load_rows(&mut self, slot: usize) -> S::f32s {
        if self.is_single() { self.load_single(slot) } else { self.load_many(slot) }
    }

    #[inline(always)]
    fn load_single(&mut self, slot: usize) -> S::f32s {
        let (s, arms) = (self.s, self.shape.arms);
        let base = &self.base[self.shape.domain.start * arms..][..arms];
        let logits = &mut self.step.logits[slot * arms..][..arms];
        let mut tops = [s.splat_f32s(f32::NEG_INFINITY); 4];
        let rows = logits.chunks_mut(4).zip(base.chunks(4)).zip(self.skill[..arms].chunks(4)).zip(self.memory[..arms].chunks(4));
        for (((logits, base), skill), own) in rows {
            for ((((x, base), skill), own), top) in logits.iter_mut().zip(base).zip(skill).zip(own).zip(&mut tops) {
                *x = s.add_f32s(*base, *skill);
                if self.uses.memory {
                    *x = s.add_f32s(*x, *own);
                }
                *top = s.max_f32s(*top, *x);
            }
        }
        s.max_f32s(s.max_f32s(tops[0], tops[1]), s.max_f32s(tops[2], tops[3]))
    }

    /// Also keeps the base log-probabilities.
    #[inline(always)]
    fn load_many(&mut self, slot: usize) -> S::f32s {
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
        largest(s, &self.step.logits[slot * arms..][..arms])
    }

    /// Weights and their running sums at the slot's prompt; where `WATCHED`, also the weight of right arms.
    #[inline(always)]
    fn weigh<const WATCHED: bool>(&mut self, slot: usize, top: S::f32s) -> Weights<S> {
        let (s, arms) = (self.s, self.shape.arms);
        let zero = s.splat_f32s(0.0);
        let [mut total, mut moment, mut right] = [zero; 3];
        let logits = &self.step.logits[slot * arms..][..arms];
        let sums = &mut self.step.sums[..arms];
        let parts = logits.chunks(32).zip(sums.chunks_mut(32)).zip(self.step.right_bits.iter());
        for ((logits, sums), bits) in parts {
            let mut bit = s.splat_u32s(1);
            for (logit, sum) in logits.iter().zip(sums) {
                let (x, w) = exp2(s, s.sub_f32s(*logit, top));
                total = s.add_f32s(total, w);
                moment = s.mul_add_f32s(w, x, moment);
                *sum = total;
                if WATCHED {
                    right = s.add_f32s(right, s.select_f32s(s.meets(*bits, bit), w, zero));
                    bit = s.add_u32s(bit, bit);
                }
            }
        }
        self.step.sums[arms - 1] = s.splat_f32s(f32::INFINITY);
        Weights { total, moment, right }
    }

    /// Computes the policy at the slot's prompt and samples and pays its group.
    #[inline(always)]
    pub(super) fn sample(&mut self, signal: &Signal, step: usize, slot: usize, watched: bool) {
        let s = self.s;
        let top = self.load_rows(slot);
        self.fetch_bits(slot);
        let weights = if watched { self.weigh::<true>(slot, top) } else { self.weigh::<false>(slot, top) };
        let bits = log2(s, weights.total).0;
        self.step.log_sum[slot] = s.add_f32s(top, bits);
        let entropy = s.sub_f32s(bits, s.div_f32s(weights.moment, weights.total));
        self.step.entropy[slot] = s.mul_f32s(entropy, s.splat_f32s(LN_2));
        self.step.success[slot] = s.div_f32s(weights.right, weights.total);
        match self.step.sums.len() {
            32 => self.draw::<32>(slot, weights.total),
            64 => self.draw::<64>(slot, weights.total),
            _ => self.draw::<0>(slot, weights.total),
        }
        if self.shape.greedy {
            self.choose_greedily(slot, top);
        }
        // words for the slot to come, while this one's searches are under way
        let (next_step, next_slot) = self.after(step, slot);
        self.fetch_words(next_step, next_slot);
        if slot > 0 {
            self.fetch_coins(step, slot);
        }
        self.pay(signal, slot);
        if signal.shuffles {
            self.shuffle(step, slot);
        }
        self.keep(slot);
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

    /// Loads the rows of a slot anew, after the policy has moved.
    #[inline(always)]
    pub(super) fn rescore(&mut self, slot: usize) {
        let s = self.s;
        let top = self.load_rows(slot);
        if self.shape.exact {
            self.spread(slot, top);
            return;
        }
        let weights = self.weigh::<false>(slot, top);
        self.step.log_sum[slot] = s.add_f32s(top, log2(s, weights.total).0);
    }

    /// Which arms are right for the slot's prompt.
    #[inline(always)]
    pub(super) fn fetch_bits(&mut self, slot: usize) {
        let (s, rows) = (self.s, bit_rows(self.shape.arms));
        let at = s.mul_u32s(self.step.prompt[slot], s.splat_u32s((rows * S::LANES) as u32));
        let mut at = s.add_u32s(at, self.iota);
        for row in 0..rows {
            self.step.right_bits[row] = s.transmute_u32s_f32s(s.gather(memory::bits::<S>(&self.right), at));
            at = s.add_u32s(at, s.splat_u32s(S::LANES as u32));
        }
    }

    /// Draws the group, with what is said of every arm drawn.
    #[inline(always)]
    fn draw<const PADDED: usize>(&mut self, slot: usize, total: S::f32s) {
        let (s, iota) = (self.s, self.iota);
        let scale = s.mul_f32s(total, s.splat_f32s(2f32.powi(-24)));
        let search = Search::<S, PADDED>::new(&self.step.sums);
        let right = Bits::<S>::new(&self.step.right_bits, iota);
        let formatted = Bits::<S>::new(&self.formatted, iota);
        let position = &mut self.step.position[slot * self.shape.paid()..][..self.shape.sampled()];
        let facts = self.step.right.iter_mut().zip(&mut self.step.formatted);
        for ((position, word), (is_right, is_formatted)) in position.iter_mut().zip(self.step.words.iter()).zip(facts) {
            let target = s.mul_f32s(s.to_f32(s.shr::<8>(*word)), scale);
            *position = search.find(s, target, iota);
            *is_right = right.of(s, *position);
            if self.uses.format {
                *is_formatted = formatted.of(s, *position);
            }
        }
    }

    /// Adds the most likely arm; of equals, the first.
    #[inline(always)]
    pub(super) fn choose_greedily(&mut self, slot: usize, top: S::f32s) {
        let (s, arms, last) = (self.s, self.shape.arms, self.shape.sampled());
        let mut found = s.splat_u32s(0);
        for arm in (0..arms).rev() {
            let here = s.add_u32s(self.iota, s.splat_u32s((arm * S::LANES) as u32));
            found = s.select_u32s(s.greater_than_or_equal_f32s(self.step.logits[slot * arms + arm], top), here, found);
        }
        self.step.position[slot * self.shape.paid() + last] = found;
        self.step.right[last] = Bits::<S>::new(&self.step.right_bits, self.iota).of(s, found);
        self.step.formatted[last] = Bits::<S>::new(&self.formatted, self.iota).of(s, found);
    }

    /// Pays the group.
    #[inline(always)]
    pub(super) fn pay(&mut self, signal: &Signal, slot: usize) {
        let (s, arms, exact, first) = (self.s, self.shape.arms, self.shape.exact, slot * self.shape.paid());
        let draws = if exact { arms } else { self.shape.paid() };
        let zero = s.splat_f32s(0.0);
        let never = s.less_than_f32s(zero, zero);
        let votes = match (signal.formula.looks_at_votes(), exact) {
            (false, _) => (s.splat_u32s(0), never, never),
            (true, false) => self.count_votes(slot),
            (true, true) => self.weigh_votes(slot),
        };
        let (mislabelled, wrong_label) = if signal.params.contains(&"label_noise") { self.labels(slot) } else { (never, s.splat_u32s(0)) };
        let mut reward = std::mem::take(&mut self.step.reward);
        let shown = Shown {
            s,
            params: self.params,
            coins: if exact { Coins::Split(self.chances) } else { Coins::Tossed { words: &self.step.coins[..draws], rates: self.rates } },
            enumerated: exact,
            position: &self.step.position[first..][..draws],
            right: &self.step.right,
            formatted: &self.step.formatted,
            logits: memory::flat::<S>(&self.step.logits[slot * arms..][..arms]),
            log_sum: self.step.log_sum[slot],
            base: memory::flat::<S>(self.base_row(slot)),
            entropy: self.step.entropy[slot],
            mislabelled,
            wrong_label,
            others_succeed: match (signal.params.contains(&"pass_k"), exact) {
                (false, _) => zero,
                (true, false) => self.others_succeed(),
                (true, true) => self.some_succeeds(slot),
            },
            votes: Votes { majority: votes.0, wrong: votes.1, share: &self.step.share, scattered: votes.2 },
            iota: self.iota,
        };
        s.pay(signal.formula, &shown, &mut reward[first..][..draws]);
        self.step.reward = reward;
    }

    /// Keeps what the update needs of the rollouts trained on.
    #[inline(always)]
    fn keep(&mut self, slot: usize) {
        let (s, group, first) = (self.s, self.shape.group, slot * self.shape.paid());
        for g in 0..group {
            self.step.correct[slot * group + g] = self.step.right[g];
            self.step.shaped[slot * group + g] = Lane { s, x: self.step.reward[first + g] };
        }
        if self.shape.greedy {
            self.step.greedy[slot] = Lane { s, x: self.step.reward[first + self.shape.sampled()] };
        }
        if self.uses.kl || self.shape.goes_off_policy() {
            for g in 0..group {
                self.step.logprob[slot * group + g] = self.logprob(slot, g);
            }
        }
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
        if self.shape.exact && rollout < self.shape.group {
            table[self.arm(rollout)]
        } else {
            self.s.gather(memory::flat::<S>(table), self.step.position[slot * self.shape.paid() + rollout])
        }
    }

    /// log pi of a rollout under the base model, in nats.
    #[inline(always)]
    pub(super) fn ref_logprob(&self, slot: usize, rollout: usize) -> Lane<S> {
        let s = self.s;
        Lane { s, x: s.mul_f32s(self.entry(self.base_row(slot), slot, rollout), s.splat_f32s(LN_2)) }
    }

    #[inline(always)]
    fn others_succeed(&self) -> S::f32s {
        let s = self.s;
        let (mut right, one) = (s.splat_u32s(0), s.splat_u32s(1));
        for g in 0..self.shape.group {
            right = s.add_where(self.step.right[g], right, one);
        }
        s.gather(&self.others, right)
    }

    /// Whether the label of the slot's prompt is wrong, and the answer it then names.
    fn labels(&self, slot: usize) -> (S::m32s, S::u32s) {
        let prompts = &memory::flat_words::<S>(&self.step.prompt)[slot * S::LANES..][..S::LANES];
        let label = |lane: usize| self.replicas[lane].world.task.label(prompts[lane] as usize);
        let noise = |lane: usize| self.replicas[lane].recipe.config.signal.label_noise;
        let wrong = memory::word_vector::<S>(|lane| u32::from(label(lane).luck < noise(lane)));
        // in a bandit, the answer of arm v is v + 1
        let answer = memory::word_vector::<S>(|lane| {
            label(lane).wrong.map_or(u32::MAX, |answer| (answer as u32 - 1) * S::LANES as u32 + lane as u32)
        });
        (self.s.equal_u32s(wrong, self.s.splat_u32s(1)), answer)
    }

    /// The majority's answer, whether it is wrong, and whether all answers differ; fills the shares of votes.
    #[inline(always)]
    fn count_votes(&mut self, slot: usize) -> (S::u32s, S::m32s, S::m32s) {
        let (s, votes) = (self.s, self.shape.votes);
        let position = &self.step.position[slot * self.shape.paid()..][..self.shape.paid()];
        let (zero, one) = (s.splat_u32s(0), s.splat_u32s(1));
        let (mut most, mut majority) = (zero, zero);
        for (i, answer) in position.iter().enumerate() {
            let mut count = zero;
            for other in &position[..votes] {
                count = s.add_where(s.equal_u32s(*answer, *other), count, one);
            }
            self.step.share[i] = s.mul_f32s(s.to_f32(count), s.splat_f32s(1.0 / votes as f32));
            if i < votes {
                let more = s.greater_than_u32s(count, most);
                majority = s.select_u32s(more, *answer, majority);
                most = s.select_u32s(more, count, most);
            }
        }
        let mut wrong = s.less_than_u32s(zero, zero);
        for (answer, right) in position.iter().zip(&self.step.right) {
            wrong = s.or_m32s(wrong, s.and_m32s(s.equal_u32s(*answer, majority), s.not_m32s(*right)));
        }
        (majority, wrong, s.equal_u32s(most, one))
    }

    /// Deals the rewards of a group anew.
    fn shuffle(&mut self, step: usize, slot: usize) {
        let paid = self.shape.paid();
        let rewards = &mut memory::flat_mut::<S>(&mut self.step.reward)[slot * paid * S::LANES..][..paid * S::LANES];
        for (lane, replica) in self.replicas.iter().enumerate() {
            let mut own: Vec<f32> = (0..paid).map(|i| rewards[i * S::LANES + lane]).collect();
            crate::reward::shuffle(&mut own, &mut replica.dice.stream(Purpose::Shuffle, step, slot));
            own.iter().enumerate().for_each(|(i, r)| rewards[i * S::LANES + lane] = *r);
        }
    }
}

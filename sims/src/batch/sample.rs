//! Sampling and paying the groups of a step.

use super::block::Block;
use super::lanes::Lanes;
use super::math::{exp2, log2};
use super::memory;
use super::number::Lane;
use super::search::{Bits, Search, bit_rows};
use super::shown::{Shown, Votes};
use crate::signals::Signal;
use crate::stream::Purpose;
use std::f32::consts::LN_2;

/// The policy at one prompt: sum of 2^(logit - top), and their moment.
struct Weights<S: Lanes> {
    total: S::f32s,
    moment: S::f32s,
}

impl<S: Lanes> Block<'_, S> {
    /// Draws the prompts of `step`.
    #[inline(always)]
    pub(super) fn draw_prompts(&mut self, step: usize) {
        let lengths = self.replicas[0].prompts.len();
        if lengths > 1 {
            self.streams[0].fill(self.s, &self.keys, Purpose::Prompts, step, &mut self.step.prompt);
        }
        let prompts = memory::flat_words_mut::<S>(&mut self.step.prompt);
        for (i, word) in prompts.iter_mut().enumerate() {
            let among = self.replicas[i % S::LANES].prompts;
            // floor((word + 1/2) / 2^32 * n)
            let pick = (2 * u64::from(*word) + 1).wrapping_mul(among.len() as u64) >> 33;
            *word = among[if lengths > 1 { pick as usize } else { 0 }] as u32;
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

    /// Base log-probabilities and logits of the slot's prompt; the largest logit.
    #[inline(always)]
    pub(super) fn load_rows(&mut self, slot: usize) -> S::f32s {
        let (s, arms) = (self.s, self.shape.arms);
        let single = self.is_single();
        let prompt = self.shape.domain.start * arms;
        let (base_at, memory_at) = (self.rows_of(slot, 0), self.rows_of(slot, self.shape.domain.start));
        let (mut base_at, mut memory_at) = (s.add_u32s(base_at, self.iota), s.add_u32s(memory_at, self.iota));
        let next = s.splat_u32s(S::LANES as u32);
        let base_row = &mut self.step.base[slot * arms..][..arms];
        let logits = &mut self.step.logits[slot * arms..][..arms];
        let mut top = s.splat_f32s(f32::NEG_INFINITY);
        for arm in 0..arms {
            let base = if single { self.base[prompt + arm] } else { s.gather(memory::flat::<S>(&self.base), base_at) };
            let mut x = s.add_f32s(base, self.skill[arm]);
            if self.uses.memory {
                let own = if single { self.memory[arm] } else { s.gather(memory::flat::<S>(&self.memory), memory_at) };
                x = s.add_f32s(x, own);
            }
            (base_at, memory_at) = (s.add_u32s(base_at, next), s.add_u32s(memory_at, next));
            base_row[arm] = base;
            logits[arm] = x;
            top = s.max_f32s(top, x);
        }
        top
    }

    /// Weights and their running sums at the slot's prompt.
    #[inline(always)]
    fn weigh(&mut self, slot: usize, top: S::f32s) -> Weights<S> {
        let (s, arms) = (self.s, self.shape.arms);
        let logits = &self.step.logits[slot * arms..][..arms];
        let sums = &mut self.step.sums[..arms];
        let (mut total, mut moment) = (s.splat_f32s(0.0), s.splat_f32s(0.0));
        for arm in 0..arms {
            let (x, w) = exp2(s, s.sub_f32s(logits[arm], top));
            total = s.add_f32s(total, w);
            moment = s.mul_add_f32s(w, x, moment);
            sums[arm] = total;
        }
        sums[arms - 1] = s.splat_f32s(f32::INFINITY);
        Weights { total, moment }
    }

    /// Computes the policy at the slot's prompt and samples and pays its group.
    #[inline(always)]
    pub(super) fn sample(&mut self, signal: &Signal, step: usize, slot: usize, watched: bool) {
        let s = self.s;
        let top = self.load_rows(slot);
        let weights = self.weigh(slot, top);
        let bits = log2(s, weights.total).0;
        self.step.log_sum[slot] = s.add_f32s(top, bits);
        let entropy = s.sub_f32s(bits, s.div_f32s(weights.moment, weights.total));
        self.step.entropy[slot] = s.mul_f32s(entropy, s.splat_f32s(LN_2));
        self.fetch_bits(slot);
        if watched {
            self.step.success[slot] = self.success(slot);
        }
        let streams = &self.streams[slot];
        let words = self.step.words.len();
        streams.fill(s, &self.keys, Purpose::Rollout, step, &mut self.step.words[..words]);
        match self.step.sums.len() {
            32 => self.draw::<32>(slot, weights.total),
            64 => self.draw::<64>(slot, weights.total),
            _ => self.draw::<0>(slot, weights.total),
        }
        if self.shape.greedy {
            self.choose_greedily(slot, top);
        }
        self.streams[slot].fill(s, &self.keys, Purpose::Reward, step, &mut self.step.coins[..words]);
        self.pay(signal, slot);
        if signal.shuffles {
            self.shuffle(step, slot);
        }
        self.keep(slot);
    }

    /// Loads the rows of a slot anew, after the policy has moved.
    #[inline(always)]
    pub(super) fn rescore(&mut self, slot: usize) {
        let s = self.s;
        let top = self.load_rows(slot);
        let weights = self.weigh(slot, top);
        self.step.log_sum[slot] = s.add_f32s(top, log2(s, weights.total).0);
    }

    /// Which arms are right for the slot's prompt.
    #[inline(always)]
    fn fetch_bits(&mut self, slot: usize) {
        let (s, rows) = (self.s, bit_rows(self.shape.arms));
        let at = s.mul_u32s(self.step.prompt[slot], s.splat_u32s((rows * S::LANES) as u32));
        let mut at = s.add_u32s(at, self.iota);
        for row in 0..rows {
            self.step.right_bits[row] = s.transmute_u32s_f32s(s.gather(memory::bits::<S>(&self.right), at));
            at = s.add_u32s(at, s.splat_u32s(S::LANES as u32));
        }
    }

    /// Chance of a right answer.
    #[inline(always)]
    fn success(&self, slot: usize) -> S::f32s {
        let (s, arms) = (self.s, self.shape.arms);
        let logits = &self.step.logits[slot * arms..][..arms];
        let (zero, mut sum) = (s.splat_f32s(0.0), s.splat_f32s(0.0));
        for arm in 0..arms {
            let p = exp2(s, s.sub_f32s(logits[arm], self.step.log_sum[slot])).1;
            let bit = s.and_u32s(self.step.right_bits[arm / 32], s.splat_u32s(1 << (arm % 32)));
            sum = s.add_f32s(sum, s.select_f32s(s.equal_u32s(bit, s.splat_u32s(0)), zero, p));
        }
        sum
    }

    /// Draws the group, with what is said of every arm drawn.
    #[inline(always)]
    fn draw<const PADDED: usize>(&mut self, slot: usize, total: S::f32s) {
        let (s, iota) = (self.s, self.iota);
        let scale = s.mul_f32s(total, s.splat_f32s(2f32.powi(-24)));
        let search = Search::<S, PADDED>::new(&self.step.sums);
        let right = Bits::<S>::new(&self.step.right_bits, iota);
        let formatted = Bits::<S>::new(&self.formatted, iota);
        let position = &mut self.step.position[slot * self.shape.paid()..][..self.shape.paid()];
        for g in 0..self.shape.sampled() {
            let target = s.mul_f32s(s.to_f32(s.shr::<8>(self.step.words[g])), scale);
            let found = search.find(s, target, iota);
            position[g] = found;
            self.step.right[g] = right.of(s, found);
            self.step.formatted[g] = formatted.of(s, found);
        }
    }

    /// Adds the most likely arm; of equals, the first.
    #[inline(always)]
    fn choose_greedily(&mut self, slot: usize, top: S::f32s) {
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
    fn pay(&mut self, signal: &Signal, slot: usize) {
        let (s, arms, paid) = (self.s, self.shape.arms, self.shape.paid());
        let zero = s.splat_f32s(0.0);
        let never = s.less_than_f32s(zero, zero);
        let votes = if signal.formula.looks_at_votes() { self.count_votes(slot) } else { (s.splat_u32s(0), never, never) };
        let (mislabelled, wrong_label) = if signal.params.contains(&"label_noise") { self.labels(slot) } else { (never, s.splat_u32s(0)) };
        let shown = Shown {
            s,
            params: self.params,
            rates: self.rates,
            coins: &self.step.coins[..paid],
            position: &self.step.position[slot * paid..][..paid],
            right: &self.step.right,
            formatted: &self.step.formatted,
            logits: memory::flat::<S>(&self.step.logits[slot * arms..][..arms]),
            log_sum: self.step.log_sum[slot],
            base: memory::flat::<S>(&self.step.base[slot * arms..][..arms]),
            entropy: self.step.entropy[slot],
            mislabelled,
            wrong_label,
            others_succeed: if signal.params.contains(&"pass_k") { self.others_succeed() } else { zero },
            votes: Votes { majority: votes.0, wrong: votes.1, share: &self.step.share, scattered: votes.2 },
            iota: self.iota,
        };
        s.pay(signal.formula, &shown, &mut self.step.reward[slot * paid..][..paid]);
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
        let position = self.step.position[slot * self.shape.paid() + rollout];
        let logit = s.gather(memory::flat::<S>(&self.step.logits[slot * arms..][..arms]), position);
        Lane { s, x: s.mul_f32s(s.sub_f32s(logit, self.step.log_sum[slot]), s.splat_f32s(LN_2)) }
    }

    /// log pi of a rollout under the base model, in nats.
    #[inline(always)]
    pub(super) fn ref_logprob(&self, slot: usize, rollout: usize) -> Lane<S> {
        let (s, arms) = (self.s, self.shape.arms);
        let position = self.step.position[slot * self.shape.paid() + rollout];
        let base = s.gather(memory::flat::<S>(&self.step.base[slot * arms..][..arms]), position);
        Lane { s, x: s.mul_f32s(base, s.splat_f32s(LN_2)) }
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

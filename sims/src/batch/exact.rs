//! Exact mode: the group is every response, weighted by its probability, and every outcome of its coin.

use super::block::Block;
use super::lanes::Lanes;
use super::math::{exp2, log2};
use super::memory;
use super::number::Lane;
use super::search::Bits;
use crate::config::Geometry;
use crate::signals::Signal;
use std::f32::consts::LN_2;
use std::ops::Range;

impl<S: Lanes> Block<'_, S> {
    /// The arm of an enumerated rollout.
    #[inline(always)]
    pub(super) fn arm(&self, rollout: usize) -> usize {
        if rollout < self.shape.arms { rollout } else { rollout - self.shape.arms }
    }

    /// Whether responses come as two outcomes of a coin each.
    #[inline(always)]
    fn is_split(&self) -> bool {
        self.shape.group > self.shape.arms
    }

    /// Writes down what no step changes: the prompts and responses of a batch.
    pub(super) fn list_responses(&mut self) {
        let (s, paid) = (self.s, self.shape.paid());
        for slot in 0..self.shape.batch {
            self.step.prompt[slot] = memory::word_vector::<S>(|lane| self.replicas[lane].prompts[slot] as u32);
            for rollout in 0..self.shape.group {
                let at = s.splat_u32s((self.arm(rollout) * S::LANES) as u32);
                self.step.position[slot * paid + rollout] = s.add_u32s(at, self.iota);
            }
        }
    }

    /// Weighs and pays the responses to every prompt of the batch.
    #[inline(always)]
    pub(super) fn enumerate(&mut self, signal: &Signal) {
        for slot in 0..self.shape.batch {
            let top = self.load_rows(slot);
            self.fetch_bits(slot);
            self.spread(slot, top);
            self.tell(slot);
            self.weigh_responses(slot);
            if self.shape.greedy {
                self.choose_greedily(slot, top);
            }
            self.pay(signal, slot);
            if signal.shuffles {
                self.deal(slot);
            }
            self.keep_outcomes(slot);
        }
    }

    /// The probability of every arm under the rows loaded last; with it log-sum, entropy and success.
    #[inline(always)]
    pub(super) fn spread(&mut self, slot: usize, top: S::f32s) {
        let (s, arms) = (self.s, self.shape.arms);
        let zero = s.splat_f32s(0.0);
        let [mut total, mut moment] = [zero; 2];
        let chance = &mut self.step.chance[slot * arms..][..arms];
        for (chance, logit) in chance.iter_mut().zip(&self.step.logits[slot * arms..][..arms]) {
            let (x, w) = exp2(s, s.sub_f32s(*logit, top));
            total = s.add_f32s(total, w);
            moment = s.mul_add_f32s(w, x, moment);
            *chance = w;
        }
        let inverse = s.div_f32s(s.splat_f32s(1.0), total);
        for chance in chance {
            *chance = s.mul_f32s(*chance, inverse);
        }
        let bits = log2(s, total).0;
        self.step.log_sum[slot] = s.add_f32s(top, bits);
        self.step.entropy[slot] = s.mul_f32s(s.sub_f32s(bits, s.mul_f32s(moment, inverse)), s.splat_f32s(LN_2));
    }

    /// What is said of every response, and the chance of a right one.
    #[inline(always)]
    fn tell(&mut self, slot: usize) {
        let (s, arms, iota) = (self.s, self.shape.arms, self.iota);
        let zero = s.splat_f32s(0.0);
        let right = Bits::<S>::new(&self.step.right_bits, iota);
        let formatted = Bits::<S>::new(&self.formatted, iota);
        let mut success = zero;
        let chances = &self.step.chance[slot * arms..][..arms];
        for (arm, (is_right, chance)) in self.step.right.iter_mut().zip(chances).enumerate() {
            *is_right = right.at(s, arm);
            success = s.add_f32s(success, s.select_f32s(*is_right, *chance, zero));
        }
        if self.uses.format {
            for (arm, is_formatted) in self.step.formatted[..arms].iter_mut().enumerate() {
                *is_formatted = formatted.at(s, arm);
            }
        }
        self.step.success[slot] = success;
    }

    /// Weights before coins are split.
    #[inline(always)]
    fn weigh_responses(&mut self, slot: usize) {
        let (s, arms, group) = (self.s, self.shape.arms, self.shape.group);
        for (weight, chance) in self.step.weight[slot * group..].iter_mut().zip(&self.step.chance[slot * arms..][..arms]) {
            *weight = Lane { s, x: *chance };
        }
    }

    /// Rewards dealt at random: a coin with the mean reward, for every response.
    #[inline(always)]
    fn deal(&mut self, slot: usize) {
        let (s, arms, first) = (self.s, self.shape.arms, slot * self.shape.paid());
        let mut mean = s.splat_f32s(0.0);
        for arm in 0..arms {
            mean = s.mul_add_f32s(self.step.chance[slot * arms + arm], self.step.reward[first + arm], mean);
        }
        for reward in &mut self.step.reward[first..][..arms] {
            *reward = mean;
        }
    }

    /// Splits coins and keeps what the update needs.
    #[inline(always)]
    fn keep_outcomes(&mut self, slot: usize) {
        let (s, arms, group, first) = (self.s, self.shape.arms, self.shape.group, slot * self.shape.paid());
        if self.shape.greedy {
            let rewards = memory::flat::<S>(&self.step.reward[first..][..arms]);
            self.step.greedy[slot] = Lane { s, x: s.gather(rewards, self.step.position[first + group]) };
        }
        if self.is_split() {
            self.split(slot);
        }
        for (shaped, reward) in self.step.shaped[slot * group..].iter_mut().zip(&self.step.reward[first..][..group]) {
            *shaped = Lane { s, x: *reward };
        }
        for correct in self.step.correct[slot * group..][..group].chunks_mut(arms) {
            correct.copy_from_slice(&self.step.right[..arms]);
        }
        if self.uses.kl || self.shape.goes_off_policy() {
            self.keep_logprobs(slot);
        }
    }

    /// log pi of every outcome's response, in nats.
    #[inline(always)]
    fn keep_logprobs(&mut self, slot: usize) {
        let (s, arms, group) = (self.s, self.shape.arms, self.shape.group);
        let (log_sum, nats) = (self.step.log_sum[slot], s.splat_f32s(LN_2));
        let logits = &self.step.logits[slot * arms..][..arms];
        for logprobs in self.step.logprob[slot * group..][..group].chunks_mut(arms) {
            for (logprob, logit) in logprobs.iter_mut().zip(logits) {
                *logprob = Lane { s, x: s.mul_f32s(s.sub_f32s(*logit, log_sum), nats) };
            }
        }
    }

    /// Makes two outcomes of every response: its coin pays, or does not. An outcome that cannot be is told as the other, so that a group in which all outcomes
    /// that can be are equal is flat.
    #[inline(always)]
    fn split(&mut self, slot: usize) {
        let (s, arms, group, first) = (self.s, self.shape.arms, self.shape.group, slot * self.shape.paid());
        let (zero, one) = (s.splat_f32s(0.0), s.splat_f32s(1.0));
        for arm in 0..arms {
            let coin = self.step.reward[first + arm];
            let chance = self.step.chance[slot * arms + arm];
            let rest = s.sub_f32s(one, coin);
            self.step.coin[slot * arms + arm] = coin;
            self.step.weight[slot * group + arm] = Lane { s, x: s.mul_f32s(chance, coin) };
            self.step.weight[slot * group + arms + arm] = Lane { s, x: s.mul_f32s(chance, rest) };
            self.step.reward[first + arm] = s.select_f32s(s.greater_than_f32s(coin, zero), one, zero);
            self.step.reward[first + arms + arm] = s.select_f32s(s.greater_than_f32s(rest, zero), zero, one);
        }
    }

    /// The most likely answer, whether it is wrong, and that not all answers differ; fills the shares of votes.
    #[inline(always)]
    pub(super) fn weigh_votes(&mut self, slot: usize) -> (S::u32s, S::m32s, S::m32s) {
        let (s, arms, first) = (self.s, self.shape.arms, slot * self.shape.paid());
        let zero = s.splat_f32s(0.0);
        let never = s.less_than_f32s(zero, zero);
        let (mut most, mut majority, mut wrong) = (zero, s.splat_u32s(0), never);
        for arm in 0..arms {
            let share = self.step.chance[slot * arms + arm];
            let more = s.greater_than_f32s(share, most);
            let errs = s.not_m32s(self.step.right[arm]);
            self.step.share[arm] = share;
            majority = s.select_u32s(more, self.step.position[first + arm], majority);
            wrong = s.or_m32s(s.and_m32s(more, errs), s.and_m32s(s.not_m32s(more), wrong));
            most = s.max_f32s(most, share);
        }
        (majority, wrong, never)
    }

    /// Chance that `pass_k - 1` responses contain a right one.
    #[inline(always)]
    pub(super) fn some_succeeds(&self, slot: usize) -> S::f32s {
        let (s, arms) = (self.s, self.shape.arms);
        let (zero, one) = (s.splat_f32s(0.0), s.splat_f32s(1.0));
        let mut wrong = zero;
        for arm in 0..arms {
            wrong = s.add_f32s(wrong, s.select_f32s(self.step.right[arm], zero, self.step.chance[slot * arms + arm]));
        }
        let mut all_wrong = one;
        for _ in 1..self.replicas[0].recipe.config.signal.pass_k {
            all_wrong = s.mul_f32s(all_wrong, wrong);
        }
        s.sub_f32s(one, all_wrong)
    }

    /// Moves the logits along the expected gradient of a minibatch, or along the natural one.
    ///
    /// ```text
    /// gradient:          sum over outcomes of weight * push - pi * total - entropy_coeff * pi (log pi + H)
    /// natural gradient:  mean push of the arm - entropy_coeff * (log pi + H)
    /// ```
    #[inline(always)]
    pub(super) fn ascend_in_expectation(&mut self, slots: Range<usize>) {
        let s = self.s;
        let share = self.splat(1.0 / slots.len() as f64);
        let rates = [s.mul_f32s(self.step_size[0], share), s.mul_f32s(self.step_size[1], share)];
        for slot in slots {
            if self.rule.geometry == Geometry::Natural {
                self.find_natural_slopes(slot);
            } else {
                self.find_slopes(slot);
            }
            if self.uses.entropy {
                self.add_entropy_slopes(slot);
            }
            self.move_logits(slot, rates);
        }
    }

    /// The expected gradient in the logits of a slot.
    #[inline(always)]
    fn find_slopes(&mut self, slot: usize) {
        let (s, arms, group) = (self.s, self.shape.arms, self.shape.group);
        let step = &mut self.step;
        let outcomes = step.push[slot * group..][..group].chunks(arms).zip(step.weight[slot * group..][..group].chunks(arms));
        let mut total = s.splat_f32s(0.0);
        step.slope.fill(total);
        for (push, weight) in outcomes {
            for ((slope, push), weight) in step.slope.iter_mut().zip(push).zip(weight) {
                let part = s.mul_f32s(weight.x, push.x);
                *slope = s.add_f32s(*slope, part);
                total = s.add_f32s(total, part);
            }
        }
        if self.uses.dense {
            for (slope, chance) in step.slope.iter_mut().zip(&step.chance[slot * arms..][..arms]) {
                *slope = s.sub_f32s(*slope, s.mul_f32s(total, *chance));
            }
        }
    }

    /// The natural gradient: the mean push of each arm, unless that is too unlikely to count, see [`crate::rollout::Rollout::counts`].
    #[inline(always)]
    fn find_natural_slopes(&mut self, slot: usize) {
        let (s, arms, group, split) = (self.s, self.shape.arms, self.shape.group, self.is_split());
        let (zero, one, least) = (s.splat_f32s(0.0), s.splat_f32s(1.0), s.splat_f32s(f64::MIN_EXP as f32 - 1.0));
        for arm in 0..arms {
            let mut mean = self.step.push[slot * group + arm].x;
            if split {
                let coin = self.step.coin[slot * arms + arm];
                mean = s.mul_add_f32s(coin, mean, s.mul_f32s(s.sub_f32s(one, coin), self.step.push[slot * group + arms + arm].x));
            }
            let x = s.sub_f32s(self.step.logits[slot * arms + arm], self.step.log_sum[slot]);
            self.step.slope[arm] = s.select_f32s(s.less_than_f32s(x, least), zero, mean);
        }
    }

    /// Adds the slopes of the entropy bonus.
    #[inline(always)]
    fn add_entropy_slopes(&mut self, slot: usize) {
        let (s, arms) = (self.s, self.shape.arms);
        let natural = self.rule.geometry == Geometry::Natural;
        let entropy = self.entropy_now(slot).x;
        for arm in 0..arms {
            let x = s.sub_f32s(self.step.logits[slot * arms + arm], self.step.log_sum[slot]);
            let pull = s.mul_f32s(self.dials.entropy_coeff.x, s.mul_add_f32s(x, s.splat_f32s(LN_2), entropy));
            let pull = if natural { pull } else { s.mul_f32s(pull, self.step.chance[slot * arms + arm]) };
            self.step.slope[arm] = s.sub_f32s(self.step.slope[arm], pull);
        }
    }

    /// Adds the slopes of a slot, times the step sizes, to skill and memory.
    #[inline(always)]
    fn move_logits(&mut self, slot: usize, rates: [S::f32s; 2]) {
        let s = self.s;
        if self.uses.skill {
            for (skill, slope) in self.skill.iter_mut().zip(self.step.slope.iter()) {
                *skill = s.mul_add_f32s(*slope, rates[0], *skill);
            }
        }
        if self.uses.memory {
            let mut at = s.add_u32s(self.rows_of(slot, self.shape.domain.start), self.iota);
            for slope in self.step.slope.iter() {
                s.scatter_add(memory::flat_mut::<S>(&mut self.memory), &at, &s.mul_f32s(*slope, rates[1]));
                at = s.add_u32s(at, s.splat_u32s(S::LANES as u32));
            }
        }
    }
}

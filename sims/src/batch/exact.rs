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

    /// What is said of every response; gives the chance of a right one.
    #[inline(always)]
    fn tell(&mut self, slot: usize) {
        let (s, arms, iota) = (self.s, self.shape.arms, self.iota);
        let zero = s.splat_f32s(0.0);
        let right = Bits::<S>::new(&self.step.right_bits, iota);
        let formatted = Bits::<S>::new(&self.formatted, iota);
        let mut success = zero;
        for arm in 0..arms {
            let is_right = right.at(s, arm);
            self.step.right[arm] = is_right;
            if self.uses.format {
                self.step.formatted[arm] = formatted.at(s, arm);
            }
            success = s.add_f32s(success, s.select_f32s(is_right, self.step.chance[slot * arms + arm], zero));
        }
        self.step.success[slot] = success;
    }

    /// Weights before coins are split.
    #[inline(always)]
    fn weigh_responses(&mut self, slot: usize) {
        let (s, arms, group) = (self.s, self.shape.arms, self.shape.group);
        for arm in 0..arms {
            self.step.weight[slot * group + arm] = Lane { s, x: self.step.chance[slot * arms + arm] };
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
        for i in 0..group {
            self.step.shaped[slot * group + i] = Lane { s, x: self.step.reward[first + i] };
            self.step.correct[slot * group + i] = self.step.right[self.arm(i)];
        }
        if self.uses.kl || self.shape.goes_off_policy() {
            for i in 0..group {
                self.step.logprob[slot * group + i] = self.logprob(slot, i);
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
    #[inline(always)]
    pub(super) fn ascend_in_expectation(&mut self, slots: Range<usize>) {
        let s = self.s;
        let share = self.splat(1.0 / slots.len() as f64);
        let rates = [s.mul_f32s(self.step_size[0], share), s.mul_f32s(self.step_size[1], share)];
        for slot in slots {
            let total = if self.uses.dense { self.expected_push(slot) } else { s.splat_f32s(0.0) };
            let entropy = if self.uses.entropy { self.entropy_now(slot).x } else { total };
            let mut at = s.add_u32s(self.rows_of(slot, self.shape.domain.start), self.iota);
            for arm in 0..self.shape.arms {
                let slope = self.slope(slot, arm, total, entropy);
                if self.uses.skill {
                    self.skill[arm] = s.mul_add_f32s(slope, rates[0], self.skill[arm]);
                }
                if self.uses.memory {
                    s.scatter_add(memory::flat_mut::<S>(&mut self.memory), &at, &s.mul_f32s(slope, rates[1]));
                }
                at = s.add_u32s(at, s.splat_u32s(S::LANES as u32));
            }
        }
    }

    /// Weighted sum of the pushes of a slot.
    #[inline(always)]
    fn expected_push(&self, slot: usize) -> S::f32s {
        let (s, group) = (self.s, self.shape.group);
        let mut total = s.splat_f32s(0.0);
        for (push, weight) in self.step.push[slot * group..][..group].iter().zip(&self.step.weight[slot * group..][..group]) {
            total = s.mul_add_f32s(weight.x, push.x, total);
        }
        total
    }

    /// A push of an arm, unless that is too unlikely to count: see [`crate::rollout::Rollout::counts`].
    #[inline(always)]
    fn counting(&self, slot: usize, arm: usize, push: S::f32s) -> S::f32s {
        let s = self.s;
        let x = s.sub_f32s(self.step.logits[slot * self.shape.arms + arm], self.step.log_sum[slot]);
        s.select_f32s(s.less_than_f32s(x, s.splat_f32s(f64::MIN_EXP as f32 - 1.0)), s.splat_f32s(0.0), push)
    }

    /// The gradient in one logit, `sum over outcomes of weight * push - pi * total`, or the natural one, the mean push of the arm; with the entropy's, which is
    /// `-pi (log pi + H)`, and without the `pi` if natural.
    #[inline(always)]
    fn slope(&self, slot: usize, arm: usize, total: S::f32s, entropy: S::f32s) -> S::f32s {
        let (s, arms, group) = (self.s, self.shape.arms, self.shape.group);
        let natural = self.rule.geometry == Geometry::Natural;
        let (push, weight) = (&self.step.push[slot * group..][..group], &self.step.weight[slot * group..][..group]);
        let chance = self.step.chance[slot * arms + arm];
        let mut slope = match (natural, self.is_split()) {
            (false, false) => s.mul_f32s(weight[arm].x, push[arm].x),
            (false, true) => s.mul_add_f32s(weight[arm].x, push[arm].x, s.mul_f32s(weight[arms + arm].x, push[arms + arm].x)),
            (true, false) => self.counting(slot, arm, push[arm].x),
            (true, true) => {
                let coin = self.step.coin[slot * arms + arm];
                let rest = s.sub_f32s(s.splat_f32s(1.0), coin);
                self.counting(slot, arm, s.mul_add_f32s(coin, push[arm].x, s.mul_f32s(rest, push[arms + arm].x)))
            }
        };
        if !natural && self.uses.dense {
            slope = s.sub_f32s(slope, s.mul_f32s(total, chance));
        }
        if self.uses.entropy {
            let x = s.sub_f32s(self.step.logits[slot * arms + arm], self.step.log_sum[slot]);
            let pull = s.mul_f32s(self.dials.entropy_coeff.x, s.mul_add_f32s(x, s.splat_f32s(LN_2), entropy));
            slope = s.sub_f32s(slope, if natural { pull } else { s.mul_f32s(pull, chance) });
        }
        slope
    }
}

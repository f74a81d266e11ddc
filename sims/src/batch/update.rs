//! From the rewards of a batch to advantages, of bandits and of trees, and to new logits, of bandits.

use super::block::Block;
use super::lanes::Lanes;
use super::math::exp2;
use super::memory;
use super::number::{Lane, Mask};
use crate::config::{Baseline, KlForm, KlPlace, PolicyLoss, RewardMap};
use crate::objective::{Around, kl_slope, kl_value};
use crate::paid::Earned;
use crate::real::{Choice, Real, Truth};
use std::f64::consts::LN_2;
use std::ops::Range;

/// What a step did, per lane.
#[derive(Clone, Copy)]
pub(super) struct Did<S: Lanes> {
    pub(super) reward: Lane<S>,
    pub(super) reward_std: Lane<S>,
    pub(super) flat: Lane<S>,
    pub(super) accuracy: Lane<S>,
    pub(super) entropy: Lane<S>,
    pub(super) success: Lane<S>,
    /// Number of tokens.
    pub(super) length: Lane<S>,
    /// Tokens that went through a ratio; of these, cut low and high.
    pub(super) tokens: Lane<S>,
    pub(super) low: Lane<S>,
    pub(super) high: Lane<S>,
}

/// What the rewards of a group are centred and scaled by.
#[derive(Clone, Copy)]
pub(super) struct Centre<S: Lanes> {
    pub(super) factor: Lane<S>,
    pub(super) baseline: Lane<S>,
    /// What rounding took off the baseline.
    pub(super) rounded_off: Lane<S>,
}

impl<S: Lanes> Centre<S> {
    #[inline(always)]
    pub(super) fn advantage(&self, reward: Lane<S>) -> Lane<S> {
        self.factor * (reward - self.baseline - self.rounded_off)
    }
}

/// How advantages become pushes in one update.
#[derive(Clone, Copy)]
pub(super) struct Pushing {
    /// Whether the policy is the one sampled from.
    pub(super) on_policy: bool,
    /// Whether a ratio may be cut: every clip leaves a ratio of 1 as it is, but for a dual clip below 1.
    pub(super) cut: bool,
    /// The estimator of the KL penalty in the loss.
    pub(super) kl: Option<KlForm>,
}

impl Pushing {
    /// Whether advantages are pushes.
    #[inline(always)]
    fn is_plain(&self) -> bool {
        self.kl.is_none() && !self.cut
    }
}

impl<S: Lanes> Block<'_, S> {
    #[inline(always)]
    pub(super) fn number(&self, x: f64) -> Lane<S> {
        Lane { s: self.s, x: self.splat(x) }
    }

    /// Nothing done.
    #[inline(always)]
    pub(super) fn nothing(&self) -> Did<S> {
        let zero = self.number(0.0);
        Did {
            reward: zero,
            reward_std: zero,
            flat: zero,
            accuracy: zero,
            entropy: zero,
            success: zero,
            length: zero,
            tokens: zero,
            low: zero,
            high: zero,
        }
    }

    /// Rewards of a slot's rollouts trained on.
    #[inline(always)]
    fn earned(&self, slot: usize) -> Earned<'_, Lane<S>> {
        let group = self.shape.group;
        Earned {
            weights: &self.step.weight[slot * group..][..group],
            rewards: &self.step.shaped[slot * group..][..group],
            size: self.size(),
        }
    }

    /// Size of a sample; none where all responses are enumerated.
    #[inline(always)]
    fn size(&self) -> Option<Lane<S>> {
        (!self.shape.exact).then(|| self.number(self.shape.group as f64))
    }

    /// Averages of the policy over the prompts of the batch.
    #[inline(always)]
    pub(super) fn describe_policy(&self, did: &mut Did<S>) {
        let share = self.number(1.0 / self.shape.batch as f64);
        for (entropy, success) in self.step.entropy.iter().zip(self.step.success.iter()) {
            did.entropy = did.entropy + Lane { s: self.s, x: *entropy } * share;
            did.success = did.success + Lane { s: self.s, x: *success } * share;
        }
        did.length = self.mean_length(0..self.shape.batch);
    }

    /// Mean number of tokens of the rollouts of some slots.
    #[inline(always)]
    pub(super) fn mean_length(&self, slots: Range<usize>) -> Lane<S> {
        if self.shape.ends() { self.mean_path_length(slots) } else { self.number(self.shape.depth as f64) }
    }

    /// Averages over the groups of the batch, before rewards are shaped.
    #[inline(always)]
    pub(super) fn describe(&self, did: &mut Did<S>) {
        let (s, group) = (self.s, self.shape.group);
        let zero = self.number(0.0);
        let per_slot = self.number(1.0 / self.shape.batch as f64);
        for slot in 0..self.shape.batch {
            let own = self.earned(slot);
            did.reward = did.reward + own.mean() * per_slot;
            did.reward_std = did.reward_std + own.variance(0).sqrt() * per_slot;
            did.flat = did.flat + Lane::choose(own.is_flat(), per_slot, zero);
            let mut agreed = zero;
            for g in 0..group {
                let correct = Mask { s, m: self.step.correct[slot * group + g] };
                let positive = own.rewards[g].above(zero);
                agreed = agreed + Lane::choose(Mask::choose(correct, positive, positive.not()), own.weights[g], zero);
            }
            did.accuracy = did.accuracy + agreed * per_slot;
        }
    }

    /// Maps rewards and takes the KL penalty off them.
    #[inline(always)]
    pub(super) fn shape_rewards(&mut self) {
        let (blocks, group) = (self.blocks(), self.shape.group);
        let penalised = self.uses.kl && self.rule.kl_place == KlPlace::Reward;
        if !penalised && self.rule.reward_map == RewardMap::Raw {
            return;
        }
        for slot in 0..self.shape.batch {
            for g in 0..group {
                let mut reward = blocks.mapped(self.step.shaped[slot * group + g]);
                if penalised {
                    reward = reward - self.penalty(slot, g);
                }
                self.step.shaped[slot * group + g] = reward;
            }
            if self.shape.greedy {
                let mut reward = blocks.mapped(self.step.greedy[slot]);
                if penalised {
                    reward = reward - self.penalty(slot, self.shape.sampled());
                }
                self.step.greedy[slot] = reward;
            }
        }
    }

    #[inline(always)]
    fn penalty(&self, slot: usize, rollout: usize) -> Lane<S> {
        if self.shape.is_tree() {
            return self.path_penalty(slot, rollout);
        }
        let group = self.shape.group;
        let logprob = if rollout < group { self.step.logprob[slot * group + rollout] } else { self.logprob(slot, rollout) };
        self.dials.kl_beta * kl_value(self.rule.kl_form, self.ref_logprob(slot, rollout) - logprob)
    }

    /// Advantages of the batch's rollouts, before they are whitened or weighed by sign; where [`Block::pushes_at_once`], only what they are made of.
    #[inline(always)]
    pub(super) fn find_advantages(&mut self) {
        let (blocks, group, size, at_once) = (self.blocks(), self.shape.group, self.size(), self.pushes_at_once());
        let amounts = self.uses.amounts;
        let batch = blocks.of_batch(&Earned { weights: &self.step.weight, rewards: &self.step.shaped, size: None });
        for slot in 0..self.shape.batch {
            if self.shape.ends() {
                self.weigh_by_length(slot);
            }
            let step = &mut self.step;
            let own = Earned { weights: &step.weight[slot * group..][..group], rewards: &step.shaped[slot * group..][..group], size };
            let greedy = step.greedy[slot];
            let by_length = if self.shape.ends() { Earned { weights: &self.tree.by_length, ..own } } else { own };
            let around = Around { batch, by_length, greedy, density: greedy.like(1.0) };
            let mean = if blocks.looks_at_mean() { own.mean() } else { greedy.like(0.0) };
            let scale = blocks.divisor(&own, mean, &around);
            let advantages = &mut step.advantage[slot * group..][..group];
            if self.rule.baseline == Baseline::SecondBest {
                own.leads(advantages);
                for a in advantages {
                    *a = *a / scale;
                }
            } else {
                let (factor, baseline) = blocks.baseline(&own, mean, &around);
                let rounded_off = if amounts { blocks.rounded_off(&own, baseline, &around) } else { baseline.like(0.0) };
                let centre = Centre { factor: factor / scale, baseline, rounded_off };
                step.centre[slot] = centre;
                if !at_once {
                    for (a, r) in advantages.iter_mut().zip(own.rewards) {
                        *a = centre.advantage(*r);
                    }
                }
            }
        }
    }

    /// Whitens advantages of bandits and weighs them by the sign of the reward, where the rule does so.
    #[inline(always)]
    pub(super) fn weigh_advantages(&mut self) {
        let blocks = self.blocks();
        if self.rule.whiten {
            let all = Earned { weights: &self.step.weight, rewards: &self.step.advantage, size: None };
            let (mean, std) = (all.mean(), all.std());
            for a in &mut self.step.advantage {
                *a = blocks.whitened(*a, mean, std);
            }
        }
        if self.uses.signs {
            for (a, r) in self.step.advantage.iter_mut().zip(&self.step.shaped) {
                *a = *a * blocks.sign_weight(*r);
            }
        }
    }

    /// All updates of a batch of bandits.
    #[inline(always)]
    pub(super) fn update(&mut self, step: usize, did: &mut Did<S>) {
        if self.pushes_at_once() {
            return self.ascend_at_once(did);
        }
        self.weigh_advantages();
        if self.pushes_advantages() {
            // what is not looked at again need not be copied
            std::mem::swap(&mut self.step.push, &mut self.step.advantage);
        }
        if !self.shape.exact {
            self.fetch_coins(step + 1, 0);
        }
        for (slots, on_policy) in self.shape.updates() {
            if !on_policy {
                for slot in slots.clone() {
                    self.rescore(slot);
                }
            }
            for slot in slots.clone() {
                self.find_pushes(slot, on_policy, did);
            }
            self.ascend(slots);
        }
    }

    /// Whether an update looks at each response once, from reward to slope: in exact mode, where the policy is the one weighed, and no advantage depends on others.
    #[inline(always)]
    pub(super) fn pushes_at_once(&self) -> bool {
        self.rule.takes_each_alone() && self.shape.exact && !self.shape.goes_off_policy
    }

    /// Whether the advantages of bandits are all that pushes them.
    #[inline(always)]
    pub(super) fn pushes_advantages(&self) -> bool {
        !self.shape.goes_off_policy && self.pushing(true).is_plain()
    }

    /// How advantages become pushes.
    #[inline(always)]
    pub(super) fn pushing(&self, on_policy: bool) -> Pushing {
        let rated = self.rule.policy_loss != PolicyLoss::Score;
        let penalised = self.uses.kl && self.rule.kl_place == KlPlace::Loss;
        Pushing { on_policy, cut: rated && (!on_policy || self.uses.dual), kl: penalised.then_some(self.rule.kl_form) }
    }

    /// Coefficients of log pi of the slot's rollouts.
    #[inline(always)]
    fn find_pushes(&mut self, slot: usize, on_policy: bool, did: &mut Did<S>) {
        let (group, how) = (self.shape.group, self.pushing(on_policy));
        self.count(slot, did);
        let rollouts = slot * group..(slot + 1) * group;
        if how.is_plain() {
            if self.shape.goes_off_policy {
                self.step.push[rollouts.clone()].copy_from_slice(&self.step.advantage[rollouts]);
            }
            return;
        }
        if !on_policy {
            let mut now = std::mem::take(&mut self.step.now);
            self.find_logprobs(slot, &mut now);
            self.step.now = now;
        }
        let mut push = std::mem::take(&mut self.step.push);
        let step = &self.step;
        let old = &step.logprob[rollouts.clone()];
        let now = if on_policy { old } else { &step.now };
        let logprobs = old.iter().zip(&step.ref_logprob[rollouts.clone()]).zip(now);
        let given = step.advantage[rollouts.clone()].iter().zip(&step.weight[rollouts.clone()]);
        for ((to, (advantage, weight)), ((old, reference), now)) in push[rollouts].iter_mut().zip(given).zip(logprobs) {
            *to = self.push(how, *advantage, *weight, [*old, *reference, *now], did);
        }
        self.step.push = push;
    }

    /// The coefficient of log pi of one rollout; its log pi is that when sampled, under the base model, and now.
    #[inline(always)]
    pub(super) fn push(&self, how: Pushing, advantage: Lane<S>, weight: Lane<S>, logprobs: [Lane<S>; 3], did: &mut Did<S>) -> Lane<S> {
        let ([old, reference, now], zero, one) = (logprobs, advantage.like(0.0), advantage.like(1.0));
        let mut push = advantage;
        if how.cut {
            let ratio = if how.on_policy { one } else { (now - old).exp() };
            let (slope, [low, high]) = self.blocks().push(ratio, push);
            push = slope;
            let counts = Lane::choose(weight.above(zero), one, zero);
            did.low = did.low + Lane::choose(low, counts, zero);
            did.high = did.high + Lane::choose(high, counts, zero);
        }
        if let Some(form) = how.kl {
            push = push - self.dials.kl_beta * kl_slope(form, reference - now);
        }
        push
    }

    /// Counts the slot's rollouts where they go through a ratio.
    #[inline(always)]
    pub(super) fn count(&self, slot: usize, did: &mut Did<S>) {
        if self.rule.policy_loss != PolicyLoss::Score {
            did.tokens = did.tokens + self.counted(slot);
        }
    }

    /// How many of the slot's rollouts can happen.
    #[inline(always)]
    fn counted(&self, slot: usize) -> Lane<S> {
        let (group, zero, one) = (self.shape.group, self.number(0.0), self.number(1.0));
        if !self.shape.exact {
            return one.like(group as f64);
        }
        let mut count = zero;
        for weight in &self.step.weight[slot * group..][..group] {
            count = count + Lane::choose(weight.above(zero), one, zero);
        }
        count
    }

    /// Moves the logits along the gradient of a minibatch.
    #[inline(always)]
    fn ascend(&mut self, slots: Range<usize>) {
        if self.shape.exact {
            return self.ascend_in_expectation(slots);
        }
        let (s, group, paid) = (self.s, self.shape.group, self.shape.paid());
        let share = self.splat(1.0 / (slots.len() * group) as f64);
        let [shared, private] = [s.mul_f32s(self.step_size[0], share), s.mul_f32s(self.step_size[1], share)];
        for slot in slots.clone() {
            let rows = self.rows_of(slot, self.shape.domain.start);
            let (positions, pushes) = (&self.step.position[slot * paid..][..group], &self.step.push[slot * group..][..group]);
            if self.uses.skill {
                for (gain, push) in self.step.gain.iter_mut().zip(pushes) {
                    *gain = s.mul_f32s(push.x, shared);
                }
                s.scatter_add_rows(memory::flat_mut::<S>(&mut self.skill), positions, &self.step.gain);
            }
            if self.uses.memory {
                for ((gain, place), (push, position)) in
                    self.step.gain.iter_mut().zip(self.step.place.iter_mut()).zip(pushes.iter().zip(positions))
                {
                    *gain = s.mul_f32s(push.x, private);
                    *place = s.add_u32s(*position, rows);
                }
                s.scatter_add_rows(memory::flat_mut::<S>(&mut self.memory), &self.step.place, &self.step.gain);
            }
        }
        if self.uses.dense {
            for slot in slots {
                self.ascend_in_all_arms(slot, [shared, private]);
            }
        }
    }

    /// The part of the gradient in all arms: less the sum of pushes times pi, and the gradient of the entropy, `-pi (log pi + H)`.
    #[inline(always)]
    fn ascend_in_all_arms(&mut self, slot: usize, rates: [S::f32s; 2]) {
        let (s, arms, group) = (self.s, self.shape.arms, self.shape.group);
        let mut total = self.number(0.0);
        for g in 0..group {
            total = total + self.step.push[slot * group + g];
        }
        let bonus = self.dials.entropy_coeff * self.number(group as f64);
        let entropy = if self.uses.entropy { self.entropy_now(slot) } else { total };
        let mut at = s.add_u32s(self.rows_of(slot, self.shape.domain.start), self.iota);
        for arm in 0..arms {
            let x = s.sub_f32s(self.step.logits[slot * arms + arm], self.step.log_sum[slot]);
            let p = Lane { s, x: exp2(s, x).1 };
            let mut slope = total * p;
            if self.uses.entropy {
                slope = slope + bonus * p * (Lane { s, x } * self.number(LN_2) + entropy);
            }
            if self.uses.skill {
                self.skill[arm] = s.sub_f32s(self.skill[arm], s.mul_f32s(slope.x, rates[0]));
            }
            if self.uses.memory {
                s.scatter_add(memory::flat_mut::<S>(&mut self.memory), &at, &s.neg_f32s(s.mul_f32s(slope.x, rates[1])));
            }
            at = s.add_u32s(at, s.splat_u32s(S::LANES as u32));
        }
    }

    /// Entropy at the slot's prompt under the rows loaded last, in nats.
    #[inline(always)]
    pub(super) fn entropy_now(&self, slot: usize) -> Lane<S> {
        let (s, arms) = (self.s, self.shape.arms);
        let mut sum = self.number(0.0);
        for logit in &self.step.logits[slot * arms..][..arms] {
            let x = s.sub_f32s(*logit, self.step.log_sum[slot]);
            sum = sum - Lane { s, x: exp2(s, x).1 } * Lane { s, x };
        }
        sum * self.number(LN_2)
    }
}

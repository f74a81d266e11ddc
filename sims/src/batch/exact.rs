//! Exact mode: the group is every response, weighted by its probability, and every outcome of its coin.

use super::block::Block;
use super::flow::{Anew, Flow, Pulls, Pushes, slope_around};
use super::lanes::{Kernel, Lanes};
use super::memory;
use super::number::Lane;
use super::search::Bits;
use super::shown::Sink;
use super::update::{Did, Pushing};
use super::weigh::{Keep, Weights, has_drifted, known};
use crate::config::{Geometry, KlForm, KlPlace};
use crate::signals::Signal;
use std::f32::consts::LN_2;
use std::mem::take;
use std::ops::Range;

/// Weights, soon to be probabilities.
struct Chances;

impl<S: Lanes> Keep<S> for Chances {
    type Row = Lane<S>;
    #[inline(always)]
    fn row(s: S, weight: S::f32s, _: S::f32s) -> Lane<S> {
        Lane { s, x: weight }
    }
}

/// What the table of slopes holds, by arm.
#[derive(Clone, Copy)]
enum Ascent<S: Lanes> {
    /// Slopes.
    Slopes,
    /// Slopes, but for this times the arm's probability, which is still to be taken off.
    Less(S::f32s),
    /// Pushes, of which this is the mean: a slope is what a push is above it, times the arm's probability.
    Around(S::f32s),
}

/// Moves rows, one for each arm, by slopes times a rate; `HOW` is the place of the ascent in its list.
struct Move<'k, S: Lanes, const HOW: usize> {
    rate: S::f32s,
    off: S::f32s,
    slopes: &'k [S::f32s],
    chances: &'k [Lane<S>],
    rows: &'k mut [S::f32s],
}

impl<S: Lanes, const HOW: usize> Kernel<S> for Move<'_, S, HOW> {
    type Output = ();
    #[inline(always)]
    fn run(self, s: S) {
        for (row, (held, chance)) in self.rows.iter_mut().zip(self.slopes.iter().zip(self.chances)) {
            let slope = match HOW {
                0 => *held,
                1 => s.sub_f32s(*held, s.mul_f32s(self.off, chance.x)),
                _ => slope_around(s, *held, self.off, chance.x),
            };
            *row = s.mul_add_f32s(slope, self.rate, *row);
        }
    }
}

impl<S: Lanes> Block<'_, S> {
    /// The arm of an enumerated rollout.
    #[inline(always)]
    pub(super) fn arm(&self, rollout: usize) -> usize {
        if rollout < self.shape.arms { rollout } else { rollout - self.shape.arms }
    }

    /// Writes down what no step changes: the prompts and responses of a batch, and what is said of them.
    #[inline(always)]
    pub(super) fn list_responses(&mut self) {
        let (s, arms, group, paid, iota) = (self.s, self.shape.arms, self.shape.group, self.shape.paid(), self.iota);
        for slot in 0..self.shape.batch {
            self.step.prompt[slot] = s.splat_u32s((self.shape.domain.start + slot) as u32);
            self.fetch_bits(slot);
            for rollout in 0..group {
                let arm = self.arm(rollout);
                let at = s.splat_u32s((arm * S::LANES) as u32);
                self.step.position[slot * paid + rollout] = s.add_u32s(at, iota);
                self.step.correct[slot * group + rollout] = Bits::<S>::new(&self.step.right_bits, iota).at(s, arm);
            }
            // looks up what is known of the base model at the slot's prompt
            self.load_many(slot);
            self.keep_ref_logprobs(slot);
        }
        for arm in 0..arms {
            self.step.formatted[arm] = Bits::<S>::new(&self.formatted, iota).at(s, arm);
        }
    }

    /// Weighs and pays the responses to every prompt of the batch; where `watched`, also says how many of them are right.
    #[inline(always)]
    pub(super) fn enumerate(&mut self, signal: &Signal, step: usize, watched: bool) {
        let (arms, group) = (self.shape.arms, self.shape.group);
        for slot in 0..self.shape.batch {
            self.fetch_right(slot, watched, step == 0);
            let weights = self.find_chances(slot, watched);
            self.describe_weights(slot, watched, &weights);
            if self.flows && !watched {
                continue;
            }
            if self.shape.weighs_apart() {
                self.step.weight[slot * group..][..arms].copy_from_slice(&self.step.chance[slot * arms..][..arms]);
            }
            if self.shape.greedy {
                self.choose_greedily(slot);
            }
            self.reward(signal, slot);
            if signal.shuffles {
                self.deal(slot);
            }
            self.keep_outcomes(slot);
        }
    }

    /// Computes the policy at the slot's prompt: the probability of every arm.
    #[inline(always)]
    pub(super) fn find_chances(&mut self, slot: usize, watched: bool) -> Weights<S> {
        let (s, arms) = (self.s, self.shape.arms);
        let mut all = take(self.chances_mut());
        let chances = &mut all[slot * arms..][..arms];
        let weights = self.find_policy::<Chances>(slot, watched, chances);
        let inverse = s.div_f32s(s.splat_f32s(1.0), weights.total);
        for chance in chances {
            chance.x = s.mul_f32s(chance.x, inverse);
        }
        *self.chances_mut() = all;
        weights
    }

    /// Where the probabilities of arms are.
    #[inline(always)]
    fn chances_mut(&mut self) -> &mut Vec<Lane<S>> {
        if self.shape.weighs_apart() { &mut self.step.chance } else { &mut self.step.weight }
    }

    /// The probability of every arm of a slot as the policy now is.
    #[inline(always)]
    fn chances(&self, slot: usize) -> &[Lane<S>] {
        let arms = self.shape.arms;
        &(if self.shape.weighs_apart() { &self.step.chance } else { &self.step.weight })[slot * arms..][..arms]
    }

    /// Rewards dealt at random: a coin with the mean reward, for every response.
    #[inline(always)]
    fn deal(&mut self, slot: usize) {
        let (s, arms, first) = (self.s, self.shape.arms, slot * self.shape.paid());
        let mut mean = s.splat_f32s(0.0);
        for (chance, reward) in self.chances(slot).iter().zip(&self.step.reward[first..][..arms]) {
            mean = s.mul_add_f32s(chance.x, *reward, mean);
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
        if self.shape.is_split() {
            self.split(slot);
        }
        for (shaped, reward) in self.step.shaped[slot * group..].iter_mut().zip(&self.step.reward[first..][..group]) {
            *shaped = Lane { s, x: *reward };
        }
        let looks_once = self.pushes_at_once() && self.rule.kl_place == KlPlace::Loss;
        if (self.uses.kl && !looks_once) || self.shape.goes_off_policy {
            self.keep_logprobs(slot);
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
            let chance = self.step.chance[slot * arms + arm].x;
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
        // the first arm, where probabilities are no numbers
        let (mut most, mut majority, mut wrong) = (zero, self.iota, never);
        for arm in 0..arms {
            let share = self.chances(slot)[arm].x;
            let more = s.greater_than_f32s(share, most);
            let errs = s.not_m32s(self.rights(slot)[arm]);
            self.step.share[arm] = share;
            majority = s.select_u32s(more, self.step.position[first + arm], majority);
            wrong = s.or_m32s(s.and_m32s(more, errs), s.and_m32s(s.not_m32s(more), wrong));
            most = s.select_f32s(more, share, most);
        }
        (majority, wrong, never)
    }

    /// Chance that `pass_k - 1` responses contain a right one.
    #[inline(always)]
    pub(super) fn some_succeeds(&self, slot: usize) -> S::f32s {
        let s = self.s;
        let (zero, one) = (s.splat_f32s(0.0), s.splat_f32s(1.0));
        let mut wrong = zero;
        for (is_right, chance) in self.rights(slot).iter().zip(self.chances(slot)) {
            wrong = s.add_f32s(wrong, s.select_f32s(*is_right, zero, chance.x));
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
        let rates = self.rates_of(slots.len());
        for slot in slots {
            let ascent = if self.rule.geometry == Geometry::Natural { self.find_natural_slopes(slot) } else { self.find_slopes(slot) };
            self.move_logits(slot, rates, ascent);
        }
    }

    /// Step sizes of skill and memory in an update on so many prompts.
    #[inline(always)]
    fn rates_of(&self, prompts: usize) -> [S::f32s; 2] {
        let (s, share) = (self.s, self.splat(1.0 / prompts as f64));
        [s.mul_f32s(self.step_size[0], share), s.mul_f32s(self.step_size[1], share)]
    }

    /// All updates of a batch, where each response is looked at once.
    #[inline(always)]
    pub(super) fn ascend_at_once(&mut self, did: &mut Did<S>) {
        let rates = self.rates_of(self.shape.batch);
        for slot in 0..self.shape.batch {
            self.count(slot, did);
            if self.flows_freely() {
                return;
            }
            let ascent = if self.flows { self.find_flow(slot) } else { self.find_slopes_at_once(slot, self.pushing(true), did) };
            self.move_logits(slot, rates, ascent);
        }
    }

    /// From rewards to weighted pushes by arm. The loop is compiled once for each of the plainer choices, so that nothing in it branches.
    #[inline(always)]
    fn find_slopes_at_once(&mut self, slot: usize, how: Pushing, did: &mut Did<S>) -> Ascent<S> {
        let plain = |kl| Pushing { on_policy: true, cut: false, kl };
        let total = match how.kl {
            _ if how.cut || self.uses.signs => self.slopes_of::<true>(slot, how, did),
            None => self.slopes_of::<false>(slot, plain(None), did),
            Some(KlForm::K1) => self.slopes_of::<false>(slot, plain(Some(KlForm::K1)), did),
            Some(KlForm::K2 | KlForm::K3Plus) => self.slopes_of::<false>(slot, plain(Some(KlForm::K2)), did),
            Some(KlForm::K3) => self.slopes_of::<false>(slot, plain(Some(KlForm::K3)), did),
        };
        self.less(slot, total)
    }

    /// The same, `how` being known; `SIGNED` where weights by sign are asked for.
    #[inline(always)]
    fn slopes_of<const SIGNED: bool>(&mut self, slot: usize, how: Pushing, did: &mut Did<S>) -> S::f32s {
        let (s, arms, group) = (self.s, self.shape.arms, self.shape.group);
        let mut slopes = take(&mut self.step.slope);
        let (step, blocks, nats) = (&self.step, self.blocks(), self.number(f64::from(LN_2)));
        let (centre, log_sum, mut total) = (step.centre[slot], step.log_sum[slot], s.splat_f32s(0.0));
        let outcomes = step.shaped[slot * group..][..group].chunks(arms).zip(step.weight[slot * group..][..group].chunks(arms));
        for (outcome, (rewards, weights)) in outcomes.enumerate() {
            let scores = step.logits[slot * arms..][..arms].iter().zip(&step.ref_logprob[slot * group..]);
            for (((slope, reward), weight), (logit, reference)) in slopes.iter_mut().zip(rewards).zip(weights).zip(scores) {
                let mut advantage = centre.advantage(*reward);
                if SIGNED {
                    advantage = advantage * blocks.sign_weight(*reward);
                }
                let now = Lane { s, x: s.sub_f32s(*logit, log_sum) } * nats;
                let push = self.push(how, advantage, *weight, [now, *reference, now], did);
                let part = s.mul_f32s(weight.x, push.x);
                *slope = if outcome == 0 { part } else { s.add_f32s(*slope, part) };
                total = s.add_f32s(total, part);
            }
        }
        self.step.slope = slopes;
        total
    }

    /// The expected gradient in the logits of a slot.
    #[inline(always)]
    fn find_slopes(&mut self, slot: usize) -> Ascent<S> {
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
        self.less(slot, total)
    }

    /// Adds the entropy bonus to slopes, off which the `total` of all pushes is still to be taken, each arm its share.
    #[inline(always)]
    fn less(&mut self, slot: usize, total: S::f32s) -> Ascent<S> {
        if self.uses.entropy {
            self.add_entropy_slopes(slot);
        }
        if self.uses.dense { Ascent::Less(total) } else { Ascent::Slopes }
    }

    /// The natural gradient: the mean push of each arm, unless that is too unlikely to count, see [`crate::rollout::Rollout::counts`].
    #[inline(always)]
    fn find_natural_slopes(&mut self, slot: usize) -> Ascent<S> {
        let (s, arms, group, split) = (self.s, self.shape.arms, self.shape.group, self.shape.is_split());
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
        if self.uses.entropy {
            self.add_entropy_slopes(slot);
        }
        Ascent::Slopes
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
            let pull = if natural { pull } else { s.mul_f32s(pull, self.chances(slot)[arm].x) };
            self.step.slope[arm] = s.sub_f32s(self.step.slope[arm], pull);
        }
    }

    /// Moves skill and memory by the slopes of a slot, times the step sizes.
    #[inline(always)]
    fn move_logits(&mut self, slot: usize, rates: [S::f32s; 2], ascent: Ascent<S>) {
        if self.uses.skill {
            let mut skill = take(&mut self.skill);
            self.move_rows(slot, rates[0], ascent, &mut skill[..self.shape.arms]);
            self.skill = skill;
        }
        if self.uses.memory {
            self.move_memory(slot, rates[1], ascent);
        }
    }

    /// Moves one row for each arm.
    #[inline(always)]
    fn move_rows(&self, slot: usize, rate: S::f32s, ascent: Ascent<S>, rows: &mut [S::f32s]) {
        let (slopes, chances) = (&self.step.slope, self.chances(slot));
        match ascent {
            Ascent::Slopes => self.s.enter(Move::<S, 0> { rate, off: rate, slopes, chances, rows }),
            Ascent::Less(off) => self.s.enter(Move::<S, 1> { rate, off, slopes, chances, rows }),
            Ascent::Around(off) => self.s.enter(Move::<S, 2> { rate, off, slopes, chances, rows }),
        }
    }

    /// Moves what the slot's prompt remembers, whose rows lie elsewhere in every lane unless all train on a single prompt.
    #[inline(always)]
    fn move_memory(&mut self, slot: usize, rate: S::f32s, ascent: Ascent<S>) {
        let (s, arms, single) = (self.s, self.shape.arms, self.is_single());
        let (mut memory, mut gains) = (take(&mut self.memory), take(&mut self.step.gain));
        gains[..arms].fill(s.splat_f32s(0.0));
        self.move_rows(slot, rate, ascent, &mut gains[..arms]);
        let mut at = s.add_u32s(self.rows_of(slot, self.shape.domain.start), self.iota);
        for (arm, gain) in gains[..arms].iter().enumerate() {
            if single {
                memory[arm] = s.add_f32s(memory[arm], *gain);
            } else {
                s.scatter_add(memory::flat_mut::<S>(&mut memory), &at, gain);
                at = s.add_u32s(at, s.splat_u32s(S::LANES as u32));
            }
        }
        (self.step.gain, self.memory) = (gains, memory);
    }

    /// Whether the expected gradient is that of the pushes of all responses, whatever their mean.
    #[inline(always)]
    pub(super) fn flows(&self) -> bool {
        self.pushes_at_once() && self.uses.pass_rewards(self.rule, self.replicas[0].recipe.signal)
    }

    /// Whether [`Block::flow`] makes the steps of a flow, many at a time; a step by itself only looks at the policy.
    pub(super) fn flows_freely(&self) -> bool {
        let alone = self.is_single() && self.shape.batch == 1 && !self.uses.memory;
        self.flows && alone && !self.uses.votes && !self.uses.others
    }

    #[inline(always)]
    fn pulls(&self) -> Pulls<S> {
        Pulls {
            kl: self.uses.kl.then_some((self.dials.kl_beta, self.rule.kl_form)),
            entropy: self.uses.entropy.then_some(self.dials.entropy_coeff),
        }
    }

    /// Pushes of all responses to the slot's prompt, straight from what they show.
    #[inline(always)]
    fn find_flow(&mut self, slot: usize) -> Ascent<S> {
        let signal = self.replicas[0].recipe.signal;
        let votes = self.votes(slot);
        let mut slopes = take(&mut self.step.slope);
        let mut pushes = Pushes { pulls: self.pulls(), chances: self.chances(slot), pushes: &mut slopes, mean: self.s.splat_f32s(0.0) };
        self.s.pay(signal.formula, &self.show(slot, votes), Sink::Pushes(&mut pushes));
        let mean = pushes.mean;
        self.step.slope = slopes;
        Ascent::Around(mean)
    }

    /// Makes up to `steps` steps from `first` on, at least one, and gives how many.
    pub(super) fn flow(&mut self, first: usize, steps: usize) -> usize {
        let signal = self.replicas[0].recipe.signal;
        let votes = self.votes(0);
        let (mut weights, mut skill, mut pushes) = (take(&mut self.step.flowing), take(&mut self.skill), take(&mut self.step.slope));
        let mut flow = Flow {
            pulls: self.pulls(),
            rate: self.rates_of(1)[0],
            steps,
            first,
            made: 0,
            pace: self.pace,
            weights: &mut weights,
            anchor: &self.anchor,
            skill: &mut skill[..self.shape.arms],
            pushes: &mut pushes,
        };
        self.s.pay(signal.formula, &self.show(0, votes), Sink::Flow(&mut flow));
        let Flow { made, pace, .. } = flow;
        (self.step.flowing, self.skill, self.step.slope, self.pace) = (weights, skill, pushes, pace);
        self.settle();
        made
    }

    /// Moves the shift of what has drifted.
    fn settle(&mut self) {
        let far = has_drifted(self.s, self.pace.total);
        if self.s.any(far) {
            self.shift_anew(0, far);
            self.start_flow(far);
        }
    }

    /// Weighs the logits of these lanes, from which their flow goes on.
    pub(super) fn start_flow(&mut self, lanes: S::m32s) {
        let weights = &mut self.step.flowing;
        let anew = Anew { lanes, anchor: &self.anchor, skill: &self.skill[..self.shape.arms], weights, total: self.pace.total };
        self.pace.total = known(self.s, self.s.enter(anew));
    }
}

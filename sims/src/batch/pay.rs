//! Paying the groups of a step, of bandits and of trees.

use super::block::Block;
use super::lanes::Lanes;
use super::memory;
use super::number::Lane;
use super::shown::{Coins, Scores, Shown, Sink, Votes};
use crate::signals::Signal;
use crate::stream::Purpose;

impl<S: Lanes> Block<'_, S> {
    /// Pays the group of the slot, and keeps what the update needs of it.
    #[inline(always)]
    pub(super) fn pay(&mut self, signal: &Signal, step: usize, slot: usize) {
        self.reward(signal, slot);
        if signal.shuffles {
            self.shuffle(step, slot);
        }
        self.keep(slot);
    }

    /// What every rollout of the slot earns; in exact mode, every arm.
    #[inline(always)]
    pub(super) fn reward(&mut self, signal: &Signal, slot: usize) {
        let votes = self.votes(slot);
        let mut reward = std::mem::take(&mut self.step.reward);
        let to = &mut reward[slot * self.shape.paid()..][..self.draws()];
        self.s.pay(signal.formula, &self.show(slot, votes), Sink::Rewards(to));
        self.step.reward = reward;
    }

    /// Draws of a slot; in exact mode, all arms.
    #[inline(always)]
    fn draws(&self) -> usize {
        if self.shape.exact { self.shape.arms } else { self.shape.paid() }
    }

    /// The majority's answer, whether it is wrong, and whether all answers differ, where the signal looks at votes; fills their shares.
    #[inline(always)]
    pub(super) fn votes(&mut self, slot: usize) -> (S::u32s, S::m32s, S::m32s) {
        let zero = self.s.splat_u32s(0);
        let never = self.s.less_than_u32s(zero, zero);
        match (self.uses.votes, self.shape.exact) {
            (false, _) => (zero, never, never),
            (true, true) => self.weigh_votes(slot),
            (true, false) => self.count_votes(slot),
        }
    }

    /// What the draws of the slot, which so voted, show.
    #[inline(always)]
    pub(super) fn show(&self, slot: usize, votes: (S::u32s, S::m32s, S::m32s)) -> Shown<'_, S> {
        let (s, draws) = (self.s, self.draws());
        let zero = s.splat_f32s(0.0);
        let never = s.less_than_f32s(zero, zero);
        // one by one, for as a pair they would be copied about in memory
        let (mut mislabelled, mut wrong_label) = (never, s.splat_u32s(0));
        if self.uses.labels {
            let labels = self.labels(slot);
            mislabelled = labels.0;
            wrong_label = labels.1;
        }
        let answer = &self.step.position[slot * self.shape.paid()..][..draws];
        Shown {
            s,
            params: &self.params,
            coins: self.coins(draws),
            answer,
            opening: if self.shape.is_tree() { &self.tree.opening } else { answer },
            right: self.rights(slot),
            formatted: &self.step.formatted,
            scores: if self.shape.is_tree() { Scores::of(s, &self.tree.paths) } else { self.arm_scores(slot) },
            mislabelled,
            wrong_label,
            others_succeed: if self.uses.others { self.others_succeed(slot) } else { zero },
            votes: Votes { majority: votes.0, wrong: votes.1, share: &self.step.share, scattered: votes.2 },
            iota: self.iota,
        }
    }

    /// Which draws of the slot are right.
    #[inline(always)]
    pub(super) fn rights(&self, slot: usize) -> &[S::m32s] {
        if self.shape.exact { &self.step.correct[slot * self.shape.group..][..self.shape.arms] } else { &self.step.right }
    }

    /// What coins do, for so many draws.
    #[inline(always)]
    fn coins(&self, draws: usize) -> Coins<'_, S> {
        if self.shape.exact { Coins::Split(&self.chances) } else { Coins::Tossed { words: &self.step.coins[..draws], rates: &self.rates } }
    }

    /// Keeps what the update needs of the rollouts trained on.
    #[inline(always)]
    fn keep(&mut self, slot: usize) {
        let (s, group, first) = (self.s, self.shape.group, slot * self.shape.paid());
        self.step.correct[slot * group..][..group].copy_from_slice(&self.step.right[..group]);
        for (shaped, reward) in self.step.shaped[slot * group..][..group].iter_mut().zip(&self.step.reward[first..][..group]) {
            *shaped = Lane { s, x: *reward };
        }
        if self.shape.greedy {
            self.step.greedy[slot] = Lane { s, x: self.step.reward[first + self.shape.sampled()] };
        }
    }

    /// Chance that the others of a group succeed.
    #[inline(always)]
    fn others_succeed(&self, slot: usize) -> S::f32s {
        if self.shape.exact {
            return self.some_succeeds(slot);
        }
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
        let label = |lane: usize| self.replicas[lane].world.task.label(self.order[lane][prompts[lane] as usize]);
        let noise = |lane: usize| self.replicas[lane].recipe.config.signal.label_noise;
        let wrong = memory::word_vector::<S>(|lane| u32::from(label(lane).luck < noise(lane)));
        let answer = memory::word_vector::<S>(|lane| label(lane).wrong.map_or(u32::MAX, |code| self.answer(slot, lane, code)));
        (self.s.equal_u32s(wrong, self.s.splat_u32s(1)), answer)
    }

    /// How the slot's rollouts in a lane give the answer with this code.
    fn answer(&self, slot: usize, lane: usize, code: u128) -> u32 {
        if self.shape.is_tree() {
            return self.first_with(slot, lane, code);
        }
        // in a bandit, the answer of arm v is v + 1
        (code as u32 - 1) * S::LANES as u32 + lane as u32
    }

    /// The votes of sampled rollouts.
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

//! From the advantages of rollouts to those of tokens, and to new logits of trees.

use super::success::{Births, Newborn};
use crate::batch::block::Block;
use crate::batch::lanes::{Kernel, Lanes, ROW};
use crate::batch::memory;
use crate::batch::number::{Lane, Mask};
use crate::batch::update::Did;
use crate::config::{KlPlace, LossAgg, PolicyLoss};
use crate::objective::{kl_slope, kl_value};
use crate::paid::Earned;
use crate::real::{Choice, Real, Truth};
use std::f32::consts::LN_2;
use std::ops::Range;

/// How pushes become steps of logits: the rates of skill and memory.
type Rates<S> = [<S as pulp::Simd>::f32s; 2];

/// Moves logits along the gradient of a slot's rollouts, by itself.
struct Climb<'b, 'a, S: Lanes, const STRIDE: usize> {
    block: &'b mut Block<'a, S>,
    slot: usize,
}

impl<S: Lanes, const STRIDE: usize> Kernel<S> for Climb<'_, '_, S, STRIDE> {
    type Output = ();
    #[inline(always)]
    fn run(self, _: S) {
        self.block.climb::<STRIDE>(self.slot);
    }
}

impl<S: Lanes> Block<'_, S> {
    /// Number of a token among those trained on.
    #[inline(always)]
    fn trained(&self, slot: usize, g: usize, h: usize) -> usize {
        (slot * self.shape.group + g) * self.shape.depth + h
    }

    #[inline(always)]
    fn token_counts(&self, slot: usize, rollout: usize, h: usize) -> Mask<S> {
        Mask { s: self.s, m: self.is_token(slot, rollout, h) }
    }

    /// Number of tokens of a rollout.
    #[inline(always)]
    fn path_length(&self, slot: usize, rollout: usize) -> Lane<S> {
        let s = self.s;
        Lane { s, x: s.to_f32(self.tree.length[slot * self.shape.paid() + rollout]) }
    }

    /// Mean number of tokens of the rollouts of some slots.
    #[inline(always)]
    pub(in crate::batch) fn mean_path_length(&self, slots: Range<usize>) -> Lane<S> {
        let mut sum = self.number(0.0);
        for slot in slots.clone() {
            for g in 0..self.shape.group {
                sum = sum + self.path_length(slot, g);
            }
        }
        sum * self.number(1.0 / (slots.len() * self.shape.group) as f64)
    }

    /// Weights of the slot's rollouts by length.
    #[inline(always)]
    pub(in crate::batch) fn weigh_by_length(&mut self, slot: usize) {
        for g in 0..self.shape.group {
            self.tree.by_length[g] = self.step.weight[g] * self.path_length(slot, g);
        }
    }

    /// KL penalty of a rollout.
    #[inline(always)]
    pub(in crate::batch) fn path_penalty(&self, slot: usize, rollout: usize) -> Lane<S> {
        let (s, zero) = (self.s, self.number(0.0));
        let mut sum = zero;
        for h in 0..self.shape.depth {
            let visit = self.visit_of(slot, rollout, h);
            let rho = Lane { s, x: s.sub_f32s(self.tree.visits[visit].ref_logprob, self.tree.visits[visit].logprob) };
            sum = sum + Lane::choose(self.token_counts(slot, rollout, h), kl_value(self.rule.kl_form, rho), zero);
        }
        self.dials.kl_beta * sum
    }

    /// Advantages of tokens: those of their rollouts, discounted, whitened and weighed by the sign of the reward, where the rule does so.
    #[inline(always)]
    fn spread_advantages(&mut self) {
        let powers = if self.uses.discount { self.discounts() } else { Vec::new() };
        for slot in 0..self.shape.batch {
            for g in 0..self.shape.group {
                let first = self.trained(slot, g, 0);
                let advantage = self.step.advantage[slot * self.shape.group + g];
                for a in &mut self.tree.advantage[first..][..self.shape.depth] {
                    *a = advantage;
                }
                if self.uses.discount {
                    self.discount(slot, g, &powers);
                }
            }
        }
        if self.rule.whiten {
            self.whiten_tokens();
        }
        if self.uses.signs {
            self.weigh_tokens();
        }
    }

    /// Weights of tokens by the number of tokens to come.
    #[inline(always)]
    fn discounts(&self) -> Vec<Lane<S>> {
        let mut powers = Vec::with_capacity(self.shape.depth);
        for after in 0..self.shape.depth {
            powers.push(self.blocks().discount(after));
        }
        powers
    }

    /// Discounts the advantages of a rollout's tokens, the last one least; how many are to come differs by lane.
    #[inline(always)]
    fn discount(&mut self, slot: usize, g: usize, powers: &[Lane<S>]) {
        let (length, first) = (self.path_length(slot, g), self.trained(slot, g, 0));
        for h in 0..powers.len() {
            let mut weight = powers[0];
            for (after, power) in powers.iter().enumerate().take(powers.len() - h).skip(1) {
                weight = Lane::choose(length.above(self.number((h + after) as f64)), *power, weight);
            }
            self.tree.advantage[first + h] = self.tree.advantage[first + h] * weight;
        }
    }

    #[inline(always)]
    fn whiten_tokens(&mut self) {
        let (blocks, zero) = (self.blocks(), self.number(0.0));
        for slot in 0..self.shape.batch {
            for g in 0..self.shape.group {
                for h in 0..self.shape.depth {
                    let at = self.trained(slot, g, h);
                    self.tree.share[at] = Lane::choose(self.token_counts(slot, g, h), self.step.weight[g], zero);
                }
            }
        }
        let all = Earned { weights: &self.tree.share, rewards: &self.tree.advantage, size: None };
        let (mean, std) = (all.mean(), all.std());
        for a in &mut self.tree.advantage {
            *a = blocks.whitened(*a, mean, std);
        }
    }

    #[inline(always)]
    fn weigh_tokens(&mut self) {
        let (blocks, depth) = (self.blocks(), self.shape.depth);
        for (tokens, r) in self.tree.advantage.chunks_exact_mut(depth).zip(&self.step.shaped) {
            let weight = blocks.sign_weight(*r);
            for a in tokens {
                *a = *a * weight;
            }
        }
    }

    /// All updates of a batch of trees.
    #[inline(always)]
    pub(in crate::batch) fn update_trees(&mut self, did: &mut Did<S>) {
        self.spread_advantages();
        for (slots, on_policy) in self.shape.updates() {
            if !on_policy {
                for slot in slots.clone() {
                    self.rescore_paths(slot);
                }
            }
            self.find_token_pushes(slots.clone(), on_policy, did);
            for slot in slots {
                if self.shape.stride == ROW {
                    self.s.enter(Climb::<S, ROW> { block: &mut *self, slot });
                } else {
                    self.s.enter(Climb::<S, 0> { block: &mut *self, slot });
                }
            }
        }
    }

    /// Computes policies along the slot's rollouts anew, after the policy has moved.
    #[inline(always)]
    fn rescore_paths(&mut self, slot: usize) {
        // the lengths are those of the rollouts, which stay
        let paid = self.shape.paid();
        let lengths = self.shape.ends().then(|| self.tree.length[slot * paid..][..paid].to_vec());
        self.open_slot(slot);
        if let Some(lengths) = lengths {
            self.tree.length[slot * paid..][..paid].copy_from_slice(&lengths);
        }
        for h in 0..self.shape.depth {
            for g in 0..self.shape.group {
                let visit = self.visit_of(slot, g, h);
                let place = self.place::<0, true>(slot, visit, h);
                self.tree.place[visit] = place;
                self.tree.visits[visit].now = self.token_logprob(place, self.tree.visits[visit].token);
                if h + 1 < self.shape.depth {
                    self.tree.visits[visit + 1].node = self.below::<0>(visit, h);
                }
            }
        }
    }

    /// Coefficients of log pi and entropy of the tokens of a minibatch.
    #[inline(always)]
    fn find_token_pushes(&mut self, slots: Range<usize>, on_policy: bool, did: &mut Did<S>) {
        let local = self.rule.loss_agg_mode == LossAgg::TokenMeanLocal;
        let chunk = if local { slots.len().div_ceil(self.micro_batches()) } else { slots.len() };
        let per_prompt = self.number(1.0 / slots.len() as f64);
        for first in slots.clone().step_by(chunk.max(1)) {
            let here = first..slots.end.min(first + chunk);
            let mean_length = self.mean_length(here.clone());
            for slot in here {
                for g in 0..self.shape.group {
                    self.find_path_pushes(slot, g, [mean_length, per_prompt], on_policy, did);
                }
            }
        }
    }

    #[inline(always)]
    fn micro_batches(&self) -> usize {
        self.replicas[0].recipe.config.train.micro_batches
    }

    /// Coefficients of log pi and entropy of one rollout's tokens.
    #[inline(always)]
    fn find_path_pushes(&mut self, slot: usize, g: usize, [mean_length, per_prompt]: [Lane<S>; 2], on_policy: bool, did: &mut Did<S>) {
        let (s, blocks, zero, one) = (self.s, self.blocks(), self.number(0.0), self.number(1.0));
        let (length, longest) = (self.path_length(slot, g), self.number(self.shape.depth as f64));
        let weight = blocks.token_weight(self.step.weight[g], length, mean_length, longest) * per_prompt;
        let penalised = self.uses.kl && self.rule.kl_place == KlPlace::Loss;
        let rated = self.rule.policy_loss != PolicyLoss::Score;
        // every clip leaves a ratio of 1 as it is, but for a dual clip below 1
        let cut = rated && (!on_policy || self.uses.dual);
        if rated {
            did.tokens = did.tokens + length;
        }
        let grown = if cut && !on_policy { self.growth(slot, g) } else { zero };
        for h in 0..self.shape.depth {
            let (visit, at) = (self.visit_of(slot, g, h), self.trained(slot, g, h));
            let counts = self.token_counts(slot, g, h);
            let mut push = self.tree.advantage[at];
            let now = Lane { s, x: if on_policy { self.tree.visits[visit].logprob } else { self.tree.visits[visit].now } };
            if cut {
                let own = now - Lane { s, x: self.tree.visits[visit].logprob };
                let ratio = if on_policy { one } else { blocks.log_ratio(own, grown, length).exp() };
                let (slope, [low, high]) = blocks.push(ratio, push);
                push = slope;
                did.low = did.low + Lane::choose(low.and(counts), one, zero);
                did.high = did.high + Lane::choose(high.and(counts), one, zero);
            }
            if penalised {
                push = push - self.dials.kl_beta * kl_slope(self.rule.kl_form, Lane { s, x: self.tree.visits[visit].ref_logprob } - now);
            }
            self.tree.push[at] = Lane::choose(counts, push * weight, zero);
        }
        self.tree.bonus[slot * self.shape.group + g] = self.dials.entropy_coeff * weight;
    }

    /// Growth of log pi of a rollout since it was sampled.
    #[inline(always)]
    fn growth(&self, slot: usize, g: usize) -> Lane<S> {
        let (s, zero) = (self.s, self.number(0.0));
        let mut sum = zero;
        for h in 0..self.shape.depth {
            let visit = self.visit_of(slot, g, h);
            let own = Lane { s, x: s.sub_f32s(self.tree.visits[visit].now, self.tree.visits[visit].logprob) };
            sum = sum + Lane::choose(self.token_counts(slot, g, h), own, zero);
        }
        sum
    }

    /// Entropy push at a token.
    #[inline(always)]
    fn token_bonus(&self, slot: usize, g: usize, h: usize) -> Lane<S> {
        Lane::choose(self.token_counts(slot, g, h), self.tree.bonus[slot * self.shape.group + g], self.number(0.0))
    }

    /// Moves the logits along the gradient of the slot's rollouts.
    #[inline(always)]
    fn climb<const STRIDE: usize>(&mut self, slot: usize) {
        if self.uses.memory {
            self.remember::<STRIDE>(slot);
        }
        self.climb_root::<STRIDE>(slot);
        for h in 1..self.shape.depth {
            for g in 0..self.shape.group {
                self.climb_visit::<STRIDE>(slot, g, h);
            }
        }
    }

    /// Opens the nodes of the slot's paths that are about to move and of which nothing is remembered, depth by depth.
    #[inline(always)]
    fn remember<const STRIDE: usize>(&mut self, slot: usize) {
        for g in 0..self.shape.group {
            self.tree.moves[g] = self.moves(slot, g);
        }
        for h in 1..self.shape.depth {
            for g in 0..self.shape.group {
                self.open_nodes::<STRIDE>(slot, g, h);
            }
        }
    }

    /// The lanes in which some token of a rollout pushes.
    #[inline(always)]
    fn moves(&self, slot: usize, g: usize) -> S::m32s {
        let (s, zero, first) = (self.s, self.s.splat_f32s(0.0), self.trained(slot, g, 0));
        let mut still = s.equal_f32s(self.tree.push[first].x, zero);
        for push in &self.tree.push[first..][1..self.shape.depth] {
            still = s.and_m32s(still, s.equal_f32s(push.x, zero));
        }
        if self.uses.entropy {
            still = s.and_m32s(still, s.equal_f32s(self.tree.bonus[slot * self.shape.group + g].x, zero));
        }
        s.not_m32s(still)
    }

    /// Finds or opens the nodes of depth `h` that a rollout misses, below those of its visit before.
    #[inline(always)]
    fn open_nodes<const STRIDE: usize>(&mut self, slot: usize, g: usize, h: usize) {
        let (s, visit, none) = (self.s, self.visit_of(slot, g, h), self.s.splat_u32s(0));
        let (node, before) = (self.tree.visits[visit].node, &self.tree.visits[visit - 1]);
        let unknown = s.and_m32s(s.equal_u32s(node, none), self.is_token(slot, g, h));
        let missing = s.and_m32s(unknown, self.tree.moves[g]);
        if !s.any(missing) {
            return;
        }
        // a rollout before this one may have opened it
        let known = self.tree.levels[h - 1].children::<S, STRIDE>(s, before.node, before.token);
        let new = s.and_m32s(missing, s.equal_u32s(known, none));
        let (parents, tokens) = (before.node, before.token);
        let born = s.number(new, self.tree.levels[h].born() as u32);
        self.tree.visits[visit].node = s.select_u32s(missing, s.select_u32s(new, born, known), node);
        self.open_lanes::<STRIDE>(slot, h, visit, &Births { new, born, parents, tokens });
    }

    /// Opens nodes of depth `h`, at which a visit of the slot is.
    #[inline(always)]
    fn open_lanes<const STRIDE: usize>(&mut self, slot: usize, h: usize, visit: usize, births: &Births<S>) {
        let s = self.s;
        let prompts = s.sub_u32s(self.step.prompt[slot], s.splat_u32s(self.shape.domain.start as u32));
        let owners = s.add_u32s(s.mul_u32s(prompts, s.splat_u32s(S::LANES as u32)), self.iota);
        let entries = self.tree.levels[h - 1].child_entries::<S, STRIDE>(s, births.parents, births.tokens);
        self.tree.levels[h].reserve(S::LANES);
        if self.tree.success.is_some() {
            self.keep_births::<STRIDE>(h, visit, births, owners);
        }
        let kept = self.tree.success.as_ref().filter(|_| h + 1 < self.shape.depth);
        let prefixes = self.tree.prefix.get(visit).copied().unwrap_or(s.splat_u32s(0));
        let (above, here) = self.tree.levels.split_at_mut(h);
        let (parents, level) = (&mut above[h - 1], &mut here[0]);
        level.open::<S, STRIDE>(s, births.new, births.parents, births.tokens);
        let all = [entries, owners, births.born, prefixes];
        let [entries, owners, nodes, prefixes] = [0, 1, 2, 3].map(|of| memory::flat_words::<S>(&all[of..=of]));
        let mut lanes = s.bits(births.new);
        while lanes != 0 {
            let lane = lanes.trailing_zeros() as usize;
            let (owner, node) = (owners[lane] as usize, nodes[lane]);
            parents.adopt::<STRIDE>(entries[lane], node);
            level.list(owner, node);
            if let Some(success) = kept {
                let newborn = Newborn { h, node: node as usize, owner, prefix: prefixes[lane] as usize };
                success.write_below::<STRIDE>(&self.shape, &self.replicas[lane].world.task, &mut level.chances, &newborn);
            }
            lanes &= lanes - 1;
        }
    }

    /// Moves the root: the tokens drawn one by one, all others at once, for all rollouts stood there.
    #[inline(always)]
    fn climb_root<const STRIDE: usize>(&mut self, slot: usize) {
        let (s, group, stride) = (self.s, self.shape.group, self.stride::<STRIDE>());
        let [shared, private] = self.step_size;
        let (mut total, mut bonus) = (self.number(0.0), self.number(0.0));
        let mut still = s.equal_u32s(self.iota, self.iota);
        for g in 0..group {
            let push = self.tree.push[self.trained(slot, g, 0)];
            let visit = self.visit_of(slot, g, 0);
            let token = self.tree.visits[visit].token;
            if self.uses.skill {
                let at = self.position(token);
                s.scatter_add(memory::flat_mut::<S>(&mut self.skill[..stride]), &at, &s.mul_f32s(push.x, shared));
            }
            if self.uses.memory {
                let at = self.tree.levels[0].logit_entries::<S, STRIDE>(s, self.tree.visits[visit].node, token);
                s.scatter_add(self.tree.levels[0].rows.as_flattened_mut(), &at, &s.mul_f32s(push.x, private));
            }
            still = s.and_m32s(still, s.equal_f32s(push.x, s.splat_f32s(0.0)));
            (total, bonus) = (total + push, bonus + self.tree.bonus[slot * group + g]);
        }
        let (place, node) = (slot * self.shape.depth, self.tree.visits[self.visit_of(slot, 0, 0)].node);
        still = s.and_m32s(still, s.equal_f32s(bonus.x, s.splat_f32s(0.0)));
        self.touch(0, node, still);
        if self.uses.dense {
            let none = s.splat_u32s(u32::MAX);
            self.climb_tokens::<STRIDE>(0, place, node, none, [total, bonus]);
        }
    }

    /// Moves the nodes of one visit.
    #[inline(always)]
    fn climb_visit<const STRIDE: usize>(&mut self, slot: usize, g: usize, h: usize) {
        let (s, visit) = (self.s, self.visit_of(slot, g, h));
        let push = self.tree.push[self.trained(slot, g, h)];
        let bonus = if self.uses.entropy { self.token_bonus(slot, g, h) } else { self.number(0.0) };
        let zero = s.splat_f32s(0.0);
        let still = s.and_m32s(s.equal_f32s(push.x, zero), s.equal_f32s(bonus.x, zero));
        if s.any(s.not_m32s(still)) {
            let node = self.tree.visits[visit].node;
            self.climb_tokens::<STRIDE>(h, self.tree.place[visit], node, self.tree.visits[visit].token, [push, bonus]);
            self.touch(h, node, still);
        }
    }

    /// Adds the gradient of `push log pi(token) + bonus H` at a place to skill and nodes: `push (e_token - pi) - bonus pi (log pi + H)`.
    #[inline(always)]
    fn climb_tokens<const STRIDE: usize>(&mut self, h: usize, place: usize, nodes: S::u32s, token: S::u32s, [push, bonus]: [Lane<S>; 2]) {
        let (s, stride) = (self.s, self.stride::<STRIDE>());
        let pull = s.neg_f32s(s.mul_f32s(push.x, self.tree.places[place].inverse));
        let lift = s.neg_f32s(s.mul_f32s(bonus.x, self.tree.places[place].inverse));
        let mut at = self.tree.levels[h].first_rows::<S, STRIDE>(s, nodes);
        for first in (0..stride).step_by(ROW) {
            let mut tile = [s.splat_f32s(0.0); ROW];
            let weights = &self.tree.weights[place * stride + first..][..ROW];
            for (k, (change, weight)) in tile.iter_mut().zip(weights).enumerate() {
                let here = s.equal_u32s(token, s.splat_u32s((first + k) as u32));
                *change = s.mul_add_f32s(*weight, pull, s.select_f32s(here, push.x, *change));
            }
            if self.uses.entropy {
                self.lift(place, first, lift, &mut tile);
            }
            self.climb_tile::<STRIDE>(h, first, at, tile);
            at = s.add_u32s(at, s.splat_u32s(1));
        }
    }

    /// Adds the gradient of the entropy at a place to one tile of actions.
    #[inline(always)]
    fn lift(&self, place: usize, first: usize, lift: S::f32s, tile: &mut [S::f32s; ROW]) {
        let (s, stride) = (self.s, self.shape.stride);
        let at = place * stride + first;
        let entries = self.tree.weights[at..][..ROW].iter().zip(&self.tree.logits[at..][..ROW]);
        for (change, (weight, logit)) in tile.iter_mut().zip(entries) {
            let logprob = s.sub_f32s(*logit, self.tree.places[place].log_sum);
            let above = s.mul_add_f32s(logprob, s.splat_f32s(LN_2), self.tree.places[place].entropy);
            let slope = s.mul_f32s(s.mul_f32s(*weight, lift), above);
            // what is no action stays where it is
            *change = s.add_f32s(*change, s.select_f32s(s.greater_than_f32s(*weight, s.splat_f32s(1e-18)), slope, s.splat_f32s(0.0)));
        }
    }

    /// Adds one tile of changes, by action, to skill and nodes.
    #[inline(always)]
    fn climb_tile<const STRIDE: usize>(&mut self, h: usize, first: usize, at: S::u32s, mut tile: [S::f32s; ROW]) {
        let (s, stride) = (self.s, self.stride::<STRIDE>());
        let [shared, private]: Rates<S> = self.step_size;
        if self.uses.skill {
            for (skill, change) in self.skill[h * stride + first..][..ROW].iter_mut().zip(&tile) {
                *skill = s.mul_add_f32s(*change, shared, *skill);
            }
        }
        if self.uses.memory {
            for change in &mut tile {
                *change = s.mul_f32s(*change, private);
            }
            s.add_rows(&mut self.tree.levels[h].rows, at, s.transpose(tile));
        }
    }
}

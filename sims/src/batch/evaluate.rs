//! Exact measurements on all prompts of a range, as [`crate::measure`] has them.

use super::block::Block;
use super::lanes::Lanes;
use super::math::{exp2, log2};
use super::memory;
use super::search::bit_rows;
use crate::measure::{Measured, PASS_KS};
use std::f32::consts::LN_2;
use std::ops::Range;

/// Numbers measured: pass@k, then mode accuracy, covariance, entropy, KL, length.
pub(super) const MEASURES: usize = PASS_KS.len() + 5;
/// Prompts added up before their sum is added to the total, so that rounding does not grow with the number of prompts.
pub(super) const CHUNK: usize = 16;

/// Means per measure and lane.
pub(super) struct Means<S: Lanes>(pub(super) [S::f32s; MEASURES]);

impl<S: Lanes> Means<S> {
    /// pass@1.
    #[inline(always)]
    pub(super) fn success(&self) -> S::f32s {
        self.0[0]
    }

    /// Those of one lane.
    pub(super) fn lane(&self, lane: usize) -> Measured {
        let at = |i: usize| memory::lane::<S>(self.0[i], lane);
        let fixed = PASS_KS.len();
        let measured = Measured {
            pass_at: (0..fixed).map(at).collect(),
            mode_accuracy: at(fixed),
            covariance: at(fixed + 1),
            entropy: at(fixed + 2),
            kl: at(fixed + 3),
            mean_length: at(fixed + 4),
        };
        measured.or_none()
    }
}

impl<S: Lanes> Block<'_, S> {
    /// Means over `prompts`.
    #[inline(always)]
    pub(super) fn measure(&mut self, prompts: Range<usize>) -> Means<S> {
        assert!(
            !self.lists_right_responses(),
            "worlds whose right responses are listed show their success only, and only without shared skill"
        );
        let s = self.s;
        let zero = s.splat_f32s(0.0);
        let mut total = [zero; MEASURES];
        for first in prompts.clone().step_by(CHUNK) {
            let mut part = [zero; MEASURES];
            for prompt in first..prompts.end.min(first + CHUNK) {
                if self.shape.is_tree() {
                    self.add_tree(prompt, &mut part);
                } else {
                    self.measure_one(prompt, &mut part);
                }
            }
            for i in 0..MEASURES {
                total[i] = s.add_f32s(total[i], part[i]);
            }
        }
        let share = s.splat_f32s(1.0 / prompts.len() as f32);
        for mean in &mut total {
            *mean = s.mul_f32s(*mean, share);
        }
        if !self.shape.ends() {
            total[MEASURES - 1] = s.splat_f32s(self.shape.depth as f32);
        }
        Means(total)
    }

    /// Adds the measures of one prompt of trees.
    #[inline(always)]
    fn add_tree(&mut self, prompt: usize, sums: &mut [S::f32s; MEASURES]) {
        let s = self.s;
        let found = self.measure_tree(prompt);
        let covariance = s.mul_add_f32s(found.success, found.entropy, found.success_logprob);
        self.add(sums, found.success, [found.mode_right, covariance, found.entropy, found.kl, found.length]);
    }

    /// Adds pass@k from the chance of success, then mode accuracy, covariance, entropy and KL, these three in units of log 2, and length.
    #[inline(always)]
    fn add(&self, sums: &mut [S::f32s; MEASURES], success: S::f32s, [mode, covariance, entropy, kl, length]: [S::f32s; 5]) {
        let (s, nats) = (self.s, self.s.splat_f32s(LN_2));
        let mut pass = success;
        for sum in &mut sums[..PASS_KS.len()] {
            *sum = s.add_f32s(*sum, pass);
            pass = s.mul_f32s(pass, s.sub_f32s(s.splat_f32s(2.0), pass));
        }
        let fixed = PASS_KS.len();
        sums[fixed] = s.add_f32s(sums[fixed], mode);
        sums[fixed + 1] = s.mul_add_f32s(covariance, nats, sums[fixed + 1]);
        sums[fixed + 2] = s.mul_add_f32s(entropy, nats, sums[fixed + 2]);
        sums[fixed + 3] = s.mul_add_f32s(kl, nats, sums[fixed + 3]);
        sums[fixed + 4] = s.add_f32s(sums[fixed + 4], length);
    }

    /// Adds the measures of one prompt of bandits.
    #[inline(always)]
    fn measure_one(&mut self, prompt: usize, sums: &mut [S::f32s; MEASURES]) {
        let (s, arms, rows) = (self.s, self.shape.arms, bit_rows(self.shape.arms));
        let zero = s.splat_f32s(0.0);
        let remembered = self.uses.memory && self.shape.domain.contains(&prompt);
        let own = if remembered { (prompt - self.shape.domain.start) * arms } else { 0 };
        let base = &self.base[prompt * arms..][..arms];
        // the first slot's logits serve as scratch: every step computes them anew
        let logits = &mut self.step.logits[..arms];
        let bits = &self.right[prompt * rows..][..rows];
        let mut top = s.splat_f32s(f32::NEG_INFINITY);
        let mut mode = zero;
        for arm in 0..arms {
            let mut x = s.add_f32s(base[arm], self.skill[arm]);
            if remembered {
                x = s.add_f32s(x, self.memory[own + arm]);
            }
            logits[arm] = x;
            let right = s.select_f32s(s.meets(bits[arm / 32], s.splat_u32s(1 << (arm % 32))), s.splat_f32s(1.0), zero);
            mode = s.select_f32s(s.greater_than_f32s(x, top), right, mode);
            top = s.max_f32s(top, x);
        }
        let [mut total, mut moment, mut success, mut success_moment, mut gained] = [zero; 5];
        for arm in 0..arms {
            let (x, w) = exp2(s, s.sub_f32s(logits[arm], top));
            let share = s.select_f32s(s.meets(bits[arm / 32], s.splat_u32s(1 << (arm % 32))), w, zero);
            total = s.add_f32s(total, w);
            moment = s.mul_add_f32s(w, x, moment);
            success = s.add_f32s(success, share);
            success_moment = s.mul_add_f32s(share, x, success_moment);
            gained = s.mul_add_f32s(w, s.sub_f32s(logits[arm], base[arm]), gained);
        }
        let inverse = s.div_f32s(s.splat_f32s(1.0), total);
        let log_total = log2(s, total).0;
        let (success, moment) = (s.mul_f32s(success, inverse), s.mul_f32s(moment, inverse));
        let entropy = s.sub_f32s(log_total, moment);
        // KL = E[logit - base] - log sum
        let kl = s.sub_f32s(s.mul_f32s(gained, inverse), s.add_f32s(top, log_total));
        // Cov = E[1 log pi] + P H, with log pi = x - log_total
        let success_moment = s.mul_f32s(success_moment, inverse);
        let covariance = s.sub_f32s(success_moment, s.mul_f32s(success, moment));
        self.add(sums, success, [mode, covariance, entropy, kl, s.splat_f32s(1.0)]);
    }
}

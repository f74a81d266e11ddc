//! Weighing the arms of a policy, on the way from logits to running sums, weights or probabilities.

use super::lanes::{Kernel, Lanes};
use super::math::{log2, weight_of};
use std::f32::consts::LN_2;

/// A sum of weights that is further from 1 than this has moved far: below, small weights would be lost.
const FAR: f32 = 1e18;

/// The policy at one prompt: sum of weights 2^logit, their moment, and their sum over right arms.
#[derive(Clone, Copy)]
pub(super) struct Weights<S: Lanes> {
    pub(super) total: S::f32s,
    pub(super) moment: S::f32s,
    pub(super) right: S::f32s,
}

impl<S: Lanes> Weights<S> {
    /// Entropy of the policy, in nats.
    #[inline(always)]
    pub(super) fn entropy(&self, s: S) -> S::f32s {
        entropy(s, self.total, self.moment)
    }

    /// The same, of logits less the largest, with a [`known`] sum.
    #[inline(always)]
    pub(super) fn known(self, s: S) -> Self {
        Weights { total: known(s, self.total), ..self }
    }
}

/// Entropy, in nats, of weights with this sum and moment.
#[inline(always)]
pub(super) fn entropy<S: Lanes>(s: S, total: S::f32s, moment: S::f32s) -> S::f32s {
    s.mul_f32s(s.sub_f32s(log2(s, total).0, s.div_f32s(moment, total)), s.splat_f32s(LN_2))
}

/// What is kept of every arm of a policy.
pub(super) trait Keep<S: Lanes> {
    /// A row of the table it is kept in.
    type Row;
    /// That of an arm of some `weight`, `sum` being that of all up to it.
    fn row(s: S, weight: S::f32s, sum: S::f32s) -> Self::Row;
}

/// The largest of each lane, in four chains: the order of maxima changes nothing.
#[inline(always)]
pub(super) fn largest<S: Lanes>(s: S, all: &[S::f32s]) -> S::f32s {
    let mut tops = [s.splat_f32s(f32::NEG_INFINITY); 4];
    for chunk in all.chunks(4) {
        for (top, x) in tops.iter_mut().zip(chunk) {
            *top = s.max_f32s(*top, *x);
        }
    }
    s.max_f32s(s.max_f32s(tops[0], tops[1]), s.max_f32s(tops[2], tops[3]))
}

/// Weighs the arms of a policy, and keeps what is to be kept of them; only where `DESCRIBED` also their moment and the right ones.
pub(super) struct Weigh<'k, S: Lanes, K: Keep<S>, L: Logits<S>, const DESCRIBED: bool> {
    pub(super) logits: L,
    pub(super) is_right: &'k [S::m32s],
    pub(super) kept: &'k mut [K::Row],
}

/// Logits, arm by arm.
pub(super) trait Logits<S: Lanes> {
    /// All of them.
    fn all(self, s: S) -> impl Iterator<Item = S::f32s>;
}

/// They are loaded, and `shift` taken off them.
pub(super) struct Loaded<'k, S: Lanes> {
    pub(super) logits: &'k [S::f32s],
    pub(super) shift: S::f32s,
}

/// They are computed on the way; where they are kept, they go to a table.
pub(super) struct Summed<'k, S: Lanes, const KEPT: bool> {
    pub(super) anchor: &'k [S::f32s],
    pub(super) skill: &'k [S::f32s],
    pub(super) kept: &'k mut [S::f32s],
}

impl<S: Lanes> Logits<S> for Loaded<'_, S> {
    #[inline(always)]
    fn all(self, s: S) -> impl Iterator<Item = S::f32s> {
        self.logits.iter().map(
            #[inline(always)]
            move |logit| s.sub_f32s(*logit, self.shift),
        )
    }
}

impl<S: Lanes, const KEPT: bool> Logits<S> for Summed<'_, S, KEPT> {
    #[inline(always)]
    fn all(self, s: S) -> impl Iterator<Item = S::f32s> {
        self.anchor.iter().zip(self.skill).zip(self.kept).map(
            #[inline(always)]
            move |((anchor, skill), kept)| {
                let x = s.add_f32s(*anchor, *skill);
                if KEPT {
                    *kept = x;
                }
                x
            },
        )
    }
}

impl<S: Lanes, K: Keep<S>, L: Logits<S>, const DESCRIBED: bool> Kernel<S> for Weigh<'_, S, K, L, DESCRIBED> {
    type Output = Weights<S>;
    #[inline(always)]
    fn run(self, s: S) -> Weights<S> {
        let zero = s.splat_f32s(0.0);
        let [mut total, mut moment, mut right] = [zero; 3];
        for (logit, (kept, is_right)) in self.logits.all(s).zip(self.kept.iter_mut().zip(self.is_right)) {
            let (x, w) = weight_of(s, logit);
            total = s.add_f32s(total, w);
            *kept = K::row(s, w, total);
            if DESCRIBED {
                moment = s.mul_add_f32s(w, x, moment);
                right = s.select_f32s(*is_right, s.add_f32s(right, w), right);
            }
        }
        Weights { total, moment, right }
    }
}

/// Weighs by themselves, once for all who ask, arms whose logits are given.
#[inline(always)]
pub(super) fn weigh<S: Lanes, K: Keep<S>, L: Logits<S>>(
    s: S,
    logits: L,
    described: bool,
    is_right: &[S::m32s],
    kept: &mut [K::Row],
) -> Weights<S> {
    if described {
        s.enter(Weigh::<S, K, L, true> { logits, is_right, kept })
    } else {
        s.enter(Weigh::<S, K, L, false> { logits, is_right, kept })
    }
}

/// Where a sum of weights has moved far.
#[inline(always)]
pub(super) fn is_far<S: Lanes>(s: S, total: S::f32s) -> S::m32s {
    is_beyond(s, total, FAR)
}

/// Where a flow moves the shift: earlier than those who look at its policy and weigh it anew would, so that these need not.
#[inline(always)]
pub(super) fn has_drifted<S: Lanes>(s: S, total: S::f32s) -> S::m32s {
    is_beyond(s, total, 0.1 * FAR)
}

/// Where a sum of weights is not within a factor of `limit` of 1.
#[inline(always)]
fn is_beyond<S: Lanes>(s: S, total: S::f32s, limit: f32) -> S::m32s {
    let (low, high) = (s.splat_f32s(1.0 / limit), s.splat_f32s(limit));
    s.not_m32s(s.and_m32s(s.greater_than_or_equal_f32s(total, low), s.less_than_or_equal_f32s(total, high)))
}

/// The sum of weights less the largest logit, which is no number where it has left the range of numbers, for then all draws are of the first arm.
#[inline(always)]
pub(super) fn known<S: Lanes>(s: S, total: S::f32s) -> S::f32s {
    s.select_f32s(s.less_than_or_equal_f32s(total, s.splat_f32s(FAR)), total, s.splat_f32s(f32::NAN))
}

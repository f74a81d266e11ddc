//! Exact flows: expected gradients into which rewards enter as they are, so that the policy is pushed straight by what responses earn.
//!
//! At a single prompt, the steps between two looks are made at once, each in two passes over the arms: the first says what every arm pushes by, the second
//! moves the logits and weighs them at once. That is one kernel for each formula, and all it reads stays in the first cache.
//!
//! ```text
//! by      = rate * chance * (push - mean push)
//! weight' = weight * 2^by                         where |by| <= SMALL for all arms of a lane in this step and the one before it, but for every PERIOD-th step;
//!         = 2^(logit + by)                        otherwise
//! ```
//!
//! Each product is rounded once and errs by a quarter of an ulp at most besides, so that a weight is within `PERIOD` ulp of what its logit says.

use super::lanes::{Kernel, Lanes};
use super::math::{SMALL, log2, times_exp2, weight_of};
use super::number::Lane;
use super::shown::{Draw, Scores, Shown};
use super::weigh::{entropy, has_drifted};
use crate::config::KlForm;
use crate::objective::kl_slope;
use crate::seen::Seen;
use crate::signals::Written;
use std::marker::PhantomData;

/// What rewards are joined by before they push: `r - kl_beta d kl / d log pi - entropy_coeff log pi`, up to a number that is the same for all responses, which
/// moves no policy.
#[derive(Clone, Copy)]
pub(super) struct Pulls<S: Lanes> {
    /// Weight of the KL penalty and its form, if there is one.
    pub(super) kl: Option<(Lane<S>, KlForm)>,
    /// Weight of the entropy bonus, if there is one.
    pub(super) entropy: Option<Lane<S>>,
}

/// What rewards become: each is a loop of its own, in which nothing branches.
trait Pull<S: Lanes> {
    fn pulled(&self, reward: Lane<S>, draw: &Draw<S>) -> Lane<S>;
}

/// Not at all.
struct Free;

/// To the base model, as k2 does.
struct Leash<S: Lanes>(Lane<S>);

/// To the base model, in any form, and to entropy.
struct Any<S: Lanes> {
    kl: (Lane<S>, KlForm),
    entropy: Lane<S>,
}

/// `x - weight * y`, rounded once.
#[inline(always)]
fn less<S: Lanes>(x: Lane<S>, weight: Lane<S>, y: Lane<S>) -> Lane<S> {
    Lane { x: x.s.mul_add_f32s(x.s.neg_f32s(weight.x), y.x, x.x), ..x }
}

impl<S: Lanes> Pull<S> for Free {
    #[inline(always)]
    fn pulled(&self, reward: Lane<S>, _: &Draw<S>) -> Lane<S> {
        reward
    }
}

impl<S: Lanes> Pull<S> for Leash<S> {
    #[inline(always)]
    fn pulled(&self, reward: Lane<S>, draw: &Draw<S>) -> Lane<S> {
        less(reward, self.0, kl_slope(KlForm::K2, draw.log_ratio()))
    }
}

impl<S: Lanes> Pull<S> for Any<S> {
    #[inline(always)]
    fn pulled(&self, reward: Lane<S>, draw: &Draw<S>) -> Lane<S> {
        less(less(reward, self.kl.0, kl_slope(self.kl.1, draw.log_ratio())), self.entropy, draw.logprob())
    }
}

/// What is compiled for every pull.
trait UnderPull<S: Lanes> {
    fn run(self, pull: &impl Pull<S>);
}

impl<S: Lanes> Pulls<S> {
    #[inline(always)]
    fn apply(self, s: S, to: impl UnderPull<S>) {
        match (self.entropy, self.kl) {
            (None, None) => to.run(&Free),
            (None, Some((beta, KlForm::K2 | KlForm::K3Plus))) => to.run(&Leash(beta)),
            (entropy, kl) => {
                let none = Lane { s, x: s.splat_f32s(0.0) };
                to.run(&Any { kl: kl.unwrap_or((none, KlForm::K1)), entropy: entropy.unwrap_or(none) });
            }
        }
    }
}

/// The slope of an arm with this push, where `mean` is that of all.
#[inline(always)]
pub(super) fn slope_around<S: Lanes>(s: S, push: S::f32s, mean: S::f32s, chance: S::f32s) -> S::f32s {
    s.mul_f32s(s.sub_f32s(push, mean), chance)
}

/// Pushes of all draws that earn what `F` says; gives their sum under `weights`, made of two parts: one would wait for itself at every draw.
#[inline(always)]
fn push_all<S: Lanes, F: Written>(
    shown: &Shown<S>,
    pull: &impl Pull<S>,
    weights: impl Iterator<Item = S::f32s>,
    pushes: &mut [S::f32s],
) -> S::f32s {
    let s = shown.s;
    let mut sums = [s.splat_f32s(0.0); 2];
    let mut all = pushes.iter_mut().zip(weights).enumerate();
    loop {
        for sum in &mut sums {
            let Some((index, (push, weight))) = all.next() else { return s.add_f32s(sums[0], sums[1]) };
            let draw = Draw { shown, index };
            *push = pull.pulled(Lane { s, x: F::reward(&draw) }, &draw).x;
            *sum = s.mul_add_f32s(weight, *push, *sum);
        }
    }
}

/// What all responses, each once, push the policy by.
pub struct Pushes<'a, S: Lanes> {
    pub(super) pulls: Pulls<S>,
    /// Probabilities of the responses.
    pub(super) chances: &'a [Lane<S>],
    pub(super) pushes: &'a mut [S::f32s],
    /// The mean push.
    pub(super) mean: S::f32s,
}

/// Fills in pushes.
struct Fill<'f, 'a, S: Lanes, F> {
    all: &'f mut Pushes<'a, S>,
    shown: &'f Shown<'f, S>,
    formula: PhantomData<F>,
}

impl<S: Lanes, F: Written> UnderPull<S> for Fill<'_, '_, S, F> {
    #[inline(always)]
    fn run(self, pull: &impl Pull<S>) {
        let chances = self.all.chances.iter().map(
            #[inline(always)]
            |chance| chance.x,
        );
        self.all.mean = push_all::<S, F>(self.shown, pull, chances, self.all.pushes);
    }
}

impl<S: Lanes> Pushes<'_, S> {
    /// Fills in what draws push by that earn what `F` says.
    #[inline(always)]
    pub(crate) fn fill<F: Written>(&mut self, shown: &Shown<S>) {
        self.pulls.apply(shown.s, Fill { all: self, shown, formula: PhantomData::<F> });
    }
}

/// After the steps that this divides, a flow weighs all logits anew.
const PERIOD: usize = 32;

/// Where a flow is, lane by lane.
#[derive(Clone, Copy)]
pub(super) struct Pace<S: Lanes> {
    /// Sum of the weights.
    pub(super) total: S::f32s,
    /// How far the last step moved a logit, at most.
    pub(super) largest: S::f32s,
}

impl<S: Lanes> Pace<S> {
    /// Where weights are not to be multiplied: the step just made was too large for that, or is likely to be, as the one before it was.
    #[inline(always)]
    fn is_quick(&self, s: S) -> S::m32s {
        s.not_m32s(s.less_than_or_equal_f32s(self.largest, s.splat_f32s(SMALL)))
    }
}

/// A policy at a single prompt, under way.
pub struct Flow<'a, S: Lanes> {
    pub(super) pulls: Pulls<S>,
    /// Step size.
    pub(super) rate: S::f32s,
    /// Steps to make, and the first of them; steps made.
    pub(super) steps: usize,
    pub(super) first: usize,
    pub(super) made: usize,
    pub(super) pace: Pace<S>,
    /// Weights by arm.
    pub(super) weights: &'a mut [S::f32s],
    /// Logits by arm before training, and what it has added to them.
    pub(super) anchor: &'a [S::f32s],
    pub(super) skill: &'a mut [S::f32s],
    /// Scratch by arm.
    pub(super) pushes: &'a mut [S::f32s],
}

/// Makes the steps of a flow.
struct Advance<'f, 'a, S: Lanes, F> {
    flow: &'f mut Flow<'a, S>,
    shown: &'f Shown<'f, S>,
    formula: PhantomData<F>,
}

impl<S: Lanes> Flow<'_, S> {
    /// Goes on by what draws earn as `F` says, until all steps are made, or logits have moved so far that their shift must.
    #[inline(always)]
    pub(crate) fn advance<F: Written>(&mut self, shown: &Shown<S>) {
        self.pulls.apply(shown.s, Advance { flow: self, shown, formula: PhantomData::<F> });
    }

    /// Moves the logits by pushes of this sum, and weighs them. How a lane's are weighed depends on that lane alone.
    #[inline(always)]
    fn step(&mut self, s: S, sum: S::f32s) {
        let quick = self.pace.is_quick(s);
        self.made += 1;
        if (self.first + self.made).is_multiple_of(PERIOD) || !s.any(s.not_m32s(quick)) {
            return self.pass::<true>(s, sum);
        }
        self.pass::<false>(s, sum);
        let quick = s.or_m32s(quick, self.pace.is_quick(s));
        if s.any(quick) {
            self.weigh_anew(s, quick);
        }
    }

    /// Moves the logits and, `ANEW` or by multiplying, their weights.
    #[inline(always)]
    fn pass<const ANEW: bool>(&mut self, s: S, sum: S::f32s) {
        let inverse = s.div_f32s(s.splat_f32s(1.0), self.pace.total);
        let (mean, rate) = (s.mul_f32s(sum, inverse), s.mul_f32s(self.rate, inverse));
        let [mut total, mut largest] = [s.splat_f32s(0.0); 2];
        let policy = self.anchor.iter().zip(&mut *self.skill).zip(&mut *self.weights);
        for (((anchor, skill), weight), push) in policy.zip(&*self.pushes) {
            let by = s.mul_f32s(slope_around(s, *push, mean, *weight), rate);
            let moved = s.add_f32s(*skill, by);
            let next = if ANEW { weight_of(s, s.add_f32s(*anchor, moved)).1 } else { times_exp2(s, *weight, by) };
            (*skill, *weight) = (moved, next);
            total = s.add_f32s(total, next);
            largest = s.max_f32s(s.abs_f32s(by), largest);
        }
        self.pace = Pace { total, largest };
    }

    /// Weighs the logits of these lanes anew.
    fn weigh_anew(&mut self, s: S, lanes: S::m32s) {
        let Flow { anchor, skill, weights, pace, .. } = self;
        pace.total = s.enter(Anew { lanes, anchor, skill, weights, total: pace.total });
    }

    /// The entropy of the policy, in nats.
    #[inline(always)]
    fn entropy(&self, s: S) -> S::f32s {
        let mut moment = s.splat_f32s(0.0);
        for (weight, (anchor, skill)) in self.weights.iter().zip(self.anchor.iter().zip(&*self.skill)) {
            moment = s.mul_add_f32s(*weight, s.add_f32s(*anchor, *skill), moment);
        }
        entropy(s, self.pace.total, moment)
    }
}

/// Weighs the logits of some lanes anew, and gives the sum of all weights.
pub(super) struct Anew<'k, S: Lanes> {
    pub(super) lanes: S::m32s,
    pub(super) anchor: &'k [S::f32s],
    pub(super) skill: &'k [S::f32s],
    /// Weights by arm, and what they add up to.
    pub(super) weights: &'k mut [S::f32s],
    pub(super) total: S::f32s,
}

impl<S: Lanes> Kernel<S> for Anew<'_, S> {
    type Output = S::f32s;
    #[inline(always)]
    fn run(self, s: S) -> S::f32s {
        let mut total = s.splat_f32s(0.0);
        for (weight, (anchor, skill)) in self.weights.iter_mut().zip(self.anchor.iter().zip(self.skill)) {
            let anew = weight_of(s, s.add_f32s(*anchor, *skill)).1;
            total = s.add_f32s(total, anew);
            *weight = s.select_f32s(self.lanes, anew, *weight);
        }
        s.select_f32s(self.lanes, total, self.total)
    }
}

impl<S: Lanes, F: Written> UnderPull<S> for Advance<'_, '_, S, F> {
    #[inline(always)]
    fn run(self, pull: &impl Pull<S>) {
        let (s, flow) = (self.shown.s, self.flow);
        // tables of one length, so that no bound is looked at arm by arm
        let arms = flow.pushes.len();
        let listed = self.shown.scores.listed.map(
            #[inline(always)]
            |listed| &listed[..arms],
        );
        loop {
            let log_sum = log2(s, flow.pace.total).0;
            let (logits, gained) = (&flow.anchor[..arms], Some(&flow.skill[..arms]));
            let scores = Scores { logits, gained, listed, log_sum, entropy: flow.entropy(s), ..self.shown.scores };
            let shown = Shown { scores: scores.summed::<F>(s), ..*self.shown };
            let sum = push_all::<S, F>(&shown, pull, flow.weights[..arms].iter().copied(), flow.pushes);
            flow.step(s, sum);
            if flow.made == flow.steps || s.any(has_drifted(s, flow.pace.total)) {
                return;
            }
        }
    }
}

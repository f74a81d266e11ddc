//! Exact flows: expected gradients into which rewards enter as they are, so that the policy is pushed straight by what responses earn.
//!
//! At a single prompt, the steps between two looks are made at once, each in two passes over the arms: the first says what every arm pushes by, the second
//! moves the logits and weighs them at once. That is one kernel for each formula, and all it reads stays in the first cache.

use super::lanes::{Kernel, Lanes};
use super::math::log2;
use super::number::Lane;
use super::shown::{Draw, Scores, Shown};
use super::weigh::{Keep, Logits, Weigh, Weights, is_far};
use crate::config::KlForm;
use crate::objective::kl_slope;
use crate::seen::Seen;
use crate::signals::Written;
use std::marker::PhantomData;
use std::mem::swap;

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

/// Weights as they are.
pub(super) struct Bare;

impl<S: Lanes> Keep<S> for Bare {
    type Row = S::f32s;
    #[inline(always)]
    fn row(_: S, weight: S::f32s, _: S::f32s) -> S::f32s {
        weight
    }
}

/// A policy at a single prompt, under way.
pub struct Flow<'a, S: Lanes> {
    pub(super) pulls: Pulls<S>,
    /// Step size.
    pub(super) rate: S::f32s,
    /// Steps to make, and made.
    pub(super) steps: usize,
    pub(super) made: usize,
    /// log2 of the sum of weights, weights by arm, and what these add up to.
    pub(super) log_sum: S::f32s,
    pub(super) weights: &'a mut [S::f32s],
    pub(super) weighed: Weights<S>,
    /// Logits by arm, what they were before training, and what it has added to them.
    pub(super) logits: &'a mut [S::f32s],
    pub(super) anchor: &'a [S::f32s],
    pub(super) skill: &'a mut [S::f32s],
    /// Scratch by arm: pushes, and weights after the next step.
    pub(super) pushes: &'a mut [S::f32s],
    pub(super) next: &'a mut [S::f32s],
    pub(super) is_right: &'a [S::m32s],
}

/// Makes the steps of a flow.
struct Advance<'f, 'a, S: Lanes, F> {
    flow: &'f mut Flow<'a, S>,
    shown: &'f Shown<'f, S>,
    formula: PhantomData<F>,
}

/// Logits that move on the way.
struct Moved<'k, S: Lanes> {
    anchor: &'k [S::f32s],
    skill: &'k mut [S::f32s],
    logits: &'k mut [S::f32s],
    pushes: &'k [S::f32s],
    weights: &'k [S::f32s],
    /// Step size over the sum of the weights.
    rate: S::f32s,
    mean: S::f32s,
}

impl<S: Lanes> Logits<S> for Moved<'_, S> {
    #[inline(always)]
    fn all(self, s: S) -> impl Iterator<Item = S::f32s> {
        let pushes = self.pushes.iter().zip(self.weights);
        self.anchor.iter().zip(self.skill).zip(self.logits).zip(pushes).map(
            #[inline(always)]
            move |(((anchor, skill), logit), (push, weight))| {
                let slope = slope_around(s, *push, self.mean, *weight);
                *skill = s.mul_add_f32s(slope, self.rate, *skill);
                *logit = s.add_f32s(*anchor, *skill);
                *logit
            },
        )
    }
}

impl<S: Lanes> Flow<'_, S> {
    /// Goes on by what draws earn as `F` says, until all steps are made, or logits have moved so far that their shift must.
    #[inline(always)]
    pub(crate) fn advance<F: Written>(&mut self, shown: &Shown<S>) {
        self.pulls.apply(shown.s, Advance { flow: self, shown, formula: PhantomData::<F> });
    }

    /// Moves the logits by pushes of this sum, of which all weights add up to `total`, and weighs them.
    #[inline(always)]
    fn step(&mut self, s: S, sum: S::f32s, total: S::f32s) -> Weights<S> {
        let inverse = s.div_f32s(s.splat_f32s(1.0), total);
        let (mean, rate) = (s.mul_f32s(sum, inverse), s.mul_f32s(self.rate, inverse));
        let Flow { anchor, skill, logits, pushes, weights, .. } = self;
        let logits = Moved { anchor, skill, logits, pushes, weights, rate, mean };
        let weighed = Weigh::<S, Bare, _, true> { logits, is_right: self.is_right, kept: self.next }.run(s);
        swap(&mut self.weights, &mut self.next);
        self.made += 1;
        weighed
    }
}

impl<S: Lanes, F: Written> UnderPull<S> for Advance<'_, '_, S, F> {
    #[inline(always)]
    fn run(self, pull: &impl Pull<S>) {
        let (s, flow) = (self.shown.s, self.flow);
        // by itself, so that what the formula does not look at is not computed
        let mut weighed = flow.weighed;
        // tables of one length, so that no bound is looked at arm by arm
        let arms = flow.pushes.len();
        let listed = self.shown.scores.listed.map(
            #[inline(always)]
            |listed| &listed[..arms],
        );
        loop {
            let scores =
                Scores { logits: &flow.logits[..arms], listed, log_sum: flow.log_sum, entropy: weighed.entropy(s), ..self.shown.scores };
            let shown = Shown { scores: scores.summed::<F>(s), ..*self.shown };
            let sum = push_all::<S, F>(&shown, pull, flow.weights[..arms].iter().copied(), flow.pushes);
            weighed = flow.step(s, sum, weighed.total);
            if flow.made == flow.steps || s.any(is_far(s, weighed.total)) {
                return;
            }
            flow.log_sum = log2(s, weighed.total).0;
        }
    }
}

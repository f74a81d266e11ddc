//! Signals: what pays. One file each; adding one is a file, a `mod` line and a line in [`SIGNALS`].
//!
//! A signal is one formula over what a rollout shows ([`Seen`]): a condition that pays 1 ([`Holds`]), a number ([`Value`]) or the probability of a coin
//! ([`Coin`]). The formula is generic over the kind of number, so the reference loop (`f64`), the batched engine (`f32`, one replica per lane) and the CUDA
//! kernel (numbers that print themselves) read the same lines. The loop tosses the coins, from the stream when rollouts are sampled, by splitting a response into its two outcomes when all responses are enumerated.

use crate::batch::cuda::term::{Sample, Term};
use crate::batch::flow::{Flow, Pushes};
use crate::batch::lanes::{Kernel, Lanes};
use crate::batch::number::Threshold;
use crate::batch::shown::{Coins, Draw, Shown, Sink};
use crate::config::Signals;
use crate::real::Choice;
use crate::registry::{Entry, Named};
use crate::rollout::Group;
use crate::seen::{Seen, Told};
use std::marker::PhantomData;

mod constant;
mod empo;
mod entropy_min_tok;
mod format;
mod ground_truth;
mod incorrect;
mod incorrect_format;
mod incorrect_label;
mod label_noise;
mod log_policy;
mod log_prior;
mod log_prior_mean;
mod logprob_mean;
mod majority;
mod noisy;
mod none;
mod pass_at_k;
mod random;
mod random_format;
mod rent;
mod self_certainty;
mod shuffled;
mod task_plus_prior;
mod tempered;
mod tilted;

/// Every signal: the truth and its distortions, then what knows no truth, then the controls.
pub static SIGNALS: &[&Signal] = &[
    &ground_truth::SIGNAL,
    &noisy::SIGNAL,
    &label_noise::SIGNAL,
    &pass_at_k::SIGNAL,
    &tilted::SIGNAL,
    &task_plus_prior::SIGNAL,
    &incorrect::SIGNAL,
    &incorrect_format::SIGNAL,
    &incorrect_label::SIGNAL,
    &random::SIGNAL,
    &random_format::SIGNAL,
    &format::SIGNAL,
    &majority::SIGNAL,
    &empo::SIGNAL,
    &self_certainty::SIGNAL,
    &rent::SIGNAL,
    &entropy_min_tok::SIGNAL,
    &log_policy::SIGNAL,
    &logprob_mean::SIGNAL,
    &log_prior::SIGNAL,
    &log_prior_mean::SIGNAL,
    &tempered::SIGNAL,
    &constant::SIGNAL,
    &none::SIGNAL,
    &shuffled::SIGNAL,
];

/// A reward signal.
pub struct Signal {
    /// Name, meaning, formula and source.
    pub entry: Entry,
    /// Whether it never looks at the truth of a rollout.
    pub label_free: bool,
    /// The knobs it uses.
    pub params: &'static [&'static str],
    /// Whether sampled rewards change places at random inside the group.
    pub shuffles: bool,
    /// What a rollout earns.
    pub formula: &'static dyn Formula,
}

impl Signal {
    /// Whether it looks at the base model's log-probabilities.
    pub fn reads_reference(&self) -> bool {
        ["log_prior", "log_prior_mean", "tempered", "tilted", "task_plus_prior"].contains(&self.entry.name)
    }

    /// Rollouts that vote in a group of `group_size` trained on.
    pub fn voters(&self, params: &Signals, group_size: usize) -> usize {
        if self.params.contains(&"votes") && params.votes > 0 { params.votes } else { group_size }
    }

    /// Whether enumerated responses split into the outcomes of a coin.
    pub fn splits(&self) -> bool {
        self.formula.tosses() || self.shuffles
    }

    /// What each rollout of the group earns. Where rewards are dealt at random and all responses are enumerated, that is a coin with the group's mean.
    pub fn pay(&self, group: &Group, params: &Signals) -> Vec<Pay> {
        let pays = self.formula.reference(group, params);
        if self.shuffles && group.size.is_none() { dealt(group, &pays) } else { pays }
    }
}

/// For every rollout a coin with the mean of the group's pays.
fn dealt(group: &Group, pays: &[Pay]) -> Vec<Pay> {
    let amount = |pay: &Pay| match *pay {
        Pay::Value(x) | Pay::Coin(x) => x,
    };
    let mean = group.rollouts.iter().zip(pays).map(|(r, pay)| r.weight * amount(pay)).sum();
    vec![Pay::Coin(mean); pays.len()]
}

/// What a rollout earns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pay {
    /// This much.
    Value(f64),
    /// 1 with this probability, else 0.
    Coin(f64),
}

impl Named for Signal {
    fn entry(&self) -> &Entry {
        &self.entry
    }
}

/// Parameters of signals that pay an amount.
#[derive(Clone, Copy, Debug)]
pub struct Params<N> {
    /// Power alpha of the prior.
    pub prior_power: N,
    /// k = 1/beta: nats of log-prior that a correct answer is worth.
    pub beta_inv: N,
    /// k of pass@k.
    pub pass_k: N,
}

impl Params<f64> {
    /// Those of a configuration.
    pub fn of(p: &Signals) -> Self {
        Params { prior_power: p.prior_power, beta_inv: p.beta_inv, pass_k: p.pass_k as f64 }
    }
}

impl<N> Params<N> {
    /// Each by its name.
    pub fn named(number: impl Fn(&'static str) -> N) -> Self {
        Params { prior_power: number("prior_power"), beta_inv: number("beta_inv"), pass_k: number("pass_k") }
    }

    /// All, in order.
    pub fn values(self) -> Vec<N> {
        vec![self.prior_power, self.beta_inv, self.pass_k]
    }
}

/// Probabilities of coins, as numbers or as whatever else a coin can be compared with.
#[derive(Clone, Copy, Debug)]
pub struct Rates<C> {
    /// P(1 | correct).
    pub tpr: C,
    /// P(1 | incorrect).
    pub fpr: C,
    /// P(1) of a coin that knows nothing.
    pub random_rate: C,
    /// 0.
    pub never: C,
}

impl Rates<f64> {
    /// Those of a configuration.
    pub fn of(p: &Signals) -> Self {
        Rates { tpr: p.tpr, fpr: p.fpr, random_rate: p.random_rate, never: 0.0 }
    }
}

impl<C> Rates<C> {
    /// Each by its name, and nothing.
    pub fn named(rate: impl Fn(&'static str) -> C, never: C) -> Self {
        Rates { tpr: rate("tpr"), fpr: rate("fpr"), random_rate: rate("random_rate"), never }
    }

    /// All but the last, in order.
    pub fn values(self) -> Vec<C> {
        vec![self.tpr, self.fpr, self.random_rate]
    }
}

/// A condition. Its one function, like those of [`Reward`] and [`Chance`], must be `#[inline(always)]`, so that it is compiled with the instructions of its
/// caller.
pub trait Indicator: Sync {
    /// Whether it looks at the votes of the group.
    const VOTES: bool = false;
    /// Whether it looks at log-probabilities, entropies or certainty.
    const SCORES: bool = false;
    /// Whether the rollout earns 1.
    fn holds<R: Seen>(r: &R) -> R::Truth;
}

/// An amount.
pub trait Reward: Sync {
    /// Whether it looks at the votes of the group.
    const VOTES: bool = false;
    /// Whether it looks at log-probabilities, entropies or certainty.
    const SCORES: bool = true;
    /// Whether certainty is among them.
    const CERTAINTY: bool = false;
    /// What the rollout earns.
    fn reward<R: Seen>(r: &R, p: &Params<R::Number>) -> R::Number;
}

/// The probability of a coin: a choice among the rates.
pub trait Chance: Sync {
    /// Whether it looks at log-probabilities, entropies or certainty.
    const SCORES: bool = false;
    /// P(1) of the rollout.
    fn chance<R: Seen, C: Choice<R::Truth>>(r: &R, p: &Rates<C>) -> C;
}

/// Pays 1 where a condition holds.
pub struct Holds<F>(pub F);

/// Pays an amount.
pub struct Value<F>(pub F);

/// Pays 1 where a coin falls right.
pub struct Coin<F>(pub F);

/// A formula, written once, as each engine calls it.
pub trait Formula: Sync {
    /// Whether it looks at the votes of the group.
    fn looks_at_votes(&self) -> bool;
    /// Whether it looks at log-probabilities, entropies or certainty.
    fn looks_at_scores(&self) -> bool;
    /// Whether it is the probability of a coin.
    fn tosses(&self) -> bool;
    /// What a draw earns, printed for a kernel.
    fn printed<'b>(&self, sample: &Sample<'b>) -> Term<'b>;
    /// What each rollout of the group earns, in the reference loop.
    fn reference(&self, group: &Group, params: &Signals) -> Vec<Pay>;
    /// Pays the draws of a group, in lanes without vector instructions.
    fn scalar(&self, s: pulp::Scalar, shown: &Shown<pulp::Scalar>, sink: Sink<pulp::Scalar>);
    /// The same with AVX2.
    #[cfg(target_arch = "x86_64")]
    fn v3(&self, s: pulp::x86::V3, shown: &Shown<pulp::x86::V3>, sink: Sink<pulp::x86::V3>);
    /// The same with AVX-512.
    #[cfg(target_arch = "x86_64")]
    fn v4(&self, s: pulp::x86::V4, shown: &Shown<pulp::x86::V4>, sink: Sink<pulp::x86::V4>);
}

/// A formula as it is for any backend of the batched engine, and for a kernel.
pub(crate) trait Written: Sync {
    const VOTES: bool;
    const SCORES: bool;
    const CERTAINTY: bool = false;
    const TOSSES: bool = false;
    fn printed<'b>(sample: &Sample<'b>) -> Term<'b>;
    fn pay(told: &Told, params: &Signals) -> Pay;
    /// What the draw earns; the probability of its coin where coins are not tossed but split.
    fn reward<S: Lanes>(draw: &Draw<S>) -> S::f32s;
}

impl<F: Indicator> Written for Holds<F> {
    const VOTES: bool = F::VOTES;
    const SCORES: bool = F::SCORES;

    fn printed<'b>(sample: &Sample<'b>) -> Term<'b> {
        sample.number_if(F::holds(sample))
    }

    fn pay(told: &Told, _: &Signals) -> Pay {
        Pay::Value(told.number_if(F::holds(told)))
    }

    #[inline(always)]
    fn reward<S: Lanes>(draw: &Draw<S>) -> S::f32s {
        draw.number_if(F::holds(draw)).x
    }
}

impl<F: Reward> Written for Value<F> {
    const VOTES: bool = F::VOTES;
    const SCORES: bool = F::SCORES;
    const CERTAINTY: bool = F::CERTAINTY;

    fn printed<'b>(sample: &Sample<'b>) -> Term<'b> {
        F::reward(sample, &sample.params())
    }

    fn pay(told: &Told, params: &Signals) -> Pay {
        Pay::Value(F::reward(told, &Params::of(params)))
    }

    #[inline(always)]
    fn reward<S: Lanes>(draw: &Draw<S>) -> S::f32s {
        F::reward(draw, draw.shown.params).x
    }
}

impl<F: Chance> Written for Coin<F> {
    const VOTES: bool = false;
    const SCORES: bool = F::SCORES;
    const TOSSES: bool = true;

    fn printed<'b>(sample: &Sample<'b>) -> Term<'b> {
        sample.number_if(sample.tossed(F::chance(sample, &sample.rates())))
    }

    fn pay(told: &Told, params: &Signals) -> Pay {
        Pay::Coin(F::chance(told, &Rates::of(params)))
    }

    #[inline(always)]
    fn reward<S: Lanes>(draw: &Draw<S>) -> S::f32s {
        match &draw.shown.coins {
            Coins::Tossed { words, rates } => {
                let threshold: Threshold<S> = F::chance(draw, rates);
                draw.number_if(threshold.admits(draw.shown.s, words[draw.index])).x
            }
            Coins::Split(rates) => F::chance(draw, rates).x,
        }
    }
}

/// Pays a group in lanes.
struct PayGroup<'a, S: Lanes, F> {
    shown: &'a Shown<'a, S>,
    rewards: &'a mut [S::f32s],
    formula: PhantomData<F>,
}

impl<S: Lanes, F: Written> Kernel<S> for PayGroup<'_, S, F> {
    type Output = ();
    #[inline(always)]
    fn run(self, _: S) {
        let params = *self.shown.params;
        let shown = self.shown.own::<F>(&params);
        for (index, reward) in self.rewards.iter_mut().enumerate() {
            *reward = F::reward(&Draw { shown: &shown, index });
        }
    }
}

/// Lets what a group earns push the policy.
struct PushGroup<'s, 'a, S: Lanes, F> {
    shown: &'s Shown<'s, S>,
    pushes: &'s mut Pushes<'a, S>,
    formula: PhantomData<F>,
}

impl<S: Lanes, F: Written> Kernel<S> for PushGroup<'_, '_, S, F> {
    type Output = ();
    #[inline(always)]
    fn run(self, _: S) {
        let params = *self.shown.params;
        let shown = self.shown.own::<F>(&params);
        self.pushes.fill::<F>(&shown);
    }
}

/// Lets what a group earns push the policy, step after step.
struct FollowGroup<'s, 'a, S: Lanes, F> {
    shown: &'s Shown<'s, S>,
    flow: &'s mut Flow<'a, S>,
    formula: PhantomData<F>,
}

impl<S: Lanes, F: Written> Kernel<S> for FollowGroup<'_, '_, S, F> {
    type Output = ();
    #[inline(always)]
    fn run(self, _: S) {
        let params = *self.shown.params;
        self.flow.advance::<F>(&Shown { params: &params, ..*self.shown });
    }
}

fn pay_group<S: Lanes, F: Written>(s: S, shown: &Shown<S>, sink: Sink<S>) {
    match sink {
        Sink::Rewards(rewards) => s.enter(PayGroup::<S, F> { shown, rewards, formula: PhantomData }),
        Sink::Pushes(pushes) => s.enter(PushGroup::<S, F> { shown, pushes, formula: PhantomData }),
        Sink::Flow(flow) => s.enter(FollowGroup::<S, F> { shown, flow, formula: PhantomData }),
    }
}

impl<F: Written> Formula for F {
    fn looks_at_votes(&self) -> bool {
        F::VOTES
    }

    fn looks_at_scores(&self) -> bool {
        F::SCORES
    }

    fn tosses(&self) -> bool {
        F::TOSSES
    }

    fn printed<'b>(&self, sample: &Sample<'b>) -> Term<'b> {
        F::printed(sample)
    }

    fn reference(&self, group: &Group, params: &Signals) -> Vec<Pay> {
        let facts = crate::seen::Facts::new(group, params);
        group.rollouts.iter().map(|rollout| F::pay(&Told { facts: &facts, rollout }, params)).collect()
    }

    fn scalar(&self, s: pulp::Scalar, shown: &Shown<pulp::Scalar>, sink: Sink<pulp::Scalar>) {
        pay_group::<_, F>(s, shown, sink);
    }

    #[cfg(target_arch = "x86_64")]
    fn v3(&self, s: pulp::x86::V3, shown: &Shown<pulp::x86::V3>, sink: Sink<pulp::x86::V3>) {
        pay_group::<_, F>(s, shown, sink);
    }

    #[cfg(target_arch = "x86_64")]
    fn v4(&self, s: pulp::x86::V4, shown: &Shown<pulp::x86::V4>, sink: Sink<pulp::x86::V4>) {
        pay_group::<_, F>(s, shown, sink);
    }
}

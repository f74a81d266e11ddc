//! From rewards to pushes on log-probabilities: the one definition of every baseline, scale, ratio, clip, aggregation and KL term.
//!
//! Everything is written for weighted rollouts. Sampled rollouts weigh 1/G; enumerated responses weigh pi(y), and the same formulas then give the exact
//! expected update.

use crate::config::{Baseline, Geometry, KlForm, KlPlace, LossAgg, Objective, PolicyLoss, RatioLevel, RewardMap, Scale};
use crate::critic::Critic;
use crate::paid::{Columns, Earned, FLAT, Paid};
use crate::real::{Real, Truth};
use crate::rollout::{Rollout, Token};
use statrs::distribution::{Beta, Continuous};

/// Advantages of a batch: `[group][rollout][token]`.
pub type Advantages = Vec<Vec<Vec<f64>>>;

/// A rule's choice of building blocks, with its real-valued knobs as numbers of one kind.
#[derive(Clone, Copy)]
pub struct Blocks<'a, N> {
    /// The choices, and the whole-valued knobs.
    pub choice: &'a Objective,
    /// The real-valued knobs.
    pub dials: Dials<N>,
}

macro_rules! dials {
    ($($knob:ident),+) => {
        /// Real-valued knobs of [`Objective`] that work inside a response.
        #[derive(Clone, Copy, Debug)]
        pub struct Dials<N> { $(#[doc = concat!("`", stringify!($knob), "`.")] pub $knob: N),+ }

        impl<N> Dials<N> {
            /// Each by its name.
            pub fn named(mut number: impl FnMut(&'static str) -> N) -> Self {
                Dials { $($knob: number(stringify!($knob))),+ }
            }

            /// All, in order.
            pub fn values(self) -> Vec<N> {
                vec![$(self.$knob),+]
            }
        }

        impl Dials<f64> {
            /// Those of `rule`.
            pub fn of(rule: &Objective) -> Self {
                Dials { $($knob: rule.$knob),+ }
            }

            /// Each as another kind of number.
            pub fn map<N>(many: &[Self], mut number: impl FnMut(&dyn Fn(usize) -> f64) -> N) -> Dials<N> {
                Dials { $($knob: number(&|i: usize| many[i].$knob)),+ }
            }
        }
    };
}

dials!(
    std_floor,
    positive_weight,
    negative_weight,
    gamma,
    clip_low,
    clip_high,
    clip_ratio_c,
    cispo_low,
    cispo_high,
    kl_beta,
    entropy_coeff
);

impl<'a> Blocks<'a, f64> {
    /// The blocks of `rule`.
    pub fn of(rule: &'a Objective) -> Self {
        Blocks { choice: rule, dials: Dials::of(rule) }
    }
}

/// What the advantages of a group depend on besides its rewards.
#[derive(Clone, Copy)]
pub struct Around<'a, N> {
    /// What the rule takes from the batch.
    pub batch: OfBatch<N>,
    /// Rewards of the group, weighted by length.
    pub by_length: Earned<'a, N>,
    /// Reward of the greedy response.
    pub greedy: N,
    /// Density of the group's mean under the batch's law of pass rates.
    pub density: N,
}

/// What a rule takes from the rewards of the whole batch; 0 where it takes nothing.
#[derive(Clone, Copy, Debug)]
pub struct OfBatch<N> {
    /// Their mean, as a baseline.
    pub mean: N,
    /// What rewards are divided by.
    pub scale: N,
}

/// The advantage of every token of a batch.
///
/// ```text
/// A_it = (R_i - baseline) / (scale + std_floor) * gamma^(T_i - 1 - t) * weight(sign of R_i)
/// ```
/// with `R_i` the mapped reward less any KL penalty; with a critic, generalised advantage estimation instead; then whitened if the rule says so.
/// `batch` holds shaped rewards, see [`shape`].
pub fn advantages(rule: &Objective, batch: &[Paid], critic: &Critic) -> Advantages {
    let stats = Columns::of(batch.iter().flat_map(Paid::trained), None);
    let of_batch = Blocks::of(rule).of_batch(&stats.earned());
    let mut all: Advantages = batch.iter().map(|paid| group_advantages(rule, paid, batch, of_batch, critic)).collect();
    if rule.whiten {
        whiten(rule, batch, &mut all);
    }
    let blocks = Blocks::of(rule);
    for (paid, group) in batch.iter().zip(&mut all) {
        let weights = paid.rewards.iter().map(|r| blocks.sign_weight(*r));
        group.iter_mut().zip(weights).for_each(|(tokens, w)| tokens.iter_mut().for_each(|a| *a *= w));
    }
    all
}

/// Maps rewards and takes the KL penalty off them, where the rule does so: `R_i`.
pub fn shape(rule: &Objective, mut paid: Paid) -> Paid {
    let blocks = Blocks::of(rule);
    let penalty = |rollout: &Rollout| match rule.kl_place {
        KlPlace::Reward if rule.kl_beta > 0.0 => {
            rule.kl_beta * rollout.tokens.iter().map(|t| kl_value(rule.kl_form, t.ref_logprob - t.logprob)).sum::<f64>()
        }
        _ => 0.0,
    };
    paid.rewards.iter_mut().zip(&paid.group.rollouts).for_each(|(r, rollout)| *r = blocks.mapped(*r) - penalty(rollout));
    paid
}

/// Density at `m` of Beta(1 + a/3, 1 + b/3), with Beta(a, b) fitted to the batch's pass rates by moments; 1 where no Beta law fits: the rates are all
/// equal, or the rewards are no rates.
fn beta_density(batch: &[Paid], m: f64) -> f64 {
    let rates = Columns::of(batch.iter().map(|paid| (1.0, paid.mean())), None);
    let mean = rates.earned().mean();
    let variance = rates.earned().std().powi(2);
    let size = mean * (1.0 - mean) / variance - 1.0;
    if variance < FLAT || size < 0.0 || !(0.0..=1.0).contains(&m) {
        return 1.0;
    }
    let law = Beta::new(1.0 + mean * size / 3.0, 1.0 + (1.0 - mean) * size / 3.0);
    law.map_or(1.0, |law| law.pdf(m))
}

fn group_advantages(rule: &Objective, paid: &Paid, batch: &[Paid], of_batch: OfBatch<f64>, critic: &Critic) -> Vec<Vec<f64>> {
    let rollouts = paid.group.rollouts.iter().zip(&paid.rewards);
    if rule.baseline == Baseline::Critic {
        return rollouts.map(|(rollout, r)| critic.advantages(rule, paid.group.prompt, rollout.length(), *r)).collect();
    }
    let (own, by_length) = (paid.columns(), length_weighted(paid));
    let greedy = paid.rewards.last().copied().unwrap_or(0.0);
    let mean = own.earned().mean();
    let density = if rule.scale == Scale::BetaDensity { beta_density(batch, mean) } else { 1.0 };
    let around = Around { batch: of_batch, by_length: by_length.earned(), greedy, density };
    let blocks = Blocks::of(rule);
    let scale = blocks.divisor(&own.earned(), mean, &around);
    let discounted = |t: usize, length: usize| blocks.discount(length - 1 - t);
    centred(&blocks, paid, &own.earned(), mean, &around)
        .into_iter()
        .zip(rollouts)
        .map(|(c, (rollout, _))| (0..rollout.length()).map(|t| c / scale * discounted(t, rollout.length())).collect())
        .collect()
}

/// Rewards less the rule's baseline, for every rollout; only those trained on can lead.
fn centred(blocks: &Blocks<f64>, paid: &Paid, own: &Earned<f64>, mean: f64, around: &Around<f64>) -> Vec<f64> {
    if blocks.choice.baseline != Baseline::SecondBest {
        let (factor, baseline) = blocks.baseline(own, mean, around);
        return paid.rewards.iter().map(|r| factor * (r - baseline)).collect();
    }
    let mut leads = vec![0.0; own.rewards.len()];
    own.leads(&mut leads);
    let mut leads = leads.into_iter();
    paid.group.rollouts.iter().map(|r| if r.is_trained_on() { leads.next().unwrap_or(0.0) } else { 0.0 }).collect()
}

fn length_weighted(paid: &Paid) -> Columns {
    let rollouts = paid.group.rollouts.iter().zip(&paid.rewards);
    Columns::of(rollouts.map(|(rollout, r)| (rollout.weight * rollout.length() as f64, *r)), paid.group.size)
}

impl Objective {
    /// Whether an expected gradient needs of the other responses nothing but what rewards are centred and scaled by.
    pub(crate) fn takes_each_alone(&self) -> bool {
        self.geometry != Geometry::Natural && self.baseline != Baseline::SecondBest && !self.whiten
    }

    /// Whether rewards are neither mapped nor scaled.
    pub(crate) fn takes_rewards_raw(&self) -> bool {
        self.reward_map == RewardMap::Raw && self.scale == Scale::None
    }
}

impl<N: Real> Blocks<'_, N> {
    /// The reward after the rule's map.
    #[inline(always)]
    pub fn mapped(&self, r: N) -> N {
        match self.choice.reward_map {
            RewardMap::Raw => r,
            RewardMap::Signed => N::choose(r.above(r.like(0.0)), r.like(1.0), r.like(-1.0)),
        }
    }

    /// Weight of a rollout by the sign of its reward.
    #[inline(always)]
    pub fn sign_weight(&self, r: N) -> N {
        N::choose(r.above(r.like(0.0)), self.dials.positive_weight, self.dials.negative_weight)
    }

    /// Weight of a token's advantage with `after` tokens to come: `gamma^after`.
    #[inline(always)]
    pub fn discount(&self, after: usize) -> N {
        self.dials.gamma.powi(after as i32)
    }

    /// log of the probability ratio a token is weighed by, where log pi has grown by `own` at the token and by `sum` over the `length` tokens of its rollout.
    #[inline(always)]
    pub fn log_ratio(&self, own: N, sum: N, length: N) -> N {
        match self.choice.importance_sampling_level {
            RatioLevel::Token => own,
            RatioLevel::Sequence => sum / length,
            RatioLevel::SequenceProduct => sum,
        }
    }

    /// Weight of each token of a rollout in the minibatch's loss, before the mean over groups: that of the rollout over what its tokens share.
    ///
    /// `mean_length` is the mean number of tokens of a rollout in the minibatch (or micro-batch), `longest` the number of the longest possible response.
    #[inline(always)]
    pub fn token_weight(&self, weight: N, length: N, mean_length: N, longest: N) -> N {
        match self.choice.loss_agg_mode {
            LossAgg::TokenMean | LossAgg::TokenMeanLocal => weight / mean_length,
            LossAgg::SeqMeanTokenSum => weight,
            LossAgg::SeqMeanTokenMean => weight / length,
            LossAgg::SeqMeanTokenSumNorm => weight / longest,
        }
    }

    /// The advantage `a` standardised by `mean` and `std` of all.
    #[inline(always)]
    pub fn whitened(&self, a: N, mean: N, std: N) -> N {
        (a - mean) / (std + self.dials.std_floor)
    }

    /// What the rule takes from the rewards of the whole batch.
    #[inline(always)]
    pub fn of_batch(&self, batch: &Earned<N>) -> OfBatch<N> {
        let zero = self.dials.std_floor.like(0.0);
        let mean = if self.choice.baseline == Baseline::BatchMean { batch.mean() } else { zero };
        let scale = match self.choice.scale {
            Scale::BatchStd => batch.std(),
            Scale::NonzeroShare => batch.nonzero_share(),
            _ => zero,
        };
        OfBatch { mean, scale }
    }

    /// Whether the mean of a group is looked at.
    #[inline(always)]
    pub fn looks_at_mean(&self) -> bool {
        matches!(self.choice.baseline, Baseline::GroupMean | Baseline::LeaveOneOut)
            || matches!(self.choice.scale, Scale::GroupStd | Scale::GroupMean)
    }

    /// (factor, baseline) of a group with this `mean`: a centred reward is `factor (R - baseline)`.
    #[inline(always)]
    pub fn baseline(&self, own: &Earned<N>, mean: N, around: &Around<N>) -> (N, N) {
        let (zero, one) = (around.greedy.like(0.0), around.greedy.like(1.0));
        match self.choice.baseline {
            Baseline::None | Baseline::Critic | Baseline::SecondBest => (one, zero),
            Baseline::GroupMean => (one, mean),
            Baseline::LeaveOneOut => (own.size.map_or(one, |g| g / (g - one)), mean),
            Baseline::BatchMean => (one, around.batch.mean),
            Baseline::Greedy => (one, around.greedy),
            Baseline::LengthWeighted => (one, around.by_length.mean()),
        }
    }

    /// What the rounding of a `baseline` that is a mean of the group took off it: nothing to speak of, until it is divided by a small standard deviation.
    #[inline(always)]
    pub fn rounded_off(&self, own: &Earned<N>, baseline: N, around: &Around<N>) -> N {
        match self.choice.baseline {
            Baseline::GroupMean | Baseline::LeaveOneOut => own.mean_above(baseline),
            Baseline::LengthWeighted => around.by_length.mean_above(baseline),
            _ => baseline.like(0.0),
        }
    }

    /// What centred rewards of a group with this `mean` are divided by, floor included; 1 where a group is flat, so that nothing is divided by a floor alone.
    #[inline(always)]
    pub fn divisor(&self, own: &Earned<N>, mean: N, around: &Around<N>) -> N {
        let one = around.greedy.like(1.0);
        let scale = match self.choice.scale {
            Scale::None => return one,
            Scale::GroupStd => own.variance_about(mean, self.choice.std_ddof).sqrt(),
            Scale::BatchStd | Scale::NonzeroShare => around.batch.scale,
            Scale::GroupMean => mean,
            Scale::BetaDensity => around.density,
        };
        N::choose(own.is_flat(), one, scale + self.dials.std_floor)
    }

    /// Derivative of a token's surrogate with respect to log pi, and whether the ratio stopped counting, low or high.
    ///
    /// ```text
    /// score: A            clip: w A, or 0 where min(w A, clip(w) A) is flat            cispo: clip(w) A
    /// ```
    #[inline(always)]
    pub fn push(&self, ratio: N, advantage: N) -> (N, [N::Truth; 2]) {
        let (zero, one, d) = (ratio.like(0.0), ratio.like(1.0), &self.dials);
        let falls = zero.above(advantage);
        let low = falls.and((one - d.clip_low).above(ratio));
        let high = advantage.above(zero).and(ratio.above(one + d.clip_high));
        let dual = d.clip_ratio_c.above(zero).and(falls).and(ratio.above(d.clip_ratio_c));
        let within = N::choose(ratio.above(d.cispo_high), d.cispo_high, N::choose(d.cispo_low.above(ratio), d.cispo_low, ratio));
        let slope = match self.choice.policy_loss {
            PolicyLoss::Score => advantage,
            PolicyLoss::Cispo => within * advantage,
            PolicyLoss::Clip => N::choose(low.not().and(high.not()).and(dual.not()), ratio * advantage, zero),
        };
        (slope, [low, high])
    }
}

/// Standardises advantages over all tokens of the batch.
fn whiten(rule: &Objective, batch: &[Paid], all: &mut Advantages) {
    let rollouts = batch.iter().flat_map(|paid| &paid.group.rollouts).zip(all.iter().flatten());
    let pairs = rollouts.filter(|(r, _)| r.is_trained_on()).flat_map(|(r, tokens)| tokens.iter().map(|a| (r.weight, *a)));
    let stats = Columns::of(pairs, None);
    let (mean, std) = (stats.earned().mean(), stats.earned().std());
    all.iter_mut().flatten().flatten().for_each(|a| *a = Blocks::of(rule).whitened(*a, mean, std));
}

/// Value of the KL estimator at `rho = log pi_ref - log pi`, in nats.
///
/// # Example
/// ```
/// use mta_sims::{config::KlForm, objective::kl_value};
/// assert_eq!(kl_value(KlForm::K1, -0.5), 0.5);
/// assert_eq!(kl_value(KlForm::K2, -0.5), 0.125);
/// assert!((kl_value(KlForm::K3, -0.5) - ((-0.5f64).exp() - 0.5)).abs() < 1e-15);
/// ```
#[inline(always)]
pub fn kl_value<N: Real>(form: KlForm, rho: N) -> N {
    match form {
        KlForm::K1 => -rho,
        KlForm::K2 => rho.like(0.5) * rho * rho,
        KlForm::K3 | KlForm::K3Plus => rho.exp_m1() - rho,
    }
}

/// Derivative of [`kl_value`] with respect to log pi; `k3+` takes that of k2.
#[inline(always)]
pub fn kl_slope<N: Real>(form: KlForm, rho: N) -> N {
    match form {
        KlForm::K1 => rho.like(1.0),
        KlForm::K2 | KlForm::K3Plus => -rho,
        KlForm::K3 => -rho.exp_m1(),
    }
}

/// Counts of tokens whose ratio stopped counting.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Clipped {
    /// Weight of all tokens seen.
    pub tokens: f64,
    /// Below 1 - clip_low with a negative advantage.
    pub low: f64,
    /// Above 1 + clip_high with a positive advantage.
    pub high: f64,
}

impl Clipped {
    /// Sum of two counts.
    pub fn plus(self, other: Clipped) -> Clipped {
        Clipped { tokens: self.tokens + other.tokens, low: self.low + other.low, high: self.high + other.high }
    }
}

/// Coefficients of log pi in the surrogate objective, for one rollout; `now` are its tokens under the current policy, `old` as sampled.
pub fn pushes(rule: &Objective, old: &[Token], now: &[Token], advantages: &[f64], clipped: &mut Clipped) -> Vec<f64> {
    let ratios = ratios(rule, old, now);
    let blocks = Blocks::of(rule);
    let surrogate = |(ratio, advantage): (&f64, &f64)| {
        let (slope, [low, high]) = blocks.push(*ratio, *advantage);
        if rule.policy_loss != PolicyLoss::Score {
            *clipped = clipped.plus(Clipped { tokens: 1.0, low: f64::from(low), high: f64::from(high) });
        }
        slope
    };
    let mut pushes: Vec<f64> = ratios.iter().zip(advantages).map(surrogate).collect();
    if rule.kl_place == KlPlace::Loss && rule.kl_beta > 0.0 {
        pushes.iter_mut().zip(now).for_each(|(p, t)| *p -= rule.kl_beta * kl_slope(rule.kl_form, t.ref_logprob - t.logprob));
    }
    pushes
}

/// pi / pi_old at the level the rule asks for, one per token.
fn ratios(rule: &Objective, old: &[Token], now: &[Token]) -> Vec<f64> {
    let blocks = Blocks::of(rule);
    let logs = old.iter().zip(now).map(|(o, n)| n.logprob - o.logprob);
    let sum: f64 = logs.clone().sum();
    logs.map(|own| blocks.log_ratio(own, sum, old.len() as f64).exp()).collect()
}

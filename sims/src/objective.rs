//! From rewards to pushes on log-probabilities: the one definition of every baseline, scale, ratio, clip, aggregation and KL term.
//!
//! Everything is written for weighted rollouts. Sampled rollouts weigh 1/G; enumerated responses weigh pi(y), and the same formulas then give the exact
//! expected update.

use crate::config::{Baseline, KlForm, KlPlace, LossAgg, Objective, PolicyLoss, RatioLevel, RewardMap, Scale};
use crate::critic::Critic;
use crate::paid::{FLAT, Paid, weighted_mean, weighted_std};
use crate::rollout::{Rollout, Token};
use statrs::distribution::{Beta, Continuous};

/// Advantages of a batch: `[group][rollout][token]`.
pub type Advantages = Vec<Vec<Vec<f64>>>;

/// The advantage of every token of a batch.
///
/// ```text
/// A_it = (R_i - baseline) / (scale + std_floor) * gamma^(T_i - 1 - t) * weight(sign of R_i)
/// ```
/// with `R_i` the mapped reward less any KL penalty; with a critic, generalised advantage estimation instead; then whitened if the rule says so.
/// `batch` holds shaped rewards, see [`shape`].
pub fn advantages(rule: &Objective, batch: &[Paid], critic: &Critic) -> Advantages {
    let stats = Batch(batch);
    let mut all: Advantages = batch.iter().map(|paid| group_advantages(rule, paid, &stats, critic)).collect();
    if rule.whiten {
        whiten(rule, batch, &mut all);
    }
    for (paid, group) in batch.iter().zip(&mut all) {
        let weights = paid.rewards.iter().map(|r| if *r > 0.0 { rule.positive_weight } else { rule.negative_weight });
        group.iter_mut().zip(weights).for_each(|(tokens, w)| tokens.iter_mut().for_each(|a| *a *= w));
    }
    all
}

/// Maps rewards and takes the KL penalty off them, where the rule does so: `R_i`.
pub fn shape(rule: &Objective, mut paid: Paid) -> Paid {
    let map = |r: f64| if rule.reward_map == RewardMap::Signed { if r > 0.0 { 1.0 } else { -1.0 } } else { r };
    let penalty = |rollout: &Rollout| match rule.kl_place {
        KlPlace::Reward if rule.kl_beta > 0.0 => {
            rule.kl_beta * rollout.tokens.iter().map(|t| kl_value(rule.kl_form, t.ref_logprob - t.logprob)).sum::<f64>()
        }
        _ => 0.0,
    };
    paid.rewards.iter_mut().zip(&paid.group.rollouts).for_each(|(r, rollout)| *r = map(*r) - penalty(rollout));
    paid
}

/// What some rules need to know about the whole batch; computed where asked for.
struct Batch<'a>(&'a [Paid]);

impl Batch<'_> {
    fn trained(&self) -> impl Iterator<Item = (f64, f64)> + Clone {
        self.0.iter().flat_map(Paid::trained)
    }

    fn mean(&self) -> f64 {
        weighted_mean(self.trained())
    }

    fn std(&self) -> f64 {
        weighted_std(self.trained(), self.mean())
    }

    /// Share of rollouts that earn anything.
    fn nonzero_share(&self) -> f64 {
        weighted_mean(self.trained().map(|(w, r)| (w, f64::from(r != 0.0))))
    }

    /// Density at `m` of Beta(1 + a/3, 1 + b/3), with Beta(a, b) fitted to the batch's pass rates by moments; 1 where no Beta law fits: the rates are all
    /// equal, or the rewards are no rates.
    fn beta_density(&self, m: f64) -> f64 {
        let rates = || self.0.iter().map(|paid| (1.0, paid.mean()));
        let mean = weighted_mean(rates());
        let variance = weighted_std(rates(), mean).powi(2);
        let size = mean * (1.0 - mean) / variance - 1.0;
        if variance < FLAT || size < 0.0 || !(0.0..=1.0).contains(&m) {
            return 1.0;
        }
        let law = Beta::new(1.0 + mean * size / 3.0, 1.0 + (1.0 - mean) * size / 3.0);
        law.map_or(1.0, |law| law.pdf(m))
    }
}

fn group_advantages(rule: &Objective, paid: &Paid, stats: &Batch, critic: &Critic) -> Vec<Vec<f64>> {
    let rollouts = paid.group.rollouts.iter().zip(&paid.rewards);
    if rule.baseline == Baseline::Critic {
        return rollouts.map(|(rollout, r)| critic.advantages(rule, paid.group.prompt, rollout.length(), *r)).collect();
    }
    let scale = divisor(rule, paid, stats);
    let discounted = |t: usize, length: usize| if rule.gamma == 1.0 { 1.0 } else { rule.gamma.powi((length - 1 - t) as i32) };
    centred(rule, paid, stats)
        .into_iter()
        .zip(rollouts)
        .map(|(c, (rollout, _))| (0..rollout.length()).map(|t| c / scale * discounted(t, rollout.length())).collect())
        .collect()
}

/// Rewards less the rule's baseline.
fn centred(rule: &Objective, paid: &Paid, stats: &Batch) -> Vec<f64> {
    let (group, rewards, mean) = (&paid.group, &paid.rewards, paid.mean());
    let less = |baseline: f64| rewards.iter().map(|r| r - baseline).collect();
    match rule.baseline {
        Baseline::None | Baseline::Critic => rewards.clone(),
        Baseline::GroupMean => less(mean),
        Baseline::LeaveOneOut => rewards.iter().map(|r| group.bessel() * (r - mean)).collect(),
        Baseline::BatchMean => less(stats.mean()),
        Baseline::Greedy => less(rewards.last().copied().unwrap_or(0.0)),
        Baseline::LengthWeighted => less(length_weighted_mean(paid)),
        Baseline::SecondBest => lead_of_the_best(paid),
    }
}

fn length_weighted_mean(paid: &Paid) -> f64 {
    let rollouts = paid.group.rollouts.iter().zip(&paid.rewards);
    weighted_mean(rollouts.map(|(rollout, r)| (rollout.weight * rollout.length() as f64, *r)))
}

/// The best rollout's lead over the second best; 0 for the others, and in the population, where the best response is drawn more than once.
fn lead_of_the_best(paid: &Paid) -> Vec<f64> {
    let mut ranked: Vec<usize> = (0..paid.rewards.len()).filter(|&i| paid.group.rollouts[i].weight > 0.0).collect();
    ranked.sort_by(|&i, &j| paid.rewards[j].total_cmp(&paid.rewards[i]));
    let mut lead = vec![0.0; paid.rewards.len()];
    if let (Some(_), [best, second, ..]) = (paid.group.size, ranked.as_slice()) {
        lead[*best] = paid.rewards[*best] - paid.rewards[*second];
    }
    lead
}

/// What centred rewards are divided by, floor included; 1 where a group is flat, so that nothing is divided by a floor alone.
fn divisor(rule: &Objective, paid: &Paid, stats: &Batch) -> f64 {
    if rule.scale == Scale::None || paid.is_flat() {
        return 1.0;
    }
    let scale = match rule.scale {
        Scale::None => 1.0,
        Scale::GroupStd => paid.variance(rule.std_ddof).sqrt(),
        Scale::BatchStd => stats.std(),
        Scale::GroupMean => paid.mean(),
        Scale::NonzeroShare => stats.nonzero_share(),
        Scale::BetaDensity => stats.beta_density(paid.mean()),
    };
    scale + rule.std_floor
}

/// Standardises advantages over all tokens of the batch.
fn whiten(rule: &Objective, batch: &[Paid], all: &mut Advantages) {
    let rollouts = batch.iter().flat_map(|paid| &paid.group.rollouts).zip(all.iter().flatten());
    let pairs = rollouts.filter(|(r, _)| r.weight > 0.0).flat_map(|(r, tokens)| tokens.iter().map(|a| (r.weight, *a)));
    let mean = weighted_mean(pairs.clone());
    let std = weighted_std(pairs, mean);
    all.iter_mut().flatten().flatten().for_each(|a| *a = (*a - mean) / (std + rule.std_floor));
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
pub fn kl_value(form: KlForm, rho: f64) -> f64 {
    match form {
        KlForm::K1 => -rho,
        KlForm::K2 => 0.5 * rho * rho,
        KlForm::K3 | KlForm::K3Plus => rho.exp_m1() - rho,
    }
}

/// Derivative of [`kl_value`] with respect to log pi; `k3+` takes that of k2.
pub fn kl_slope(form: KlForm, rho: f64) -> f64 {
    match form {
        KlForm::K1 => 1.0,
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
    let surrogate = |(ratio, advantage): (&f64, &f64)| push(rule, *ratio, *advantage, clipped);
    let mut pushes: Vec<f64> = ratios.iter().zip(advantages).map(surrogate).collect();
    if rule.kl_place == KlPlace::Loss && rule.kl_beta > 0.0 {
        pushes.iter_mut().zip(now).for_each(|(p, t)| *p -= rule.kl_beta * kl_slope(rule.kl_form, t.ref_logprob - t.logprob));
    }
    pushes
}

/// pi / pi_old at the level the rule asks for, one per token.
fn ratios(rule: &Objective, old: &[Token], now: &[Token]) -> Vec<f64> {
    let logs = old.iter().zip(now).map(|(o, n)| n.logprob - o.logprob);
    let sum: f64 = logs.clone().sum();
    match rule.importance_sampling_level {
        RatioLevel::Token => logs.map(f64::exp).collect(),
        RatioLevel::Sequence => vec![(sum / old.len() as f64).exp(); old.len()],
        RatioLevel::SequenceProduct => vec![sum.exp(); old.len()],
    }
}

/// Derivative of a token's surrogate with respect to log pi.
///
/// ```text
/// score: A            clip: w A, or 0 where min(w A, clip(w) A) is flat            cispo: clip(w) A
/// ```
fn push(rule: &Objective, ratio: f64, advantage: f64, clipped: &mut Clipped) -> f64 {
    let low = advantage < 0.0 && ratio < 1.0 - rule.clip_low;
    let high = advantage > 0.0 && ratio > 1.0 + rule.clip_high;
    let dual = rule.clip_ratio_c > 0.0 && advantage < 0.0 && ratio > rule.clip_ratio_c;
    if rule.policy_loss != PolicyLoss::Score {
        *clipped = clipped.plus(Clipped { tokens: 1.0, low: f64::from(low), high: f64::from(high) });
    }
    match rule.policy_loss {
        PolicyLoss::Score => advantage,
        PolicyLoss::Cispo => ratio.clamp(rule.cispo_low, rule.cispo_high) * advantage,
        PolicyLoss::Clip if low || high || dual => 0.0,
        PolicyLoss::Clip => ratio * advantage,
    }
}

/// Weight of each token of a rollout in the minibatch's loss, before the mean over groups.
///
/// `mean_length` is the mean number of tokens of a rollout in the minibatch (or micro-batch), `longest` the longest possible response.
pub fn token_weight(mode: LossAgg, rollout: &Rollout, mean_length: f64, longest: usize) -> f64 {
    rollout.weight
        / match mode {
            LossAgg::TokenMean | LossAgg::TokenMeanLocal => mean_length,
            LossAgg::SeqMeanTokenSum => 1.0,
            LossAgg::SeqMeanTokenMean => rollout.length() as f64,
            LossAgg::SeqMeanTokenSumNorm => longest as f64,
        }
}

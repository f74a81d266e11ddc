//! Rewards that do not depend on the action: what is left is noise, and noise drifts at second order (propositions P11, P12).
//!
//! K arms, logits theta, p = softmax(theta). One step adds `(eta / G) sum_j A_j (e_{a_j} - p)` over G samples `a_j ~ p` whose advantages `A_j` know nothing
//! of the actions; v = E A_j^2.

use crate::proposition::{Proposition, output, real, whole};

/// Mean squared advantage of a Bernoulli reward under a group-mean baseline.
///
/// ```text
/// v = gamma (1 - gamma) (1 - 1/G)
/// ```
/// `rate` gamma in [0, 1]: chance of reward 1; `group` G >= 1: samples per group.
///
/// Proof: v is the mean over the group of `(r_j - mean r)^2`, whose expectation is (1 - 1/G) Var r.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::random_reward::second_moment_group_mean(0.5, 2.0), 0.125);
/// ```
pub fn second_moment_group_mean(rate: f64, group: f64) -> f64 {
    rate * (1.0 - rate) * (1.0 - 1.0 / group)
}

/// Mean squared advantage of a Bernoulli reward standardised by the group's mean and population standard deviation.
///
/// ```text
/// v = 1 - gamma^G - (1 - gamma)^G
/// ```
/// `rate` gamma in [0, 1]; `group` G >= 1. Accurate for gamma down to the smallest float.
///
/// Proof: a standardised group has mean square 1, a group of equal rewards is skipped and counts 0.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::random_reward::second_moment_group_std(0.5, 2.0), 0.5);
/// ```
pub fn second_moment_group_std(rate: f64, group: f64) -> f64 {
    let rare = rate.min(1.0 - rate);
    if group <= 1.0 { 0.0 } else { -(group * (-rare).ln_1p()).exp_m1() - rare.powf(group) }
}

/// Variance a step gives to a logit per unit of p (1 - p).
///
/// ```text
/// kappa = eta^2 v / G,   E[d theta d theta^T] = kappa (diag p - p p^T)
/// ```
/// `step` eta >= 0; `second_moment` v >= 0; `group` G >= 1.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::random_reward::noise_rate(0.5, 1.0, 4.0), 0.0625);
/// ```
pub fn noise_rate(step: f64, second_moment: f64, group: f64) -> f64 {
    step * step * second_moment / group
}

/// Mean change of every probability in one step on random rewards, without ratio clipping.
///
/// ```text
/// E[d p_i] = (kappa / 2) p_i [ (1 + 2 S2) (p_i - S2) - 3 (p_i^2 - S3) ] + O(eta^3),   S_n = sum p_k^n
/// ```
/// `p`: K >= 1 probabilities that add up to 1, any of them as small as a float can be; `noise_rate` kappa >= 0. The changes add up to 0.
///
/// Proof: E[d theta] = 0 because advantages are independent of actions and scores have mean 0; E[d theta d theta^T] = kappa (diag p - p p^T) because the
/// scores are independent across samples. Contract with the Hessian of the softmax.
///
/// Assumptions: rewards independent of the sampled arms; on-policy; no ratio clipping.
///
/// Numerics: next to a dominant arm the bracket loses all its digits; with the mass q outside the largest arm and T_n its power sums it is the sum
/// `3 p_i (1 - p_i) + e p_i + e d + q + 4 q^2 - 5 T2 - 3 q^3 + 3 T3`, `d = 2 q - q^2 - T2`, `e = -4 q + 2 q^2 + 2 T2`, which keeps them.
///
/// Source: own (the Itô term); that the expected gradient vanishes is in arXiv 2506.10947.
///
/// # Example
/// Two arms move toward each other by `2 kappa [p (1 - p)]^2 (1 - 2 p)`:
/// ```
/// let drift = mta_theory::random_reward::drift(&[0.25, 0.75], 1.0);
/// assert!((drift[0] - 2.0 * 0.1875f64.powi(2) * 0.5).abs() < 1e-16);
/// ```
pub fn drift(p: &[f64], noise_rate: f64) -> Vec<f64> {
    let rest = Outside::of(p);
    let mut drift: Vec<f64> = p.iter().map(|&p| 0.5 * noise_rate * p * rest.bracket(p)).collect();
    if let Some(top) = rest.top {
        drift[top] = 0.0;
        drift[top] = -drift.iter().sum::<f64>();
    }
    drift
}

/// Relative drift of an arm of vanishing probability, next to the arms `rest`.
///
/// ```text
/// lim_{p -> 0} E[d p] / p = -(kappa / 2) (S2 + 2 S2^2 - 3 S3)
/// ```
/// `rest`: probabilities of the other arms, adding up to 1; `noise_rate` kappa >= 0. Negative next to equal arms, positive next to one dominant arm.
///
/// Proof: [`drift`] at p_i = 0.
///
/// # Example
/// ```
/// use mta_theory::random_reward::vanishing_arm_drift;
/// assert!((vanishing_arm_drift(&[0.5, 0.5], 2.0) + 0.25).abs() < 1e-15);
/// assert!(vanishing_arm_drift(&[0.9, 0.1], 2.0) > 0.0);
/// ```
pub fn vanishing_arm_drift(rest: &[f64], noise_rate: f64) -> f64 {
    0.5 * noise_rate * Outside::of(rest).bracket(0.0)
}

/// Mean change of every log-probability in one step on random rewards, nats; the same for all arms, so that every log-ratio is a martingale.
///
/// ```text
/// E[d log p_i] = -(kappa / 2) (S2 - 2 S3 + S2^2)
/// ```
/// `p`: probabilities that add up to 1; `noise_rate` kappa >= 0.
///
/// Proof: half the trace of `(diag p - p p^T)^2`, the Hessian of log-sum-exp against the covariance of the step. Evaluated as the sum of the squared entries
/// of that matrix, `sum p_i^2 (1 - p_i)^2 + 2 sum_{i<j} p_i^2 p_j^2`, in which nothing cancels.
///
/// # Example
/// ```
/// assert!((mta_theory::random_reward::log_drift(&[0.5, 0.5], 1.0) + 0.125).abs() < 1e-16);
/// ```
pub fn log_drift(p: &[f64], noise_rate: f64) -> f64 {
    let rest = Outside::of(p);
    let complement = |i: usize| if rest.top == Some(i) { rest.mass } else { 1.0 - p[i] };
    let (mut squares, mut sum) = (0.0, 0.0);
    for (i, &p) in p.iter().enumerate() {
        sum += (p * complement(i)).powi(2) + 2.0 * p * p * squares;
        squares += p * p;
    }
    -0.5 * noise_rate * sum
}

/// Power sums of all arms but the largest.
struct Outside {
    top: Option<usize>,
    mass: f64,
    squares: f64,
    cubes: f64,
}

impl Outside {
    fn of(p: &[f64]) -> Outside {
        let top = (0..p.len()).max_by(|&i, &j| p[i].total_cmp(&p[j]));
        let sum = |n: i32| p.iter().enumerate().filter(|(i, _)| Some(*i) != top).map(|(_, p)| p.powi(n)).sum();
        Outside { top, mass: sum(1), squares: sum(2), cubes: sum(3) }
    }

    /// `(1 + 2 S2) (p - S2) - 3 (p^2 - S3)`.
    fn bracket(&self, p: f64) -> f64 {
        let Outside { mass: q, squares, cubes, .. } = *self;
        let d = 2.0 * q - q * q - squares;
        let e = -4.0 * q + 2.0 * q * q + 2.0 * squares;
        3.0 * p * (1.0 - p) + e * p + e * d + q + 4.0 * q * q - 5.0 * squares - 3.0 * q * q * q + 3.0 * cubes
    }
}

/// Mean of p (1 - p) after `steps` steps of the update that is linear in p: neutral drift, as genes drift.
///
/// ```text
/// E[p_n (1 - p_n)] = p_0 (1 - p_0) (1 - kappa)^n
/// ```
/// `p0` in [0, 1]; `noise_rate` kappa = eta^2 v / G in [0, 1]; `steps` n >= 0. In this parameter p is a martingale, so the chance that it ends at 1 is `p0`.
///
/// Proof: the step has mean 0 and variance kappa p (1 - p), hence E[p'(1 - p')] = p (1 - p) (1 - kappa) exactly, as long as no step leaves [0, 1].
///
/// Source: Wright-Fisher drift (Kimura 1955).
///
/// # Example
/// ```
/// assert_eq!(mta_theory::random_reward::heterozygosity(0.5, 0.5, 2.0), 0.0625);
/// ```
pub fn heterozygosity(p0: f64, noise_rate: f64, steps: f64) -> f64 {
    let left = if noise_rate >= 1.0 { f64::from(steps == 0.0) } else { (steps * (-noise_rate).ln_1p()).exp() };
    p0 * (1.0 - p0) * left
}

/// Variance per step of u = logit p for two softmax arms, nats^2: the diffusion without drift that random rewards make.
///
/// ```text
/// Var[d u] = 4 kappa p (1 - p) = kappa / cosh^2(u / 2)
/// ```
///
/// # Example
/// ```
/// assert_eq!(mta_theory::random_reward::logit_variance(0.5, 0.01), 0.01);
/// ```
pub fn logit_variance(p: f64, noise_rate: f64) -> f64 {
    4.0 * noise_rate * p * (1.0 - p)
}

/// Chance that u = logit p reaches `high` before `low`.
///
/// ```text
/// (u - low) / (high - low)
/// ```
/// `low <= u <= high`, nats. Proof: u is a martingale. Since -inf and +inf are never reached, there is no fixation in logits.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::random_reward::chance_of_high_exit(-1.0, -2.0, 2.0), 0.25);
/// ```
pub fn chance_of_high_exit(u: f64, low: f64, high: f64) -> f64 {
    (u - low) / (high - low)
}

/// Mean number of steps until u = logit p leaves `(low, high)`, for small steps.
///
/// ```text
/// T = [ w h(high) + (1 - w) h(low) - h(u) ] / kappa,   h(u) = u^2 / 2 + cosh u,   w = (u - low) / (high - low)
/// ```
/// `low <= u <= high`, nats, with |low|, |high| < 700; `noise_rate` kappa > 0 per step. It grows like e^{|u|}: time piles up at both vertices.
///
/// Proof: `(1/2) kappa / cosh^2(u/2) T'' = -1` with T = 0 at both ends, and 2 cosh^2(u/2) = 1 + cosh u.
///
/// # Example
/// From 0 out of (-1, 1): (1/2 + cosh 1 - 1) / kappa.
/// ```
/// let steps = mta_theory::random_reward::mean_exit_time(0.0, -1.0, 1.0, 1.0);
/// assert!((steps - (1f64.cosh() - 0.5)).abs() < 1e-14);
/// ```
pub fn mean_exit_time(u: f64, low: f64, high: f64, noise_rate: f64) -> f64 {
    let w = chance_of_high_exit(u, low, high);
    let quadratic = 0.5 * (u - low) * (high - u);
    // cosh b - cosh a = 2 sinh((b + a) / 2) sinh((b - a) / 2) keeps its digits in narrow intervals
    let rise = |to: f64| 2.0 * (0.5 * (to + u)).sinh() * (0.5 * (to - u)).sinh();
    (quadratic + w * rise(high) + (1.0 - w) * rise(low)) / noise_rate
}

/// P11: random rewards drift at second order.
pub const P11: Proposition = Proposition {
    id: "P11",
    name: "random-reward",
    statement: "Rewards independent of actions leave every log-ratio a martingale, but mean probabilities drift at order eta^2: with two arms toward 1/2, \
                with more arms the rarest usually shrinks.",
    assumptions: "Rewards i.i.d. and independent of the sampled arms; on-policy; no ratio clipping; softmax logits; small steps.",
    formula: "E[dp_i] = (kappa/2) p_i [(1 + 2 S2)(p_i - S2) - 3 (p_i^2 - S3)];  E[dlog p_i] = -(kappa/2)(S2 - 2 S3 + S2^2);  kappa = eta^2 v / G",
    source: "own (Itô term); zero expected gradient: arXiv 2506.10947",
    inputs: &[
        real("p", "probability of the first arm; the others share the rest equally", 0.2, (0.0, 1.0)),
        whole("arms", "number of arms", 2.0, (2.0, 1e6)),
        real("eta", "step size", 0.1, (0.0, 10.0)),
        whole("group", "samples per group", 8.0, (1.0, 1e6)),
        real("rate", "chance that a sample is rewarded", 0.5, (0.0, 1.0)),
    ],
    outputs: &[
        output("kappa", "noise rate eta^2 v / G with a group-mean baseline"),
        output("drift", "mean change of the first arm's probability in one step"),
        output("log_drift", "mean change of every log-probability in one step, nats"),
        output("vanishing_arm", "relative drift of a further arm of vanishing probability"),
    ],
    evaluate: |x| {
        let kappa = noise_rate(x[2], second_moment_group_mean(x[4], x[3]), x[3]);
        let p = first_and_equal_others(x[0], x[1]);
        vec![Some(kappa), drift(&p, kappa).first().copied(), Some(log_drift(&p, kappa)), Some(vanishing_arm_drift(&p, kappa))]
    },
};

fn first_and_equal_others(p: f64, arms: f64) -> Vec<f64> {
    let mut all = vec![(1.0 - p) / (arms - 1.0); arms as usize];
    all[0] = p;
    all
}

/// P12: neutral drift absorbs in the mean parameter and never in logits.
pub const P12: Proposition = Proposition {
    id: "P12",
    name: "neutral-drift",
    statement: "On random rewards p itself is a martingale that fixates (chance p0) when it is updated linearly; in softmax logits u = logit p is a diffusion \
                without drift that never fixates, its mean accuracy tends to 1/2 and time piles up near both vertices.",
    assumptions: "As P11; two arms; small steps.",
    formula: "E[p(1-p)] = p0 (1-p0)(1-kappa)^n;  Var[du] = kappa / cosh^2(u/2);  T = [w h(b) + (1-w) h(a) - h(u)] / kappa, h = u^2/2 + cosh u",
    source: "own; Wright-Fisher drift as in the repository of arXiv 2601.04411",
    inputs: &[
        real("p0", "initial accuracy", 0.2, (1e-300, 1.0)),
        real("kappa", "noise rate eta^2 v / G per step", 0.001, (1e-12, 1.0)),
        whole("steps", "number of steps", 1000.0, (0.0, 1e12)),
        real("exit", "distance in logits that counts as an exit, nats", 2.0, (1e-6, 600.0)),
    ],
    outputs: &[
        output("fixation", "chance to end at accuracy 1 when p is updated linearly"),
        output("heterozygosity", "mean p (1 - p) after the steps, linear update"),
        output("logit_variance", "variance of a step of logit p, nats^2"),
        output("exit_time", "mean steps until logit p has moved by `exit`; none where it exceeds the floats"),
    ],
    evaluate: |x| {
        let u = crate::simplex::logit(x[0]);
        let time = mean_exit_time(u, u - x[3], u + x[3], x[1]);
        vec![Some(x[0]), Some(heterozygosity(x[0], x[1], x[2])), Some(logit_variance(x[0], x[1])), time.is_finite().then_some(time)]
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use approx::{assert_abs_diff_eq, assert_relative_eq};

    #[test]
    fn golden_numbers() {
        crate::golden::agree(include_str!("../golden/random_reward.csv"), |name, x| match name {
            "drift" => drift(&x[1..], x[0])[0],
            "log_drift" => log_drift(&x[1..], x[0]),
            "vanishing" => vanishing_arm_drift(&x[1..], x[0]),
            "group_std" => second_moment_group_std(x[0], x[1]),
            "heterozygosity" => heterozygosity(x[0], x[1], x[2]),
            "exit_time" => mean_exit_time(x[0], x[1], x[2], x[3]),
            _ => unreachable!("{name}"),
        });
    }

    /// -.247 belongs to a small but finite arm, p = 0.001 next to two equal ones; in the limit p -> 0 the number is exactly -1/4.
    #[test]
    fn a_vanishing_arm_shrinks_next_to_equals_and_grows_next_to_a_giant() {
        assert_relative_eq!(vanishing_arm_drift(&[0.5, 0.5], 2.0), -0.25, max_relative = 1e-14);
        assert_abs_diff_eq!(drift(&[0.001, 0.4995, 0.4995], 2.0)[0] / 0.001, -0.247, epsilon = 5e-4);
        assert_relative_eq!(vanishing_arm_drift(&[0.9, 0.1], 2.0), 0.0252, max_relative = 1e-12);
    }

    #[test]
    fn two_arms_move_toward_one_half() {
        for p in [1e-20, 0.01, 0.3, 0.7, 0.999] {
            let got = drift(&[p, 1.0 - p], 0.3)[0];
            assert_relative_eq!(got, 0.6 * (p * (1.0 - p)).powi(2) * (1.0 - 2.0 * p), max_relative = 1e-10);
        }
    }

    #[test]
    fn heterozygosity_decays_geometrically() {
        assert_abs_diff_eq!(heterozygosity(0.2, 0.01, 94.0), 0.16 * 0.99f64.powi(94), epsilon = 1e-15);
        assert_eq!(heterozygosity(0.2, 1.0, 0.0), 0.16000000000000003);
    }

    #[test]
    fn propositions_evaluate_at_their_defaults_and_ends() {
        for proposition in [P11, P12] {
            let at = |pick: fn(&crate::proposition::Input) -> f64| proposition.inputs.iter().map(pick).collect::<Vec<_>>();
            for x in [at(|i| i.default), at(|i| i.range.0), at(|i| i.range.1)] {
                assert_eq!((proposition.evaluate)(&x).len(), proposition.outputs.len());
            }
        }
    }
}

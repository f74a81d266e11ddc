//! What PPO's ratio clip does to random rewards with more than two arms: the rule "arms above S2 gain" is false (proposition P36).
//!
//! K arms with softmax logits, p the sampling policy, S_n = sum p_i^n, advantages symmetric and independent of actions. Earlier minibatches displaced the logits
//! by `N(0, s (diag p - p p^T))`; to first order arm i's ratio is then `1 + l_i`, with `l` of covariance [`ratio_covariance`].

use crate::normal_tail::erfc;
use crate::proposition::{Proposition, finite, output, real, whole};
use crate::random_reward::{drift, noise_rate};
use crate::simplex::power_sum;
use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// Covariance of the log-ratios of the arms, to first order in the displacement.
///
/// ```text
/// C_jk = s [ p_j 1(j = k) - p_j p_k - p_j (p_j - S2) - p_k (p_k - S2) + S3 - S2^2 ]
/// ```
/// `policy`: K probabilities that add up to 1; `variance` s = kappa b >= 0 after b minibatches (kappa of [`noise_rate`]). Shape K x K, rank K - 1: sum_j p_j C_jk = 0.
///
/// Proof: the log-ratio of arm j is `delta_j - sum_k p_k delta_k` to first order.
///
/// # Example
/// Two arms: one random logit gap x of variance 4 s p q, log-ratios q x and -p x.
/// ```
/// let c = mta_theory::clip_arms::ratio_covariance(&[0.75, 0.25], 1.0);
/// assert!((c[0][0] - 0.75 * 0.25f64.powi(2)).abs() < 1e-15 && (c[0][1] + 0.75 * 0.75 * 0.25).abs() < 1e-15);
/// ```
pub fn ratio_covariance(policy: &[f64], variance: f64) -> Vec<Vec<f64>> {
    let (square, cube) = (power_sum(policy, 2), power_sum(policy, 3));
    let pull = |p: f64| p * (p - square);
    let entry = |j: usize, k: usize| {
        let (p, q) = (policy[j], policy[k]);
        let own = if j == k { p } else { 0.0 };
        variance * (own - p * q - pull(p) - pull(q) + cube - square * square)
    };
    (0..policy.len()).map(|j| (0..policy.len()).map(|k| entry(j, k)).collect()).collect()
}

/// Mean change of every probability by the clip alone, per unit of step size and of mean absolute advantage, at a displacement of variance `s`.
///
/// ```text
/// D_i = E[pi_i (F_i - sum_k pi_k F_k)],   F_i = pi_i (b_i - sum_k pi_k b_k),   b_i = 1/2 [ 1(rho_i < 1 - clip_low) - 1(rho_i > 1 + clip_high) ]
///     = sum_k p_i p_k { e_ik [m_k + c_k (1 + R_ik)] + c_k [2 sum_j p_j^2 R_jk - p_i R_ik - p_k] } + O(clip^2)
/// e_ik = 1(i = k) - p_i - p_k + S2,   R_jk = C_jk / C_kk,   sigma_k^2 = C_kk
/// m_k = E b_k      = 1/2 [Q(low/sigma_k) - Q(high/sigma_k)] - 1/2 sum over x in {low, high} of phi(x/sigma_k)/sigma_k h_k(x)
/// c_k = E[l_k b_k] = -1/2 sigma_k [phi(low/sigma_k) + phi(high/sigma_k)]
/// h_k(x) = 1/2 [ x^2 (1 - sum_j p_j R_jk^2) - sum_j p_j (C_jj - C_kk R_jk^2) ]
/// ```
/// `policy`: K probabilities that add up to 1, shape K; `variance` s >= 0; clip ranges >= 0. The changes add up to 0. phi, Q: density and tail of the standard normal.
///
/// Proof: where rho_i > 1 + clip_high the positive half of arm i's advantages is cut, where rho_i < 1 - clip_low the negative half; the mean force left on the
/// logits is `sum_i pi_i b_i (e_i - pi)`. To second order rho_k = 1 + l_k + (l_k^2 - V)/2, V = sum p_j l_j^2, so thresholds shift by `h_k` = E[(l_k^2 - V)/2 | l_k = x];
/// pi_j = p_j (1 + l_j), and l_j given l_k has mean R_jk l_k. Every integral is over one Gaussian.
///
/// Limits (equal ranges):
/// - two arms: P13's force;
/// - clip -> 0 below the noise: homogeneous, D grows as sqrt(s);
/// - noise below the clip: only the arm of the largest sigma_k counts ([`first_to_clip`]); it falls (if sum_j p_j R_jk^2 < 1) and the others change like after a
///   negative sample of it (P28), by `p_i p_k (p_i + p_k - S2)`;
/// - an arm of vanishing probability gains next to two or more equal arms and loses next to a giant: the reverse of what noise alone does to it (P11). Over random
///   policies the clip's force points against P11's drift (median cosine .97 at noise equal to the clip range), far more often than it follows p_i - S2;
/// - many passes of noise beyond the clip: arm i stays within `clip min(p_i, 1 - p_i)`; the stationary law is that of an obliquely reflected diffusion, without a
///   closed form for K > 2.
///
/// Assumptions: advantages symmetric and independent of actions; clip and noise small, of one order; the clip's own force does not alter the displacement.
///
/// # Source
/// Own; the two-armed bias is that of arXiv 2506.10947.
///
/// # Example
/// Two arms and a vanishing clip: `4 (p q)^2 (2p - 1) sqrt(2/pi) * 2 sqrt(s p q)`.
/// ```
/// let d = mta_theory::clip_arms::force(&[0.8, 0.2], 0.25, 0.0, 0.0);
/// assert!((d[0] - 0.024576 * (2.0 / std::f64::consts::PI).sqrt()).abs() < 1e-15 && (d[0] + d[1]).abs() < 1e-16);
/// ```
pub fn force(policy: &[f64], variance: f64, clip_low: f64, clip_high: f64) -> Vec<f64> {
    let (covariance, square) = (ratio_covariance(policy, variance), power_sum(policy, 2));
    let mut total = vec![0.0; policy.len()];
    for (k, &q) in policy.iter().enumerate().filter(|&(k, _)| covariance[k][k] > 0.0) {
        let slope: Vec<f64> = covariance.iter().map(|row| row[k] / covariance[k][k]).collect();
        let cut = Cut::of(policy, &covariance, &slope, k, [clip_low, clip_high]);
        let common = 2.0 * policy.iter().zip(&slope).map(|(p, r)| p * p * r).sum::<f64>() - q;
        for (i, &p) in policy.iter().enumerate() {
            let exchange = if i == k { 1.0 } else { 0.0 } - p - q + square;
            total[i] += p * q * (exchange * (cut.mean + cut.slope * (1.0 + slope[i])) + cut.slope * (common - p * slope[i]));
        }
    }
    total
}

/// Mean change of every logit by the clip alone, per unit of step size and of mean absolute advantage; the changes add up to 0.
///
/// ```text
/// E F_i = p_i (m_i + c_i) - p_i sum_k p_k [m_k + c_k (1 + R_ik)]      (letters of [`force`])
/// ```
/// For a pass of two minibatches the mean logits move by eta E|A| times this whatever eta is, noise adding nothing: P13's `E[d u]` is the difference of two of
/// them.
///
/// # Example
/// Two arms and a vanishing clip: `-p q (1 - 2p) sqrt(2/pi) 2 sqrt(s p q)`, half of P13's `d u`.
/// ```
/// let f = mta_theory::clip_arms::logit_force(&[0.8, 0.2], 0.25, 0.0, 0.0);
/// assert!((f[0] - 0.16 * 0.6 * 0.4 * (2.0 / std::f64::consts::PI).sqrt()).abs() < 1e-15 && (f[0] + f[1]).abs() < 1e-16);
/// ```
pub fn logit_force(policy: &[f64], variance: f64, clip_low: f64, clip_high: f64) -> Vec<f64> {
    let covariance = ratio_covariance(policy, variance);
    let mut total = vec![0.0; policy.len()];
    for (k, &q) in policy.iter().enumerate().filter(|&(k, _)| covariance[k][k] > 0.0) {
        let slope: Vec<f64> = covariance.iter().map(|row| row[k] / covariance[k][k]).collect();
        let cut = Cut::of(policy, &covariance, &slope, k, [clip_low, clip_high]);
        policy.iter().zip(&slope).zip(&mut total).for_each(|((p, r), t)| *t -= p * q * (cut.mean + cut.slope * (1.0 + r)));
        total[k] += q * (cut.mean + cut.slope);
    }
    total
}

/// What the clip cuts from one arm: mean of b_k, and of l_k b_k.
struct Cut {
    mean: f64,
    slope: f64,
}

impl Cut {
    fn of(policy: &[f64], covariance: &[Vec<f64>], slope: &[f64], k: usize, clip: [f64; 2]) -> Cut {
        let variance = covariance[k][k];
        let sigma = variance.sqrt();
        let shared: f64 = policy.iter().zip(slope).map(|(p, r)| p * r * r).sum();
        let rest: f64 = (0..policy.len()).map(|j| policy[j] * (covariance[j][j] - variance * slope[j] * slope[j])).sum();
        let shift = |x: f64| 0.5 * (x * x * (1.0 - shared) - rest);
        let [low, high] = clip.map(|x| x / sigma);
        let shifts = density(low) * shift(clip[0]) + density(high) * shift(clip[1]);
        Cut { mean: 0.5 * (tail(low) - tail(high)) - 0.5 * shifts / sigma, slope: -0.5 * sigma * (density(low) + density(high)) }
    }
}

/// Density of the standard normal.
pub(crate) fn density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / (2.0 * PI).sqrt()
}

/// Upper tail of the standard normal, z >= 0.
pub(crate) fn tail(z: f64) -> f64 {
    0.5 * erfc(z * FRAC_1_SQRT_2)
}

/// One pass over fresh minibatches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ArmPass {
    /// Lower clip range, ratios below 1 - clip_low stop pushing down.
    pub clip_low: f64,
    /// Upper clip range, ratios above 1 + clip_high stop pushing up.
    pub clip_high: f64,
    /// Step size eta >= 0.
    pub step: f64,
    /// Minibatches B >= 1, one update each.
    pub minibatches: u32,
    /// Samples per minibatch n >= 1.
    pub size: f64,
    /// Mean squared advantage v.
    pub second_moment: f64,
    /// Mean absolute advantage E|A|.
    pub mean_size: f64,
}

/// Mean change of every probability over a pass that is owed to the clip, linear in its force.
///
/// What is left out is quadratic in a minibatch's force, of size eta p_i times the share cut: small against the displacement where sqrt(n B) p_i times that share
/// is. Beyond, mean logits still follow [`logit_force`] over two minibatches.
///
/// ```text
/// eta E|A| sum_{b=1}^{B-1} D(kappa b),   kappa = eta^2 v / n
/// ```
/// Shape K. The rest of the mean change is the noise's own, B times P11's [`drift`].
///
/// # Example
/// A mode of 0.28 among nine arms of 0.08 loses, although 0.28 > S2 = 0.136; a mode of 0.55 among nine arms of 0.05 gains:
/// ```
/// use mta_theory::clip_arms::{ArmPass, clip_drift};
/// let pass = ArmPass { clip_low: 0.2, clip_high: 0.2, step: 8.0, minibatches: 2, size: 400.0, second_moment: 1.0, mean_size: 1.0 };
/// let among_nine = |p: f64| clip_drift(&[[p].as_slice(), &[(1.0 - p) / 9.0; 9]].concat(), &pass)[0];
/// assert!(among_nine(0.28) < 0.0 && among_nine(0.55) > 0.0);
/// ```
pub fn clip_drift(policy: &[f64], pass: &ArmPass) -> Vec<f64> {
    let rate = noise_rate(pass.step, pass.second_moment, pass.size);
    let mut total = vec![0.0; policy.len()];
    for b in 1..pass.minibatches {
        let force = force(policy, rate * f64::from(b), pass.clip_low, pass.clip_high);
        total.iter_mut().zip(force).for_each(|(t, f)| *t += pass.step * pass.mean_size * f);
    }
    total
}

/// The arm whose ratio is noisiest and therefore clips first: the largest `p_k (1 - 3 p_k + 2 S2)`; of equals, the first.
///
/// The function of p_k peaks at (1 + 2 S2)/6: with many small arms the *mode* clips first and falls.
///
/// # Example
/// ```
/// use mta_theory::clip_arms::first_to_clip;
/// assert_eq!(first_to_clip(&[0.8, 0.2]), 1);
/// assert_eq!(first_to_clip(&[0.1, 0.1, 0.1, 0.1, 0.14, 0.1, 0.1, 0.1, 0.1, 0.06]), 4);
/// ```
pub fn first_to_clip(policy: &[f64]) -> usize {
    let square = power_sum(policy, 2);
    let noise = |p: f64| p * (1.0 - 3.0 * p + 2.0 * square);
    (0..policy.len()).rev().max_by(|&i, &j| noise(policy[i]).total_cmp(&noise(policy[j]))).unwrap_or(0)
}

/// Probability above which one arm among K - 1 equal ones gains from the clip, for equal narrow clip ranges.
///
/// `arms` K in [2, 1000]; `spread` sqrt(s) / clip > 0: noise over clip range. Between 1/K, where the rule "gains iff p > S2" puts it, and about 1/2; found by
/// bisection of [`force`]. It is 1/2 for two arms, 1/3 for three, and tends to 1/2 for many.
///
/// Proof of the limit: for K -> infinity the share of each other arm vanishes, their log-ratios all equal `-sum p_j delta_j` up to terms of order sqrt(p_j), so they move
/// as one arm of mass 1 - p, and two arms turn at 1/2.
///
/// # Example
/// ```
/// let turn = mta_theory::clip_arms::turning_point(2, 1.0);
/// assert!((turn - 0.5).abs() < 1e-3);
/// ```
pub fn turning_point(arms: usize, spread: f64) -> f64 {
    let others = (arms - 1) as f64;
    let gains = |p: f64| {
        let mut policy = vec![(1.0 - p) / others; arms];
        policy[0] = p;
        force(&policy, (spread * NARROW).powi(2), NARROW, NARROW)[0] > 0.0
    };
    let (mut low, mut high) = (1.0 / arms as f64 + 1e-6, 0.6);
    if gains(low) {
        return 1.0 / arms as f64;
    }
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        *(if gains(middle) { &mut high } else { &mut low }) = middle;
    }
    0.5 * (low + high)
}

/// A clip range so narrow that [`force`] is its leading order.
const NARROW: f64 = 1e-3;

/// P36: clip drift with many arms.
pub const P36: Proposition = Proposition {
    id: "P36",
    name: "k-arm-clip",
    statement: "With more than two arms the clip does not simply move mass to arms with p_i > S2. One arm among K - 1 equal ones gains only above a turning point that \
                rises from 1/3 (three arms) to 1/2 (many): below it the clip lowers the mode, and an arm much rarer than equal others gains. As a rule the clip \
                opposes the drift that the noise alone makes (P11).",
    assumptions: "One pass over fresh minibatches; advantages symmetric, independent of actions; clip and noise small, of one order; first order in the clip's force.",
    formula: "D_i = sum_k p_i p_k {e_ik [m_k + c_k (1 + R_ik)] + c_k [2 sum_j p_j^2 R_jk - p_i R_ik - p_k]}, e_ik = 1(i=k) - p_i - p_k + S2, R = C_jk/C_kk",
    source: "own; restricts P13's empirical rule and arXiv 2506.10947",
    inputs: &[
        real("p", "probability of the first arm; the others share the rest equally", 0.28, (1e-6, 0.999_999)),
        whole("arms", "number of arms K", 10.0, (2.0, 300.0)),
        real("clip_low", "lower clip range", 0.2, (1e-9, 0.5)),
        real("clip_high", "upper clip range", 0.2, (1e-9, 0.5)),
        real("eta", "step size", 8.0, (0.0, 100.0)),
        whole("minibatches", "minibatches per pass", 2.0, (1.0, 64.0)),
        whole("size", "samples per minibatch", 400.0, (1.0, 1e6)),
    ],
    outputs: &[
        output("clip_drift", "mean change of the first arm's probability over a pass owed to the clip"),
        output("noise_drift", "the same owed to the noise (P11)"),
        output("collision", "S2, above which the rule would have an arm gain"),
        output("turning_point", "probability above which the first arm gains from equal narrow clip ranges at this noise"),
    ],
    evaluate: |x| {
        let mut policy = vec![(1.0 - x[0]) / (x[1] - 1.0); x[1] as usize];
        policy[0] = x[0];
        let pass = ArmPass {
            clip_low: x[2],
            clip_high: x[3],
            step: x[4],
            minibatches: x[5] as u32,
            size: x[6],
            second_moment: 1.0,
            mean_size: 1.0,
        };
        let rate = noise_rate(pass.step, 1.0, pass.size);
        let spread = rate.sqrt() / (0.5 * (x[2] + x[3]));
        vec![
            finite(clip_drift(&policy, &pass)[0]),
            finite(x[5] * drift(&policy, rate)[0]),
            finite(power_sum(&policy, 2)),
            (spread > 0.0).then(|| turning_point(x[1] as usize, spread)),
        ]
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    #[test]
    fn agrees_with_golden_numbers() {
        crate::golden::agree(include_str!("../golden/clip_arms.csv"), |name, x| match name {
            "force" => force(&x[3..], x[0], x[1], x[2])[0],
            "logit_force" => logit_force(&x[3..], x[0], x[1], x[2])[0],
            _ => unreachable!("{name}"),
        });
    }

    /// The rule of the sheet says 1/K.
    #[test]
    fn turning_points() {
        for (arms, spread, turn) in
            [(3, 1.0, 1.0 / 3.0), (4, 30.0, 0.382), (10, 1.0, 0.383), (10, 30.0, 0.462), (100, 1.0, 0.487), (300, 30.0, 0.5)]
        {
            assert_abs_diff_eq!(turning_point(arms, spread), turn, epsilon = 3e-3);
        }
    }

    /// Equal halves of the advantages lost on every arm are no force at all: raising the upper clip acts only through unequal noise.
    #[test]
    fn equal_arms_feel_no_clip() {
        for d in force(&[0.2; 5], 0.01, 0.1, 0.15) {
            assert_abs_diff_eq!(d, 0.0, epsilon = 1e-17);
        }
    }

    #[test]
    fn evaluates_at_its_corners() {
        for corner in 0..1 << P36.inputs.len() {
            let range = |(i, input): (usize, &crate::proposition::Input)| {
                let (low, high) = input.range;
                if corner >> i & 1 == 0 {
                    low
                } else if input.name == "arms" {
                    5.0
                } else {
                    high
                }
            };
            let x: Vec<f64> = P36.inputs.iter().enumerate().map(range).collect();
            assert_eq!((P36.evaluate)(&x).len(), P36.outputs.len());
        }
    }
}

//! Where an entropy bonus leads: a leash to the uniform policy, which forgets the base model (proposition P38).
//!
//! Objective `E_p[r] + h H(p)` over K arms, h = entropy_coeff in units of reward per nat, H in nats; C right and W wrong arms.

use crate::leash::{Equilibria, critical_beta, equilibria};
use crate::proposition::{Proposition, finite, output, real, whole};
use crate::simplex::{covariance, logit, sigmoid, softmax};

/// The policy at time `t` of natural policy gradient with an entropy bonus.
///
/// ```text
/// p_i(t) ∝ p0_i^tau exp(r_i (1 - tau) / h),   tau = exp(-h t)
/// ```
/// `p0`: start with full support; `r`: one reward per arm; `bonus` h >= 0, where 0 means none: the tilt `p0 exp(r t)`. A tilt by the reward times the
/// opposite of sharpening (P22): the start is raised to a power that falls from 1 to 0.
///
/// Proof: `d theta_i / dt = r_i - h log p_i` up to a common term, so each log-ratio obeys `dl/dt = (r_i - r_j) - h l`.
///
/// Assumptions: tabular softmax, exact natural gradient.
///
/// # Source
/// Own; `h H(p) = h log K - h KL(p || uniform)` makes it P8 with a uniform reference and another start.
///
/// # Example
/// At h t = ln 2 the start counts with power 1/2:
/// ```
/// let p = mta_theory::entropy_bonus::policy_at(&[0.2, 0.8], &[0.0, 0.0], 1.0, 2f64.ln());
/// assert!((p[1] - 2.0 / 3.0).abs() < 1e-15);
/// ```
pub fn policy_at(p0: &[f64], r: &[f64], bonus: f64, t: f64) -> Vec<f64> {
    let x = bonus * t;
    let (power, tilt) = ((-x).exp(), if x == 0.0 { t } else { -(-x).exp_m1() / bonus });
    softmax(&p0.iter().zip(r).map(|(p, r)| power * p.ln() + r * tilt).collect::<Vec<_>>())
}

/// Where policy gradient and natural policy gradient end, from every start.
///
/// ```text
/// p*_i = exp(r_i / h) / Z
/// ```
/// `bonus` h > 0. Proof: the objective is strictly concave in p; its gradient `r_i - h log p_i` is the same for all arms exactly there. The leash of P8 ends at
/// `p0 exp(r / beta) / Z` instead, which remembers p0.
///
/// # Example
/// ```
/// let p = mta_theory::entropy_bonus::fixed_point(&[1.0, 0.0], 1.0 / 3f64.ln());
/// assert!((p[0] - 0.75).abs() < 1e-15);
/// ```
pub fn fixed_point(r: &[f64], bonus: f64) -> Vec<f64> {
    softmax(&r.iter().map(|r| r / bonus).collect::<Vec<_>>())
}

/// Largest pass@1 that a bonus leaves: `C e^(1/h) / (C e^(1/h) + W)`, whatever the base model knew.
///
/// `right` C > 0 and `wrong` W > 0: numbers of arms; `bonus` h > 0 per unit of a 0/1 reward. Below the leash's `sigma(logit p0 + 1/beta)` at the same
/// coefficient exactly where the base model is better than chance. Sampled groups with a group-mean baseline weigh the reward by 1 - 1/G (P5), so 1/h is
/// (1 - 1/G)/h there.
///
/// # Example
/// ```
/// assert!((mta_theory::entropy_bonus::ceiling(1.0, 3.0, 1.0 / 3f64.ln()) - 0.5).abs() < 1e-15);
/// ```
pub fn ceiling(right: f64, wrong: f64, bonus: f64) -> f64 {
    sigmoid((right / wrong).ln() + 1.0 / bonus)
}

/// Largest bonus whose ceiling is at least `target`: `1 / (logit target - log(C/W))`; `None` where chance suffices and every bonus does.
///
/// # Example
/// One right token of 50,001 to be taken half the time allows a bonus of 1 / ln 50000 = 0.092:
/// ```
/// let bonus = mta_theory::entropy_bonus::largest_bonus(0.5, 1.0, 50_000.0).unwrap();
/// assert!((bonus - 1.0 / 50_000f64.ln()).abs() < 1e-15);
/// ```
pub fn largest_bonus(target: f64, right: f64, wrong: f64) -> Option<f64> {
    let climb = logit(target) - (right / wrong).ln();
    (climb > 0.0).then(|| climb.recip())
}

/// Rate of accuracy under natural policy gradient: `p (1 - p) - h Cov_p(1_C, log p)`.
///
/// The bonus takes from accuracy exactly what sharpening would give (P22): it hurts where the right arms are the likely ones.
///
/// # Example
/// ```
/// let rate = mta_theory::entropy_bonus::accuracy_rate(&[0.75, 0.25], &[true, false], 1.0);
/// assert!((rate - 0.1875 * (1.0 - 3f64.ln())).abs() < 1e-15);
/// ```
pub fn accuracy_rate(policy: &[f64], correct: &[bool], bonus: f64) -> f64 {
    let right: Vec<f64> = correct.iter().map(|&c| f64::from(c)).collect();
    let logs: Vec<f64> = policy.iter().map(|p| p.ln()).collect();
    covariance(policy, &right, &right) - bonus * covariance(policy, &right, &logs)
}

/// Rate under policy gradient of P3's invariant `I = exp(-theta_i) - exp(-theta_j)` of two arms of equal reward: no longer conserved.
///
/// ```text
/// dI/dt = h (theta_i - theta_j) / sum exp(theta)
/// ```
/// `theta`: logits, nats. It has the sign opposite to I, so the gap between equally right arms closes from every start and the collapse onto one is undone.
///
/// Proof: `d exp(-theta_i)/dt = -A_i / Z` as in P3, now with `A_i - A_j = -h (theta_i - theta_j)`.
///
/// # Example
/// ```
/// let rate = mta_theory::entropy_bonus::invariant_rate(&[3f64.ln(), 0.0], 0, 1, 0.5);
/// assert!((rate - 0.125 * 3f64.ln()).abs() < 1e-15);
/// ```
pub fn invariant_rate(theta: &[f64], i: usize, j: usize, bonus: f64) -> f64 {
    bonus * (theta[i] - theta[j]) / theta.iter().map(|t| t.exp()).sum::<f64>()
}

/// Rate at which the log-ratio of two right arms decays: under natural policy gradient always `h`; under policy gradient, near the fixed point, `h p* / C`.
///
/// # Example
/// ```
/// let [natural, plain] = mta_theory::entropy_bonus::equalising_rates(2.0, 2.0, 1.0 / 3f64.ln());
/// assert!((natural - 1.0 / 3f64.ln()).abs() < 1e-15 && (plain / natural - 0.375).abs() < 1e-15);
/// ```
pub fn equalising_rates(right: f64, wrong: f64, bonus: f64) -> [f64; 2] {
    [bonus, bonus * ceiling(right, wrong, bonus) / right]
}

/// Smallest bonus that holds a true reward normalised by the group standard deviation (the bonus itself is not): P9's critical leash at chance level.
///
/// ```text
/// d(u - u_c)/dt = 2 cosh(u/2) - h (u - u_c),   u_c = log(C/W)
/// ```
/// `right` C > 0, `wrong` W > 0. Below it accuracy runs to 1 whatever the bonus; without std an equilibrium exists for every h > 0.
///
/// Proof: log-ratios inside C and inside W decay as e^(-h t), so all right arms become equal and all wrong ones; the log-ratio u - u_c of a right to a wrong arm
/// is driven by 1/sqrt(p (1 - p)) = 2 cosh(u/2) and by the bonus.
///
/// Assumptions: as P9; equal arms inside C and inside W, which the flow reaches by itself.
///
/// # Example
/// ```
/// use mta_theory::{entropy_bonus::critical_bonus, leash::critical_beta};
/// assert_eq!(critical_bonus(1.0, 3.0), critical_beta(0.25));
/// ```
pub fn critical_bonus(right: f64, wrong: f64) -> f64 {
    critical_beta(right / (right + wrong))
}

/// Log-odds at which a bonus and a group-std-normalised true reward balance; `None` below [`critical_bonus`].
///
/// # Example
/// ```
/// assert!(mta_theory::entropy_bonus::group_std_equilibria(1.0, 1.0, 1.6).is_some());
/// assert!(mta_theory::entropy_bonus::group_std_equilibria(1.0, 1.0, 1.5).is_none());
/// ```
pub fn group_std_equilibria(right: f64, wrong: f64, bonus: f64) -> Option<Equilibria> {
    equilibria((right / wrong).ln(), bonus)
}

/// P38: the entropy bonus.
pub const P38: Proposition = Proposition {
    id: "P38",
    name: "entropy-bonus",
    statement: "An entropy bonus is a KL leash to the uniform policy: it caps pass@1 at C e^(1/h) / (C e^(1/h) + W) whatever the base model knew, and undoes the \
                collapse inside the right arms. With group std it holds nothing below a critical bonus.",
    assumptions: "Tabular softmax, exact gradient, 0/1 true reward for the ceiling; with std: population std, large groups, bonus outside the std.",
    formula: "NPG p(t) ∝ p0^tau e^(r (1-tau)/h), tau = e^(-ht); end softmax(r/h), PG too; dI/dt = h (theta_i - theta_j)/Z; std: P9 with u0 = log(C/W)",
    source: "own; regularised fixed point: standard (soft-max policies)",
    inputs: &[
        whole("right", "number of right arms C", 1.0, (1.0, 1e9)),
        whole("wrong", "number of wrong arms W", 31.0, (1.0, 1e9)),
        real("bonus", "entropy coefficient h, reward per nat", 0.1, (1e-6, 1e6)),
        real("p0", "accuracy of the base model, equal arms inside right and wrong", 0.1, (1e-300, 1.0 - 1e-16)),
        real("time", "time", 10.0, (0.0, 1e9)),
        real("target", "pass@1 to allow", 0.9, (1e-300, 1.0 - 1e-16)),
    ],
    outputs: &[
        output("accuracy", "accuracy under NPG at that time"),
        output("ceiling", "accuracy in the end, NPG and PG"),
        output("leash", "accuracy in the end with a KL leash of the same coefficient instead"),
        output("largest_bonus", "largest bonus that allows the target; none where chance suffices"),
        output("equalising_rate_npg", "decay rate of log-ratios inside the right arms, NPG"),
        output("equalising_rate_pg", "the same under PG near the end"),
        output("critical_bonus", "with group std: smallest bonus that holds"),
        output("stable", "with group std: accuracy of the stable equilibrium"),
    ],
    evaluate: |x| {
        let chance = (x[0] / x[1]).ln();
        let (tilt, power) = (-(-x[2] * x[4]).exp_m1() / x[2], (-x[2] * x[4]).exp());
        let accuracy = sigmoid(chance + power * (logit(x[3]) - chance) + tilt);
        let [natural, plain] = equalising_rates(x[0], x[1], x[2]);
        vec![
            finite(accuracy),
            finite(ceiling(x[0], x[1], x[2])),
            finite(crate::leash::fixed_point(x[3], 1.0, x[2])),
            largest_bonus(x[5], x[0], x[1]).and_then(finite),
            finite(natural),
            finite(plain),
            finite(critical_bonus(x[0], x[1])),
            group_std_equilibria(x[0], x[1], x[2]).and_then(|e| finite(sigmoid(e.stable))),
        ]
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    #[test]
    fn agrees_with_golden_numbers() {
        crate::golden::agree(include_str!("../golden/entropy_bonus.csv"), |name, x| match name {
            "policy_at" => policy_at(&x[2..5], &x[5..8], x[0], x[1])[0],
            "ceiling" => ceiling(x[0], x[1], x[2]),
            "accuracy_rate" => accuracy_rate(&x[1..4], &[true, false, false], x[0]),
            "critical_bonus" => critical_bonus(x[0], x[1]),
            _ => unreachable!("{name}"),
        });
    }

    /// At one coefficient the leash ends higher exactly where the base model beats chance.
    #[test]
    fn the_bonus_forgets_what_the_leash_remembers() {
        for (p0, leash_wins) in [(0.1, true), (0.02, false)] {
            assert_eq!(crate::leash::fixed_point(p0, 1.0, 0.3) > ceiling(1.0, 19.0, 0.3), leash_wins);
        }
        let end = policy_at(&[0.9, 0.06, 0.04], &[1.0, 0.0, 0.0], 1.0, 60.0);
        assert_abs_diff_eq!(end[0], ceiling(1.0, 2.0, 1.0), epsilon = 1e-15);
    }

    /// Coefficients in use, 1e-3 to 1e-2, are far below what group std asks for at any vocabulary.
    #[test]
    fn usual_coefficients_hold_nothing_under_group_std() {
        assert!(critical_bonus(1.0, 1.5e5) > 0.15);
        assert!(group_std_equilibria(1.0, 1.5e5, 0.01).is_none());
    }

    #[test]
    fn evaluation_agrees_with_the_policy() {
        let x = [1.0, 2.0, 0.3, 0.4, 1.5, 0.9];
        let p = policy_at(&[0.4, 0.3, 0.3], &[1.0, 0.0, 0.0], 0.3, 1.5);
        assert_abs_diff_eq!((P38.evaluate)(&x)[0].unwrap(), p[0], epsilon = 1e-15);
        for pick in [|i: &crate::proposition::Input| i.range.0, |i: &crate::proposition::Input| i.range.1] {
            let corner: Vec<f64> = P38.inputs.iter().map(pick).collect();
            assert_eq!((P38.evaluate)(&corner).len(), P38.outputs.len());
        }
    }
}

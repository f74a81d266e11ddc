//! How steep the reward is at least, and when graded rewards first push the best arm back (proposition P4).

use crate::price::{advantages, gradient_rate, policy_gradient};
use crate::proposition::{Proposition, output, real};

/// Length of the policy gradient, `|| p A ||_2`.
///
/// # Example
/// ```
/// assert!((mta_theory::push_back::gradient_norm(&[0.5, 0.5], &[1.0, 0.0]) - 0.25 * 2f64.sqrt()).abs() < 1e-15);
/// ```
pub fn gradient_norm(p: &[f64], r: &[f64]) -> f64 {
    policy_gradient(p, r).iter().fold(0.0, |norm, g| g.hypot(norm))
}

/// A lower bound of [`gradient_norm`]: what the best arm alone contributes.
///
/// ```text
/// || p A ||_2 >= p_best (r_best - mean r)
/// ```
/// `p`: probabilities that sum to 1; `r`: one finite reward per arm; the best arm is the most likely among those of the largest reward. 0 for no arms.
///
/// Proof: keep one coordinate of the norm.
///
/// Assumptions: tabular softmax, any bounded reward.
///
/// # Source
/// Mei et al., arXiv 2005.06392.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::push_back::gradient_lower_bound(&[0.5, 0.5], &[1.0, 0.0]), 0.25);
/// ```
pub fn gradient_lower_bound(p: &[f64], r: &[f64]) -> f64 {
    let best = (0..p.len()).max_by(|&i, &j| r[i].total_cmp(&r[j]).then(p[i].total_cmp(&p[j])));
    best.map_or(0.0, |b| p[b] * advantages(p, r)[b])
}

/// Rate of the probability of arm `i` under the policy gradient.
///
/// ```text
/// d p_i / dt = p_i (p_i A_i - sum p_k^2 A_k)
/// ```
/// With three or more levels of reward it may be negative for the best arm: the arms just below it are pushed up harder, as they are more likely. With
/// two levels the mass of the better ones never falls.
///
/// Proof: P1 with f the indicator of arm i. As the `p_k A_k` add up to 0, probabilities are taken relative to the largest, which keeps the digits where
/// two common arms almost cancel.
///
/// # Source
/// Corner trapping: Mei and Osband, arXiv 2605.11908.
///
/// # Example
/// A rare best arm loses to a common good one:
/// ```
/// let rate = mta_theory::push_back::arm_rate(&[0.01, 0.90, 0.09], &[1.0, 0.8, 0.0], 0);
/// assert!((rate + 4.8e-4).abs() < 5e-6);
/// ```
pub fn arm_rate(p: &[f64], r: &[f64], i: usize) -> f64 {
    let g = policy_gradient(p, r);
    let top = p.iter().copied().fold(0.0, f64::max);
    p[i] * (g[i] - p.iter().zip(&g).map(|(p, g)| (p - top) * g).sum::<f64>())
}

/// Whether the policy gradient first pushes arm `i` back: `p_i A_i < sum p_k^2 A_k`.
///
/// # Example
/// ```
/// assert!(mta_theory::push_back::is_pushed_back(&[0.01, 0.90, 0.09], &[1.0, 0.8, 0.0], 0));
/// ```
pub fn is_pushed_back(p: &[f64], r: &[f64], i: usize) -> bool {
    arm_rate(p, r, i) < 0.0
}

/// P4: gradient lower bound and push-back.
pub const P4: Proposition = Proposition {
    id: "P4",
    name: "push-back",
    statement: "The gradient is at least p_best (r_best - mean r); with three reward levels the best arm may nevertheless lose first, with two never.",
    assumptions: "Tabular softmax, exact policy gradient, bounded reward.",
    formula: "dp_1/dt = p_1 (p_1 A_1 - sum p_k^2 A_k) < 0 iff p_1 A_1 < sum p_k^2 A_k.",
    source: "Mei et al. arXiv 2005.06392; Mei and Osband arXiv 2605.11908.",
    inputs: &[
        real("p_best", "mass of the arm with reward 1", 0.01, (0.0, 1.0)),
        real("p_good", "mass of the arm with the middle reward; a third arm has reward 0 and the rest", 0.9, (0.0, 1.0)),
        real("r_good", "middle reward", 0.8, (0.0, 1.0)),
    ],
    outputs: &[
        output("best_arm_rate", "rate of the best arm under PG, per unit of time"),
        output("mean_reward_rate", "rate of the mean reward under PG, reward per unit of time"),
        output("gradient_norm", "length of the gradient, reward per nat"),
        output("lower_bound", "lower bound of that length, reward per nat"),
    ],
    evaluate: |x| {
        let (p, r) = ([x[0], x[1], 1.0 - x[0] - x[1]], [1.0, x[2], 0.0]);
        let values = [arm_rate(&p, &r, 0), gradient_rate(&p, &r, &r), gradient_norm(&p, &r), gradient_lower_bound(&p, &r)];
        values.map(|v| (p[2] >= 0.0).then_some(v)).to_vec()
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    #[test]
    fn a_rare_best_arm_is_pushed_back() {
        let (p, r) = ([0.01, 0.90, 0.09], [1.0, 0.8, 0.0]);
        assert_abs_diff_eq!(arm_rate(&p, &r, 0), gradient_rate(&p, &[1.0, 0.0, 0.0], &r), epsilon = 1e-17);
        assert!(is_pushed_back(&p, &r, 0));
    }

    #[test]
    fn tiny_arms_have_a_slope() {
        let (p, r) = ([1e-300, 1.0 - 1e-10, 1e-10], [1.0, 0.0, 0.0]);
        approx::assert_relative_eq!(gradient_lower_bound(&p, &r), 1e-300, max_relative = 1e-14);
        approx::assert_relative_eq!(gradient_norm(&p, &r), 1e-300, max_relative = 1e-14);
    }

    #[test]
    fn of_equally_good_arms_the_likelier_bounds() {
        assert_abs_diff_eq!(gradient_lower_bound(&[0.1, 0.4, 0.5], &[1.0, 1.0, 0.0]), 0.2, epsilon = 1e-16);
        assert_eq!(gradient_lower_bound(&[], &[]), 0.0);
    }

    #[test]
    fn evaluates() {
        let out = (P4.evaluate)(&[0.01, 0.9, 0.8]);
        assert!(out[0].unwrap() < 0.0 && out[1].unwrap() > 0.0 && out[2] >= out[3]);
        assert_eq!((P4.evaluate)(&[0.6, 0.9, 0.8]), vec![None; 4]);
    }
}

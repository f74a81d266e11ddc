//! How fast a statistic of the policy moves under a reward: a covariance, the alignment of the two (proposition P1).

use crate::proposition::{Proposition, output, real};

/// Advantages `A_i = r_i - sum p_k r_k` of every arm under the policy `p`.
///
/// `p`: probabilities that sum to 1; `r`: one finite reward per arm, any unit, which is the unit of the result.
///
/// Rewards are centred about the most likely arm first, so that a policy that has almost converged keeps its digits.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::price::advantages(&[0.25, 0.75], &[1.0, 0.0]), [0.75, -0.25]);
/// ```
pub fn advantages(p: &[f64], r: &[f64]) -> Vec<f64> {
    let Some(mode) = (0..p.len().min(r.len())).max_by(|&i, &j| p[i].total_cmp(&p[j])) else {
        return Vec::new();
    };
    let offset: f64 = p.iter().zip(r).map(|(p, x)| p * (x - r[mode])).sum();
    r.iter().map(|x| x - r[mode] - offset).collect()
}

/// Exact gradient of the mean reward in the logits, `p_i A_i`: the slope of the policy-gradient flow.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::price::policy_gradient(&[0.25, 0.75], &[1.0, 0.0]), [0.1875, -0.1875]);
/// ```
pub fn policy_gradient(p: &[f64], r: &[f64]) -> Vec<f64> {
    p.iter().zip(advantages(p, r)).map(|(p, a)| p * a).collect()
}

/// Rate of the mean of `f` under the natural policy gradient of reward `r`.
///
/// ```text
/// d E_p[f] / dt = Cov_p(f, r) = sum p_i (f_i - mean f)(r_i - mean r)
/// ```
/// `p`: probabilities that sum to 1; `f`, `r`: one finite number per arm. The result has the unit of f r per unit of time.
///
/// Proof: `dp_i = p_i (dtheta_i - sum p_k dtheta_k)` for a softmax; insert `dtheta = A` and sum against f.
///
/// Assumptions: tabular softmax, exact gradient, f and r fixed during the step (a self-reward counts with a stopped gradient).
///
/// # Source
/// Price's equation and Fisher's theorem for replicators; its use as the alignment of a reward with a task is our own.
///
/// # Example
/// A true reward moves accuracy at p (1 - p):
/// ```
/// let r = [1.0, 0.0, 0.0];
/// assert!((mta_theory::price::natural_rate(&[0.2, 0.5, 0.3], &r, &r) - 0.16).abs() < 1e-15);
/// ```
pub fn natural_rate(p: &[f64], f: &[f64], r: &[f64]) -> f64 {
    weighted(p, f, r, |p| p)
}

/// Rate of the mean of `f` under the policy gradient of reward `r`.
///
/// ```text
/// d E_p[f] / dt = sum p_i^2 (f_i - mean f)(r_i - mean r)
/// ```
/// Letters, proof and assumptions as in [`natural_rate`], with `dtheta_i = p_i A_i`; means are under p, not under the weights p^2.
///
/// # Example
/// ```
/// let r = [1.0, 0.0];
/// assert_eq!(mta_theory::price::gradient_rate(&[0.5, 0.5], &r, &r), 0.125);
/// ```
pub fn gradient_rate(p: &[f64], f: &[f64], r: &[f64]) -> f64 {
    weighted(p, f, r, |p| p * p)
}

fn weighted(p: &[f64], f: &[f64], r: &[f64], weight: impl Fn(f64) -> f64) -> f64 {
    let products = advantages(p, f).into_iter().zip(advantages(p, r));
    p.iter().zip(products).map(|(&p, (f, r))| weight(p) * f * r).sum()
}

/// A reward whose alignment with accuracy has a closed form.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reward {
    /// 1 on the correct arms, 0 elsewhere.
    True,
    /// Correct arms accepted more often than wrong ones by Youden's index J in [-1, 1], the same for every arm of a kind.
    Noisy {
        /// True minus false positive rate.
        youden: f64,
    },
    /// Independent of the arm.
    Random,
    /// 1 on one wrong arm of mass w in [0, 1 - p], 0 elsewhere: a wrong label, or a wrong majority.
    WrongLabel {
        /// Mass of the labelled arm.
        mass: f64,
    },
}

/// Rate of accuracy `p` in [0, 1] under the natural policy gradient of `reward`: [`natural_rate`] with f the indicator of the correct arms.
///
/// ```text
/// true: p (1-p)    noisy: J p (1-p)    random: 0    wrong label: -p w
/// ```
///
/// # Example
/// ```
/// use mta_theory::price::{Reward, alignment};
/// assert_eq!(alignment(0.25, Reward::WrongLabel { mass: 0.5 }), -0.125);
/// assert_eq!(alignment(1e-300, Reward::True), 1e-300);
/// ```
pub fn alignment(p: f64, reward: Reward) -> f64 {
    match reward {
        Reward::True => p * (1.0 - p),
        Reward::Noisy { youden } => youden * p * (1.0 - p),
        Reward::Random => 0.0,
        Reward::WrongLabel { mass } => -p * mass,
    }
}

/// P1: the alignment scalar.
pub const P1: Proposition = Proposition {
    id: "P1",
    name: "price-identity",
    statement: "Accuracy changes at the covariance of correctness and reward over the policy: the alignment of the reward with the task.",
    assumptions: "Tabular softmax, exact gradient, statistic and reward fixed during the step.",
    formula: "NPG: d E_p[f]/dt = Cov_p(f, r). PG: d E_p[f]/dt = sum p_i^2 (f_i - mean f)(r_i - mean r).",
    source: "Price and Fisher for replicators; as alignment scalar our own.",
    inputs: &[
        real("p_right", "mass of the correct arm", 0.2, (0.0, 1.0)),
        real("p_wrong", "mass of the wrong arm that is labelled or the majority; a third arm has the rest", 0.5, (0.0, 1.0)),
        real("youden", "true minus false positive rate of the noisy reward", 0.5, (-1.0, 1.0)),
    ],
    outputs: &[
        output("true_reward", "rate of accuracy under NPG of the true reward, per unit of time"),
        output("noisy", "the same of the noisy reward"),
        output("random", "the same of a random reward"),
        output("wrong_label", "the same of a reward on the wrong arm"),
        output("log_p", "the same of the self-reward log p"),
        output("log_p_gradient", "rate of accuracy under PG of the self-reward log p"),
    ],
    evaluate: |x| {
        let (p, w, rest) = (x[0], x[1], 1.0 - x[0] - x[1]);
        let arms = [p, w, rest.max(0.0)];
        let own = (arms.iter().all(|&p| p > 0.0)).then(|| arms.map(f64::ln));
        let right = [1.0, 0.0, 0.0];
        vec![
            Some(alignment(p, Reward::True)),
            Some(alignment(p, Reward::Noisy { youden: x[2] })),
            Some(alignment(p, Reward::Random)),
            (rest >= 0.0).then(|| alignment(p, Reward::WrongLabel { mass: w })),
            own.map(|r| natural_rate(&arms, &right, &r)),
            own.map(|r| gradient_rate(&arms, &right, &r)),
        ]
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    const ARMS: [f64; 4] = [0.15, 0.05, 0.5, 0.3];
    const RIGHT: [f64; 4] = [1.0, 1.0, 0.0, 0.0];

    fn agrees(reward: Reward, r: &[f64]) {
        approx::assert_abs_diff_eq!(natural_rate(&ARMS, &RIGHT, r), alignment(0.2, reward), epsilon = 1e-16);
    }

    #[test]
    fn the_closed_forms_are_covariances() {
        agrees(Reward::True, &RIGHT);
        agrees(Reward::Noisy { youden: 0.4 }, &[0.7, 0.7, 0.3, 0.3]);
        agrees(Reward::Random, &[0.5; 4]);
        agrees(Reward::WrongLabel { mass: 0.5 }, &[0.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn a_majority_label_helps_exactly_when_it_is_right() {
        let majority = |p: &[f64]| natural_rate(p, &[1.0, 0.0, 0.0], &[f64::from(p[0] > p[1]), f64::from(p[1] > p[0]), 0.0]);
        approx::assert_abs_diff_eq!(majority(&[0.5, 0.3, 0.2]), 0.25, epsilon = 1e-16);
        approx::assert_abs_diff_eq!(majority(&[0.3, 0.5, 0.2]), -0.15, epsilon = 1e-16);
    }

    #[test]
    fn an_almost_converged_policy_keeps_its_digits() {
        let p = [1.0, 1e-200, 1e-300];
        approx::assert_relative_eq!(natural_rate(&p, &[0.0, 1.0, 0.0], &[0.0, 1.0, 0.0]), 1e-200, max_relative = 1e-14);
        approx::assert_relative_eq!(natural_rate(&p, &[0.0, 1.0, 1.0], &[3.0, 3.0, 4.0]), 1e-300, max_relative = 1e-14);
    }

    /// A million arms: NPG of the true reward moves accuracy at p (1 - p).
    #[test]
    fn many_arms_cost_no_digits() {
        let p = vec![1e-6; 1_000_000];
        let r: Vec<f64> = (0..1_000_000).map(|i| f64::from(i < 250_000)).collect();
        approx::assert_relative_eq!(natural_rate(&p, &r, &r), 0.1875, max_relative = 1e-10);
        approx::assert_relative_eq!(gradient_rate(&p, &r, &r), 0.1875e-6, max_relative = 1e-10);
    }

    #[test]
    fn no_arms_have_no_advantages() {
        assert!(advantages(&[], &[]).is_empty());
    }

    #[test]
    fn evaluates() {
        let out = (P1.evaluate)(&[0.2, 0.5, 0.5]);
        assert_eq!(out.len(), P1.outputs.len());
        approx::assert_abs_diff_eq!(out[0].unwrap(), 0.16, epsilon = 1e-15);
        approx::assert_abs_diff_eq!(out[3].unwrap(), -0.1, epsilon = 1e-15);
        assert!((P1.evaluate)(&[0.9, 0.5, 0.5])[3].is_none());
    }
}

//! Accuracy of a sharpened policy, and its duality with entropy (P22).

use crate::proposition::{Proposition, finite, output, real};
use crate::simplex::{covariance, entropy, expectation};

/// The base policy raised to a power: `pi_tau = p0^tau / sum p0^tau`.
///
/// `base` p0: probabilities >= 0, normalised or not; `exponent` tau >= 0. Computed from logarithms, so p0 down to 1e-300 and tau up to 1e6 are safe.
///
/// tau = 1 + 1/beta for the fixed reward log p0 with a KL leash beta; tau = beta / (beta - 1) for self-reward with beta > 1; tau = e^t for NPG on
/// self-reward after time t.
///
/// # Example
/// ```
/// let squared = mta_theory::sharpening::sharpened(&[0.75, 0.25], 2.0);
/// assert!((squared[0] - 0.9).abs() < 1e-15);
/// ```
pub fn sharpened(base: &[f64], exponent: f64) -> Vec<f64> {
    let powers: Vec<f64> = base.iter().map(|&p| if p > 0.0 { exponent * p.ln() } else { f64::NEG_INFINITY }).collect();
    crate::simplex::softmax(&powers)
}

/// Accuracy of the sharpened policy: `a(tau) = pi_tau(C)`.
///
/// `base` and `exponent` as in [`sharpened`]; `correct` marks the set C.
///
/// # Example
/// The right arm is not the mode, so sharpening destroys it:
/// ```
/// let a = |tau| mta_theory::sharpening::sharpened_accuracy(&[0.4, 0.6], &[true, false], tau);
/// assert!((a(1.0) - 0.4).abs() < 1e-15 && a(30.0) < 1e-5);
/// ```
pub fn sharpened_accuracy(base: &[f64], correct: &[bool], exponent: f64) -> f64 {
    share(&sharpened(base, exponent), correct)
}

/// Slope of [`sharpened_accuracy`] in the exponent.
///
/// ```text
/// da/dtau = Cov_{pi_tau}(1_C, log p0) = a (1 - a) (E[log p0 | C] - E[log p0 | W])
/// ```
/// Proof: a = Z_C / Z with Z = sum p0^tau, and d log Z_S / dtau = E[log p0 | S].
///
/// Assumptions: p0 has full support. The second form is used: it keeps its relative accuracy where a is near 0 or 1.
///
/// # Source
/// The covariance law: Cui et al., arXiv 2505.22617; sharpening: Huang et al., arXiv 2412.01951.
///
/// # Example
/// Two arms: a (1 - a) log(p / (1 - p)).
/// ```
/// let slope = mta_theory::sharpening::accuracy_slope(&[0.75, 0.25], &[true, false], 1.0);
/// assert!((slope - 0.1875 * 3f64.ln()).abs() < 1e-15);
/// ```
pub fn accuracy_slope(base: &[f64], correct: &[bool], exponent: f64) -> f64 {
    let policy = sharpened(base, exponent);
    let wrong: Vec<bool> = correct.iter().map(|c| !c).collect();
    let (a, miss) = (share(&policy, correct), share(&policy, &wrong));
    if a == 0.0 || miss == 0.0 {
        return 0.0;
    }
    let mean_log = |set: &[bool], mass: f64| policy.iter().zip(base).zip(set).map(|((p, b), &s)| masked(s, *p, b.ln())).sum::<f64>() / mass;
    a * miss * (mean_log(correct, a) - mean_log(&wrong, miss))
}

/// `p l` inside a set, 0 outside and where p is 0.
fn masked(inside: bool, p: f64, l: f64) -> f64 {
    if inside && p > 0.0 { p * l } else { 0.0 }
}

fn share(policy: &[f64], set: &[bool]) -> f64 {
    policy.iter().zip(set).map(|(p, &s)| masked(s, *p, 1.0)).sum()
}

/// What accuracy tends to: 1 if every mode of the base policy is right, 0 if none is, and the right share of the modes otherwise.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::sharpening::limit_accuracy(&[0.3, 0.3, 0.4], &[true, true, false]), 0.0);
/// assert_eq!(mta_theory::sharpening::limit_accuracy(&[0.4, 0.2, 0.4], &[true, true, false]), 0.5);
/// ```
pub fn limit_accuracy(base: &[f64], correct: &[bool]) -> f64 {
    let top = base.iter().copied().fold(0.0, f64::max);
    let modes: Vec<bool> = base.iter().zip(correct).filter(|(p, _)| **p == top).map(|(_, c)| *c).collect();
    modes.iter().filter(|c| **c).count() as f64 / modes.len() as f64
}

/// Rate of entropy under any motion of the logits.
///
/// ```text
/// dH/dt = -Cov_p(log p, dtheta/dt)
/// ```
/// `policy` p > 0; `motion` dtheta/dt. Proof: d log p_i = dtheta_i - mean, and sum p_i dlog p_i = 0.
///
/// # Example
/// Pulling towards the likelier arm lowers entropy:
/// ```
/// assert!(mta_theory::sharpening::entropy_rate(&[0.75, 0.25], &[1.0, 0.0]) < 0.0);
/// ```
pub fn entropy_rate(policy: &[f64], motion: &[f64]) -> f64 {
    -covariance(policy, &policy.iter().map(|p| p.ln()).collect::<Vec<_>>(), motion)
}

/// Rate of entropy of natural-gradient ascent on accuracy, `dtheta_i/dt = 1_C(i) - p_C`: minus the accuracy slope of sharpening at tau = 1.
///
/// Task reward raises entropy exactly where sharpening would lower accuracy.
///
/// # Example
/// ```
/// use mta_theory::sharpening::{accuracy_slope, task_reward_entropy_rate};
/// let (p, c) = ([0.2, 0.5, 0.3], [true, false, false]);
/// assert_eq!(task_reward_entropy_rate(&p, &c), -accuracy_slope(&p, &c, 1.0));
/// ```
pub fn task_reward_entropy_rate(policy: &[f64], correct: &[bool]) -> f64 {
    -accuracy_slope(policy, correct, 1.0)
}

/// The base policy of the proposition's inputs: one right arm, a rival, and the rest as a third arm.
fn three_arms(x: &[f64]) -> Option<[f64; 3]> {
    let rest = 1.0 - x[0] - x[1];
    (rest >= 0.0).then_some([x[0], x[1], rest])
}

/// Accuracy of a sharpened policy.
pub const P22: Proposition = Proposition {
    id: "P22",
    name: "sharpened-accuracy",
    statement: "Sharpening changes accuracy by the covariance of correctness and log-probability, and ends at 1 iff the mode is right. Task reward raises \
                entropy exactly where sharpening would hurt.",
    assumptions: "One prompt, full support, the base policy raised to a power. Evaluated on three arms: a right one, a rival, the rest.",
    formula: "pi_tau = p0^tau / Z; da/dtau = Cov_{pi_tau}(1_C, log p0); a(inf) = 1[mode in C]; dH/dt = -Cov_p(1_C, log p) under task-reward NPG",
    source: "covariance law: Cui et al., arXiv 2505.22617; sharpening: Huang et al., arXiv 2412.01951; duality: own",
    inputs: &[
        real("p_right", "base probability of the right arm", 0.3, (1e-300, 1.0)),
        real("p_rival", "base probability of a wrong arm", 0.4, (0.0, 1.0)),
        real("exponent", "tau, power of the base policy", 2.0, (0.0, 1e6)),
    ],
    outputs: &[
        output("accuracy", "accuracy of the sharpened policy"),
        output("slope", "its slope in tau, per unit of tau"),
        output("limit_accuracy", "accuracy as tau goes to infinity"),
        output("entropy", "entropy of the sharpened policy, nats"),
        output("entropy_rate", "rate of entropy of the base policy under task-reward NPG, nats per unit of time"),
    ],
    evaluate: |x| match three_arms(x) {
        Some(p) => {
            let c = [true, false, false];
            let rate = task_reward_entropy_rate(&p, &c);
            let all = [
                sharpened_accuracy(&p, &c, x[2]),
                accuracy_slope(&p, &c, x[2]),
                limit_accuracy(&p, &c),
                entropy(&sharpened(&p, x[2])),
                rate,
            ];
            all.map(finite).to_vec()
        }
        None => vec![None; 5],
    },
};

/// Mean log base probability: the energy of the sharpened family, `d log Z / dtau`.
///
/// # Example
/// ```
/// assert!((mta_theory::sharpening::mean_log_probability(&[0.5, 0.5], 3.0) + 2f64.ln()).abs() < 1e-15);
/// ```
pub fn mean_log_probability(base: &[f64], exponent: f64) -> f64 {
    expectation(&sharpened(base, exponent), &base.iter().map(|p| p.ln()).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(m: f64, arms: usize) -> Vec<bool> {
        (0..arms).map(|i| (i as f64) < m).collect()
    }

    #[test]
    fn agrees_with_golden_numbers() {
        crate::golden::agree(include_str!("../golden/sharpening.csv"), |name, x| {
            let (p, c) = (&x[2..], first(x[1], x.len() - 2));
            match name {
                "sharpened_accuracy" => sharpened_accuracy(p, &c, x[0]),
                "accuracy_slope" => accuracy_slope(p, &c, x[0]),
                _ => unreachable!("{name}"),
            }
        });
    }

    #[test]
    fn evaluation_is_total() {
        assert_eq!((P22.evaluate)(&[0.7, 0.7, 2.0]), vec![None; 5]);
        for x in [[1e-300, 1.0, 1e6], [1.0, 0.0, 0.0], [0.3, 0.4, 2.0]] {
            let y = (P22.evaluate)(&x);
            assert!(y.len() == P22.outputs.len() && y.iter().all(Option::is_some), "{x:?} {y:?}");
        }
    }
}

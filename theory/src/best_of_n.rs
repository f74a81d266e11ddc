//! What picking the likeliest, or a verified one, of N draws gives (P24).

use crate::pass_at_k::pass_at_k;
use crate::proposition::{Proposition, finite, output, real};

/// Chance that the likeliest of N independent draws is each arm.
///
/// ```text
/// P(BoN = i) = F_i^N - F_{i-1}^N,   arms in rising order of p0, F_i = sum_{j <= i} p0_j
/// ```
/// `base` p0: probabilities >= 0, normalised here; `draws` N >= 1, not necessarily whole. Arms of equal probability form one class, whose chance they
/// share. Small chances keep their relative accuracy, N up to 1e12: `-F_i^N expm1(N log(F_{i-1} / F_i))`.
///
/// Proof: the largest rank among N draws is at most i iff every draw is, with chance F_i^N.
///
/// Source: own; the coverage picture is Huang et al., arXiv 2412.01951.
///
/// # Example
/// Two draws find the likelier arm unless both miss it:
/// ```
/// let bon = mta_theory::best_of_n::best_of_n(&[0.25, 0.75], 2.0);
/// assert!((bon[0] - 0.0625).abs() < 1e-15 && (bon[1] - 0.9375).abs() < 1e-15);
/// ```
pub fn best_of_n(base: &[f64], draws: f64) -> Vec<f64> {
    let total: f64 = base.iter().sum();
    let classes = classes(base);
    let mut chances = vec![0.0; base.len()];
    let mut below = 0.0;
    for (at, arms) in classes.iter().enumerate() {
        let mass = arms.len() as f64 * base[arms[0]] / total;
        let above: f64 = classes[at + 1..].iter().rev().map(|c| c.len() as f64 * base[c[0]] / total).sum();
        let chance = largest_rank(below, mass, above, draws);
        for &arm in arms {
            chances[arm] = chance / arms.len() as f64;
        }
        below += mass;
    }
    chances
}

/// Arms grouped by equal probability, rising.
fn classes(base: &[f64]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..base.len()).collect();
    order.sort_by(|&i, &j| base[i].total_cmp(&base[j]));
    order.chunk_by(|&i, &j| base[i] == base[j]).map(<[usize]>::to_vec).collect()
}

/// `(below + mass)^N - below^N` where `below + mass + above = 1`.
fn largest_rank(below: f64, mass: f64, above: f64, draws: f64) -> f64 {
    let at = below + mass;
    let ln_at = if above < 0.5 { (-above).ln_1p() } else { at.ln() };
    -(draws * ln_at).exp() * (draws * (-mass / at).ln_1p()).exp_m1()
}

/// Accuracy of self-rewarded best-of-N: the sum of [`best_of_n`] over the right arms.
///
/// # Example
/// ```
/// let a = mta_theory::best_of_n::self_rewarded_accuracy(&[0.25, 0.75], &[false, true], 2.0);
/// assert!((a - 0.9375).abs() < 1e-15);
/// ```
pub fn self_rewarded_accuracy(base: &[f64], correct: &[bool], draws: f64) -> f64 {
    best_of_n(base, draws).iter().zip(correct).map(|(p, &c)| if c { *p } else { 0.0 }).sum()
}

/// Best-of-N by log-probability and by a verifier.
pub const P24: Proposition = Proposition {
    id: "P24",
    name: "best-of-n",
    statement: "The likeliest of N draws is arm i with chance F_i^N - F_{i-1}^N; it finds the mode once N exceeds 1/p_max. A verifier finds a right arm with \
                chance 1 - (1 - p)^N whatever its rank.",
    assumptions: "N independent draws. Evaluated on three arms: a right one, a rival, the rest (as one arm).",
    formula: "P(BoN = i) = F_i^N - F_{i-1}^N; verified: 1 - (1 - p)^N",
    source: "own; coverage: Huang et al., arXiv 2412.01951",
    inputs: &[
        real("p_right", "base probability of the right arm", 0.35, (1e-300, 1.0)),
        real("p_rival", "base probability of a wrong arm", 0.4, (0.0, 1.0)),
        real("draws", "draws N", 8.0, (1.0, 1e12)),
    ],
    outputs: &[
        output("self_rewarded", "accuracy of the likeliest of N draws"),
        output("verified", "chance that one of N draws is right"),
        output("draws_for_mode", "1 / p_max, draws after which the mode tends to be among them"),
    ],
    evaluate: |x| {
        let rest = 1.0 - x[0] - x[1];
        if rest < 0.0 {
            return vec![None; 3];
        }
        let p = [x[0], x[1], rest];
        let top = p.iter().copied().fold(0.0, f64::max);
        [self_rewarded_accuracy(&p, &[true, false, false], x[2]), pass_at_k(x[0], x[2]), 1.0 / top].map(finite).to_vec()
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_golden_numbers() {
        crate::golden::agree(include_str!("../golden/best_of_n.csv"), |_, x| best_of_n(&x[2..], x[0])[x[1] as usize]);
    }

    #[test]
    fn evaluation_is_total() {
        assert_eq!((P24.evaluate)(&[0.7, 0.7, 2.0]), vec![None; 3]);
        for x in [[1e-300, 1.0, 1e12], [1.0, 0.0, 1.0], [0.3, 0.4, 2.0]] {
            let y = (P24.evaluate)(&x);
            assert!(y.len() == P24.outputs.len() && y.iter().all(Option::is_some), "{x:?} {y:?}");
        }
        assert_eq!((P24.evaluate)(&[0.25, 0.75, 2.0])[0].map(|a| (a * 1e4).round()), Some(625.0));
    }

    /// Many arms in a moment, and nothing is lost.
    #[test]
    fn sums_to_one_over_many_arms() {
        let base: Vec<f64> = (1..=2000).map(|i| 1.0 / f64::from(i)).collect();
        for draws in [1.0, 7.0, 1e6, 1e12] {
            approx::assert_abs_diff_eq!(best_of_n(&base, draws).iter().sum::<f64>(), 1.0, epsilon = 1e-11);
        }
    }
}

//! What Adam does to positive and negative samples: it divides by noise, so equal expected gradients no longer move equally (proposition P39).
//!
//! Two arms, p the chance of the right one, q = 1 - p, g the gradient of a batch of G samples in the right arm's logit (the other's is -g).
//! *Speed*: mean step of the logit in units of the learning rate, at most 1.

use crate::proposition::{Proposition, finite, output, real, whole};
use crate::signed_samples::expected_group_std;
use crate::simplex::logit;

/// Mean Adam step over the learning rate where the second-moment average has settled.
///
/// ```text
/// speed = E[g] / (sqrt(E[g^2]) + floor)
/// ```
/// `second_moment` E[g^2] >= 0 of a batch's gradient, its sampling noise included; `floor` >= 0: the constant that Adam adds to the root. At a policy that stands
/// still the mean of m is that of g for every beta1, and v tends to the mean square of g as beta2 -> 1.
///
/// # Source
/// The update: Kingma and Ba, arXiv 1412.6980, algorithm 1.
///
/// # Example
/// A fair coin that pays 0 or 2 moves at 1/sqrt 2, whatever it pays in:
/// ```
/// use mta_theory::adam::speed;
/// assert!((speed(1.0, 2.0, 0.0) - 0.5f64.sqrt()).abs() < 1e-15);
/// assert_eq!(speed(10.0, 200.0, 0.0), speed(1.0, 2.0, 0.0));
/// ```
pub fn speed(mean: f64, second_moment: f64, floor: f64) -> f64 {
    mean / (second_moment.sqrt() + floor)
}

/// Speed of positive-only REINFORCE (raw +1, no baseline) under Adam.
///
/// ```text
/// 1 / sqrt(1 + q / (p G)),   q = 1 - p
/// ```
/// `p` in (0, 1]; `group` G >= 1. Proof: a sample's gradient is q with chance p, otherwise 0: mean p q, variance p q^3, hence E[g^2] = (p q)^2 (1 + q / (p G)).
///
/// # Example
/// ```
/// assert!((mta_theory::adam::psr_speed(0.25, 1.0) - 0.5).abs() < 1e-15);
/// ```
pub fn psr_speed(p: f64, group: f64) -> f64 {
    (1.0 + (1.0 - p) / p / group).sqrt().recip()
}

/// Speed of negative-only REINFORCE (raw -1, no baseline) under Adam.
///
/// ```text
/// 1 / sqrt(1 + p / (q G)),   q = 1 - p
/// ```
/// `p` in [0, 1); `group` G >= 1. Proof: a sample's gradient is p with chance q, otherwise 0. The expected gradient is that of [`psr_speed`], p q; small batches
/// move at the ratio psr : nsr = p : q, large ones both at 1.
///
/// # Example
/// ```
/// use mta_theory::adam::{nsr_speed, psr_speed};
/// assert!((nsr_speed(0.75, 1.0) - 0.5).abs() < 1e-15);
/// assert!((psr_speed(0.2, 1e-9) / nsr_speed(0.2, 1e-9) - 0.25).abs() < 1e-8);
/// ```
pub fn nsr_speed(p: f64, group: f64) -> f64 {
    (1.0 + p / (1.0 - p) / group).sqrt().recip()
}

/// Speeds of GRPO over the group standard deviation under Adam: both signs, positives only, negatives only.
///
/// ```text
/// c E[s] / (c sqrt(E[s^2]) + floor),   c = 1, q, p,   s = sqrt(n (G - n)) / G,   E[s^2] = p q (1 - 1/G)
/// ```
/// `p` in (0, 1); `group` G in [2, 1e6]; `floor` >= 0. With floor 0 all three are *one* number for every p and G: the shares q and p of P27 vanish. A floor
/// far above the gradient brings them back.
///
/// Proof: n right samples have advantage sqrt((G - n)/n) and score q, so positives sum to q s, and negatives likewise to p s: in every batch the same
/// number up to a constant, which Adam divides out.
///
/// # Example
/// Groups of two: s is 1/2 with chance 2 p q, otherwise 0.
/// ```
/// let [both, positive, negative] = mta_theory::adam::grpo_speeds(0.2, 2, 0.0);
/// assert!((both - 0.32f64.sqrt()).abs() < 1e-15 && (positive - both).abs() < 1e-15 && (negative - both).abs() < 1e-15);
/// let [_, positive, negative] = mta_theory::adam::grpo_speeds(0.2, 2, 1e9);
/// assert!((positive / negative - 4.0).abs() < 1e-8);
/// ```
pub fn grpo_speeds(p: f64, group: u32, floor: f64) -> [f64; 3] {
    let (mean, square) = (expected_group_std(p, group), p * (1.0 - p) * (1.0 - 1.0 / f64::from(group)));
    [1.0, 1.0 - p, p].map(|c| speed(c * mean, c * c * square, floor))
}

/// Speeds without any averaging (beta1 = beta2 = 0: the sign of each batch): positive-only, negative-only, and GRPO, whole or either part.
///
/// ```text
/// 1 - q^G,   1 - p^G,   1 - p^G - q^G
/// ```
/// `p` in [0, 1]; `group` G >= 1. Proof: no batch points the wrong way, so a step is the learning rate unless the gradient is 0.
///
/// # Example
/// ```
/// let [psr, nsr, grpo] = mta_theory::adam::sign_speeds(0.25, 2.0);
/// assert!((psr - 0.4375).abs() < 1e-15 && (nsr - 0.9375).abs() < 1e-15 && (grpo - 0.375).abs() < 1e-15);
/// ```
pub fn sign_speeds(p: f64, group: f64) -> [f64; 3] {
    let hit = |p: f64| crate::pass_at_k::pass_at_k(p, group);
    let mixed = crate::random_reward::second_moment_group_std(p, group);
    [hit(p), hit(1.0 - p), mixed]
}

/// Learning rate times steps from `start` to `end` under Adam: positive-only, negative-only, and the limit of large batches.
///
/// ```text
/// T = (1/2) int du / speed = [F(u) - F(u0)] / 2,   F(u) = 2 artanh(1/w) - 2 w,   w = sqrt(1 + e^-u / G)
/// negatives: [F(-u0) - F(-u)] / 2;   large batches: (u - u0) / 2
/// ```
/// `start` <= `end`, both in (0, 1), u = logit p; `group` G >= 1. From a small p0 positives need about 1/sqrt(G p0), negatives about log(1/p0)/2: the reverse of
/// P27's order.
///
/// Proof: each logit moves at the speed, so du/dt = 2 speed; put e^-u = G (w^2 - 1), then du = -2 w dw / (w^2 - 1).
///
/// # Example
/// ```
/// let [positive, negative, large] = mta_theory::adam::hitting_times(0.5, 0.75, 1e12);
/// assert!((large - 0.5 * 3f64.ln()).abs() < 1e-15 && (positive - large).abs() < 1e-11 && (negative - large).abs() < 1e-11);
/// ```
pub fn hitting_times(start: f64, end: f64, group: f64) -> [f64; 3] {
    let (u0, u) = (logit(start), logit(end));
    [primitive(u, group) - primitive(u0, group), primitive(-u0, group) - primitive(-u, group), u - u0].map(|t| 0.5 * t)
}

/// `2 artanh(1/w) - 2 w = u + log G + 2 log(1 + w) - 2 w` at `w = sqrt(1 + e^-u / G)`.
fn primitive(u: f64, group: f64) -> f64 {
    let w = (1.0 + (-u).exp() / group).sqrt();
    u + group.ln() + 2.0 * w.ln_1p() - 2.0 * w
}

/// P39: Adam and the sign of samples.
pub const P39: Proposition = Proposition {
    id: "P39",
    name: "adam-signed-samples",
    statement: "Under Adam positive-only and negative-only REINFORCE differ although their expected gradients agree: small batches move at p : 1-p, so a weak model \
                learns faster from negatives. The positive and negative parts of GRPO move alike: their shares 1-p and p are a scale, and Adam divides it out.",
    assumptions: "Two arms (with more, the right arm's logit only); policy slow against beta2 -> 1; no floor in the root; one right arm.",
    formula: "speed = E[g]/sqrt(E[g^2]): psr 1/sqrt(1+q/(pG)), nsr 1/sqrt(1+p/(qG)), GRPO and parts E[s]/sqrt(pq(1-1/G)); beta = 0: 1-q^G, 1-p^G, 1-p^G-q^G",
    source: "own; Adam: arXiv 1412.6980; split: arXiv 2506.01347",
    inputs: &[
        real("p", "chance of a right answer, and start of the hitting times", 0.05, (1e-300, 0.999_999)),
        whole("group", "samples per batch G", 8.0, (2.0, 1e6)),
        real("floor", "Adam's constant beside the root, in units of the gradient", 0.0, (0.0, 1e9)),
        real("target", "chance to reach", 0.5, (1e-300, 0.999_999)),
    ],
    outputs: &[
        output("psr_speed", "mean step of positive-only REINFORCE over the learning rate, floor 0"),
        output("nsr_speed", "mean step of negative-only REINFORCE over the learning rate, floor 0"),
        output("grpo_speed", "mean step of GRPO over the learning rate"),
        output("grpo_positive_speed", "the same of its positive samples only"),
        output("grpo_negative_speed", "the same of its negative samples only"),
        output("psr_sign_speed", "positive-only REINFORCE, beta1 = beta2 = 0"),
        output("nsr_sign_speed", "negative-only REINFORCE, beta1 = beta2 = 0"),
        output("time_psr", "learning rate times steps to the target, positive-only REINFORCE"),
        output("time_nsr", "learning rate times steps to the target, negative-only REINFORCE"),
    ],
    evaluate: |x| {
        let [positive, negative, _] = hitting_times(x[0], x[3], x[1]).map(|t| if x[0] <= x[3] { t } else { f64::NAN });
        let [psr_sign, nsr_sign, _] = sign_speeds(x[0], x[1]);
        let raw = [psr_speed(x[0], x[1]), nsr_speed(x[0], x[1])].into_iter();
        let all = raw.chain(grpo_speeds(x[0], x[1] as u32, x[2])).chain([psr_sign, nsr_sign, positive, negative]);
        all.map(finite).collect()
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use approx::{assert_abs_diff_eq, assert_relative_eq};

    #[test]
    fn agrees_with_golden_numbers() {
        crate::golden::agree(include_str!("../golden/adam.csv"), |name, x| match name {
            "psr_speed" => psr_speed(x[0], x[1]),
            "nsr_speed" => nsr_speed(x[0], x[1]),
            "grpo_speed" => grpo_speeds(x[0], x[1] as u32, 0.0)[0],
            "psr_time" => hitting_times(x[0], x[1], x[2])[0],
            "nsr_time" => hitting_times(x[0], x[1], x[2])[1],
            _ => unreachable!("{name}"),
        });
    }

    /// From a weak model Adam reverses P27: GRPO's positives need time <= 2 there and its negatives 2/sqrt(p0).
    #[test]
    fn a_weak_model_learns_from_negatives() {
        let [positive, negative, _] = hitting_times(1e-4, 0.5, 8.0);
        assert_abs_diff_eq!(positive, 36.04, epsilon = 5e-3);
        assert_abs_diff_eq!(negative, 4.6, epsilon = 0.05);
        let [grpo_positive, grpo_negative, _] = crate::signed_samples::hitting_times(1e-4, 0.5);
        assert!(grpo_positive < 2.0 && grpo_negative > 190.0);
    }

    #[test]
    fn evaluates_at_its_corners() {
        for corner in 0..1 << P39.inputs.len() {
            let range = |(i, input): (usize, &crate::proposition::Input)| if corner >> i & 1 == 0 { input.range.0 } else { input.range.1 };
            let x: Vec<f64> = P39.inputs.iter().enumerate().map(range).collect();
            let out = (P39.evaluate)(&x);
            assert!(out.len() == P39.outputs.len() && out[..2].iter().all(Option::is_some), "{x:?} {out:?}");
        }
        assert_relative_eq!((P39.evaluate)(&[0.25, 2.0, 0.0, 0.5])[0].unwrap(), 0.4f64.sqrt(), max_relative = 1e-15);
    }
}

//! What positive and negative samples each do: the same in expectation (P27), not one by one (P28).

use crate::proposition::{Proposition, finite, output, real, whole};
use crate::simplex::power_sum;

/// Gradient of the accuracy in the logits, `p_i (1_C(i) - p_C)`: the mean of positive-only samples, and of negative-only ones.
///
/// ```text
/// E[1_C grad log pi] = grad p = E[-1_W grad log pi]
/// ```
/// Proof: sum_i p_i grad log p_i = 0 splits into right and wrong parts of opposite sign.
///
/// # Source
/// The split: Zhu et al., arXiv 2506.01347.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::signed_samples::accuracy_gradient(&[0.25, 0.75], &[true, false]), [0.1875, -0.1875]);
/// ```
pub fn accuracy_gradient(policy: &[f64], correct: &[bool]) -> Vec<f64> {
    let p: f64 = policy.iter().zip(correct).map(|(p, &c)| if c { *p } else { 0.0 }).sum();
    policy.iter().zip(correct).map(|(q, &c)| q * (f64::from(c) - p)).collect()
}

/// Weight of grad p when positive samples are averaged over their own count: `(1 - (1-p)^G) / p`, which turns accuracy into log-accuracy.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::signed_samples::psr_norm_weight(0.5, 2.0), 1.5);
/// ```
pub fn psr_norm_weight(p: f64, group: f64) -> f64 {
    if p == 0.0 { group } else { crate::pass_at_k::pass_at_k(p, group) / p }
}

/// Weight of grad p when negative samples are averaged over their own count: `(1 - p^G) / (1 - p)`.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::signed_samples::nsr_norm_weight(0.5, 2.0), 1.5);
/// ```
pub fn nsr_norm_weight(p: f64, group: f64) -> f64 {
    if p == 1.0 { group } else { -(group * p.ln()).exp_m1() / (1.0 - p) }
}

/// Mean of the population standard deviation `sqrt(h (1 - h))` of a group of `group` 0/1 rewards, h its share of successes.
///
/// `p` in [0, 1]; `group` G in [1, 1e6]. Summed over the binomial law by its ratio recurrence from the mode outwards.
///
/// # Example
/// ```
/// assert!((mta_theory::signed_samples::expected_group_std(0.5, 2) - 0.25).abs() < 1e-15);
/// ```
pub fn expected_group_std(p: f64, group: u32) -> f64 {
    if p <= 0.0 || p >= 1.0 {
        return 0.0;
    }
    let (g, odds) = (f64::from(group), p / (1.0 - p));
    let std = |h: f64| (h * (g - h)).sqrt() / g;
    let (mut total, mut sum) = (0.0, 0.0);
    let mode = (p * g).floor();
    let mut add = |h: f64, w: f64| {
        total += w;
        sum += w * std(h);
    };
    walk((mode, 1.0), 1.0, |h| (g - h) / (h + 1.0) * odds, &mut add);
    walk((mode - 1.0, -1.0), mode / (g - mode + 1.0) / odds, |h| h / (g - h + 1.0) / odds, &mut add);
    sum / total
}

/// Visits success counts from `start` by `step` with their weights, `first` at the start and multiplied by `ratio` each time, until they vanish.
fn walk((start, step): (f64, f64), first: f64, ratio: impl Fn(f64) -> f64, add: &mut impl FnMut(f64, f64)) {
    let (mut h, mut w) = (start, first);
    while h >= 0.0 && w > 0.0 {
        add(h, w);
        w *= ratio(h);
        h += step;
    }
}

/// Weight of grad p in GRPO with the population standard deviation, and its parts from positive and negative samples.
///
/// ```text
/// total = E[sigma_h] / (p (1 - p)),   positives (1 - p) total,   negatives p total
/// ```
/// for every G. Proof: in a group with success share h positives weigh (1 - h)/sigma_h and there are hG of them, negatives weigh h/sigma_h and there are
/// (1 - h)G; both products are sigma_h, times grad p / p and grad p / (1 - p).
///
/// # Example
/// At p = 1/2 both carry half:
/// ```
/// assert_eq!(mta_theory::signed_samples::grpo_weights(0.5, 2), [1.0, 0.5, 0.5]);
/// ```
pub fn grpo_weights(p: f64, group: u32) -> [f64; 3] {
    let std = expected_group_std(p, group);
    [std / p / (1.0 - p), std / p, std / (1.0 - p)]
}

/// Flow times of NPG over the standard deviation from `start` to `end`, for large groups, with positives only, negatives only, and both.
///
/// ```text
/// 2 (e^(u/2) - e^(u0/2)),   2 (e^(-u0/2) - e^(-u/2)),   2 arcsin sqrt p - 2 arcsin sqrt p0
/// ```
/// `start` p0 <= `end` p, both in (0, 1). Proof: du/dt = e^(-u/2), e^(u/2) and their sum 1/sqrt(p (1 - p)).
///
/// # Example
/// From 1/2 to 4/5 the odds' square root doubles:
/// ```
/// let [positive, negative, _] = mta_theory::signed_samples::hitting_times(0.5, 0.8);
/// assert!((positive - 2.0).abs() < 1e-14 && (negative - 1.0).abs() < 1e-14);
/// ```
pub fn hitting_times(start: f64, end: f64) -> [f64; 3] {
    let root = |p: f64| (p / (1.0 - p)).sqrt();
    let (a, b) = (root(start), root(end));
    [2.0 * (b - a), 2.0 * (1.0 / a - 1.0 / b), 2.0 * ((b - a) / (1.0 + a * b)).atan()]
}

/// First-order change of every probability by one negative sample of `arm` with step eta.
///
/// ```text
/// dp_j = eta p_j (p_j + p_i - S2) for j != i,   dp_i = -eta p_i (1 - 2 p_i + S2),   S2 = sum p^2
/// ```
/// Proof: dp_j = p_j (dtheta_j - sum_k p_k dtheta_k) with dtheta = -eta (e_i - p). Not all other arms rise: only those with p_j + p_i > S2.
///
/// # Example
/// ```
/// let change = mta_theory::signed_samples::negative_sample(&[0.5, 0.5], 0, 1.0);
/// assert_eq!(change, [-0.25, 0.25]);
/// ```
pub fn negative_sample(policy: &[f64], arm: usize, step: f64) -> Vec<f64> {
    let collision = power_sum(policy, 2);
    let pull = |j: usize, q: f64| q + policy[arm] - collision - if j == arm { 1.0 } else { 0.0 };
    policy.iter().enumerate().map(|(j, &q)| step * q * pull(j, q)).collect()
}

/// Relative change of a vanishing right arm by a group of baseline-free negatives on a dead prompt, to second order.
///
/// ```text
/// E[dp_c] / p_c ~ -1/2 (eta^2 / G) [S2 (1 + 2 S2) - 3 S3]
/// ```
/// `collision` S2 and `triple` S3 = sum p^3 of the other arms. Proof: all rewards are -1, so `E dtheta = 0` and v = 1 in P11's drift.
///
/// # Example
/// ```
/// let drift = mta_theory::signed_samples::dead_prompt_drift(0.30, 0.1, 0.05, 4.0);
/// assert!((drift + 5.625e-5).abs() < 1e-12);
/// ```
pub fn dead_prompt_drift(collision: f64, triple: f64, step: f64, group: f64) -> f64 {
    -0.5 * step * step / group * (collision * (1.0 + 2.0 * collision) - 3.0 * triple)
}

/// Positive-only and negative-only training in expectation.
pub const P27: Proposition = Proposition {
    id: "P27",
    name: "signed-shares",
    statement: "Positive-only and negative-only REINFORCE have the same expected gradient. Over the group standard deviation positives carry the share 1 - p and \
                negatives p of it, so negative-only is slow exactly where the base policy is unaligned.",
    assumptions: "On-policy, 0/1 reward, expectation over samples; hitting times in the large-G limit of natural gradient.",
    formula: "GRPO = E[sigma_h] / (p (1-p)) grad p; PSR norm (1-(1-p)^G)/p, NSR norm (1-p^G)/(1-p); times 2(e^(u/2)-e^(u0/2)), 2(e^(-u0/2)-e^(-u/2))",
    source: "split: Zhu et al., arXiv 2506.01347; log p: Davis and Recht, arXiv 2510.13651; shares and times: own",
    inputs: &[
        real("p", "chance of a right answer, and start of the hitting times", 0.05, (1e-300, 0.999_999)),
        whole("group", "draws G per group", 8.0, (1.0, 1e6)),
        real("target", "chance to reach", 0.5, (1e-300, 0.999_999)),
    ],
    outputs: &[
        output("psr_norm_weight", "weight of grad p, positives averaged over their count"),
        output("nsr_norm_weight", "weight of grad p, negatives averaged over their count"),
        output("grpo_weight", "weight of grad p in GRPO with group std"),
        output("positive_weight", "part of it from positive samples"),
        output("negative_weight", "part of it from negative samples"),
        output("time_positive", "flow time to the target with positives only"),
        output("time_negative", "flow time to the target with negatives only"),
        output("time_both", "flow time to the target with both"),
    ],
    evaluate: |x| {
        let weights = [psr_norm_weight(x[0], x[1]), nsr_norm_weight(x[0], x[1])].into_iter().chain(grpo_weights(x[0], x[1] as u32));
        let times = hitting_times(x[0], x[2]).map(|t| if x[0] <= x[2] { t } else { f64::NAN });
        weights.chain(times).map(finite).collect()
    },
};

/// One negative sample.
pub const P28: Proposition = Proposition {
    id: "P28",
    name: "negative-sample",
    statement: "A negative sample of arm i raises only the arms with p_j + p_i > S2. On a dead prompt mean-baselined groups do nothing and baseline-free negatives \
                are noise that shrinks the right arm.",
    assumptions: "Tabular softmax, score step -eta (e_i - p), first order in eta; dead prompt: second order, p_c -> 0.",
    formula: "dp_j = eta p_j (p_j + p_i - S2); E[dp_c]/p_c ~ -1/2 (eta^2/G) [S2 (1 + 2 S2) - 3 S3]",
    source: "own; restricts the diversity reading of arXiv 2506.01347",
    inputs: &[
        real("p_sampled", "chance p_i of the sampled wrong arm", 0.05, (0.0, 1.0)),
        real("p_other", "chance p_j of another arm", 0.1, (0.0, 1.0)),
        real("collision", "S2, sum of squared chances", 0.3, (0.0, 1.0)),
        real("triple", "S3, sum of cubed chances", 0.1, (0.0, 1.0)),
        real("step", "learning rate eta", 0.05, (0.0, 10.0)),
        whole("group", "draws G per group", 4.0, (1.0, 1e6)),
    ],
    outputs: &[
        output("change", "change of p_j by one negative sample of arm i"),
        output("dead_prompt_drift", "mean relative change of a vanishing right arm by a group on a dead prompt"),
    ],
    evaluate: |x| vec![finite(x[4] * x[1] * (x[1] + x[0] - x[2])), finite(dead_prompt_drift(x[2], x[3], x[4], x[5]))],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_golden_numbers() {
        crate::golden::agree(include_str!("../golden/signed_samples.csv"), |name, x| match name {
            "expected_group_std" => expected_group_std(x[0], x[1] as u32),
            "psr_norm_weight" => psr_norm_weight(x[0], x[1]),
            "nsr_norm_weight" => nsr_norm_weight(x[0], x[1]),
            "positive_time" => hitting_times(x[0], x[1])[0],
            "negative_time" => hitting_times(x[0], x[1])[1],
            "both_time" => hitting_times(x[0], x[1])[2],
            _ => unreachable!("{name}"),
        });
    }

    /// A policy with the sheet's numbers (the sheet does not give its own): |grad p|^2 and its multiples are the rates of p at small eta.
    const POLICY: [f64; 5] = [0.05, 0.5, 0.25, 0.15, 0.05];
    const CORRECT: [bool; 5] = [true, false, false, false, false];

    /// F6: the mean of positive-only and of negative-only samples is the same vector, and so is the first-order change of entropy.
    #[test]
    fn flag_f6_positive_and_negative_samples_have_one_expectation() {
        let mean = |right: bool, sign: f64| -> Vec<f64> {
            let score = |i: usize, k: usize| f64::from(i == k) - POLICY[k];
            (0..5).map(|k| (0..5).filter(|&i| CORRECT[i] == right).map(|i| sign * POLICY[i] * score(i, k)).sum()).collect()
        };
        let gradient = accuracy_gradient(&POLICY, &CORRECT);
        for (k, g) in gradient.iter().enumerate() {
            approx::assert_abs_diff_eq!(mean(true, 1.0)[k], *g, epsilon = 2e-16);
            approx::assert_abs_diff_eq!(mean(false, -1.0)[k], *g, epsilon = 2e-16);
        }
        let rate = |motion: &[f64]| crate::sharpening::entropy_rate(&POLICY, motion);
        approx::assert_abs_diff_eq!(rate(&mean(true, 1.0)), rate(&mean(false, -1.0)), epsilon = 1e-15);
    }

    /// F7: a negative sample of the last arm, p = .05, raises the mode and lowers every arm with p_j < S2 - .05 = .2875.
    #[test]
    fn flag_f7_a_negative_sample_lowers_most_other_arms() {
        let change = negative_sample(&POLICY, 4, 1e-3);
        assert!(change[1] > 0.0 && [0, 2, 3, 4].iter().all(|&j| change[j] < 0.0), "{change:?}");
        approx::assert_abs_diff_eq!(change.iter().sum::<f64>(), 0.0, epsilon = 1e-17);
    }

    #[test]
    fn evaluates_the_formulas() {
        assert_eq!((P28.evaluate)(&[0.25, 0.5, 0.5, 0.25, 1.0, 1.0]), [Some(0.125), Some(dead_prompt_drift(0.5, 0.25, 1.0, 1.0))]);
    }
}

//! What tabular training cannot reach: prompts without a success among their samples, and rare right answers a group misses (P31).

use crate::difficulty::{beta_pass_at_k, mean_fail_at_k, tail_constant};
use crate::pass_at_k::pass_at_k;
use crate::proposition::{Proposition, finite, output, real, whole};

/// Chance that a prompt yields no success among `samples` draws of the base policy: such a prompt is never updated.
///
/// ```text
/// (1 - p)^(G S)
/// ```
/// `p` in [0, 1]; `samples` G S >= 0.
///
/// # Example
/// ```
/// assert!((mta_theory::ceiling::unhit(0.5, 3.0) - 0.125).abs() < 1e-15);
/// ```
pub fn unhit(p: f64, samples: f64) -> f64 {
    if samples == 0.0 { 1.0 } else { (samples * (-p).ln_1p()).exp() }
}

/// Ceiling of the mean pass@1 after training with `samples` draws: base pass@(samples + 1).
///
/// Proof: until its first success a prompt keeps the base policy, so it is never updated with chance (1-p)^(GS) at least, and then keeps p:
/// `1 - (1-p)^(GS) + p (1-p)^(GS) = 1 - (1-p)^(GS+1)`.
///
/// Assumptions: no shared parameters; groups of equal rewards give exactly zero update; no noise but sampling. Source: own.
///
/// # Example
/// ```
/// assert!((mta_theory::ceiling::ceiling(0.5, 2.0) - 0.875).abs() < 1e-15);
/// ```
pub fn ceiling(p: f64, samples: f64) -> f64 {
    pass_at_k(p, samples + 1.0)
}

/// Chance that a prompt is not updated in `steps` groups of `group` draws at fixed p: every group all right or all wrong.
///
/// ```text
/// (p^G + (1 - p)^G)^S
/// ```
/// # Example
/// ```
/// assert!((mta_theory::ceiling::never_updated(0.5, 2.0, 3.0) - 0.125).abs() < 1e-15);
/// ```
pub fn never_updated(p: f64, group: f64, steps: f64) -> f64 {
    let (less, more) = if p < 0.5 { (p, 1.0 - p) } else { (1.0 - p, p) };
    let ln_all_alike = group * (-less).ln_1p() + (group * (less / more).ln()).exp().ln_1p();
    (steps * ln_all_alike).exp()
}

/// Chance that a group is mixed, and so moves the policy, without containing a rare right answer.
///
/// ```text
/// (1 - tau)^G - (mu - tau)^G - (1 - mu)^G
/// ```
/// `accuracy` mu in [0, 1]: mass of all right answers; `rare` tau in [0, mu]: mass of the rare one; `group` G >= 1. Not monotone in G.
///
/// Proof: no draw is the rare answer, less all draws right, less all draws wrong. Written as `w^G ((1 + x/w)^G - 1 - (x/w)^G)` with w the larger of
/// x = mu - tau and 1 - mu, it does not cancel.
///
/// # Source
/// F-GRPO, arXiv 2602.06717.
///
/// # Example
/// ```
/// assert!((mta_theory::ceiling::tail_miss(0.3, 0.02, 2.0) - 0.392).abs() < 1e-15);
/// ```
pub fn tail_miss(accuracy: f64, rare: f64, group: f64) -> f64 {
    let (common, wrong) = (accuracy - rare, 1.0 - accuracy);
    let (less, more) = (common.min(wrong), common.max(wrong));
    if less <= 0.0 || group <= 1.0 {
        return 0.0;
    }
    let ratio = less / more;
    let growth = group * ratio.ln_1p();
    let ln_without_rare = group * (-rare).ln_1p();
    if growth < 1.0 {
        (ln_without_rare - growth).exp() * (growth.exp_m1() - ratio.powf(group))
    } else {
        ln_without_rare.exp() - (ln_without_rare - growth).exp() * (1.0 + ratio.powf(group))
    }
}

/// Attempts after which the base model's power-law tail falls below the dead share: `(Gamma(a + b) / (Gamma(b) D))^(1/a)`.
///
/// A trained model that always solves its living prompts and never its dead ones has fail@k = D for all k; the base model's fail@k reaches D at k = GS exactly.
///
/// # Example
/// The sheet's 320.75, for 8 x 40 samples:
/// ```
/// use mta_theory::ceiling::{dead_share, tail_crossing};
/// assert!((tail_crossing(0.5, 1.0, dead_share(0.5, 1.0, 320.0)) - 320.75).abs() < 5e-4);
/// ```
pub fn tail_crossing(a: f64, b: f64, dead: f64) -> f64 {
    ((tail_constant(a, b) / dead).ln() / a).exp()
}

/// Share of prompts without a success among `samples` draws under Beta(a, b) difficulty: `B(a, b + GS) / B(a, b)`.
///
/// # Example
/// ```
/// assert!((mta_theory::ceiling::dead_share(1.0, 1.0, 9.0) - 0.1).abs() < 1e-15);
/// ```
pub fn dead_share(a: f64, b: f64, samples: f64) -> f64 {
    mean_fail_at_k(a, b, samples)
}

/// The ceiling of tabular training.
pub const P31: Proposition = Proposition {
    id: "P31",
    name: "dead-prompt-ceiling",
    statement: "Without shared parameters, S steps of groups of G cannot lift mean pass@1 above base pass@(GS + 1): prompts without a success among their \
                samples stay as they are.",
    assumptions: "No parameter sharing; groups of equal rewards give exactly zero update; no noise but sampling. Dead share: Beta(a, b) difficulty.",
    formula: "E pass@1 <= 1 - (1-p)^(GS+1); dead = B(a, b+GS)/B(a, b); never updated at fixed p: (p^G + (1-p)^G)^S; \
              tail miss: (1-tau)^G - (mu-tau)^G - (1-mu)^G",
    source: "ceiling: own; tail miss: F-GRPO, arXiv 2602.06717; support: arXiv 2507.14843",
    inputs: &[
        real("p", "base chance of a right answer on one prompt", 0.05, (0.0, 1.0)),
        whole("group", "draws G per group", 8.0, (1.0, 1e6)),
        whole("steps", "steps S", 40.0, (0.0, 1e6)),
        real("a", "exponent of difficulty at p = 0", 0.5, (1e-3, 1e3)),
        real("b", "exponent of difficulty at p = 1", 1.0, (1e-3, 1e3)),
        real("rare", "tau / p, share of the right mass on the rare right answer", 0.1, (0.0, 1.0)),
    ],
    outputs: &[
        output("unhit", "chance of no success among GS draws of this prompt"),
        output("ceiling", "ceiling of this prompt's mean pass@1"),
        output("never_updated", "chance that S groups at this p are all of equal rewards"),
        output("dead_share", "share of prompts without a success under Beta difficulty"),
        output("mean_ceiling", "ceiling of mean pass@1 under Beta difficulty"),
        output("tail_crossing", "attempts at which the base model's power-law tail is the dead share"),
        output("tail_miss", "chance of a mixed group without the rare right answer"),
    ],
    evaluate: |x| {
        let samples = x[1] * x[2];
        let dead = dead_share(x[3], x[4], samples);
        let all = [
            unhit(x[0], samples),
            ceiling(x[0], samples),
            never_updated(x[0], x[1], x[2]),
            dead,
            beta_pass_at_k(x[3], x[4], samples + 1.0),
            tail_crossing(x[3], x[4], dead),
            tail_miss(x[0], x[0] * x[5], x[1]),
        ];
        all.map(finite).to_vec()
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_golden_numbers() {
        crate::golden::agree(include_str!("../golden/ceiling.csv"), |name, x| match name {
            "never_updated" => never_updated(x[0], x[1], x[2]),
            "unhit" => unhit(x[0], x[1]),
            "ceiling" => ceiling(x[0], x[1]),
            "tail_miss" => tail_miss(x[0], x[1], x[2]),
            _ => unreachable!("{name}"),
        });
    }

    #[test]
    fn evaluates_the_formulas() {
        let y = (P31.evaluate)(&[0.05, 8.0, 40.0, 0.5, 1.0, 0.4]);
        assert_eq!(y[3], Some(dead_share(0.5, 1.0, 320.0)));
        assert_eq!(y[4], Some(beta_pass_at_k(0.5, 1.0, 321.0)));
    }
}

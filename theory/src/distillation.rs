//! Distillation reaches what reward cannot: time to learn from a teacher, and the floor it puts under rare answers (P32).

use crate::proposition::{Proposition, finite, output, real};
use crate::simplex::logit;

/// Time of the forward-KL flow `dtheta = q_T - p` of two arms from `start` to `end` for a teacher with mass `teacher` on the right arm.
///
/// ```text
/// T = 1/2 { (u - u0)/q - ln[(q - (1-q) e^u) / (q - (1-q) e^u0)] / (q (1-q)) } ~ log(1/p0) / (2 q)
/// ```
/// `start` p0 and `end` p in (0, 1), p0 <= p < q; `teacher` q in (0, 1]; u the logits. For q = 1 it is `1/2 {u - u0 + e^u - e^u0}`.
///
/// Proof: du/dt = 2 (q - sigma(u)); integrate in x = e^u by partial fractions. `None` when the teacher's mass is not above the target, which is then
/// never reached.
///
/// Assumptions: exact forward KL to a fixed teacher, tabular. Source: own.
///
/// # Example
/// ```
/// use mta_theory::distillation::distillation_time;
/// assert!((distillation_time(1e-2, 0.5, 0.9).unwrap() - 3.2010).abs() < 5e-5);
/// assert_eq!(distillation_time(0.1, 0.95, 0.9), None);
/// ```
pub fn distillation_time(start: f64, end: f64, teacher: f64) -> Option<f64> {
    if end >= teacher || start > end {
        return None;
    }
    let odds = (1.0 - teacher) / teacher;
    let pull = |p: f64| remaining_pull(p, odds);
    finite(0.5 * ((logit(end) - logit(start)) / teacher + (pull(end) - pull(start)) / (teacher * teacher)))
}

/// `-ln(1 - w x) / w` for the student's odds x and the teacher's odds w against the right arm; x itself for a perfect teacher.
fn remaining_pull(p: f64, w: f64) -> f64 {
    let x = p / (1.0 - p);
    if w == 0.0 { x } else { -(-w * x).ln_1p() / w }
}

/// Time of exact policy gradient of two arms from `start` to `end`: `u + sinh u` between the logits, about `1 / (2 p0)`.
///
/// Proof: du/dt = 2 p (1 - p). `start` in (1e-300, 1).
///
/// # Example
/// ```
/// assert!((mta_theory::distillation::policy_gradient_time(1e-2, 0.5) - 54.1).abs() < 0.05);
/// ```
pub fn policy_gradient_time(start: f64, end: f64) -> f64 {
    let clock = |p: f64| logit(p) + 0.5 * (p / (1.0 - p) - (1.0 - p) / p);
    clock(end) - clock(start)
}

/// Bound on fail@k of the mixture `(1 - lambda) p + lambda p_T` whose teacher gives every prompt at least the chance `floor`.
///
/// ```text
/// fail@k <= (1 - lambda delta)^k
/// ```
/// `share` lambda and `floor` delta in [0, 1]; `k >= 0`. Proof: the mixture's chance is at least lambda delta on every prompt. A power-law tail turns
/// into an exponential one.
///
/// # Example
/// ```
/// assert!((mta_theory::distillation::mixture_fail_bound(0.5, 0.5, 2.0) - 0.5625).abs() < 1e-15);
/// ```
pub fn mixture_fail_bound(share: f64, floor: f64, k: f64) -> f64 {
    crate::ceiling::unhit(share * floor, k)
}

/// Distillation against reward.
pub const P32: Proposition = Proposition {
    id: "P32",
    name: "distillation",
    statement: "Learning from a teacher takes time log(1/p0) / (2q), policy gradient 1 / (2 p0); mixing in a teacher cuts the tail of fail@k to an exponential.",
    assumptions: "Two arms, tabular; exact forward KL to a fixed teacher with mass q on the right arm. Mixture: teacher chance at least delta on every prompt.",
    formula: "T = 1/2 {(u - u0)/q - ln[(q - (1-q) e^u) / (q - (1-q) e^u0)] / (q (1-q))}; PG: u + sinh u between the logits; fail@k <= (1 - lambda delta)^k",
    source: "own",
    inputs: &[
        real("p0", "chance of the right arm at the start", 0.01, (1e-300, 0.999_999)),
        real("target", "chance to reach", 0.5, (1e-300, 0.999_999)),
        real("teacher", "teacher's chance q of the right arm", 0.9, (1e-6, 1.0)),
        real("share", "weight lambda of the teacher in a mixture", 0.5, (0.0, 1.0)),
        real("floor", "least chance delta the teacher gives any prompt", 0.1, (0.0, 1.0)),
        real("k", "attempts", 64.0, (1.0, 1e12)),
    ],
    outputs: &[
        output("distillation_time", "flow time of distillation to the target, none if the teacher is not above it"),
        output("policy_gradient_time", "flow time of policy gradient to the target"),
        output("mixture_fail_bound", "largest fail@k of the mixture"),
    ],
    evaluate: |x| {
        let reward = (x[0] <= x[1]).then(|| policy_gradient_time(x[0], x[1])).and_then(finite);
        vec![distillation_time(x[0], x[1], x[2]), reward, finite(mixture_fail_bound(x[3], x[4], x[5]))]
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_golden_numbers() {
        crate::golden::agree(include_str!("../golden/distillation.csv"), |name, x| match name {
            "distillation_time" => distillation_time(x[0], x[1], x[2]).unwrap(),
            "policy_gradient_time" => policy_gradient_time(x[0], x[1]),
            "mixture_fail_bound" => mixture_fail_bound(x[0], x[1], x[2]),
            _ => unreachable!("{name}"),
        });
    }
}

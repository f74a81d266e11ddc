//! Which changes of a model make its pass@k curve cross the old one: a tilt never, sharpening always, negative transfer beyond a share (P30).

use crate::difficulty::{beta_pass_at_k, tail_constant};
use crate::pass_at_k::pass_at_k;
use crate::proposition::{Proposition, finite, output, real};
use crate::quadrature;
use crate::simplex::sigmoid;

/// A change of every prompt's success logit: `u -> shift + power u`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogitMap {
    /// What task reward adds, nats.
    pub shift: f64,
    /// What sharpening multiplies with, positive.
    pub power: f64,
}

impl LogitMap {
    fn chance(self, u: f64) -> f64 {
        sigmoid(self.shift + self.power * u)
    }
}

/// Mean over prompts of the chance that all of k attempts fail after a logit map, for base difficulty Beta(a, b).
///
/// ```text
/// integral sigma(u)^a sigma(-u)^b / B(a, b) (1 - sigma(c + tau u))^k du
/// ```
/// `a`, `b` in [1e-3, 1e3]; `k` in [1, 1e12]; shift c in [-50, 50], power tau in [0.01, 100].
///
/// Proof: u = logit p has the density shown; the integrand is analytic for |Im u| < pi / (2 max(1, tau)).
///
/// # Example
/// No change leaves a Beta integral, here 1 / (k + 1):
/// ```
/// use mta_theory::crossing::{LogitMap, mapped_fail_at_k};
/// let fail = mapped_fail_at_k(1.0, 1.0, LogitMap { shift: 0.0, power: 1.0 }, 3.0);
/// assert!((fail - 0.25).abs() < 1e-13);
/// ```
pub fn mapped_fail_at_k(a: f64, b: f64, map: LogitMap, k: f64) -> f64 {
    mean(a, b, map, k, |p| (k * (-p).ln_1p()).exp())
}

/// Mean pass@k after a logit map, computed from pass@k itself and so without cancellation.
///
/// # Example
/// ```
/// use mta_theory::crossing::{LogitMap, mapped_pass_at_k};
/// assert!((mapped_pass_at_k(0.5, 1.0, LogitMap { shift: 0.0, power: 1.0 }, 1.0) - 1.0 / 3.0).abs() < 1e-13);
/// ```
pub fn mapped_pass_at_k(a: f64, b: f64, map: LogitMap, k: f64) -> f64 {
    mean(a, b, map, k, |p| pass_at_k(p, k))
}

/// Mean of a function of the mapped chance. Its weight is divided by its own integral, which removes the Beta function.
fn mean(a: f64, b: f64, map: LogitMap, k: f64, f: impl Fn(f64) -> f64) -> f64 {
    let (left, right) = (-(k.ln() + map.shift.abs()) / map.power.min(1.0) - 36.0 / a, 36.0 / b + map.shift.abs() / map.power);
    let step = 1.0 / (8.0 * map.power.max(1.0));
    let top = a * (a / (a + b)).ln() + b * (b / (a + b)).ln();
    let weight = |u: f64| (-a * softplus(-u) - b * softplus(u) - top).exp();
    let total = quadrature::line(weight, left, right, step);
    quadrature::line(|u| weight(u) * f(map.chance(u)), left, right, step) / total
}

/// `log(1 + e^u)`.
fn softplus(u: f64) -> f64 {
    u.max(0.0) + (-u.abs()).exp().ln_1p()
}

/// Large-k ratio of fail@k after to before a tilt by c: `exp(-c a)`.
///
/// Proof: near p = 0 the map is p -> e^c p, so the density c_0 p^(a-1) turns into c_0 e^(-ca) p^(a-1); the tail of fail@k is proportional to it.
///
/// # Example
/// ```
/// assert!((mta_theory::crossing::tilt_tail_ratio(1.0, 0.5) - 0.607).abs() < 5e-4);
/// ```
pub fn tilt_tail_ratio(shift: f64, a: f64) -> f64 {
    (-shift * a).exp()
}

/// Tail exponent of fail@k after sharpening: `a / tau`, since near p = 0 the map is p -> p^tau.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::crossing::sharpened_exponent(0.5, 2.0), 0.25);
/// ```
pub fn sharpened_exponent(a: f64, power: f64) -> f64 {
    a / power
}

/// Large-k ratio of fail@k after to before training that adds c to most logits and subtracts it from the share `harmed` of prompts.
///
/// ```text
/// R = w_+ e^(-ca) + w_- e^(ca),   w_+ = 1 - w_-
/// ```
/// Given that pass@1 rose, the curves cross iff R > 1. `harmed` w_- in [0, 1]; `shift` c >= 0, nats; `a` > 0 the exponent of difficulty at p = 0.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::crossing::negative_transfer_tail_ratio(0.3, 0.0, 0.5), 1.0);
/// ```
pub fn negative_transfer_tail_ratio(harmed: f64, shift: f64, a: f64) -> f64 {
    let share_of = |share: f64, ratio: f64| if share == 0.0 { 0.0 } else { share * ratio };
    share_of(1.0 - harmed, tilt_tail_ratio(shift, a)) + share_of(harmed, tilt_tail_ratio(-shift, a))
}

/// Share of harmed prompts above which the tail gets worse: `1 / (1 + e^(ca))`.
///
/// Proof: R - 1 = (w_- (e^(ca) + 1) - 1)(1 - e^(-ca)).
///
/// # Example
/// ```
/// use mta_theory::crossing::{critical_harmed_share, negative_transfer_tail_ratio};
/// let share = critical_harmed_share(1.0, 0.5);
/// assert!((negative_transfer_tail_ratio(share, 1.0, 0.5) - 1.0).abs() < 1e-15);
/// ```
pub fn critical_harmed_share(shift: f64, a: f64) -> f64 {
    sigmoid(-shift * a)
}

/// Tilt, sharpening and negative transfer.
pub const P30: Proposition = Proposition {
    id: "P30",
    name: "tilt-or-sharpen",
    statement: "Adding to every success logit raises pass@k for every k. Multiplying it by more than one lowers pass@k at large k whatever happens to pass@1. \
                Harming a share of prompts lowers it at large k iff the share exceeds 1 / (1 + e^(ca)).",
    assumptions: "One success variable per prompt, density of difficulty proportional to p^(a-1) near 0. Evaluated for Beta(a, b).",
    formula: "tilt: fail ratio -> e^(-ca); sharpening: exponent a -> a/tau; negative transfer: R = w_+ e^(-ca) + w_- e^(ca)",
    source: "own",
    inputs: &[
        real("a", "exponent of difficulty at p = 0", 0.5, (0.01, 100.0)),
        real("b", "exponent of difficulty at p = 1", 1.0, (0.01, 100.0)),
        real("shift", "c, what training adds to the logit, nats", 1.0, (0.0, 50.0)),
        real("power", "tau, what sharpening multiplies the logit with", 2.0, (0.1, 10.0)),
        real("harmed", "share w_- of prompts from which training subtracts c", 0.2, (0.0, 1.0)),
        real("k", "attempts", 64.0, (1.0, 1e12)),
    ],
    outputs: &[
        output("pass_at_k", "mean pass@k of the base model"),
        output("pass_at_k_tilted", "after adding c to every logit"),
        output("pass_at_k_sharpened", "after multiplying every logit by tau"),
        output("tail_ratio_tilted", "fail@k after the tilt over before, at large k"),
        output("tail_exponent_sharpened", "exponent of fail@k after sharpening"),
        output("tail_ratio_harmed", "R: fail@k after negative transfer over before, at large k"),
        output("critical_harmed_share", "share of harmed prompts at which R = 1"),
    ],
    evaluate: |x| {
        let mapped = |shift, power| mapped_pass_at_k(x[0], x[1], LogitMap { shift, power }, x[5]);
        let all = [
            beta_pass_at_k(x[0], x[1], x[5]),
            mapped(x[2], 1.0),
            mapped(0.0, x[3]),
            tilt_tail_ratio(x[2], x[0]),
            sharpened_exponent(x[0], x[3]),
            negative_transfer_tail_ratio(x[4], x[2], x[0]),
            critical_harmed_share(x[2], x[0]),
        ];
        all.map(finite).to_vec()
    },
};

/// Tail of fail@k of the base model at `k` attempts: `Gamma(a + b) / Gamma(b) k^-a`.
///
/// # Example
/// ```
/// assert!((mta_theory::crossing::fail_tail(1.0, 1.0, 100.0) - 0.01).abs() < 1e-15);
/// ```
pub fn fail_tail(a: f64, b: f64, k: f64) -> f64 {
    tail_constant(a, b) * k.powf(-a)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::difficulty::mean_fail_at_k;

    #[test]
    fn agrees_with_golden_numbers() {
        crate::golden::agree(include_str!("../golden/crossing.csv"), |name, x| match name {
            "mean_fail_at_k" => mapped_fail_at_k(x[0], x[1], LogitMap { shift: x[2], power: x[3] }, x[4]),
            "tail_ratio" => negative_transfer_tail_ratio(x[0], x[1], x[2]),
            "critical_share" => critical_harmed_share(x[0], x[1]),
            _ => unreachable!("{name}"),
        });
    }

    const SAME: LogitMap = LogitMap { shift: 0.0, power: 1.0 };
    const SQUARED: LogitMap = LogitMap { shift: 0.0, power: 2.0 };

    fn local_exponent(map: LogitMap, k: f64) -> f64 {
        (mapped_fail_at_k(0.5, 1.0, map, k) / mapped_fail_at_k(0.5, 1.0, map, 4.0 * k)).ln() / 4f64.ln()
    }

    /// The sheet's finite-k exponents .246 (sharpened) and .505 (base) come without their k; in the limit they are .25 and .5.
    #[test]
    fn tails_of_the_sheet() {
        approx::assert_abs_diff_eq!(local_exponent(SQUARED, 1e8), 0.25, epsilon = 1e-3);
        approx::assert_abs_diff_eq!(local_exponent(SAME, 1e8), 0.5, epsilon = 1e-6);
        let tilt = LogitMap { shift: 1.0, power: 1.0 };
        let ratio = |k| mapped_fail_at_k(0.5, 1.0, tilt, k) / mapped_fail_at_k(0.5, 1.0, SAME, k);
        approx::assert_abs_diff_eq!(ratio(1e8), tilt_tail_ratio(1.0, 0.5), epsilon = 1e-6);
        approx::assert_relative_eq!(fail_tail(0.5, 1.0, 1e10), mean_fail_at_k(0.5, 1.0, 1e10), max_relative = 1e-9);
    }

    /// F8: the tilt of task reward raises pass@k for every k; sharpening and negative transfer lower it at large k although pass@1 rises.
    #[test]
    fn flag_f8_task_reward_never_crosses_but_sharpening_does() {
        let tilt = LogitMap { shift: 0.3, power: 1.0 };
        for k in [1.0, 8.0, 64.0, 1e3, 1e6] {
            assert!(mapped_fail_at_k(2.0, 0.8, tilt, k) < mapped_fail_at_k(2.0, 0.8, SAME, k));
        }
        assert!(mapped_pass_at_k(2.0, 0.8, SQUARED, 1.0) > mapped_pass_at_k(2.0, 0.8, SAME, 1.0));
        assert!(mapped_pass_at_k(2.0, 0.8, SQUARED, 64.0) < mapped_pass_at_k(2.0, 0.8, SAME, 64.0));
        let harmed = |k| {
            0.6 * mapped_pass_at_k(0.5, 1.0, LogitMap { shift: 1.0, power: 1.0 }, k)
                + 0.4 * mapped_pass_at_k(0.5, 1.0, LogitMap { shift: -1.0, power: 1.0 }, k)
        };
        assert!(negative_transfer_tail_ratio(0.4, 1.0, 0.5) > 1.0);
        assert!(harmed(1.0) > mapped_pass_at_k(0.5, 1.0, SAME, 1.0) && harmed(1e4) < mapped_pass_at_k(0.5, 1.0, SAME, 1e4));
    }
}

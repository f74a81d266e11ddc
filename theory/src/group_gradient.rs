//! What group normalisation does to the expected gradient at finite group size (proposition P5).

use crate::proposition::{Proposition, output, real, whole};

/// Factor on the gradient of accuracy in the expected GRPO step with `group` samples, std-normalised, at success chance `p`.
///
/// ```text
/// E[step] / eta = c_G(p) grad p,   c_G = E[sqrt(n (G-n))] / (G p (1-p)),   n ~ Bin(G, p)
///               = (G-1) E[1 / sqrt((m+1)(G-1-m))],                         m ~ Bin(G-2, p)
/// ```
/// `p` in [0, 1]; `group` G >= 1 samples (0 for a single one, which has no advantage). The second line cancels p (1-p) exactly, so rare successes keep
/// their digits. Limits: `1/sqrt(p (1-p))` for G -> infinity; `sqrt(G-1)` for p -> 0: the amplification is capped.
///
/// Proof: given n successes the samples are independent inside each kind with mean scores `grad p / p` and `-grad p / (1-p)`, and advantages
/// `sqrt((G-n)/n)`, `-sqrt(n/(G-n))`. Second line: `C(G,n) n (G-n) = G (G-1) C(G-2,n-1)`.
///
/// Assumptions: binary reward, independent samples from the policy, population std, no update from groups without spread.
///
/// # Source
/// Identity of the group std: arXiv 2607.00152; U-statistic view: arXiv 2603.01162; cap at low p our own.
///
/// # Example
/// A pair is normalised to advantages 1 and -1 whatever p is:
/// ```
/// use mta_theory::group_gradient::amplification;
/// assert_eq!(amplification(0.3, 2), 1.0);
/// assert!((amplification(1e-300, 5) - 2.0).abs() < 1e-14);
/// ```
pub fn amplification(p: f64, group: u64) -> f64 {
    let Some(others) = group.checked_sub(2) else { return 0.0 };
    let g = group as f64;
    (g - 1.0) * binomial_mean(others, p, |m| ((m as f64 + 1.0) * (g - 1.0 - m as f64)).powf(-0.5))
}

/// The same factor without division by the std (Dr. GRPO): `1 - 1/G`, the loss to the baseline containing the sample itself.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::group_gradient::amplification_without_std(4), 0.75);
/// ```
pub fn amplification_without_std(group: u64) -> f64 {
    1.0 - 1.0 / group as f64
}

/// Chance that a group has both a success and a failure: one minus the degenerate probability `p^G + (1-p)^G`.
///
/// `p` in [0, 1], `group` G >= 1. Accurate for p down to the smallest float, where it is G p.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::group_gradient::informative_probability(0.5, 2), 0.5);
/// ```
pub fn informative_probability(p: f64, group: u64) -> f64 {
    let (rare, g) = (p.min(1.0 - p).max(0.0), group as f64);
    if group < 2 { 0.0 } else { -(g * (-rare).ln_1p()).exp_m1() - rare.powf(g) }
}

/// [`amplification`] when groups without spread are discarded and replaced (DAPO): `c_G / informative`.
///
/// For p -> 0 it is `sqrt(G-1) / (G p)`: the objective is log p. `None` where every group is discarded.
///
/// # Example
/// ```
/// let c = mta_theory::group_gradient::amplification_of_kept_groups(0.5, 2).unwrap();
/// assert!((c - 2.0).abs() < 1e-15);
/// ```
pub fn amplification_of_kept_groups(p: f64, group: u64) -> Option<f64> {
    let kept = informative_probability(p, group);
    (kept > 0.0).then(|| amplification(p, group) / kept)
}

/// The objective whose gradient the expected GRPO step follows: the integral of [`amplification`] from 0 to `p`.
///
/// ```text
/// h_G(p) = sum over n = 1 .. G-1 of P(Bin(G-1, p) >= n) / sqrt(n (G-n))
/// ```
/// `p` in [0, 1]; `group` G >= 1. It is `2 arcsin sqrt p` only for G p much above 1, and `sqrt(G-1) p` for G p much below 1.
///
/// Proof: `(G-1) C(G-2,m) x^m (1-x)^(G-2-m)` is the density of Beta(m+1, G-1-m), whose distribution function is the binomial tail.
///
/// # Example
/// ```
/// use mta_theory::group_gradient::objective;
/// assert_eq!(objective(0.3, 2), 0.3);
/// assert!((objective(0.5, 100_000) - std::f64::consts::FRAC_PI_2).abs() < 0.01);
/// ```
pub fn objective(p: f64, group: u64) -> f64 {
    let g = group as f64;
    let terms = (1..group).map(|n| (n as f64 * (g - n as f64)).powf(-0.5));
    let sums: Vec<f64> = std::iter::once(0.0).chain(terms.scan(0.0, accumulate)).collect();
    binomial_mean(group.saturating_sub(1), p, |n| sums[n as usize])
}

fn accumulate(sum: &mut f64, x: f64) -> Option<f64> {
    *sum += x;
    Some(*sum)
}

/// Step of the log-odds of two arms, in nats, from a group with `successes` n of `group` G and learning rate `eta`.
///
/// ```text
/// Delta u = (2 eta / G) sum of advantages of the samples on arm 1 = 2 eta sqrt(n (G-n)) / G >= 0
/// ```
///
/// # Example
/// ```
/// assert_eq!(mta_theory::group_gradient::two_arm_step(1, 2, 0.1), Some(0.1));
/// assert_eq!(mta_theory::group_gradient::two_arm_step(3, 2, 0.1), None);
/// ```
pub fn two_arm_step(successes: u64, group: u64, eta: f64) -> Option<f64> {
    let failures = group.checked_sub(successes)?;
    (group > 0).then(|| 2.0 * eta * ((successes as f64) * (failures as f64)).sqrt() / group as f64)
}

/// Share of the expected GRPO gradient that the successes carry: `1 - p`, for every group size.
///
/// Proof: their weights `sqrt((G-n)/n) n = sqrt(n (G-n))` times `grad p / p` against the same weight times `grad p / (1-p)`.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::group_gradient::share_of_successes(0.25), 0.75);
/// ```
pub fn share_of_successes(p: f64) -> f64 {
    1.0 - p
}

/// `E[f(m)]` for m ~ Bin(n, p) and f >= 0, from the most likely m outwards, so that nothing overflows and no factorial is needed.
fn binomial_mean(n: u64, p: f64, f: impl Fn(u64) -> f64) -> f64 {
    let mode = (((n + 1) as f64 * p) as u64).min(n);
    let odds = p / (1.0 - p);
    let up = tail((mode + 1)..=n, |m| (n - m + 1) as f64 / m as f64 * odds, &f);
    let down = tail((0..mode).rev(), |m| (m + 1) as f64 / (n - m) as f64 / odds, &f);
    (f(mode) + up.1 + down.1) / (1.0 + up.0 + down.0)
}

/// Sums of the weights and of the weighted values over one side of the mode; `ratio(m)` is the weight of m over the one before.
fn tail(side: impl Iterator<Item = u64>, ratio: impl Fn(u64) -> f64, f: impl Fn(u64) -> f64) -> (f64, f64) {
    let (mut weight, mut mass, mut value) = (1.0, 0.0, 0.0);
    for m in side {
        weight *= ratio(m);
        let term = weight * f(m);
        mass += weight;
        value += term;
        if weight < 1e-25 && term <= 1e-18 * value {
            break;
        }
    }
    (mass, value)
}

/// P5: GRPO at finite group size.
pub const P5: Proposition = Proposition {
    id: "P5",
    name: "finite-group-gradient",
    statement: "The expected GRPO step is c_G(p) times the gradient of accuracy; the amplification of rare successes is capped at sqrt(G-1).",
    assumptions: "Binary reward, independent samples, population std, no update from groups without spread.",
    formula: "c_G = E[sqrt(n (G-n))] / (G p (1-p)), n ~ Bin(G, p); without std 1 - 1/G; DAPO divides by 1 - p^G - (1-p)^G.",
    source: "arXiv 2607.00152, 2603.01162; cap our own.",
    inputs: &[real("p", "success chance", 0.1, (0.0, 1.0)), whole("group", "samples per group G", 8.0, (1.0, 1e6))],
    outputs: &[
        output("amplification", "c_G(p)"),
        output("amplification_without_std", "1 - 1/G"),
        output("amplification_of_kept_groups", "c_G when groups without spread are replaced"),
        output("informative", "chance that a group has spread"),
        output("objective", "integral of c_G from 0 to p"),
        output("cap", "sqrt(G-1), the amplification of the rarest successes"),
    ],
    evaluate: |x| {
        let (p, group) = (x[0], x[1] as u64);
        vec![
            Some(amplification(p, group)),
            Some(amplification_without_std(group)),
            amplification_of_kept_groups(p, group),
            Some(informative_probability(p, group)),
            Some(objective(p, group)),
            Some((x[1] - 1.0).sqrt()),
        ]
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    /// F12: the arcsin objective holds for G p well above 1; well below, the objective is sqrt(G-1) p.
    #[test]
    fn flag_f12_the_arcsin_objective_needs_large_groups() {
        let arcsin = |p: f64| 2.0 * p.sqrt().asin();
        assert_relative_eq!(objective(0.3, 1_000_000), arcsin(0.3), max_relative = 2e-3);
        assert_relative_eq!(objective(1e-6, 8), 7f64.sqrt() * 1e-6, max_relative = 1e-5);
        assert!(arcsin(1e-6) / objective(1e-6, 8) > 750.0);
        assert_relative_eq!(objective(1e-300, 64), 63f64.sqrt() * 1e-300, max_relative = 1e-13);
    }

    #[test]
    fn the_objective_is_the_integral() {
        let (p, h) = (0.2, 1e-5);
        for group in [2, 3, 8, 64, 1000] {
            let slope = (objective(p + h, group) - objective(p - h, group)) / (2.0 * h);
            assert_relative_eq!(slope, amplification(p, group), max_relative = 1e-7);
        }
    }

    #[test]
    fn large_groups_see_the_standard_deviation() {
        assert_relative_eq!(amplification(0.3, 1_000_000), (0.3f64 * 0.7).powf(-0.5), max_relative = 1e-6);
        assert_relative_eq!(amplification(0.3, 1000), amplification(0.7, 1000), max_relative = 1e-13);
    }

    #[test]
    fn edges() {
        assert_eq!((amplification(0.3, 1), objective(0.3, 1), informative_probability(0.3, 1)), (0.0, 0.0, 0.0));
        assert_relative_eq!(amplification(1.0, 10), 3.0, max_relative = 1e-14);
        assert_eq!(amplification_of_kept_groups(0.0, 8), None);
        assert_relative_eq!(informative_probability(1e-300, 8), 8e-300, max_relative = 1e-14);
        let whole = objective(1.0, 100_000);
        assert!((whole - std::f64::consts::PI).abs() < 0.02, "{whole}");
    }

    #[test]
    fn evaluates() {
        for x in [[0.0, 1.0], [1.0, 1e6], [0.5, 1e6], [1e-300, 2.0]] {
            assert_eq!((P5.evaluate)(&x).len(), P5.outputs.len());
        }
    }
}

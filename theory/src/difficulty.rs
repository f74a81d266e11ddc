//! Prompts of Beta-distributed difficulty: mean pass@k, and when two such curves cross (P29).

use crate::proposition::{Proposition, finite, output, real};

/// Mean over prompts of the chance that all of k attempts fail.
///
/// ```text
/// fail@k = E (1 - p)^k = B(a, b + k) / B(a, b) = prod_{i < k} (b + i) / (a + b + i),   p ~ Beta(a, b)
/// ```
/// `a`, `b` in (0, 1e6]; `k >= 0` attempts, not necessarily whole. For large k it falls like `Gamma(a + b) / Gamma(b) k^-a`.
///
/// Proof: a Beta integral; Stirling's formula gives the tail. Assumptions: independent attempts, difficulty exactly Beta.
///
/// # Source
/// The tail exponent: Schaeffer et al., arXiv 2502.17578; the closed form: own.
///
/// # Example
/// Uniform difficulty: 1 / (k + 1).
/// ```
/// assert!((mta_theory::difficulty::mean_fail_at_k(1.0, 1.0, 3.0) - 0.25).abs() < 1e-15);
/// ```
pub fn mean_fail_at_k(a: f64, b: f64, k: f64) -> f64 {
    ln_mean_fail_at_k(a, b, k).exp()
}

/// Mean pass@k, `1 - fail@k`, without cancellation.
///
/// # Example
/// ```
/// assert!((mta_theory::difficulty::beta_pass_at_k(0.5, 1.0, 1.0) - 1.0 / 3.0).abs() < 1e-15);
/// ```
pub fn beta_pass_at_k(a: f64, b: f64, k: f64) -> f64 {
    -ln_mean_fail_at_k(a, b, k).exp_m1()
}

/// Factors of the product that are multiplied one by one.
const FACTORS: u32 = 1000;

/// Logarithm of [`mean_fail_at_k`]: the product while it is short, then a difference of log-gamma ratios.
///
/// # Example
/// ```
/// assert!((mta_theory::difficulty::ln_mean_fail_at_k(1.0, 1.0, 1e12) + 1e12f64.ln()).abs() < 1e-10);
/// ```
pub fn ln_mean_fail_at_k(a: f64, b: f64, k: f64) -> f64 {
    let factors = k.min(f64::from(FACTORS)).floor();
    let product: f64 = (0..factors as u32).map(|i| (-a / (a + b + f64::from(i))).ln_1p()).sum();
    if factors == k { product } else { product + ln_gamma_step(b + factors, a) - ln_gamma_step(b + k, a) }
}

/// `log Gamma(x + a) - log Gamma(x)`, without cancellation for large x: recurrence up to 20, then the difference of two Stirling series.
fn ln_gamma_step(x: f64, a: f64) -> f64 {
    let lift = (20.0 - x).max(0.0).ceil();
    let lifted: f64 = (0..lift as u32).map(|i| (a / (x + f64::from(i))).ln_1p()).sum();
    let y = x + lift;
    (y - 0.5) * (a / y).ln_1p() + a * (y + a).ln() - a + stirling(y + a) - stirling(y) - lifted
}

/// The tail `log Gamma(x) - (x - 1/2) log x + x - log(2 pi)/2` of Stirling's series, for x >= 20.
fn stirling(x: f64) -> f64 {
    let z = 1.0 / (x * x);
    (1.0 / 12.0 - z * (1.0 / 360.0 - z * (1.0 / 1260.0 - z * (1.0 / 1680.0 - z / 1188.0)))) / x
}

/// Constant of the power-law tail of fail@k: `Gamma(a + b) / Gamma(b)`.
///
/// # Example
/// ```
/// assert!((mta_theory::difficulty::tail_constant(2.0, 3.0) - 12.0).abs() < 1e-12);
/// ```
pub fn tail_constant(a: f64, b: f64) -> f64 {
    ln_gamma_step(b, a).exp()
}

/// A Beta(a, b) law of difficulty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difficulty {
    /// Exponent at p = 0, positive: the smaller, the more hopeless prompts.
    pub a: f64,
    /// Exponent at p = 1, positive.
    pub b: f64,
}

impl Difficulty {
    /// Mean pass@1, `a / (a + b)`.
    pub fn mean(self) -> f64 {
        self.a / (self.a + self.b)
    }

    fn ln_fail(self, k: f64) -> f64 {
        ln_mean_fail_at_k(self.a, self.b, k)
    }
}

/// Attempts at which two tails are equal: an estimate of the crossing.
///
/// ```text
/// k* = [Gamma(a' + b') Gamma(b) / (Gamma(b') Gamma(a + b))]^(1 / (a' - a))
/// ```
/// `None` for equal exponents.
///
/// # Example
/// ```
/// use mta_theory::difficulty::{Difficulty, asymptotic_crossover};
/// let k = asymptotic_crossover(Difficulty { a: 0.6, b: 1.4 }, Difficulty { a: 0.25, b: 0.35 }).unwrap();
/// assert!((k - 6.5).abs() < 0.05);
/// ```
pub fn asymptotic_crossover(before: Difficulty, after: Difficulty) -> Option<f64> {
    let ratio = ln_gamma_step(after.b, after.a) - ln_gamma_step(before.b, before.a);
    finite((ratio / (after.a - before.a)).exp())
}

/// Attempts searched for a crossing.
pub const MOST_ATTEMPTS: f64 = 1e12;

/// Smallest whole k at which the trained model's mean pass@k is below the base model's, given that its pass@1 is not; `None` if there is none up to
/// [`MOST_ATTEMPTS`].
///
/// A crossing exists iff a' < a, and it is unique. Proof: `D(k) = log fail'@k - log fail@k` has the increments
/// `log [(b' + i)(a + b + i) / ((b + i)(a' + b' + i))]`, whose sign is that of `a b' - a' b + i (a - a')`, linear in i. The first one is not positive because
/// pass@1 did not fall. If a' >= a none is positive (for a' = a their sign never changes), so D stays <= 0; if a' < a they turn positive once and D, which
/// ends like (a - a') log k, crosses 0 once.
///
/// # Example
/// ```
/// use mta_theory::difficulty::{Difficulty, crossover};
/// let (before, after) = (Difficulty { a: 0.6, b: 1.4 }, Difficulty { a: 0.25, b: 0.35 });
/// assert_eq!(crossover(before, after), Some(5.0));
/// assert_eq!(crossover(before, Difficulty { a: 0.7, b: 1.0 }), None);
/// ```
pub fn crossover(before: Difficulty, after: Difficulty) -> Option<f64> {
    let harmed = |k: f64| after.ln_fail(k) > before.ln_fail(k);
    if after.a >= before.a || harmed(1.0) || !harmed(MOST_ATTEMPTS) {
        return None;
    }
    let (mut low, mut high) = (1.0, MOST_ATTEMPTS);
    while high - low > 1.0 {
        let middle = ((low * high).sqrt()).floor().clamp(low + 1.0, high - 1.0);
        if harmed(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

/// Beta difficulty and the crossing of two pass@k curves.
pub const P29: Proposition = Proposition {
    id: "P29",
    name: "beta-difficulty",
    statement: "Under Beta difficulty, training that raises pass@1 lowers pass@k at large k iff it lowers the exponent a, and the curves then cross exactly once.",
    assumptions: "Independent attempts; difficulty exactly Beta before and after training.",
    formula: "fail@k = B(a, b + k) / B(a, b) ~ Gamma(a + b)/Gamma(b) k^-a; k* ~ [Gamma(a' + b') Gamma(b) / (Gamma(b') Gamma(a + b))]^(1/(a' - a))",
    source: "tail exponent: Schaeffer et al., arXiv 2502.17578; crossing: Yue et al., arXiv 2504.13837; closed form and uniqueness: own",
    inputs: &[
        real("a", "exponent of the base model's difficulty at p = 0", 0.6, (1e-8, 1e6)),
        real("b", "its exponent at p = 1", 1.4, (1e-8, 1e6)),
        real("a_after", "exponent at p = 0 after training", 0.25, (1e-8, 1e6)),
        real("b_after", "exponent at p = 1 after training", 0.35, (1e-8, 1e6)),
        real("k", "attempts", 64.0, (1.0, 1e12)),
    ],
    outputs: &[
        output("pass_at_k", "mean pass@k of the base model"),
        output("pass_at_k_after", "mean pass@k after training"),
        output("crossover", "smallest whole k, up to 1e12, at which training lowers pass@k although it did not lower pass@1"),
        output("asymptotic_crossover", "k at which the power-law tails are equal, if training did not lower pass@1 and lowered a"),
    ],
    evaluate: |x| {
        let (before, after) = (Difficulty { a: x[0], b: x[1] }, Difficulty { a: x[2], b: x[3] });
        let cross = after.a < before.a && after.mean() >= before.mean();
        vec![
            finite(beta_pass_at_k(x[0], x[1], x[4])),
            finite(beta_pass_at_k(x[2], x[3], x[4])),
            crossover(before, after),
            asymptotic_crossover(before, after).filter(|_| cross),
        ]
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_golden_numbers() {
        crate::golden::agree(include_str!("../golden/difficulty.csv"), |name, x| match name {
            "mean_fail_at_k" => mean_fail_at_k(x[0], x[1], x[2]),
            "beta_pass_at_k" => beta_pass_at_k(x[0], x[1], x[2]),
            "tail_constant" => tail_constant(x[0], x[1]),
            "asymptotic_crossover" => asymptotic_crossover(Difficulty { a: x[0], b: x[1] }, Difficulty { a: x[2], b: x[3] }).unwrap(),
            _ => unreachable!("{name}"),
        });
    }

    #[test]
    fn evaluates_the_formulas() {
        let y = (P29.evaluate)(&[0.6, 1.4, 0.25, 0.35, 1.0]);
        assert!((y[0].unwrap() - 0.3).abs() < 1e-12 && (y[1].unwrap() - 5.0 / 12.0).abs() < 1e-12 && y[2] == Some(5.0));
        assert_eq!((P29.evaluate)(&[0.25, 0.35, 0.6, 1.4, 1.0])[2..], [None, None]);
    }
}

//! How often the verifier errs, measured.
//!
//! The counts are those of `tests/real_outputs.rs`, which fails where the verifier's change; the data are not in the repository.

use mta_sims::statistics::Interval;

/// How many of a number of outputs were accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Judged right.
    pub accepted: usize,
    /// Judged at all.
    pub of: usize,
}

impl Accepted {
    /// The share accepted, with Wilson's interval at 95 %.
    pub fn rate(&self) -> Option<Interval> {
        wilson(self.accepted, self.of)
    }
}

/// What the signal `noisy(tpr, fpr)` needs to stand for this verifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Of the right outputs: 1 - false-negative rate.
    pub tpr: Accepted,
    /// Of the wrong outputs: false-positive rate.
    pub fpr: Accepted,
}

/// Against the labels of a Python grader: tpr 1 \[.990, 1\], fpr 0 \[0, .133\].
///
/// # Source
/// 400 outputs to the first 50 questions of MATH, with labels: evaluation folder of Qwen2.5-Math as shipped in ypwang61/One-Shot-RLVR.
pub const AGAINST_LABELS: Rates = Rates { tpr: Accepted { accepted: 375, of: 375 }, fpr: Accepted { accepted: 0, of: 25 } };

/// Against a reading of the same outputs by hand: tpr .979 \[.959, .989\], fpr 0 \[0, .184\]. The 8 right outputs that are refused answer a question whose gold
/// answer is damaged ("4:30p.."); with the gold answer mended ("4:30 p.m.") all 383 are accepted.
pub const AGAINST_HAND: Rates = Rates { tpr: Accepted { accepted: 375, of: 383 }, fpr: Accepted { accepted: 0, of: 17 } };

/// Wilson's 95 % interval for a share; missing for no trials.
///
/// centre = (p + z²/2n) / (1 + z²/n), half width = z sqrt(p (1 - p) / n + z²/4n²) / (1 + z²/n), z = 1.96.
///
/// # Source
/// Wilson, "Probable inference, the law of succession, and statistical inference", J. Am. Stat. Assoc. 22 (1927) 209-212.
///
/// # Example
/// ```
/// let i = mta_llm::math::rates::wilson(0, 25).unwrap();
/// assert_eq!(i.low, Some(0.0));
/// assert!((i.high.unwrap() - 0.1332).abs() < 1e-4);
/// assert_eq!(mta_llm::math::rates::wilson(0, 0), None);
/// ```
pub fn wilson(hits: usize, trials: usize) -> Option<Interval> {
    const Z: f64 = 1.959963984540054;
    let (n, share) = (trials as f64, hits as f64 / trials as f64);
    let scale = 1.0 + Z * Z / n;
    let centre = (share + Z * Z / (2.0 * n)) / scale;
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt() / scale;
    let (low, high) = (if hits == 0 { 0.0 } else { centre - half }, if hits == trials { 1.0 } else { centre + half });
    (trials > 0).then_some(Interval { value: share, low: Some(low), high: Some(high) })
}

//! What a base model can do whose log-prior has correlation a with the task (proposition P35).
//!
//! The world: V tokens, a share f of them right, `z` the right/wrong indicator standardised over tokens, and a log-prior
//! `kappa (a z + sqrt(1 - a^2) xi)` with `xi` standard normal noise without correlation with `z`.

use statrs::distribution::{ContinuousCDF, Normal};

/// pass@1 of the base model in the bulk phase.
///
/// ```text
/// pass@1 = sigma( logit f + kappa a / sqrt(f (1 - f)) )
/// ```
/// `right_share` f in (0, 1); `confidence` kappa >= 0, nats; `alignment` a in [-1, 1].
///
/// Proof: right tokens have z = sqrt((1-f)/f), wrong ones z = -sqrt(f/(1-f)), so their log-priors differ by kappa a / sqrt(f(1-f)) in the mean; the
/// noise multiplies both masses by the same factor E exp(kappa sqrt(1-a^2) xi) as long as many tokens carry each (law of large numbers).
///
/// Validity: f V and (1 - f) V tokens must each average the noise, that is kappa sqrt(1 - a^2) well below sqrt(2 ln V); beyond it the prior freezes on
/// few tokens (the random energy model) and the formula overestimates. See [`freezing_confidence`].
///
/// # Example
/// Without alignment, or without confidence, the base model guesses:
/// ```
/// use mta_theory::alignment::bulk_pass_at_1;
/// assert!((bulk_pass_at_1(0.05, 1.0, 0.0) - 0.05).abs() < 1e-15);
/// assert!((bulk_pass_at_1(0.05, 1.0, 0.6) - 0.452).abs() < 5e-4);
/// ```
pub fn bulk_pass_at_1(right_share: f64, confidence: f64, alignment: f64) -> f64 {
    let gap = confidence * alignment / (right_share * (1.0 - right_share)).sqrt();
    let odds = right_share / (1.0 - right_share) * gap.exp();
    if odds.is_infinite() { 1.0 } else { odds / (1.0 + odds) }
}

/// Confidence at which the noise of the prior freezes onto few of `vocab` tokens: `sqrt(2 ln V) / sqrt(1 - a^2)`, in nats.
///
/// # Source
/// Derrida, "Random-energy model", Phys. Rev. B 24 (1981) 2613.
///
/// # Example
/// ```
/// assert!((mta_theory::alignment::freezing_confidence(1024, 0.0) - 3.723297411).abs() < 1e-9);
/// ```
pub fn freezing_confidence(vocab: usize, alignment: f64) -> f64 {
    (2.0 * (vocab as f64).ln()).sqrt() / (1.0 - alignment * alignment).sqrt()
}

/// Chance that the base model's most likely token is right.
///
/// ```text
/// integral d[ Phi((t - m_r)/s)^{n_r} ] Phi((t - m_w)/s)^{n_w}
/// ```
/// `n_r = f V`, `n_w = (1-f) V` right and wrong tokens; `m_r, m_w = kappa a z` their mean log-priors; `s^2 = kappa^2 (1 - a^2) + tau^2`.
///
/// `vocab` V >= 2; `right_share` f in (0, 1); `confidence` kappa >= 0 and `idiosyncrasy` tau >= 0, nats; `alignment` a in [-1, 1]. With s = 0 the better
/// group wins outright, and with equal means the share f decides.
///
/// Validity: exact for independent Gaussian noise. Noise orthogonal to z adds up to zero over the right tokens, which leaves each of them the share
/// 1 - 1/n_r of its variance: with few right tokens the mode is right less often where the noise must help (V = 64, n_r = 3, a = 0.1: 0.06, not 0.12) and more
/// often where it may only hurt (a = 0.5: 0.98, not 0.93). From n_r = 50 on the two agree to 0.01.
///
/// # Example
/// ```
/// let chance = mta_theory::alignment::mode_accuracy(64, 0.1, 1.0, 0.0, 0.3);
/// assert!((chance - 0.5).abs() < 0.05);
/// assert!((mta_theory::alignment::mode_accuracy(64, 0.125, 1.0, 0.0, 0.0) - 0.125).abs() < 1e-9);
/// ```
pub fn mode_accuracy(vocab: usize, right_share: f64, confidence: f64, idiosyncrasy: f64, alignment: f64) -> f64 {
    let (right, wrong) = (right_share * vocab as f64, (1.0 - right_share) * vocab as f64);
    let gap = confidence * alignment / (right_share * (1.0 - right_share)).sqrt();
    let spread = (confidence.powi(2) * (1.0 - alignment.powi(2)) + idiosyncrasy.powi(2)).sqrt();
    if spread == 0.0 {
        return if gap == 0.0 { right_share } else { f64::from(gap > 0.0) };
    }
    chance_of_larger_maximum(right, wrong, gap / spread)
}

/// P(max of `right` standard normals + `shift` > max of `wrong` standard normals), by integrating over the law of the right maximum.
fn chance_of_larger_maximum(right: f64, wrong: f64, shift: f64) -> f64 {
    let normal = Normal::standard();
    let beats = |u: f64| {
        let t = normal.inverse_cdf(u.powf(1.0 / right));
        normal.cdf(t + shift).powf(wrong)
    };
    simpson(beats)
}

/// Panels of the quadrature.
const PANELS: usize = 4096;

/// Integral over (0, 1) after the substitution u = s^2 (3 - 2 s), which softens both ends.
fn simpson(f: impl Fn(f64) -> f64) -> f64 {
    let h = 1.0 / PANELS as f64;
    let g = |i: usize| {
        let s = i as f64 * h;
        let u = s * s * (3.0 - 2.0 * s);
        if u <= 0.0 || u >= 1.0 { 0.0 } else { f(u) * 6.0 * s * (1.0 - s) }
    };
    let weight = |i: usize| if i.is_multiple_of(2) { 2.0 } else { 4.0 };
    (1..PANELS).map(|i| weight(i) * g(i)).sum::<f64>() * h / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of an independent computation, to the digits given there.
    #[test]
    fn agrees_with_an_independent_computation() {
        for (a, pass) in [(0.3, 0.173), (0.6, 0.452), (0.9, 0.766)] {
            approx::assert_abs_diff_eq!(bulk_pass_at_1(0.05, 1.0, a), pass, epsilon = 6e-4);
        }
        for (a, mode) in [(0.3, 0.52), (0.6, 0.973), (0.9, 1.0)] {
            approx::assert_abs_diff_eq!(mode_accuracy(64, 0.1, 1.0, 0.0, a), mode, epsilon = 1.2e-2);
        }
    }

    #[test]
    fn the_mode_is_right_by_chance_without_alignment() {
        for (v, n) in [(8, 1), (64, 5), (1024, 51)] {
            let f = f64::from(n) / v as f64;
            approx::assert_abs_diff_eq!(mode_accuracy(v, f, 1.0, 0.5, 0.0), f, epsilon = 1e-7);
        }
    }
}

//! What a base model can do whose log-prior has correlation a with the task (P35), and what sharpening makes of a shifted
//! correct arm (P23).
//!
//! The world: V tokens, a share f of them right, `z` the right/wrong indicator standardised over tokens, and a log-prior
//! `kappa (a z + sqrt(1 - a^2) xi)` with `xi` standard normal noise without correlation with `z`.

use crate::normal_tail::erfc;
use crate::proposition::{Proposition, finite, output, real, whole};
use crate::quadrature;
use crate::simplex::sigmoid;

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
/// Validity: f V and (1 - f) V tokens must each average the noise, that is kappa sqrt(1 - a^2) well below sqrt(2 ln min(f V, (1 - f) V)): the smaller group
/// freezes on few tokens (the random energy model) before all V do at [`freezing_confidence`]. Beyond it the formula overestimates for rare right tokens; the
/// exact mean is [`crate::sharpening_phase::Tokens::expected_pass_at_1`]. With few right tokens and noise orthogonal to z see [`few_token_log_odds`].
///
/// # Example
/// Without alignment, or without confidence, the base model guesses:
/// ```
/// use mta_theory::alignment::bulk_pass_at_1;
/// assert!((bulk_pass_at_1(0.05, 1.0, 0.0) - 0.05).abs() < 1e-15);
/// assert!((bulk_pass_at_1(0.05, 1.0, 0.6) - 0.452).abs() < 5e-4);
/// ```
pub fn bulk_pass_at_1(right_share: f64, confidence: f64, alignment: f64) -> f64 {
    let gap = mean_gap(right_share, confidence, alignment);
    let odds = right_share / (1.0 - right_share) * gap.exp();
    if odds.is_infinite() { 1.0 } else { odds / (1.0 + odds) }
}

/// Log-odds of pass@1, averaged over worlds, when few tokens carry the noise and the noise is orthogonal to the task, as the world has it.
///
/// ```text
/// logit f + kappa a / sqrt(f (1 - f)) - V/(V-2) [ s^2/2 (1/n_r - 1/n_w) + s^4/4 ((n_r - 1)/n_r^2 - (n_w - 1)/n_w^2) ]
/// ```
/// `right`, `wrong`: n_r, n_w >= 1 tokens, V = n_r + n_w >= 3; s^2 = kappa^2 (1 - a^2), nats^2; `confidence` kappa >= 0; `alignment` a in [-1, 1].
///
/// Proof: `ln mean exp(s xi)` over n tokens is the sum of the empirical cumulants k_j s^j / j!. Orthogonality to z (two values) makes xi add up to zero over
/// either group, so k_1 = 0 exactly; xi is uniform on a sphere of radius sqrt(V) in V - 2 dimensions, whose second and fourth moments are V/(V-2) times the
/// Gaussian ones; and Gaussian xi have E k_2 = 1 - 1/n, E k_3 = 0, E k_4 = -6 (n - 1)/n^2. The bulk formula keeps the limit n = infinity. To leading order in
/// 1/n the sum of all orders is the delta method's -(e^(s^2) - 1)/(2n); at n = 1 the mean is exactly 0, which the delta method misses and this meets.
///
/// Validity: the next term is of order s^6. Against sampled noise off by less than 0.002 nats for s <= 0.6 and 0.03 for s <= 1 (V from 8 to 1024, n_r >= 1);
/// at s = 1.5 by 0.2. The s^2 term alone, -s^2/2 (1/n_r - 1/n_w), has the right slope but two thirds of the effect at s = 1, n_r = 6.
///
/// Source: own.
///
/// # Example
/// One right token of 64 has no noise of its own, and one of two equal groups no disadvantage:
/// ```
/// use mta_theory::alignment::few_token_log_odds;
/// let expected = (1f64 / 63.0).ln() - 64.0 / 62.0 * (0.5 * 0.25 * (62.0 / 63.0) - 0.25 * 0.0625 * (62.0 / 63f64.powi(2)));
/// assert!((few_token_log_odds(1.0, 63.0, 0.5, 0.0) - expected).abs() < 1e-12);
/// assert_eq!(few_token_log_odds(4.0, 4.0, 0.5, 0.0), 0.0);
/// ```
pub fn few_token_log_odds(right: f64, wrong: f64, confidence: f64, alignment: f64) -> f64 {
    let vocab = right + wrong;
    let square = confidence.powi(2) * (1.0 - alignment.powi(2));
    let loss = |n: f64| 0.5 * square / n + 0.25 * square.powi(2) * (n - 1.0) / n.powi(2);
    (right / wrong).ln() + mean_gap(right / vocab, confidence, alignment) - vocab / (vocab - 2.0) * (loss(right) - loss(wrong))
}

/// pass@1 at the mean log-odds [`few_token_log_odds`]; within 0.012 of the mean over worlds for s <= 1.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::alignment::few_token_pass_at_1(4.0, 4.0, 0.5, 0.0), 0.5);
/// ```
pub fn few_token_pass_at_1(right: f64, wrong: f64, confidence: f64, alignment: f64) -> f64 {
    sigmoid(few_token_log_odds(right, wrong, confidence, alignment))
}

/// How much larger the log-prior of right tokens is than that of wrong ones, in the mean: `kappa a / sqrt(f (1 - f))`, nats.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::alignment::mean_gap(0.5, 3.0, 0.25), 1.5);
/// ```
pub fn mean_gap(right_share: f64, confidence: f64, alignment: f64) -> f64 {
    confidence * alignment / (right_share * (1.0 - right_share)).sqrt()
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
    let gap = mean_gap(right_share, confidence, alignment);
    let spread = (confidence.powi(2) * (1.0 - alignment.powi(2)) + idiosyncrasy.powi(2)).sqrt();
    if spread == 0.0 {
        return if gap == 0.0 { right_share } else { f64::from(gap > 0.0) };
    }
    chance_of_larger_maximum(right, wrong, gap / spread, 1.0)
}

/// P(`ratio` max of `right` standard normals + `shift` > max of `wrong` standard normals), by integrating over the law of the right maximum.
///
/// The integrand is an entire function of the maximum that decays like a Gaussian, so the trapezoidal rule converges exponentially.
pub(crate) fn chance_of_larger_maximum(right: f64, wrong: f64, shift: f64, ratio: f64) -> f64 {
    mean_at_maximum(right, |t| times(wrong, ln_normal_cdf(ratio * t + shift)).exp())
}

/// Mean of `f` at the maximum of `n` standard normals.
pub(crate) fn mean_at_maximum(n: f64, f: impl Fn(f64) -> f64) -> f64 {
    let density = |t: f64| n * (times(n - 1.0, ln_normal_cdf(t)) - 0.5 * t * t).exp();
    quadrature::line(|t| density(t) * f(t), -37.0, 38.0, 1.0 / 64.0) / std::f64::consts::TAU.sqrt()
}

/// `n l`, with `0 * infinity = 0`.
fn times(n: f64, l: f64) -> f64 {
    if n == 0.0 { 0.0 } else { n * l }
}

/// `ln Phi(t)`, accurate where Phi is nearly 1 as well.
fn ln_normal_cdf(t: f64) -> f64 {
    let tail = 0.5 * erfc(t.abs().min(1e6) / std::f64::consts::SQRT_2);
    if t > 0.0 { (-tail).ln_1p() } else { tail.ln() }
}

/// Accuracy of a fully sharpened, or majority-vote trained, policy whose correct arm is shifted.
///
/// ```text
/// A_inf = integral phi(z) Phi(z + alpha / s)^(K-1) dz
/// ```
/// `arms` K >= 1; `spread` s > 0 and `shift` alpha, nats: logits are N(0, s^2), the correct one N(alpha, s^2).
///
/// Proof: sharpening ends on the mode; the correct arm is the mode iff it exceeds K - 1 independent wrong logits; condition on its noise z.
///
/// Before the limit, the mean accuracy `E a(tau)` of the policy sharpened by tau is 1/K for all tau at alpha = 0 and strictly monotone otherwise, rising iff
/// alpha > 0, for every K >= 2. Proof: weigh the unshifted Gaussian by `exp(alpha xi_1 / s^2 - alpha^2 / (2 s^2))` and average over which arm is correct:
/// `E a(tau) = exp(-alpha^2 / (2 s^2)) / K * E_0 E_{pi_tau}[exp(alpha xi / s^2)]`, and the derivative in tau of the inner mean is
/// `Cov_{pi_tau}(xi, exp(alpha xi / s^2))`, which has the sign of alpha because the second factor is monotone in the first.
///
/// Assumptions: exchangeable Gaussian logits, one correct arm. Source: own.
///
/// # Example
/// Two arms: the difference of the logits is N(alpha, 2 s^2), so the correct arm wins with chance Phi(alpha / (s sqrt 2)).
/// ```
/// use mta_theory::alignment::sharpened_limit_accuracy;
/// assert!((sharpened_limit_accuracy(2.0, 1.0, 2f64.sqrt()) - 0.8413447460685429).abs() < 1e-12);
/// assert!((sharpened_limit_accuracy(8.0, 1.5, 0.0) - 0.125).abs() < 1e-12);
/// ```
pub fn sharpened_limit_accuracy(arms: f64, spread: f64, shift: f64) -> f64 {
    chance_of_larger_maximum(1.0, arms - 1.0, shift / spread, 1.0)
}

/// Accuracy of a sharpened policy under Gaussian logits with a shifted correct arm.
pub const P23: Proposition = Proposition {
    id: "P23",
    name: "alignment-model",
    statement: "Sharpening ends at accuracy A_inf. Before that, mean accuracy rises with sharpening iff the correct arm is shifted upwards, and is 1/K throughout \
                iff it is not shifted.",
    assumptions: "Logits independent N(0, s^2), one correct arm shifted by alpha.",
    formula: "A_inf = integral phi(z) Phi(z + alpha/s)^(K-1) dz",
    source: "own",
    inputs: &[
        whole("arms", "arms K", 8.0, (2.0, 1e6)),
        real("spread", "standard deviation s of a logit, nats", 1.5, (1e-6, 1e6)),
        real("shift", "shift alpha of the correct logit, nats", 1.0, (-1e6, 1e6)),
    ],
    outputs: &[output("limit_accuracy", "accuracy of the fully sharpened policy"), output("gain_over_chance", "limit accuracy minus 1/K")],
    evaluate: |x| {
        let limit = sharpened_limit_accuracy(x[0], x[1], x[2]);
        vec![finite(limit), finite(limit - 1.0 / x[0])]
    },
};

/// What a base model can do whose prior is aligned to degree a.
pub const P35: Proposition = Proposition {
    id: "P35",
    name: "aligned-prior",
    statement: "A log-prior with correlation a to the task shifts the logit of pass@1 by kappa a / sqrt(f (1 - f)), and makes the most likely token right far \
                more often than that.",
    assumptions: "V tokens, a share f right; log-prior kappa (a z + sqrt(1 - a^2) xi) + tau xi' with independent Gaussian xi, xi' and z the standardised \
                  indicator of right tokens. pass@1: confidence below freezing.",
    formula: "pass@1 = sigma(logit f + kappa a / sqrt(f (1 - f))); kappa_freeze = sqrt(2 ln V) / sqrt(1 - a^2); \
              mode = integral d[Phi((t - m_r)/s)^(f V)] Phi((t - m_w)/s)^((1 - f) V), s^2 = kappa^2 (1 - a^2) + tau^2",
    source: "own; freezing: Derrida, Phys. Rev. B 24 (1981) 2613",
    inputs: &[
        whole("vocab", "tokens V", 1024.0, (2.0, 1e6)),
        real("right_share", "share f of right tokens", 0.05, (1e-6, 1.0 - 1e-6)),
        real("confidence", "kappa, standard deviation of the log-prior, nats", 1.0, (0.0, 100.0)),
        real("idiosyncrasy", "tau, standard deviation of a prompt's own part of it, nats", 0.0, (0.0, 100.0)),
        real("alignment", "correlation a of log-prior and correctness", 0.5, (-1.0, 1.0)),
    ],
    outputs: &[
        output("bulk_pass_at_1", "pass@1 of the base model where many tokens carry the mass"),
        output("freezing_confidence", "confidence above which few tokens carry the mass, nats"),
        output("mode_accuracy", "chance that the most likely token is right"),
    ],
    evaluate: |x| {
        vec![
            finite(bulk_pass_at_1(x[1], x[2], x[4])),
            finite(freezing_confidence(x[0] as usize, x[4])),
            finite(mode_accuracy(x[0] as usize, x[1], x[2], x[3], x[4])),
        ]
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_is_right_by_chance_without_alignment() {
        for (v, n) in [(8, 1), (64, 5), (1024, 51)] {
            let f = f64::from(n) / v as f64;
            approx::assert_abs_diff_eq!(mode_accuracy(v, f, 1.0, 0.5, 0.0), f, epsilon = 1e-12);
        }
    }

    #[test]
    fn agrees_with_golden_numbers() {
        crate::golden::agree(include_str!("../golden/alignment.csv"), |name, x| match name {
            "sharpened_limit_accuracy" => sharpened_limit_accuracy(x[0], x[1], x[2]),
            "mode_accuracy" => mode_accuracy(x[0] as usize, x[1], x[2], x[3], x[4]),
            "bulk_pass_at_1" => bulk_pass_at_1(x[0], x[1], x[2]),
            "few_token_log_odds" => few_token_log_odds(x[0], x[1], x[2], x[3]),
            "freezing_confidence" => freezing_confidence(x[0] as usize, x[1]),
            _ => unreachable!("{name}"),
        });
    }

    #[test]
    fn evaluates_the_formulas() {
        let limit = sharpened_limit_accuracy(2.0, 1.0, 0.5);
        assert_eq!((P23.evaluate)(&[2.0, 1.0, 0.5]), [Some(limit), Some(limit - 0.5)]);
        let all = (P35.evaluate)(&[64.0, 0.125, 1.0, 0.5, 0.25]);
        let expected = [bulk_pass_at_1(0.125, 1.0, 0.25), freezing_confidence(64, 0.25), mode_accuracy(64, 0.125, 1.0, 0.5, 0.25)];
        assert_eq!(all, expected.map(Some));
    }
}

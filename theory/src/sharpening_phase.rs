//! Where sharpening helps: accuracy over alignment, confidence and sharpening power (P41).
//!
//! The world of [`crate::alignment`]: n_r right and n_w wrong tokens, log-prior kappa (a z + sqrt(1 - a^2) xi). Sharpening by the power tau multiplies the
//! log-prior, so it is nothing but a larger confidence tau kappa, and its limit is the mode.

use crate::alignment::{bulk_pass_at_1, chance_of_larger_maximum, few_token_pass_at_1, mean_at_maximum, mean_gap, mode_accuracy};
use crate::normal_tail::normal_cdf;
use crate::proposition::{Proposition, finite, output, real, whole};
use crate::quadrature;

/// Right and wrong tokens of a one-step world: one phase diagram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tokens {
    /// Right tokens n_r >= 1.
    pub right: f64,
    /// Wrong tokens n_w >= 1.
    pub wrong: f64,
}

impl Tokens {
    /// Share f of right tokens.
    pub fn share(&self) -> f64 {
        self.right / (self.right + self.wrong)
    }

    /// pass@1 averaged over worlds with independent noise, exactly, on either side of freezing; `confidence` tau kappa for the policy sharpened by tau.
    ///
    /// ```text
    /// integral d[ L(t)^{n_r} ] L(t + gap)^{n_w},   L(t) = E exp(-exp(s x - t)),  x ~ N(0, 1),  s = kappa sqrt(1 - a^2)
    /// ```
    /// `confidence` >= 0, nats; `alignment` a in [-1, 1]. About 0.1 ms at s = 1, at most a few ms.
    ///
    /// Proof: a softmax draw is the largest of logit + Gumbel noise, so pass@1 is the chance that this maximum is right; the sum of a logit's Gaussian and its
    /// Gumbel noise has distribution L, and all tokens are independent. For s -> infinity the Gumbel noise drops out and L becomes Phi: the mode's accuracy.
    ///
    /// # Example
    /// Without noise the bulk formula is exact:
    /// ```
    /// use mta_theory::sharpening_phase::Tokens;
    /// let tokens = Tokens { right: 2.0, wrong: 2.0 };
    /// assert!((tokens.expected_pass_at_1(1.0, 1.0) - 1.0 / (1.0 + (-2f64).exp())).abs() < 1e-12);
    /// ```
    pub fn expected_pass_at_1(&self, confidence: f64, alignment: f64) -> f64 {
        let (spread, gap) = (noise(confidence, alignment), mean_gap(self.share(), confidence, alignment));
        if spread > COARSE { self.by_normal_tails(spread, gap) } else { self.by_gumbel_tails(spread, gap) }
    }

    /// The integral with L as a mean over the Gaussian.
    fn by_gumbel_tails(&self, spread: f64, gap: f64) -> f64 {
        let nodes = normal_nodes(spread);
        let law = |t: f64| {
            nodes.iter().fold((0.0, 0.0), |(below, density), (x, weight)| {
                let rate = (x - t).exp();
                let chance = weight * (-rate).exp();
                (below + chance, if chance > 0.0 { density + chance * rate } else { density })
            })
        };
        let integrand = |t: f64| {
            let ((below, density), (wrong, _)) = (law(t), law(t + gap));
            self.right * density * below.powf(self.right - 1.0) * wrong.powf(self.wrong)
        };
        let right_end = 40.0 + (8.5 * spread).min(0.5 * spread * spread) + self.right.ln();
        quadrature::line(integrand, -8.5 * spread - 5.0, right_end, GRID)
    }

    /// The integral with L(t) = E Phi((t - G)/s) as a mean over the Gumbel noise G.
    fn by_normal_tails(&self, spread: f64, gap: f64) -> f64 {
        let nodes: Vec<(f64, f64)> = (0..130).map(|i| f64::from(i) * GRID - 3.75).map(|g| (g, GRID * (-g - (-g).exp()).exp())).collect();
        let below = |t: f64| nodes.iter().map(|(g, weight)| weight * normal_cdf((t - g) / spread)).sum::<f64>();
        let density = |t: f64| nodes.iter().map(|(g, weight)| weight * (-0.5 * ((t - g) / spread).powi(2)).exp()).sum::<f64>();
        let integrand = |t: f64| self.right * density(t) * below(t).powf(self.right - 1.0) * below(t + gap).powf(self.wrong);
        quadrature::line(integrand, -8.5 * spread - 4.0, 8.5 * spread + 40.0, spread / 32.0) / (spread * std::f64::consts::TAU.sqrt())
    }

    /// Confidence at which the smaller group freezes, `sqrt(2 ln min(n_r, n_w)) / sqrt(1 - a^2)`, nats: the end of the bulk formula. It comes before the
    /// freezing of the whole vocabulary at `sqrt(2 ln V) / sqrt(1 - a^2)`.
    ///
    /// # Example
    /// ```
    /// let tokens = mta_theory::sharpening_phase::Tokens { right: 51.0, wrong: 973.0 };
    /// assert!((tokens.freezing_confidence(0.0) - (2.0 * 51f64.ln()).sqrt()).abs() < 1e-12);
    /// ```
    pub fn freezing_confidence(&self, alignment: f64) -> f64 {
        (2.0 * self.right.min(self.wrong).ln()).sqrt() / (1.0 - alignment * alignment).sqrt()
    }

    /// Alignment above which the mode of a typical world is right, whatever the confidence.
    ///
    /// ```text
    /// a / sqrt(1 - a^2) = sqrt(f (1 - f)) (mu(n_w) - mu(n_r)),   mu(n) the mean of the largest of n standard normals, ~ sqrt(2 ln n)
    /// ```
    /// # Example
    /// ```
    /// assert_eq!(mta_theory::sharpening_phase::Tokens { right: 4.0, wrong: 4.0 }.mode_threshold(), 0.0);
    /// ```
    pub fn mode_threshold(&self) -> f64 {
        let f = self.share();
        let slope = (f * (1.0 - f)).sqrt() * (Maximum::of(self.wrong).mean - Maximum::of(self.right).mean);
        slope / (1.0 + slope * slope).sqrt()
    }

    /// Chance that the mode is right when the noise is orthogonal to the task, as the world has it, so that it adds up to zero over either group.
    ///
    /// The maximum M of n normals is the sum of their mean and of the maximum of the centred ones, which are independent; so centring keeps the mean of M and
    /// takes 1/n off its variance. Here M is shrunk about its mean to that variance: exact for n_r = 1 and n -> infinity, else right in mean and variance.
    /// Against simulated noise (V = 64, n_r = 1 to 6) within 0.015.
    ///
    /// `alignment` a in (-1, 1); n_r + n_w > 2.
    ///
    /// # Example
    /// A single right token has no noise; without alignment it would have to beat the largest of 63 centred normals:
    /// ```
    /// let tokens = mta_theory::sharpening_phase::Tokens { right: 1.0, wrong: 63.0 };
    /// assert!(tokens.orthogonal_mode_accuracy(0.0) < 1e-10);
    /// ```
    pub fn orthogonal_mode_accuracy(&self, alignment: f64) -> f64 {
        self.centred_mode_accuracy(&self.maxima(), alignment)
    }

    fn maxima(&self) -> [Maximum; 2] {
        [self.right, self.wrong].map(Maximum::of)
    }

    fn centred_mode_accuracy(&self, [right, wrong]: &[Maximum; 2], alignment: f64) -> f64 {
        let vocab = self.right + self.wrong;
        let gap = mean_gap(self.share(), 1.0, alignment) / noise(1.0, alignment) * (1.0 - 2.0 / vocab).sqrt();
        let shift = wrong.mean + (right.mean * (1.0 - right.shrunk) + gap - wrong.mean) / wrong.shrunk;
        chance_of_larger_maximum(self.right, self.wrong, shift, right.shrunk / wrong.shrunk)
    }

    /// Alignment at which full sharpening leaves the mean accuracy over worlds as it was, with noise orthogonal to the task: below it sharpening hurts, above it
    /// helps. The root of `mode accuracy(a) = pass@1(kappa, a)`, from [`Tokens::orthogonal_mode_accuracy`] and
    /// [`few_token_pass_at_1`], by bisection; `None` where pass@1 is the larger up to a = 1.
    ///
    /// With independent noise the neutral alignment is 0 for every kappa, V, f and power (P41). Orthogonality moves it up where right tokens are few, because
    /// it takes noise from them that could have made one of them the mode.
    ///
    /// Validity: kappa <= 1, that of [`few_token_pass_at_1`].
    ///
    /// # Example
    /// ```
    /// let tokens = mta_theory::sharpening_phase::Tokens { right: 3.0, wrong: 61.0 };
    /// let a = tokens.neutral_alignment(1.0).unwrap();
    /// assert!((0.05..0.2).contains(&a));
    /// ```
    pub fn neutral_alignment(&self, confidence: f64) -> Option<f64> {
        let maxima = self.maxima();
        let gain = |a: f64| self.centred_mode_accuracy(&maxima, a) - few_token_pass_at_1(self.right, self.wrong, confidence, a);
        let (mut low, mut high) = (-0.999, 0.999);
        if gain(low) >= 0.0 || gain(high) < 0.0 {
            return None;
        }
        for _ in 0..40 {
            let middle = 0.5 * (low + high);
            if gain(middle) < 0.0 { low = middle } else { high = middle }
        }
        Some(high)
    }
}

/// Step of integrals over Gumbel noise: it is analytic in the strip |Im| < pi/2, so the error is exp(-pi^2 / step) = 1e-14.
const GRID: f64 = 0.3;

/// Spread above which the Gaussian is the wider of the two noises by far.
const COARSE: f64 = 8.0;

/// Standard deviation `kappa sqrt(1 - a^2)` of the noise, nats.
fn noise(confidence: f64, alignment: f64) -> f64 {
    confidence * (1.0 - alignment * alignment).sqrt()
}

/// Nodes `s x` and weights of the mean over a normal x of a function of `s x` that is analytic in the strip |Im| < pi/2.
fn normal_nodes(spread: f64) -> Vec<(f64, f64)> {
    let step = 0.25f64.min(GRID / spread);
    let half = (8.5 / step).ceil() as i32;
    let weight = |x: f64| step * (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
    (-half..=half).map(|i| f64::from(i) * step).map(|x| (spread * x, weight(x))).collect()
}

/// The maximum of n standard normals: its mean, and the ratio of its standard deviations after and before centring.
struct Maximum {
    mean: f64,
    shrunk: f64,
}

impl Maximum {
    fn of(n: f64) -> Maximum {
        let mean = mean_at_maximum(n, |t| t);
        let variance = mean_at_maximum(n, |t| (t - mean).powi(2));
        Maximum { mean, shrunk: (1.0 - 1.0 / (n * variance)).max(0.0).sqrt() }
    }
}

/// Where sharpening helps.
pub const P41: Proposition = Proposition {
    id: "P41",
    name: "sharpening-phase",
    statement: "With independent noise, sharpening raises the mean accuracy over worlds iff a > 0, at every confidence, vocabulary, share and power: the neutral \
                line is a = 0. With noise orthogonal to the task it lies above 0 where right tokens are few. A typical world gains iff its mode is right, that \
                is above an alignment that does not depend on confidence.",
    assumptions: "One step, n_r of V tokens right, log-prior kappa (a z + sqrt(1 - a^2) xi); expected pass@1: xi independent; neutral alignment: xi orthogonal, kappa <= 1.",
    formula: "pass@1 = integral d[L(t)^n_r] L(t + gap)^n_w, L(t) = E exp(-exp(s x - t)), gap = tau kappa a / sqrt(f (1 - f)), s = tau kappa sqrt(1 - a^2); \
              mode = integral d[Phi(t)^n_r] Phi(t + gap/s)^n_w; freezing kappa = sqrt(2 ln min(n_r, n_w)) / sqrt(1 - a^2)",
    source: "own; freezing: Derrida, Phys. Rev. B 24 (1981) 2613",
    inputs: &[
        whole("vocab", "tokens V", 64.0, (3.0, 1e6)),
        whole("right", "right tokens n_r, at most V - 2", 3.0, (1.0, 1e6)),
        real("confidence", "kappa, standard deviation of the log-prior, nats", 1.0, (0.0, 30.0)),
        real("alignment", "correlation a of log-prior and correctness", 0.3, (-1.0, 1.0)),
        real("power", "sharpening power tau", 4.0, (0.0, 30.0)),
    ],
    outputs: &[
        output("pass_at_1", "mean pass@1 of the base model"),
        output("bulk_pass_at_1", "the same by the bulk formula, too high beyond freezing"),
        output("sharpened", "mean pass@1 of the sharpened policy"),
        output("mode_accuracy", "mean pass@1 of the fully sharpened policy"),
        output("freezing_confidence", "confidence at which the bulk formula ends, nats"),
        output("mode_threshold", "alignment above which the mode of a typical world is right"),
        output(
            "neutral_alignment",
            "alignment at which full sharpening leaves mean accuracy as it was, noise orthogonal to the task; none for kappa > 1",
        ),
    ],
    evaluate: |x| {
        let tokens = Tokens { right: x[1], wrong: x[0] - x[1] };
        if tokens.wrong < 2.0 {
            return vec![None; 7];
        }
        vec![
            finite(tokens.expected_pass_at_1(x[2], x[3])),
            finite(bulk_pass_at_1(tokens.share(), x[2], x[3])),
            finite(tokens.expected_pass_at_1(x[2] * x[4], x[3])),
            finite(mode_accuracy(x[0] as usize, tokens.share(), x[2], 0.0, x[3])),
            finite(tokens.freezing_confidence(x[3])),
            finite(tokens.mode_threshold()),
            tokens.neutral_alignment(x[2]).filter(|_| x[2] <= 1.0),
        ]
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_golden_numbers() {
        crate::golden::agree(include_str!("../golden/sharpening_phase.csv"), |name, x| {
            let tokens = Tokens { right: x[0], wrong: x[1] };
            match name {
                "expected_pass_at_1" => tokens.expected_pass_at_1(x[2], x[3]),
                "freezing_confidence" => tokens.freezing_confidence(x[2]),
                "mode_threshold" => tokens.mode_threshold(),
                _ => unreachable!("{name}"),
            }
        });
    }

    /// The two quadratures meet where one takes over.
    #[test]
    fn the_two_quadratures_agree() {
        for (right, wrong, gap) in [(1.0, 7.0, 3.0), (3.0, 61.0, 12.0), (50.0, 974.0, -4.0)] {
            let tokens = Tokens { right, wrong };
            approx::assert_relative_eq!(tokens.by_gumbel_tails(8.0, gap), tokens.by_normal_tails(8.0, gap), max_relative = 1e-9);
        }
    }
}

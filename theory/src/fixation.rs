//! What finite batches do to learning in the mean parameter: signal against noise, and which mode is fixed (proposition P10).

use crate::proposition::{Proposition, output, real, whole};
use crate::verifier::Verifier;

/// Expected change of accuracy `p` in one update of the mean parameter, `p += (eta/G) sum A_j (1[a_j correct] - p)`.
///
/// ```text
/// eta (1 - 1/G) J p (1-p)
/// ```
/// `p` in [0, 1]; `group` G >= 1 samples, whose mean reward is the baseline; `eta` >= 0 learning rate; the verifier errs homogeneously.
///
/// Proof: `E[A_j 1[a_j correct]]` is `(1 - 1/G) Cov(reward, correctness)`, as the baseline holds the sample itself with weight 1/G.
///
/// # Example
/// ```
/// use mta_theory::{fixation::drift, verifier::Verifier};
/// let clean = Verifier { tpr: 1.0, fpr: 0.0 };
/// assert_eq!(drift(clean, 0.5, 4, 1.0), 0.1875);
/// ```
pub fn drift(verifier: Verifier, p: f64, group: u64, eta: f64) -> f64 {
    eta * (1.0 - 1.0 / group as f64) * verifier.youden() * p * (1.0 - p)
}

/// Squared ratio of the mean to the standard deviation of one update, leading order in J.
///
/// ```text
/// SNR^2 = G J^2 p (1-p) / (q (1-q))
/// ```
/// Samples needed for a given ratio grow as 1/J^2. 0 where the verifier leaves no spread. Independent of eta.
///
/// Proof: drift squared over the variance `eta^2 q(1-q) p(1-p) / G` of the update at J = 0.
///
/// Validity: J small, G large: a factor 1 - 1/G and the share of the signal in the variance are left out.
///
/// # Example
/// ```
/// use mta_theory::{fixation::squared_snr, verifier::Verifier};
/// let weak = Verifier { tpr: 0.75, fpr: 0.25 };
/// assert_eq!(squared_snr(weak, 0.5, 8), 2.0);
/// ```
pub fn squared_snr(verifier: Verifier, p: f64, group: u64) -> f64 {
    let variance = verifier.acceptance(p) * verifier.rejection(p);
    let signal = group as f64 * verifier.youden().powi(2) * p * (1.0 - p);
    if signal == 0.0 { 0.0 } else { signal / variance }
}

/// Selection strength of the fixation formula: `c = 2 G J / (eta q (1-q))`, with q at accuracy `p`. No unit; 0 for J = 0.
///
/// # Example
/// ```
/// use mta_theory::{fixation::selection, verifier::Verifier};
/// assert_eq!(selection(Verifier { tpr: 0.75, fpr: 0.25 }, 0.5, 4, 0.5), 32.0);
/// ```
pub fn selection(verifier: Verifier, p: f64, group: u64, eta: f64) -> f64 {
    let variance = verifier.acceptance(p) * verifier.rejection(p);
    let pull = 2.0 * group as f64 * verifier.youden();
    if pull == 0.0 { 0.0 } else { pull / (eta * variance) }
}

/// Chance that the correct mode is the one that remains, from accuracy `p0` under selection `c`.
///
/// ```text
/// P(correct) = (1 - exp(-c p0)) / (1 - exp(-c)),   p0 for c = 0
/// ```
/// `p0` in [0, 1]; `selection` c any real number, see [`selection`]. No overflow and no cancellation for any c.
///
/// Proof: mean and variance of the update have ratio c/2 at every p; the scale function of that diffusion is `exp(-c x)`.
///
/// Assumptions: the update is linear in p, steps small (eta/G at most 0.03, else overshoot at the ends biases even J = 0), q nearly constant over the
/// path (small J). In logits nothing is fixed (P12).
///
/// # Source
/// Kimura, "On the probability of fixation of mutant genes in a population", Genetics 47 (1962) 713; Wright-Fisher notebook of arXiv 2601.04411.
///
/// # Example
/// ```
/// use mta_theory::fixation::chance;
/// assert_eq!(chance(0.3, 0.0), 0.3);
/// assert!((chance(0.5, 3f64.ln() * 2.0) - 0.75).abs() < 1e-15);
/// ```
pub fn chance(p0: f64, selection: f64) -> f64 {
    let c = selection.abs();
    if c == 0.0 || p0 == 0.0 || p0 == 1.0 {
        return p0;
    }
    let ratio = (-c * p0).exp_m1() / (-c).exp_m1();
    if selection > 0.0 { ratio } else { ratio * (-c * (1.0 - p0)).exp() }
}

/// P10: signal-to-noise and fixation.
pub const P10: Proposition = Proposition {
    id: "P10",
    name: "finite-batch-fixation",
    statement: "In the mean parameter finite batches make the fate random: the correct mode remains with a chance that falls to p0 as J goes to 0.",
    assumptions: "Update linear in p, small steps, q nearly constant over the path (small J).",
    formula: "P(correct) = (1 - exp(-c p0)) / (1 - exp(-c)), c = 2 G J / (eta q (1-q)); SNR^2 = G J^2 p(1-p) / (q(1-q)).",
    source: "Kimura 1962; notebook of arXiv 2601.04411.",
    inputs: &[
        real("p0", "accuracy at the start", 0.3, (0.0, 1.0)),
        real("tpr", "true positive rate", 0.525, (0.0, 1.0)),
        real("fpr", "false positive rate", 0.475, (0.0, 1.0)),
        whole("group", "samples per group", 8.0, (2.0, 1e6)),
        real("eta", "learning rate", 0.3, (1e-12, 10.0)),
    ],
    outputs: &[
        output("drift", "expected change of accuracy per update at p0"),
        output("squared_snr", "squared signal-to-noise ratio of one update"),
        output("groups_for_unit_snr", "groups whose average has a signal-to-noise ratio of 1"),
        output("selection", "c"),
        output("chance", "chance that the correct mode remains"),
    ],
    evaluate: |x| {
        let (verifier, group) = (Verifier { tpr: x[1], fpr: x[2] }, x[3] as u64);
        let (snr, c) = (squared_snr(verifier, x[0], group), selection(verifier, x[0], group, x[4]));
        let finite = |v: f64| Some(v).filter(|v| v.is_finite());
        vec![Some(drift(verifier, x[0], group, x[4])), finite(snr), finite(1.0 / snr), finite(c), finite(chance(x[0], c))]
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn extreme_selection_keeps_its_digits() {
        assert_relative_eq!(chance(1e-300, 1e-8), 1e-300, max_relative = 1e-7);
        assert_relative_eq!(chance(1e-300, 10.0), 1e-299 / -(-10f64).exp_m1(), max_relative = 1e-14);
        assert_relative_eq!(chance(0.5, -1e3), (-500f64).exp(), max_relative = 1e-12);
        assert_eq!((chance(0.5, 1e300), chance(0.5, -1e300)), (1.0, 0.0));
        assert_eq!((chance(0.0, 5.0), chance(1.0, -5.0)), (0.0, 1.0));
        assert_eq!((chance(0.0, f64::INFINITY), chance(0.5, f64::NEG_INFINITY)), (0.0, 0.0));
    }

    /// F3, second half: a positive J does not settle the fate under finite batches.
    #[test]
    fn flag_f3_finite_batches_make_fate_random() {
        let weak = Verifier { tpr: 0.51, fpr: 0.49 };
        let lost = 1.0 - chance(0.3, selection(weak, 0.3, 8, 0.3));
        assert!(weak.youden() > 0.0 && (0.2..0.3).contains(&lost), "{lost}");
    }

    #[test]
    fn evaluates() {
        for x in [[0.0, 1.0, 0.0, 2.0, 10.0], [1.0, 0.0, 1.0, 1e6, 1e-12], [0.5, 0.0, 0.0, 2.0, 0.1], [0.3, 0.5, 0.5, 8.0, 0.3]] {
            let out = (P10.evaluate)(&x);
            assert!(out.len() == P10.outputs.len() && out.iter().flatten().all(|v| v.is_finite()), "{x:?} {out:?}");
        }
    }
}

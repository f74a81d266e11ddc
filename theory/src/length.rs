//! Self-reward over sequences: sums of log-probabilities shorten, means lengthen (proposition P21).
//!
//! A sequence stops after each token with chance s and otherwise continues with one of V equally likely tokens; its length n >= 1 is geometric.

use crate::proposition::{Proposition, output, real};

/// Entropy of a whole sequence, nats.
///
/// ```text
/// H = [ h(s) + (1 - s) log V ] / s,   h(s) = -s log s - (1 - s) log(1 - s)
/// ```
/// `stop` s in (0, 1]; `vocab` V >= 1 continuation tokens. Proof: chain rule, per-step entropy times the mean length 1/s.
///
/// # Example
/// A fair coin that stops: two bits.
/// ```
/// let bits = mta_theory::length::sequence_entropy(0.5, 1.0) / 2f64.ln();
/// assert!((bits - 2.0).abs() < 1e-15);
/// ```
pub fn sequence_entropy(stop: f64, vocab: f64) -> f64 {
    -stop.ln() + (1.0 - stop) / stop * continuation_cost(stop, vocab)
}

/// `log V - log(1 - s)`: what one more token costs, nats; 0 at s = 1, where no token is ever added.
fn continuation_cost(stop: f64, vocab: f64) -> f64 {
    if stop >= 1.0 { 0.0 } else { vocab.ln() - (-stop).ln_1p() }
}

/// Slope of [`sequence_entropy`] in s, nats; always negative.
///
/// ```text
/// d H / d s = [ log(1 - s) - log V ] / s^2
/// ```
/// `stop` s in (0, 1). Proof: s h'(s) - h(s) = log(1 - s).
///
/// # Example
/// ```
/// assert!((mta_theory::length::entropy_slope(0.5, 1.0) + 4.0 * 2f64.ln()).abs() < 1e-15);
/// ```
pub fn entropy_slope(stop: f64, vocab: f64) -> f64 {
    -continuation_cost(stop, vocab) / (stop * stop)
}

/// Drift of logit s when the reward is the summed log-probability of the sequence: always positive, sequences get shorter.
///
/// ```text
/// d logit s / dt = Cov(log P(sequence), 1 - n s) = [(1 - s) / s] [ log V - log(1 - s) ]
/// ```
/// `stop` s in (0, 1); `vocab` V >= 1. The policy gradient of logit s; it is also -s (1 - s) dH/ds.
///
/// Proof: the reward is linear in n with slope log((1 - s) / V), the score of logit s is 1 - n s, and Var n = (1 - s) / s^2.
///
/// # Example
/// ```
/// assert!((mta_theory::length::summed_drift(0.5, 1.0) - 2f64.ln()).abs() < 1e-15);
/// ```
pub fn summed_drift(stop: f64, vocab: f64) -> f64 {
    (1.0 - stop) / stop * continuation_cost(stop, vocab)
}

/// Drift of logit s when the reward is the log-probability per token, one continuation token: it has the sign of s - 1/2.
///
/// ```text
/// d logit s / dt = logit(s) ( E[1/n] - s ),   E[1/n] = -s log s / (1 - s)
/// ```
/// `stop` s in (0, 1). Below 1/2 sequences grow without bound.
///
/// Proof: the reward is log(1 - s) + logit(s) / n, the score 1 - n s, and E[(1/n)(1 - n s)] = E[1/n] - s > 0.
///
/// Source: own.
///
/// # Example
/// ```
/// let drift = mta_theory::length::normalised_drift(0.1);
/// assert!((drift + 0.34242).abs() < 1e-5);
/// ```
pub fn normalised_drift(stop: f64) -> f64 {
    // logit s = ln(1 + (2s - 1)/(1 - s)) keeps its digits at 1/2
    let logit = if (0.25..0.75).contains(&stop) { ((2.0 * stop - 1.0) / (1.0 - stop)).ln_1p() } else { crate::simplex::logit(stop) };
    logit * stop * excess(stop)
}

/// `-ln(s) / (1 - s) - 1`, which is `x/2 + x^2/3 + ...` with x = 1 - s.
fn excess(stop: f64) -> f64 {
    let x = 1.0 - stop;
    if x > 0.1 { -stop.ln() / x - 1.0 } else { (2..20).rev().fold(0.0, |sum, k| x * (1.0 / f64::from(k) + sum)) }
}

/// P21: summed self-reward shortens, normalised self-reward lengthens.
pub const P21: Proposition = Proposition {
    id: "P21",
    name: "length-bias",
    statement: "Rewarding the summed log-probability of a sequence always raises the stop probability; rewarding its mean per token lowers it without bound \
                when it starts below 1/2.",
    assumptions: "Memoryless stop probability s, uniform continuation tokens; the normalised case has one continuation token.",
    formula: "H = [h(s) + (1-s) log V]/s;  dH/ds = [log(1-s) - log V]/s^2;  summed: (1-s)/s [log V - log(1-s)];  per token: logit(s)(-s log s/(1-s) - s)",
    source: "own",
    inputs: &[
        real("stop", "chance to stop after a token", 0.1, (1e-150, 0.9999999999999999)),
        real("vocab", "equally likely continuation tokens", 10.0, (1.0, 1e9)),
    ],
    outputs: &[
        output("entropy", "entropy of a sequence, nats"),
        output("entropy_slope", "its slope in the stop probability, nats"),
        output("summed_drift", "drift of logit s, summed log-probability"),
        output("normalised_drift", "drift of logit s, log-probability per token, one continuation token"),
    ],
    evaluate: |x| {
        let (s, v) = (x[0], x[1]);
        vec![Some(sequence_entropy(s, v)), Some(entropy_slope(s, v)), Some(summed_drift(s, v)), Some(normalised_drift(s))]
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_numbers() {
        crate::golden::agree(include_str!("../golden/length.csv"), |name, x| match name {
            "entropy" => sequence_entropy(x[0], x[1]),
            "slope" => entropy_slope(x[0], x[1]),
            "summed" => summed_drift(x[0], x[1]),
            "normalised" => normalised_drift(x[0]),
            _ => unreachable!("{name}"),
        });
    }
}

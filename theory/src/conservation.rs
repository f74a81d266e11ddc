//! What the policy gradient conserves between arms of equal reward, and the single arm it therefore ends on (proposition P3).

use crate::proposition::{Proposition, output, real};

/// The conserved quantity of two arms with logits `theta_i`, `theta_j` (nats) and equal expected reward.
///
/// ```text
/// I = exp(-theta_i) - exp(-theta_j)
/// ```
/// It stays constant under the policy gradient whatever scalar multiplies the gradient: group std, learning-rate schedule, Youden's J.
///
/// Proof: `d exp(-theta_i)/dt = -exp(-theta_i) p_i A_i = -A_i / Z` with `Z = sum exp(theta)`: the same for arms of equal advantage.
///
/// Assumptions: tabular softmax, exact gradient flow (discrete steps drift linearly in the step size), equal expected reward at all times: a true,
/// a homogeneously noisy or a random reward qualifies. The natural gradient conserves theta_i - theta_j instead.
///
/// # Source
/// Our own; in line with the winner-take-all remark on the page of arXiv 2601.04411.
///
/// # Example
/// ```
/// let i = mta_theory::conservation::invariant(-2f64.ln(), 0.0);
/// assert!((i - 1.0).abs() < 1e-15);
/// ```
pub fn invariant(theta_i: f64, theta_j: f64) -> f64 {
    let difference = (-theta_i.min(theta_j)).exp() * -(-(theta_i - theta_j).abs()).exp_m1();
    if theta_i < theta_j { difference } else { -difference }
}

/// Where the logit of a correct arm that is not the largest ends, in nats, under a true reward.
///
/// ```text
/// theta(inf) = -log(exp(-theta) - exp(-theta_largest)) = theta - log(1 - exp(theta - theta_largest))
/// ```
/// `None` unless `theta < theta_largest`: the largest correct arm, and every tie with it, grows for ever.
///
/// Proof: the largest correct arm m has theta_m -> infinity, since accuracy -> 1 and the order of correct arms never changes; put exp(-theta_m) = 0
/// into [`invariant`].
///
/// # Example
/// An arm half as likely as the winner stops after gaining ln 2:
/// ```
/// let end = mta_theory::conservation::limit_logit(0.0, 2f64.ln()).unwrap();
/// assert!((end - 2f64.ln()).abs() < 1e-15);
/// ```
pub fn limit_logit(theta: f64, theta_largest: f64) -> Option<f64> {
    (theta < theta_largest).then(|| theta - log_1m_exp(theta - theta_largest))
}

/// `log(1 - exp(x))` for x < 0: through whichever of the two functions keeps the digits.
fn log_1m_exp(x: f64) -> f64 {
    if x > -std::f64::consts::LN_2 { (-x.exp_m1()).ln() } else { (-x.exp()).ln_1p() }
}

/// Whether arm `i` keeps mass for ever under the policy gradient of a true reward: it is a largest correct arm.
///
/// `theta`: logits; `right`: which arms are correct.
///
/// # Example
/// ```
/// use mta_theory::conservation::survives;
/// assert!(!survives(&[0.0, 1.0, 5.0], &[true, true, false], 0));
/// assert!(survives(&[0.0, 1.0, 5.0], &[true, true, false], 1));
/// ```
pub fn survives(theta: &[f64], right: &[bool], i: usize) -> bool {
    right[i] && theta.iter().zip(right).all(|(&other, &r)| !r || other <= theta[i])
}

/// Shares inside a group of equally rewarded arms after every `exp(-theta)` has changed by `shift`, the one thing that can change in it.
///
/// ```text
/// share_i = w_i / sum w,   w_i = 1 / (exp(-theta_i) + shift)
/// ```
/// `shift` = 0 gives the start; towards infinity (wrong arms) all shares become equal; towards `-min exp(-theta)` (correct arms) the largest takes all.
/// `None` unless every `exp(-theta_i) + shift` is positive.
///
/// # Example
/// ```
/// use mta_theory::conservation::shares_after;
/// assert_eq!(shares_after(&[0.0, 0.0], 3.0).unwrap(), [0.5, 0.5]);
/// assert!(shares_after(&[0.0, 1.0], -1.0).is_none());
/// ```
pub fn shares_after(theta: &[f64], shift: f64) -> Option<Vec<f64>> {
    let weights: Vec<f64> = theta.iter().map(|t| 1.0 / ((-t).exp() + shift)).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().all(|&w| w > 0.0 && w.is_finite()).then(|| weights.iter().map(|w| w / sum).collect())
}

/// P3: the conservation law.
pub const P3: Proposition = Proposition {
    id: "P3",
    name: "conservation-law",
    statement: "The policy gradient conserves exp(-theta_i) - exp(-theta_j) for arms of equal reward, so it collapses onto one correct arm without noise.",
    assumptions: "Tabular softmax, exact gradient flow, equal expected reward of the two arms at all times.",
    formula: "theta_j(inf) = -log(exp(-theta_j) - exp(-theta_m)), m the largest correct arm; NPG keeps theta_j - theta_m.",
    source: "Our own.",
    inputs: &[
        real("theta", "logit of a correct arm, nats", 0.0, (-600.0, 600.0)),
        real("theta_largest", "logit of the largest correct arm, nats", 1.0, (-600.0, 600.0)),
    ],
    outputs: &[
        output("invariant", "exp(-theta) - exp(-theta_largest), conserved by PG"),
        output("limit_logit", "where the logit of the smaller arm ends under PG, nats"),
        output("gain", "by how much it grows in all, nats"),
        output("ratio_npg", "probability ratio of the two arms, conserved by NPG"),
    ],
    evaluate: |x| {
        let limit = limit_logit(x[0], x[1]);
        let ratio = (x[0] - x[1]).exp();
        vec![Some(invariant(x[0], x[1])), limit, limit.map(|_| -log_1m_exp(x[0] - x[1])), Some(ratio).filter(|r| r.is_finite())]
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use approx::{assert_abs_diff_eq, assert_relative_eq};

    #[test]
    fn the_limit_conserves_the_invariant() {
        let (theta, largest) = (-0.7, 0.2);
        let limit = limit_logit(theta, largest).unwrap();
        assert_relative_eq!((-limit).exp(), invariant(theta, largest), max_relative = 1e-14);
    }

    #[test]
    fn almost_tied_arms_keep_their_digits() {
        let limit = limit_logit(0.0, 1e-12).unwrap();
        assert_relative_eq!(limit, -(1e-12f64.ln()), max_relative = 1e-12);
        assert_relative_eq!(limit_logit(0.0, 50.0).unwrap(), (-50f64).exp(), max_relative = 1e-12);
    }

    #[test]
    fn distant_arms_do_not_overflow() {
        assert_relative_eq!(invariant(-600.0, 600.0), 600f64.exp(), max_relative = 1e-14);
        assert_relative_eq!(invariant(600.0, -600.0), -(600f64.exp()), max_relative = 1e-14);
        assert_eq!(invariant(2.0, 2.0), 0.0);
    }

    #[test]
    fn the_winner_and_its_ties_have_no_limit() {
        assert_eq!(limit_logit(1.0, 1.0), None);
        assert!(survives(&[1.0, 1.0, 0.0], &[true, true, true], 0));
        assert!(survives(&[1.0, 1.0, 0.0], &[true, true, true], 1));
    }

    #[test]
    fn evaluates() {
        let out = (P3.evaluate)(&[0.0, 1.0]);
        assert_abs_diff_eq!(out[0].unwrap(), 1.0 - (-1f64).exp(), epsilon = 1e-15);
        assert_eq!(out[1], out[2]);
        assert!((P3.evaluate)(&[2.0, 1.0])[1].is_none());
    }
}

//! What clipping whole sequences does compared with clipping tokens (proposition P37).
//!
//! Token-level: `w_t = pi / pi_old` of each token. Sequence-level (GSPO): one ratio `s = exp(mean_t log w_t)` for all H tokens of a response. Rewards independent
//! of actions displaced the policy; each token's log-ratio is `N(-d^2/2, d^2)`, independent over positions, with d the *token deviation*.

use crate::clip_arms::{density, ratio_covariance, tail};
use crate::proposition::{Proposition, finite, output, real};
use crate::random_reward::{drift, log_drift};

/// Standard deviation d of a sampled token's log-ratio after random rewards, nats; its mean is `-d^2/2`, minus the KL per token.
///
/// ```text
/// d^2 = s (S2 - 2 S3 + S2^2) = -2 E[d log p]   (P11)
/// ```
/// `policy`: probabilities at a position; `variance` s = kappa b. Over positions with different policies d^2 is the mean of theirs.
///
/// Proof: `sum_k p_k C_kk` of P36, the arm drawn from p; the mean is P11's common drift of log p, so the mean of w is 1 to this order, as it must.
///
/// # Example
/// ```
/// assert!((mta_theory::sequence_clip::token_deviation(&[0.5, 0.5], 0.04) - 0.1).abs() < 1e-15);
/// ```
pub fn token_deviation(policy: &[f64], variance: f64) -> f64 {
    (-2.0 * log_drift(policy, variance)).sqrt()
}

/// Mean of the sequence ratio under the sampling policy.
///
/// ```text
/// E s = exp(-(d^2/2) (1 - 1/H)) <= 1;    log s ~ N(-d^2/2, d^2/H)
/// ```
/// `deviation` d >= 0, nats; `length` H >= 1 tokens. Proof: `E exp(l / H)` per token, to the power H. The product of the ratios has mean 1, its geometric mean
/// has not: for any law `E log s` is minus the KL per token, and E s <= (E prod w)^(1/H) = 1 by Jensen.
///
/// # Example
/// ```
/// use mta_theory::sequence_clip::mean_ratio;
/// assert_eq!(mean_ratio(0.3, 1.0), 1.0);
/// assert!((mean_ratio(2f64.ln().sqrt(), 2.0) - 2f64.powf(-0.25)).abs() < 1e-15);
/// ```
pub fn mean_ratio(deviation: f64, length: f64) -> f64 {
    (-0.5 * deviation * deviation * (1.0 - 1.0 / length)).exp()
}

/// Chance that a ratio lies below 1 - clip_low, and above 1 + clip_high; `length` 1 for tokens.
///
/// ```text
/// Q(sqrt(H) (-log(1 - clip_low) - d^2/2) / d),   Q(sqrt(H) (log(1 + clip_high) + d^2/2) / d)
/// ```
/// `deviation` d > 0, nats; `length` H >= 1; `clip_low` in [0, 1); `clip_high` >= 0. A token of a sequence counts as clipped with its sequence, so these are shares of
/// tokens (of those with the sign of advantage that the clip stops) at either level. At equal range the share falls like exp(-H clip^2 / (2 d^2)).
///
/// # Example
/// Four tokens at half the range are cut as often as one (up to d^2):
/// ```
/// use mta_theory::sequence_clip::clipped_shares;
/// let (token, sequence) = (clipped_shares(1e-3, 1.0, 1e-3, 1e-3), clipped_shares(1e-3, 4.0, 5e-4, 5e-4));
/// assert!((token[1] - 0.1587).abs() < 5e-4 && (token[1] - sequence[1]).abs() < 5e-4);
/// ```
pub fn clipped_shares(deviation: f64, length: f64, clip_low: f64, clip_high: f64) -> [f64; 2] {
    let [low, high] = distances(deviation, length, clip_low, clip_high);
    [above(low), above(high)]
}

/// Distances of the mean from the two thresholds, in standard deviations of log s.
fn distances(deviation: f64, length: f64, clip_low: f64, clip_high: f64) -> [f64; 2] {
    let (kl, sd) = (0.5 * deviation * deviation, deviation / length.sqrt());
    [(-(-clip_low).ln_1p() - kl) / sd, (clip_high.ln_1p() + kl) / sd]
}

/// Upper tail of the standard normal on either side.
fn above(z: f64) -> f64 {
    if z >= 0.0 { tail(z) } else { 1.0 - tail(-z) }
}

/// Sequence clip ranges `[low, high]` that cut as many as token ranges do; `None` where not even a range of 0 cuts that few, or no positive one that many.
///
/// ```text
/// log(1 + high') = (log(1 + high) + d^2/2) / sqrt(H) - d^2/2,   log(1 - low') = (log(1 - low) + d^2/2) / sqrt(H) - d^2/2
/// ```
/// For d^2 far below the range: range' = range / sqrt(H). Proof: equate the distances in standard deviations.
///
/// # Example
/// ```
/// let [low, high] = mta_theory::sequence_clip::matched_ranges(1e-9, 4.0, 0.75, 0.44);
/// assert!((low.unwrap() - 0.5).abs() < 1e-15 && (high.unwrap() - 0.2).abs() < 1e-15);
/// ```
pub fn matched_ranges(deviation: f64, length: f64, clip_low: f64, clip_high: f64) -> [Option<f64>; 2] {
    let kl = 0.5 * deviation * deviation;
    let matched = |log: f64| (log + kl) / length.sqrt() - kl;
    let range = |x: f64| (x > 0.0).then_some(x);
    [range(-matched((-clip_low).ln_1p()).exp_m1()), range(matched(clip_high.ln_1p()).exp_m1())]
}

/// Tokens a response must have for a sequence range to cut as few as a token range does, at small deviation: `(log(1 + token) / log(1 + sequence))^2`.
///
/// GRPO's 0.27 and GSPO's 4e-4 match at 357,000 tokens: at any real length GSPO cuts far more.
///
/// # Example
/// ```
/// assert!((mta_theory::sequence_clip::matched_length(0.44, 0.2) - 4.0).abs() < 1e-12);
/// ```
pub fn matched_length(token_range: f64, sequence_range: f64) -> f64 {
    (token_range.ln_1p() / sequence_range.ln_1p()).powi(2)
}

/// KL per token, nats, beyond which long sequences of negative advantage are *all* cut and those of positive advantage never: `-log(1 - clip_low)`.
///
/// Proof: log s tends to minus the KL per token (law of large numbers), which is below log(1 - clip_low) then.
///
/// # Example
/// ```
/// assert!((mta_theory::sequence_clip::kl_that_cuts_all(0.2) - 1.25f64.ln()).abs() < 1e-15);
/// ```
pub fn kl_that_cuts_all(clip_low: f64) -> f64 {
    -(-clip_low).ln_1p()
}

/// Spring constant of sequence-level clipping under random rewards: per unit of step size and mean absolute advantage (one gradient unit per token), the
/// clip moves the logits at a position by `-c p_i l_i`, towards the sampling policy.
///
/// ```text
/// c = B(0) - B'(0)/H,   B(x) = E[e^(L+x) b(L+x)],   b = 1/2 [1(L < log(1 - clip_low)) - 1(L > log(1 + clip_high))],   L ~ N(-d^2/2, d^2/H)
/// B(0)  = 1/2 e^(mu + tau^2/2) [Phi(z_low) - Q(z_high)],   tau = d/sqrt(H),  z = (log(1 ∓ clip) - mu - tau^2)/tau
/// B'(0) = B(0) - [(1 - clip_low) phi((log(1 - clip_low) - mu)/tau) + (1 + clip_high) phi((log(1 + clip_high) - mu)/tau)] / (2 tau)
/// ```
/// For H d^2 small and equal ranges `c = phi(z) / (d sqrt(H))`, z = clip sqrt(H)/d: at equal clipped share it falls as 1/sqrt(H), because a sequence's ratio knows a
/// single token by 1/sqrt(H) only. For H d^2 large the lower cut wins, B(0) stays.
///
/// Proof: given the displacement, a sample with arm a at this position is cut by `B(l_a / H)`; the mean force is `p_i B(l_i/H) - pi_i sum_a p_a B(l_a/H)`
/// with sum_a p_a l_a = 0.
///
/// # Example
/// ```
/// let c = mta_theory::sequence_clip::spring(1e-4, 16.0, 2.5e-5, 2.5e-5);
/// assert!((c * 4e-4 - 0.24197).abs() < 1e-4);
/// ```
pub fn spring(deviation: f64, length: f64, clip_low: f64, clip_high: f64) -> f64 {
    let [mean, slope] = cut(deviation, length, clip_low, clip_high);
    mean - slope / length
}

/// `B(0)` and `B'(0)`.
fn cut(deviation: f64, length: f64, clip_low: f64, clip_high: f64) -> [f64; 2] {
    let (kl, tau) = (0.5 * deviation * deviation, deviation / length.sqrt());
    let [low, high] = distances(deviation, length, clip_low, clip_high);
    let mean = 0.5 * (0.5 * tau * tau - kl).exp() * (above(low + tau) - above(high - tau));
    let edges = (1.0 - clip_low) * density(low) + (1.0 + clip_high) * density(high);
    [mean, mean - 0.5 * edges / tau]
}

/// Mean change of every probability at a position by sequence-level clipping alone, under random rewards, per unit of step size and mean absolute advantage.
///
/// ```text
/// D_i = -c p_i [p_i C_ii - sum_k p_k^2 (C_ik + C_kk)] - B(0) p_i [m_i - sum_k p_k m_k],   m = E[pi] - p  (P11's drift),  C of P36
/// ```
/// `policy`: probabilities at the position, shape K; `variance` s of its displacement; `length` H, all positions alike. Leading order in s and 1/H. Two arms:
/// `(8 c + 4 B(0)) s (p q)^3 (2p - 1)`, where B(0) (see [`spring`]) is the smaller by the noise of a sequence's ratio; so the mode still gains, 1/sqrt(H) times as
/// much as from token-level clipping; mean logits do not move.
///
/// Proof: mean of `pi_i (F_i - sum pi_k F_k)` with the [`spring`] F.
///
/// # Example
/// ```
/// use mta_theory::sequence_clip::{force, spring, token_deviation};
/// let p = [0.8, 0.2];
/// let c = spring(token_deviation(&p, 1e-6), 16.0, 1e-4, 1e-4);
/// assert!((force(&p, 1e-6, 16.0, 1e-4, 1e-4)[0] / (8.0 * c * 1e-6 * 0.16f64.powi(3) * 0.6) - 1.0).abs() < 1e-4);
/// ```
pub fn force(policy: &[f64], variance: f64, length: f64, clip_low: f64, clip_high: f64) -> Vec<f64> {
    let deviation = token_deviation(policy, variance);
    let [mean, slope] = cut(deviation, length, clip_low, clip_high);
    let (c, moved) = (ratio_covariance(policy, variance), drift(policy, variance));
    let average = |f: &dyn Fn(usize) -> f64| policy.iter().enumerate().map(|(k, p)| p * f(k)).sum::<f64>();
    let common = average(&|k| moved[k]);
    let one = |(i, &p): (usize, &f64)| {
        let pulled = p * c[i][i] - average(&|k| policy[k] * (c[i][k] + c[k][k]));
        -(mean - slope / length) * p * pulled - mean * p * (moved[i] - common)
    };
    policy.iter().enumerate().map(one).collect()
}

/// P37: sequence-level clipping.
pub const P37: Proposition = Proposition {
    id: "P37",
    name: "sequence-clip",
    statement: "The log of a geometric-mean sequence ratio has mean -KL per token and a deviation 1/sqrt(H) of a token's, so a sequence range cuts as many as a token range \
                sqrt(H) times as wide. Under random rewards it is a spring to the sampling policy, 1/sqrt(H) as strong at equal clipped share.",
    assumptions: "Token log-ratios N(-d^2/2, d^2), independent over positions, alike at all; advantages symmetric, independent of actions; drift: leading order in d^2 and 1/H.",
    formula: "log s ~ N(-d^2/2, d^2/H); shares Q(sqrt(H)(∓log(1∓clip) ∓ d^2/2)/d); range' = range/sqrt(H); F_i = -c p_i l_i, c ~ phi(z)/(d sqrt(H))",
    source: "own; ratio and ranges: Zheng et al., arXiv 2507.18071",
    inputs: &[
        real("deviation", "standard deviation of a token's log-ratio, nats", 0.01, (1e-6, 1.0)),
        real("length", "tokens of a response H", 1000.0, (1.0, 1e9)),
        real("clip_low", "sequence clip range, lower", 3e-4, (1e-9, 0.9)),
        real("clip_high", "sequence clip range, upper", 4e-4, (1e-9, 10.0)),
        real("token_low", "token clip range, lower", 0.2, (1e-9, 0.9)),
        real("token_high", "token clip range, upper", 0.27, (1e-9, 10.0)),
    ],
    outputs: &[
        output("sequence_low", "chance that a sequence ratio is below its range"),
        output("sequence_high", "chance that a sequence ratio is above its range"),
        output("token_low_share", "chance that a token ratio is below its range"),
        output("token_high_share", "chance that a token ratio is above its range"),
        output("mean_ratio", "mean sequence ratio under the sampling policy"),
        output("matched_low", "lower sequence range that cuts as many as the token range; none where no range does"),
        output("matched_high", "the same for the upper range"),
        output("matched_length", "tokens at which the two upper ranges cut alike, small deviation"),
        output("kl_that_cuts_all", "KL per token beyond which all long negative sequences are cut, nats"),
        output("spring", "spring constant of sequence-level clipping under random rewards"),
    ],
    evaluate: |x| {
        let sequence = clipped_shares(x[0], x[1], x[2], x[3]);
        let tokens = clipped_shares(x[0], 1.0, x[4], x[5]);
        let ranges = matched_ranges(x[0], x[1], x[4], x[5]);
        let single = [matched_length(x[5], x[3]), kl_that_cuts_all(x[2]), spring(x[0], x[1], x[2], x[3])].map(finite);
        let shares = sequence.into_iter().chain(tokens).chain([mean_ratio(x[0], x[1])]).map(finite);
        shares.chain(ranges).chain(single).collect()
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn agrees_with_golden_numbers() {
        crate::golden::agree(include_str!("../golden/sequence_clip.csv"), |name, x| match name {
            "low" => clipped_shares(x[0], x[1], x[2], x[2])[0],
            "high" => clipped_shares(x[0], x[1], x[2], x[2])[1],
            "mean_ratio" => mean_ratio(x[0], x[1]),
            "spring" => spring(x[0], x[1], x[2], x[3]),
            _ => unreachable!("{name}"),
        });
    }

    /// The paper's ranges, .2 and .27 on tokens, 3e-4 and 4e-4 on sequences, at thousands of tokens: GSPO cuts orders of magnitude more, as the paper saw.
    #[test]
    fn published_ranges_cut_far_more_sequences() {
        assert_relative_eq!(matched_length(0.27, 4e-4), 357_199.57, max_relative = 1e-8);
        let share = |[low, high]: [f64; 2]| low + high;
        for length in [1000.0, 10_000.0] {
            let (sequence, token) = (share(clipped_shares(0.06, length, 3e-4, 4e-4)), share(clipped_shares(0.06, 1.0, 0.2, 0.27)));
            assert!(sequence > 100.0 * token, "{sequence} {token}");
        }
    }

    #[test]
    fn evaluates_at_its_corners() {
        for corner in 0..1 << P37.inputs.len() {
            let range = |(i, input): (usize, &crate::proposition::Input)| if corner >> i & 1 == 0 { input.range.0 } else { input.range.1 };
            let x: Vec<f64> = P37.inputs.iter().enumerate().map(range).collect();
            let out = (P37.evaluate)(&x);
            assert!(out.len() == P37.outputs.len() && out[..5].iter().all(Option::is_some), "{x:?} {out:?}");
        }
    }
}

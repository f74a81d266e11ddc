//! The majority vote as reward: which way it pushes, from where, and how fast (propositions P16, P17).

use crate::banded::Banded;
use crate::proposition::{Proposition, output, real, whole};
use crate::simplex::logit;
use std::f64::consts::PI;

/// Chance that the majority of `group` independent votes is right, with two answers and ties broken at random.
///
/// ```text
/// maj@G = P(X > h),   X ~ Bin(2h + 1, p),   G = 2h + 1;   maj@(2h + 2) = maj@(2h + 1)
/// ```
/// `p` in [0, 1]: chance of one right vote; `group` G >= 1, whole. For p < 1/2 the result has a small relative error however small it is, so that the
/// chance of a wrong majority is `maj_at(1 - p, G)` with 1 - p given exactly.
///
/// Proof: an even group is an odd one and a vote more, which changes the outcome only through a tie, where it helps as often as it hurts. Evaluated as
/// the first term `C(2h + 1, h + 1) p^{h+1} q^h` times a falling series of ratios `(2h + 1 - j) p / ((j + 1) q)`.
///
/// Source: Condorcet.
///
/// # Example
/// Two of three: 3 p^2 - 2 p^3.
/// ```
/// use mta_theory::majority::maj_at;
/// assert!((maj_at(0.25, 3) - 0.15625).abs() < 1e-15);
/// assert!((maj_at(1e-100, 3) / 3e-200 - 1.0).abs() < 1e-12);
/// ```
pub fn maj_at(p: f64, group: u64) -> f64 {
    if p > 0.5 { 1.0 - minority_wins(1.0 - p, group) } else { minority_wins(p, group) }
}

/// [`maj_at`] for p <= 1/2.
fn minority_wins(p: f64, group: u64) -> f64 {
    let h = (group.max(1) - 1) / 2;
    if p <= 0.0 {
        return 0.0;
    }
    let odds = p / (1.0 - p);
    let (mut term, mut sum) = (1.0, 0.0);
    for j in h + 1..=2 * h + 1 {
        sum += term;
        term *= (2 * h + 1 - j) as f64 / (j + 1) as f64 * odds;
        if term < 1e-18 * sum {
            break;
        }
    }
    // C(2h+1, h+1) = 4^h 2 Gamma(h + 3/2) / (sqrt(pi) Gamma(h + 2))
    let h = h as f64;
    let central = 2.0 * half_step(h + 1.0) / (PI.sqrt() * (h + 1.0));
    central * p * (h * ln_four_pq(p)).exp() * sum
}

/// `ln(4 p (1 - p))` for p in (0, 1/2], accurate at both ends.
fn ln_four_pq(p: f64) -> f64 {
    if p > 0.25 { (-(1.0 - 2.0 * p).powi(2)).ln_1p() } else { (4.0 * p).ln() + (-p).ln_1p() }
}

/// `Gamma(h + 1/2) / Gamma(h)` for whole h >= 1.
fn half_step(h: f64) -> f64 {
    if h < 40.0 {
        let first = PI.sqrt() / 2.0;
        return (1..h as u32).fold(first, |ratio, j| ratio * (f64::from(j) + 0.5) / f64::from(j));
    }
    let x = 1.0 / h;
    let series = 1.0 + x * (-1.0 / 8.0 + x * (1.0 / 128.0 + x * (5.0 / 1024.0 + x * (-21.0 / 32768.0 + x * (-399.0 / 262_144.0)))));
    h.sqrt() * series
}

/// Effective reward of the first answer minus that of the second when the label is the majority of a group that the sample belongs to, two answers.
///
/// ```text
/// r_1 - r_2 = c_h                          G = 2h + 1,   c_h = 2 maj@(2h - 1)(p) - 1,   c_0 = 0
/// r_1 - r_2 = [ c_h + (G - 1) c_{h-1} ] / G     G = 2h
/// ```
/// `p` in [0, 1]: probability of the first answer; `group` G >= 1, whole. Its sign is the sign of p - 1/2, and for large G it is
/// `2 Phi(sqrt(G) (2p - 1)) - 1`. Keeps its digits at p near 1/2.
///
/// Proof: for odd G the gap is P(X > h) - P(X < h) with X ~ Bin(2h, p). Its derivative in p is (pq)^{h-1} / B(h + 1, h), that is twice the density of
/// Beta(h, h), so the gap is 2 I_p(h, h) - 1, and I_p(h, h) = maj@(2h - 1). The even case is differentiated likewise.
///
/// Assumptions: one label per group, ties at random, reward 1 for the samples that agree, expected update.
///
/// Source: own.
///
/// # Example
/// ```
/// use mta_theory::majority::reward_gap;
/// assert!((reward_gap(0.37, 3) + 0.26).abs() < 1e-15);
/// assert!((reward_gap(0.37, 4) + 0.290303).abs() < 1e-15);
/// ```
pub fn reward_gap(p: f64, group: u64) -> f64 {
    let h = group / 2;
    if !group.is_multiple_of(2) {
        odd_gap(p, h)
    } else if group == 0 {
        0.0
    } else {
        (odd_gap(p, h) + (group - 1) as f64 * odd_gap(p, h - 1)) / group as f64
    }
}

/// `c_h = 2 I_p(h, h) - 1 = sign(2p - 1) I_{(2p-1)^2}(1/2, h)`.
fn odd_gap(p: f64, h: u64) -> f64 {
    let (y, n) = (2.0 * p - 1.0, h as f64);
    if h == 0 {
        0.0
    } else if y * y * (n + 1.0) < 0.5 {
        central_gap(y, n)
    } else {
        2.0 * maj_at(p, 2 * h - 1) - 1.0
    }
}

/// `(2 / B(1/2, h)) integral_0^y (1 - t^2)^{h-1} dt` as a series of positive terms.
fn central_gap(y: f64, h: f64) -> f64 {
    let x = y * y;
    let (mut term, mut sum, mut n) = (1.0, 0.0, 0.0);
    while term > 1e-18 * sum {
        sum += term;
        term *= (h + 0.5 + n) / (1.5 + n) * x;
        n += 1.0;
    }
    2.0 * half_step(h) / PI.sqrt() * y * (h * (-x).ln_1p()).exp() * sum
}

/// Effective reward of every arm when the label is the plurality of three, ties at random.
///
/// ```text
/// r_i = p_i^2 + 2 p_i (1 - p_i) + [ (1 - p_i)^2 - (S2 - p_i^2) ] / 3
/// ```
/// `p`: probabilities of K arms. Proof: the other two votes are both i, one i, or neither; in the last case i wins a third of the three-way ties.
///
/// # Example
/// ```
/// let r = mta_theory::majority::rewards_of_three(&[0.5, 0.5]);
/// assert_eq!(r, [0.75, 0.75]);
/// ```
pub fn rewards_of_three(p: &[f64]) -> Vec<f64> {
    let ties = three_way_ties(p);
    p.iter().zip(ties).map(|(p, tie)| p * (2.0 - p) + tie / 3.0).collect()
}

/// Effective reward of an arm in a group of two, ties at random: `(1 + p_i) / 2`.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::majority::reward_of_two(0.5), 0.75);
/// ```
pub fn reward_of_two(p: f64) -> f64 {
    0.5 * (1.0 + p)
}

/// Probability that every arm wins a vote of three, ties at random: the map that distilling the vote iterates.
///
/// ```text
/// p_i' = 3 p_i^2 - 2 p_i^3 + p_i [ (1 - p_i)^2 - (S2 - p_i^2) ];   K = 3: 3 p_i^2 - 2 p_i^3 + 2 p_1 p_2 p_3
/// ```
/// `p`: probabilities of K arms. Proof: two or three votes for i, or a third of the three-way ties that contain i.
///
/// # Example
/// ```
/// let third = 1.0 / 3.0;
/// let p = mta_theory::majority::vote_of_three(&[third, third, third]);
/// assert!(p.iter().all(|p| (p - third).abs() < 1e-15));
/// ```
pub fn vote_of_three(p: &[f64]) -> Vec<f64> {
    let ties = three_way_ties(p);
    p.iter().zip(ties).map(|(p, tie)| p * (p * (3.0 - 2.0 * p) + tie)).collect()
}

/// Chance, for each arm, that two votes are for two different other arms: `sum_{j != k, both != i} p_j p_k`.
fn three_way_ties(p: &[f64]) -> Vec<f64> {
    let others = |f: fn(f64) -> f64| outside_sums(&p.iter().map(|&p| f(p)).collect::<Vec<_>>());
    others(|p| p).iter().zip(others(|p| p * p)).map(|(sum, squares)| (sum * sum - squares).max(0.0)).collect()
}

/// For each element the sum of all others, without subtraction.
fn outside_sums(x: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; x.len()];
    let (mut before, mut after) = (0.0, 0.0);
    for i in 0..x.len() {
        let j = x.len() - 1 - i;
        sums[i] += before;
        sums[j] += after;
        before += x[i];
        after += x[j];
    }
    sums
}

/// Chance that an arm of probability `x` is the mode when the other K - 1 probabilities are uniform on what is left.
///
/// ```text
/// sum_j (-1)^j C(K-1, j) (1 - j x / (1 - x))_+^{K-2}
/// ```
/// `x` in [0, 1]; `arms` K >= 2. `None` where the alternating sum has lost more than ten digits (many arms and a tiny chance).
///
/// Proof: the largest of K - 1 uniform spacings of length 1 - x is at most x.
///
/// Source: Whitworth (largest spacing).
///
/// # Example
/// Three arms: certain from 1/2, impossible to 1/3, and half way at 0.4.
/// ```
/// use mta_theory::majority::mode_chance;
/// assert_eq!(mode_chance(0.5, 3), Some(1.0));
/// assert_eq!(mode_chance(0.3, 3), Some(0.0));
/// assert!((mode_chance(0.4, 3).unwrap() - 1.0 / 3.0).abs() < 1e-15);
/// ```
pub fn mode_chance(x: f64, arms: u64) -> Option<f64> {
    if x >= 0.5 || arms < 2 {
        return Some(1.0);
    }
    if x <= 1.0 / arms as f64 || arms == 2 {
        return Some(0.0);
    }
    let (ratio, others) = (x / (1.0 - x), (arms - 1) as f64);
    let (mut sum, mut largest, mut log_choose, mut j) = (0.0, 1.0f64, 0.0, 0.0);
    while j <= others && j * ratio < 1.0 {
        let size = (log_choose + (others - 1.0) * (-j * ratio).ln_1p()).exp();
        sum += if j % 2.0 == 0.0 { size } else { -size };
        largest = largest.max(size * (1.0 + log_choose));
        log_choose += ((others - j) / (j + 1.0)).ln();
        j += 1.0;
    }
    (sum > 0.0 && largest * f64::EPSILON < 1e-10 * sum).then_some(sum)
}

/// Slope at p = 1/2 of the map p -> maj@G(p): how fast distilling the vote leaves a tie.
///
/// ```text
/// G C(G-1, (G-1)/2) / 2^{G-1} ~ sqrt(2 G / pi),   G odd; an even G counts as G - 1
/// ```
/// Proof: d/dp P(Bin(G, p) > h) = G C(G-1, h) (pq)^h.
///
/// # Example
/// ```
/// assert!((mta_theory::majority::slope_at_tie(3) - 1.5).abs() < 1e-15);
/// ```
pub fn slope_at_tie(group: u64) -> f64 {
    let h = ((group.max(1) - 1) / 2) as f64;
    // G C(2h, h) / 4^h = 2 Gamma(h + 3/2) / (sqrt(pi) Gamma(h + 1))
    2.0 * half_step(h + 1.0) / PI.sqrt()
}

/// Rounds of distilling the vote that carry 1/2 + `lead` to order one: `ln(1 / lead) / ln(slope)`; infinite for a group of one or two.
///
/// # Example
/// ```
/// let rounds = mta_theory::majority::rounds_to_leave_tie(1e-3, 3);
/// assert!((rounds - 1000f64.ln() / 1.5f64.ln()).abs() < 1e-12);
/// ```
pub fn rounds_to_leave_tie(lead: f64, group: u64) -> f64 {
    -lead.ln() / slope_at_tie(group).ln()
}

/// A vote of one group as GRPO uses it: one step of a random walk of the log-odds u of the first of two answers.
///
/// ```text
/// n ~ Bin(G, sigma(u)) rollouts give the first answer;   u -> u + eta d_n
/// d_n = sign(2n - G) 2 sqrt(n (G - n)) / G,   either sign with chance 1/2 where 2n = G
/// ```
/// Proof: the winners' advantage is sqrt((1 - m)/m), the losers' -sqrt(m/(1 - m)) with m the share of the winners; advantages add up to zero, so the score's
/// mean term drops out and the two logits move by +-eta sqrt(m (1 - m)).
///
/// Assumptions: two answers, one prompt, on-policy, population standard deviation without a floor, no clipping, no leash.
///
/// Source: own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampledVote {
    /// Rollouts G >= 3. With two the walk has no drift, and neither answer wins for good.
    pub group: u32,
    /// Step size eta > 0.
    pub learning_rate: f64,
}

impl SampledVote {
    /// The steps that are not zero, in units of eta, and their chances at log-odds `u`, given that there is one.
    fn steps(&self, u: f64) -> Vec<(f64, f64)> {
        let g = f64::from(self.group);
        let top = if u > 0.0 { g - 1.0 } else { 1.0 };
        let mut ln_choose = 0.0;
        let mut steps = Vec::new();
        for n in 1..self.group {
            let n = f64::from(n);
            ln_choose += ((g - n + 1.0) / n).ln();
            let (size, weight) = (2.0 * (n * (g - n)).sqrt() / g, (ln_choose + (n - top) * u).exp());
            if 2.0 * n == g {
                steps.extend([(size, 0.5 * weight), (-size, 0.5 * weight)]);
            } else {
                steps.push((size.copysign(2.0 * n - g), weight));
            }
        }
        let total: f64 = steps.iter().map(|s| s.1).sum();
        steps.into_iter().map(|(size, weight)| (size, weight / total)).collect()
    }

    /// Chance that the first answer is certain in the end, from its probability `p0` in (0, 1).
    ///
    /// ```text
    /// h(u) = sum_n P(n | u) h(u + eta d_n),   h(-inf) = 0,   h(inf) = 1
    /// ```
    /// Solved on a grid with interpolation of degree 11, to 1e-13. As eta -> 0 it becomes the exact flow's 0 or 1, which ends at the initial mode (P16).
    ///
    /// Validity: step size from 0.01 to 10, groups of 3 to 64.
    ///
    /// # Example
    /// Groups of eight at step size 0.3 go wrong three times in ten from 55 %:
    /// ```
    /// let vote = mta_theory::majority::SampledVote { group: 8, learning_rate: 0.3 };
    /// assert!((vote.chance(0.55) - 0.7098).abs() < 1e-4);
    /// assert!((vote.chance(0.5) - 0.5).abs() < 1e-12);
    /// ```
    pub fn chance(&self, p0: f64) -> f64 {
        let u0 = logit(p0);
        if u0.abs() >= REACH {
            return f64::from(u0 > 0.0);
        }
        let spacing = (self.learning_rate.min(1.0) / f64::from(self.group).sqrt()).sqrt() / 8.0;
        let half = (REACH / spacing).ceil() as usize;
        let h = self.chances(spacing, half);
        interpolation(u0 / spacing + half as f64).map(|(j, weight)| weight * on_grid(j, h.len()).map_or_else(|end| end, |j| h[j])).sum()
    }

    /// h on the grid of `2 half + 1` points around u = 0.
    fn chances(&self, spacing: f64, half: usize) -> Vec<f64> {
        let mut matrix = Banded::identity(2 * half + 1, (self.learning_rate / spacing).ceil() as usize + POINTS);
        let mut right = vec![0.0; 2 * half + 1];
        let jumps: Vec<Vec<(i64, f64)>> =
            self.steps(0.0).iter().map(|(size, _)| interpolation(self.learning_rate * size / spacing).collect()).collect();
        for i in 0..right.len() {
            let steps = self.steps((i as f64 - half as f64) * spacing);
            for ((_, chance), (jump, weight)) in steps.iter().zip(&jumps).flat_map(|(step, jump)| jump.iter().map(move |j| (step, j))) {
                match on_grid(i as i64 + jump, right.len()) {
                    Ok(j) => matrix.add(i, j, -chance * weight),
                    Err(end) => right[i] += chance * weight * end,
                }
            }
        }
        matrix.solve(right)
    }
}

/// A point of the grid of `size`, or the chance that is certain beyond its end.
fn on_grid(j: i64, size: usize) -> Result<usize, f64> {
    usize::try_from(j).map_or(Err(0.0), |j| if j < size { Ok(j) } else { Err(1.0) })
}

/// Log-odds beyond which a vote is settled: the chance of a step back is below 1e-13 of that of a step ahead.
const REACH: f64 = 30.0;

/// Points of an interpolating polynomial.
const POINTS: usize = 12;

/// Lagrange's weights of the [`POINTS`] grid points around `x`, which counts in spacings.
fn interpolation(x: f64) -> impl Iterator<Item = (i64, f64)> {
    let first = x.floor() as i64 - POINTS as i64 / 2 + 1;
    let nodes = move || (0..POINTS as i64).map(move |i| (first + i) as f64);
    let weight = move |at: f64| nodes().filter(|node| *node != at).map(|node| (x - node) / (at - node)).product();
    nodes().map(move |at| (at as i64, weight(at)))
}

/// P16: majority-vote reward flows to the initial mode.
pub const P16: Proposition = Proposition {
    id: "P16",
    name: "majority-basin",
    statement: "The effective reward of a majority vote is ordered like the probabilities, so exact flows end at the initial mode for every group size: \
                the prompt is learned iff its right answer starts as the mode.",
    assumptions: "One plurality label per group, random ties, reward 1 for agreement, expected update.",
    formula: "two answers: r1 - r2 = 2 maj@(G-2) - 1 for odd G;  P(mode | p_c = x) = sum_j (-1)^j C(K-1,j) (1 - j x/(1-x))_+^(K-2)",
    source: "own; threshold: arXiv 2505.21444, 2603.08660, 2605.19444",
    inputs: &[
        real("p", "probability of the right answer", 0.4, (0.0, 1.0)),
        whole("group", "votes per label", 8.0, (1.0, 1e6)),
        whole("arms", "number of answers, for the chance to be the mode", 5.0, (2.0, 1e6)),
    ],
    outputs: &[
        output("reward_gap", "effective reward of the right minus the wrong answer, two answers"),
        output("mode_chance", "chance that the right answer is the mode, the rest uniform; none where digits are lost"),
        output("volume", "share of the simplex that flows to the right answer, 1/K"),
    ],
    evaluate: |x| vec![Some(reward_gap(x[0], x[1] as u64)), mode_chance(x[0], x[2] as u64), Some(1.0 / x[2])],
};

/// P17: distilling the vote leaves a tie geometrically.
pub const P17: Proposition = Proposition {
    id: "P17",
    name: "majority-map",
    statement: "Replacing the policy by its majority vote drives it away from 1/2 at a geometric rate and into the vertex faster than geometrically. \
                Sampled groups soften the step at 1/2: GRPO ends at the wrong answer with a chance that the step size sets.",
    assumptions: "The vote distribution replaces the policy; two answers. Sampled: one prompt, on-policy GRPO with the population standard deviation.",
    formula: "p' = P(Bin(G,p) > G/2);  slope at 1/2 = G C(G-1,(G-1)/2)/2^(G-1) ~ sqrt(2G/pi);  rounds = ln(1/delta)/ln(slope);  \
              h(u) = sum_n P(n|u) h(u + eta d_n),  d_n = sign(2n-G) 2 sqrt(n(G-n))/G",
    source: "own; Condorcet",
    inputs: &[
        real("p", "probability of the right answer", 0.55, (0.0, 1.0)),
        whole("group", "votes per label", 5.0, (1.0, 1e6)),
        real("lead", "initial distance from 1/2", 0.01, (1e-300, 0.5)),
        real("learning_rate", "step size of sampled training", 0.3, (0.01, 10.0)),
    ],
    outputs: &[
        output("maj", "chance that the majority is right"),
        output("slope", "slope of the map at a tie"),
        output("rounds", "rounds to leave the tie; none for a group of one or two"),
        output("sampled_chance", "chance that GRPO on sampled votes ends at the right answer; none outside groups of 3 to 64"),
    ],
    evaluate: |x| {
        let group = x[1] as u64;
        let rounds = (group > 2).then(|| rounds_to_leave_tie(x[2], group));
        let sampled = (3..=64).contains(&group).then(|| SampledVote { group: group as u32, learning_rate: x[3] }.chance(x[0]));
        vec![Some(maj_at(x[0], group)), Some(slope_at_tie(group)), rounds, sampled]
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use approx::{assert_abs_diff_eq, assert_relative_eq};

    #[test]
    fn golden_numbers() {
        crate::golden::agree(include_str!("../golden/majority.csv"), |name, x| match name {
            "maj_at" => maj_at(x[0], x[1] as u64),
            "reward_gap" => reward_gap(x[0], x[1] as u64),
            "mode_chance" => mode_chance(x[0], x[1] as u64).unwrap_or(f64::NAN),
            "slope" => slope_at_tie(x[0] as u64),
            "sampled_vote" => SampledVote { group: x[1] as u32, learning_rate: x[2] }.chance(x[0]),
            _ => unreachable!("{name}"),
        });
    }

    /// P(maj = 1) and the gap of G = 2 follow from the arm formulas.
    #[test]
    fn small_groups_agree_with_the_arm_formulas() {
        for p in [1e-9, 0.2, 0.5, 0.8] {
            let arms = [p, 1.0 - p];
            let three = rewards_of_three(&arms);
            assert_abs_diff_eq!(three[0] - three[1], reward_gap(p, 3), epsilon = 1e-15);
            assert_abs_diff_eq!(reward_of_two(p) - reward_of_two(1.0 - p), reward_gap(p, 2), epsilon = 1e-15);
            assert_relative_eq!(vote_of_three(&arms)[0], maj_at(p, 3), max_relative = 1e-14);
        }
        let p = [0.36, 0.34, 0.3];
        assert_relative_eq!(vote_of_three(&p)[0], 3.0 * 0.1296 - 2.0 * 0.046656 + 2.0 * 0.03672, max_relative = 1e-14);
    }

    #[test]
    fn the_gap_is_gaussian_in_large_groups() {
        let normal = |x: f64| statrs::function::erf::erf(x / 2f64.sqrt());
        for p in [0.4995, 0.5002, 0.501] {
            assert_relative_eq!(reward_gap(p, 1_000_000), normal(1000.0 * (2.0 * p - 1.0)), max_relative = 1e-4);
        }
    }

    #[test]
    fn the_gamma_ratio_is_continuous_where_its_formula_changes() {
        let product = half_step(39.0) * 39.5 / 39.0;
        assert_relative_eq!(half_step(40.0), product, max_relative = 2e-13);
    }

    #[test]
    fn many_arms_lose_digits_and_say_so() {
        assert_eq!(mode_chance(0.02, 100), None);
        assert!(mode_chance(2e-5, 1_000_000).is_some_and(|c| c > 0.99));
    }
}

//! Majority votes, enumerated (P16, P17).

use crate::common;
use mta_theory::flow::integrate;
use mta_theory::majority::*;
use mta_theory::simplex::{expectation, softmax};
use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// `P(maj_G = i | a_1 = i)` for every arm, by enumerating the other votes.
fn enumerated_rewards(p: &[f64], group: usize) -> Vec<f64> {
    let k = p.len();
    let mut rewards = vec![0.0; k];
    for code in 0..k.pow(group as u32 - 1) {
        let votes: Vec<usize> = (0..group - 1).map(|j| code / k.pow(j as u32) % k).collect();
        let chance: f64 = votes.iter().map(|&i| p[i]).product();
        let mut counts = vec![0; k];
        votes.iter().for_each(|&i| counts[i] += 1);
        for i in 0..k {
            counts[i] += 1;
            let top = counts.iter().copied().max().unwrap_or(0);
            if counts[i] == top {
                rewards[i] += chance / counts.iter().filter(|&&c| c == top).count() as f64;
            }
            counts[i] -= 1;
        }
    }
    rewards
}

fn argmax(p: &[f64]) -> usize {
    (0..p.len()).max_by(|&i, &j| p[i].total_cmp(&p[j])).unwrap_or(0)
}

proptest! {
    #![proptest_config(common::cases())]

    #[test]
    fn two_answers_agree_with_enumeration(p in 0.0..1.0f64, group in 1..=10usize) {
        let r = enumerated_rewards(&[p, 1.0 - p], group);
        prop_assert!((reward_gap(p, group as u64) - (r[0] - r[1])).abs() < 1e-13);
        prop_assert!(reward_gap(p, group as u64) * (p - 0.5) >= 0.0);
    }

    #[test]
    fn three_votes_agree_with_enumeration(theta in prop::collection::vec(-4.0..4.0f64, 1..7)) {
        let p = softmax(&theta);
        let (closed, counted) = (rewards_of_three(&p), enumerated_rewards(&p, 3));
        prop_assert!(closed.iter().zip(&counted).all(|(a, b)| (a - b).abs() < 1e-13));
        prop_assert!((vote_of_three(&p).iter().sum::<f64>() - 1.0).abs() < 1e-13);
        prop_assert!(enumerated_rewards(&p, 2).iter().zip(&p).all(|(r, &p)| (r - reward_of_two(p)).abs() < 1e-14));
    }

    #[test]
    fn rewards_are_ordered_like_probabilities(theta in prop::collection::vec(-3.0..3.0f64, 2..=4), group in 2..=6usize) {
        let p = softmax(&theta);
        let r = enumerated_rewards(&p, group);
        for i in 0..p.len() {
            for j in 0..p.len() {
                prop_assert!(p[i] < p[j] || r[i] >= r[j] - 1e-12);
            }
        }
    }

    #[test]
    fn slopes_are_central_differences(h in 0..30u64) {
        let (group, d) = (2 * h + 1, 1e-5);
        let difference = (maj_at(0.5 + d, group) - maj_at(0.5 - d, group)) / (2.0 * d);
        prop_assert!((difference - slope_at_tie(group)).abs() < 1e-6);
    }

    #[test]
    fn iterates_leave_one_half_monotonically(p in 0.01..0.99f64, h in 1..200u64) {
        let next = maj_at(p, 2 * h + 1);
        prop_assert!((next - p) * (p - 0.5) >= 0.0 && (next - 0.5) * (p - 0.5) >= 0.0);
        prop_assert!((next + maj_at(1.0 - p, 2 * h + 1) - 1.0).abs() < 1e-14);
        prop_assert!(maj_at(p, 2 * h + 2) == next);
    }

    /// The other answer has the rest, a better start helps, and the walk is fair from a tie.
    #[test]
    fn sampled_votes_are_symmetric_and_rise(p in 0.02..0.98f64, more in 0.005..0.1f64, group in 3..=16u32, eta in 0.1..2.0f64) {
        let vote = SampledVote { group, learning_rate: eta };
        prop_assert!((vote.chance(p) + vote.chance(1.0 - p) - 1.0).abs() < 1e-10);
        prop_assert!(vote.chance(p + more * (1.0 - p)) > vote.chance(p) - 1e-12);
        prop_assert!((vote.chance(p) - p) * (p - 0.5) > -1e-10);
    }

    /// 1 - p' ~ C(G, h + 1) (1 - p)^{h+1} near the vertex.
    #[test]
    fn the_vertex_is_reached_faster_than_geometrically(h in 1..8u64, small in 1e-9..1e-7f64) {
        let (one, two) = (maj_at(small, 2 * h + 1), maj_at(2.0 * small, 2 * h + 1));
        prop_assert!(((two / one).log2() - (h + 1) as f64).abs() < 1e-4);
    }
}

/// Both exact flows, K = 3 and groups of 3: the initial mode wins.
#[test]
fn the_initial_mode_wins() {
    for n in 0..40 {
        let angle = f64::from(n) * 0.7;
        let start = [angle.sin(), (2.3 * angle).cos(), 0.4 * angle.cos()];
        let flow = |natural: bool| {
            let field = move |theta: &[f64], slope: &mut [f64]| {
                let p = softmax(theta);
                let r = rewards_of_three(&p);
                let mean = expectation(&p, &r);
                (0..3).for_each(|i| slope[i] = (r[i] - mean) * if natural { 1.0 } else { p[i] });
            };
            softmax(&integrate(field, &start, 200.0, 1e-9).unwrap())
        };
        for end in [flow(true), flow(false)] {
            assert_eq!(argmax(&end), argmax(&softmax(&start)));
        }
        let winner = argmax(&softmax(&start));
        let lead = (0..3).filter(|&i| i != winner).map(|i| start[winner] - start[i]).fold(f64::INFINITY, f64::min);
        assert!(lead < 0.05 || flow(true)[winner] > 0.999);
    }
}

/// Probability that every arm wins a plurality of `group`, by enumeration.
fn enumerated_vote(p: &[f64], group: usize) -> Vec<f64> {
    let k = p.len();
    let mut won = vec![0.0; k];
    for code in 0..k.pow(group as u32) {
        let mut counts = vec![0; k];
        let votes = (0..group).map(|j| code / k.pow(j as u32) % k);
        let chance: f64 = votes.map(|i| (counts[i] += 1, p[i]).1).product();
        let top = counts.iter().copied().max().unwrap_or(0);
        let winners: Vec<usize> = (0..k).filter(|&i| counts[i] == top).collect();
        winners.iter().for_each(|&i| won[i] += chance / winners.len() as f64);
    }
    won
}

/// (.36, .34, .30) reaches the vertex in twelve rounds of five votes.
#[test]
fn voting_reaches_the_vertex() {
    let start = vec![0.36, 0.34, 0.3];
    let three = enumerated_vote(&start, 3);
    assert!(three.iter().zip(vote_of_three(&start)).all(|(a, b)| (a - b).abs() < 1e-15));
    let end = (0..12).fold(start, |p, _| enumerated_vote(&p, 5));
    assert!(end[0] > 0.999_999, "{end:?}");
    let rounds = rounds_to_leave_tie(1e-6, 9);
    let after = (0..rounds.round() as u32).fold(0.5 + 1e-6, |p, _| maj_at(p, 9));
    assert!(after > 0.8);
}

/// The mode's chance integrates to the volume 1/K against the density (K-1)(1-x)^{K-2} of one probability; where it is too small to be told it counts 0.
#[test]
fn basins_share_the_simplex() {
    for k in 2..8u64 {
        let n = 20_000;
        let density = |x: f64| (k - 1) as f64 * (1.0 - x).powi(k as i32 - 2) * mode_chance(x, k).unwrap_or(0.0);
        let volume: f64 = (0..n).map(|i| density((f64::from(i) + 0.5) / f64::from(n))).sum::<f64>() / f64::from(n);
        assert!((volume - 1.0 / k as f64).abs() < 1e-4, "{k}: {volume}");
    }
}

/// Where GRPO ends on sampled votes: whether the log-odds of the first answer of two ends above zero, settled beyond 6, from where one run in millions returns.
fn ends_first(p0: f64, group: u32, eta: f64, random: &mut SmallRng) -> bool {
    let mut u = (p0 / (1.0 - p0)).ln();
    while u.abs() < 6.0 {
        let p = 1.0 / (1.0 + (-u).exp());
        let n = (0..group).filter(|_| random.random::<f64>() < p).count() as f64;
        let (g, coin) = (f64::from(group), if random.random::<f64>() < 0.5 { 1.0 } else { -1.0 });
        let sign = if 2.0 * n == g { coin } else { f64::copysign(1.0, 2.0 * n - g) };
        u += eta * sign * 2.0 * (n / g * (1.0 - n / g)).sqrt();
    }
    u > 0.0
}

/// The sheet's .283/.694 at step size .3, .090/.908 at .05 and .011/.992 were samples of about a thousand runs; these are forty thousand.
#[test]
fn sampled_votes_end_where_the_equation_says() {
    let mut random = SmallRng::seed_from_u64(17);
    for (p0, group, eta, sheet) in [
        (0.45, 8, 0.3, 0.283),
        (0.55, 8, 0.3, 0.694),
        (0.3, 8, 0.3, 0.011),
        (0.7, 8, 0.3, 0.992),
        (0.45, 8, 0.05, 0.090),
        (0.4, 5, 1.0, f64::NAN),
    ] {
        let runs = 40_000;
        let share = (0..runs).filter(|_| ends_first(p0, group, eta, &mut random)).count() as f64 / f64::from(runs);
        let chance = SampledVote { group, learning_rate: eta }.chance(p0);
        let error = (chance * (1.0 - chance)).sqrt();
        assert!((share - chance).abs() < 4.0 * error / f64::from(runs).sqrt(), "{p0} {group} {eta}: {share} {chance}");
        assert!(sheet.is_nan() || (sheet - chance).abs() < 4.0 * error / 1000f64.sqrt(), "{p0} {eta}: {sheet} {chance}");
    }
}

/// The expected update ends at the initial mode; sampled groups do not, so what is true of the flow is not true of training.
#[test]
fn sampled_votes_can_leave_the_mode() {
    let chance = |learning_rate| SampledVote { group: 8, learning_rate }.chance(0.55);
    assert!(reward_gap(0.55, 8) > 0.0 && chance(1.0) < 0.64 && chance(0.01) > 0.99);
}

#[test]
fn votes_for_nobody_and_chances_without_digits() {
    assert_eq!((maj_at(0.0, 3), reward_gap(0.3, 0)), (0.0, 0.0));
    // the true chance is positive, but terms of size 178 leave nothing of it
    assert_eq!(mode_chance(0.06, 20), None);
    let (x, arms) = (1.005 / 3.0, 3);
    assert!((mode_chance(x, arms).unwrap() - (1.0 - 2.0 * (1.0 - x / (1.0 - x)))).abs() < 1e-14);
    let rounds = |group| (P17.evaluate)(&[0.6, group, 0.02, 0.3])[2];
    assert!(rounds(3.0).is_some() && rounds(2.0).is_none());
}

/// Groups up to 64 do not overflow, and from beyond the grid the end is certain.
#[test]
fn sampled_votes_at_the_ends_of_their_range() {
    let vote = SampledVote { group: 64, learning_rate: 1.0 };
    let (chance, mirrored) = (vote.chance(0.55), vote.chance(0.45));
    assert!((0.5..1.0).contains(&chance) && (chance + mirrored - 1.0).abs() < 1e-12, "{chance} {mirrored}");
    assert_eq!([0.0, 1e-14, 1.0 - 1e-14, 1.0].map(|p| vote.chance(p)), [0.0, 0.0, 1.0, 1.0]);
    let sampled = |group: f64| (P17.evaluate)(&[0.6, group, 0.02, 0.3])[3];
    assert_eq!([2.0, 3.0, 64.0, 65.0].map(|group| sampled(group).is_some()), [false, true, true, false]);
}

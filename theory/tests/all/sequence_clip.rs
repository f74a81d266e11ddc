//! P37: exact facts about sequence ratios by enumeration, shares and ranges, and the drift's symmetries.

use crate::common;
use mta_theory::clip_arms;
use mta_theory::quadrature::line;
use mta_theory::sequence_clip::*;
use mta_theory::simplex::softmax;
use proptest::prelude::*;

fn policies() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-2.0f64..2.0, 3).prop_map(|theta| softmax(&theta))
}

/// Mean of `f(log of the geometric-mean ratio)` over all responses of two positions of three tokens.
fn over_responses(old: &[Vec<f64>], new: &[Vec<f64>], f: &dyn Fn(f64) -> f64) -> f64 {
    let pairs = (0..9).map(|n| [n % 3, n / 3]);
    pairs
        .map(|y| {
            let chance: f64 = (0..2).map(|h| old[h][y[h]]).product();
            let log: f64 = (0..2).map(|h| (new[h][y[h]] / old[h][y[h]]).ln()).sum();
            chance * f(log / 2.0)
        })
        .sum()
}

proptest! {
    #![proptest_config(common::cases())]

    /// For any two policies: the mean log ratio is minus the KL per token, the product of ratios has mean 1, the geometric mean at most 1.
    #[test]
    fn laws_of_any_sequence_ratio(old in prop::collection::vec(policies(), 2), new in prop::collection::vec(policies(), 2)) {
        let kl: f64 = (0..2).flat_map(|h| (0..3).map(move |v| (h, v))).map(|(h, v)| old[h][v] * (old[h][v] / new[h][v]).ln()).sum();
        prop_assert!((over_responses(&old, &new, &|l| l) + kl / 2.0).abs() < 1e-12);
        prop_assert!((over_responses(&old, &new, &|l| (2.0 * l).exp()) - 1.0).abs() < 1e-12);
        prop_assert!(over_responses(&old, &new, &f64::exp) <= 1.0 + 1e-12);
    }

    #[test]
    fn the_mean_ratio_is_an_integral(deviation in 0.01..1.0f64, length in 1.0..1e4f64) {
        let (mean, sd) = (-0.5 * deviation * deviation, deviation / length.sqrt());
        let bell = |z: f64| (mean + sd * z - 0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
        prop_assert!((line(bell, -12.0, 12.0, 0.1) - mean_ratio(deviation, length)).abs() < 1e-12);
    }

    #[test]
    fn matched_ranges_cut_alike(deviation in 1e-4..0.1f64, length in 1.0..100.0f64, low in 0.05..0.5f64, high in 0.05..1.0f64) {
        let tokens = clipped_shares(deviation, 1.0, low, high);
        if let [Some(a), Some(b)] = matched_ranges(deviation, length, low, high) {
            let sequences = clipped_shares(deviation, length, a, b);
            prop_assert!((0..2).all(|i| (tokens[i] - sequences[i]).abs() < 1e-9), "{tokens:?} {sequences:?}");
        }
        let [_, small] = matched_ranges(1e-9, length, low, high);
        prop_assert!((small.unwrap().ln_1p() * length.sqrt() / high.ln_1p() - 1.0).abs() < 1e-9);
    }

    /// At one range longer sequences are cut less, unless the KL per token alone passes it: then all that are negative.
    #[test]
    fn length_thins_the_cut_or_completes_it(deviation in 0.01..0.9f64, clip in 0.02..0.3f64, length in 1.0..1e3f64) {
        let kl = 0.5 * deviation * deviation;
        prop_assume!((kl - kl_that_cuts_all(clip)).abs() > 1e-3 * kl);
        let [shorter, longer] = [length, 2.0 * length].map(|h| clipped_shares(deviation, h, clip, clip));
        prop_assert!(longer[1] <= shorter[1]);
        prop_assert!((longer[0] <= shorter[0] && kl < kl_that_cuts_all(clip)) || (longer[0] >= shorter[0] && kl > kl_that_cuts_all(clip)));
    }

    /// Changes add up to nothing; two arms follow the short form and the mode gains; at equal share the spring falls as 1/sqrt(H).
    #[test]
    fn the_force_is_a_weak_spring(p in 0.05..0.95f64, theta in prop::collection::vec(-1.0f64..1.0, 2..6), z in 0.5..2.0f64, length in 16.0..400.0f64) {
        let (policy, variance) = (softmax(&theta), 1e-8);
        let range = |p: &[f64], h: f64| z * token_deviation(p, variance) / h.sqrt();
        let sum: f64 = force(&policy, variance, length, range(&policy, length), range(&policy, length)).iter().sum();
        prop_assert!(sum.abs() < 1e-18);
        let two = [p, 1.0 - p];
        let (d, x) = (token_deviation(&two, variance), range(&two, length));
        let (c, change) = (spring(d, length, x, x), force(&two, variance, length, x, x)[0]);
        let short = 8.0 * c * variance * (p * (1.0 - p)).powi(3) * (2.0 * p - 1.0);
        prop_assert!((change - short).abs() < 1e-2 * short.abs(), "{change} {short}");
        let c4 = spring(d, 4.0 * length, 0.5 * x, 0.5 * x);
        prop_assert!((c4 / c - 0.5).abs() < 0.01);
        let token = clip_arms::force(&two, variance, z * d, z * d)[0];
        prop_assert!(change.abs() < token.abs() || (p - 0.5).abs() < 0.01);
    }
}

/// Where the KL per token alone cuts every negative sample, two arms feel half of all forces withdrawn: `B(0) = exp(-d^2/2) / 2`, and both terms of the force
/// count, `(8 + 4) B(0) s (p q)^3 (2p - 1)`.
#[test]
fn the_force_where_all_negatives_are_cut() {
    let (p, variance, length) = ([0.7, 0.3], 0.1, 1e6);
    let mean = 0.5 * (0.5 * token_deviation(&p, variance).powi(2) * (1.0 / length - 1.0)).exp();
    let expected = (8.0 * (1.0 - 1.0 / length) + 4.0) * mean * variance * 0.21f64.powi(3) * 0.4;
    let change = force(&p, variance, length, 1e-6, 0.1);
    assert!((change[0] / expected - 1.0).abs() < 1e-12 && (change[0] + change[1]).abs() < 1e-18, "{change:?} {expected}");
}

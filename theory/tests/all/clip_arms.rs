//! P36: the force against exact one-dimensional integrals, its symmetries, and where the rule p_i > S2 fails.

use crate::common;
use mta_theory::clip_arms::{ArmPass, clip_drift, first_to_clip, force, logit_force, ratio_covariance, turning_point};
use mta_theory::clipping::{Pass, first_order_drift};
use mta_theory::quadrature::interval;
use mta_theory::simplex::{logit, power_sum, sigmoid, softmax};
use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

fn policies() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-1.5f64..1.5, 2..8).prop_map(|theta| softmax(&theta))
}

/// One arm of probability `p` among `arms - 1` equal ones.
fn among_equals(p: f64, arms: usize) -> Vec<f64> {
    let mut policy = vec![(1.0 - p) / (arms - 1) as f64; arms];
    policy[0] = p;
    policy
}

/// Policies one arm of which has clearly the noisiest ratio.
fn one_noisy_arm() -> impl Strategy<Value = Vec<f64>> {
    let small = prop::collection::vec(0.01..0.05f64, 1..4);
    (0.1..0.2f64, small).prop_map(|(noisy, mut p)| {
        p.push(noisy);
        p.push(1.0 - p.iter().sum::<f64>());
        p
    })
}

/// Exact mean change of the first of two arms, integrated piece by piece between the clip points.
fn exact_two_arms(p: f64, variance: f64, clip: f64) -> f64 {
    let (u, s) = (logit(p), 2.0 * (variance * p * (1.0 - p)).sqrt());
    let change = |x: f64| {
        let (now, rest) = (sigmoid(x), sigmoid(-x));
        let cut = |ratio: f64| 0.5 * (f64::from(ratio < 1.0 - clip) - f64::from(ratio > 1.0 + clip));
        let z = (x - u) / s;
        2.0 * (now * rest).powi(2) * (cut(now / p) - cut(rest / (1.0 - p))) * (-0.5 * z * z).exp()
            / (s * (2.0 * std::f64::consts::PI).sqrt())
    };
    let walls = [(1.0 + clip) * p, (1.0 - clip) * p, 1.0 - (1.0 + clip) * (1.0 - p), 1.0 - (1.0 - clip) * (1.0 - p)];
    let mut points: Vec<f64> =
        walls.into_iter().filter(|w| (0.0..1.0).contains(w)).map(logit).chain([u - 10.0 * s, u, u + 10.0 * s]).collect();
    points.sort_by(f64::total_cmp);
    points.windows(2).filter(|w| w[1] > u - 10.0 * s && w[0] < u + 10.0 * s).map(|w| interval(change, w[0], w[1])).sum()
}

/// A displacement of the logits, `N(0, s (diag p - p p^T))`.
fn displacement(p: &[f64], variance: f64, rng: &mut SmallRng) -> Vec<f64> {
    let normal =
        |rng: &mut SmallRng| (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt() * (std::f64::consts::TAU * rng.random::<f64>()).cos();
    let own: Vec<f64> = p.iter().map(|p| p.sqrt() * normal(rng)).collect();
    let sum: f64 = own.iter().sum();
    own.iter().zip(p).map(|(x, p)| variance.sqrt() * (x - p * sum)).collect()
}

/// Change of the first arm's probability by the cut halves of the advantages at one displaced policy.
fn cut_change(p: &[f64], displaced: impl Iterator<Item = f64>, clip: f64) -> f64 {
    let now = softmax(&p.iter().zip(displaced).map(|(p, d)| p.ln() + d).collect::<Vec<_>>());
    let cut = |i: usize| 0.5 * (f64::from(now[i] / p[i] < 1.0 - clip) - f64::from(now[i] / p[i] > 1.0 + clip));
    let common: f64 = (0..p.len()).map(|k| now[k] * cut(k)).sum();
    let force = |i: usize| now[i] * (cut(i) - common);
    now[0] * (force(0) - (0..p.len()).map(|k| now[k] * force(k)).sum::<f64>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: common::cases().cases.div_ceil(100), ..common::cases() })]

    /// Many arms, and the shift of the thresholds with them: pairs of opposite displacements, with the softmax, ratios and clip as they are.
    #[test]
    fn many_arms_meet_sampled_displacements(p in policies(), spread in 0.7..2.0f64, seed: u64) {
        let (clip, pairs, mut rng) = (0.01, 100_000.0, SmallRng::seed_from_u64(seed));
        let variance = (spread * clip).powi(2);
        let changes: Vec<f64> = (0..pairs as u32)
            .map(|_| {
                let d = displacement(&p, variance, &mut rng);
                0.5 * (cut_change(&p, d.iter().copied(), clip) + cut_change(&p, d.iter().map(|x| -x), clip))
            })
            .collect();
        let mean = changes.iter().sum::<f64>() / pairs;
        let error = (changes.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (pairs * pairs)).sqrt();
        let found = force(&p, variance, clip, clip)[0];
        prop_assert!((found - mean).abs() < 5.0 * error + 0.02 * clip * (p[0] * (1.0 - p[0])).powi(2), "{found} {mean} {error}");
    }
}

proptest! {
    #![proptest_config(common::cases())]

    /// The expansion meets the exact integral, with an error of relative order clip.
    #[test]
    fn two_arms_meet_the_exact_integral(p in 0.1..0.9f64, spread in 0.7..4.0f64) {
        let clip = 2e-3;
        let variance = (spread * clip).powi(2) / (p * (1.0 - p));
        let (found, exact) = (force(&[p, 1.0 - p], variance, clip, clip)[0], exact_two_arms(p, variance, clip));
        let scale = (p * (1.0 - p)).powi(2) * clip * spread.max(1.0);
        prop_assert!((found - exact).abs() < 0.02 * scale, "{found} {exact}");
    }

    #[test]
    fn ratios_keep_their_mean_and_changes_add_up_to_nothing(p in policies(), clip in 0.01..0.3f64, wider in 0.0..0.1f64, spread in 0.2..4.0f64) {
        let variance = (spread * clip).powi(2);
        let c = ratio_covariance(&p, variance);
        for k in 0..p.len() {
            prop_assert!(p.iter().zip(&c).map(|(p, row)| p * row[k]).sum::<f64>().abs() < 1e-13);
            prop_assert!(c[k][k] > 0.0);
        }
        let change = force(&p, variance, clip, clip + wider);
        prop_assert!(change.iter().sum::<f64>().abs() < 1e-12);
        let reversed: Vec<f64> = p.iter().rev().copied().collect();
        for (a, b) in change.iter().zip(force(&reversed, variance, clip, clip + wider).iter().rev()) {
            prop_assert!((a - b).abs() < 1e-13);
        }
    }

    /// A vanishing clip leaves no scale but the noise.
    #[test]
    fn below_the_noise_the_force_is_homogeneous(p in policies(), variance in 1e-6..1e-2f64) {
        for (one, four) in force(&p, variance, 0.0, 0.0).iter().zip(force(&p, 4.0 * variance, 0.0, 0.0)) {
            prop_assert!((four - 2.0 * one).abs() < 1e-12 * variance.sqrt());
        }
    }

    /// Two arms: the rule holds. Three, two of them equal: the mode gains, but so does an arm below .14. Eight or more, all others equal: a mode below .3 loses,
    /// one between .52 and .9 gains.
    #[test]
    fn where_the_rule_holds_and_where_it_fails(x in 0.0..1.0f64, arms in 8usize..60, spread in 0.5..30.0f64) {
        let (clip, variance) = (1e-3, (spread * 1e-3).powi(2));
        let first = |p: f64, arms: usize| force(&among_equals(p, arms), variance, clip, clip)[0];
        let p = 0.02 + 0.96 * x;
        prop_assert!(first(p, 2) * (p - 0.5) >= -1e-20);
        prop_assert!(first(0.334 + 0.6 * x, 3) > 0.0 && first(1e-3 + 0.139 * x, 3) > 0.0);
        let low = 1.0 / arms as f64 + 1e-3 + x * (0.299 - 1.0 / arms as f64);
        prop_assert!(low > power_sum(&among_equals(low, arms), 2) && first(low, arms) < 0.0, "{low}");
        let high = 0.52 + 0.38 * x;
        prop_assert!(first(high, arms) > 0.0, "{high}");
        let turn = turning_point(arms, spread);
        prop_assert!((0.3..0.52).contains(&turn));
    }

    /// Noise well below the clip range: one arm is cut, and the others follow P28's rule for a negative sample of it.
    #[test]
    fn one_arm_clips_first(p in one_noisy_arm()) {
        let (k, clip, square) = (first_to_clip(&p), 1e-3, power_sum(&p, 2));
        let c = ratio_covariance(&p, 1.0);
        let shared: f64 = (0..p.len()).map(|j| p[j] * (c[j][k] / c[k][k]).powi(2)).sum();
        let noise = |j: usize| c[j][j];
        prop_assert!(shared < 1.0);
        let change = force(&p, (0.08_f64 * clip).powi(2) / noise(k), clip, clip);
        prop_assert!(change[k] < 0.0);
        for j in (0..p.len()).filter(|&j| j != k && (p[j] + p[k] - square).abs() > 0.05) {
            prop_assert!((change[j] > 0.0) == (p[j] + p[k] > square), "{p:?} {change:?}");
        }
    }

    /// Of two arms the pass has the sign of P13's.
    #[test]
    fn a_pass_of_two_arms_has_the_sign_of_p13(p in 0.05..0.95f64, step in 0.5..3.0f64) {
        prop_assume!((p - 0.5).abs() > 0.01);
        let two = Pass { p, clip: 0.1, step, minibatches: 3, size: 400.0, second_moment: 1.0, mean_size: 1.0 };
        let many = ArmPass { clip_low: 0.1, clip_high: 0.1, step, minibatches: 3, size: 400.0, second_moment: 1.0, mean_size: 1.0 };
        prop_assert!(first_order_drift(&two) * clip_drift(&[p, 1.0 - p], &many)[0] >= 0.0);
    }
}

/// S2 = .109 and the mode has .19, yet it loses.
#[test]
fn flag_the_sheets_rule_fails_for_ten_arms() {
    let change = force(&among_equals(0.19, 10), 0.01, 0.1, 0.1);
    assert!(change[0] < 0.0 && change[1..].iter().all(|&c| c > 0.0), "{change:?}");
}

/// The noisiest ratio is the largest diagonal of the covariance; two near ties, either way, and ties of all.
#[test]
fn the_first_to_clip_has_the_noisiest_ratio() {
    for second in [0.1254, 0.126] {
        let policy = [[0.3, second].as_slice(), &[(0.7 - second) / 10.0; 10]].concat();
        let noise = ratio_covariance(&policy, 1.0);
        assert_eq!(first_to_clip(&policy) == 1, noise[1][1] > noise[0][0], "{second}");
    }
    assert_ne!(
        first_to_clip(&[[0.3, 0.1254].as_slice(), &[0.05746; 10]].concat()),
        first_to_clip(&[[0.3, 0.126].as_slice(), &[0.0574; 10]].concat())
    );
    assert_eq!(first_to_clip(&[0.25; 4]), 0);
}

#[test]
fn a_pass_adds_up_its_minibatches() {
    let (policy, pass) = (
        [0.5, 0.3, 0.2],
        ArmPass { clip_low: 0.1, clip_high: 0.2, step: 2.0, minibatches: 4, size: 50.0, second_moment: 1.5, mean_size: 0.8 },
    );
    let at = |b: f64| force(&policy, 4.0 * 1.5 / 50.0 * b, 0.1, 0.2)[1];
    assert!((clip_drift(&policy, &pass)[1] - 1.6 * (at(1.0) + at(2.0) + at(3.0))).abs() < 1e-15);
}

/// Without noise nothing is cut, and there is no turning point.
#[test]
fn no_step_no_force_and_no_turning_point() {
    assert_eq!((force(&[0.7, 0.3], 0.0, 0.1, 0.1), logit_force(&[0.7, 0.3], 0.0, 0.1, 0.1)), (vec![0.0; 2], vec![0.0; 2]));
    let at = |eta: f64| (mta_theory::clip_arms::P36.evaluate)(&[0.28, 5.0, 0.2, 0.2, eta, 2.0, 400.0])[3];
    assert!(at(0.0).is_none() && at(0.005).is_some());
}

//! Spurious rewards: finite differences and flows (P15).

use crate::common;
use mta_theory::flow::integrate;
use mta_theory::simplex::{expectation, power_sum, softmax};
use mta_theory::spurious::*;
use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Central difference of `f` at `theta` along `direction`.
fn slope_along(theta: &[f64], direction: &[f64], f: impl Fn(&[f64]) -> f64) -> f64 {
    let h = 1e-5;
    let at = |h: f64| f(&softmax(&theta.iter().zip(direction).map(|(t, d)| t + h * d).collect::<Vec<_>>()));
    (at(h) - at(-h)) / (2.0 * h)
}

fn rewarding_the_second(p: &[f64]) -> Vec<f64> {
    (0..p.len()).map(|i| p[i] * (f64::from(i == 1) - p[1])).collect()
}

proptest! {
    #![proptest_config(common::cases())]

    #[test]
    fn identities_are_finite_differences(theta in prop::collection::vec(-3.0..3.0f64, 3..8), r in prop::collection::vec(0.0..1.0f64, 8), a in prop::collection::vec(0.0..1.0f64, 8)) {
        let p = softmax(&theta);
        let mean = expectation(&p, &r);
        let natural: Vec<f64> = r.iter().take(p.len()).map(|r| r - mean).collect();
        prop_assert!((slope_along(&theta, &natural, |p| expectation(p, &a)) - mode_slope(&p, &r, &a)).abs() < 1e-9);
        prop_assert!((slope_along(&theta, &rewarding_the_second(&p), |p| p[0]) - wrong_arm_slope_pg(&p, 0, 1)).abs() < 1e-9);
        let npg: Vec<f64> = (0..p.len()).map(|i| f64::from(i == 1) - p[1]).collect();
        prop_assert!((slope_along(&theta, &npg, |p| p[0]) - wrong_arm_slope_npg(p[0], p[1])).abs() < 1e-9);
    }

    #[test]
    fn two_modes_are_a_covariance(m in 0.0..1.0f64, r in prop::array::uniform2(0.0..1.0f64), a in prop::array::uniform2(0.0..1.0f64)) {
        let slope = mode_slope(&[m, 1.0 - m], &r, &a);
        prop_assert!((slope - two_mode_slope(m, r[0] - r[1], a[0] - a[1])).abs() < 1e-15);
    }
}

/// The policy at time `t` when the second of three arms is rewarded.
fn policy_at(t: f64) -> Vec<f64> {
    let start: Vec<f64> = [0.02f64, 0.02, 0.96].iter().map(|p| p.ln()).collect();
    softmax(&integrate(|theta, slope| slope.copy_from_slice(&rewarding_the_second(&softmax(theta))), &start, t, 1e-11).unwrap())
}

/// Rewarding a wrong arm lifts the right one from .02 to .0584 at t = 28.5 before it falls; the peak is where S2 = p_c + p_w.
#[test]
fn flag_f9_rewarding_a_wrong_arm_can_help_under_euclidean_gradient() {
    let excess = |t: f64| {
        let p = policy_at(t);
        power_sum(&p, 2) - p[0] - p[1]
    };
    let (mut low, mut high) = (1.0, 100.0);
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if excess(middle) > 0.0 { low = middle } else { high = middle }
    }
    assert!((low - 28.5).abs() < 0.05, "{low}");
    let peak = policy_at(low)[0];
    assert!((peak - 0.0584).abs() < 5e-5 && peak > policy_at(low - 0.3)[0] && peak > policy_at(low + 0.3)[0], "{peak}");
    assert!(policy_at(1000.0)[0] < 0.02);
    assert!(wrong_arm_slope_pg(&[0.02, 0.02, 0.96], 0, 1) > 0.0 && wrong_arm_slope_npg(0.02, 0.02) < 0.0);
}

/// About half of random policies are of that kind; the exact share depends on how they are drawn (logits normal with deviation 1.5, 3 to 8 arms).
#[test]
fn flag_f9_holds_for_half_of_random_policies() {
    let mut rng = SmallRng::seed_from_u64(9);
    let mut normal = || (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
    let rising = (0..20_000)
        .filter(|i| {
            let p = softmax(&(0..3 + i % 6).map(|_| 1.5 * normal()).collect::<Vec<_>>());
            wrong_arm_slope_pg(&p, 0, 1) > 0.0
        })
        .count();
    let share = rising as f64 / 20_000.0;
    assert!((share - 0.5).abs() < 0.05, "{share}");
}

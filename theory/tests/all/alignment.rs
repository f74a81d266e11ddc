//! P23 and P35: bounds, symmetries and samples of Gaussian logits.

use crate::common;
use mta_theory::alignment::{bulk_pass_at_1, few_token_log_odds, mode_accuracy, sharpened_limit_accuracy};
use mta_theory::simplex::softmax;
use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

proptest! {
    #![proptest_config(common::cases())]

    /// Two arms have a closed form, and any number of arms is exchangeable at shift 0.
    #[test]
    fn limit_accuracy_of_equal_arms_is_chance(arms in 2u32..100_000, spread in 0.01f64..10.0) {
        let a = sharpened_limit_accuracy(f64::from(arms), spread, 0.0);
        prop_assert!((a * f64::from(arms) - 1.0).abs() < 1e-10);
    }

    #[test]
    fn limit_accuracy_rises_with_the_shift(arms in 2u32..10_000, spread in 0.1f64..5.0, shift in -3.0f64..3.0, more in 0.01f64..2.0) {
        let a = |shift| sharpened_limit_accuracy(f64::from(arms), spread, shift);
        prop_assert!(a(shift * spread + more * spread) > a(shift * spread));
    }

    /// Right and wrong tokens are interchangeable: the mode is right, or it is wrong.
    #[test]
    fn mode_is_right_or_wrong(v in 2usize..1_000_000, f in 0.01f64..0.99, kappa in 0.1f64..3.0, tau in 0.0f64..2.0, a in -0.9f64..0.9) {
        let right = mode_accuracy(v, f, kappa, tau, a);
        let wrong = mode_accuracy(v, 1.0 - f, kappa, tau, -a);
        prop_assume!(f * v as f64 >= 1.0 && (1.0 - f) * v as f64 >= 1.0);
        prop_assert!((right + wrong - 1.0).abs() < 1e-10, "{right} + {wrong}");
    }

    #[test]
    fn mode_is_right_by_chance_without_alignment(v in 2usize..1_000_000, f in 0.01f64..0.99, kappa in 0.1f64..3.0) {
        prop_assume!(f * v as f64 >= 1.0);
        prop_assert!((mode_accuracy(v, f, kappa, 0.3, 0.0) / f - 1.0).abs() < 1e-10);
    }

    /// Many tokens make it the bulk formula; groups that change places change its sign; it falls where right tokens are few.
    #[test]
    fn few_tokens_correct_the_bulk(right in 1u32..30, more in 0u32..60, kappa in 0.05f64..1.0, a in -0.9f64..0.9) {
        let (n, m) = (f64::from(right), f64::from(right + more + 2));
        let bulk = |n: f64, m: f64| { let p = bulk_pass_at_1(n / (n + m), kappa, a); (p / (1.0 - p)).ln() };
        let odds = few_token_log_odds(n, m, kappa, a);
        prop_assert!((odds + few_token_log_odds(m, n, kappa, -a)).abs() < 1e-12);
        prop_assert!(odds < bulk(n, m));
        prop_assert!((few_token_log_odds(1e7 * n, 1e7 * m, kappa, a) - bulk(n, m)).abs() < 1e-6);
    }

    #[test]
    fn bulk_pass_at_1_is_a_shift_of_the_logit(f in 0.01f64..0.99, kappa in 0.0f64..3.0, a in -1.0f64..1.0) {
        let logit = |p: f64| p.ln() - (1.0 - p).ln();
        let p = bulk_pass_at_1(f, kappa, a);
        prop_assert!(p > 0.999_999 || (logit(p) - logit(f) - kappa * a / (f - f * f).sqrt()).abs() < 1e-8);
        prop_assert!((p + bulk_pass_at_1(1.0 - f, kappa, -a) - 1.0).abs() < 1e-12);
    }
}

/// A standard normal number, by Box and Muller.
fn normal(rng: &mut SmallRng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

/// Logits of K = 8 arms with spread 1.5 whose first is right and shifted.
fn logits(shift: f64, rng: &mut SmallRng) -> Vec<f64> {
    (0..8).map(|i| 1.5 * normal(rng) + if i == 0 { shift } else { 0.0 }).collect()
}

fn mode_is_right(x: &[f64]) -> bool {
    x[1..].iter().all(|&wrong| wrong < x[0])
}

/// pi_tau(C) for tau = 1 and 4.
fn accuracies(x: &[f64]) -> [f64; 2] {
    [1.0, 4.0].map(|tau| softmax(&x.iter().map(|x| tau * x).collect::<Vec<_>>())[0])
}

const DRAWS: usize = 100_000;

#[test]
fn sampled_modes_agree_with_the_quadrature() {
    let mut rng = SmallRng::seed_from_u64(23);
    for shift in [-2.0, -0.3, 0.0, 0.3, 1.0, 2.0, 3.0] {
        let hits = (0..DRAWS).filter(|_| mode_is_right(&logits(shift, &mut rng))).count() as f64 / DRAWS as f64;
        let a = sharpened_limit_accuracy(8.0, 1.5, shift);
        assert!((hits - a).abs() < 4.0 * (a * (1.0 - a) / DRAWS as f64).sqrt(), "{shift}: {hits} {a}");
    }
}

/// The sheet's mean accuracies at tau = 1 and 4, and the sign of their difference: that of the shift.
#[test]
fn mean_accuracy_moves_with_the_sign_of_the_shift() {
    let mut rng = SmallRng::seed_from_u64(24);
    for (shift, sheet) in
        [(-1.0, Some([0.061, 0.044])), (-0.3, None), (0.3, None), (1.0, Some([0.230, 0.278])), (3.0, Some([0.539, 0.697]))]
    {
        let draws: Vec<[f64; 2]> = (0..DRAWS).map(|_| accuracies(&logits(shift, &mut rng))).collect();
        let mean = |i: usize| draws.iter().map(|d| d[i]).sum::<f64>() / DRAWS as f64;
        assert_eq!(mean(1) > mean(0), shift > 0.0, "{shift}");
        for (i, expected) in sheet.into_iter().flatten().enumerate() {
            assert!((mean(i) - expected).abs() < 0.5e-3 + 5e-3, "{shift}: {} {expected}", mean(i));
        }
    }
}

/// At shift 0.5 the local law can be positive while the mode is wrong, never the other way round.
#[test]
fn local_gain_with_a_wrong_mode_is_common() {
    let mut rng = SmallRng::seed_from_u64(25);
    let [mut gain, mut mode, mut gain_only, mut mode_only] = [0.0f64; 4];
    for _ in 0..DRAWS {
        let x = logits(0.5, &mut rng);
        let p = softmax(&x);
        let local = x[0] > p[1..].iter().zip(&x[1..]).map(|(p, x)| p * x).sum::<f64>() / (1.0 - p[0]);
        let right = mode_is_right(&x);
        gain += f64::from(local);
        mode += f64::from(right);
        gain_only += f64::from(local && !right);
        mode_only += f64::from(right && !local);
    }
    for (count, share) in [(gain, 0.303), (mode, 0.196), (gain_only, 0.107), (mode_only, 0.0)] {
        assert!((count / DRAWS as f64 - share).abs() < 8e-3, "{} {share}", count / DRAWS as f64);
    }
}

#[test]
fn certain_priors_are_decided_by_the_sign_of_the_alignment() {
    assert_eq!(mode_accuracy(8, 0.25, 0.0, 0.0, 0.7), 0.25);
    assert_eq!((mode_accuracy(8, 0.25, 2.0, 0.0, 1.0), mode_accuracy(8, 0.25, 2.0, 0.0, -1.0)), (1.0, 0.0));
    assert_eq!(mode_accuracy(8, 0.25, 1e-3, 0.0, 1.0), 1.0);
    assert!((mode_accuracy(8, 0.25, 0.01, 0.0, 0.0) - 0.25).abs() < 1e-12);
    assert_eq!(bulk_pass_at_1(0.5, 1e6, 1.0), 1.0);
}

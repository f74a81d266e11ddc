//! P29 and P30: closed forms against quadrature, and how often two pass@k curves cross.

use crate::common;
use mta_theory::crossing::{LogitMap, critical_harmed_share, mapped_fail_at_k, mapped_pass_at_k, negative_transfer_tail_ratio};
use mta_theory::difficulty::{Difficulty, beta_pass_at_k, crossover, ln_mean_fail_at_k, mean_fail_at_k};
use proptest::prelude::*;

const SAME: LogitMap = LogitMap { shift: 0.0, power: 1.0 };

/// Whole k on a log grid up to 1e12.
fn grid() -> impl Iterator<Item = f64> {
    (0..=160).map(|i| 1e12f64.powf(f64::from(i) / 160.0).round())
}

proptest! {
    #![proptest_config(common::cases())]

    #[test]
    fn pass_at_k_agrees_with_quadrature(a in 0.2f64..5.0, b in 0.2f64..5.0, log_k in 0.0f64..20.0) {
        let k = log_k.exp().round();
        prop_assert!((beta_pass_at_k(a, b, k) / mapped_pass_at_k(a, b, SAME, k) - 1.0).abs() < 1e-10);
        prop_assert!((mean_fail_at_k(a, b, k) / mapped_fail_at_k(a, b, SAME, k) - 1.0).abs() < 1e-9);
    }

    /// The theorem of `crossover`: no crossing for a' >= a, one otherwise, and where it says.
    #[test]
    fn curves_cross_once_or_never(a in 0.1f64..3.0, b in 0.1f64..5.0, a2 in 0.1f64..3.0, b2 in 0.1f64..5.0) {
        let (one, other) = (Difficulty { a, b }, Difficulty { a: a2, b: b2 });
        let (before, after) = if one.mean() < other.mean() { (one, other) } else { (other, one) };
        let worse: Vec<bool> = grid().map(|k| ln_mean_fail_at_k(after.a, after.b, k) > ln_mean_fail_at_k(before.a, before.b, k)).collect();
        let changes = worse.windows(2).filter(|w| w[0] != w[1]).count();
        prop_assert!(!worse[0] && changes <= 1);
        prop_assert!(changes == 0 || after.a < before.a);
        match crossover(before, after) {
            Some(k) => prop_assert!(worse.iter().zip(grid()).all(|(&w, at)| w == (at >= k))),
            None => prop_assert_eq!(changes, 0),
        }
    }

    #[test]
    fn a_tilt_never_lowers_pass_at_k(a in 0.2f64..2.0, b in 0.3f64..3.0, shift in 0.0f64..5.0, log_k in 0.0f64..27.0) {
        let k = log_k.exp();
        let tilted = mapped_pass_at_k(a, b, LogitMap { shift, power: 1.0 }, k);
        prop_assert!(tilted >= mapped_pass_at_k(a, b, SAME, k) - 1e-12);
    }

    /// The sheet asks for some k up to 1e6; failures are compared because pass@k rounds to 1.
    #[test]
    fn sharpening_always_crosses(a in 0.2f64..2.0, b in 0.3f64..3.0, power in 1.5f64..4.0) {
        let fail = |map, k| mapped_fail_at_k(a, b, map, k);
        let worse = [1e2, 1e4, 1e6].iter().any(|&k| fail(LogitMap { shift: 0.0, power }, k) > fail(SAME, k));
        prop_assert!(worse);
    }

    #[test]
    fn tail_gets_worse_beyond_the_critical_share(w in 0.0f64..1.0, shift in 0.01f64..5.0, a in 0.05f64..3.0) {
        let critical = critical_harmed_share(shift, a);
        prop_assume!((w - critical).abs() > 1e-9);
        prop_assert_eq!(negative_transfer_tail_ratio(w, shift, a) > 1.0, w > critical);
    }
}

/// Without harmed prompts the growing half of the ratio does not count, however large it is.
#[test]
fn few_harmed_prompts_count_and_none_do_not() {
    let ratio = negative_transfer_tail_ratio(0.01, 1.0, 0.5);
    assert!((ratio - 0.99 * (-0.5f64).exp() - 0.01 * 0.5f64.exp()).abs() < 1e-15);
    assert_eq!(negative_transfer_tail_ratio(0.0, 50.0, 100.0), (-5000f64).exp());
}

#[test]
fn crossings_start_at_two_attempts_and_need_a_gain_at_one() {
    let before = Difficulty { a: 0.6, b: 1.4 };
    for (b, k) in [(0.55, 2.0), (0.44, 3.0), (0.38, 4.0), (0.35, 5.0)] {
        assert_eq!(crossover(before, Difficulty { a: 0.25, b }), Some(k));
    }
    assert_eq!(crossover(before, Difficulty { a: 0.25, b: 1.4 }), None);
    let asymptote = |a: f64, b: f64| (mta_theory::difficulty::P29.evaluate)(&[0.6, 1.4, a, b, 1.0])[3];
    assert!(asymptote(0.3, 0.7).is_some() && asymptote(0.25, 1.4).is_none());
}

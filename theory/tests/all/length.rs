//! Length biases against sums over lengths (P21).

use crate::common;
use mta_theory::length::*;
use proptest::prelude::*;

/// `sum over n of P(n) f(n)` for the geometric length.
fn mean_over_lengths(stop: f64, f: impl Fn(f64) -> f64) -> f64 {
    let lengths = (1..).map(f64::from).take_while(|n| (n - 1.0) * (-stop).ln_1p() > -60.0);
    lengths.map(|n| stop * (1.0 - stop).powf(n - 1.0) * f(n)).sum()
}

proptest! {
    #![proptest_config(common::cases())]

    #[test]
    fn closed_forms_are_sums_over_lengths(s in 0.02..0.98f64, v in 1.0..50.0f64) {
        let log_p = |n: f64| s.ln() + (n - 1.0) * ((1.0 - s) / v).ln();
        let entropy = -mean_over_lengths(s, log_p);
        prop_assert!((entropy / sequence_entropy(s, v) - 1.0).abs() < 1e-10);
        let drift = mean_over_lengths(s, |n| log_p(n) * (1.0 - n * s));
        prop_assert!((drift / summed_drift(s, v) - 1.0).abs() < 1e-8);
        let alone = |n: f64| (s.ln() + (n - 1.0) * (1.0 - s).ln()) / n;
        let drift = mean_over_lengths(s, |n| alone(n) * (1.0 - n * s));
        prop_assert!((drift - normalised_drift(s)).abs() < 1e-10);
    }

    #[test]
    fn signs(s in 0.02..0.98f64, v in 1.0..50.0f64) {
        prop_assert!(entropy_slope(s, v) < 0.0 && summed_drift(s, v) > 0.0);
        prop_assert!(normalised_drift(s) * (s - 0.5) >= 0.0);
        let h = 1e-6 * s;
        let slope = (sequence_entropy(s + h, v) - sequence_entropy(s - h, v)) / (2.0 * h);
        prop_assert!((slope / entropy_slope(s, v) - 1.0).abs() < 1e-6);
    }
}

#[test]
fn certain_stops_cost_nothing_and_even_ones_keep_their_digits() {
    assert_eq!((sequence_entropy(1.0, 7.0), summed_drift(1.0, 7.0)), (0.0, 0.0));
    for near in [0.5 + 3.1e-6, 0.5 - 7e-13f64] {
        let logit = 2.0 * (2.0 * near - 1.0).atanh();
        assert!((normalised_drift(near) / (logit * (-near * near.ln() / (1.0 - near) - near)) - 1.0).abs() < 2e-13);
    }
}

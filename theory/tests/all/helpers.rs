//! Sums, integrals and estimates that every proposition stands on, at the ends of their ranges.

use mta_theory::flow::integrate;
use mta_theory::pass_at_k::{best_at_k, mean_pass_at_k, pass_at_k, twice_the_attempts, unbiased_pass_at_k};
use mta_theory::quadrature::interval;
use mta_theory::simplex::{entropy, sigmoid};

#[test]
fn attempts_may_be_none_or_part_of_one_and_success_certain() {
    assert_eq!((pass_at_k(0.3, 0.0), pass_at_k(1.0, 0.0), pass_at_k(1.0 + 1e-15, 3.0)), (0.0, 0.0, 1.0));
    assert!((pass_at_k(0.5, 0.01) - (1.0 - 0.5f64.powf(0.01))).abs() < 1e-15);
    assert_eq!((twice_the_attempts(0.5), mean_pass_at_k(&[0.5, 0.25], 1.0)), (0.75, 0.375));
}

#[test]
fn estimates_exist_exactly_for_possible_counts() {
    assert_eq!((unbiased_pass_at_k(3, 3, 2), unbiased_pass_at_k(4, 3, 3), unbiased_pass_at_k(3, 4, 1)), (Some(1.0), Some(1.0), None));
    assert_eq!((best_at_k(1, 1, 2), best_at_k(0, 0, 1), best_at_k(3, 4, 1)), (Some(1.0), None, None));
}

#[test]
fn vertices_have_no_entropy_and_far_logits_no_overflow() {
    assert_eq!(entropy(&[1.0, 0.0]), 0.0);
    assert!(sigmoid(800.0) == 1.0 && sigmoid(-740.0) > 0.0);
}

#[test]
fn singular_ends_and_short_times_are_integrated() {
    assert!((interval(|x| x.powf(-0.5), 0.0, 1.0) - 2.0).abs() < 1e-12);
    let end = integrate(|x, dx| dx[0] = -x[0], &[1.0], 0.01, 1e-12).unwrap();
    assert!((end[0] - (-0.01f64).exp()).abs() < 1e-12);
}

#[test]
fn the_normal_distribution_function() {
    for (t, chance) in [(1.0, 0.841_344_746_068_542_9), (-1.0, 0.158_655_253_931_457_05), (0.005, 0.501_994_703_090_741)] {
        assert!((mta_theory::normal_tail::normal_cdf(t) - chance).abs() < 1e-15);
    }
}

//! P2 against the flows of all logits.

use crate::common::cases;
use mta_theory::clocks::{Clock, Collision, accuracy_at, late_error, rate, start_up, time};
use mta_theory::flow::integrate;
use mta_theory::price::{advantages, policy_gradient};
use mta_theory::simplex::{logit, softmax};
use proptest::collection::vec;
use proptest::prelude::*;

fn correct_mass(theta: &[f64], right: &[bool]) -> f64 {
    softmax(theta).iter().zip(right).filter(|&(_, &r)| r).map(|(p, _)| p).sum()
}

/// Slope of the logits under a clock.
fn slope(clock: Clock, theta: &[f64], right: &[bool]) -> Vec<f64> {
    let (p, r) = (softmax(theta), right.iter().map(|&r| f64::from(r)).collect::<Vec<_>>());
    let accuracy = correct_mass(theta, right);
    let deviation = (accuracy * (1.0 - accuracy)).sqrt();
    let (direction, divisor) = match clock {
        Clock::Pg => (policy_gradient(&p, &r), 1.0),
        Clock::PgStd => (policy_gradient(&p, &r), deviation),
        Clock::Npg => (advantages(&p, &r), 1.0),
        Clock::NpgStd => (advantages(&p, &r), deviation),
    };
    direction.iter().map(|d| d / divisor).collect()
}

/// Logits and correctness with at least one arm of each kind.
fn bandit() -> impl Strategy<Value = (Vec<f64>, Vec<bool>)> {
    (2usize..10)
        .prop_flat_map(|k| (vec(-3.0..3.0, k), vec(any::<bool>(), k)))
        .prop_filter("both kinds", |(_, right)| right.contains(&true) && right.contains(&false))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn accuracy_moves_at_the_rate((theta, right) in bandit()) {
        let p = softmax(&theta);
        let collision = Collision::of(&p, &right).unwrap();
        for clock in Clock::ALL {
            let d = slope(clock, &theta, &right);
            let at = |h: f64| correct_mass(&theta.iter().zip(&d).map(|(t, d)| t + h * d).collect::<Vec<_>>(), &right);
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            prop_assert!((difference - rate(clock, at(0.0), collision)).abs() < 1e-7);
        }
    }

    #[test]
    fn time_and_accuracy_are_inverse(p0 in 1e-6..0.9, p in 1e-6..0.999, arms in 2u32..100) {
        let arms = f64::from(arms);
        for clock in Clock::ALL {
            let t = time(clock, p0, p, arms);
            prop_assert!((accuracy_at(clock, p0, t, arms) / p - 1.0).abs() < 1e-8 * (1.0 + p0 / p));
        }
    }

    #[test]
    fn a_natural_step_adds_its_length_to_the_log_odds((theta, right) in bandit(), eta in 0.0..1.0f64, youden in -1.0..1.0f64) {
        let rewards: Vec<f64> = right.iter().map(|&r| 0.5 + youden * (f64::from(r) - 0.5)).collect();
        let a = advantages(&softmax(&theta), &rewards);
        let next: Vec<f64> = theta.iter().zip(&a).map(|(t, a)| t + eta * a).collect();
        let odds = |theta: &[f64]| logit(correct_mass(theta, &right));
        prop_assert!((odds(&next) - odds(&theta) - eta * youden).abs() < 1e-12);
    }

    #[test]
    fn flows_of_the_logits_keep_the_clocks(p0 in 0.02..0.5, arms in 2usize..7, t in 0.1..2.0f64) {
        let mut start = vec![0.0; arms];
        start[0] = logit(p0) + ((arms - 1) as f64).ln();
        let right: Vec<bool> = (0..arms).map(|i| i == 0).collect();
        for clock in Clock::ALL {
            let t = if clock == Clock::NpgStd { t.min(0.9 * time(clock, p0, 1.0, 2.0)) } else { t };
            let field = |theta: &[f64], d: &mut [f64]| d.copy_from_slice(&slope(clock, theta, &right));
            let end = integrate(field, &start, t, 1e-12).unwrap();
            prop_assert!((correct_mass(&end, &right) - accuracy_at(clock, p0, t, arms as f64)).abs() < 1e-9);
        }
    }

    #[test]
    fn with_two_arms_the_invariant_grows_like_time(u0 in -4.0..2.0, t in 0.0..40.0) {
        let right = [true, false];
        let field = |theta: &[f64], d: &mut [f64]| d.copy_from_slice(&slope(Clock::Pg, theta, &right));
        let end = integrate(field, &[u0, 0.0], t, 1e-12).unwrap();
        let clock = |u: f64| u + u.sinh();
        prop_assert!((clock(end[0] - end[1]) - clock(u0) - t).abs() < 1e-8);
    }
}

#[test]
fn the_way_back_takes_as_long_and_the_last_clock_stops() {
    let there = time(Clock::Npg, 1e-10, 0.9, 3.0);
    assert!((time(Clock::Npg, 0.9, 1e-10, 3.0) / there + 1.0).abs() < 1e-13);
    let two = Collision::symmetric(2.0);
    assert_eq!((start_up(Clock::NpgStd, 0.01, two), late_error(Clock::NpgStd, 0.5, 5.0, two)), (std::f64::consts::PI, 0.0));
    assert!(Collision::of(&[0.005, 0.995], &[true, false]).is_some());
}

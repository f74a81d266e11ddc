//! The optimum moves no further than its bound (P20).

use crate::common;
use mta_theory::simplex::softmax;
use mta_theory::stability::*;
use proptest::prelude::*;

fn arms(size: f64) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-size..size, 6)
}

proptest! {
    #![proptest_config(common::cases())]

    #[test]
    fn optima_move_less_than_the_bound(l in arms(4.0), r in arms(1.0), dl in arms(2.0), dr in arms(1.0), beta in 0.05..5.0f64) {
        let add = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + b).collect::<Vec<_>>();
        let (before, after) = (tilt(&l, &r, beta), tilt(&add(&l, &dl), &add(&r, &dr), beta));
        prop_assert!(total_variation(&before, &after) <= distance_bound(span(&dl, &dr, beta)) + 1e-12);
    }

    #[test]
    fn two_points_attain_the_bound(span in 0.0..20.0f64) {
        let x = extremal_share(span);
        let before = [x.ln(), (-x).ln_1p()];
        let moved = total_variation(&softmax(&before), &tilt(&before, &[span, 0.0], 1.0));
        prop_assert!((moved - distance_bound(span)).abs() < 1e-14);
    }

    /// Finite differences of the optimum's log-odds in the prior's.
    #[test]
    fn condition_numbers_are_slopes(l in -3.0..3.0f64, beta in 1.1..5.0f64) {
        let h = 1e-3;
        let slope = |odds: &dyn Fn(f64) -> f64| (odds(l + h) - odds(l - h)) / (2.0 * h);
        let logit = |p: Vec<f64>| (p[0] / p[1]).ln();
        let task = slope(&|l| logit(tilt(&[l, 0.0], &[1.0, 0.0], beta)));
        let fixed = slope(&|l| logit(tilt(&[l, 0.0], &[l, 0.0], beta)));
        prop_assert!((task - condition(Objective::Task, beta)).abs() < 1e-9);
        prop_assert!((fixed - condition(Objective::FixedLogPrior, beta)).abs() < 1e-9);
    }
}

#[test]
fn conditions_are_those_stated() {
    assert_eq!((condition(Objective::Task, 0.3), condition(Objective::SelfReward, 3.0)), (1.0, 1.5));
    assert!((condition(Objective::SelfReward, 1.005) - 201.0).abs() < 1e-10);
}

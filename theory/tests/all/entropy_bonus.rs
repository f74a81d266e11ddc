//! P38: the flow, its end, the rates, and the group standard deviation against the bonus.

use crate::common;
use mta_theory::entropy_bonus::*;
use mta_theory::flow::integrate;
use mta_theory::leash::group_std_drift;
use mta_theory::simplex::{covariance, entropy, expectation, sigmoid, softmax};
use proptest::prelude::*;

fn logits() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-3.0f64..3.0, 2..7)
}

/// `r_i - h log p_i`.
fn force(p: &[f64], r: &[f64], bonus: f64) -> Vec<f64> {
    p.iter().zip(r).map(|(p, r)| r - bonus * p.ln()).collect()
}

/// Gradient of the objective in the logits.
fn gradient(theta: &[f64], r: &[f64], bonus: f64) -> Vec<f64> {
    let p = softmax(theta);
    let force = force(&p, r, bonus);
    let mean = expectation(&p, &force);
    p.iter().zip(&force).map(|(p, f)| p * (f - mean)).collect()
}

fn objective(p: &[f64], r: &[f64], bonus: f64) -> f64 {
    expectation(p, r) + bonus * entropy(p)
}

fn right_first(p: &[f64], right: usize) -> (Vec<bool>, Vec<f64>) {
    let correct: Vec<bool> = (0..p.len()).map(|i| i < right).collect();
    let r = correct.iter().map(|&c| f64::from(c)).collect();
    (correct, r)
}

proptest! {
    #![proptest_config(common::cases())]

    #[test]
    fn the_natural_flow_is_the_closed_form(theta in logits(), r in prop::collection::vec(-1.0f64..1.0, 6), bonus in 0.0..3.0f64, t in 0.0..3.0f64) {
        let (k, p0) = (theta.len(), softmax(&theta));
        let field = |x: &[f64], dx: &mut [f64]| dx.copy_from_slice(&force(&softmax(x), &r[..k], bonus));
        let end = softmax(&integrate(field, &theta, t, 1e-12).unwrap());
        for (found, expected) in end.iter().zip(policy_at(&p0, &r, bonus, t)) {
            prop_assert!((found - expected).abs() < 1e-8, "{found} {expected}");
        }
    }

    /// The gradient vanishes there, and no policy is better.
    #[test]
    fn the_end_is_the_one_optimum(theta in logits(), r in prop::collection::vec(-1.0f64..1.0, 6), bonus in 0.02..3.0f64) {
        let r = &r[..theta.len()];
        let end = fixed_point(r, bonus);
        let scaled: Vec<f64> = r.iter().map(|r| r / bonus).collect();
        prop_assert!(gradient(&scaled, r, bonus).iter().all(|g| g.abs() < 1e-12));
        prop_assert!(objective(&softmax(&theta), r, bonus) <= objective(&end, r, bonus) + 1e-12);
    }

    #[test]
    fn the_ceiling_is_the_accuracy_of_the_end(right in 1usize..4, wrong in 1usize..6, bonus in 0.02..3.0f64) {
        let (_, r) = right_first(&vec![0.0; right + wrong], right);
        let p: f64 = fixed_point(&r, bonus)[..right].iter().sum();
        let (c, w) = (right as f64, wrong as f64);
        prop_assert!((p - ceiling(c, w, bonus)).abs() < 1e-12);
        prop_assert!((largest_bonus(p, c, w).unwrap() / bonus - 1.0).abs() < 1e-9 / (1.0 - p));
    }

    /// Central differences along the natural flow.
    #[test]
    fn accuracy_moves_at_its_rate(theta in logits(), bonus in 0.0..3.0f64) {
        let p = softmax(&theta);
        let (correct, r) = right_first(&p, 1);
        let h = 1e-5;
        let (ahead, back) = (policy_at(&p, &r, bonus, h)[0], policy_at(&p, &r, bonus, -h)[0]);
        prop_assert!(((ahead - back) / (2.0 * h) - accuracy_rate(&p, &correct, bonus)).abs() < 1e-8);
    }

    /// P3 no longer conserves: central differences along policy gradient, and the gap of equally right arms always closes.
    #[test]
    fn the_invariant_decays(theta in prop::collection::vec(-2.0f64..2.0, 3..7), bonus in 0.0..3.0f64) {
        let (_, r) = right_first(&theta, 2);
        let (h, slope) = (1e-5, gradient(&theta, &r, bonus));
        let invariant = |h: f64| (-theta[0] - h * slope[0]).exp() - (-theta[1] - h * slope[1]).exp();
        let rate = invariant_rate(&theta, 0, 1, bonus);
        prop_assert!(((invariant(h) - invariant(-h)) / (2.0 * h) - rate).abs() < 1e-7);
        prop_assert!(rate * invariant(0.0) <= 0.0 && (slope[0] - slope[1]).is_finite());
    }

    /// A small gap between two right arms at the end of policy gradient.
    #[test]
    fn small_gaps_decay_at_the_rate(right in 2usize..4, wrong in 1usize..5, bonus in 0.1..3.0f64) {
        let (_, r) = right_first(&vec![0.0; right + wrong], right);
        let mut theta: Vec<f64> = r.iter().map(|r| r / bonus).collect();
        theta[0] += 1e-6;
        let slope = gradient(&theta, &r, bonus);
        let [_, rate] = equalising_rates(right as f64, wrong as f64, bonus);
        prop_assert!(((slope[1] - slope[0]) / 1e-6 / rate - 1.0).abs() < 1e-4);
    }

    /// With group std: at an equilibrium all arms feel one force; below the critical bonus the right arms are pushed up from every accuracy.
    #[test]
    fn group_std_against_the_bonus(right in 1usize..4, wrong in 1usize..6, over in 0.3..3.0f64) {
        let (c, w) = (right as f64, wrong as f64);
        let bonus = critical_bonus(c, w) * over;
        let found = group_std_equilibria(c, w, bonus);
        prop_assert!(found.is_some() == (over >= 1.0) || (over - 1.0).abs() < 1e-9);
        let at = |u: f64| {
            let p = sigmoid(u);
            let policy: Vec<f64> = (0..right + wrong).map(|i| if i < right { p / c } else { (1.0 - p) / w }).collect();
            let (_, r) = right_first(&policy, right);
            let std = covariance(&policy, &r, &r).sqrt();
            let scaled: Vec<f64> = r.iter().map(|r| r / std).collect();
            let force = force(&policy, &scaled, bonus);
            force[0] - force[right]
        };
        let tilt = (c / w).ln();
        prop_assert!((at(0.7) - group_std_drift(0.7, tilt, bonus)).abs() < 1e-9);
        match found {
            Some(e) => prop_assert!(at(e.stable).abs() < 1e-7 * (1.0 + bonus) && at(e.stable - 0.01) > 0.0),
            None => prop_assert!((-200..200).all(|i| at(f64::from(i) * 0.1) > 0.0)),
        }
    }
}

/// A base model that knows more than its ceiling forgets at every moment: from 0.6 accuracy only falls, to the ceiling.
#[test]
fn accuracy_falls_to_a_ceiling_below_the_start() {
    let (p0, r, bonus) = ([0.6, 0.2, 0.2], [1.0, 0.0, 0.0], 1.5);
    let accuracy: Vec<f64> = (0..200).map(|i| policy_at(&p0, &r, bonus, 0.05 * f64::from(i))[0]).collect();
    let end = ceiling(1.0, 2.0, bonus);
    assert!(accuracy[0] > end && (accuracy[199] - end).abs() < 1e-6 && accuracy.is_sorted_by(|a, b| a >= b));
}

/// Chance suffices for a target up to its own; a target just above allows a large bonus.
#[test]
fn targets_at_chance_allow_every_bonus() {
    assert_eq!((largest_bonus(0.5, 1.0, 1.0), largest_bonus(0.5, 2.0, 1.0)), (None, None));
    assert!((largest_bonus(0.5, 1.0, 1.005).unwrap() * 1.005f64.ln() - 1.0).abs() < 1e-12);
}

/// No bonus is P2's tilt.
#[test]
fn without_a_bonus_the_flow_tilts() {
    assert!((policy_at(&[0.5, 0.5], &[1.0, 0.0], 0.0, 2.0)[0] - sigmoid(2.0)).abs() < 1e-15);
}

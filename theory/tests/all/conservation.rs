//! P3 along integrated flows.

use crate::common::cases;
use mta_theory::conservation::{invariant, limit_logit, shares_after, survives};
use mta_theory::flow::integrate;
use mta_theory::price::{advantages, policy_gradient};
use mta_theory::simplex::softmax;
use proptest::collection::vec;
use proptest::prelude::*;

/// PG of a 0/1 reward on `right`, with every slope times `scale(accuracy)`.
fn gradient_flow(theta: &[f64], right: &[bool], end: f64, scale: impl Fn(f64) -> f64) -> Vec<f64> {
    let r: Vec<f64> = right.iter().map(|&r| f64::from(r)).collect();
    let field = |theta: &[f64], d: &mut [f64]| {
        let p = softmax(theta);
        let accuracy: f64 = p.iter().zip(&r).map(|(p, r)| p * r).sum();
        let g = policy_gradient(&p, &r);
        d.iter_mut().zip(g).for_each(|(d, g)| *d = scale(accuracy) * g);
    };
    integrate(field, theta, end, 1e-11).unwrap()
}

/// At least two correct arms, and a wrong one.
fn bandit() -> impl Strategy<Value = (Vec<f64>, Vec<bool>)> {
    (3usize..8).prop_flat_map(|k| (vec(-2.0..2.0, k), (2..k).prop_map(move |m| (0..k).map(|i| i < m).collect())))
}

fn pairs(right: &[bool]) -> impl Iterator<Item = (usize, usize)> {
    let k = right.len();
    (0..k).flat_map(move |i| (0..i).map(move |j| (i, j))).filter(|&(i, j)| right[i] == right[j])
}

fn conserves(start: &[f64], end: &[f64], right: &[bool]) -> Result<(), TestCaseError> {
    for (i, j) in pairs(right) {
        let (before, after) = (invariant(start[i], start[j]), invariant(end[i], end[j]));
        let size = (-start[i]).exp().max((-start[j]).exp()).max((-end[i]).exp()).max((-end[j]).exp());
        prop_assert!((before - after).abs() < 1e-8 * size, "{before} became {after}");
        prop_assert!((start[i] - start[j]) * (end[i] - end[j]) >= 0.0, "the order changed");
    }
    prop_assert!((start.iter().sum::<f64>() - end.iter().sum::<f64>()).abs() < 1e-10);
    Ok(())
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn arms_of_equal_reward_conserve_their_difference((start, right) in bandit()) {
        conserves(&start, &gradient_flow(&start, &right, 20.0, |_| 1.0), &right)?;
        conserves(&start, &gradient_flow(&start, &right, 20.0, |p| 1.0 / (p * (1.0 - p)).sqrt()), &right)?;
        conserves(&start, &gradient_flow(&start, &right, 20.0, |_| -0.3), &right)?;
    }

    #[test]
    fn the_natural_gradient_conserves_ratios((start, right) in bandit(), eta in 0.0..1.0f64) {
        let r: Vec<f64> = right.iter().map(|&r| f64::from(r)).collect();
        let end: Vec<f64> = start.iter().zip(advantages(&softmax(&start), &r)).map(|(t, a)| t + eta * a).collect();
        for (i, j) in pairs(&right) {
            prop_assert!((start[i] - start[j] - end[i] + end[j]).abs() < 1e-14 * 10.0);
        }
    }
}

/// F11: exact PG collapses onto one correct arm with no sampling noise, while NPG keeps the ratios for ever.
#[test]
fn flag_f11_exact_policy_gradient_keeps_one_solution() {
    let (start, right) = ([0.0, 0.4, -0.6, 0.5], [true, true, true, false]);
    let end = gradient_flow(&start, &right, 1e10, |_| 1.0);
    for i in [0, 2] {
        assert!(!survives(&start, &right, i));
        assert!((end[i] - limit_logit(start[i], start[1]).unwrap()).abs() < 1e-4);
    }
    let p = softmax(&end);
    assert!(p[1] > 0.9998 && p[0] < 1e-4, "{p:?}");
    let ratio = |theta: &[f64]| (theta[1] - theta[0]).exp();
    let natural = |theta: &[f64], d: &mut [f64]| d.copy_from_slice(&advantages(&softmax(theta), &[1.0, 1.0, 1.0, 0.0]));
    let end = integrate(natural, &start, 50.0, 1e-12).unwrap();
    assert!((ratio(&end) / ratio(&start) - 1.0).abs() < 1e-12);
    assert!(softmax(&end)[0] > 0.3);
}

/// The sheet's 3.4%, 1.7%, .88%, .44% at eta = .4, .2, .1, .05 are for an unstated start; what they show is that the drift halves with the step.
#[test]
fn discrete_steps_drift_linearly_in_the_step() {
    let (start, r) = ([0.0, 0.4, -0.6, 0.5], [1.0, 1.0, 0.0, 0.0]);
    let drift = |eta: f64| {
        let mut theta = start.to_vec();
        for _ in 0..(20.0 / eta) as usize {
            let g = policy_gradient(&softmax(&theta), &r);
            theta.iter_mut().zip(g).for_each(|(t, g)| *t += eta * g);
        }
        (invariant(theta[0], theta[1]) / invariant(start[0], start[1]) - 1.0).abs()
    };
    for eta in [0.4, 0.2, 0.1] {
        let ratio = drift(eta) / drift(eta / 2.0);
        assert!((1.9..2.1).contains(&ratio), "{ratio}");
    }
    assert!(drift(0.4) > 1e-3);
}

#[test]
fn shares_follow_the_shift_while_every_arm_has_a_weight() {
    let shares = shares_after(&[0.0, 2f64.ln()], 0.5).unwrap();
    assert!((shares[0] - 0.4).abs() < 1e-15 && (shares[1] - 0.6).abs() < 1e-15);
    assert!(shares_after(&[-10.0, 0.0], 0.0).is_some() && shares_after(&[0.0, 1.0], -0.5).is_none());
}

//! Self-reward flows, integrated (P18, P19).

use crate::common;
use mta_theory::flow::integrate;
use mta_theory::self_reward::*;
use mta_theory::simplex::{entropy, softmax};
use proptest::prelude::*;

fn argmax(p: &[f64]) -> usize {
    (0..p.len()).max_by(|&i, &j| p[i].total_cmp(&p[j])).unwrap_or(0)
}

fn log(p: &[f64]) -> Vec<f64> {
    p.iter().map(|p| p.ln()).collect()
}

/// Natural-gradient flow of self-reward with a leash, in unnormalised log-probabilities.
fn leashed_flow(log_prior: &[f64], beta: f64, t: f64) -> Vec<f64> {
    let field = |theta: &[f64], slope: &mut [f64]| {
        let log_p = log(&softmax(theta));
        (0..theta.len()).for_each(|i| slope[i] = log_p[i] - beta * (log_p[i] - log_prior[i]));
    };
    softmax(&integrate(field, log_prior, t, 1e-11).unwrap())
}

proptest! {
    #![proptest_config(common::cases())]

    #[test]
    fn the_gradient_is_that_of_negative_entropy(theta in prop::collection::vec(-3.0..3.0f64, 2..7)) {
        let (h, gradient) = (1e-5, policy_gradient(&softmax(&theta)));
        for i in 0..theta.len() {
            let at = |h: f64| { let mut moved = theta.clone(); moved[i] += h; -entropy(&softmax(&moved)) };
            prop_assert!(((at(h) - at(-h)) / (2.0 * h) - gradient[i]).abs() < 1e-9);
        }
        let moved: Vec<f64> = theta.iter().zip(&gradient).map(|(t, g)| t + 1e-5 * g).collect();
        let back: Vec<f64> = theta.iter().zip(&gradient).map(|(t, g)| t - 1e-5 * g).collect();
        let rate = (entropy(&softmax(&moved)) - entropy(&softmax(&back))) / 2e-5;
        prop_assert!((rate - entropy_rate(&softmax(&theta))).abs() < 1e-9);
    }

    #[test]
    fn entropy_falls_and_the_mode_stays(theta in prop::collection::vec(-2.0..2.0f64, 2..5)) {
        let field = |theta: &[f64], slope: &mut [f64]| slope.copy_from_slice(&policy_gradient(&softmax(theta)));
        let (mut now, mut last) = (theta.clone(), entropy(&softmax(&theta)));
        for _ in 0..4 {
            now = integrate(field, &now, 2.0, 1e-9).unwrap();
            let after = entropy(&softmax(&now));
            prop_assert!(after <= last + 1e-9 && argmax(&now) == argmax(&theta));
            last = after;
        }
    }

    #[test]
    fn log_probabilities_are_affine_in_the_initial_ones(theta in prop::collection::vec(-2.0..2.0f64, 3), t in 0.0..1.5f64) {
        let start = log(&softmax(&theta));
        let (flow, closed) = (log(&leashed_flow(&start, 0.0, t)), log(&natural_flow(&start, t)));
        for i in 1..3 {
            prop_assert!((flow[i] - flow[0] - t.exp() * (start[i] - start[0])).abs() < 1e-8);
            prop_assert!((closed[i] - flow[i]).abs() < 1e-8);
        }
    }

    #[test]
    fn two_arms_take_the_time_of_the_integral(u0 in 0.01..3.0f64, more in 0.01..4.0f64) {
        let field = |u: &[f64], slope: &mut [f64]| slope[0] = u[0] / (1.0 + u[0].cosh());
        let end = integrate(field, &[u0], time_between(u0, u0 + more).unwrap(), 1e-12).unwrap();
        prop_assert!((end[0] - u0 - more).abs() < 1e-8);
    }

    #[test]
    fn a_leash_above_one_holds(theta in prop::collection::vec(-2.0..2.0f64, 2..6), beta in 1.05..5.0f64) {
        let log_prior = log(&softmax(&theta));
        let (flow, closed) = (leashed_flow(&log_prior, beta, 40.0 / (beta - 1.0)), leashed_optimum(&log_prior, beta).unwrap());
        prop_assert!(flow.iter().zip(&closed).all(|(a, b)| (a - b).abs() < 1e-6));
        prop_assert!(objective(&closed, &log_prior, beta) >= objective(&softmax(&theta.iter().rev().copied().collect::<Vec<_>>()), &log_prior, beta) - 1e-12);
        prop_assert!(objective(&closed, &log_prior, beta) >= objective(&softmax(&log_prior), &log_prior, beta) - 1e-12);
    }

    #[test]
    fn a_leash_below_one_does_not(theta in prop::collection::vec(-2.0..2.0f64, 2..6), beta in 0.05..0.95f64) {
        let log_prior = log(&softmax(&theta));
        let mut sorted = theta.clone();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let gap = sorted[0] - sorted[1];
        prop_assume!(gap > 1e-3);
        let t = (1e4 / gap).ln() / (1.0 - beta);
        let top = argmax(&theta);
        let ratio = |i: usize| leashed_log_ratio(log_prior[i] - log_prior[top], beta, t);
        let end = softmax(&(0..theta.len()).map(ratio).collect::<Vec<_>>());
        prop_assert!(argmax(&end) == top && end[top] > 0.999);
        let vertex = |i: usize, x: f64| {
            let p: Vec<f64> = (0..theta.len()).map(|j| if i == j { 1.0 - x } else { x / (theta.len() - 1) as f64 }).collect();
            objective(&p, &log_prior, beta)
        };
        // -inf slope needs tiny steps when beta is near 1
        let x = 1e-100;
        let slope = |i: usize| (1.0 - beta) * f64::ln(x) + beta * (theta[top] - log_prior[i]);
        prop_assert!((0..theta.len()).all(|i| slope(i) > 0.0 || vertex(i, x) <= vertex(i, 0.0)));
    }

    #[test]
    fn log_ratios_follow_the_leashed_flow(l0 in -2.0..2.0f64, beta in 0.1..3.0f64, t in 0.0..2.0f64) {
        let p = leashed_flow(&log(&softmax(&[l0, 0.0])), beta, t);
        prop_assert!(((p[0] / p[1]).ln() - leashed_log_ratio(l0, beta, t)).abs() < 1e-8);
    }
}

/// The objective is E log p - beta KL, and the fixed reward's optimum is the tilt by log p0.
#[test]
fn objectives_and_fixed_rewards_are_what_they_say() {
    let (p, log_prior) = ([0.5, 0.3, 0.2], log(&[0.2, 0.7, 0.1]));
    let mean_log: f64 = p.iter().map(|p| p * f64::ln(*p)).sum();
    let divergence: f64 = p.iter().zip(&log_prior).map(|(p, l)| p * (p.ln() - l)).sum();
    for beta in [0.3, 1.0, 2.5] {
        assert!((objective(&p, &log_prior, beta) - (mean_log - beta * divergence)).abs() < 1e-15);
        let tilted = mta_theory::stability::tilt(&log_prior, &log_prior, beta);
        assert!(fixed_reward_optimum(&log_prior, beta).iter().zip(tilted).all(|(a, b)| (a - b).abs() < 1e-14));
    }
}

/// Ties broken by 1e-6 either way end on opposite sides for beta = 1/2.
#[test]
fn below_one_the_outcome_jumps() {
    for (nudge, winner) in [(1e-6, 0), (-1e-6, 1)] {
        let log_prior = log(&softmax(&[nudge, 0.0]));
        assert!(leashed_flow(&log_prior, 0.5, 34.0)[winner] > 0.999);
    }
}

/// A uniform subset is left at the rate 1/m.
#[test]
fn ties_are_unstable() {
    for m in [2, 3, 8] {
        let mut theta = vec![0.0; m];
        (theta[0], theta[1]) = (1e-7, -1e-7);
        let gradient = policy_gradient(&softmax(&theta));
        assert!((gradient[0] / 1e-7 - tie_eigenvalue(m as f64)).abs() < 1e-6);
    }
}

#[test]
fn arms_without_mass_and_starts_at_a_tie_do_not_move() {
    assert_eq!(policy_gradient(&[1.0, 0.0]), [0.0, 0.0]);
    assert_eq!((time_between(0.0, 1.0), time_between(1.0, 1.0)), (None, Some(0.0)));
    let (from, to) = (7.3f64, 7.3000000000171);
    assert!(time_between(from, to).is_some_and(|t| (t / ((to - from) * (1.0 + from.cosh()) / from) - 1.0).abs() < 2e-9));
    assert!(time_between(0.005, 0.01).is_some_and(|t| (t - 2.0 * 2f64.ln()).abs() < 1e-4));
}

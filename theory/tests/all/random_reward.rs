//! Random rewards, enumerated and simulated (P11, P12).

use crate::common;
use mta_theory::random_reward::*;
use mta_theory::simplex::{sigmoid, softmax};
use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Digits 0..base of `code`.
fn digits(code: usize, base: usize, length: usize) -> Vec<usize> {
    (0..length).map(|j| code / base.pow(j as u32) % base).collect()
}

fn advantages(rewards: &[usize], standardised: bool) -> Vec<f64> {
    let g = rewards.len() as f64;
    let mean = rewards.iter().sum::<usize>() as f64 / g;
    let deviation = (mean * (1.0 - mean)).sqrt();
    let scale = if !standardised {
        1.0
    } else if deviation == 0.0 {
        0.0
    } else {
        1.0 / deviation
    };
    rewards.iter().map(|&r| (r as f64 - mean) * scale).collect()
}

/// What one step does on average: the change of logits, of probabilities and of log-probabilities.
struct Mean {
    theta: Vec<f64>,
    p: Vec<f64>,
    log_p: Vec<f64>,
}

/// Enumerates all actions and Bernoulli(rate) rewards of a group.
fn enumerate(theta: &[f64], group: usize, rate: f64, step: f64, standardised: bool) -> Mean {
    let (k, p) = (theta.len(), softmax(theta));
    let mut mean = Mean { theta: vec![0.0; k], p: vec![0.0; k], log_p: vec![0.0; k] };
    for rewards in (0..1 << group).map(|code| digits(code, 2, group)) {
        let a = advantages(&rewards, standardised);
        let chance: f64 = rewards.iter().map(|&r| if r == 1 { rate } else { 1.0 - rate }).product();
        for arms in (0..k.pow(group as u32)).map(|code| digits(code, k, group)) {
            let weight = chance * arms.iter().map(|&i| p[i]).product::<f64>();
            let total: f64 = a.iter().sum();
            let push = |i: usize| arms.iter().zip(&a).filter(|(arm, _)| **arm == i).map(|(_, a)| a).sum::<f64>();
            let change: Vec<f64> = (0..k).map(|i| step / group as f64 * (push(i) - total * p[i])).collect();
            let after = softmax(&theta.iter().zip(&change).map(|(t, d)| t + d).collect::<Vec<_>>());
            for i in 0..k {
                mean.theta[i] += weight * change[i];
                mean.p[i] += weight * (after[i] - p[i]);
                mean.log_p[i] += weight * (after[i] / p[i]).ln();
            }
        }
    }
    mean
}

proptest! {
    #![proptest_config(common::cases())]

    #[test]
    fn enumeration_agrees(
        theta in prop::collection::vec(-2.0..2.0f64, 2..=4), group in 2..=3usize, rate in 0.1..0.9f64, step in 0.02..0.1f64, standardised: bool
    ) {
        let p = softmax(&theta);
        let v = if standardised { second_moment_group_std(rate, group as f64) } else { second_moment_group_mean(rate, group as f64) };
        let kappa = noise_rate(step, v, group as f64);
        let mean = enumerate(&theta, group, rate, step, standardised);
        let predicted = drift(&p, kappa);
        for (i, predicted) in predicted.iter().enumerate() {
            prop_assert!(mean.theta[i].abs() < 1e-14);
            let error = (mean.p[i] - predicted) / (step * step);
            prop_assert!(error.abs() < THIRD_ORDER * step, "{error} at {step}");
            prop_assert!((mean.log_p[i] - mean.log_p[0]).abs() < 1e-12);
            prop_assert!((mean.log_p[i] - log_drift(&p, kappa)).abs() < 10.0 * THIRD_ORDER * step.powi(3));
        }
    }

    #[test]
    fn drifts_add_up_to_nothing(theta in prop::collection::vec(-700.0..2.0f64, 1..30)) {
        let drift = drift(&softmax(&theta), 1.0);
        prop_assert!(drift.iter().sum::<f64>().abs() < 1e-16);
    }

    #[test]
    fn exit_times_solve_their_equation(u in -3.0..3.0f64, below in 0.5..3.0f64, above in 0.5..3.0f64) {
        let time = |u: f64| mean_exit_time(u, -3.0 - below, 3.0 + above, 0.01);
        let h = 1e-3;
        let curvature = (time(u + h) - 2.0 * time(u) + time(u - h)) / (h * h);
        prop_assert!((0.5 * logit_variance(sigmoid(u), 0.01) * curvature + 1.0).abs() < 1e-5);
    }

    /// The drift of p is Ito's term of the diffusion of u.
    #[test]
    fn ito_connects_logits_and_probabilities(u in -6.0..6.0f64) {
        let (h, kappa, p) = (1e-3, 0.01, sigmoid(u));
        let curvature = (sigmoid(u + h) - 2.0 * p + sigmoid(u - h)) / (h * h);
        let ito = 0.5 * logit_variance(p, kappa) * curvature;
        prop_assert!((drift(&[p, 1.0 - p], kappa)[0] - ito).abs() < 1e-9);
    }
}

/// Bound on the coefficient of the next order, which does not vanish where rewards are skewed.
const THIRD_ORDER: f64 = 1e-3;

#[test]
fn flag_f1_random_rewards_move_accuracy_at_second_order() {
    let mean = enumerate(&[0.0, -(4.0f64).ln()], 3, 0.5, 0.05, false);
    assert!(mean.theta[0].abs() < 1e-17 && (mean.p[0] + 4.267e-6).abs() < 1e-9, "{}", mean.p[0]);
    let mut rng = SmallRng::seed_from_u64(11);
    let draws: Vec<(bool, bool)> = (0..20_000).map(|_| shrinking(&uniform_simplex(&mut rng))).collect();
    let share = |pick: fn(&(bool, bool)) -> bool| draws.iter().filter(|d| pick(d)).count() as f64 / draws.len() as f64;
    assert!((share(|d| d.0) - 0.86).abs() < 0.01, "the rarest arm shrinks in {}", share(|d| d.0));
    assert!((share(|d| d.1) - 0.63).abs() < 0.01, "the mode shrinks in {}", share(|d| d.1));
}

/// A uniform point of the simplex of 3 to 9 arms.
fn uniform_simplex(rng: &mut SmallRng) -> Vec<f64> {
    let k = rng.random_range(3..=9);
    let weights: Vec<f64> = (0..k).map(|_| -(1.0 - rng.random::<f64>()).ln()).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|w| w / sum).collect()
}

/// Whether the rarest arm and the mode shrink.
fn shrinking(p: &[f64]) -> (bool, bool) {
    let drift = drift(p, 1.0);
    let arms = || 0..p.len();
    let rarest = arms().min_by(|&i, &j| p[i].total_cmp(&p[j])).unwrap_or(0);
    let mode = arms().max_by(|&i, &j| p[i].total_cmp(&p[j])).unwrap_or(0);
    (drift[rarest] < 0.0, drift[mode] < 0.0)
}

/// Mean and standard error.
fn mean_and_error(x: &[f64]) -> (f64, f64) {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

/// `logit p` after `steps` single-sample steps with advantages of +1 or -1.
fn softmax_run(rng: &mut SmallRng, u0: f64, step: f64, steps: usize) -> f64 {
    (0..steps).fold(u0, |u, _| {
        let p = sigmoid(u);
        let (first, good): (bool, bool) = (rng.random::<f64>() < p, rng.random());
        u + 2.0 * step * if good { 1.0 } else { -1.0 } * (f64::from(first) - p)
    })
}

#[test]
fn logits_do_not_drift_while_accuracy_moves_to_one_half() {
    let mut rng = SmallRng::seed_from_u64(12);
    let u0 = -4f64.ln();
    let ends: Vec<f64> = (0..10_000).map(|_| softmax_run(&mut rng, u0, 0.1, 1000)).collect();
    let (mean, error) = mean_and_error(&ends);
    assert!((mean - u0).abs() < 4.0 * error, "{mean} +- {error}");
    let (accuracy, error) = mean_and_error(&ends.iter().map(|&u| sigmoid(u)).collect::<Vec<_>>());
    assert!(accuracy > 0.2 + 4.0 * error, "{accuracy} +- {error}");
    let below = ends.iter().filter(|&&u| u < u0).count();
    assert!(below > ends.len() / 2, "the median runs to the initial majority's side");
}

#[test]
fn exits_happen_with_the_chance_and_at_the_time_of_the_diffusion() {
    let mut rng = SmallRng::seed_from_u64(13);
    let (low, high, step) = (-1.0, 2.0, 0.02);
    let runs: Vec<(f64, f64)> = (0..1000)
        .map(|_| {
            let (mut u, mut steps) = (0.0, 0.0);
            while low < u && u < high {
                u = softmax_run(&mut rng, u, step, 1);
                steps += 1.0;
            }
            (f64::from(u >= high), steps)
        })
        .collect();
    let (chance, error) = mean_and_error(&runs.iter().map(|r| r.0).collect::<Vec<_>>());
    assert!((chance - chance_of_high_exit(0.0, low, high)).abs() < 4.0 * error + step);
    let (time, error) = mean_and_error(&runs.iter().map(|r| r.1).collect::<Vec<_>>());
    let predicted = mean_exit_time(0.0, low, high, noise_rate(step, 1.0, 1.0));
    assert!((time - predicted).abs() < 4.0 * error + 2.0 * step * predicted, "{time} +- {error}, {predicted}");
}

#[test]
fn linear_updates_fixate_neutrally() {
    let mut rng = SmallRng::seed_from_u64(14);
    let step = 0.01;
    let runs: Vec<f64> = (0..10_000)
        .map(|_| {
            (0..2000).fold(0.2, |p, _| {
                let (first, good): (bool, bool) = (rng.random::<f64>() < p, rng.random());
                (p + step * if good { 1.0 } else { -1.0 } * (f64::from(first) - p)).clamp(0.0, 1.0)
            })
        })
        .collect();
    let (mean, error) = mean_and_error(&runs);
    assert!((mean - 0.2).abs() < 4.0 * error, "{mean} +- {error}");
    let (spread, error) = mean_and_error(&runs.iter().map(|p| p * (1.0 - p)).collect::<Vec<_>>());
    assert!((spread - heterozygosity(0.2, noise_rate(step, 1.0, 1.0), 2000.0)).abs() < 4.0 * error, "{spread} +- {error}");
}

#[test]
fn spread_is_the_same_for_rare_failures_and_none_for_single_samples() {
    let rare = 0.5f64.powi(40);
    assert!((second_moment_group_std(1.0 - rare, 4.0) / second_moment_group_std(rare, 4.0) - 1.0).abs() < 1e-14);
    assert_eq!(second_moment_group_std(0.3, 1.0), 0.0);
}

#[test]
fn a_dominant_first_arm_keeps_the_digits_of_its_drift() {
    let rare = 0.5f64.powi(30);
    let drift = drift(&[1.0 - rare, rare], 1.0);
    assert!((drift[0] / (2.0 * (rare * (1.0 - rare)).powi(2) * (2.0 * rare - 1.0)) - 1.0).abs() < 1e-12);
}

//! P39: speeds by enumeration of groups, flow times by integration, and where three arms break the rule of two.

use crate::common;
use mta_theory::adam::{grpo_speeds, hitting_times, nsr_speed, psr_speed, sign_speeds, speed};
use mta_theory::flow::integrate;
use mta_theory::simplex::{logit, sigmoid, softmax};
use proptest::prelude::*;

/// All groups of `size` draws from `p`, as (chance, draws).
fn groups(p: &[f64], size: usize) -> Vec<(f64, Vec<usize>)> {
    let digits = |n: usize| (0..size).map(move |i| n / p.len().pow(i as u32) % p.len()).collect::<Vec<_>>();
    (0..p.len().pow(size as u32)).map(digits).map(|d| (d.iter().map(|&i| p[i]).product(), d)).collect()
}

/// Speed of logit `k` when draw `i` of a group with `right` draws of arm 0 has advantage `advantage(i, right)`.
fn enumerated(p: &[f64], size: usize, k: usize, advantage: &dyn Fn(usize, f64) -> f64) -> [f64; 2] {
    let (mut mean, mut square, mut sign) = (0.0, 0.0, 0.0);
    for (chance, draws) in groups(p, size) {
        let right = draws.iter().filter(|&&i| i == 0).count() as f64;
        let g: f64 = draws.iter().map(|&i| advantage(i, right) * (f64::from(i == k) - p[k])).sum::<f64>() / size as f64;
        mean += chance * g;
        square += chance * g * g;
        sign += chance * if g == 0.0 { 0.0 } else { g.signum() };
    }
    [speed(mean, square, 0.0), sign]
}

/// GRPO's advantage over groups of `g`, its positive part, and its negative part.
fn parts(g: f64) -> [Box<dyn Fn(usize, f64) -> f64>; 3] {
    let plus = move |n: f64| if n < g { ((g - n) / n).sqrt() } else { 0.0 };
    let minus = move |n: f64| if n > 0.0 { -(n / (g - n)).sqrt() } else { 0.0 };
    [
        Box::new(move |i, n| if i == 0 { plus(n) } else { minus(n) }),
        Box::new(move |i, n| if i == 0 { plus(n) } else { 0.0 }),
        Box::new(move |i, n| if i == 0 { 0.0 } else { minus(n) }),
    ]
}

proptest! {
    #![proptest_config(common::cases())]

    #[test]
    fn raw_speeds_by_enumeration(p in 0.01..0.99f64, size in 1usize..7) {
        let policy = [p, 1.0 - p];
        let [psr, psr_sign] = enumerated(&policy, size, 0, &|i, _| f64::from(i == 0));
        let [nsr, nsr_sign] = enumerated(&policy, size, 0, &|i, _| -f64::from(i != 0));
        prop_assert!((psr - psr_speed(p, size as f64)).abs() < 1e-12);
        prop_assert!((nsr - nsr_speed(p, size as f64)).abs() < 1e-12);
        let signs = sign_speeds(p, size as f64);
        prop_assert!((psr_sign - signs[0]).abs() < 1e-12 && (nsr_sign - signs[1]).abs() < 1e-12);
        prop_assert!((psr < nsr) == (p < 0.5), "a weak model learns faster from negatives");
    }

    /// Positives, negatives and both: one speed of the right logit, for any number of wrong arms.
    #[test]
    fn parts_of_grpo_move_alike(theta in prop::collection::vec(-2.0f64..2.0, 2..5), size in 2usize..5) {
        let p = softmax(&theta);
        let expected = grpo_speeds(p[0], size as u32, 0.0);
        for (part, expected) in parts(size as f64).iter().zip(expected) {
            let [found, sign] = enumerated(&p, size, 0, part);
            prop_assert!((found - expected).abs() < 1e-12, "{found} {expected}");
            prop_assert!((sign - sign_speeds(p[0], size as f64)[2]).abs() < 1e-12);
        }
    }

    /// The constant in the root brings P27's shares back.
    #[test]
    fn a_floor_restores_the_shares(p in 0.01..0.99f64, size in 2u32..64) {
        let [both, positive, negative] = grpo_speeds(p, size, 1e9);
        prop_assert!((positive / both - (1.0 - p)).abs() < 1e-6 && (negative / both - p).abs() < 1e-6);
        let [none, ..] = grpo_speeds(p, size, 0.0);
        prop_assert!(none <= 1.0 + 1e-12);
    }

    #[test]
    fn times_are_those_of_the_flow(p0 in 0.02..0.5f64, group in 1.0..64.0f64, time in 0.1..2.0f64) {
        let end = |speed: &dyn Fn(f64) -> f64| sigmoid(integrate(|u, du| du[0] = 2.0 * speed(sigmoid(u[0])), &[logit(p0)], time, 1e-12).unwrap()[0]);
        let psr = hitting_times(p0, end(&|p| psr_speed(p, group)), group)[0];
        let nsr = hitting_times(p0, end(&|p| nsr_speed(p, group)), group)[1];
        prop_assert!((psr - time).abs() < 1e-8 && (nsr - time).abs() < 1e-8, "{psr} {nsr} {time}");
    }
}

/// Dropping "two arms": with three, the right logit still moves alike, but the wrong ones do not. Positives lower both by the same step however unlike they are;
/// negatives lower the larger one faster. So logit p gains differently, and the parts of GRPO are no longer the same training.
#[test]
fn wrong_arms_tell_the_parts_of_grpo_apart() {
    let p = [0.1, 0.8, 0.1];
    let [_, positive, negative] = parts(2.0);
    let speeds = |part: &dyn Fn(usize, f64) -> f64| [1, 2].map(|k| enumerated(&p, 2, k, part)[0]);
    let [large, small] = speeds(&positive);
    assert!((large - small).abs() < 1e-12 && (large + 0.18f64.sqrt()).abs() < 1e-12);
    let [large, small] = speeds(&negative);
    assert!((large + 0.008 / 0.0048f64.sqrt()).abs() < 1e-12 && (small + 0.001 / 0.00445f64.sqrt()).abs() < 1e-12, "{large} {small}");
}

#[test]
fn a_floor_adds_to_the_root() {
    assert_eq!(speed(1.0, 4.0, 3.0), 0.2);
}

/// Large batches move at the learning rate.
#[test]
fn large_batches_need_half_the_change_of_logit() {
    assert!((hitting_times(0.2, 0.6, 8.0)[2] - 0.5 * 6f64.ln()).abs() < 1e-15);
}

#[test]
fn a_target_that_is_the_start_takes_no_time() {
    assert_eq!((mta_theory::adam::P39.evaluate)(&[0.3, 8.0, 0.0, 0.3])[7..], [Some(0.0); 2]);
}

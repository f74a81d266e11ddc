//! P31: identities of the ceiling, and tabular GRPO that cannot exceed it.

use crate::common;
use mta_theory::ceiling::{ceiling, never_updated, tail_miss, unhit};
use mta_theory::simplex::sigmoid;
use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

proptest! {
    #![proptest_config(common::cases())]

    #[test]
    fn ceiling_is_hit_or_lucky(p in 0.0f64..1.0, samples in 0u32..1000) {
        let miss = unhit(p, f64::from(samples));
        prop_assert!((ceiling(p, f64::from(samples)) - (1.0 - miss + p * miss)).abs() < 1e-12);
    }

    #[test]
    fn never_updated_contains_unhit(p in 0.0f64..1.0, group in 1u32..64, steps in 0u32..64) {
        let (g, s) = (f64::from(group), f64::from(steps));
        prop_assert!(never_updated(p, g, s) >= unhit(p, g * s) * (1.0 - 1e-12));
        prop_assert!((never_updated(p, g, s) - (p.powf(g) + (1.0 - p).powf(g)).powf(s)).abs() < 1e-12);
    }

    #[test]
    fn tail_miss_agrees_with_its_definition(mu in 0.0f64..1.0, share in 0.0f64..1.0, group in 1i32..64) {
        let tau = mu * share;
        let direct = (1.0 - tau).powi(group) - (mu - tau).powi(group) - (1.0 - mu).powi(group);
        prop_assert!((tail_miss(mu, tau, f64::from(group)) - direct).abs() < 1e-13);
    }
}

/// The success chance after `steps` of GRPO on two arms, with a bold learning rate.
fn trained(p: f64, group: u32, steps: u32, rng: &mut SmallRng) -> f64 {
    let mut u = (p / (1.0 - p)).ln();
    for _ in 0..steps {
        let hits = (0..group).filter(|_| rng.random::<f64>() < sigmoid(u)).count() as f64 / f64::from(group);
        u += 4.0 * (hits * (1.0 - hits)).sqrt();
    }
    sigmoid(u)
}

#[test]
fn tabular_training_stays_below_the_ceiling() {
    let mut rng = SmallRng::seed_from_u64(31);
    for (p, group, steps) in [(0.001, 8, 40), (0.01, 4, 20), (0.05, 8, 5), (0.3, 2, 3)] {
        let runs: Vec<f64> = (0..20_000).map(|_| trained(p, group, steps, &mut rng)).collect();
        let mean = runs.iter().sum::<f64>() / 2e4;
        let top = ceiling(p, f64::from(group * steps));
        assert!(mean <= top + 4.0 * (top * (1.0 - top) / 2e4).sqrt(), "{p}: {mean} {top}");
    }
}

/// A prompt without a success keeps its policy bit by bit, and so does an arm of probability 0.
#[test]
fn what_has_no_chance_keeps_none() {
    let mut rng = SmallRng::seed_from_u64(32);
    let p0 = sigmoid((1e-12f64 / (1.0 - 1e-12)).ln());
    assert_eq!(trained(1e-12, 8, 40, &mut rng), p0);
    let mut p = [0.0f64, 0.3, 0.7];
    for _ in 0..100 {
        let mean = p[0] + p[1];
        let weights: Vec<f64> = p.iter().zip([1.0f64, 1.0, 0.0]).map(|(p, r)| p * (0.5 * (r - mean)).exp()).collect();
        let sum: f64 = weights.iter().sum();
        p = [weights[0] / sum, weights[1] / sum, weights[2] / sum];
    }
    assert!(p[0] == 0.0 && p[1] > 0.999);
}

#[test]
fn no_samples_hit_nothing_and_common_successes_need_no_overflow() {
    assert_eq!((unhit(0.3, 0.0), unhit(1.0, 0.0)), (1.0, 1.0));
    assert!((never_updated(0.3, 2.0, 1.0) - 0.58).abs() < 1e-15);
    assert!((never_updated(0.9, 1000.0, 1.0) / 0.9f64.powi(1000) - 1.0).abs() < 1e-12);
}

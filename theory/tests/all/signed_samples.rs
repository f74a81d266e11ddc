//! P27 and P28: identities by enumeration of groups, and the sign rule of single samples.

use crate::common;
use mta_theory::signed_samples::{
    accuracy_gradient, dead_prompt_drift, expected_group_std, grpo_weights, negative_sample, nsr_norm_weight, psr_norm_weight,
};
use mta_theory::simplex::{power_sum, softmax};
use proptest::prelude::*;

fn policies() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-3.0f64..3.0, 3..8).prop_map(|theta| softmax(&theta))
}

fn after(policy: &[f64], motion: impl Fn(usize) -> f64) -> Vec<f64> {
    softmax(&policy.iter().enumerate().map(|(k, p)| p.ln() + motion(k)).collect::<Vec<_>>())
}

/// All groups of three draws of three arms, as (chance, draws).
fn groups(p: &[f64]) -> Vec<(f64, [usize; 3])> {
    (0..27).map(|n| [n % 3, n / 3 % 3, n / 9]).map(|d| (d.iter().map(|&i| p[i]).product(), d)).collect()
}

proptest! {
    #![proptest_config(common::cases())]

    /// Enumerated GRPO groups of three: the parts of the two signs, and that they add up.
    #[test]
    fn shares_of_the_signs_by_enumeration(theta in prop::collection::vec(-3.0f64..3.0, 3)) {
        let p = softmax(&theta);
        let gradient = accuracy_gradient(&p, &[true, false, false]);
        let [total, positive, negative] = grpo_weights(p[0], 3);
        for k in 0..3 {
            let (mut plus, mut minus) = (0.0, 0.0);
            for (chance, draws) in groups(&p) {
                let h = draws.iter().filter(|&&i| i == 0).count() as f64 / 3.0;
                let std = (h * (1.0 - h)).sqrt();
                for i in draws.iter().filter(|_| std > 0.0) {
                    let score = f64::from(*i == k) - p[k];
                    if *i == 0 { plus += chance * (1.0 - h) / std * score / 3.0 } else { minus -= chance * h / std * score / 3.0 }
                }
            }
            prop_assert!((plus - positive * gradient[k]).abs() < 1e-12);
            prop_assert!((minus - negative * gradient[k]).abs() < 1e-12);
            prop_assert!((plus + minus - total * gradient[k]).abs() < 1e-12);
        }
    }

    /// The change of a real step of 1e-6 has the predicted sign and size.
    #[test]
    fn one_negative_sample_follows_the_rule(p in policies(), arm in 0usize..3) {
        let eta = 1e-6;
        let next = after(&p, |k| -eta * (f64::from(k == arm) - p[k]));
        for ((new, old), change) in next.iter().zip(&p).zip(negative_sample(&p, arm, eta)) {
            prop_assert!((new - old - change).abs() < 4.0 * eta * eta);
            prop_assert!(change.abs() < 4.0 * eta * eta || (new > old) == (change > 0.0));
        }
    }

    /// All rewards equal: mean-baselined advantages are zero bit by bit.
    #[test]
    fn dead_groups_with_a_baseline_do_nothing(reward in -5i32..5, group in 1usize..64) {
        let rewards = vec![f64::from(reward); group];
        let mean = rewards.iter().sum::<f64>() / group as f64;
        prop_assert!(rewards.iter().all(|r| r - mean == 0.0));
        prop_assert_eq!(expected_group_std(0.0, group as u32), 0.0);
    }

    /// Enumerated groups of three negatives without a baseline, right arm vanishing.
    #[test]
    fn dead_prompt_shrinks_the_right_arm(theta in prop::collection::vec(-1.0f64..1.0, 3)) {
        let (p, eta) = (softmax(&theta), 1e-2);
        let drift: f64 = groups(&p).iter().map(|(chance, draws)| {
            let motion = |k: usize| -eta / 3.0 * draws.iter().map(|&i| f64::from(i == k) - p[k]).sum::<f64>();
            let norm: f64 = (0..3).map(|k| p[k] * motion(k).exp()).sum();
            chance * (1.0 / norm - 1.0)
        }).sum();
        let expected = dead_prompt_drift(power_sum(&p, 2), power_sum(&p, 3), eta, 3.0);
        prop_assert!((drift - expected).abs() < eta.powi(3));
    }
}

#[test]
fn certain_groups_have_no_spread_and_all_samples_on_one_side() {
    assert_eq!((psr_norm_weight(0.0, 8.0), nsr_norm_weight(1.0, 8.0)), (8.0, 8.0));
    assert_eq!((expected_group_std(0.0, 8), expected_group_std(1.0, 8)), (0.0, 0.0));
}

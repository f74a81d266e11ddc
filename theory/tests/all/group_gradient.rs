//! P5 against exact enumeration of all groups.

use crate::common::cases;
use mta_theory::group_gradient::{amplification, amplification_without_std, informative_probability, share_of_successes, two_arm_step};
use mta_theory::price::policy_gradient;
use mta_theory::simplex::softmax;
use proptest::collection::vec;
use proptest::prelude::*;

/// What one group does: its probability, the parts of the mean step that successes and failures carry, whether rewards differed.
struct Outcome {
    chance: f64,
    steps: [Vec<f64>; 2],
    spread: bool,
}

/// All groups of `size` samples of the policy `p` with 0/1 rewards `r`, with advantages over the population std or plain.
fn groups(p: &[f64], r: &[f64], size: usize, std: bool) -> Vec<Outcome> {
    let k = p.len();
    (0..k.pow(size as u32)).map(|code| group(p, r, &(0..size).map(|j| code / k.pow(j as u32) % k).collect::<Vec<_>>(), std)).collect()
}

fn group(p: &[f64], r: &[f64], arms: &[usize], std: bool) -> Outcome {
    let g = arms.len() as f64;
    let mean = arms.iter().map(|&a| r[a]).sum::<f64>() / g;
    let deviation = (arms.iter().map(|&a| (r[a] - mean).powi(2)).sum::<f64>() / g).sqrt();
    let spread = arms.iter().any(|&a| r[a] != r[arms[0]]);
    let mut steps = [vec![0.0; p.len()], vec![0.0; p.len()]];
    for &a in arms.iter().filter(|_| spread) {
        let advantage = (r[a] - mean) / if std { deviation } else { 1.0 };
        for (i, step) in steps[usize::from(r[a] == 0.0)].iter_mut().enumerate() {
            *step += advantage / g * (f64::from(i == a) - p[i]);
        }
    }
    Outcome { chance: arms.iter().map(|&a| p[a]).product(), steps, spread }
}

/// Expected step of successes (0) or failures (1).
fn expected(groups: &[Outcome], kind: usize) -> Vec<f64> {
    (0..groups[0].steps[0].len()).map(|i| groups.iter().map(|g| g.chance * g.steps[kind][i]).sum()).collect()
}

fn bandit() -> impl Strategy<Value = (Vec<f64>, Vec<f64>, usize)> {
    (2usize..5, 2usize..5)
        .prop_flat_map(|(k, g)| (vec(-3.0..3.0, k), (1..k).prop_map(move |m| (0..k).map(|i| f64::from(i < m)).collect()), Just(g)))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_expected_step_is_the_amplified_gradient((theta, r, size) in bandit()) {
        let p = softmax(&theta);
        let accuracy: f64 = p.iter().zip(&r).map(|(p, r)| p * r).sum();
        let gradient = policy_gradient(&p, &r);
        for (std, c) in [(true, amplification(accuracy, size as u64)), (false, amplification_without_std(size as u64))] {
            let all = groups(&p, &r, size, std);
            let (up, down) = (expected(&all, 0), expected(&all, 1));
            for (i, g) in gradient.iter().enumerate() {
                prop_assert!((up[i] + down[i] - c * g).abs() < 1e-12);
                prop_assert!(!std || (up[i] - share_of_successes(accuracy) * c * g).abs() < 1e-12);
            }
            let informative: f64 = all.iter().filter(|g| g.spread).map(|g| g.chance).sum();
            prop_assert!((informative - informative_probability(accuracy, size as u64)).abs() < 1e-12);
        }
    }

    #[test]
    fn two_arms_step_by_the_spread(p in 0.01..0.99f64, size in 2usize..7) {
        for code in 0..1usize << size {
            let arms: Vec<usize> = (0..size).map(|j| code >> j & 1).collect();
            let outcome = group(&[p, 1.0 - p], &[1.0, 0.0], &arms, true);
            let step = outcome.steps.iter().map(|s| s[0] - s[1]).sum::<f64>();
            let successes = arms.iter().filter(|&&a| a == 0).count() as u64;
            prop_assert!((step - two_arm_step(successes, size as u64, 1.0).unwrap()).abs() < 1e-12);
        }
    }

    #[test]
    fn rare_successes_are_amplified_up_to_the_cap(log_p in -690.0..-0.7f64, group in 2u64..200) {
        let c = amplification(log_p.exp(), group);
        prop_assert!(c <= ((group - 1) as f64).sqrt() * (1.0 + 1e-12) && c >= 1.0 - 1e-12);
    }
}

#[test]
fn rare_failures_inform_as_rare_successes_do() {
    let rare = 0.5f64.powi(40);
    assert!((informative_probability(1.0 - rare, 8) / informative_probability(rare, 8) - 1.0).abs() < 1e-14);
    assert_eq!((two_arm_step(1, 1, 0.1), two_arm_step(0, 0, 0.1)), (Some(0.0), None));
}

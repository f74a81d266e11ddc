//! P33 and P34: node gradients by finite differences, the replicator of the leaves, and sampled waiting times.

use crate::common;
use mta_theory::flow::integrate;
use mta_theory::simplex::logit;
use mta_theory::tree::{Tree, expected_groups, npg_time, pg_time};
use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Trees of up to 3 x 3 levels with random logits and rewards.
fn trees() -> impl Strategy<Value = (Tree, Vec<f64>)> {
    (2usize..4, 1u32..4).prop_flat_map(|(branching, depth)| {
        let leaves = branching.pow(depth);
        let logits = (leaves - 1) / (branching - 1) * branching;
        let tree = prop::collection::vec(0.0f64..1.0, leaves).prop_map(move |rewards| Tree { branching, depth, rewards });
        (tree, prop::collection::vec(-2.0f64..2.0, logits))
    })
}

proptest! {
    #![proptest_config(common::cases())]

    #[test]
    fn gradient_agrees_with_differences((tree, theta) in trees()) {
        for (i, slope) in tree.gradient(&theta).iter().enumerate() {
            let at = |h: f64| tree.value(&theta.iter().enumerate().map(|(j, x)| if i == j { x + h } else { *x }).collect::<Vec<_>>());
            let h = 1e-3;
            let numeric = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
            prop_assert!((slope - numeric).abs() < 1e-9);
        }
    }

    /// Natural gradient per node: logit p(t) - t is constant, from any start.
    #[test]
    fn natural_gradient_is_the_leaf_replicator((tree, theta) in trees(), t in 0.1f64..4.0) {
        let single = Tree::single(tree.branching, tree.depth);
        let end = integrate(|x, dx| dx.copy_from_slice(&single.advantages(x)), &theta, t, 1e-11).unwrap();
        prop_assert!((logit(single.value(&end)) - logit(single.value(&theta)) - t).abs() < 1e-8);
    }

    #[test]
    fn natural_gradient_time_is_right(v in 2usize..5, h in 1u32..4, target in 0.51f64..0.99) {
        let tree = Tree::single(v, h);
        let start = vec![0.0; tree.nodes() * v];
        let time = npg_time(v as f64, f64::from(h), target);
        let end = integrate(|x, dx| dx.copy_from_slice(&tree.advantages(x)), &start, time, 1e-11).unwrap();
        prop_assert!((tree.value(&end) - target).abs() < 1e-8);
    }

    #[test]
    fn policy_gradient_takes_longer(v in 2u32..50, h in 2u32..20, target in 0.3f64..0.99) {
        prop_assert!(pg_time(f64::from(v), f64::from(h), target) > npg_time(f64::from(v), f64::from(h), target));
    }
}

#[test]
fn waiting_times_agree_within_four_standard_errors() {
    let mut rng = SmallRng::seed_from_u64(34);
    for (v, h, g) in [(4u32, 4, 8), (2, 8, 16)] {
        let p = f64::from(v).powi(-h);
        let runs = 20_000;
        let waits: Vec<f64> = (0..runs).map(|_| (1..).find(|_| (0..g).any(|_| rng.random::<f64>() < p)).map(f64::from).unwrap()).collect();
        let mean = waits.iter().sum::<f64>() / f64::from(runs);
        let expected = expected_groups(f64::from(v), f64::from(h), f64::from(g));
        let error = (expected * (expected - 1.0) / f64::from(runs)).sqrt();
        assert!((mean - expected).abs() < 4.0 * error, "{mean} {expected}");
    }
}

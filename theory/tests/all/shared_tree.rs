//! P40: gradients and natural gradients of shared parameters by summing over prefixes, and flows that arrive on time.

use crate::common;
use mta_theory::flow::integrate;
use mta_theory::shared_tree::*;
use mta_theory::simplex::{logit, softmax};
use mta_theory::tree::{Tree, npg_time, pg_time};
use proptest::prelude::*;

/// Gradient of the mean reward in W, `[H][V]`, when all prefixes of a depth share it: node gradients added up.
fn shared_gradient(tree: &Tree, w: &[f64]) -> Vec<f64> {
    let (v, nodes) = (tree.branching, tree.nodes());
    let depth_of = |n: usize| (0..tree.depth as usize).find(|d| n < (0..=*d as u32).map(|l| v.pow(l)).sum()).unwrap();
    let theta: Vec<f64> = (0..nodes).flat_map(|n| w[depth_of(n) * v..(depth_of(n) + 1) * v].to_vec()).collect();
    let mut sum = vec![0.0; w.len()];
    for (i, g) in tree.gradient(&theta).iter().enumerate() {
        sum[depth_of(i / v) * v + i % v] += g;
    }
    sum
}

/// A tree whose leaf is right iff all its tokens are among the first `right`.
fn level_tree(branching: usize, right: usize, depth: u32) -> Tree {
    let is_right = |leaf: usize| (0..depth).all(|h| leaf / branching.pow(h) % branching < right);
    Tree { branching, depth, rewards: (0..branching.pow(depth)).map(|leaf| f64::from(is_right(leaf))).collect() }
}

/// Mass on right tokens of every depth.
fn masses(w: &[f64], branching: usize, right: usize) -> Vec<f64> {
    w.chunks(branching).map(|row| softmax(row)[..right].iter().sum()).collect()
}

/// V, m < V, H and logits of one softmax per depth.
fn cases() -> impl Strategy<Value = (usize, usize, u32, Vec<f64>)> {
    (2usize..5, 1u32..4).prop_flat_map(|(v, h)| (Just(v), 1..v, Just(h), prop::collection::vec(-1.5f64..1.5, v * h as usize)))
}

proptest! {
    #![proptest_config(common::cases())]

    /// Reach drops out: the summed node gradients are p/pi_h pi_hv (1[v right] - pi_h).
    #[test]
    fn shared_gradients_need_the_whole_response((v, m, h, w) in cases()) {
        let pi = masses(&w, v, m);
        let p: f64 = pi.iter().product();
        for (i, g) in shared_gradient(&level_tree(v, m, h), &w).iter().enumerate() {
            let (depth, token) = (i / v, i % v);
            let expected = p / pi[depth] * softmax(&w[depth * v..(depth + 1) * v])[token] * (f64::from(token < m) - pi[depth]);
            prop_assert!((g - expected).abs() < 1e-12);
        }
    }

    /// diag(pi) - pi pi^T maps p/pi_h (1[v right] - pi_h) to the gradient: that is the natural gradient.
    #[test]
    fn the_natural_direction_solves_the_fisher_system((v, m, h, w) in cases()) {
        let pi = masses(&w, v, m);
        let p: f64 = pi.iter().product();
        let gradient = shared_gradient(&level_tree(v, m, h), &w);
        for (depth, row) in w.chunks(v).enumerate() {
            let probs = softmax(row);
            let natural: Vec<f64> = (0..v).map(|t| p / pi[depth] * (f64::from(t < m) - pi[depth])).collect();
            let mean: f64 = probs.iter().zip(&natural).map(|(q, n)| q * n).sum();
            prop_assert!((0..v).all(|t| (probs[t] * (natural[t] - mean) - gradient[depth * v + t]).abs() < 1e-12));
        }
    }

    #[test]
    fn shared_flows_arrive_on_time(v in 2usize..5, h in 1u32..4, share in 0.0f64..1.0, target in 0.5f64..0.95) {
        let m = 1 + (share * (v - 1) as f64 * 0.999) as usize;
        let levels = Levels { branching: v as f64, right: m as f64, depth: f64::from(h) };
        prop_assume!(target > levels.start() + 0.01);
        let tree = level_tree(v, m, h);
        let pg = integrate(|w, dw| dw.copy_from_slice(&shared_gradient(&tree, w)), &vec![0.0; v * h as usize], levels.shared_pg_time(target), 1e-10).unwrap();
        prop_assert!((masses(&pg, v, m).iter().product::<f64>() - target).abs() < 1e-7);
        let natural = |w: &[f64], dw: &mut [f64]| {
            let pi = masses(w, v, m);
            let p: f64 = pi.iter().product();
            dw.iter_mut().enumerate().for_each(|(i, d)| *d = p / pi[i / v] * (f64::from(i % v < m) - pi[i / v]));
        };
        let npg = integrate(natural, &vec![0.0; v * h as usize], levels.shared_npg_time(target), 1e-10).unwrap();
        prop_assert!((masses(&npg, v, m).iter().product::<f64>() - target).abs() < 1e-7);
    }

    /// One right leaf: nothing is gained by sharing over prefixes. Several: never a loss.
    #[test]
    fn sharing_over_prefixes_never_loses(v in 3u32..40, h in 1u32..6, share in 0.0f64..1.0, target in 0.5f64..0.95) {
        let m = 1 + (share * f64::from(v - 2)) as u32;
        let levels = Levels { branching: f64::from(v), right: f64::from(m), depth: f64::from(h) };
        prop_assume!(target > levels.start() + 0.01);
        let gain = levels.separate_pg_time(target) / levels.shared_pg_time(target);
        let single = Levels { right: 1.0, ..levels };
        prop_assert!((single.shared_pg_time(target) / pg_time(f64::from(v), f64::from(h), target) - 1.0).abs() < 1e-12);
        prop_assert!(gain > 1.0 - 1e-9, "{gain}");
        prop_assert!(m > 1 || gain < 1.0 + 1e-9);
    }

    /// The barrier that natural gradient gets back: longer than node-wise, and by about V^(H-1)/(H-1).
    #[test]
    fn shared_natural_gradient_has_a_barrier(v in 30u32..100, h in 3u32..8, target in 0.2f64..0.9) {
        let (v, h) = (f64::from(v), f64::from(h));
        let time = Levels { branching: v, right: 1.0, depth: h }.shared_npg_time(target);
        prop_assert!(time > npg_time(v, h, target));
        prop_assert!((time * (h - 1.0) / v.powf(h - 1.0) - 1.0).abs() < 0.15);
    }

    /// The threshold of transfer is where held-out prompts reach the target; depth 1 is P26 with one sign.
    #[test]
    fn transfer_thresholds_invert_held_out_chances(v in 2u32..50, h in 1u32..20, shared in 0.2f64..1.0, target in 0.05f64..0.6) {
        let levels = Levels { branching: f64::from(v), right: 1.0, depth: f64::from(h) };
        prop_assume!(target > levels.start());
        let failure = levels.transfer_failure(target, shared);
        prop_assume!(failure > 1e-6);
        prop_assert!((levels.held_out(1.0 - failure, shared) / target - 1.0).abs() < 1e-6);
        let bandit = Levels { depth: 1.0, ..levels };
        let p = mta_theory::transfer::transferred_logit((shared / (1.0 - shared)).sqrt(), logit(1.0 / f64::from(v)), 2.0, 1.0);
        prop_assert!((logit(bandit.held_out(1.0 / (1.0 + (-(logit(1.0 / f64::from(v)) + 2.0)).exp()), shared)) - p).abs() < 1e-9);
    }

    #[test]
    fn one_carried_prompt_shares_more_than_all(rho in 0.01f64..0.99, q in 0.01f64..0.99) {
        prop_assert!(shared_part(rho, q) < rho && (shared_part(rho, 1.0) - rho).abs() < 1e-15);
        prop_assert!(carried_speed(rho, q) < 1.0 && carried_speed(1.0, q) == q);
    }
}

/// The depth bounds the gain in the limit of many tokens only: with three right ones of eleven, sharing is 3.18 times as fast at depth 3.
#[test]
fn sharing_over_prefixes_can_gain_more_than_the_depth() {
    let gain = |branching: f64| {
        let levels = Levels { branching, right: 3.0, depth: 3.0 };
        levels.separate_pg_time(0.5) / levels.shared_pg_time(0.5)
    };
    assert!((gain(11.0) - 3.179_565).abs() < 1e-6, "{}", gain(11.0));
    assert!(gain(1e5) < 3.0, "{}", gain(1e5));
}

/// Seven outputs or none: without wrong tokens, or at a target that the start already meets, there is nothing to reach.
#[test]
fn there_is_something_to_learn() {
    let exists =
        |right: f64, target: f64| (P40.evaluate)(&[2.0, right, 3.0, target, 0.8, 0.5]).iter().map(Option::is_some).collect::<Vec<_>>();
    assert_eq!(exists(1.0, 0.126), [true; 7]);
    for (right, target) in [(1.0, 0.125), (1.0, 0.1), (2.0, 0.5), (3.0, 0.5)] {
        assert_eq!(exists(right, target), [false; 7], "{right} {target}");
    }
    let threshold = |sharing| (P40.evaluate)(&[2.0, 1.0, 3.0, 0.5, sharing, 0.5])[6];
    assert!(threshold(0.0).is_none() && threshold(0.005).is_some());
}

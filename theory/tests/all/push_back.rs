//! P4 on random bandits.

use crate::common::cases;
use mta_theory::price::gradient_rate;
use mta_theory::push_back::{arm_rate, gradient_lower_bound, gradient_norm, is_pushed_back};
use mta_theory::simplex::softmax;
use proptest::collection::vec;
use proptest::prelude::*;

fn bandit() -> impl Strategy<Value = (Vec<f64>, Vec<f64>, Vec<bool>)> {
    (2usize..12).prop_flat_map(|k| (vec(-6.0..6.0, k), vec(-1.0..1.0, k), vec(any::<bool>(), k)))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_gradient_is_never_below_its_bound((theta, r, _) in bandit()) {
        let p = softmax(&theta);
        prop_assert!(gradient_norm(&p, &r) >= gradient_lower_bound(&p, &r) - 1e-12);
        prop_assert!(gradient_lower_bound(&p, &r) >= -1e-12);
    }

    #[test]
    fn binary_rewards_never_push_back((theta, _, right) in bandit()) {
        let r: Vec<f64> = right.iter().map(|&r| f64::from(r)).collect();
        prop_assert!(gradient_rate(&softmax(&theta), &r, &r) >= -1e-15);
    }

    #[test]
    fn probabilities_keep_their_sum((theta, r, _) in bandit()) {
        let p = softmax(&theta);
        let sum: f64 = (0..p.len()).map(|i| arm_rate(&p, &r, i)).sum();
        prop_assert!(sum.abs() < 1e-14);
    }

    #[test]
    fn a_dominant_best_arm_is_not_pushed_back((theta, r, _) in bandit()) {
        let p = softmax(&theta);
        let best = (0..p.len()).max_by(|&i, &j| r[i].total_cmp(&r[j])).unwrap();
        if p.iter().all(|&other| other <= p[best]) {
            prop_assert!(!is_pushed_back(&p, &r, best) || arm_rate(&p, &r, best) > -1e-15);
        }
    }
}

#[test]
fn neither_slow_nor_still_arms_are_pushed_back() {
    assert!(!is_pushed_back(&[0.01, 0.90, 0.09], &[1.0, 0.0, 0.0], 0));
    assert!(!is_pushed_back(&[0.5, 0.5], &[1.0, 1.0], 0));
}

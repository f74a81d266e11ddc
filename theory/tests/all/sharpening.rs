//! P22: the covariance law, the entropy law and their duality by central differences.

use crate::common;
use mta_theory::sharpening::{
    accuracy_slope, entropy_rate, limit_accuracy, mean_log_probability, sharpened, sharpened_accuracy, task_reward_entropy_rate,
};
use mta_theory::simplex::{entropy, softmax};
use proptest::prelude::*;

/// Logits of 2 to 8 arms with a proper set of right ones.
fn worlds() -> impl Strategy<Value = (Vec<f64>, Vec<bool>)> {
    prop::collection::vec((-3.0f64..3.0, any::<bool>()), 2..8)
        .prop_map(|arms| arms.into_iter().unzip())
        .prop_filter("some right, some wrong", |(_, c): &(Vec<f64>, Vec<bool>)| c.contains(&true) && c.contains(&false))
}

fn slope(f: impl Fn(f64) -> f64) -> f64 {
    let h = 1e-4;
    (8.0 * (f(h) - f(-h)) - (f(2.0 * h) - f(-2.0 * h))) / (12.0 * h)
}

fn moved(theta: &[f64], motion: &[f64], t: f64) -> Vec<f64> {
    softmax(&theta.iter().zip(motion).map(|(x, v)| x + t * v).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(common::cases())]

    #[test]
    fn slope_of_accuracy_is_the_covariance((theta, c) in worlds(), tau in 0.2f64..4.0) {
        let p = softmax(&theta);
        let numeric = slope(|h| sharpened_accuracy(&p, &c, tau + h));
        prop_assert!((accuracy_slope(&p, &c, tau) - numeric).abs() < 1e-9);
    }

    #[test]
    fn task_reward_raises_entropy_where_sharpening_hurts((theta, c) in worlds()) {
        let p = softmax(&theta);
        let motion: Vec<f64> = c.iter().map(|&c| f64::from(c)).collect();
        let numeric = slope(|t| entropy(&moved(&theta, &motion, t)));
        prop_assert!((task_reward_entropy_rate(&p, &c) - numeric).abs() < 1e-9);
        prop_assert!((entropy_rate(&p, &motion) - numeric).abs() < 1e-9);
    }

    /// The general law, here along the Euclidean gradient of accuracy.
    #[test]
    fn entropy_law_holds_along_the_gradient((theta, c) in worlds()) {
        let p = softmax(&theta);
        let a = sharpened_accuracy(&p, &c, 1.0);
        let motion: Vec<f64> = p.iter().zip(&c).map(|(p, &c)| p * (f64::from(c) - a)).collect();
        let numeric = slope(|t| entropy(&moved(&theta, &motion, t)));
        prop_assert!((entropy_rate(&p, &motion) - numeric).abs() < 1e-9);
    }

    /// A single right arm that is the mode always gains.
    #[test]
    fn a_right_mode_gains(theta in prop::collection::vec(-3.0f64..3.0, 2..8), tau in 0.0f64..5.0) {
        let p = softmax(&theta);
        let top = p.iter().copied().fold(0.0, f64::max);
        let c: Vec<bool> = p.iter().map(|&p| p == top).collect();
        prop_assert!(accuracy_slope(&p, &c, tau) > 0.0);
        prop_assert_eq!(limit_accuracy(&p, &c), 1.0);
    }

    #[test]
    fn limit_is_reached((theta, c) in worlds()) {
        let p = softmax(&theta);
        let mut sorted = theta;
        sorted.sort_by(f64::total_cmp);
        prop_assume!(sorted[sorted.len() - 1] - sorted[sorted.len() - 2] > 1e-9);
        prop_assert!((sharpened_accuracy(&p, &c, 1e12) - limit_accuracy(&p, &c)).abs() < 1e-12);
    }

    #[test]
    fn mean_log_probability_rises_with_sharpening((theta, _) in worlds(), tau in 0.0f64..5.0) {
        let p = softmax(&theta);
        prop_assert!(mean_log_probability(&p, tau + 0.1) >= mean_log_probability(&p, tau) - 1e-12);
    }
}

#[test]
fn weights_need_not_be_normalised_and_empty_arms_stay_empty() {
    assert_eq!(limit_accuracy(&[0.004, 0.002], &[true, false]), 1.0);
    assert_eq!(sharpened(&[1.0, 0.0], 0.0), [1.0, 0.0]);
}

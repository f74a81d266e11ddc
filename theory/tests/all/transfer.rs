//! P25 and P26: the kernel by finite differences, and the skill identity at every step of discrete training.

use crate::common;
use mta_theory::simplex::sigmoid;
use mta_theory::transfer::{Prompt, coupling, trained_logit, transfer_rate, transferred_logit, two_arm_transfer_rate};
use proptest::prelude::*;

const DIMENSION: usize = 4;

fn vectors(n: usize) -> impl Strategy<Value = Vec<Vec<f64>>> {
    prop::collection::vec(prop::collection::vec(-1.0f64..1.0, DIMENSION), n)
}

fn prompts() -> impl Strategy<Value = Prompt> {
    (2usize..6)
        .prop_flat_map(|n| (vectors(n), prop::collection::vec(-1.0f64..1.0, n)))
        .prop_map(|(features, rewards)| Prompt { features, rewards })
}

fn moved(theta: &[f64], direction: &[f64], t: f64) -> Vec<f64> {
    theta.iter().zip(direction).map(|(x, d)| x + t * d).collect()
}

proptest! {
    #![proptest_config(common::cases())]

    #[test]
    fn kernel_is_the_rate_along_the_other_gradient(x in prompts(), y in prompts(), theta in prop::collection::vec(-2.0f64..2.0, DIMENSION)) {
        let (direction, h) = (y.gradient(&theta), 1e-4);
        let at = |t: f64| x.value(&moved(&theta, &direction, t));
        let numeric = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
        prop_assert!((transfer_rate(&x, &y, &theta) - numeric).abs() < 1e-9);
    }

    /// Swapping the prompts gives the same number, and a prompt always helps itself.
    #[test]
    fn kernel_is_symmetric(x in prompts(), y in prompts(), theta in prop::collection::vec(-2.0f64..2.0, DIMENSION)) {
        prop_assert_eq!(transfer_rate(&x, &y, &theta), transfer_rate(&y, &x, &theta));
        prop_assert!(transfer_rate(&x, &x, &theta) >= 0.0);
    }

    #[test]
    fn two_arms_are_a_special_case(x in vectors(2), y in vectors(2), theta in prop::collection::vec(-2.0f64..2.0, DIMENSION)) {
        let prompt = |features: &Vec<Vec<f64>>| Prompt { features: features.clone(), rewards: vec![1.0, 0.0] };
        let difference = |f: &Vec<Vec<f64>>| moved(&f[0], &f[1], -1.0);
        let overlap: f64 = difference(&x).iter().zip(difference(&y)).map(|(a, b)| a * b).sum();
        let (x, y) = (prompt(&x), prompt(&y));
        let expected = two_arm_transfer_rate(x.value(&theta), y.value(&theta), overlap);
        prop_assert!((transfer_rate(&x, &y, &theta) - expected).abs() < 1e-12);
    }

    /// Discrete one-shot training with any positive scalar weights.
    #[test]
    fn others_follow_the_trained_logit(
        loading in 0.0f64..3.0,
        starts in prop::collection::vec((-3.0f64..3.0, any::<bool>()), 2..8),
        weights in prop::collection::vec(0.0f64..2.0, 1..60),
    ) {
        let sign = |x: usize| if starts[x].1 { 1.0 } else { -1.0 };
        let (mut w, mut v) = (0.0, 0.0);
        let logit = |x: usize, w: f64, v: f64| starts[x].0 + loading * sign(x) * w + if x == 0 { v } else { 0.0 };
        for weight in weights {
            let p = sigmoid(logit(0, w, v));
            let push = weight * p * (1.0 - p);
            (w, v) = (w + push * loading * sign(0), v + push);
            let gain = logit(0, w, v) - starts[0].0;
            for (x, &(start, _)) in starts.iter().enumerate().skip(1) {
                let expected = transferred_logit(loading, start, gain, sign(x) * sign(0));
                prop_assert!((logit(x, w, v) - expected).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn trained_logit_solves_its_clock(loading in 0.0f64..3.0, start in -30.0f64..30.0, log_t in -10.0f64..30.0) {
        let (t, u) = (log_t.exp(), trained_logit(loading, start, log_t.exp()));
        let clock = |u: f64| 2.0 * u + 2.0 * u.sinh();
        let expected = clock(start) + (1.0 + loading * loading) * t;
        prop_assert!((clock(u) - expected).abs() <= 1e-12 * (1.0 + clock(start).abs() + expected.abs()));
        prop_assert!(u >= start - 1e-12 && coupling(loading) < 1.0);
    }
}

//! P32: the closed forms against integrated flows, and the bound of the mixture.

use crate::common;
use mta_theory::distillation::{distillation_time, mixture_fail_bound, policy_gradient_time};
use mta_theory::flow::integrate;
use mta_theory::pass_at_k::pass_at_k;
use mta_theory::simplex::{logit, sigmoid};
use proptest::prelude::*;

proptest! {
    #![proptest_config(common::cases())]

    #[test]
    fn distillation_reaches_the_target_in_time(part in 0.01f64..1.0, share in 0.05f64..0.99, q in 0.05f64..1.0) {
        let (p0, end) = (q * share * part, q * share);
        let time = distillation_time(p0, end, q).unwrap();
        let u = integrate(|u, du| du[0] = 2.0 * (q - sigmoid(u[0])), &[logit(p0)], time, 1e-12).unwrap()[0];
        prop_assert!((u - logit(end)).abs() < 1e-8);
    }

    #[test]
    fn policy_gradient_reaches_the_target_in_time(p0 in 0.01f64..0.5, gain in 0.01f64..4.0) {
        let end = sigmoid(logit(p0) + gain);
        let slope = |u: &[f64], du: &mut [f64]| du[0] = 2.0 * sigmoid(u[0]) * sigmoid(-u[0]);
        let u = integrate(slope, &[logit(p0)], policy_gradient_time(p0, end), 1e-12).unwrap()[0];
        prop_assert!((u - logit(end)).abs() < 1e-8);
    }

    #[test]
    fn mixture_keeps_its_bound(base in prop::collection::vec(0.0f64..1.0, 1..20), share in 0.0f64..1.0, floor in 0.0f64..1.0, k in 1u32..1000) {
        let k = f64::from(k);
        let fail = base.iter().map(|p| 1.0 - pass_at_k((1.0 - share) * p + share * floor, k)).sum::<f64>() / base.len() as f64;
        prop_assert!(fail <= mixture_fail_bound(share, floor, k) + 1e-12);
    }
}

#[test]
fn no_time_passes_between_equal_chances_and_gradient_time_is_that_of_two_clocks() {
    assert_eq!(distillation_time(0.3, 0.3, 0.9), Some(0.0));
    let clock = mta_theory::clocks::time(mta_theory::clocks::Clock::Pg, 0.05, 0.9, 2.0);
    assert!((policy_gradient_time(0.05, 0.9) / clock - 1.0).abs() < 1e-14);
}

//! P8 and P9 along integrated flows and by bracketing.

use crate::common::cases;
use mta_theory::flow::integrate;
use mta_theory::leash::{
    critical_beta, equilibria, group_std_drift, largest_held_logit, logit_at, noisy_equilibrium, recursion_is_stable, tilt,
};
use mta_theory::price::advantages;
use mta_theory::simplex::{sigmoid, softmax};
use mta_theory::verifier::Verifier;
use proptest::collection::vec;
use proptest::prelude::*;

/// Slope of the logits under NPG, or PG, of reward minus KL.
fn penalised(theta: &[f64], p0: &[f64], r: &[f64], beta: f64, natural: bool) -> Vec<f64> {
    let p = softmax(theta);
    let rewards: Vec<f64> = p.iter().zip(p0).zip(r).map(|((p, p0), r)| r - beta * (p / p0).ln()).collect();
    let a = advantages(&p, &rewards);
    a.iter().zip(&p).map(|(a, p)| if natural { *a } else { a * p }).collect()
}

fn bandit() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
    (2usize..8).prop_flat_map(|k| (vec(-2.0..2.0, k), vec(0.0..1.0, k)))
}

/// Sign changes of the drift on a fine grid.
fn roots(u0: f64, beta: f64) -> usize {
    let positive: Vec<bool> = (0..40_000).map(|i| group_std_drift(u0 + f64::from(i) * 0.001, u0, beta) > 0.0).collect();
    positive.windows(2).filter(|w| w[0] != w[1]).count()
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_leashed_flow_ends_at_the_tilt((theta, r) in bandit(), beta in 0.2..3.0f64) {
        let p0 = softmax(&theta);
        let field = |theta: &[f64], d: &mut [f64]| d.copy_from_slice(&penalised(theta, &p0, &r, beta, true));
        let end = softmax(&integrate(field, &theta, 50.0 / beta, 1e-12).unwrap());
        let fixed = tilt(&p0, &r, beta);
        for (a, b) in end.iter().zip(&fixed) {
            prop_assert!((a - b).abs() < 1e-9);
        }
        let logits: Vec<f64> = fixed.iter().map(|p| p.ln()).collect();
        for natural in [true, false] {
            prop_assert!(penalised(&logits, &p0, &r, beta, natural).iter().all(|d| d.abs() < 1e-12));
        }
    }

    #[test]
    fn the_log_odds_relax_exponentially(u0 in -5.0..5.0f64, youden in -1.0..1.0f64, beta in 0.0..3.0f64, t in 0.0..10.0f64) {
        let end = integrate(|u, d| d[0] = youden - beta * (u[0] - u0), &[u0], t, 1e-13).unwrap()[0];
        prop_assert!((end - logit_at(u0, youden, beta, t)).abs() < 1e-10);
    }

    #[test]
    fn there_are_two_roots_exactly_above_the_threshold(u0 in -6.0..3.0f64, beta in 0.05..10.0f64) {
        prop_assume!((u0 - largest_held_logit(beta)).abs() > 1e-3);
        let found = equilibria(u0, beta);
        prop_assert_eq!(roots(u0, beta), if u0 < largest_held_logit(beta) { 2 } else { 0 });
        prop_assert_eq!(found.is_some(), u0 < largest_held_logit(beta));
        prop_assert_eq!(found.is_some(), beta > critical_beta(sigmoid(u0)));
        if let Some(e) = found {
            for u in [e.stable, e.unstable] {
                prop_assert!(group_std_drift(u, u0, beta).abs() < 1e-10 * (1.0 + beta * (u - u0)));
            }
            prop_assert!(group_std_drift(e.stable - 1e-3, u0, beta) > 0.0 && group_std_drift(e.unstable + 1e-3, u0, beta) > 0.0);
            prop_assert!(e.stable < 2.0 * beta.asinh() && 2.0 * beta.asinh() < e.unstable);
        }
    }

    #[test]
    fn the_flow_reaches_the_stable_root(u0 in -6.0..2.0f64, above in 1.02..3.0f64) {
        let beta = above * critical_beta(sigmoid(u0));
        let stable = equilibria(u0, beta).unwrap().stable;
        let end = integrate(|u, d| d[0] = group_std_drift(u[0], u0, beta), &[u0], 400.0, 1e-12).unwrap()[0];
        prop_assert!((end - stable).abs() < 1e-7);
    }

    #[test]
    fn a_verifier_that_errs_is_always_held(t in 0.01..0.99f64, f in 0.01..0.99f64, u0 in -5.0..5.0f64, beta in 0.01..5.0f64) {
        let verifier = Verifier { tpr: t, fpr: f };
        let u = noisy_equilibrium(verifier, u0, beta).unwrap();
        let push = verifier.youden() / verifier.deviation(sigmoid(u));
        prop_assert!((push - beta * (u - u0)).abs() < 1e-9 * (1.0 + push.abs()));
    }
}

#[test]
fn the_recursion_settles_up_to_the_turning_point() {
    let turn = 2.0 * 1.7f64.asinh();
    assert!(recursion_is_stable(turn - 1e-3, 1.7) && !recursion_is_stable(turn + 1e-3, 1.7));
}

#[test]
fn an_almost_certain_verifier_is_held_far_out() {
    for (tpr, fpr) in [(0.99999, 0.3), (0.3, 0.99999)] {
        let verifier = Verifier { tpr, fpr };
        let u = noisy_equilibrium(verifier, 0.0, 0.01).unwrap();
        assert!((verifier.youden() / verifier.deviation(sigmoid(u)) - 0.01 * u).abs() < 1e-9);
    }
}

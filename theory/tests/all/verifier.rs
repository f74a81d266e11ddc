//! P6 and P7 along integrated flows, by quadrature and by enumeration.

use crate::common::{cases, gradient_flow};
use mta_theory::clocks::{Clock, Collision};
use mta_theory::flow::integrate;
use mta_theory::price::advantages;
use mta_theory::simplex::{logit, softmax};
use mta_theory::verifier::{Verifier, gradient_fate, natural_fate, natural_policy};
use proptest::collection::vec;
use proptest::prelude::*;

fn bandit() -> impl Strategy<Value = (Vec<f64>, Vec<bool>)> {
    (2usize..8).prop_flat_map(|k| (vec(-2.0..2.0, k), (1..k).prop_map(move |m| (0..k).map(|i| i < m).collect())))
}

fn verifier() -> impl Strategy<Value = Verifier> {
    (0.0..1.0, 0.0..1.0).prop_map(|(tpr, fpr)| Verifier { tpr, fpr })
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn noise_is_a_change_of_time((theta, right) in bandit(), verifier in verifier(), t in 0.0..20.0f64) {
        let reward = |yes: f64, no: f64| right.iter().map(|&r| if r { yes } else { no }).collect::<Vec<_>>();
        let noisy = gradient_flow(&theta, &reward(verifier.tpr, verifier.fpr), t);
        let sign = verifier.youden().signum();
        let clean = gradient_flow(&theta, &reward(sign, 0.0), verifier.youden().abs() * t);
        for (a, b) in noisy.iter().zip(&clean) {
            prop_assert!((a - b).abs() < 1e-8);
        }
    }

    #[test]
    fn accuracy_moves_with_the_sign_of_youden((theta, right) in bandit(), verifier in verifier()) {
        let p = softmax(&theta);
        let (accuracy, collision) = (p.iter().zip(&right).filter(|&(_, &r)| r).map(|(p, _)| p).sum(), Collision::of(&p, &right).unwrap());
        let r: Vec<f64> = right.iter().map(|&r| if r { verifier.tpr } else { verifier.fpr }).collect();
        let indicator: Vec<f64> = right.iter().map(|&r| f64::from(r)).collect();
        let direct = mta_theory::price::gradient_rate(&p, &indicator, &r);
        prop_assert!((verifier.rate(Clock::Pg, accuracy, collision) - direct).abs() < 1e-13);
        for clock in Clock::ALL {
            prop_assert!(verifier.rate(clock, accuracy, collision) * verifier.youden() >= 0.0);
        }
    }

    #[test]
    fn the_time_is_the_integral_of_the_inverse_rate(verifier in verifier(), p0 in 0.001..0.999f64, p in 0.001..0.999f64) {
        prop_assume!(verifier.youden().abs() > 0.01);
        let speed = |u: f64| verifier.deviation(mta_theory::simplex::sigmoid(u)) / verifier.youden();
        let (u0, n) = (logit(p0), 2000);
        let h = (logit(p) - u0) / f64::from(n);
        let weight = |i: i32| if i == 0 || i == n { 1.0 } else if i % 2 == 0 { 2.0 } else { 4.0 };
        let simpson: f64 = (0..=n).map(|i| weight(i) * speed(u0 + f64::from(i) * h)).sum::<f64>() * h / 3.0;
        let time = verifier.npg_std_time(p0, p);
        prop_assert!((time - simpson).abs() < 1e-9 * (1.0 + simpson.abs()), "{time} {simpson}");
    }

    #[test]
    fn times_add_up(verifier in verifier(), p in prop::array::uniform3(1e-12..0.999f64)) {
        prop_assume!(verifier.youden().abs() > 0.01);
        let [a, b, c] = p;
        let (whole, parts) = (verifier.npg_std_time(a, c), verifier.npg_std_time(a, b) + verifier.npg_std_time(b, c));
        prop_assert!((whole - parts).abs() < 1e-11 * (1.0 + verifier.npg_std_time(a, b).abs()));
    }

    /// Groups of independent 0/1 rewards, enumerated by arms and rewards.
    #[test]
    fn the_expected_step_is_amplified_by_the_noisy_factor(p in 0.05..0.95f64, verifier in verifier(), size in 2usize..5) {
        let step: f64 = (0..4usize.pow(size as u32)).map(|code| noisy_group(p, verifier, code, size)).sum();
        let expected = verifier.amplification(p, size as u64) * p * (1.0 - p);
        prop_assert!((step - expected).abs() < 1e-12, "{step} {expected}");
    }

    #[test]
    fn the_natural_flow_is_an_exponential_family((theta, _) in bandit(), seed in vec(0.0..1.0f64, 8), t in 0.0..20.0f64) {
        let r = &seed[..theta.len()];
        let natural = |theta: &[f64], d: &mut [f64]| d.copy_from_slice(&advantages(&softmax(theta), r));
        let end = softmax(&integrate(natural, &theta, t, 1e-12).unwrap());
        for (a, b) in end.iter().zip(natural_policy(&softmax(&theta), r, t)) {
            prop_assert!((a - b).abs() < 1e-10);
        }
    }

    #[test]
    fn a_tied_hack_never_overtakes(u_right in -2.0..2.0f64, u_hack in -2.0..2.0f64, t in 0.0..1000.0f64) {
        let end = gradient_flow(&[u_right, u_hack, 0.0], &[1.0, 1.0, 0.0], t);
        prop_assert!((u_right - u_hack) * (end[0] - end[1]) >= 0.0);
    }
}

/// Chance times the step of logit 0 of two arms, from a group of `size` (arm, reward) pairs in base 4.
fn noisy_group(p: f64, verifier: Verifier, code: usize, size: usize) -> f64 {
    let samples: Vec<(bool, bool)> = (0..size).map(|j| code >> (2 * j) & 3).map(|s| (s & 1 == 1, s & 2 == 2)).collect();
    let accepted = samples.iter().filter(|s| s.1).count() as f64;
    if accepted == 0.0 || accepted == size as f64 {
        return 0.0;
    }
    let chance: f64 = samples.iter().map(|&s| sample_chance(p, verifier, s)).product();
    let (mean, deviation) = (accepted / size as f64, (accepted * (size as f64 - accepted)).sqrt() / size as f64);
    let step: f64 = samples.iter().map(|&(right, yes)| (f64::from(yes) - mean) / deviation * (f64::from(right) - p)).sum();
    chance * step / size as f64
}

fn sample_chance(p: f64, verifier: Verifier, (right, accepted): (bool, bool)) -> f64 {
    let accept = if right { verifier.tpr } else { verifier.fpr };
    (if right { p } else { 1.0 - p }) * if accepted { accept } else { 1.0 - accept }
}

/// Times keep their digits between neighbours, there and back, and do not exist without a signal.
#[test]
fn times_of_small_and_of_large_steps() {
    let verifier = Verifier { tpr: 0.8, fpr: 0.15 };
    let step = 0.3 * 2f64.powi(-40);
    let rate = verifier.rate(Clock::NpgStd, 0.3, Collision::symmetric(2.0));
    assert!((verifier.npg_std_time(0.3, 0.3 + step) * rate / ((0.3 + step) - 0.3) - 1.0).abs() < 1e-9);
    assert!((verifier.npg_std_time(0.6, 1e-10) / verifier.npg_std_time(1e-10, 0.6) + 1.0).abs() < 1e-13);
    assert_eq!(Verifier { tpr: 0.5, fpr: 0.5 }.npg_std_time(0.1, 0.9), f64::INFINITY);
    assert!(Verifier { tpr: 0.01, fpr: 0.0 }.npg_std_time(0.1, 0.9).is_finite());
    assert!([0.2, 0.2001].iter().all(|&p| (mta_theory::verifier::P6.evaluate)(&[0.2, p, 0.8, 0.15, 2.0, 8.0])[6].is_some()));
}

#[test]
fn rare_arms_count_in_the_end() {
    assert_eq!(natural_fate(&[0.001, 0.999], &[1.0, 0.0]), [1.0, 0.0]);
    assert_eq!(gradient_fate(&[0.001, 0.002, 0.997], &[1.0, 1.0, 0.0]), [0.0, 1.0, 0.0]);
}

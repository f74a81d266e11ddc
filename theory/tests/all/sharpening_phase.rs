//! P41: the sign law of sharpening, its limits, and samples on either side of freezing.

use crate::common;
use mta_theory::alignment::{bulk_pass_at_1, mean_gap, mode_accuracy};
use mta_theory::sharpening_phase::{P41, Tokens};
use mta_theory::simplex::softmax;
use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

proptest! {
    #![proptest_config(common::cases())]

    /// With independent noise the neutral line is a = 0: mean accuracy moves with the power in the direction of the alignment's sign.
    #[test]
    fn sharpening_moves_mean_accuracy_by_the_sign_of_alignment(right in 1u32..20, wrong in 1u32..100, kappa in 0.1f64..2.0, a in 0.02f64..0.95, power in 1.1f64..3.0) {
        let tokens = Tokens { right: f64::from(right), wrong: f64::from(wrong) };
        let gain = |a: f64| tokens.expected_pass_at_1(power * kappa, a) - tokens.expected_pass_at_1(kappa, a);
        prop_assert!(gain(a) > -1e-12 && gain(-a) < 1e-12, "{} {}", gain(a), gain(-a));
        prop_assert!((tokens.expected_pass_at_1(power * kappa, 0.0) - tokens.share()).abs() < 1e-11);
    }

    /// Right and wrong change places when the sign of the alignment does.
    #[test]
    fn swapping_right_and_wrong_swaps_the_sign(right in 1u32..50, wrong in 1u32..100, kappa in 0.0f64..9.0, a in -0.99f64..0.99) {
        let (tokens, swapped) = (Tokens { right: right.into(), wrong: wrong.into() }, Tokens { right: wrong.into(), wrong: right.into() });
        prop_assert!((tokens.expected_pass_at_1(kappa, a) + swapped.expected_pass_at_1(kappa, -a) - 1.0).abs() < 1e-10);
    }

    /// The power's limit is the mode of P35, whose accuracy no confidence changes; full accuracy is approached from the right side.
    #[test]
    fn large_confidence_approaches_the_mode_from_below(right in 1u32..10, wrong in 2u32..60, a in 0.05f64..0.9, kappa in 0.5f64..3.0) {
        let tokens = Tokens { right: right.into(), wrong: wrong.into() };
        let v = (right + wrong) as usize;
        let mode = mode_accuracy(v, tokens.share(), kappa, 0.0, a);
        prop_assert!((mode - mode_accuracy(v, tokens.share(), 1.0, 0.0, a)).abs() < 1e-10);
        let near = tokens.expected_pass_at_1(400.0, a);
        prop_assert!(near <= mode + 1e-9 && mode - near < 0.03, "{near} {mode}");
    }

    /// Orthogonality takes the mode from few right tokens that have little alignment.
    #[test]
    fn neutral_alignments_under_orthogonal_noise_are_positive(right in 1u32..8, more in 20u32..200, kappa in 0.2f64..1.0) {
        let tokens = Tokens { right: right.into(), wrong: (4 * right + more).into() };
        let neutral = tokens.neutral_alignment(kappa);
        prop_assert!(neutral.is_some_and(|a| (0.0..0.6).contains(&a)), "{neutral:?}");
    }
}

/// A claim that is false: that the line where the bulk formula equals the mode's accuracy is where sharpening turns from help to harm. At V = 64, six right,
/// a = 0.3 and kappa = 2.6 the bulk formula is above the mode, yet sharpening still helps: the right tokens have frozen, which the line
/// sqrt(2 ln V) / sqrt(1 - a^2) = 3.02 does not see.
#[test]
fn the_bulk_formula_misplaces_the_neutral_line() {
    let tokens = Tokens { right: 6.0, wrong: 58.0 };
    let (bulk, exact) = (bulk_pass_at_1(tokens.share(), 2.6, 0.3), tokens.expected_pass_at_1(2.6, 0.3));
    let mode = mode_accuracy(64, tokens.share(), 2.6, 0.0, 0.3);
    assert!(bulk > mode + 0.03 && exact < mode - 0.03, "{bulk} {exact} {mode}");
    assert!(tokens.freezing_confidence(0.3) < 2.6 && mta_theory::alignment::freezing_confidence(64, 0.0, 0.3) > 2.6);
}

/// A standard normal number, by Box and Muller.
fn normal(rng: &mut SmallRng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

#[test]
fn sampled_worlds_agree_within_four_standard_errors() {
    let mut rng = SmallRng::seed_from_u64(41);
    for (right, wrong, kappa, a) in [(3, 61, 1.0, 0.3), (3, 61, 5.0, 0.3), (1, 7, 2.0, -0.4), (2, 6, 12.0, 0.2)] {
        let tokens = Tokens { right: f64::from(right), wrong: f64::from(wrong) };
        let (gap, s) = (mean_gap(tokens.share(), kappa, a), kappa * f64::sqrt(1.0 - a * a));
        let draws: Vec<f64> = (0..20_000)
            .map(|_| {
                let logits: Vec<f64> = (0..right + wrong).map(|i| s * normal(&mut rng) + if i < right { gap } else { 0.0 }).collect();
                softmax(&logits)[..right as usize].iter().sum()
            })
            .collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let error = (draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20_000.0 / 20_000.0).sqrt();
        let expected = tokens.expected_pass_at_1(kappa, a);
        assert!((mean - expected).abs() < 4.0 * error, "{right} {kappa} {a}: {mean} {expected}");
    }
}

/// Independent integrals with 25 digits.
#[test]
fn orthogonal_noise_by_high_precision() {
    let tokens = |right, wrong| Tokens { right, wrong };
    for (right, wrong, a, chance) in
        [(3.0, 37.0, 0.25, 0.3103101353198552), (6.0, 6.0, -0.15, 0.3452544876706348), (1.0, 9.0, 0.5, 0.7030622632483596)]
    {
        let found = tokens(right, wrong).orthogonal_mode_accuracy(a);
        assert!((found - chance).abs() < 1e-12, "{right} {wrong}: {found}");
    }
    for (right, wrong, kappa, neutral) in [(3.0, 37.0, 0.8, 0.11413403919262), (5.0, 12.0, 0.5, 0.05197383892163)] {
        let found = tokens(right, wrong).neutral_alignment(kappa).unwrap();
        assert!((found - neutral).abs() < 1e-11, "{right} {wrong}: {found}");
    }
}

/// One wrong token is too few, and above kappa = 1 the neutral alignment has no formula.
#[test]
fn where_outputs_exist() {
    let exists = |right: f64, kappa: f64| (P41.evaluate)(&[5.0, right, kappa, 0.3, 2.0]).iter().map(Option::is_some).collect::<Vec<_>>();
    let all = [true; 7];
    assert_eq!(exists(2.0, 1.0), all);
    assert_eq!(exists(3.0, 1.0)[..6], all[..6]);
    assert_eq!(exists(2.0, 1.001), [true, true, true, true, true, true, false]);
    assert_eq!((exists(4.0, 1.0), exists(5.0, 1.0)), (vec![false; 7], vec![false; 7]));
}

/// One right token of many: at full alignment pass@1 comes within 1e-5 of the mode's accuracy and stays below, so there is a neutral alignment. The mode of a
/// misaligned prior, from the proposition's inputs.
#[test]
fn ends_of_the_alignment() {
    assert!(Tokens { right: 1.0, wrong: 300.0 }.neutral_alignment(1.0).is_some());
    assert_eq!((P41.evaluate)(&[5.0, 2.0, 1.0, -0.3, 2.0])[3], Some(mode_accuracy(5, 0.4, 1.0, 0.0, -0.3)));
}

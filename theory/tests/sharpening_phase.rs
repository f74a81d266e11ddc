//! P41: the sign law of sharpening, its limits, and samples on either side of freezing.

mod common;

use mta_theory::alignment::{bulk_pass_at_1, mean_gap, mode_accuracy};
use mta_theory::sharpening_phase::Tokens;
use mta_theory::simplex::softmax;
use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

proptest! {
    #![proptest_config(common::cases())]

    /// With independent noise the neutral line is a = 0: mean accuracy moves with the power in the direction of the alignment's sign.
    #[test]
    fn sharpening_helps_iff_aligned(right in 1u32..20, wrong in 1u32..100, kappa in 0.1f64..2.0, a in 0.02f64..0.95, power in 1.1f64..3.0) {
        let tokens = Tokens { right: f64::from(right), wrong: f64::from(wrong) };
        let gain = |a: f64| tokens.expected_pass_at_1(power * kappa, a) - tokens.expected_pass_at_1(kappa, a);
        prop_assert!(gain(a) > -1e-12 && gain(-a) < 1e-12, "{} {}", gain(a), gain(-a));
        prop_assert!((tokens.expected_pass_at_1(power * kappa, 0.0) - tokens.share()).abs() < 1e-11);
    }

    /// Right and wrong change places when the sign of the alignment does.
    #[test]
    fn right_or_wrong(right in 1u32..50, wrong in 1u32..100, kappa in 0.0f64..9.0, a in -0.99f64..0.99) {
        let (tokens, swapped) = (Tokens { right: right.into(), wrong: wrong.into() }, Tokens { right: wrong.into(), wrong: right.into() });
        prop_assert!((tokens.expected_pass_at_1(kappa, a) + swapped.expected_pass_at_1(kappa, -a) - 1.0).abs() < 1e-10);
    }

    /// The power's limit is the mode of P35, whose accuracy no confidence changes; full accuracy is approached from the right side.
    #[test]
    fn the_limit_is_the_mode(right in 1u32..10, wrong in 2u32..60, a in 0.05f64..0.9, kappa in 0.5f64..3.0) {
        let tokens = Tokens { right: right.into(), wrong: wrong.into() };
        let v = (right + wrong) as usize;
        let mode = mode_accuracy(v, tokens.share(), kappa, 0.0, a);
        prop_assert!((mode - mode_accuracy(v, tokens.share(), 1.0, 0.0, a)).abs() < 1e-10);
        let near = tokens.expected_pass_at_1(400.0, a);
        prop_assert!(near <= mode + 1e-9 && mode - near < 0.03, "{near} {mode}");
    }

    /// Orthogonality takes the mode from few right tokens that have little alignment.
    #[test]
    fn neutral_alignments_are_positive(right in 1u32..8, more in 20u32..200, kappa in 0.2f64..1.0) {
        let tokens = Tokens { right: right.into(), wrong: (4 * right + more).into() };
        let neutral = tokens.neutral_alignment(kappa);
        prop_assert!(neutral.is_some_and(|a| (0.0..0.6).contains(&a)), "{neutral:?}");
    }
}

/// A claim that is false: that the line where the bulk formula equals the mode's accuracy is where sharpening turns from help to harm. At V = 64, six right,
/// a = 0.3 and kappa = 2.6 the bulk formula is above the mode, yet sharpening still helps: the right tokens have frozen, which the line
/// sqrt(2 ln V) / sqrt(1 - a^2) = 3.02 does not see.
#[test]
fn the_neutral_line_of_the_bulk_formula_is_no_line() {
    let tokens = Tokens { right: 6.0, wrong: 58.0 };
    let (bulk, exact) = (bulk_pass_at_1(tokens.share(), 2.6, 0.3), tokens.expected_pass_at_1(2.6, 0.3));
    let mode = mode_accuracy(64, tokens.share(), 2.6, 0.0, 0.3);
    assert!(bulk > mode + 0.03 && exact < mode - 0.03, "{bulk} {exact} {mode}");
    assert!(tokens.freezing_confidence(0.3) < 2.6 && mta_theory::alignment::freezing_confidence(64, 0.3) > 2.6);
}

/// A standard normal number, by Box and Muller.
fn normal(rng: &mut SmallRng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

#[test]
fn samples_agree_within_four_standard_errors() {
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

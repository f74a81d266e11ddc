//! Clipped updates on random rewards, simulated (P13) and enumerated (P14).

use crate::common;
use mta_theory::clipping::*;
use mta_theory::random_reward::{drift, noise_rate};
use mta_theory::simplex::{logit, sigmoid};
use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// u after one pass of `b` minibatches of `n` samples from `p` with advantages of +1 or -1.
fn pass(rng: &mut SmallRng, p: f64, clip: f64, step: f64, b: usize, n: usize) -> f64 {
    let bits = |rng: &mut SmallRng| rng.random::<bool>();
    (0..b).fold(logit(p), |u, _| {
        let (now, mut push) = (sigmoid(u), 0.0);
        for _ in 0..n {
            let (first, good) = (rng.random::<f64>() < p, bits(rng));
            let ratio = if first { now / p } else { (1.0 - now) / (1.0 - p) };
            if !(if good { ratio > 1.0 + clip } else { ratio < 1.0 - clip }) {
                push += if good { ratio } else { -ratio } * (f64::from(first) - now);
            }
        }
        u + 2.0 * step / n as f64 * push
    })
}

/// Mean and standard error of `f` over passes.
fn passes(seed: u64, runs: usize, f: impl Fn(&mut SmallRng) -> f64) -> (f64, f64) {
    let mut rng = SmallRng::seed_from_u64(seed);
    let (mut sum, mut squares) = (0.0, 0.0);
    for _ in 0..runs {
        let x = f(&mut rng);
        sum += x;
        squares += x * x;
    }
    let mean = sum / runs as f64;
    (mean, ((squares / runs as f64 - mean * mean) / runs as f64).sqrt())
}

/// At eta = 1, B = n = 8 and eps = 0.2 the clip pushes to the prior mode; without a clip accuracy runs to 1/2; with noise inside the clip range it does too.
#[test]
fn flag_f2_the_clip_amplifies_the_mode_only_when_noise_exceeds_it() {
    for (i, p) in [0.1, 0.2, 0.3, 0.45, 0.55, 0.7, 0.8, 0.9].into_iter().enumerate() {
        let side = (2.0 * p - 1.0f64).signum();
        let (clipped, error) = passes(130 + i as u64, 30_000, |rng| sigmoid(pass(rng, p, 0.2, 1.0, 8, 8)) - p);
        assert!(side * clipped > 4.0 * error, "{p}: {clipped} +- {error}");
        let (free, error) = passes(150 + i as u64, 30_000, |rng| sigmoid(pass(rng, p, f64::INFINITY, 1.0, 8, 8)) - p);
        assert!(side * free < -4.0 * error, "{p}: {free} +- {error}");
    }
    let (quiet, error) = passes(170, 100_000, |rng| sigmoid(pass(rng, 0.8, 0.2, 0.1, 8, 8)) - 0.8);
    assert!(quiet < -4.0 * error && (quiet + 0.0003).abs() < 1e-4 + 4.0 * error, "{quiet} +- {error}");
}

/// The sheet's means at p = 0.8: with the clip +.0027, +.0072 and without -.0074, -.0258 for eta = .5 and 1.
#[test]
fn means_of_the_sheet() {
    for (i, (step, clipped, free)) in [(0.5, 0.0027, -0.0074), (1.0, 0.0072, -0.0258)].into_iter().enumerate() {
        for (clip, expected) in [(0.2, clipped), (f64::INFINITY, free)] {
            let (mean, error) = passes(180 + i as u64, 60_000, |rng| sigmoid(pass(rng, 0.8, clip, step, 8, 8)) - 0.8);
            assert!((mean - expected).abs() < 4.0 * error + 3e-4, "{step} {clip}: {mean} +- {error}");
        }
    }
}

#[test]
fn two_minibatches_drift_as_to_first_order() {
    for (seed, p, step) in [(190, 0.8, 4.0), (191, 0.9, 5.0)] {
        let predicted = first_order_drift(&Pass { p, clip: 0.2, step, minibatches: 2, size: 400.0, second_moment: 1.0, mean_size: 1.0 });
        let (mean, error) = passes(seed, 20_000, |rng| pass(rng, p, 0.2, step, 2, 400) - logit(p));
        assert!((mean - predicted).abs() < 4.0 * error + 0.05 * predicted, "{p}: {mean} +- {error}, {predicted}");
    }
}

/// Many minibatches with strong noise: the mean change of p per pass.
#[test]
fn saturated_passes_drift_by_the_closed_form() {
    for (seed, p) in [(200, 0.8), (201, 0.3)] {
        let (mean, error) = passes(seed, 3000, |rng| sigmoid(pass(rng, p, 0.2, 0.25, 400, 16)) - p);
        let predicted = saturated_drift(p, 0.2);
        assert!((mean - predicted).abs() < 4.0 * error + 0.15 * predicted.abs(), "{p}: {mean} +- {error}, {predicted}");
    }
}

/// Iterated saturated batches: each moves p by a draw from its stationary density, to leading order uniform on ± eps min with the drift's mean.
#[test]
fn iterated_batches_win_as_often_as_the_beta_says() {
    let clip = 0.3;
    let mut rng = SmallRng::seed_from_u64(210);
    let runs = 3000;
    let wins = (0..runs)
        .filter(|_| {
            let mut p: f64 = 0.6;
            while 0.02 < p && p < 0.98 {
                let wall = clip * p.min(1.0 - p);
                p += saturated_drift_leading(p, clip) + wall * (2.0 * rng.random::<f64>() - 1.0);
            }
            p > 0.5
        })
        .count();
    let share = f64::from(u32::try_from(wins).unwrap()) / f64::from(runs);
    assert!((share - chance_to_win(0.6)).abs() < 4.0 * (0.25 / f64::from(runs)).sqrt(), "{share}");
}

/// Without a clip one minibatch is the random reward of P11.
#[test]
fn no_clip_is_a_random_reward() {
    let step = 0.2;
    let (mean, error) = passes(220, 400_000, |rng| sigmoid(pass(rng, 0.8, f64::INFINITY, step, 1, 8)) - 0.8);
    let predicted = drift(&[0.8, 0.2], noise_rate(step, 1.0, 8.0))[0];
    assert!((mean - predicted).abs() < 4.0 * error, "{mean} +- {error}, {predicted}");
}

proptest! {
    #![proptest_config(common::cases())]

    #[test]
    fn the_clip_pushes_to_the_majority(p in 0.01..0.99f64, clip in 0.05..0.5f64, step in 0.2..3.0f64) {
        let side = (2.0 * p - 1.0).signum();
        let at = |p| first_order_drift(&Pass { p, clip, step, minibatches: 2, size: 8.0, second_moment: 1.0, mean_size: 1.0 });
        let drift = at(p);
        // at large displacement and clip the first-order force may turn; small clips are safe
        prop_assert!(clip > 0.2 || side * drift > -1e-14 * step, "{drift}");
        prop_assert!((drift + at(1.0 - p)).abs() < 1e-12 * step);
    }

    #[test]
    fn saturated_drifts_are_odd_and_point_to_the_majority(p in 1e-6..0.5f64, clip in 1e-3..0.9f64) {
        let drift = saturated_drift(p, clip);
        prop_assert!(drift <= 0.0 && drift >= -clip * p);
        prop_assert!((drift + saturated_drift(1.0 - p, clip)).abs() < 1e-9 * p);
        prop_assert!((saturated_drift(p, 1e-3) / saturated_drift_leading(p, 1e-3) - 1.0).abs() < 1e-4);
    }

    #[test]
    fn reuse_lowers_a_large_majority_less_with_a_clip(p in 0.8..0.9f64, clip in 0.2..0.3f64, step in 0.02..0.4f64, epochs in 16..40u32) {
        let reuse = Reuse { p, clip, step, group: 6, epochs };
        let (clipped, free) = (reused_batch(&reuse), reused_batch(&Reuse { clip: f64::INFINITY, ..reuse }));
        prop_assert!(clipped.drift < 0.0 && clipped.drift > free.drift, "{clipped:?} {free:?}");
        prop_assert!((clipped.up - clipped.down).abs() < 2e-2);
        let mirrored = reused_batch(&Reuse { p: 1.0 - p, ..reuse });
        prop_assert!((mirrored.drift + clipped.drift).abs() < 1e-6);
    }
}

/// The fall of the mode's mean is no theorem: a smaller majority whose last step overshoots a narrow clip gains.
#[test]
fn flag_f2_reuse_may_raise_the_mode_where_steps_overshoot_the_clip() {
    let reuse = reused_batch(&Reuse { p: 0.75, clip: 0.1, step: 0.432_580_096, group: 6, epochs: 17 });
    assert!((reuse.drift - 0.002105).abs() < 5e-6, "{reuse:?}");
}

#[test]
fn the_first_order_drift_scales_with_the_advantages() {
    let one = Pass { p: 0.8, clip: 0.2, step: 2.0, minibatches: 4, size: 16.0, second_moment: 1.0, mean_size: 1.0 };
    let drift = first_order_drift(&one);
    assert!((first_order_drift(&Pass { mean_size: 2.0, ..one }) - 2.0 * drift).abs() < 1e-15);
    assert!((first_order_drift(&Pass { second_moment: 4.0, step: 1.0, mean_size: 2.0, ..one }) - drift).abs() < 1e-14);
    assert_eq!((first_order_drift(&Pass { second_moment: 0.0, ..one }), first_order_drift(&Pass { step: 0.0, ..one })), (0.0, 0.0));
}

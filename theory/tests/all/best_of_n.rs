//! P24: best-of-N is a distribution, matches enumeration of ranks and samples.

use crate::common;
use mta_theory::best_of_n::{best_of_n, self_rewarded_accuracy};
use mta_theory::simplex::softmax;
use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

fn policies() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-4.0f64..4.0, 1..12).prop_map(|theta| softmax(&theta))
}

proptest! {
    #![proptest_config(common::cases())]

    #[test]
    fn is_a_distribution(p in policies(), log_n in 0.0f64..27.0) {
        let bon = best_of_n(&p, log_n.exp());
        prop_assert!(bon.iter().all(|&b| b >= 0.0));
        prop_assert!((bon.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    /// Two draws: both the arm itself, or the arm and something below it.
    #[test]
    fn two_draws_by_hand(p in policies()) {
        for (i, b) in best_of_n(&p, 2.0).iter().enumerate() {
            let below: f64 = p.iter().filter(|&&q| q < p[i]).sum();
            prop_assert!((b - p[i] * (p[i] + 2.0 * below)).abs() < 1e-13);
        }
    }

    #[test]
    fn one_draw_is_the_base(p in policies()) {
        for (b, p) in best_of_n(&p, 1.0).iter().zip(&p) {
            prop_assert!((b / p - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn a_right_mode_only_gains(p in policies(), n in 1.0f64..1e6) {
        let top = p.iter().copied().fold(0.0, f64::max);
        let c: Vec<bool> = p.iter().map(|&p| p == top).collect();
        prop_assert!(self_rewarded_accuracy(&p, &c, n + 1.0) >= self_rewarded_accuracy(&p, &c, n) - 1e-12);
    }
}

fn draw(p: &[f64], rng: &mut SmallRng) -> usize {
    let mut u = rng.random::<f64>();
    p.iter()
        .position(|p| {
            (u < *p) || {
                u -= p;
                false
            }
        })
        .unwrap_or(p.len() - 1)
}

#[test]
fn samples_agree_within_four_standard_errors() {
    let mut rng = SmallRng::seed_from_u64(24);
    let p = [0.05, 0.3, 0.1, 0.35, 0.2];
    for n in [2, 5, 16] {
        let mut counts = [0f64; 5];
        for _ in 0..100_000 {
            let best = (0..n).map(|_| draw(&p, &mut rng)).max_by(|&i, &j| p[i].total_cmp(&p[j])).unwrap();
            counts[best] += 1e-5;
        }
        for (found, b) in counts.iter().zip(best_of_n(&p, f64::from(n))) {
            assert!((found - b).abs() <= 4.0 * (b * (1.0 - b) / 1e5).sqrt() + 1e-12, "{n}: {found} {b}");
        }
    }
}

#[test]
fn weights_need_not_be_normalised() {
    for (p, q) in best_of_n(&[0.1, 0.2, 0.2, 0.5], 3.0).iter().zip(best_of_n(&[0.05, 0.1, 0.1, 0.25], 3.0)) {
        assert!((p - q).abs() < 1e-15);
    }
}

//! How much log-prior a right answer is worth.

use super::explicit::{bandit, tree};
use super::lab::responses;
use super::settings::flow;
use super::{Claim, Part, Rung, SHARPENING, Trial, Verdict};
use crate::config::Config;
use crate::world::World;
use mta_theory::stability::tilt;

/// Power alpha of the prior.
const POWER: f64 = 2.0;

pub(super) static CLAIM: Claim = Claim {
    id: "tilted-stable",
    paper: SHARPENING,
    statement: "The true reward beside sharpening keeps right answers on top while their log-prior gap is below k/alpha.",
    prediction: "with alpha = 2 and k = 1.2 alpha times the gap the right answer ends above the base mode; with k = .8 alpha times the gap below it",
    finding: "",
    trials: &[
        Trial {
            rung: Rung::Theory,
            expected: Verdict::Holds,
            parts: || vec![optimum(1.2)],
            dropped: "gap < k/alpha: k is .8 alpha times the gap",
            counterexample: || vec![optimum(0.8)],
        },
        Trial::holds(Rung::Bandit, DROPPED, || vec![trained(&arms(), gap_of_arms(), 1.2)], || vec![trained(&arms(), gap_of_arms(), 0.8)]),
        Trial::holds(Rung::Tree, DROPPED, || vec![trained(&paths(), gap_of_paths(), 1.2)], || vec![trained(&paths(), gap_of_paths(), 0.8)]),
    ],
};

const DROPPED: &str = "gap < k/alpha: k is .8 alpha times the gap";

/// Log-prior of the base mode less that of the right answer, in nats: .72 against .06 in the bandit, .8^2 against .2^2 in the tree.
fn gap_of_arms() -> f64 {
    12f64.ln()
}

fn gap_of_paths() -> f64 {
    2.0 * 4f64.ln()
}

/// The right answer first, the base model's mode second.
fn arms() -> World {
    bandit(&[0.06, 0.72, 0.22], &[true, false, false])
}

/// The right answer is the unlikelier token twice.
fn paths() -> World {
    tree(&[&[0.2, 0.8], &[0.2, 0.8]], &[&[true, false], &[true, false]])
}

fn optimum(factor: f64) -> Part {
    let base = [0.06f64, 0.72, 0.22].map(|p| POWER * p.ln());
    let end = tilt(&base, &[1.0, 0.0, 0.0], 1.0 / (factor * POWER * gap_of_arms()));
    Part::exact(format!("k = {factor} alpha gap"), end[0] - end[1])
}

/// Probability of the right answer less that of the base mode after training.
fn trained(world: &World, gap: f64, factor: f64) -> Part {
    let k = factor * POWER * gap;
    let tilted = |c: &mut Config| (c.signal.prior_power, c.signal.beta_inv) = (POWER, k);
    let end = responses(world, &flow("npg", "tilted", 0.05, 12.0 * k, tilted));
    let mode = if end.len() == 3 { end[1] } else { end[end.len() - 1] };
    Part::exact(format!("k = {factor} alpha gap"), end[0] - mode)
}

//! P27, P28: positive and negative samples.

use super::clocks::logit_of_first;
use super::flow::Flow;
use super::setting::{UNUSED, bandit_with, gradient_weight, prob, recipe, two_arms};
use super::{Simulation, exact, sampled};
use crate::config::{Baseline, Config, Scale};
use crate::stream::Seed;
use mta_theory::simplex::logit;

/// One sampled group per weight, expected updates for the times.
pub(super) static P27: Simulation = Simulation {
    proposition: "P27",
    setup: "one sampled group: the logit's move over the gradient of accuracy, under grpo with one weight 0, and without baseline over the group's mean \
            (negatives: of the incorrect signal, backwards); times: exact mode, npg_std with one weight 0",
    tolerance: 1e-6,
    measures: &[
        sampled("psr_norm_weight", |x, seed| weight(x, seed, "ground_truth", averaged)),
        sampled("nsr_norm_weight", |x, seed| Some(-weight(x, seed, "incorrect", averaged)?)),
        sampled("grpo_weight", |x, seed| weight(x, seed, "ground_truth", |_| {})),
        sampled("positive_weight", |x, seed| weight(x, seed, "ground_truth", positive)),
        sampled("negative_weight", |x, seed| weight(x, seed, "ground_truth", negative)),
        exact("time_positive", |x| time(x, positive)),
        exact("time_negative", |x| time(x, negative)),
        exact("time_both", |x| time(x, |_| {})),
    ],
};

fn averaged(config: &mut Config) {
    (config.objective.baseline, config.objective.scale) = (Baseline::None, Scale::GroupMean);
}

fn positive(config: &mut Config) {
    config.objective.negative_weight = 0.0;
}

fn negative(config: &mut Config) {
    config.objective.positive_weight = 0.0;
}

fn weight(x: &[f64], seed: Seed, signal: &str, set: fn(&mut Config)) -> Option<f64> {
    gradient_weight(&two_arms(x[0], seed)?, recipe(signal, "grpo", set), x[1])
}

fn time(x: &[f64], set: fn(&mut Config)) -> Option<f64> {
    let world = two_arms(x[0], UNUSED)?;
    Flow::new(&world, "ground_truth", "npg_std").with(set).time_until(logit(x[2]), &logit_of_first)
}

/// Arms of which only the sampled one is wrong.
pub(super) static P28: Simulation = Simulation {
    proposition: "P28",
    setup: "exact mode, nsr, only the sampled arm wrong: change of the other over a small step and over the chance of the sample; the rest is one large and \
            eight equal arms, where they can have this S2; no dead prompt",
    tolerance: 1e-6,
    measures: &[exact("change", |x| {
        let mut probs = vec![x[0], x[1]];
        probs.extend(rest(1.0 - x[0] - x[1], x[2] - x[0] * x[0] - x[1] * x[1])?);
        let right: Vec<bool> = (0..probs.len()).map(|arm| arm > 0).collect();
        let world = bandit_with(&probs, &right, UNUSED)?;
        Some(x[4] * Flow::new(&world, "ground_truth", "nsr").slope(&|policy| prob(policy, 1))? / x[0])
    })],
};

/// One arm and eight equal ones of this mass and sum of squares: `b + 8 c = mass`, `b^2 + 8 c^2 = squares`.
fn rest(mass: f64, squares: f64) -> Option<Vec<f64>> {
    let root = (8.0 * (9.0 * squares - mass * mass)).sqrt();
    let small = (8.0 * mass - root) / 72.0;
    let large = mass - 8.0 * small;
    (small > 0.0 && large > 0.0).then(|| std::iter::once(large).chain([small; 8]).collect())
}

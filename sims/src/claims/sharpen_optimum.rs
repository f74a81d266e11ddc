//! Sharpening ends at the mode.

use super::lab::{pass_at, slopes};
use super::settings::{BANDIT, Ground, TREE, as_it_is, paid_by, ruled_by};
use super::{Claim, Part, Rung, SHARPENING, Trial, Verdict};
use crate::config::{Config, KlForm, KlPlace, Mode};
use crate::recipe::Ready;
use mta_theory::sharpening::{limit_accuracy, sharpened_accuracy};

/// How far accuracy may be from the mode's.
const TOLERANCE: f64 = 0.02;

pub(super) static CLAIM: Claim = Claim {
    id: "sharpen-optimum",
    paper: SHARPENING,
    statement: "The optimum of sharpening is the mode: right exactly where the base mode is right, and helpful at first where Cov(correct, log p) > 0.",
    prediction: "accuracy after sharpening is within .02 of the base model's mode accuracy in most worlds; the first change of a prompt has the sign of its covariance on 95 %",
    finding: "",
    trials: &[
        Trial {
            rung: Rung::Theory,
            expected: Verdict::Holds,
            parts: || vec![to_the_limit(1e3)],
            dropped: "no leash: power 2, the optimum at KL weight 1",
            counterexample: || vec![to_the_limit(2.0)],
        },
        Trial::holds(Rung::Bandit, DROPPED, || both(BANDIT), || vec![ends_at_mode(BANDIT, leashed)]),
        Trial::holds(Rung::Tree, DROPPED, || both(TREE), || vec![ends_at_mode(TREE, leashed)]),
    ],
};

const DROPPED: &str = "no leash: KL weight 1, so that the optimum is the base model squared";

/// The example of P22: sharpening helps at first and hurts in the end.
fn to_the_limit(power: f64) -> Part {
    let (base, correct) = ([0.3, 0.25, 0.25, 0.2], [false, true, true, false]);
    let gap = sharpened_accuracy(&base, &correct, power) - limit_accuracy(&base, &correct);
    Part::exact(format!("power {power}"), TOLERANCE - gap.abs())
}

fn both(ground: Ground) -> Vec<Part> {
    vec![ends_at_mode(ground, as_it_is), starts_with_covariance(ground)]
}

/// Expected natural-gradient updates on log pi0, every prompt for itself.
fn sharpening(ground: Ground, set: fn(&mut Config)) -> Ready {
    let mut ready = paid_by(ruled_by(ground.recipe("sharpen", 0.5, |_| {}), "npg"), "log_prior");
    let c = &mut ready.config;
    (c.train.mode, c.train.steps, c.policy.sharing) = (Mode::Exact, 200, 0.0);
    (c.world.prompts, c.world.held_out, c.world.vocab) = (16, 1, c.world.vocab.min(24 / c.world.depth));
    c.train.train_batch_size = 16;
    set(c);
    ready
}

fn leashed(c: &mut Config) {
    (c.objective.kl_beta, c.objective.kl_place, c.objective.kl_form) = (1.0, KlPlace::Reward, KlForm::K1);
    (c.train.learning_rate, c.train.steps) = (0.1, 200);
}

fn ends_at_mode(ground: Ground, set: fn(&mut Config)) -> Part {
    Part::in_most_worlds("accuracy in the end is the mode's", move |lab| {
        let (before, after) = lab.on_training_prompts(&sharpening(ground, set));
        (pass_at(&after, 1) - before.mode_accuracy).abs() <= TOLERANCE
    })
}

fn starts_with_covariance(ground: Ground) -> Part {
    Part::in_most_worlds("the first change has the sign of Cov on 95 % of prompts", move |lab| {
        let first = |c: &mut Config| (c.train.steps, c.train.learning_rate) = (1, 1e-4);
        let prompts = slopes(lab.seed, &sharpening(ground, first));
        let agreeing = prompts.iter().filter(|(covariance, change)| (*covariance > 0.0) == (*change > 0.0)).count();
        agreeing as f64 >= 0.95 * prompts.len() as f64
    })
}

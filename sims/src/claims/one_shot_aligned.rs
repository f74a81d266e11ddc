//! One training prompt is enough where the model is aligned, and shares what it learns.

use super::settings::{BANDIT, GROWN, Ground, TREE};
use super::{Claim, MTA, Part, Rung, Trial};
use crate::config::Config;

pub(super) static CLAIM: Claim = Claim {
    id: "one-shot-aligned",
    paper: MTA,
    statement: "Training on one prompt keeps most of the gain only when the model is aligned with the task.",
    prediction: "gain kept >= .8 at alignment .9 and <= .3 at alignment 0 (transformers: .1), with sharing .95 and twice the usual steps",
    finding: "Alignment alone does not decide it. What one prompt teaches must also reach the other prompts: with sharing .5 only a fifth of the gain is kept at \
              alignment .9, with .8 half, with .95 nearly all of it. The paper's version holds for a policy whose every update is shared. On grown transformers it \
              fails (twelve seeds, margin -.48 between -.50 and -.01): updates there are shared as at .8, and a model that is right already forgets other \
              questions while it learns the one.",
    trials: &[
        Trial::holds(Rung::Bandit, DROPPED, || divide(BANDIT, 0.0), || vec![memorised(BANDIT)]),
        Trial::holds(Rung::Tree, DROPPED, || divide(TREE, 0.0), || vec![memorised(TREE)]),
        Trial::fails(Rung::Llm, TOO_FAST, || divide(GROWN, 0.1), || vec![too_fast(GROWN)]),
    ],
};

const DROPPED: &str = "updates are shared: sharing .5, so that the prompt is memorised";

const TOO_FAST: &str = "small updates: twenty times the learning rate, so that the prompt is memorised";

fn too_fast(ground: Ground) -> Part {
    ground.keeps("one-shot", 0.8, 0.9, |c| {
        shared(c);
        c.train.learning_rate *= 20.0;
    })
}

fn divide(ground: Ground, weak: f64) -> Vec<Part> {
    vec![ground.keeps("one-shot", 0.8, 0.9, shared), ground.loses("one-shot", 0.3, weak, shared)]
}

fn memorised(ground: Ground) -> Part {
    ground.keeps("one-shot", 0.8, 0.9, |c| {
        shared(c);
        c.policy.sharing = 0.5;
    })
}

fn shared(c: &mut Config) {
    c.policy.sharing = 0.95;
    c.train.steps *= 2;
}

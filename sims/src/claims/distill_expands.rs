//! A teacher reaches what reward cannot.

use super::lab::{first, last};
use super::settings::{BANDIT, GROWN, Ground, TREE};
use super::{BOUNDARY, Claim, Part, Rung, Trial, Verdict};
use mta_theory::distillation::{distillation_time, policy_gradient_time};

/// How much pass@k may lose where both models are near certain.
const SLACK: f64 = 0.02;

pub(super) static CLAIM: Claim = Claim {
    id: "distill-expands",
    paper: BOUNDARY,
    statement: "Distillation from a stronger teacher raises pass@k at every k.",
    prediction: "held-out pass@k of a base model of alignment -.5 rises by .1 at k = 1 and 8, and loses at most .02 at k = 64, 256 and 1024 (transformers: 16), in most worlds; in \
                 theory the \
                 time to learn from a teacher grows with log(1/p0) and not with 1/p0",
    finding: "",
    trials: &[
        Trial {
            rung: Rung::Theory,
            expected: Verdict::Holds,
            parts: || vec![faster(0.9)],
            dropped: "a stronger teacher: one that gives the right answer .3 of the time never brings it to 1/2",
            counterexample: || vec![faster(0.3)],
        },
        Trial::holds(Rung::Bandit, DROPPED, || every_k(BANDIT, 1.0), || every_k(BANDIT, -0.9)),
        Trial::holds(Rung::Tree, DROPPED, || every_k(TREE, 1.0), || every_k(TREE, -0.9)),
        Trial::holds(Rung::Llm, DROPPED, || few(GROWN, 1.0), || few(GROWN, -0.9)),
    ],
};

const DROPPED: &str = "a stronger teacher: alignment -.9";

/// 1 less the time from p0 = 1e-4 to 1/2 over that of the policy gradient; -1 where a teacher of accuracy `teacher` never gets there.
fn faster(teacher: f64) -> Part {
    let margin = distillation_time(1e-4, 0.5, teacher).map_or(-1.0, |t| 1.0 - t / policy_gradient_time(1e-4, 0.5));
    Part::exact(format!("teacher of accuracy {teacher}"), margin)
}

fn every_k(ground: Ground, teacher: f64) -> Vec<Part> {
    [(1, 0.1), (8, 0.1), (64, -SLACK), (256, -SLACK), (1024, -SLACK)].map(|(k, least)| rises(ground, teacher, k, least)).into()
}

/// Every k that 16 responses to a prompt can tell.
fn few(ground: Ground, teacher: f64) -> Vec<Part> {
    [(1, 0.1), (8, 0.1), (16, -SLACK)].map(|(k, least)| rises(ground, teacher, k, least)).into()
}

fn rises(ground: Ground, teacher: f64, k: u32, least: f64) -> Part {
    Part::in_most_worlds(format!("pass@{k} changes by at least {least}"), move |lab| {
        let curves = lab.run(&ground.recipe("distill", -0.5, |c| c.data.teacher_alignment = teacher));
        let metric = format!("held_out/pass@{k}");
        last(&curves, &metric) - first(&curves, &metric) >= least
    })
}

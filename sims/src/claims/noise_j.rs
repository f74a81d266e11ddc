//! A verifier that errs alike on all wrong answers only changes the pace.

use super::lab::responses;
use super::settings::{BANDIT, Ground, TREE, flow};
use super::{Claim, Part, Rung, Trial, Verdict};
use crate::claims::explicit;
use crate::config::Config;
use crate::world::World;
use mta_theory::verifier::{gradient_fate, natural_policy};

pub(super) static CLAIM: Claim = Claim {
    id: "noise-j",
    paper: "Rate or Fate, arXiv 2601.04411",
    statement: "With a noisy verifier the sign of J = TPR - FPR decides the fate and its size the rate.",
    prediction: "progress >= .25 at J = .5, <= .1 in size at J = 0, <= -.25 at J = -.5 (alignment .9, where there is something to lose), in most worlds; in the exact flow J only rescales time (to .001)",
    finding: "J > 0 is a rate and not a fate only while every wrong answer is accepted equally often. One wrong answer that the verifier always accepts decides \
              the fate at an average J of .86 (P7): accuracy rises first and then goes to zero, to the hacked answer. The paper's version holds for \
              errors that are independent of the answer.",
    trials: &[
        Trial {
            rung: Rung::Theory,
            expected: Verdict::Holds,
            parts: || {
                vec![
                    Part::exact("all wrong arms accepted at .04", fate(0.04)),
                    Part::exact("and at .8, just below the right arm", fate(0.8)),
                ]
            },
            dropped: "one rate for all wrong answers: one of mass .02 is always accepted",
            counterexample: || {
                vec![
                    Part::exact("natural flow at t = 120", fate(1.0)),
                    Part::exact("gradient flow's fate", gradient_fate(&[0.1, 0.2, 0.7], &[1.0, 1.0, 0.0])[0] - 0.5),
                ]
            },
        },
        Trial {
            rung: Rung::Bandit,
            expected: Verdict::Holds,
            parts: || signs(BANDIT).into_iter().chain([same_path(&bandit())]).collect(),
            dropped: "one rate for all wrong answers: one is accepted like the right one, and starts ahead",
            counterexample: || vec![hacked(&explicit::bandit(&[0.1, 0.2, 0.3, 0.4], &[true, true, false, false]))],
        },
        Trial {
            rung: Rung::Tree,
            expected: Verdict::Holds,
            parts: || signs(TREE).into_iter().chain([same_path(&tree())]).collect(),
            dropped: "one rate for all wrong answers: one is accepted like the right one, and starts ahead",
            counterexample: || vec![hacked(&explicit::tree(&[&[0.3, 0.7], &[0.4, 0.6]], &[&[true, true], &[true, false]]))],
        },
    ],
};

/// Accuracy at time 120 less 1/2, of a right arm of mass .1 accepted at .9 beside a hacked one of mass .02 (P7).
fn fate(hacked: f64) -> f64 {
    natural_policy(&[0.1, 0.02, 0.88], &[0.9, hacked, 0.02], 120.0)[0] - 0.5
}

fn signs(ground: Ground) -> Vec<Part> {
    vec![
        progress(ground, "J = 0.5: gains", 0.5, 0.75, |x| x >= 0.25),
        progress(ground, "J = 0: stays", 0.5, 0.5, |x| x.abs() <= 0.1),
        progress(ground, "J = -0.5: loses", 0.9, 0.25, |x| x <= -0.25),
    ]
}

fn progress(ground: Ground, place: &str, alignment: f64, tpr: f64, is_right: fn(f64) -> bool) -> Part {
    Part::in_most_worlds(place, move |lab| {
        let verifier = |c: &mut Config| (c.signal.tpr, c.signal.fpr) = (tpr, 1.0 - tpr);
        is_right(lab.progress(&ground.recipe("noisy", alignment, verifier), ground.ceiling))
    })
}

fn bandit() -> World {
    explicit::bandit(&[0.1, 0.2, 0.3, 0.4], &[true, false, false, false])
}

fn tree() -> World {
    explicit::tree(&[&[0.3, 0.7], &[0.4, 0.6]], &[&[true, false], &[true, false]])
}

/// The flow at J = .5 for twice the time ends where the clean flow ends.
fn same_path(world: &World) -> Part {
    let end = |j: f64| {
        let noisy = |c: &mut Config| (c.signal.tpr, c.signal.fpr) = (0.5 + 0.5 * j, 0.5 - 0.5 * j);
        responses(world, &flow("pg", "noisy", 0.02, 20.0 / j, noisy))[0]
    };
    Part::exact("the path of the flow, to .001", 1e-3 - (end(0.5) - end(1.0)).abs())
}

/// Accuracy in the end less 1/2, where the second response is paid like the right one (the first).
fn hacked(world: &World) -> Part {
    let right = responses(world, &flow("pg", "ground_truth", 1.0, 2000.0, |_| {}))[0];
    Part::exact("accuracy of the only right answer", right - 0.5)
}

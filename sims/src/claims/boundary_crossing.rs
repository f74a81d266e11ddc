//! pass@1 up, pass@k down.

use super::lab::{PASS_1, first, last, pass_at};
use super::settings::{BANDIT, Ground, TREE};
use super::{BOUNDARY, Claim, Part, Rung, Trial, Verdict};
use mta_theory::crossing::{LogitMap, mapped_pass_at_k};

/// Attempts at which the loss is measured.
const K: u32 = 64;

/// By how much pass@k must fall.
const LOSS: f64 = 0.01;

const SHARPEN: LogitMap = LogitMap { shift: 0.0, power: 2.0 };
const TILT: LogitMap = LogitMap { shift: 1.0, power: 1.0 };
const NOTHING: LogitMap = LogitMap { shift: 0.0, power: 1.0 };

pub(super) static CLAIM: Claim = Claim {
    id: "boundary-crossing",
    paper: BOUNDARY,
    statement: "RL raises pass@1 and lowers pass@k beyond some k.",
    prediction: "in most worlds held-out pass@1 gains .1 and pass@k loses .01 at k = 64, after three times the usual \
                 steps at alignment .5; in theory sharpening does both and a tilt by reward does not",
    finding: "Not a property of the reward: a tabular policy trained on the true reward never loses at any k (P30, and the counterexample on its own training \
              prompts). The loss comes from what prompts share: a skill that is right on most prompts takes its probability from the arms the rest need. \
              The paper's version holds for policies that generalise.",
    trials: &[
        Trial {
            rung: Rung::Theory,
            expected: Verdict::Holds,
            parts: || vec![change(1.0, SHARPEN, 1.0), change(256.0, SHARPEN, -1.0)],
            dropped: "sharpening: the true reward tilts every prompt alike",
            counterexample: || vec![change(256.0, TILT, -1.0)],
        },
        Trial::holds(Rung::Bandit, DROPPED, || crosses(BANDIT), || vec![tabular(BANDIT)]),
        Trial::holds(Rung::Tree, DROPPED, || crosses(TREE), || vec![tabular(TREE)]),
    ],
};

const DROPPED: &str = "shared parameters: every prompt for itself, on its own training";

/// Signed change of pass@k of a population with Beta(2, .8) difficulty.
fn change(k: f64, map: LogitMap, sign: f64) -> Part {
    let (a, b) = (2.0, 0.8);
    let gain = mapped_pass_at_k(a, b, map, k) - mapped_pass_at_k(a, b, NOTHING, k);
    Part::exact(format!("pass@{k}"), sign * gain)
}

fn crosses(ground: Ground) -> Vec<Part> {
    let most = move |place: String, metric: String, is_true: fn(f64) -> bool| {
        Part::in_most_worlds(place, move |lab| {
            let curves = lab.run(&ground.recipe("standard", 0.5, |c| c.train.steps *= 3));
            is_true(last(&curves, &metric) - first(&curves, &metric))
        })
    };
    vec![
        most("pass@1 rises by .1".into(), PASS_1.into(), |gain| gain >= 0.1),
        most(format!("pass@{K} falls by .01"), format!("held_out/pass@{K}"), |gain| gain <= -LOSS),
    ]
}

/// The loss of pass@k on the training prompts of a policy that shares nothing.
fn tabular(ground: Ground) -> Part {
    Part::in_most_worlds(format!("pass@{K} of a tabular policy falls by .01"), move |lab| {
        let ready = ground.recipe("standard", 0.5, |c| {
            (c.policy.sharing, c.world.prompts, c.world.held_out) = (0.0, 16, 1);
            c.train.steps *= 3;
        });
        let (before, after) = lab.on_training_prompts(&ready);
        pass_at(&after, K) - pass_at(&before, K) <= -LOSS
    })
}

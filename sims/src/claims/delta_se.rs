//! Which rule hardly matters.

use super::lab::{PASS_1, first, last};
use super::settings::{BANDIT, Ground, TREE, ruled_by};
use super::{BOUNDARY, Claim, Part, Rung, Trial};

/// The rules compared; with DAPO's dynamic sampling among them.
const RULES: [&str; 6] = ["grpo", "dr_grpo", "rloo", "reinforce++-baseline", "dapo", "gspo"];

/// The largest spread of the gap that counts as similar: the published ones spread over .038 (Omni-Test) and .021 (MATH500).
const SPREAD: f64 = 0.05;

pub(super) static CLAIM: Claim = Claim {
    id: "delta-se",
    paper: BOUNDARY,
    statement: "All policy-gradient rules leave a similar gap between base pass@256 and trained pass@1.",
    prediction: "after long training, largest less smallest gap over grpo, dr_grpo, rloo, reinforce++-baseline, dapo and gspo <= .05 in most worlds",
    finding: "Similar in the end, not on the way: early in training the gaps spread by several times that, because the rules differ in how they scale the \
              step, not in where it leads.",
    trials: &[
        Trial::holds(Rung::Bandit, DROPPED, || vec![spread(BANDIT, 5.0)], || vec![spread(BANDIT, 0.25)]),
        Trial::holds(Rung::Tree, DROPPED, || vec![spread(TREE, 5.0)], || vec![spread(TREE, 0.25)]),
    ],
};

const DROPPED: &str = "long training: a quarter of the usual steps";

fn spread(ground: Ground, budget: f64) -> Part {
    Part::in_most_worlds(format!("{budget} times the usual steps"), move |lab| {
        let gap = |rule: &&str| {
            let ready = ruled_by(ground.recipe("standard", 0.5, |c| c.train.steps = (c.train.steps as f64 * budget) as usize), rule);
            let curves = lab.run(&ready);
            first(&curves, "held_out/pass@256") - last(&curves, PASS_1)
        };
        let gaps: Vec<f64> = RULES.iter().map(gap).collect();
        gaps.iter().copied().fold(f64::NEG_INFINITY, f64::max) - gaps.iter().copied().fold(f64::INFINITY, f64::min) <= SPREAD
    })
}

//! Longer training, smaller boundary.

use super::lab::{at, last};
use super::settings::{BANDIT, Ground, TREE};
use super::{BOUNDARY, Claim, Part, Rung, Trial};

pub(super) static CLAIM: Claim = Claim {
    id: "boundary-steps",
    paper: BOUNDARY,
    statement: "pass@256 falls as training goes on.",
    prediction: "held-out pass@256 halfway through the usual steps exceeds that after twenty times as many by .005 in most worlds (alignment .5)",
    finding: "As with the crossing itself, what falls is pass@k of prompts that share a skill; see boundary-crossing.",
    trials: &[
        Trial::holds(Rung::Bandit, DROPPED, || vec![falls(BANDIT, 20, |s| s)], || vec![falls(BANDIT, 20, |_| 0.0)]),
        Trial::holds(Rung::Tree, DROPPED, || vec![falls(TREE, 40, |s| s)], || vec![falls(TREE, 40, |_| 0.0)]),
    ],
};

const DROPPED: &str = "shared parameters: sharing 0, so that held-out prompts keep the base model";

fn falls(ground: Ground, steps: usize, sharing: fn(f64) -> f64) -> Part {
    Part::in_most_worlds(format!("pass@256 falls from step {steps} to {}", 20 * steps), move |lab| {
        let curves = lab.run(&ground.recipe("standard", 0.5, |c| {
            (c.train.steps, c.train.eval_every) = (20 * steps, steps);
            c.policy.sharing = sharing(c.policy.sharing);
        }));
        at(&curves, "held_out/pass@256", steps) - last(&curves, "held_out/pass@256") >= 0.005
    })
}

//! RL on the true reward works at every alignment, until nothing right is ever sampled.

use super::settings::{BANDIT, GROWN, Ground, TREE, as_it_is};
use super::{Claim, MTA, Part, Rung, Trial, Verdict};
use crate::config::Config;

/// The share of what was left to gain that standard RL must gain.
const SHARE: f64 = 0.5;

pub(super) static CLAIM: Claim = Claim {
    id: "standard-robust",
    paper: MTA,
    statement: "RL on the true reward improves held-out pass@1 at every alignment.",
    prediction: "at alignment .1, .3, .5, .7 and .9 it gains at least half of what is left below the task's ceiling",
    finding: "",
    trials: &[
        Trial {
            rung: Rung::Bandit,
            expected: Verdict::Holds,
            parts: || everywhere(BANDIT),
            dropped: "some rollout is right: the base model puts all its mass on wrong arms (exploration barrier, P34)",
            counterexample: || vec![gains(BANDIT, -0.9, |c| c.world.confidence = 12.0)],
        },
        Trial {
            rung: Rung::Tree,
            expected: Verdict::Holds,
            parts: || everywhere(TREE),
            dropped: "some rollout is right: eight tokens of which every one must be (exploration barrier, P34)",
            counterexample: || vec![gains(TREE, 0.1, |c| c.world.depth = 8)],
        },
        Trial {
            rung: Rung::Llm,
            expected: Verdict::Holds,
            parts: || vec![gains(GROWN, 0.1, as_it_is), gains(GROWN, 0.9, as_it_is)],
            dropped: "some rollout is right: the base model puts all its mass on methods that slip (exploration barrier, P34)",
            counterexample: || vec![gains(GROWN, -0.9, |c| c.world.confidence = 12.0)],
        },
    ],
};

fn everywhere(ground: Ground) -> Vec<Part> {
    [0.1, 0.3, 0.5, 0.7, 0.9].into_iter().map(|a| gains(ground, a, as_it_is)).collect()
}

fn gains(ground: Ground, alignment: f64, set: fn(&mut Config)) -> Part {
    Part::per_seed(format!("alignment {alignment}"), (-1.0 - SHARE, 1.0 - SHARE), move |lab| {
        lab.progress(&ground.recipe("standard", alignment, set), ground.ceiling) - SHARE
    })
}

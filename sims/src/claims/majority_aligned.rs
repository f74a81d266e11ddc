//! Majority vote learns what the base model's mode already knows.

use super::settings::{BANDIT, Ground, TREE, as_it_is};
use super::{Claim, MTA, Part, Rung, Trial, Verdict};
use crate::claims::theory_rung::{mode_divide, no_mode};

pub(super) static CLAIM: Claim = Claim {
    id: "majority-aligned",
    paper: MTA,
    statement: "Majority vote keeps most of the gain only when aligned.",
    prediction: "gain kept >= .8 at alignment .9 and <= .3 at alignment .1; in theory the gain of the vote's limit, which is the base mode",
    finding: "",
    trials: &[
        Trial {
            rung: Rung::Theory,
            expected: Verdict::Holds,
            parts: mode_divide,
            dropped: "the prior is shared by the prompts: idiosyncrasy 3",
            counterexample: no_mode,
        },
        trial(Rung::Bandit, || divide(BANDIT), || vec![own_priors(BANDIT)]),
        trial(Rung::Tree, || divide(TREE), || vec![own_priors(TREE)]),
    ],
};

const fn trial(rung: Rung, parts: fn() -> Vec<Part>, counterexample: fn() -> Vec<Part>) -> Trial {
    Trial { rung, expected: Verdict::Holds, parts, dropped: "the prior is shared by the prompts: idiosyncrasy 3", counterexample }
}

fn divide(ground: Ground) -> Vec<Part> {
    vec![ground.keeps("majority", 0.8, 0.9, as_it_is), ground.loses("majority", 0.3, 0.1, as_it_is)]
}

fn own_priors(ground: Ground) -> Part {
    ground.keeps("majority", 0.8, 0.9, |c| c.world.idiosyncrasy = 3.0)
}

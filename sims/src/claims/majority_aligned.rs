//! Majority vote learns what the base model's mode already knows.

use super::mode_seeking::{DROPPED, divide, mode_divide, no_mode, own_priors};
use super::settings::{BANDIT, GROWN, TREE};
use super::{Claim, MTA, Rung, Trial};

pub(super) static CLAIM: Claim = Claim {
    id: "majority-aligned",
    paper: MTA,
    statement: "Majority vote keeps most of the gain only when aligned.",
    prediction: "gain kept >= .8 at alignment .9 and <= .3 at alignment .1; in theory the gain of the vote's limit, which is the base mode",
    finding: "",
    trials: &[
        Trial::holds(Rung::Theory, DROPPED, mode_divide, no_mode),
        Trial::holds(Rung::Bandit, DROPPED, || divide(BANDIT, "majority"), || own_priors(BANDIT, "majority")),
        Trial::holds(Rung::Tree, DROPPED, || divide(TREE, "majority"), || own_priors(TREE, "majority")),
        Trial::holds(Rung::Llm, DROPPED, || divide(GROWN, "majority"), || own_priors(GROWN, "majority")),
    ],
};

//! Self-reward learns what the base model's mode already knows.

use super::mode_seeking::{DROPPED, divide, mode_divide, no_mode, own_priors};
use super::settings::{BANDIT, GROWN, TREE};
use super::{Claim, MTA, Rung, Trial};

pub(super) static CLAIM: Claim = Claim {
    id: "selfreward-aligned",
    paper: MTA,
    statement: "Self-reward by the policy's own log-probability keeps most of the gain only when aligned.",
    prediction: "gain kept >= .8 at alignment .9 and <= .3 at alignment .1; in theory the gain of the sharpened limit, which is the base mode",
    finding: "",
    trials: &[
        Trial::holds(Rung::Theory, DROPPED, mode_divide, no_mode),
        Trial::holds(Rung::Bandit, DROPPED, || divide(BANDIT, "self-sharpen"), || own_priors(BANDIT, "self-sharpen")),
        Trial::holds(Rung::Tree, DROPPED, || divide(TREE, "self-sharpen"), || own_priors(TREE, "self-sharpen")),
        Trial::holds(Rung::Llm, DROPPED, || divide(GROWN, "self-sharpen"), || own_priors(GROWN, "self-sharpen")),
    ],
};

//! A coin that only well-formed answers may toss.

use super::settings::{BANDIT, GROWN, Ground, TREE};
use super::{Claim, MTA, Part, Rung, Trial};
use crate::config::Config;

/// Least share kept when aligned, most when not; the published shares are .48 to .61 and -.08 to .21 (MTA, table 2, as transcribed).
const KEPT: (f64, f64) = (0.4, 0.3);

pub(super) static CLAIM: Claim = Claim {
    id: "random-aligned",
    paper: MTA,
    statement: "A random reward keeps a good part of the gain only when aligned.",
    prediction: "a coin that only well-formed answers may toss (random_format, as the released reward reads; half of the responses ill-formed) keeps >= .4 of the \
                 gain at alignment .9 and <= .3 at .1",
    finding: "The coin itself does nothing: without the format gate its expected update is zero (P11), and over the default sweep its gain stays inside its \
              interval of zero at every alignment. The paper's version holds for the reward as released, a coin behind a format gate: it teaches form, form \
              takes probability from ill-formed answers, and an aligned model gives what is freed to right answers, so most of the gain is kept at \
              alignment .9 and nothing at .1. The other way a coin can act is clipping (random-clip).",
    trials: &[
        Trial::holds(Rung::Bandit, DROPPED, || divide(BANDIT), || vec![no_gate(BANDIT)]),
        Trial::holds(Rung::Tree, DROPPED, || divide(TREE), || vec![no_gate(TREE)]),
        Trial::holds(Rung::Llm, DROPPED, || divide(GROWN), || vec![no_gate(GROWN)]),
    ],
};

const DROPPED: &str = "the format gate: the coin alone";

const GATED: Option<&str> = Some("random_format");

fn divide(ground: Ground) -> Vec<Part> {
    vec![ground.keeps_paid_by("random", GATED, KEPT.0, 0.9, half_formed), ground.loses_paid_by("random", GATED, KEPT.1, 0.1, half_formed)]
}

fn no_gate(ground: Ground) -> Part {
    ground.keeps("random", KEPT.0, 0.9, half_formed)
}

fn half_formed(c: &mut Config) {
    c.world.format_rate = 0.5f64.powf(1.0 / c.world.depth as f64);
}

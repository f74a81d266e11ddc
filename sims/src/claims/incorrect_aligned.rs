//! Paying for wrong answers, if they are well formed.

use super::settings::{BANDIT, GROWN, Ground, TREE};
use super::{Claim, MTA, Part, Rung, Trial};
use crate::config::Config;

/// Least share kept when aligned, most when not; the published shares are .31 to .61 and -.10 to -.04 (MTA, table 2, as transcribed).
const KEPT: (f64, f64) = (0.25, 0.25);

pub(super) static CLAIM: Claim = Claim {
    id: "incorrect-aligned",
    paper: MTA,
    statement: "An incorrect reward keeps a good part of the gain only when aligned.",
    prediction: "paying for well-formed wrong answers (incorrect_format, as the released logic reward reads; three tokens in ten well formed, in the tree five, responses of good \
                 tokens right half of the time) keeps >= .25 of the gain at alignment .9 and <= .25 at .1 (tree: .3)",
    finding: "Paying for wrong answers alone lowers accuracy at every alignment: the reward's covariance with correctness is -p(1-p) (P1). The paper's version \
              holds where wrong and right answers share something the base model lacks and the reward asks for. With a format gate, rare form and tokens that \
              are right on some prompts and wrong on others, the wrong uses of a good token are paid, the shared skill for it grows, and its right uses grow \
              with it: half of the gain is kept at alignment .9, nothing where it is weak.",
    trials: &[
        Trial::holds(Rung::Bandit, DROPPED, || divide(BANDIT, 0.1), || vec![no_gate(BANDIT)]),
        Trial::holds(Rung::Tree, DROPPED, || divide(TREE, 0.3), || vec![no_gate(TREE)]),
        Trial::holds(Rung::Llm, DROPPED, || divide(GROWN, 0.1), || vec![no_gate(GROWN)]),
    ],
};

const DROPPED: &str = "the format gate: every wrong answer is paid";

const GATED: Option<&str> = Some("incorrect_format");

fn divide(ground: Ground, weak: f64) -> Vec<Part> {
    vec![
        ground.keeps_paid_by("incorrect", GATED, KEPT.0, 0.9, rare_form),
        ground.loses_paid_by("incorrect", GATED, KEPT.1, weak, rare_form),
    ]
}

fn no_gate(ground: Ground) -> Part {
    ground.keeps("incorrect", KEPT.0, 0.9, rare_form)
}

/// Few tokens are well formed; a quarter of the tokens is good, and a response of good tokens is right half of the time.
fn rare_form(c: &mut Config) {
    c.world.good_tokens = c.world.vocab / 4;
    if c.world.depth == 1 {
        (c.world.format_rate, c.world.good_quality) = (0.3, 0.5);
    } else {
        (c.world.format_rate, c.world.good_quality, c.world.confidence) = (0.5, 0.71, 2.0);
    }
}

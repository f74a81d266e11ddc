//! What negative samples alone do to entropy.

use super::lab::{PASS_1, last};
use super::settings::BANDIT;
use super::{Claim, MTA, Part, Rung, Trial, Verdict};

pub(super) static CLAIM: Claim = Claim {
    id: "negative-entropy",
    paper: MTA,
    statement: "Negative samples alone slow the fall of entropy; where the model is weak, the wider exploration goes with worse accuracy.",
    prediction: "at alignment .1 negative-only ends with more entropy of held-out responses and less pass@1 than standard RL, in most worlds",
    finding: "It is how far training has come, not a property of negative samples: to first order both signs change entropy alike (P28). At alignment .9, where \
              negative samples carry most of the gradient, they end with less entropy than standard RL in four worlds of five. The paper's version holds \
              for weak models at a fixed budget.",
    trials: &[Trial {
        rung: Rung::Bandit,
        expected: Verdict::Holds,
        parts: || vec![wider(0.1), compares(0.1, "less pass@1", PASS_1, |negative, standard| negative < standard)],
        dropped: "a weak model: alignment .9",
        counterexample: || vec![wider(0.9)],
    }],
};

fn wider(alignment: f64) -> Part {
    compares(alignment, "more entropy", "held_out/entropy", |negative, standard| negative > standard)
}

fn compares(alignment: f64, what: &str, metric: &'static str, is_true: fn(f64, f64) -> bool) -> Part {
    Part::in_most_worlds(format!("negative-only: {what} than standard at alignment {alignment}"), move |lab| {
        let end = |name| last(&lab.run(&BANDIT.recipe(name, alignment, |_| {})), metric);
        is_true(end("negative-only"), end("standard"))
    })
}

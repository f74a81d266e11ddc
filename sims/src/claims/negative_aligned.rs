//! Negative samples alone are slow where the model is weak, positive ones where it is strong.

use super::settings::{BANDIT, GROWN, Ground, TREE, as_it_is};
use super::{Claim, MTA, Part, Rung, Trial, Verdict};
use crate::config::Config;
use mta_theory::signed_samples::hitting_times;

pub(super) static CLAIM: Claim = Claim {
    id: "negative-aligned",
    paper: MTA,
    statement: "Negative samples alone match standard RL only when aligned; positive samples alone do better when weak.",
    prediction: "at the fixed budget: negative-only keeps >= .8 at alignment .9 and leads positive-only there by .1; positive-only leads by .1 at .1; \
                 in theory the times to reach accuracy 1/2 differ by a factor of 3",
    finding: "The failure of negative samples when weak is a rate, not a fate: in group-normalised RL they carry the share p of the expected gradient (P27), so \
              they start slowly where p is small, and at 300 instead of 40 steps they keep all of the gain at every alignment while positive-only stalls. The \
              paper's version holds at a fixed budget of steps.",
    trials: &[
        Trial {
            rung: Rung::Theory,
            expected: Verdict::Holds,
            parts: || {
                vec![
                    times("base pass@1 .02: negatives are slower", 0.02, 0.5, 1),
                    times("from .5 to .98: positives are slower", 0.5, 0.98, 0),
                ]
            },
            dropped: "a small base pass@1: from .45 to .5 both take as long",
            counterexample: || vec![times("base pass@1 .45", 0.45, 0.5, 1)],
        },
        Trial::holds(Rung::Bandit, DROPPED, || fixed_budget(BANDIT), || vec![long(BANDIT)]),
        Trial::holds(Rung::Tree, DROPPED, || fixed_budget(TREE), || vec![long(TREE)]),
        Trial::holds(Rung::Llm, DROPPED, || fixed_budget(GROWN), || vec![long(GROWN)]),
    ],
};

const DROPPED: &str = "the fixed budget: ten times the steps";

fn fixed_budget(ground: Ground) -> Vec<Part> {
    vec![
        ground.keeps("negative-only", 0.8, 0.9, as_it_is),
        leads(ground, "negative-only", "positive-only", 0.9, as_it_is),
        leads(ground, "positive-only", "negative-only", 0.1, as_it_is),
    ]
}

fn long(ground: Ground) -> Part {
    leads(ground, "positive-only", "negative-only", 0.1, |c| c.train.steps *= 10)
}

fn leads(ground: Ground, ahead: &'static str, behind: &'static str, alignment: f64, set: fn(&mut Config)) -> Part {
    Part::in_most_worlds(format!("{ahead} leads {behind} at alignment {alignment}"), move |lab| {
        let progress = |name| lab.progress(&ground.recipe(name, alignment, set), ground.ceiling);
        progress(ahead) > progress(behind)
    })
}

/// ln of the slower time over the faster, less ln 3; `slower` is 0 for positives, 1 for negatives (P27).
fn times(place: &str, from: f64, to: f64, slower: usize) -> Part {
    let times = hitting_times(from, to);
    Part::exact(place, (times[slower] / times[1 - slower]).ln() - 3f64.ln())
}

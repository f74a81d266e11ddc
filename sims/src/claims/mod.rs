//! The papers' claims, each stated once and judged wherever it applies. One file per claim; adding one is a file, a `mod` line and a line in [`CLAIMS`].
//!
//! ```text
//! Claim: what a paper says         one Trial per rung (theory, bandit, tree, llm)
//! Trial: parts that must all hold  and a counterexample: one assumption dropped, and it fails
//! Part: a signed margin            exact, or one value per seed in a range declared with it
//! Margin -> Verdict                bounds that hold at every number of seeds (betting)
//! ```
//! # How sure a verdict is
//!
//! Each verdict is a wrong "holds" with probability at most alpha, and a wrong "fails" with probability at most alpha, whenever one looks: the claim holds
//! where every lower bound is at least 0 (each at alpha), and fails where some upper bound is below 0 (each at alpha over the number of parts). Seeds are drawn
//! until every part is decided or the budget is spent. Over 1,000 repetitions of claims whose margin is 0 by construction, at alpha = .05
//! (`tests/verdicts.rs`, which prints these numbers):
//!
//! | margin | budget | wrong "holds" | wrong "fails" |
//! |---|---|---|---|
//! | uniform on [-1, 1] | quick | 0 | .004 |
//! | -.8 or .8 | quick | 0 | .003 |
//! | -.8 or .8 | full | .005 | .003 |
//! | -.98 in 1 world of 50, else .02 | quick | 0 | 0 |
//! | .98 in 1 world of 50, else -.02 | quick | 0 | 0 |
//! | true in exactly two thirds of worlds | quick | 0 | .001 |
//! | gain of a run less gain of the same recipe on another seed | 48 seeds | 0 | 0 |
//!
//! The price is power: a Student interval would decide with a fraction of the seeds, and would be wrong too often on rare disasters.
//!
//! Thresholds and ranges stand here, in the code, and the seeds on which verdicts are reached ([`FIRST_SEED`]) were not looked at when they were chosen.

mod boundary_crossing;
mod boundary_steps;
mod delta_se;
mod distill_expands;
mod explicit;
mod exploration_tree;
mod incorrect_aligned;
mod lab;
mod majority_aligned;
mod mode_seeking;
mod negative_aligned;
mod negative_entropy;
mod noise_j;
mod one_shot_aligned;
mod random_aligned;
mod random_clip;
mod selfreward_aligned;
pub mod settings;
mod sharpen_length;
mod sharpen_optimum;
mod sharpen_unstable;
mod standard_robust;
mod tilted_stable;
pub mod verdict;

pub use lab::{Lab, Runner};
pub use verdict::{Margin, Verdict};

use crate::betting::Range;
use std::fmt;

const MTA: &str = "Model-Task Alignment Drives Distinct RL Outcomes, arXiv 2508.21188";
const BOUNDARY: &str = "Does RL Really Incentivize Reasoning Capacity Beyond the Base Model?, arXiv 2504.13837";
const SHARPENING: &str = "Beyond Distribution Sharpening, arXiv 2604.16259";

/// Every claim, in the order of the papers.
pub static CLAIMS: &[&Claim] = &[
    &standard_robust::CLAIM,
    &one_shot_aligned::CLAIM,
    &random_aligned::CLAIM,
    &incorrect_aligned::CLAIM,
    &majority_aligned::CLAIM,
    &selfreward_aligned::CLAIM,
    &negative_aligned::CLAIM,
    &negative_entropy::CLAIM,
    &noise_j::CLAIM,
    &random_clip::CLAIM,
    &sharpen_optimum::CLAIM,
    &sharpen_unstable::CLAIM,
    &sharpen_length::CLAIM,
    &tilted_stable::CLAIM,
    &boundary_crossing::CLAIM,
    &boundary_steps::CLAIM,
    &delta_se::CLAIM,
    &distill_expands::CLAIM,
    &exploration_tree::CLAIM,
];

/// The first seed of a verification: far from those that sweeps and experiments use.
pub const FIRST_SEED: u64 = 20_000_000;

/// The share of worlds that counts as most.
pub const MOST: f64 = 2.0 / 3.0;

/// Where a claim can be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    /// By closed forms, without any randomness.
    Theory,
    /// On the softmax bandit: responses of one token.
    Bandit,
    /// On the token tree: responses of several tokens.
    Tree,
    /// On a transformer.
    Llm,
}

impl Rung {
    /// All of them, from paper to model.
    pub const ALL: [Rung; 4] = [Rung::Theory, Rung::Bandit, Rung::Tree, Rung::Llm];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        ["theory", "bandit", "tree", "llm"][self as usize]
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Something a paper says.
pub struct Claim {
    /// Its name.
    pub id: &'static str,
    /// Where it is said.
    pub paper: &'static str,
    /// The claim, in our words.
    pub statement: &'static str,
    /// What decides it: quantities and thresholds.
    pub prediction: &'static str,
    /// Where simulation and paper part ways: what was found, and the setting in which the paper's version holds. Empty where they agree.
    pub finding: &'static str,
    /// How it is judged, one trial per rung.
    pub trials: &'static [Trial],
}

/// A claim on one rung.
pub struct Trial {
    /// The rung.
    pub rung: Rung,
    /// The verdict that theory and earlier runs lead us to expect.
    pub expected: Verdict,
    /// What must hold.
    pub parts: fn() -> Vec<Part>,
    /// The assumption that the counterexample drops.
    pub dropped: &'static str,
    /// What must then fail.
    pub counterexample: fn() -> Vec<Part>,
}

impl Trial {
    /// A trial that is expected to hold.
    const fn holds(rung: Rung, dropped: &'static str, parts: fn() -> Vec<Part>, counterexample: fn() -> Vec<Part>) -> Self {
        Trial { rung, expected: Verdict::Holds, parts, dropped, counterexample }
    }

    /// A trial that has failed, and is expected to do so again.
    const fn fails(rung: Rung, dropped: &'static str, parts: fn() -> Vec<Part>, counterexample: fn() -> Vec<Part>) -> Self {
        Trial { rung, expected: Verdict::Fails, parts, dropped, counterexample }
    }
}

/// One inequality of a claim.
pub struct Part {
    /// Where it is measured: `alignment 0.9`.
    pub place: String,
    /// The margin: at least 0 where the inequality holds.
    pub margin: Source,
}

/// Where a margin comes from.
pub enum Source {
    /// A number without randomness.
    Exact(f64),
    /// The mean over seeds of one value per seed, each inside the range.
    PerSeed(Range, Box<dyn Fn(&Lab) -> f64 + Send + Sync>),
}

impl Part {
    /// A margin without randomness.
    pub fn exact(place: impl Into<String>, margin: f64) -> Self {
        Part { place: place.into(), margin: Source::Exact(margin) }
    }

    /// A statement about single worlds that must be true of more than [`MOST`] of them. The margin is the share of worlds less that.
    pub fn in_most_worlds(place: impl Into<String>, is_true: impl Fn(&Lab) -> bool + Send + Sync + 'static) -> Self {
        Part::per_seed(place, (-MOST, 1.0 - MOST), move |lab| f64::from(is_true(lab)) - MOST)
    }

    /// A margin per seed, cut off at `range`.
    pub fn per_seed(place: impl Into<String>, range: (f64, f64), margin: impl Fn(&Lab) -> f64 + Send + Sync + 'static) -> Self {
        let (low, high) = range;
        let cut = move |lab: &Lab| margin(lab).clamp(low, high);
        Part { place: place.into(), margin: Source::PerSeed(Range { low, high }, Box::new(cut)) }
    }
}

//! From margins to a verdict.

use crate::betting::{Range, lower_bound, upper_bound};
use crate::statistics::mean;
use std::fmt;

/// What the data say of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every part's margin is at least 0.
    Holds,
    /// Some part's margin is below 0.
    Fails,
    /// More seeds are needed.
    Undecided,
}

impl Verdict {
    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::Fails => "fails",
            Verdict::Undecided => "undecided",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A margin as known so far: its mean over seeds, and bounds that hold at every number of seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Margin {
    /// Mean.
    pub value: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

impl Margin {
    /// A margin without randomness.
    pub fn exact(value: f64) -> Self {
        Margin { value, low: value, high: value }
    }

    /// The margin of one part out of `parts` from one value per seed; nothing is known before the first seed.
    ///
    /// The claim holds where all parts hold, so each lower bound may err with the whole `alpha`; it fails where any part fails, so the upper bounds share it.
    pub fn of(values: &[f64], range: Range, alpha: f64, parts: usize) -> Self {
        let value = mean(values).unwrap_or(0.5 * (range.low + range.high));
        Margin { value, low: lower_bound(values, range, alpha), high: upper_bound(values, range, alpha / parts as f64) }
    }

    /// What this part alone says.
    pub fn verdict(&self) -> Verdict {
        match (self.low >= 0.0, self.high < 0.0) {
            (true, _) => Verdict::Holds,
            (_, true) => Verdict::Fails,
            _ => Verdict::Undecided,
        }
    }
}

/// All parts must hold; one that fails decides.
pub fn together(parts: &[Margin]) -> Verdict {
    let verdicts: Vec<Verdict> = parts.iter().map(Margin::verdict).collect();
    if verdicts.contains(&Verdict::Fails) {
        Verdict::Fails
    } else if verdicts.contains(&Verdict::Undecided) {
        Verdict::Undecided
    } else {
        Verdict::Holds
    }
}

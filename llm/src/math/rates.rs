//! How often the verifier errs, measured.
//!
//! The counts are those of `tests/all/real_outputs.rs`, which fails where the verifier's change; the data are not in the repository.

use mta_sims::statistics::{Interval, wilson};

/// How many of a number of outputs were accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Judged right.
    pub accepted: usize,
    /// Judged at all.
    pub of: usize,
}

impl Accepted {
    /// The share accepted, with Wilson's interval at 95 %.
    pub fn rate(&self) -> Option<Interval> {
        wilson(self.accepted, self.of)
    }
}

/// What the signal `noisy(tpr, fpr)` needs to stand for this verifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Of the right outputs: 1 - false-negative rate.
    pub tpr: Accepted,
    /// Of the wrong outputs: false-positive rate.
    pub fpr: Accepted,
}

/// Against the labels of a Python grader: tpr 1 \[.990, 1\], fpr 0 \[0, .133\].
///
/// # Source
/// 400 outputs to the first 50 questions of MATH, with labels: evaluation folder of Qwen2.5-Math as shipped in ypwang61/One-Shot-RLVR.
pub const AGAINST_LABELS: Rates = Rates { tpr: Accepted { accepted: 375, of: 375 }, fpr: Accepted { accepted: 0, of: 25 } };

/// Against a reading of the same outputs by hand: tpr .979 \[.959, .989\], fpr 0 \[0, .184\]. The 8 right outputs that are refused answer a question whose gold
/// answer is damaged ("4:30p.."); with the gold answer mended ("4:30 p.m.") all 383 are accepted.
pub const AGAINST_HAND: Rates = Rates { tpr: Accepted { accepted: 375, of: 383 }, fpr: Accepted { accepted: 0, of: 17 } };

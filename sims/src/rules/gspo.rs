//! GSPO: one ratio per sequence.

use super::Rule;
use crate::config::{Objective, RatioLevel, Scale};
use crate::registry::Entry;

/// GRPO's advantage with the geometric mean of the token ratios, clipped tightly; differs from GRPO off-policy only.
pub(super) static GSPO: Rule = Rule {
    entry: Entry {
        name: "gspo",
        aliases: &[],
        doc: "GRPO's advantage with the geometric mean of the token ratios, clipped tightly; differs from GRPO off-policy only.",
        formula: "s_i = exp(mean_t log w_it); clip(s_i, 1 - 3e-4, 1 + 4e-4)",
        source: "Zheng et al., arXiv 2507.18071",
        elsewhere: &[("TRL", "importance_sampling_level=sequence"), ("verl", "loss_mode=gspo")],
    },
    objective: Objective {
        scale: Scale::GroupStd,
        importance_sampling_level: RatioLevel::Sequence,
        clip_low: 3e-4,
        clip_high: 4e-4,
        ..Objective::DEFAULT
    },
};

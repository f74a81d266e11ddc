//! MaxRL: centred reward over the group's mean.

use super::Rule;
use crate::config::{LossAgg, Objective, Scale};
use crate::registry::Entry;

/// Centred reward over the group's mean: the gradient of the log pass rate.
pub(super) static MAXRL: Rule = Rule {
    entry: Entry {
        name: "maxrl",
        aliases: &[],
        doc: "Centred reward over the group's mean: the gradient of the log pass rate.",
        formula: "A_i = (r_i - mean r)/(mean r + std_floor)",
        source: "SkyRL maxrl",
        elsewhere: &[("SkyRL", "maxrl")],
    },
    objective: Objective { scale: Scale::GroupMean, loss_agg_mode: LossAgg::TokenMean, ..Objective::DEFAULT },
};

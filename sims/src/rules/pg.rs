//! The exact flows: policy gradient and natural gradient, with and without the group's standard deviation.

use super::Rule;
use crate::config::{Baseline, Geometry, LossAgg, Objective, PolicyLoss, Scale};
use crate::registry::Entry;

/// Policy gradient: the gradient of the expected reward.
pub(super) static PG: Rule = Rule {
    entry: Entry {
        name: "pg",
        aliases: &[],
        doc: "Policy gradient: the gradient of the expected reward.",
        formula: "d theta = eta E[(r - mean r) grad log pi]",
        source: "Williams 1992; theory sheet P2",
        elsewhere: &[],
    },
    objective: Objective {
        baseline: Baseline::GroupMean,
        policy_loss: PolicyLoss::Score,
        loss_agg_mode: LossAgg::SeqMeanTokenSum,
        ..Objective::DEFAULT
    },
};

/// Policy gradient divided by the group's standard deviation: GRPO without its sequence-length factor and clipping.
pub(super) static PG_STD: Rule = Rule {
    entry: Entry {
        name: "pg_std",
        aliases: &[],
        doc: "Policy gradient divided by the group's standard deviation: GRPO without its sequence-length factor and clipping.",
        formula: "d theta = eta E[(r - mean r)/std r grad log pi]",
        source: "theory sheet P2",
        elsewhere: &[],
    },
    objective: Objective {
        scale: Scale::GroupStd,
        ..Objective {
            baseline: Baseline::GroupMean,
            policy_loss: PolicyLoss::Score,
            loss_agg_mode: LossAgg::SeqMeanTokenSum,
            ..Objective::DEFAULT
        }
    },
};

/// Natural policy gradient, node by node: every logit moves by its advantage. Exact mode only.
///
/// The Fisher matrix is that of nodes with logits of their own. What [`sharing`](crate::config::Policy::sharing) then adds up in the skill is not the natural
/// gradient of shared parameters, whose Fisher matrix sums over prefixes and prompts: that one has a barrier this one has not (P40).
pub(super) static NPG: Rule = Rule {
    entry: Entry {
        name: "npg",
        aliases: &[],
        doc: "Natural policy gradient, node by node: every logit moves by its advantage. With sharing, not that of the shared parameters (P40). Exact mode only.",
        formula: "d theta[node, v] = eta (Q(node, v) - V(node))",
        source: "Kakade 2001; theory sheet P2, P33, P40",
        elsewhere: &[],
    },
    objective: Objective {
        baseline: Baseline::GroupMean,
        policy_loss: PolicyLoss::Score,
        loss_agg_mode: LossAgg::SeqMeanTokenSum,
        geometry: Geometry::Natural,
        ..Objective::DEFAULT
    },
};

/// Natural policy gradient divided by the group's standard deviation. Exact mode only.
pub(super) static NPG_STD: Rule = Rule {
    entry: Entry {
        name: "npg_std",
        aliases: &[],
        doc: "Natural policy gradient divided by the group's standard deviation. Exact mode only.",
        formula: "d theta[node, v] = eta (Q(node, v) - V(node)) / std r",
        source: "theory sheet P2, P9",
        elsewhere: &[],
    },
    objective: Objective {
        baseline: Baseline::GroupMean,
        scale: Scale::GroupStd,
        policy_loss: PolicyLoss::Score,
        loss_agg_mode: LossAgg::SeqMeanTokenSum,
        geometry: Geometry::Natural,
        ..Objective::DEFAULT
    },
};

//! Two rules called BNPO.

use super::Rule;
use crate::config::{LossAgg, Objective, PolicyLoss, Scale};
use crate::registry::Entry;

/// GRPO's advantage with the token mean taken over each micro-batch by itself.
pub(super) static BNPO_TRL: Rule = Rule {
    entry: Entry {
        name: "bnpo_trl",
        aliases: &[],
        doc: "GRPO's advantage with the token mean taken over each micro-batch by itself.",
        formula: "A_i as grpo_trl; token-mean-local",
        source: "TRL loss_type=bnpo",
        elsewhere: &[("TRL", "loss_type=bnpo")],
    },
    objective: Objective {
        scale: Scale::GroupStd,
        std_ddof: 1,
        std_floor: 1e-4,
        loss_agg_mode: LossAgg::TokenMeanLocal,
        ..Objective::DEFAULT
    },
};

/// Centred reward over a Beta density fitted to the batch's pass rates.
pub(super) static BNPO_BETA: Rule = Rule {
    entry: Entry {
        name: "bnpo_beta",
        aliases: &[],
        doc: "Centred reward over a Beta density fitted to the batch's pass rates.",
        formula: "A_i = (r_i - m)/f(m; 1 + a/3, 1 + b/3), a and b by moments from the batch",
        source: "Xiao et al., arXiv 2506.02864",
        elsewhere: &[],
    },
    objective: Objective {
        scale: Scale::BetaDensity,
        policy_loss: PolicyLoss::Score,
        loss_agg_mode: LossAgg::SeqMeanTokenMean,
        ..Objective::DEFAULT
    },
};

//! CISPO with the caps of three libraries.

use super::Rule;
use crate::config::{LossAgg, Objective, PolicyLoss, Scale};
use crate::registry::Entry;

/// Clipped importance weight, held fixed, on the score function; TRL's cap.
pub(super) static CISPO_TRL: Rule = Rule {
    entry: Entry {
        name: "cispo_trl",
        aliases: &[],
        doc: "Clipped importance weight, held fixed, on the score function; TRL's cap.",
        formula: "-stop_gradient(clip(w, 0, 5)) A_i log pi; token-mean",
        source: "MiniMax-M1, arXiv 2506.13585; TRL",
        elsewhere: &[("TRL", "cispo")],
    },
    objective: Objective {
        scale: Scale::GroupStd,
        policy_loss: PolicyLoss::Cispo,
        cispo_low: 0.0,
        cispo_high: 5.0,
        loss_agg_mode: LossAgg::TokenMean,
        ..Objective::DEFAULT
    },
};

/// Clipped importance weight, held fixed, on the score function; verl's cap.
pub(super) static CISPO_VERL: Rule = Rule {
    entry: Entry {
        name: "cispo_verl",
        aliases: &[],
        doc: "Clipped importance weight, held fixed, on the score function; verl's cap.",
        formula: "-stop_gradient(clip(w, 0.8, 1.2)) A_i log pi; token-mean",
        source: "MiniMax-M1, arXiv 2506.13585; verl",
        elsewhere: &[("verl", "cispo")],
    },
    objective: Objective {
        scale: Scale::GroupStd,
        policy_loss: PolicyLoss::Cispo,
        cispo_low: 0.8,
        cispo_high: 1.2,
        loss_agg_mode: LossAgg::TokenMean,
        ..Objective::DEFAULT
    },
};

/// Clipped importance weight, held fixed, on the score function; open-instruct's cap.
pub(super) static CISPO_OPEN_INSTRUCT: Rule = Rule {
    entry: Entry {
        name: "cispo_open_instruct",
        aliases: &[],
        doc: "Clipped importance weight, held fixed, on the score function; open-instruct's cap.",
        formula: "-stop_gradient(clip(w, 0, 1.272)) A_i log pi; token-mean",
        source: "MiniMax-M1, arXiv 2506.13585; open-instruct",
        elsewhere: &[("open-instruct", "cispo")],
    },
    objective: Objective {
        scale: Scale::GroupStd,
        policy_loss: PolicyLoss::Cispo,
        cispo_low: 0.0,
        cispo_high: 1.272,
        loss_agg_mode: LossAgg::TokenMean,
        ..Objective::DEFAULT
    },
};

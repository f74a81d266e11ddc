//! Leave-one-out baselines.

use super::Rule;
use crate::config::{Baseline, KlForm, KlPlace, LossAgg, Objective, PolicyLoss, RatioLevel};
use crate::registry::Entry;

/// Reward less the mean reward of the other rollouts; no KL unless asked.
pub(super) static RLOO: Rule = Rule {
    entry: Entry {
        name: "rloo",
        aliases: &[],
        doc: "Reward less the mean reward of the other rollouts; no KL unless asked.",
        formula: "A_i = r_i - mean_{j != i} r_j = G/(G-1) (r_i - mean r); loss -A_i sum_t log pi",
        source: "Ahmadian et al., arXiv 2402.14740; verl rloo",
        elsewhere: &[("verl", "rloo"), ("OpenRLHF", "rloo")],
    },
    objective: Objective {
        baseline: Baseline::LeaveOneOut,
        policy_loss: PolicyLoss::Score,
        loss_agg_mode: LossAgg::SeqMeanTokenSum,
        ..Objective::DEFAULT
    },
};

/// TRL's form: k1 KL of weight 0.05 inside the reward, one clipped ratio for the whole sequence.
pub(super) static RLOO_TRL: Rule = Rule {
    entry: Entry {
        name: "rloo_trl",
        aliases: &[],
        doc: "TRL's form: k1 KL of weight 0.05 inside the reward, one clipped ratio for the whole sequence.",
        formula: "A_i as rloo on r_i - 0.05 (log pi - log pi_ref); ratio = prod_t w_it, clipped",
        source: "TRL RLOOTrainer",
        elsewhere: &[("TRL", "RLOOTrainer")],
    },
    objective: Objective {
        baseline: Baseline::LeaveOneOut,
        importance_sampling_level: RatioLevel::SequenceProduct,
        loss_agg_mode: LossAgg::SeqMeanTokenSum,
        kl_beta: 0.05,
        kl_form: KlForm::K1,
        kl_place: KlPlace::Reward,
        ..Objective::DEFAULT
    },
};

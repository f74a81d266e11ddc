//! Positive and negative samples as Zhu et al. have them: raw +1 and -1, no baseline, so all-wrong groups push too.

use super::Rule;
use crate::config::{Baseline, LossAgg, Objective, RewardMap};
use crate::registry::Entry;

/// Correct rollouts only, advantage +1.
pub(super) static PSR: Rule = Rule {
    entry: Entry {
        name: "psr",
        aliases: &[],
        doc: "Correct rollouts only, advantage +1.",
        formula: "A_i = +1 if r_i > 0, else 0",
        source: "Zhu et al., arXiv 2506.01347",
        elsewhere: &[("RLVR-Decomposed", "PSR")],
    },
    objective: Objective {
        reward_map: RewardMap::Signed,
        baseline: Baseline::None,
        loss_agg_mode: LossAgg::TokenMean,
        negative_weight: 0.0,
        ..Objective::DEFAULT
    },
};

/// Wrong rollouts only, advantage -1.
pub(super) static NSR: Rule = Rule {
    entry: Entry {
        name: "nsr",
        aliases: &[],
        doc: "Wrong rollouts only, advantage -1.",
        formula: "A_i = -1 if r_i <= 0, else 0",
        source: "Zhu et al., arXiv 2506.01347",
        elsewhere: &[("RLVR-Decomposed", "NSR")],
    },
    objective: Objective {
        reward_map: RewardMap::Signed,
        baseline: Baseline::None,
        loss_agg_mode: LossAgg::TokenMean,
        positive_weight: 0.0,
        ..Objective::DEFAULT
    },
};

/// Correct rollouts with weight 0.1, wrong ones with weight 1.
pub(super) static W_REINFORCE: Rule = Rule {
    entry: Entry {
        name: "w_reinforce",
        aliases: &[],
        doc: "Correct rollouts with weight 0.1, wrong ones with weight 1.",
        formula: "A_i = +0.1 if r_i > 0, else -1",
        source: "Zhu et al., arXiv 2506.01347 (the paper recommends 0.1; the code's default is 1)",
        elsewhere: &[("RLVR-Decomposed", "W-REINFORCE")],
    },
    objective: Objective {
        reward_map: RewardMap::Signed,
        baseline: Baseline::None,
        loss_agg_mode: LossAgg::TokenMean,
        positive_weight: 0.1,
        ..Objective::DEFAULT
    },
};

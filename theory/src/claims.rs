//! What the papers say must be true, each claim stated once.

/// A claim of a paper, in our words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its name.
    pub id: &'static str,
    /// Where it is made.
    pub paper: &'static str,
    /// The claim.
    pub statement: &'static str,
    /// Where it can be judged: theory, bandit, tree, llm.
    pub rungs: &'static [&'static str],
    /// What decides it.
    pub decided_by: &'static str,
}

const MTA: &str = "Model-Task Alignment Drives Distinct RL Outcomes, arXiv 2508.21188";
const BOUNDARY: &str = "Does RL Really Incentivize Reasoning Capacity Beyond the Base Model?, arXiv 2504.13837";
const SHARPENING: &str = "Beyond Distribution Sharpening, arXiv 2604.16259";
const ALL: &[&str] = &["theory", "bandit", "tree", "llm"];
const SIMULATED: &[&str] = &["bandit", "tree", "llm"];

const fn claim(
    id: &'static str,
    paper: &'static str,
    rungs: &'static [&'static str],
    statement: &'static str,
    decided_by: &'static str,
) -> Claim {
    Claim { id, paper, statement, rungs, decided_by }
}

/// Every claim, in the order of the papers.
pub static CLAIMS: &[Claim] = &[
    claim(
        "standard-robust",
        MTA,
        SIMULATED,
        "RL on the true reward improves held-out pass@1 at every alignment.",
        "gain > 0 at each alignment; it must fail where no rollout is ever right (exploration barrier)",
    ),
    claim(
        "one-shot-aligned",
        MTA,
        SIMULATED,
        "Training on one prompt keeps most of the gain only when the model is aligned with the task.",
        "gain kept >= 0.8 above a threshold of alignment, <= 0.3 below another",
    ),
    claim("random-aligned", MTA, SIMULATED, "A random reward keeps most of the gain only when aligned.", "gain kept, as one-shot-aligned"),
    claim(
        "incorrect-aligned",
        MTA,
        SIMULATED,
        "An incorrect reward keeps most of the gain only when aligned.",
        "gain kept, as one-shot-aligned",
    ),
    claim(
        "majority-aligned",
        MTA,
        ALL,
        "Majority vote keeps most of the gain only when aligned.",
        "gain kept, as one-shot-aligned; the base mode decides",
    ),
    claim(
        "selfreward-aligned",
        MTA,
        ALL,
        "Self-rewards keep most of the gain only when aligned.",
        "gain kept, as one-shot-aligned; the base mode decides",
    ),
    claim(
        "negative-aligned",
        MTA,
        ALL,
        "Negative samples alone match standard RL only when aligned; positive samples alone do better when weak.",
        "gain kept at a fixed budget, and time to reach a level",
    ),
    claim(
        "noise-j",
        "Rate or Fate, arXiv 2601.04411",
        ALL,
        "With a noisy verifier the sign of J = TPR - FPR decides the fate and its size the rate.",
        "sign and rate of learning against J; fails with one systematically accepted wrong answer",
    ),
    claim(
        "random-clip",
        "Spurious Rewards, arXiv 2506.10947",
        ALL,
        "Clipping turns a random reward into a drift to the mode.",
        "drift of the mode with and without clipping, fresh and reused batches",
    ),
    claim(
        "sharpen-optimum",
        SHARPENING,
        ALL,
        "The optimum of sharpening is the mode: right exactly where the base mode is right, and helpful at first where Cov(correct, log p) > 0.",
        "accuracy of the optimum against base mode accuracy; sign of the covariance",
    ),
    claim(
        "sharpen-unstable",
        SHARPENING,
        ALL,
        "Sharpening by the policy's own log-probability has a smooth optimum only above a KL weight of 1; the true reward has one at every weight.",
        "number of optima and sensitivity against kl_beta",
    ),
    claim(
        "sharpen-length",
        SHARPENING,
        ALL,
        "Summed log-probability shortens responses, the length-normalised one lengthens them.",
        "drift of mean length",
    ),
    claim(
        "tilted-stable",
        SHARPENING,
        ALL,
        "The true reward beside sharpening keeps right answers on top while their log-prior gap is below k/alpha.",
        "rank of right and wrong answers at the optimum",
    ),
    claim(
        "boundary-crossing",
        BOUNDARY,
        SIMULATED,
        "RL raises pass@1 and lowers pass@k beyond some k.",
        "crossing k; never in a tabular model with the true reward",
    ),
    claim("boundary-steps", BOUNDARY, SIMULATED, "pass@256 falls as training goes on.", "slope of pass@256 over steps"),
    claim(
        "delta-se",
        BOUNDARY,
        SIMULATED,
        "All policy-gradient rules leave a similar gap between base pass@256 and trained pass@1.",
        "spread of the gap over rules",
    ),
    claim(
        "distill-expands",
        BOUNDARY,
        ALL,
        "Distillation from a stronger teacher raises pass@k at every k.",
        "pass@k after less before, at every k",
    ),
    claim(
        "exploration-tree",
        "theory sheet P33, P34",
        &["theory", "tree"],
        "Time to learn grows as V^H for the policy gradient and linearly in H for the natural gradient; the first success comes after V^H / G groups.",
        "time to half accuracy against depth",
    ),
];

#[cfg(test)]
mod tests {
    #[test]
    fn ids_are_unique() {
        let ids: std::collections::HashSet<_> = super::CLAIMS.iter().map(|c| c.id).collect();
        assert_eq!(ids.len(), super::CLAIMS.len());
    }
}

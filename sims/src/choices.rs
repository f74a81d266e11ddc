//! Knobs that are names: modes, regimes, and the building blocks of update rules.

use crate::choices;
use crate::knob::{Kind, Range, Setting, Value};

choices! {
    /// Where expectations come from.
    Mode {
        /// From rollouts.
        Sampled = "sampled",
        /// From all responses with their probabilities.
        Exact = "exact",
    }
}
choices! {
    /// Which prompts are trained on.
    Regime {
        /// All training prompts.
        Full = "full",
        /// A few of them.
        Few = "few",
        /// One of them.
        OneShot = "one-shot",
        /// The held-out prompts, with label-free signals only.
        TestTime = "test-time",
    }
}
impl Regime {
    /// Whether it trains on a choice of the training prompts.
    pub fn selects(self) -> bool {
        matches!(self, Regime::OneShot | Regime::Few)
    }

    /// The prompts trained on, where they were chosen; else none, since the regime's name tells them.
    pub fn chosen(self, prompts: Vec<usize>) -> Vec<usize> {
        if self.selects() { prompts } else { Vec::new() }
    }
}
choices! {
    /// How few prompts are chosen.
    SelectBy {
        /// Base pass rate nearest 1/2.
        Half = "half",
        /// Largest variance of the pass rate over a pilot run.
        Variance = "variance",
        /// At random.
        Random = "random",
    }
}
choices! {
    /// Who samples the rollouts.
    Sampler {
        /// The policy being trained.
        Policy = "policy",
        /// A model of the same task with a better prior.
        Teacher = "teacher",
    }
}
choices! {
    /// First transformation of the reward.
    RewardMap {
        /// The reward as the signal pays it.
        Raw = "raw",
        /// +1 where the reward is positive, -1 elsewhere.
        Signed = "signed",
    }
}
choices! {
    /// What is subtracted from a reward.
    Baseline {
        /// Nothing.
        None = "none",
        /// The group's mean.
        GroupMean = "group_mean",
        /// The mean of the other rollouts of the group.
        LeaveOneOut = "leave_one_out",
        /// The mean over the batch.
        BatchMean = "batch_mean",
        /// The reward of the greedy response.
        Greedy = "greedy",
        /// The length-weighted mean of the group.
        LengthWeighted = "length_weighted",
        /// Only the best rollout counts, against the second best.
        SecondBest = "second_best",
        /// A learned value, with generalised advantage estimation.
        Critic = "critic",
    }
}
choices! {
    /// What a centred reward is divided by.
    Scale {
        /// One.
        None = "none",
        /// The group's standard deviation.
        GroupStd = "group_std",
        /// The batch's standard deviation.
        BatchStd = "batch_std",
        /// The group's mean.
        GroupMean = "group_mean",
        /// The share of rollouts of the batch with a reward.
        NonzeroShare = "nonzero_share",
        /// The density of the group's mean under a Beta law fitted to the batch.
        BetaDensity = "beta_density",
    }
}
choices! {
    /// Surrogate objective of a token.
    PolicyLoss {
        /// A log pi.
        Score = "score",
        /// min(w A, clip(w) A).
        Clip = "clip",
        /// clip(w) A log pi, the weight held fixed.
        Cispo = "cispo",
    }
}
choices! {
    /// Which probability ratio.
    RatioLevel {
        /// Of each token.
        Token = "token",
        /// Geometric mean over the sequence.
        Sequence = "sequence",
        /// Product over the sequence.
        SequenceProduct = "sequence_product",
    }
}
choices! {
    /// How token losses become one number (verl's names).
    LossAgg {
        /// Mean over all tokens of the minibatch.
        TokenMean = "token-mean",
        /// Mean over the tokens of each micro-batch, then over micro-batches.
        TokenMeanLocal = "token-mean-local",
        /// Sum over a sequence, mean over sequences.
        SeqMeanTokenSum = "seq-mean-token-sum",
        /// Mean over a sequence, mean over sequences.
        SeqMeanTokenMean = "seq-mean-token-mean",
        /// Sum over a sequence divided by the longest possible length, mean over sequences.
        SeqMeanTokenSumNorm = "seq-mean-token-sum-norm",
    }
}
choices! {
    /// Estimator of KL(pi, pi_ref) from a sampled token, with rho = log pi_ref - log pi.
    KlForm {
        /// -rho.
        K1 = "k1",
        /// rho^2 / 2.
        K2 = "k2",
        /// e^rho - rho - 1.
        K3 = "k3",
        /// The value of k3 with the gradient of k2.
        K3Plus = "k3+",
    }
}
choices! {
    /// Where the KL term stands.
    KlPlace {
        /// Taken off the reward.
        Reward = "reward",
        /// Added to the loss.
        Loss = "loss",
    }
}
choices! {
    /// Geometry of the update.
    Geometry {
        /// Gradient in the logits.
        Euclidean = "euclidean",
        /// Natural gradient, node by node: the Fisher matrix of nodes with logits of their own, also where they share skill, so that with sharing it is not
        /// the natural gradient of the shared parameters (P40).
        Natural = "natural",
    }
}

/// What the alignment numbers of a run mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlignBy {
    /// The knob itself.
    Knob,
    /// Base pass@k to be reached by bisection on the knob.
    PassAt(u64),
}

/// Names of [`AlignBy`]: the knob, then pass@k for the k that are reported.
const ALIGN_BY: &[&str] =
    &["knob", "pass@1", "pass@2", "pass@4", "pass@8", "pass@16", "pass@32", "pass@64", "pass@128", "pass@256", "pass@512", "pass@1024"];

impl Setting for AlignBy {
    fn kind(_: Range) -> Kind {
        Kind::Choice(ALIGN_BY)
    }
    fn value(&self) -> Value {
        Value::Text(match self {
            AlignBy::Knob => "knob".into(),
            AlignBy::PassAt(k) => format!("pass@{k}"),
        })
    }
    fn of(value: &Value) -> Option<Self> {
        let Value::Text(text) = value else { return None };
        match text.strip_prefix("pass@") {
            Some(k) => k.parse().ok().map(AlignBy::PassAt),
            None => (text == "knob").then_some(AlignBy::Knob),
        }
    }
}

//! Rollouts and groups: what a policy samples, a signal pays and a rule weighs.

/// One token of a rollout, scored when it was sampled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token {
    /// The token.
    pub id: u32,
    /// log pi_old, in nats.
    pub logprob: f64,
    /// log pi_ref, in nats.
    pub ref_logprob: f64,
    /// Entropy of the sampling distribution here, in nats.
    pub entropy: f64,
    /// Self-certainty here: mean over the vocabulary of -log pi, in nats (cross-entropy of the uniform distribution with pi).
    pub certainty: f64,
}

/// One response to a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    /// Its tokens, at least one.
    pub tokens: Vec<Token>,
    /// Share of the group's expectation: 1/G when sampled, pi(y) when enumerated, 0 for a response that only votes or serves as baseline.
    pub weight: f64,
    /// Share of the vote over answers.
    pub vote: f64,
    /// Identifies the answer; equal answers agree.
    pub answer: u128,
    /// Whether the answer is right.
    pub correct: bool,
    /// Whether the response is well formed.
    pub formatted: bool,
}

/// What the labels of a data set say about a prompt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Label {
    /// A uniform in (0, 1), fixed for the prompt: its label is wrong where the noise rate exceeds it.
    pub luck: f64,
    /// The wrong answer such a label names, if the task has one.
    pub wrong: Option<u128>,
}

/// All rollouts of one prompt in one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The prompt.
    pub prompt: usize,
    /// The rollouts; the weights of those trained on sum to 1.
    pub rollouts: Vec<Rollout>,
    /// Number G of sampled rollouts trained on; `None` when all responses are enumerated (the population).
    pub size: Option<usize>,
    /// What the prompt's label says.
    pub label: Label,
}

impl Rollout {
    /// Whether an update may use it. Responses enumerated with a probability below the smallest normal number do not count: the natural gradient divides by
    /// that probability, and its inverse would overflow.
    pub fn counts(&self) -> bool {
        self.weight >= f64::MIN_POSITIVE
    }

    /// Whether it has a part in the expectation; that of a policy that is no number any more has, and is no number either.
    pub fn is_trained_on(&self) -> bool {
        self.weight != 0.0
    }

    /// Number of tokens, T.
    pub fn length(&self) -> usize {
        self.tokens.len()
    }

    /// Sum over tokens of log pi_old, in nats.
    pub fn logprob(&self) -> f64 {
        self.tokens.iter().map(|t| t.logprob).sum()
    }

    /// Sum over tokens of log pi_ref, in nats.
    pub fn ref_logprob(&self) -> f64 {
        self.tokens.iter().map(|t| t.ref_logprob).sum()
    }

    /// Mean over tokens of `f`.
    pub fn token_mean(&self, f: impl Fn(&Token) -> f64) -> f64 {
        self.tokens.iter().map(f).sum::<f64>() / self.length() as f64
    }
}

impl Group {
    /// The answer with the most votes; of equals, the one seen first.
    pub fn majority(&self) -> Option<u128> {
        let tally = self.tally();
        let most = tally.iter().map(|(_, votes)| *votes).fold(0.0, f64::max);
        tally.iter().find(|(_, votes)| *votes >= most * (1.0 - 1e-12)).map(|(answer, _)| *answer)
    }

    /// Votes per answer, in order of first appearance.
    pub fn tally(&self) -> Vec<(u128, f64)> {
        let mut tally: Vec<(u128, f64)> = Vec::new();
        let mut place = std::collections::HashMap::new();
        for rollout in self.rollouts.iter().filter(|r| r.vote > 0.0) {
            let at = *place.entry(rollout.answer).or_insert(tally.len());
            if at == tally.len() {
                tally.push((rollout.answer, 0.0));
            }
            tally[at].1 += rollout.vote;
        }
        tally
    }

    /// Weighted mean of `f` over the rollouts trained on.
    pub fn mean(&self, f: impl Fn(&Rollout) -> f64) -> f64 {
        self.rollouts.iter().map(|r| r.weight * f(r)).sum()
    }

    /// G / (G - 1), which is 1 for the population: from deviations about the group's mean to those about the mean of the others.
    pub fn bessel(&self) -> f64 {
        self.size.map_or(1.0, |g| g as f64 / (g as f64 - 1.0))
    }
}

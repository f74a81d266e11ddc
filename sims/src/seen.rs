//! What a rollout shows to a signal, and how the reference loop reads it off a group.

use crate::config::Signals;
use crate::real::Real;
use crate::rollout::{Group, Rollout};
use mta_theory::pass_at_k::{others_pass_at_k, pass_at_k};
use std::cell::OnceCell;
use std::collections::HashMap;

/// One rollout among its group, as a signal sees it. Log-probabilities and entropies are in nats, under the policy that sampled it.
pub trait Seen {
    /// Kind of its numbers.
    type Number: Real<Truth = Self::Truth>;
    /// Kind of its truths.
    type Truth: crate::real::Truth;

    /// `x` as a number.
    fn number(&self, x: f64) -> Self::Number;
    /// 1 where `holds`, else 0.
    #[inline(always)]
    fn number_if(&self, holds: Self::Truth) -> Self::Number {
        crate::real::Choice::choose(holds, self.number(1.0), self.number(0.0))
    }
    /// What holds of every rollout.
    fn always(&self) -> Self::Truth;
    /// Whether the response is correct.
    fn correct(&self) -> Self::Truth;
    /// Whether it is well formed.
    fn formatted(&self) -> Self::Truth;
    /// Whether its first token is `token`.
    fn opens_with(&self, token: u32) -> Self::Truth;
    /// Number of tokens.
    fn length(&self) -> Self::Number;
    /// log pi of the response.
    fn logprob(&self) -> Self::Number;
    /// log pi of the response under the base model.
    fn ref_logprob(&self) -> Self::Number;
    /// Mean log pi of its tokens.
    fn mean_logprob(&self) -> Self::Number;
    /// Mean log pi of its tokens under the base model.
    fn mean_ref_logprob(&self) -> Self::Number;
    /// Mean entropy at its tokens.
    fn mean_entropy(&self) -> Self::Number;
    /// Mean over its tokens of the mean of -log pi over actions.
    fn mean_certainty(&self) -> Self::Number;
    /// Whether its answer is the one most votes are for; of equals, the one seen first.
    fn in_majority(&self) -> Self::Truth;
    /// Whether some rollout with the majority's answer is wrong.
    fn majority_is_wrong(&self) -> Self::Truth;
    /// Share of the votes for its answer.
    fn share(&self) -> Self::Number;
    /// Whether the entropy of the answers reaches the logarithm of the number of rollouts: all answers differ.
    fn scattered(&self) -> Self::Truth;
    /// Whether the label of the prompt is wrong at the noise rate set.
    fn mislabelled(&self) -> Self::Truth;
    /// Whether its answer is the one a wrong label names.
    fn as_mislabelled(&self) -> Self::Truth;
    /// Chance that `pass_k - 1` other rollouts contain a correct one, as a wrong rollout sees it; 1 where there are too few others.
    fn others_succeed(&self) -> Self::Number;
}

/// How a group votes.
struct Votes {
    shares: HashMap<u128, f64>,
    scattered: bool,
}

/// What a group shows, found when it is first asked for.
pub(crate) struct Facts<'a> {
    group: &'a Group,
    params: &'a Signals,
    majority: OnceCell<Option<u128>>,
    majority_is_wrong: OnceCell<bool>,
    votes: OnceCell<Votes>,
    others_succeed: OnceCell<f64>,
}

impl<'a> Facts<'a> {
    /// The facts of `group`; of `params` they depend on `pass_k` and `label_noise`.
    pub(crate) fn new(group: &'a Group, params: &'a Signals) -> Self {
        let (majority, majority_is_wrong) = (OnceCell::new(), OnceCell::new());
        Facts { group, params, majority, majority_is_wrong, votes: OnceCell::new(), others_succeed: OnceCell::new() }
    }

    fn majority(&self) -> Option<u128> {
        *self.majority.get_or_init(|| self.group.majority())
    }

    fn majority_is_wrong(&self) -> bool {
        *self.majority_is_wrong.get_or_init(|| self.group.rollouts.iter().any(|r| Some(r.answer) == self.majority() && !r.correct))
    }

    fn votes(&self) -> &Votes {
        self.votes.get_or_init(|| {
            let tally = self.group.tally();
            let entropy: f64 = tally.iter().map(|(_, share)| -share * share.ln()).sum();
            let scattered = self.group.size.is_some_and(|votes| entropy >= (votes as f64).ln() - 1e-9);
            Votes { shares: tally.into_iter().collect(), scattered }
        })
    }

    fn others_succeed(&self) -> f64 {
        *self.others_succeed.get_or_init(|| {
            let trained = self.group.rollouts.iter().filter(|r| r.is_trained_on());
            match self.group.size {
                Some(g) => {
                    others_pass_at_k(g as u64, trained.filter(|r| r.correct).count() as u64, self.params.pass_k as u64).unwrap_or(1.0)
                }
                None => pass_at_k(self.group.mean(|r| f64::from(r.correct)), self.params.pass_k as f64 - 1.0),
            }
        })
    }
}

/// A rollout of the reference loop.
pub(crate) struct Told<'a> {
    /// Its group.
    pub(crate) facts: &'a Facts<'a>,
    /// The rollout.
    pub(crate) rollout: &'a Rollout,
}

impl Seen for Told<'_> {
    type Number = f64;
    type Truth = bool;

    fn number(&self, x: f64) -> f64 {
        x
    }
    fn always(&self) -> bool {
        true
    }
    fn correct(&self) -> bool {
        self.rollout.correct
    }
    fn formatted(&self) -> bool {
        self.rollout.formatted
    }
    fn opens_with(&self, token: u32) -> bool {
        self.rollout.tokens[0].id == token
    }
    fn length(&self) -> f64 {
        self.rollout.length() as f64
    }
    fn logprob(&self) -> f64 {
        self.rollout.logprob()
    }
    fn ref_logprob(&self) -> f64 {
        self.rollout.ref_logprob()
    }
    fn mean_logprob(&self) -> f64 {
        self.rollout.token_mean(|t| t.logprob)
    }
    fn mean_ref_logprob(&self) -> f64 {
        self.rollout.token_mean(|t| t.ref_logprob)
    }
    fn mean_entropy(&self) -> f64 {
        self.rollout.token_mean(|t| t.entropy)
    }
    fn mean_certainty(&self) -> f64 {
        self.rollout.token_mean(|t| t.certainty)
    }
    fn in_majority(&self) -> bool {
        Some(self.rollout.answer) == self.facts.majority()
    }
    fn majority_is_wrong(&self) -> bool {
        self.facts.majority_is_wrong()
    }
    fn share(&self) -> f64 {
        self.facts.votes().shares.get(&self.rollout.answer).copied().unwrap_or(0.0)
    }
    fn scattered(&self) -> bool {
        self.facts.votes().scattered
    }
    fn mislabelled(&self) -> bool {
        self.facts.group.label.luck < self.facts.params.label_noise
    }
    fn as_mislabelled(&self) -> bool {
        Some(self.rollout.answer) == self.facts.group.label.wrong
    }
    fn others_succeed(&self) -> f64 {
        self.facts.others_succeed()
    }
}

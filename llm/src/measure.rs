//! What sampled responses say about a model: the simulator's measurements, estimated.

use crate::error::Result;
use crate::policy::LanguageModel;
use mta_sims::measure::{Measured, PASS_KS};
use mta_sims::rollout::Token;
use mta_sims::run::Environment;
use mta_sims::statistics::{covariance, mean};
use mta_sims::stream::Seed;
use mta_theory::pass_at_k::unbiased_pass_at_k;

/// A judged response.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answered {
    /// What it answers; equal answers agree.
    pub answer: u128,
    /// Whether that is right.
    pub correct: bool,
    /// Whether it is well formed.
    pub formatted: bool,
    /// log pi of the response, in nats.
    pub logprob: f64,
    /// log pi - log pi_ref of the response, in nats; not a number where no reference is kept.
    pub log_ratio: f64,
    /// Tokens.
    pub length: usize,
}

/// Judged responses, by prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers(pub Vec<Vec<Answered>>);

/// How responses are drawn that measure.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    /// Responses per prompt, n.
    pub samples: usize,
    /// Sequences sampled at once, though never fewer than a prompt's.
    pub at_once: usize,
    /// Master seed.
    pub seed: Seed,
    /// Keeps draws of different occasions apart.
    pub round: usize,
}

impl Draw {
    /// Responses of `policy` to `prompts`, `[prompt][sample]`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn responses(self, policy: &LanguageModel, prompts: &[usize]) -> Result<Vec<Vec<Vec<Token>>>> {
        let mut responses = Vec::new();
        for part in prompts.chunks((self.at_once / self.samples).max(1)) {
            responses.extend(policy.probe(part, self.samples, self.seed, self.round)?);
        }
        Ok(responses)
    }
}

/// Draws responses to `prompts` and judges them.
///
/// # Errors
/// When the device fails.
pub fn ask(policy: &LanguageModel, environment: &dyn Environment, prompts: &[usize], draw: Draw) -> Result<Answers> {
    Ok(Answers::of(environment, prompts, &draw.responses(policy, prompts)?))
}

fn answered(environment: &dyn Environment, prompt: usize, tokens: &[Token]) -> Answered {
    let verdict = environment.judge(prompt, tokens);
    let logprob = tokens.iter().map(|t| t.logprob).sum::<f64>();
    let log_ratio = logprob - tokens.iter().map(|t| t.ref_logprob).sum::<f64>();
    Answered { answer: verdict.answer, correct: verdict.correct, formatted: verdict.formatted, logprob, log_ratio, length: tokens.len() }
}

impl Answers {
    /// `responses` to `prompts`, judged.
    pub fn of(environment: &dyn Environment, prompts: &[usize], responses: &[Vec<Vec<Token>>]) -> Self {
        let judge = |(x, group): (&usize, &Vec<Vec<Token>>)| group.iter().map(|tokens| answered(environment, *x, tokens)).collect();
        Answers(prompts.iter().zip(responses).map(judge).collect())
    }

    /// Correct responses of each prompt.
    pub fn counts(&self) -> Vec<usize> {
        self.0.iter().map(|group| group.iter().filter(|a| a.correct).count()).collect()
    }

    /// Unbiased pass@k of each prompt; none where k exceeds the number of responses.
    pub fn passes(&self, k: u32) -> Option<Vec<f64>> {
        let of = |(group, correct): (&Vec<Answered>, usize)| unbiased_pass_at_k(group.len() as u64, correct as u64, u64::from(k));
        self.0.iter().zip(self.counts()).map(of).collect()
    }

    /// Its mean over prompts.
    pub fn pass_at(&self, k: u32) -> Option<f64> {
        mean(&self.passes(k)?)
    }

    /// Share of prompts whose most frequent answer is right; of equals, the one seen first.
    pub fn majority_accuracy(&self) -> f64 {
        self.share(|group| f64::from(majority_is_right(group)))
    }

    /// Share of well-formed responses.
    pub fn format_rate(&self) -> f64 {
        self.of_responses(|a| f64::from(a.formatted))
    }

    /// The simulator's measurements. What k responses cannot tell is not a number.
    pub fn measured(&self) -> Measured {
        Measured {
            pass_at: PASS_KS.iter().map(|k| self.pass_at(*k).unwrap_or(f64::NAN)).collect(),
            mode_accuracy: self.majority_accuracy(),
            covariance: self.share(covariance_with_logprob),
            entropy: -self.of_responses(|a| a.logprob),
            kl: self.of_responses(|a| a.log_ratio),
            mean_length: self.of_responses(|a| a.length as f64),
        }
    }

    fn of_responses(&self, f: impl Fn(&Answered) -> f64) -> f64 {
        self.share(|group| group.iter().map(&f).sum::<f64>() / group.len() as f64)
    }

    fn share(&self, f: impl Fn(&[Answered]) -> f64) -> f64 {
        self.0.iter().map(|group| f(group)).sum::<f64>() / self.0.len() as f64
    }
}

fn majority_is_right(group: &[Answered]) -> bool {
    let votes = |answer: u128| group.iter().filter(|a| a.answer == answer).count();
    let most = group.iter().map(|a| votes(a.answer)).max();
    group.iter().find(|a| Some(votes(a.answer)) == most).is_some_and(|a| a.correct)
}

fn covariance_with_logprob(group: &[Answered]) -> f64 {
    let correct: Vec<f64> = group.iter().map(|a| f64::from(a.correct)).collect();
    let logprobs: Vec<f64> = group.iter().map(|a| a.logprob).collect();
    covariance(&correct, &logprobs).unwrap_or(f64::NAN)
}

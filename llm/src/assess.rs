//! What a model can do: responses sampled, judged and counted, with intervals over prompts.

use crate::error::Result;
use crate::exam::{Exam, Lesson};
use crate::measure::{Answers, Draw};
use crate::model::Model;
use crate::policy::LanguageModel;
use crate::score::{LOGPROB, Sequence};
use candle_core::DType;
use mta_sims::rollout::Token;
use mta_sims::statistics::{Interval, mean, quantile, wilson};
use mta_sims::stream::{Purpose, Seed};

/// Judged responses to some prompts of an exam.
pub struct Assessment {
    /// The prompts.
    pub prompts: Vec<usize>,
    /// `[prompt][sample]`, token by token.
    pub responses: Vec<Vec<Vec<Token>>>,
    /// The same, judged.
    pub answers: Answers,
}

/// Resamples of the bootstrap.
const RESAMPLES: usize = 2000;
/// Level of its intervals.
const LEVEL: f64 = 0.95;

impl Assessment {
    /// Samples and judges responses to `prompts`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn new(policy: &LanguageModel, exam: &Exam, prompts: &[usize], draw: Draw) -> Result<Self> {
        let responses = draw.responses(policy, prompts)?;
        let answers = Answers::of(exam, prompts, &responses);
        Ok(Assessment { prompts: prompts.to_vec(), responses, answers })
    }

    /// Unbiased pass@k and its 95 % interval over prompts; none where k exceeds the number of samples.
    pub fn pass_at(&self, k: u32, seed: Seed) -> Option<Interval> {
        interval(&self.answers.passes(k)?, seed)
    }

    /// Share of prompts whose most frequent answer is right (maj@n), with Wilson's interval.
    pub fn majority(&self) -> Option<Interval> {
        let prompts = self.prompts.len();
        wilson((self.answers.majority_accuracy() * prompts as f64).round() as usize, prompts)
    }

    /// Mean entropy of the distributions tokens were drawn from, in nats per token.
    pub fn token_entropy(&self) -> Option<f64> {
        self.mean_of_tokens(|t| t.entropy)
    }

    /// Perplexity of the model's own responses: e to the mean of -log pi per token.
    pub fn own_perplexity(&self) -> Option<f64> {
        self.mean_of_tokens(|t| -t.logprob).map(f64::exp)
    }

    fn mean_of_tokens(&self, f: impl Fn(&Token) -> f64) -> Option<f64> {
        mean(&self.responses.iter().flatten().flatten().map(f).collect::<Vec<_>>())
    }

    /// Share of responses cut at the longest length before they ended (TRL: `completions/clipped_ratio`).
    pub fn cut_short(&self, exam: &Exam) -> Option<f64> {
        let cut = |r: &Vec<Token>| f64::from(r.last().is_none_or(|t| !exam.stop.contains(&t.id)));
        mean(&self.responses.iter().flatten().map(cut).collect::<Vec<_>>())
    }

    /// Share of responses that name each method of a grown model's world; the rest name none.
    pub fn method_shares(&self, exam: &Exam) -> Option<Vec<f64>> {
        let judge = exam.methods()?;
        let mut shares = vec![0.0; judge.world.methods.len()];
        let all: usize = self.responses.iter().map(Vec::len).sum();
        self.responses.iter().flatten().filter_map(|r| judge.read(r).method).for_each(|v| shares[v] += 1.0 / all as f64);
        Some(shares)
    }
}

/// The mean with a percentile bootstrap interval over its members; Wilson's where all are 0 or all 1, since resampling would then never differ.
fn interval(xs: &[f64], seed: Seed) -> Option<Interval> {
    let value = mean(xs)?;
    if xs.iter().all(|x| *x == xs[0]) && (xs[0] == 0.0 || xs[0] == 1.0) {
        return wilson((value * xs.len() as f64) as usize, xs.len());
    }
    if xs.len() < 2 {
        return Some(Interval { value, low: None, high: None });
    }
    let resampled = |b: usize| {
        let stream = seed.stream(Purpose::Replicate, 0, b);
        (0..xs.len() as u64).map(|i| stream.pick(i, xs)).sum::<f64>() / xs.len() as f64
    };
    let means: Vec<f64> = (0..RESAMPLES).map(resampled).collect();
    let tail = (1.0 - LEVEL) / 2.0;
    Some(Interval { value, low: quantile(&means, tail), high: quantile(&means, 1.0 - tail) })
}

/// Perplexity of responses that others wrote, at temperature 1: e to the mean of -log pi per token; none without lessons. `at_once` sequences are scored at a
/// time, 0 for all.
///
/// # Errors
/// When the device fails.
pub fn perplexity(model: &Model, exam: &Exam, lessons: &[&Lesson], at_once: usize) -> Result<Option<f64>> {
    let (mut sum, mut tokens) = (0.0, 0);
    for part in lessons.chunks(if at_once == 0 { lessons.len().max(1) } else { at_once }) {
        let whole: Vec<Vec<u32>> = part.iter().map(|l| [&exam.prompts[l.prompt][..], &l.tokens].concat()).collect();
        let sequences: Vec<Sequence> =
            part.iter().zip(&whole).map(|(l, tokens)| Sequence { tokens, from: exam.prompts[l.prompt].len() }).collect();
        let scores = model.score(&sequences, 1.0)?.narrow(1, LOGPROB, 1)?.to_dtype(DType::F64)?;
        sum += scores.sum_all()?.to_scalar::<f64>()?;
        tokens += sequences.iter().map(Sequence::length).sum::<usize>();
    }
    Ok((tokens > 0).then(|| (-sum / tokens as f64).exp()))
}

//! A language model as a [`Policy`]: what the simulator's loop needs of one.

use crate::error::Result;
use crate::model::Model;
use crate::optimizer::{AdamSettings, AdamW};
use crate::sample::{Ask, Sampling};
use crate::score::{ENTROPY, LOGPROB, Sequence};
use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor, Var};
use mta_sims::config::Mode;
use mta_sims::knob::KnobError;
use mta_sims::policy::{Nudge, Policy, Step};
use mta_sims::rollout::Token;
use mta_sims::stream::{Purpose, Seed, Stream};

/// Refuses exact mode for a language model: its responses cannot be enumerated.
///
/// # Errors
/// When `mode` is not sampled.
pub fn check_mode(mode: Mode) -> std::result::Result<(), KnobError> {
    let allowed = "must be sampled: the responses of a language model cannot be enumerated";
    if mode == Mode::Sampled { Ok(()) } else { Err(KnobError::new("mode", mode.name(), allowed)) }
}

/// A model with its prompts, its optimiser and, where someone asks for its log-probabilities, the base model.
pub struct LanguageModel<'p> {
    /// The model.
    pub model: Model,
    /// What moves it.
    pub adam: AdamW,
    /// Norm of the last update's gradient before clipping; none before the first.
    pub grad_norm: Option<f64>,
    /// What the last update climbed, `sum of (push log pi + entropy_push H)`, before it; none before the first.
    pub gain: Option<f64>,
    /// Sequences scored or differentiated at once, 0 for all: fewer take less memory and give the same sums up to rounding.
    pub micro_batch: usize,
    prompts: &'p [Vec<u32>],
    sampling: Sampling,
    reference: Option<Model>,
    refers: bool,
}

impl<'p> LanguageModel<'p> {
    /// `model` on tokenised `prompts`. With `keeps_reference` a copy of it stays as the base model that KL terms and prior signals refer to.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn new(model: Model, prompts: &'p [Vec<u32>], sampling: Sampling, adam: AdamSettings, keeps_reference: bool) -> Result<Self> {
        let reference = if keeps_reference { Some(model.copy()?) } else { None };
        let adam = AdamW::new(adam, model.weights.trainable().vars())?;
        Ok(LanguageModel {
            model,
            adam,
            grad_norm: None,
            gain: None,
            micro_batch: 0,
            prompts,
            sampling,
            reference,
            refers: keeps_reference,
        })
    }

    /// Spares the base model's log-probabilities of rollouts that train; those that measure keep them.
    pub fn refers_only_when_measured(mut self) -> Self {
        self.refers = false;
        self
    }

    /// `count` responses to each prompt, with the base model's log-probabilities where it is kept.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn respond(&self, prompts: &[(usize, Stream)], count: usize) -> Result<Vec<Vec<Vec<Token>>>> {
        self.draw(prompts, count, true)
    }

    fn draw(&self, prompts: &[(usize, Stream)], count: usize, refers: bool) -> Result<Vec<Vec<Vec<Token>>>> {
        let several = prompts.iter().flat_map(|(prompt, words)| (0..count).map(move |rollout| (&self.prompts[*prompt], words, rollout)));
        let asks: Vec<Ask> = several.map(|(prompt, words, rollout)| Ask { prompt, words, rollout }).collect();
        let drawn = self.model.generate(&asks, &self.sampling)?;
        let responses: Vec<(usize, &[Token])> = drawn.iter().enumerate().map(|(i, r)| (prompts[i / count].0, &r[..])).collect();
        let mut drawn = if refers { self.with_reference(&responses)?.into_iter() } else { drawn.into_iter() };
        Ok(prompts.iter().map(|_| drawn.by_ref().take(count).collect()).collect())
    }

    /// Fresh responses that only measure.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn probe(&self, prompts: &[usize], count: usize, seed: Seed, round: usize) -> Result<Vec<Vec<Vec<Token>>>> {
        let words = prompts.iter().map(|x| (*x, seed.stream(Purpose::Evaluation, round, *x)));
        self.respond(&words.collect::<Vec<_>>(), count)
    }

    /// The response to each prompt of always taking the most likely token, scored as any other: at the temperature of rollouts.
    fn most_likely(&self, prompts: &[usize]) -> Result<Vec<Vec<Token>>> {
        let words = Seed(0).stream(Purpose::Evaluation, 0, 0);
        let asks: Vec<Ask> = prompts.iter().map(|x| Ask { prompt: &self.prompts[*x], words: &words, rollout: 0 }).collect();
        let drawn = self.model.generate(&asks, &Sampling { top_p: 0.0, ..self.sampling.clone() })?;
        self.with_reference(&prompts.iter().zip(&drawn).map(|(x, tokens)| (*x, &tokens[..])).collect::<Vec<_>>())
    }

    /// The responses with the base model's log-probabilities, where it is kept.
    fn with_reference(&self, responses: &[(usize, &[Token])]) -> Result<Vec<Vec<Token>>> {
        let mut all: Vec<Vec<Token>> = responses.iter().map(|(_, tokens)| tokens.to_vec()).collect();
        if let Some(reference) = &self.reference {
            let scores = self.scores(reference, responses)?;
            all.iter_mut().flatten().zip(scores).for_each(|(token, row)| token.ref_logprob = row[LOGPROB]);
        }
        Ok(all)
    }

    /// Rows of scores of all tokens of `responses`, without gradients.
    fn scores(&self, model: &Model, responses: &[(usize, &[Token])]) -> Result<Vec<Vec<f64>>> {
        let texts: Vec<(Vec<u32>, usize)> = responses.iter().map(|(prompt, tokens)| self.text(*prompt, tokens)).collect();
        let mut rows = Vec::new();
        for part in texts.chunks(self.at_once(texts.len())) {
            rows.extend(model.score(&sequences(part), self.temperature())?.to_dtype(DType::F64)?.to_vec2()?);
        }
        Ok(rows)
    }

    /// Sequences of a micro-batch out of `all`.
    fn at_once(&self, all: usize) -> usize {
        if self.micro_batch == 0 { all.max(1) } else { self.micro_batch }
    }

    /// A prompt and its response as one text, and where the response begins.
    fn text(&self, prompt: usize, tokens: &[Token]) -> (Vec<u32>, usize) {
        let prompt = &self.prompts[prompt];
        (prompt.iter().copied().chain(tokens.iter().map(|t| t.id)).collect(), prompt.len())
    }

    /// Greedy responses are scored as at temperature 1.
    fn temperature(&self) -> f64 {
        if self.sampling.temperature == 0.0 { 1.0 } else { self.sampling.temperature }
    }

    fn climb(&mut self, nudges: &[Nudge], learning_rate: f64) -> Result<()> {
        let Some((gain, gradients)) = self.gradients(nudges)? else { return Ok(()) };
        self.adam.settings.learning_rate = learning_rate;
        self.grad_norm = Some(self.adam.descend(self.model.weights.trainable().vars(), &gradients)?);
        self.gain = Some(gain);
        Ok(())
    }

    /// What the nudges climb, and for every trained parameter the gradient of the loss whose slopes they are; none without nudges.
    ///
    /// ```text
    /// loss = -gain = -sum_t (push_t log pi_t + entropy_push_t H_t)
    /// ```
    ///
    /// # Errors
    /// When the device has no room.
    pub fn gradients(&self, nudges: &[Nudge]) -> Result<Option<(f64, GradStore)>> {
        let (mut gain, mut gradients) = (0.0, None);
        for part in nudges.chunks(self.at_once(nudges.len())) {
            let (more, slope) = self.slope(part)?;
            gain += more;
            gradients = Some(added(gradients, slope, self.model.weights.trainable().vars())?);
        }
        Ok(gradients.map(|gradients| (gain, gradients)))
    }

    fn slope(&self, nudges: &[Nudge]) -> Result<(f64, GradStore)> {
        let texts: Vec<(Vec<u32>, usize)> = nudges.iter().map(|n| self.text(n.prompt, n.tokens)).collect();
        let scores = self.model.score(&sequences(&texts), self.temperature())?;
        let gain = (inner(&scores, LOGPROB, nudges.iter().flat_map(|n| &n.push))?
            + inner(&scores, ENTROPY, nudges.iter().flat_map(|n| &n.entropy_push))?)?;
        Ok((gain.to_dtype(DType::F64)?.to_scalar()?, gain.neg()?.backward()?))
    }
}

/// Gradients of two parts of a batch, summed for `vars`.
fn added(sum: Option<GradStore>, mut part: GradStore, vars: &[Var]) -> Result<GradStore> {
    let Some(mut sum) = sum else { return Ok(part) };
    for var in vars {
        if let Some(new) = part.remove(var) {
            let total = sum.get(var).map_or_else(|| Ok(new.clone()), |old| old + &new)?;
            sum.insert(var, total);
        }
    }
    Ok(sum)
}

fn sequences(texts: &[(Vec<u32>, usize)]) -> Vec<Sequence<'_>> {
    texts.iter().map(|(tokens, from)| Sequence { tokens, from: *from }).collect()
}

/// Sum over tokens of a coefficient times a column of their scores.
fn inner<'c>(scores: &Tensor, column: usize, coefficients: impl Iterator<Item = &'c f64>) -> Result<Tensor> {
    let coefficients: Vec<f64> = coefficients.copied().collect();
    let coefficients = Tensor::new(coefficients, scores.device())?.to_dtype(scores.dtype())?;
    Ok((scores.narrow(1, column, 1)?.squeeze(1)? * coefficients)?.sum_all()?)
}

/// A computation that can fail only for lack of memory: its shapes were checked when the run was set up.
fn computed<T>(result: Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("the device failed: {error}"))
}

impl Policy for LanguageModel<'_> {
    fn sample(&self, prompts: &[(usize, Stream)], count: usize) -> Vec<Vec<Vec<Token>>> {
        computed(self.draw(prompts, count, self.refers))
    }

    fn greedy(&self, prompts: &[usize]) -> Vec<Vec<Token>> {
        computed(self.most_likely(prompts))
    }

    fn enumerate(&self, _: usize) -> Vec<Vec<Token>> {
        unreachable!("exact mode is refused: see check_mode")
    }

    fn rescore(&self, responses: &[(usize, &[Token])]) -> Vec<Vec<Token>> {
        let mut rows = computed(self.scores(&self.model, responses)).into_iter();
        let mut score = |old: &Token| {
            let row = rows.next().expect("every token has a row");
            Token { logprob: row[LOGPROB], entropy: row[ENTROPY], ..*old }
        };
        responses.iter().map(|(_, tokens)| tokens.iter().map(&mut score).collect()).collect()
    }

    fn ascend(&mut self, nudges: &[Nudge], step: &Step) {
        computed(self.climb(nudges, step.learning_rate));
    }
}

//! Sampling responses with a cache of keys and values.

use crate::decoder::{Cache, Decoder};
use crate::error::Result;
use crate::fused::kernels::{exponentials, log_softmax};
use candle_core::{DType, IndexOp, Tensor};
use mta_sims::rollout::Token;
use mta_sims::stream::Stream;

/// How responses are drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// Logits are divided by it; 0 takes the most likely token.
    pub temperature: f64,
    /// Mass of the most likely tokens that may be drawn; 1 is all.
    pub top_p: f64,
    /// Longest response, in tokens.
    pub max_new_tokens: usize,
    /// Tokens that end a response; they are part of it.
    pub stop: Vec<u32>,
}

/// One response to draw.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// Tokens of the prompt, at least one.
    pub prompt: &'a [u32],
    /// Where its randomness comes from.
    pub words: &'a Stream,
    /// Number of the rollout: token t reads word `rollout * max_new_tokens + t`.
    pub rollout: usize,
}

impl Ask<'_> {
    pub(crate) fn uniform(&self, sampling: &Sampling, t: usize) -> f64 {
        self.words.uniform((self.rollout * sampling.max_new_tokens + t) as u64)
    }
}

/// One response to each ask, in order. Log-probabilities, entropies and certainties are those of the distribution at the temperature, before `top_p` cuts it;
/// at temperature 0 those of temperature 1. The reference's log-probability is not known here, and not a number.
pub(crate) fn generate(decoder: &Decoder, asks: &[Ask], sampling: &Sampling) -> Result<Vec<Vec<Token>>> {
    let mut drawn = vec![Vec::new(); asks.len()];
    let mut lengths: Vec<usize> = asks.iter().map(|a| a.prompt.len()).collect();
    lengths.sort_unstable();
    lengths.dedup();
    for length in lengths {
        let same: Vec<usize> = (0..asks.len()).filter(|i| asks[*i].prompt.len() == length).collect();
        lockstep(decoder, asks, &same, sampling, &mut drawn)?;
    }
    Ok(drawn)
}

/// The asks at `places`, whose prompts are equally long, token by token.
fn lockstep(decoder: &Decoder, asks: &[Ask], places: &[usize], sampling: &Sampling, drawn: &mut [Vec<Token>]) -> Result<()> {
    let device = decoder.weights.device();
    let mut cache = Cache::default();
    let mut new: Vec<u32> = places.iter().flat_map(|i| asks[*i].prompt).copied().collect();
    for t in 0..sampling.max_new_tokens {
        let tokens = Tensor::new(&new[..], device)?.reshape((places.len(), new.len() / places.len()))?;
        let hidden = decoder.hidden(&tokens, Some(&mut cache))?;
        let mut logits: Vec<Vec<f32>> = decoder.logits(&hidden.i((.., hidden.dims()[1] - 1))?)?.to_dtype(DType::F32)?.to_vec2()?;
        new.clear();
        for (row, &i) in logits.iter_mut().zip(places) {
            let token = choose(row, sampling, asks[i].uniform(sampling, t));
            new.push(token.id);
            if !is_over(&drawn[i], sampling) {
                drawn[i].push(token);
            }
        }
        if places.iter().all(|i| is_over(&drawn[*i], sampling)) {
            break;
        }
    }
    Ok(())
}

/// Whether a response has come to its end.
pub(crate) fn is_over(response: &[Token], sampling: &Sampling) -> bool {
    response.len() >= sampling.max_new_tokens || response.last().is_some_and(|t| sampling.stop.contains(&t.id))
}

/// The token that `uniform` picks of a row of logits, scored; the logits become log-probabilities.
pub(crate) fn choose(logits: &mut [f32], sampling: &Sampling, uniform: f64) -> Token {
    let greedy = sampling.temperature == 0.0;
    let scale = if greedy { 1.0 } else { 1.0 / sampling.temperature };
    let (entropy, certainty) = log_softmax(logits, scale as f32);
    let id = if greedy { mode(logits) } else { pick(logits, sampling.top_p, uniform) };
    let (logprob, entropy, certainty) = (f64::from(logits[id]), f64::from(entropy), f64::from(certainty));
    Token { id: id as u32, logprob, ref_logprob: f64::NAN, entropy, certainty }
}

/// The first of the most likely tokens.
fn mode(logs: &[f32]) -> usize {
    (1..logs.len()).fold(0, |best, v| if logs[v] > logs[best] { v } else { best })
}

/// The token at cumulative probability `uniform`: in the order of the vocabulary, or among the most likely of mass `top_p`.
fn pick(logs: &[f32], top_p: f64, uniform: f64) -> usize {
    let chances = exponentials(logs);
    if top_p >= 1.0 {
        return at_mass(chances.iter().copied().enumerate(), uniform * sum(chances.iter().copied()));
    }
    let mut order: Vec<usize> = (0..logs.len()).collect();
    order.sort_by(|a, b| logs[*b].total_cmp(&logs[*a]));
    let likely = |order: &[usize]| order.iter().map(|v| (*v, chances[*v])).collect::<Vec<_>>();
    let last = order.iter().position(|v| *v == at_mass(likely(&order).into_iter(), top_p)).unwrap_or(0);
    let kept = likely(&order[..=last]);
    at_mass(kept.iter().copied(), uniform * sum(kept.iter().map(|(_, chance)| *chance)))
}

fn sum(chances: impl Iterator<Item = f32>) -> f64 {
    chances.map(f64::from).sum()
}

/// The first token at which the probabilities so far come to more than `mass`, or the last.
fn at_mass(chances: impl Iterator<Item = (usize, f32)>, mass: f64) -> usize {
    let (mut so_far, mut last) = (0.0, 0);
    for (v, chance) in chances {
        (so_far, last) = (so_far + f64::from(chance), v);
        if so_far > mass {
            break;
        }
    }
    last
}

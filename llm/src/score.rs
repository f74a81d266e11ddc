//! What a model thinks of the tokens of a response: log-probability, entropy and certainty of each, with gradients.

use crate::decoder::Decoder;
use crate::error::Result;
use candle_core::{D, Tensor};

/// Columns of [`Model::score`](crate::model::Model::score): log pi of the token, in nats.
pub const LOGPROB: usize = 0;
/// Entropy of the distribution the token was drawn from, in nats.
pub const ENTROPY: usize = 1;
/// Mean over the vocabulary of -log pi, in nats.
pub const CERTAINTY: usize = 2;

/// A prompt followed by a response.
#[derive(Clone, Copy, Debug)]
pub struct Sequence<'a> {
    /// All tokens.
    pub tokens: &'a [u32],
    /// Where the response begins; at least 1.
    pub from: usize,
}

impl Sequence<'_> {
    /// Tokens of the response.
    pub fn length(&self) -> usize {
        self.tokens.len() - self.from
    }
}

/// Scores of all response tokens of `sequences`, one sequence after the other: `[response tokens, 3]`.
pub(crate) fn score(decoder: &Decoder, sequences: &[Sequence], temperature: f64) -> Result<Tensor> {
    let device = decoder.weights.device();
    let longest = sequences.iter().map(|s| s.tokens.len()).max().unwrap_or(1);
    let padded = sequences.iter().flat_map(|s| s.tokens.iter().copied().chain(std::iter::repeat(0)).take(longest));
    let tokens = Tensor::from_vec(padded.collect::<Vec<u32>>(), (sequences.len(), longest), device)?;
    let before =
        |(row, s): (usize, &Sequence)| (s.from - 1..s.tokens.len() - 1).map(move |t| (row * longest + t) as u32).collect::<Vec<_>>();
    let places: Vec<u32> = sequences.iter().enumerate().flat_map(before).collect();
    let targets: Vec<u32> = sequences.iter().flat_map(|s| &s.tokens[s.from..]).copied().collect();
    let hidden = decoder.hidden(&tokens, None)?.flatten_to(1)?.index_select(&Tensor::new(places, device)?, 0)?;
    columns(&(decoder.logits(&hidden)? / temperature)?, &Tensor::new(targets, device)?)
}

/// Log-probability of `targets`, entropy and certainty of rows of logits: `[rows, 3]`.
pub(crate) fn columns(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let logs = logits.broadcast_sub(&logits.log_sum_exp(D::Minus1)?.unsqueeze(1)?)?;
    let chosen = logs.gather(&targets.unsqueeze(1)?, 1)?;
    let entropy = (logs.exp()? * &logs)?.sum_keepdim(1)?.neg()?;
    let certainty = logs.mean_keepdim(1)?.neg()?;
    Ok(Tensor::cat(&[chosen, entropy, certainty], 1)?)
}

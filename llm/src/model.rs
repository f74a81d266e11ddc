//! A model: shape and numbers, scored and sampled by whichever form of the decoder runs them.

use crate::architecture::Architecture;
use crate::decoder::Decoder;
use crate::error::{Error, Result};
use crate::fused;
use crate::sample::{self, Ask, Sampling};
use crate::score::{self, Sequence};
use crate::weights::Weights;
use candle_core::Tensor;
use mta_sims::rollout::Token;

/// A decoder language model.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its shape.
    pub architecture: Architecture,
    /// Its numbers.
    pub weights: Weights,
}

impl Model {
    /// Scores of all response tokens, one sequence after the other: `[response tokens, 3]`, columns [`score::LOGPROB`], [`score::ENTROPY`] and
    /// [`score::CERTAINTY`], at `temperature`, with gradients.
    ///
    /// # Errors
    /// A token outside the vocabulary, a response that begins nowhere, a device that fails.
    pub fn score(&self, sequences: &[Sequence], temperature: f64) -> Result<Tensor> {
        sequences.iter().try_for_each(|s| self.checked(s.tokens, s.from))?;
        if fused::fits(&self.weights) {
            return fused::score(&self.architecture, &self.weights, sequences, temperature);
        }
        score::score(&self.decoder(), sequences, temperature)
    }

    /// One response to each ask, in order.
    ///
    /// # Errors
    /// A token outside the vocabulary, an empty prompt, a device that fails.
    pub fn generate(&self, asks: &[Ask], sampling: &Sampling) -> Result<Vec<Vec<Token>>> {
        asks.iter().try_for_each(|a| self.checked(a.prompt, 1))?;
        if fused::fits(&self.weights) {
            return fused::generate(&self.architecture, &self.weights, asks, sampling);
        }
        sample::generate(&self.decoder(), asks, sampling)
    }

    /// The same model with variables of its own.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn copy(&self) -> Result<Self> {
        Ok(Model { architecture: self.architecture.clone(), weights: self.weights.copy()? })
    }

    /// That tokens are of the vocabulary, and that something comes before the response: on a GPU nothing else would notice.
    fn checked(&self, tokens: &[u32], from: usize) -> Result<()> {
        let vocab = self.architecture.vocab_size;
        if let Some(token) = tokens.iter().find(|t| **t as usize >= vocab) {
            return Err(Error::Setting(format!("token {token} is not in the vocabulary: 0 to {} are", vocab - 1)));
        }
        if from == 0 || from > tokens.len() {
            return Err(Error::Setting(format!(
                "a response begins at token {from} of {}: 1 to {} are allowed",
                tokens.len(),
                tokens.len()
            )));
        }
        Ok(())
    }

    fn decoder(&self) -> Decoder<'_> {
        Decoder { architecture: &self.architecture, weights: &self.weights }
    }
}

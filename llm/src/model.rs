//! A model: shape and numbers, scored and sampled by whichever form of the decoder runs them.

use crate::architecture::Architecture;
use crate::decoder::Decoder;
use crate::error::Result;
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
    /// When the device has no room.
    pub fn score(&self, sequences: &[Sequence], temperature: f64) -> Result<Tensor> {
        if fused::fits(&self.weights) {
            return fused::score(&self.architecture, &self.weights, sequences, temperature);
        }
        score::score(&self.decoder(), sequences, temperature)
    }

    /// One response to each ask, in order.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn generate(&self, asks: &[Ask], sampling: &Sampling) -> Result<Vec<Vec<Token>>> {
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

    fn decoder(&self) -> Decoder<'_> {
        Decoder { architecture: &self.architecture, weights: &self.weights }
    }
}

//! Pretraining from nothing on the corpus of a world.

use super::corpus::{Vocabulary, document, response_length};
use super::world::MethodWorld;
use crate::architecture::{Architecture, Family};
use crate::error::Result;
use crate::model::Model;
use crate::optimizer::{AdamSettings, AdamW};
use crate::score::{LOGPROB, Sequence};
use crate::weights::Weights;
use candle_core::{DType, Device};

/// How a model is grown.
#[derive(Clone, Debug, PartialEq)]
pub struct GrowSettings {
    /// Updates.
    pub steps: usize,
    /// Documents per update.
    pub batch: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Blocks.
    pub layers: usize,
    /// The optimiser.
    pub adam: AdamSettings,
}

impl GrowSettings {
    /// A model of 100,000 parameters that reads 96,000 documents.
    pub const DEFAULT: Self = GrowSettings {
        steps: 1000,
        batch: 96,
        hidden_size: 64,
        layers: 2,
        adam: AdamSettings { learning_rate: 2.5e-3, warmup_steps: 200, decay_steps: 1020, beta2: 0.98, ..AdamSettings::DEFAULT },
    };
}

/// A Qwen3-shaped decoder for `world`.
pub fn shape(world: &MethodWorld, settings: &GrowSettings) -> Architecture {
    Architecture {
        family: Family::Qwen3,
        vocab_size: Vocabulary::of(world).size(),
        hidden_size: settings.hidden_size,
        intermediate_size: 3 * settings.hidden_size,
        num_hidden_layers: settings.layers,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: settings.hidden_size / 4,
        rms_norm_eps: 1e-6,
        rope_theta: 10_000.0,
        rope_scaling: None,
        attention_bias: false,
        qk_norm: true,
        tie_word_embeddings: true,
        max_position_embeddings: 2 * response_length(world.settings.terms),
    }
}

/// Grows a model on the corpus of `world`, and shows each step's loss (nats per response token) to `observe`.
///
/// Models of one seed that differ in alignment read the same questions in the same order from the same first weights.
///
/// # Errors
/// When the device has no room.
pub fn grow(world: &MethodWorld, settings: &GrowSettings, observe: &mut dyn FnMut(usize, f64)) -> Result<Model> {
    let architecture = shape(world, settings);
    let weights = Weights::new(&architecture, world.seed, DType::F32, &Device::Cpu)?;
    let model = Model { architecture, weights };
    let mut adam = AdamW::new(settings.adam.clone(), model.weights.trainable().vars())?;
    for step in 0..settings.steps {
        let documents: Vec<_> = (0..settings.batch).map(|i| document(world, step * settings.batch + i)).collect();
        observe(step + 1, fit(&model, &mut adam, &documents)?);
    }
    Ok(model)
}

/// One step of supervised learning: minus the mean log-probability of response tokens, in nats, which it gives.
///
/// # Errors
/// When the device has no room.
pub fn fit(model: &Model, adam: &mut AdamW, documents: &[(Vec<u32>, usize)]) -> Result<f64> {
    let sequences: Vec<Sequence> = documents.iter().map(|(tokens, from)| Sequence { tokens, from: *from }).collect();
    let loss = model.score(&sequences, 1.0)?.narrow(1, LOGPROB, 1)?.mean_all()?.neg()?;
    adam.descend(model.weights.trainable().vars(), &loss.backward()?)?;
    Ok(f64::from(loss.to_scalar::<f32>()?))
}

//! The same loop on real transformers.
//!
//! ```text
//! config.json -> Architecture           architecture   shape, under Hugging Face's names
//! safetensors -> Weights                weights        one variable per parameter
//! tokens -> hidden -> logits            decoder        one forward, in candle's operations
//!                                       fused/         the same at the speed of the CPU, as one operation with its own backward
//! Sequence -> log pi, entropy           score          with gradients
//! Ask -> Token, Token, ..               sample         with a cache of keys and values
//! gradients -> Weights                  optimizer      AdamW
//! ```
//!
//! A language model is one more [`mta_sims::policy::Policy`], and its tasks one more [`mta_sims::run::Environment`]: the loop, signals, rules and metrics are
//! those of the simulator.

pub mod architecture;
pub mod decoder;
pub mod error;
pub(crate) mod fused;
pub mod model;
pub mod optimizer;
pub mod sample;
pub mod score;
pub(crate) mod vectors;
pub mod weights;

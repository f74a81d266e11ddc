//! The same loop on real transformers.
//!
//! ```text
//! config.json -> Architecture           architecture   shape, under Hugging Face's names
//! safetensors -> Weights                weights        one variable per parameter
//! tokens -> hidden -> logits            decoder        one forward, in candle's operations
//! Sequence -> log pi, entropy           score          with gradients
//! Ask -> Token, Token, ..               sample         with a cache of keys and values
//! ```
//!
//! A language model is one more [`mta_sims::policy::Policy`], and its tasks one more [`mta_sims::run::Environment`]: the loop, signals, rules and metrics are
//! those of the simulator.

pub mod architecture;
pub mod atomic;
pub mod chat;
pub mod config;
pub mod decoder;
pub mod error;
pub mod folder;
mod json;
pub mod lora;
pub mod model;
pub mod sample;
pub mod score;
pub mod tokenizer;
pub mod weights;

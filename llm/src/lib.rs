//! The same loop on real transformers.
//!
//! ```text
//! config.json <-> Architecture          config         shape, under Hugging Face's names
//! safetensors <-> Weights               folder         one variable per parameter; written whole or not at all (atomic)
//! adapter -> Weights                    lora           the trained part beside a frozen model, in peft's layout
//! text <-> tokens                       tokenizer      and messages -> prompt: chat
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
pub mod atomic;
pub mod chat;
pub mod config;
pub mod data;
pub mod decoder;
pub mod error;
pub mod folder;
pub mod forecast;
pub(crate) mod fused;
pub mod grown;
mod json;
pub mod lora;
pub mod math;
pub mod measure;
pub mod model;
pub mod optimizer;
pub mod policy;
pub mod rational;
pub mod sample;
pub mod score;
pub mod tasks;
pub mod tokenizer;
pub(crate) mod vectors;
pub mod weights;

//! The same loop on real transformers.
//!
//! ```text
//! config.json -> Architecture           architecture   shape, under Hugging Face's names
//! safetensors -> Weights                weights        one variable per parameter
//! tokens -> hidden -> logits            decoder        one forward, in candle's operations
//! Sequence -> log pi, entropy           score          with gradients
//! Ask -> Token, Token, ..               sample         with a cache of keys and values
//! Family, difficulty, seed -> Row       tasks/         procedural questions, each with a verifier
//! file -> Question, Question, ..        data           JSONL and Parquet, templates of prompts
//! gold, output -> right or wrong        math/          the verifier of mathematical answers
//! ```
//!
//! A language model is one more [`mta_sims::policy::Policy`], and its tasks one more [`mta_sims::run::Environment`]: the loop, signals, rules and metrics are
//! those of the simulator.

pub mod architecture;
pub mod data;
pub mod decoder;
pub mod error;
pub mod math;
pub mod model;
pub mod permutation;
pub mod rational;
pub mod sample;
pub mod score;
pub mod tasks;
pub mod weights;

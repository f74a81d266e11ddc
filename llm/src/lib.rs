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
//! Model, prompts -> Policy              policy         what the simulator's loop drives
//! responses -> Measured                 measure        pass@k, majority, entropy and KL of samples
//! a, kappa, seed -> Grown -> Curves     grown/         base models with the alignment knob inside their corpus
//! Grown, Ready -> Curves                forecast       what the simulator expects of them
//! Plan -> bytes                         memory         what training will take
//! name -> Device                        device         CPU or GPU
//! Family, difficulty, seed -> Row       tasks/         procedural questions, each with a verifier
//! file -> Question, Question, ..        data           JSONL and Parquet, templates of prompts
//! gold, output -> right or wrong        math/          the verifier of mathematical answers
//! folder, questions -> Exam             exam           prompts, their split, their judge: of grown models and of question files
//! Exam, Ready -> trained model          train          steps, metrics and checkpoints (checkpoint) that resume to the last bit
//! Exam, n -> pass@k, maj@n, shares      assess         what sampled responses say, with intervals
//! ```
//!
//! A language model is one more [`mta_sims::policy::Policy`], and its tasks one more [`mta_sims::run::Environment`]: the loop, signals, rules and metrics are
//! those of the simulator.

pub mod architecture;
pub mod assess;
pub mod atomic;
pub mod chat;
pub mod checkpoint;
pub mod config;
pub mod data;
pub mod decoder;
pub mod device;
pub mod error;
pub mod exam;
pub mod folder;
pub mod forecast;
pub(crate) mod fused;
pub mod grown;
mod json;
pub mod lora;
pub mod math;
pub mod measure;
pub mod memory;
pub mod model;
pub mod optimizer;
pub mod permutation;
pub mod policy;
pub mod rational;
pub mod sample;
pub mod score;
pub mod tasks;
pub mod tokenizer;
pub mod train;
pub(crate) mod vectors;
pub mod weights;

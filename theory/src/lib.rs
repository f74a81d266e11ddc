//! What must happen, in closed form: no randomness, no files, no clock, no threads.
//!
//! | module | question |
//! |---|---|
//! | [`pass_at_k`] | how often is one of k attempts right? |
//! | [`alignment`] | what can a base model do whose prior is aligned to degree a? |
//! | [`sharpening`] | what does sharpening do to accuracy and entropy? |
//! | [`best_of_n`] | what does picking the likeliest of N draws give? |
//! | [`transfer`] | when does training on one prompt help another? |
//! | [`signed_samples`] | what do positive and negative samples each do? |
//! | [`difficulty`] | when do two pass@k curves cross? |
//! | [`crossing`] | which changes of a model make the curves cross? |
//! | [`ceiling`] | what can tabular training not reach? |
//! | [`distillation`] | what does a teacher reach that reward cannot? |
//! | [`tree`] | how long do sequences of tokens take to learn? |
//! | [`quadrature`] | how are integrals computed? |
//! | [`normal_tail`] | how likely is a Gaussian far from its mean? |
//! | [`claims`] | what do the papers say must be true? |

pub mod alignment;
pub mod best_of_n;
pub mod ceiling;
pub mod claims;
pub mod crossing;
pub mod difficulty;
pub mod distillation;
pub mod flow;
#[cfg(test)]
mod golden;
pub mod normal_tail;
pub mod pass_at_k;
pub mod proposition;
pub mod quadrature;
pub mod sharpening;
pub mod signed_samples;
pub mod simplex;
pub mod transfer;
pub mod tree;

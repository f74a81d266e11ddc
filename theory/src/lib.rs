//! What must happen, in closed form: no randomness, no files, no clock, no threads.
//!
//! | module | question |
//! |---|---|
//! | [`pass_at_k`] | how often is one of k attempts right? |
//! | [`alignment`] | what can a base model do whose prior is aligned to degree a? |
//! | [`claims`] | what do the papers say must be true? |
//! | [`clipping`] | which way does a clip push when rewards are random? |
//! | [`length`] | does self-reward shorten or lengthen? |
//! | [`majority`] | where does rewarding the majority lead? |
//! | [`random_reward`] | where do rewards lead that know nothing of the action? |
//! | [`self_reward`] | where does rewarding one's own confidence lead, and when does a leash hold? |
//! | [`spurious`] | when does a reward for the wrong thing help? |
//! | [`stability`] | how far does the optimum move when the prior does? |

pub mod alignment;
pub mod claims;
pub mod clipping;
pub mod flow;
#[cfg(test)]
mod golden;
pub mod length;
pub mod majority;
pub mod pass_at_k;
pub mod proposition;
pub mod random_reward;
pub mod self_reward;
pub mod simplex;
pub mod spurious;
pub mod stability;

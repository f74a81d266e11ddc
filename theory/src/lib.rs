//! What must happen, in closed form: no randomness, no files, no clock, no threads.
//!
//! | module | question |
//! |---|---|
//! | [`pass_at_k`] | how often is one of k attempts right? |
//! | [`alignment`] | what can a base model do whose prior is aligned to degree a? |
//! | [`price`] | which way does a reward move accuracy, and how fast? |
//! | [`clocks`] | how long does a true reward take? |
//! | [`conservation`] | which of several solutions survives? |
//! | [`push_back`] | how steep is the reward, and can the best arm lose? |
//! | [`group_gradient`] | what does group normalisation do to the gradient? |
//! | [`verifier`] | what does a verifier that errs do? |
//! | [`leash`] | how far does a KL penalty let the policy go? |
//! | [`fixation`] | which mode remains under finite batches? |
//! | [`sharpening`] | what does sharpening do to accuracy and entropy? |
//! | [`sharpening_phase`] | where over alignment and confidence does sharpening help? |
//! | [`best_of_n`] | what does picking the likeliest of N draws give? |
//! | [`transfer`] | when does training on one prompt help another? |
//! | [`signed_samples`] | what do positive and negative samples each do? |
//! | [`difficulty`] | when do two pass@k curves cross? |
//! | [`crossing`] | which changes of a model make the curves cross? |
//! | [`ceiling`] | what can tabular training not reach? |
//! | [`distillation`] | what does a teacher reach that reward cannot? |
//! | [`tree`] | how long do sequences of tokens take to learn? |
//! | [`banded`] | how are linear systems with a band solved? |
//! | [`shared_tree`] | what does it change when the nodes or prompts of a token tree share parameters? |
//! | [`quadrature`] | how are integrals computed? |
//! | [`normal_tail`] | how likely is a Gaussian far from its mean? |
//! | [`clipping`] | which way does a clip push when rewards are random? |
//! | [`length`] | does self-reward shorten or lengthen? |
//! | [`majority`] | where does rewarding the majority lead? |
//! | [`random_reward`] | where do rewards lead that know nothing of the action? |
//! | [`self_reward`] | where does rewarding one's own confidence lead, and when does a leash hold? |
//! | [`spurious`] | when does a reward for the wrong thing help? |
//! | [`clip_arms`] | which arms does a clip push when there are many? |
//! | [`sequence_clip`] | what changes when whole sequences are clipped? |
//! | [`entropy_bonus`] | where does an entropy bonus lead? |
//! | [`adam`] | what does Adam make of positive and negative samples? |
//! | [`stability`] | how far does the optimum move when the prior does? |

pub mod adam;
pub mod alignment;
pub mod banded;
pub mod best_of_n;
pub mod ceiling;
pub mod clip_arms;
pub mod clipping;
pub mod clocks;
pub mod conservation;
pub mod crossing;
pub mod difficulty;
pub mod distillation;
pub mod entropy_bonus;
pub mod fixation;
pub mod flow;
#[cfg(test)]
mod golden;
pub mod group_gradient;
pub mod leash;
pub mod length;
pub mod majority;
pub mod normal_tail;
pub mod pass_at_k;
pub mod price;
pub mod proposition;
pub mod propositions;
pub mod push_back;
pub mod quadrature;
pub mod random_reward;
pub mod self_reward;
pub mod sequence_clip;
pub mod shared_tree;
pub mod sharpening;
pub mod sharpening_phase;
pub mod signed_samples;
pub mod simplex;
pub mod spurious;
pub mod stability;
pub mod transfer;
pub mod tree;
pub mod verifier;

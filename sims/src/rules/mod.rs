//! Rules: how the update uses rewards. One file each (or a family); adding one is a file, a `mod` line and a line in [`RULES`].
//!
//! A rule is data: a named choice of the building blocks in [`Objective`]. Each block's formula stands once, in [`crate::objective`], and serves every rule,
//! every engine and the language models.

use crate::config::Objective;
use crate::registry::{Entry, Named};

mod bnpo;
mod cispo;
mod dapo;
mod dr_grpo;
mod gpg;
mod grpo;
mod grpo_passk;
mod gspo;
mod maxrl;
mod mta;
mod pg;
mod ppo;
mod reinforce;
mod remax;
mod rloo;
mod zhu;

/// Every rule: the group-relative family, then score functions, then positive and negative samples, then the exact flows.
pub static RULES: &[&Rule] = &[
    &grpo::GRPO,
    &grpo::GRPO_TRL,
    &grpo::GRPO_VERL,
    &grpo::LITE_PPO,
    &dr_grpo::DR_GRPO,
    &dapo::DAPO,
    &dapo::DAPO_MTA,
    &bnpo::BNPO_TRL,
    &bnpo::BNPO_BETA,
    &gspo::GSPO,
    &cispo::CISPO_TRL,
    &cispo::CISPO_VERL,
    &cispo::CISPO_OPEN_INSTRUCT,
    &reinforce::REINFORCE,
    &reinforce::PLUS_PLUS,
    &reinforce::PLUS_PLUS_BASELINE,
    &rloo::RLOO,
    &rloo::RLOO_TRL,
    &remax::REMAX,
    &gpg::GPG,
    &gpg::OPO,
    &grpo_passk::GRPO_PASSK,
    &maxrl::MAXRL,
    &ppo::PPO,
    &zhu::PSR,
    &zhu::NSR,
    &zhu::W_REINFORCE,
    &mta::PSR_MTA,
    &mta::NSR_MTA,
    &mta::W_REINFORCE_MTA,
    &pg::PG,
    &pg::PG_STD,
    &pg::NPG,
    &pg::NPG_STD,
];

/// An update rule.
#[derive(Debug)]
pub struct Rule {
    /// Name, meaning, formula and source.
    pub entry: Entry,
    /// The building blocks it chooses.
    pub objective: Objective,
}

impl Named for Rule {
    fn entry(&self) -> &Entry {
        &self.entry
    }
}

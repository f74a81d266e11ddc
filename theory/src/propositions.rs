//! Every proposition, in the order of the theory sheet.

use crate::proposition::Proposition;
use crate::{
    alignment, best_of_n, ceiling, clipping, clocks, conservation, crossing, difficulty, distillation, fixation, group_gradient, leash,
    length, majority, price, push_back, random_reward, self_reward, sharpening, signed_samples, spurious, stability, transfer, tree,
    verifier,
};

/// The list the command line evaluates from.
pub static PROPOSITIONS: &[&Proposition] = &[
    &price::P1,
    &clocks::P2,
    &conservation::P3,
    &push_back::P4,
    &group_gradient::P5,
    &verifier::P6,
    &verifier::P7,
    &leash::P8,
    &leash::P9,
    &fixation::P10,
    &random_reward::P11,
    &random_reward::P12,
    &clipping::P13,
    &clipping::P14,
    &spurious::P15,
    &majority::P16,
    &majority::P17,
    &self_reward::P18,
    &self_reward::P19,
    &stability::P20,
    &length::P21,
    &sharpening::P22,
    &alignment::P23,
    &best_of_n::P24,
    &transfer::P25,
    &transfer::P26,
    &signed_samples::P27,
    &signed_samples::P28,
    &difficulty::P29,
    &crossing::P30,
    &ceiling::P31,
    &distillation::P32,
    &tree::P33,
    &tree::P34,
    &alignment::P35,
    &crate::shared_tree::P40,
    &crate::sharpening_phase::P41,
];

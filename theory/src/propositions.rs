//! Every proposition, in the order of the theory sheet.

use crate::proposition::Proposition;
use crate::{clocks, conservation, price, push_back, random_reward};

/// The list the command line evaluates from.
pub static PROPOSITIONS: &[&Proposition] =
    &[&price::P1, &clocks::P2, &conservation::P3, &push_back::P4, &random_reward::P11, &random_reward::P12];

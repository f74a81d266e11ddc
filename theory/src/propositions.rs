//! Every proposition, in the order of the theory sheet.

use crate::proposition::Proposition;

/// The list the command line evaluates from.
pub static PROPOSITIONS: &[&Proposition] = &[];

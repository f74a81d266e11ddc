//! Models grown here: a world of methods, a corpus in which documents follow them, and pretraining on it.
//!
//! ```text
//! MethodWorld: questions, methods, truth, prior     world      section 2 of the simulator's world, with procedures for tokens
//! Vocabulary, document                              corpus     question -> method, steps, answer
//! Arithmetic: judges responses                      judge      an Environment
//! grow                                              grow       a checkpoint from nothing
//! Grown: recipe -> Curves                           cell       the simulator's cell with a transformer for its table
//! ```

pub mod cell;
pub mod corpus;
pub mod family;
pub mod grow;
pub mod judge;
pub mod world;

/// Changes whenever a world, its corpus or its verifier comes to mean something else, so that base models and results of an older meaning are not taken for
/// new ones.
pub const SEMANTICS: u32 = 2;

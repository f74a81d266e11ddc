//! Verifier.
pub mod answer;
pub mod compare;
pub mod expression;
pub mod extract;
pub mod lexer;
pub mod normalise;
pub mod parser;

pub use compare::equal;

/// Whether the final answer of `output` says what `gold` says.
pub fn verify(gold: &str, output: &str) -> bool {
    extract::extract(output).is_some_and(|(_, answer)| equal(gold, answer))
}

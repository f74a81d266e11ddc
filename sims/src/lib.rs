//! What happens: worlds, policies, signals, rules and the reference training loop.
pub mod statistics;
pub mod table;

//! One file per subcommand: arguments in, library call, answer out.

pub mod list;
pub mod show;
pub mod sweep;

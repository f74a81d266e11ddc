//! One file per subcommand: arguments in, library call, answer out.

pub mod bench;
pub mod export;
pub mod figures;
pub mod import;
pub mod list;
pub mod llm;
pub mod report;
pub mod show;
pub mod sweep;
pub mod theory;
pub mod verify;
pub mod view;

use std::io::Write;

/// Prints; a reader that stopped reading (`| head`) is no error.
pub fn say(text: &str) {
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

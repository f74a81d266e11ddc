//! Progress bars, on a terminal only.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::io::IsTerminal;

/// A bar of `length` steps, followed by what the indicatif template `words` says; `{rate}` is steps per second.
///
/// # Panics
/// When the template is none.
pub fn bar(length: usize, words: &str) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template(&format!("{{bar:32}} {words}")).expect("the template is valid");
    let rate = |state: &ProgressState, out: &mut dyn Write| {
        let _ = write!(out, "{:.0}", state.per_sec());
    };
    let style = style.with_key("rate", rate).progress_chars("━╸─");
    ProgressBar::with_draw_target(Some(length as u64), target).with_style(style)
}

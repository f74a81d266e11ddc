//! `mta-sim sweep plan`: the cells of a sweep as a file, for shards to run.

use super::asked_for;
use crate::commands::say;
use crate::error::Error;
use crate::sweep::put;
use crate::{cli, estimate};
use clap::{ArgMatches, Command};

const HELP: &str = "\
Writes config.toml (the settings, complete) and plan.jsonl (a cell per line: a hash of all it depends on, and its estimated cost).
Run it by mta-sim sweep run DIR --shard I/N, anywhere, in any order, as often as need be; then mta-sim sweep gather DIR.";

/// The subcommand.
pub(super) fn command() -> Command {
    Command::new("plan")
        .about("Write the cells of a sweep to a folder, for many machines to run")
        .after_help(HELP)
        .args(cli::settings_flags())
        .args(cli::all_knobs())
}

/// Runs the subcommand and prints its answer.
///
/// # Errors
/// When a setting is wrong, or the folder is somebody else's or cannot be written.
pub(super) fn plan(matches: &ArgMatches) -> Result<(), Error> {
    let (plan, folder) = asked_for(matches)?;
    drop(put(&plan, &folder)?);
    let (cells, time) = (plan.distinct().len(), estimate::words(estimate::total(&plan)));
    say(&format!("{cells} cells, about {time} of one thread. Plan: {}\n", folder.display()));
    Ok(())
}

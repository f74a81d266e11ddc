//! `mta-sim sweep status`: how far the shards of a plan have come.

use super::{folder, planned_folder};
use crate::commands::say;
use crate::error::Error;
use crate::status::Status;
use clap::{ArgMatches, Command};

const HELP: &str = "\
Everything is read from the files of the folder, on any machine that sees them; nothing is changed. Rates and times left are measured by clocks that
cannot be set. A shard that says it is running while nobody holds its journal was killed: run it again.";

/// The subcommand.
pub(super) fn command() -> Command {
    Command::new("status").about("Show how far the shards of a plan have come").after_help(HELP).arg(planned_folder())
}

/// Runs the subcommand and prints its answer.
///
/// # Errors
/// When the plan or a shard's files cannot be read.
pub(super) fn status(matches: &ArgMatches) -> Result<(), Error> {
    say(&Status::of(folder(matches))?.to_string());
    Ok(())
}

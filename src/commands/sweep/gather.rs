//! `mta-sim sweep gather`: the tables of a plan whose shards are finished.

use super::{answer, folder, planned_folder};
use crate::commands::say;
use crate::error::Error;
use crate::shard::Ran;
use crate::store::cells::Cells;
use crate::store::lock::Lock;
use crate::store::planned;
use crate::sweep::{Begun, collect};
use clap::{ArgMatches, Command};

const HELP: &str = "\
Writes results.parquet, history.parquet, summary.csv and manifest.json in the order of the plan: the bytes that mta-sim sweep would have written.
Cells that no shard has finished are named, and the exit code is 3; a cell with two different results is named, and the exit code is 2.
Figures: mta-sim figures --from DIR. The report: mta-sim report DIR.";

/// The subcommand.
pub(super) fn command() -> Command {
    Command::new("gather").about("Merge what the shards of a plan have finished into its tables").after_help(HELP).arg(planned_folder())
}

/// Runs the subcommand and prints its answer.
///
/// # Errors
/// When the plan cannot be read, shards are running, cells are missing or in conflict, or the tables cannot be written.
pub(super) fn gather(matches: &ArgMatches) -> Result<(), Error> {
    let (folder, begun) = (folder(matches), Begun::now());
    planned::require(folder)?;
    let _alone = Lock::alone(folder)?;
    let (plan, finished) = rayon::join(|| planned::read(folder), || Cells::open(folder));
    let (plan, finished) = (plan?, finished?);
    let cells = plan.distinct().len();
    let outcome = collect(&plan, finished, folder, Ran { cells, reused: cells }, 0, &begun)?;
    say(&answer(&plan, &outcome, "Tables"));
    Ok(())
}

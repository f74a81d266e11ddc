//! `mta-sim sweep run`: one shard of a plan.

use super::{folder, planned_folder, threads};
use crate::commands::say;
use crate::error::Error;
use crate::plan::Plan;
use crate::shard::{self, MAX_SHARDS, Shard};
use crate::store::lock::Lock;
use crate::store::planned;
use crate::{cli, runner};
use clap::{Arg, ArgMatches, Command, value_parser};
use rayon::prelude::*;

const HELP: &str = "\
Cells are shared out by estimated cost, the same way wherever this runs. Those that any shard has finished are skipped, so the same command goes on
where it was stopped. Without --shard the environment says which: SLURM_ARRAY_TASK_ID, _COUNT and _MIN, or JOB_COMPLETION_INDEX with --of N; where it
does not, the whole plan is run.
TERM and USR1 have it finish the cells in flight, publish what is done and exit with 75: requeue it.";

/// The subcommand.
pub(super) fn command() -> Command {
    let shard = Arg::new("shard").long("shard").value_name("I/N").value_parser(|text: &str| text.parse::<Shard>());
    let of = Arg::new("of").long("of").value_name("N").value_parser(value_parser!(u32).range(1..=MAX_SHARDS as i64));
    Command::new("run")
        .about("Run one shard of a plan, or what is left of it")
        .after_help(HELP)
        .arg(planned_folder())
        .arg(shard.conflicts_with("of").help("Run part I of N, counted from 1"))
        .arg(of.help("Number of shards, where the environment says only which"))
        .arg(cli::threads_flag())
}

/// Runs the subcommand and prints its answer.
///
/// # Errors
/// As [`shard::run`], and when the plan cannot be read or is of another version.
pub(super) fn run(matches: &ArgMatches) -> Result<(), Error> {
    let (folder, threads, shard) = (folder(matches), threads(matches), asked_for(matches)?);
    planned::require(folder)?;
    let _shared = Lock::shared(folder)?;
    let plan = planned::read(folder)?;
    let rows = shard.rows(&plan);
    runner::pool(threads)?.install(|| confirm(&plan, &rows))?;
    let ran = shard::run(folder, shard, &plan, &rows, plan.backend.engine(), threads)?;
    say(&format!("shard {shard}: {} cells are finished, {} of them from before: {}\n", ran.cells, ran.reused, folder.display()));
    Ok(())
}

fn asked_for(matches: &ArgMatches) -> Result<Shard, Error> {
    let of = matches.get_one::<u32>("of").map(|of| *of as usize);
    matches.get_one::<Shard>("shard").map_or_else(|| Shard::of_environment(of, |name| std::env::var(name).ok()), |shard| Ok(*shard))
}

/// Makes sure that the cells of these rows are what the plan calls them.
fn confirm(plan: &Plan, rows: &[usize]) -> Result<(), Error> {
    let mut settings: Vec<usize> = rows.iter().map(|row| plan.setting(*row).0).collect();
    settings.dedup();
    settings.par_iter().find_map_first(|setting| plan.confirm(*setting, plan.backend.engine()).err()).map_or(Ok(()), Err)
}

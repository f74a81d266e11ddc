//! `mta-sim sweep submit`: have a scheduler run the shards of a plan.

use super::{folder, planned_folder};
use crate::commands::say;
use crate::error::Error;
use crate::plan::Plan;
use crate::shard::MAX_SHARDS;
use crate::slurm::{self, OPTIONS, Slurm};
use crate::store::planned;
use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

const HELP: &str = "\
Writes submit.sbatch, an array of shards, and gather.sbatch, which waits for it, into DIR and submits both. A task that Slurm stops puts itself back into
the queue and goes on where it was. Options have submitit's names. Other schedulers drive sweep run directly: docs/cluster.md.";

/// The subcommand.
pub(super) fn command() -> Command {
    let whole = |name: &'static str, value: &'static str, help: &'static str, most: i64| {
        option(name, value, help).value_parser(value_parser!(u32).range(1..=most))
    };
    Command::new("submit")
        .about("Have Slurm run a plan: an array of shards, and a job that gathers them")
        .after_help(HELP)
        .arg(planned_folder())
        .arg(Arg::new("slurm").long("slurm").action(ArgAction::SetTrue).required(true).help("The scheduler"))
        .arg(whole("shards", "N", "Tasks of the array [default: a minute of work each, at most 1000]", MAX_SHARDS as i64))
        .arg(whole("cpus-per-task", "N", "Processors of a task [default: 1]", 1024))
        .arg(whole("array-parallelism", "N", "Tasks that may run at once [default: all]", MAX_SHARDS as i64))
        .arg(whole("max-num-timeout", "N", "How often a stopped task may go back into the queue [default: 3]", 1_000_000))
        .arg(whole("signal-delay-s", "SECONDS", "How long before its time limit a task is told to stop [default: 120]", 65535))
        .args(OPTIONS.iter().map(|(name, value, help)| option(name, value, help).value_parser(ValueParser::new(plain))))
        .arg(Arg::new("dry-run").long("dry-run").action(ArgAction::SetTrue).help("Show the scripts and stop"))
}

fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).alias(name.replace('-', "_")).value_name(value).help(help)
}

/// A value that a line `#SBATCH --name=value` can hold.
fn plain(text: &str) -> Result<String, String> {
    let fits = !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !"'\"\\`$#".contains(c));
    if fits { Ok(text.into()) } else { Err("must be one word without quotes, #, $ and \\".into()) }
}

/// Runs the subcommand and prints its answer.
///
/// # Errors
/// When the plan cannot be read, or sbatch refuses.
pub(super) fn submit(matches: &ArgMatches) -> Result<(), Error> {
    let folder = folder(matches);
    let slurm = asked_for(matches, &planned::read(folder)?);
    let program = std::env::current_exe().map_err(|e| Error::Usage(format!("this program does not know where it lies ({e})")))?;
    let program = program.display().to_string();
    if matches.get_flag("dry-run") {
        say(&slurm.describe(&program, folder));
        return Ok(());
    }
    let (array, gather) = slurm.submit(&program, folder)?;
    say(&format!("array {array} runs {} shards, job {gather} gathers them: mta-sim sweep status {}\n", slurm.shards, folder.display()));
    Ok(())
}

fn asked_for(matches: &ArgMatches, plan: &Plan) -> Slurm {
    let whole = |name: &str| matches.get_one::<u32>(name).map(|n| *n as usize);
    let cpus_per_task = whole("cpus-per-task").unwrap_or(1);
    let given = |name: &'static str| Some((name, matches.get_one::<String>(name)?.clone()));
    Slurm {
        shards: whole("shards").unwrap_or_else(|| slurm::shards(plan, cpus_per_task)),
        cpus_per_task,
        array_parallelism: whole("array-parallelism"),
        max_num_timeout: whole("max-num-timeout").unwrap_or(3),
        signal_delay_s: whole("signal-delay-s").unwrap_or(120),
        options: OPTIONS.iter().filter_map(|(name, ..)| given(name)).collect(),
    }
}

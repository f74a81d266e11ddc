//! `mta-sim sweep`: plan, run what is not finished, gather the tables, say what came out; and each of these by itself, for many machines.

mod gather;
mod plan;
mod refine;
mod run;
mod status;
mod submit;

use crate::cli::{self, knob_flags};
use crate::commands::say;
use crate::engine::Backend;
use crate::error::Error;
use crate::groups::Groups;
use crate::plan::Plan;
use crate::settings::Settings;
use crate::sweep::{Outcome, command_line, execute};
use crate::{estimate, report};
use clap::{Arg, ArgMatches, Command, value_parser};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

const HELP: &str = "\
GRID is one number, a list 0.1,0.5 or a range 0.1..0.9 (both ends, step of the last decimal) or 0.1..0.9:0.05.
Every knob is also a key of the --config file, with _ for -; so are recipes, rule, seeds, seed, backend and out. Flags win over the file.
Finished cells are kept: the same command goes on where it was stopped.
--refine finds thresholds in alignment: cells are spent where a recipe begins to work, at most --seeds (there 50000) an alignment, and the answer says what a
uniform grid with the same intervals would have taken.
On many machines: sweep plan, then sweep run on each, then sweep gather; sweep submit has Slurm do it, and docs/cluster.md has other schedulers.
Exit codes: 0 done, 2 something to mend, 3 cells are missing, 75 stopped by TERM or USR1 (the same command goes on), 130 stopped by Ctrl-C.";

/// The subcommand.
pub fn command() -> Command {
    Command::new("sweep")
        .about("Run every recipe on a grid of worlds and draw what becomes of it")
        .after_help(HELP)
        .next_line_help(false)
        .args_conflicts_with_subcommands(true)
        .args(cli::settings_flags())
        .args(cli::run_flags())
        .args(cli::refine_flags())
        .args(cli::all_knobs())
        .subcommands([plan::command(), run::command(), gather::command(), status::command(), submit::command()])
}

/// Runs the subcommand and prints its answer.
///
/// # Errors
/// As the library's.
pub fn sweep(matches: &ArgMatches) -> Result<(), Error> {
    match matches.subcommand() {
        Some(("plan", matches)) => plan::plan(matches),
        Some(("run", matches)) => run::run(matches),
        Some(("gather", matches)) => gather::gather(matches),
        Some(("status", matches)) => status::status(matches),
        Some(("submit", matches)) => submit::submit(matches),
        _ => whole(matches),
    }
}

/// The folder of a plan that was made before.
fn planned_folder() -> Arg {
    Arg::new("folder").value_name("DIR").required(true).value_parser(value_parser!(PathBuf)).help("Run folder that sweep plan made")
}

/// That folder as given.
fn folder(matches: &ArgMatches) -> &Path {
    matches.get_one::<PathBuf>("folder").expect("clap requires a folder")
}

/// All of it in one process.
fn whole(matches: &ArgMatches) -> Result<(), Error> {
    if matches.get_flag("refine") {
        return refine::refine(matches);
    }
    let (plan, folder) = asked_for(matches)?;
    let threads = threads(matches);
    if matches.get_flag("dry-run") {
        say(&estimate::describe(&plan, &folder, threads));
        return Ok(());
    }
    let outcome = execute(&plan, plan.backend.engine(), &folder, threads)?;
    if !matches.get_flag("no-figures") {
        draw(&plan, &outcome)?;
    }
    say(&answer(&plan, &outcome, "Tables and figures"));
    Ok(())
}

fn threads(matches: &ArgMatches) -> usize {
    matches.get_one::<u16>("threads").map_or(0, |n| usize::from(*n))
}

/// The plan that file and flags ask for, and its folder.
fn asked_for(matches: &ArgMatches) -> Result<(Plan, PathBuf), Error> {
    let settings = settings(matches)?;
    let plan = Plan::new(&settings)?;
    let folder = settings.run.out.unwrap_or_else(|| PathBuf::from(format!("runs/sweep-{}", plan.id())));
    Ok((plan, folder))
}

/// Settings from file and flags.
fn settings(matches: &ArgMatches) -> Result<Settings, Error> {
    let mut settings = matches.get_one::<PathBuf>("config").map_or(Ok(Settings::default()), |path| Settings::read(path))?;
    settings.flags(knob_flags(matches))?;
    let keys = &mut settings.run;
    if let Some(names) = matches.get_one::<String>("recipes") {
        keys.recipes = names.split(',').map(|name| name.trim().into()).collect();
    }
    keys.rule = matches.get_one::<String>("rule").cloned().or(keys.rule.take());
    keys.seeds = matches.get_one::<u64>("seeds").copied().or(keys.seeds);
    keys.seed = matches.get_one::<u64>("seed").copied().or(keys.seed);
    keys.backend = matches.get_one::<String>("backend").and_then(|name| Backend::named(name)).or(keys.backend);
    keys.out = matches.get_one::<PathBuf>("out").cloned().or(keys.out.take());
    Ok(settings)
}

fn draw(plan: &Plan, outcome: &Outcome) -> Result<(), Error> {
    let command = command_line();
    let (results, history) = (outcome.results()?, outcome.history()?);
    let run = mta_figures::Run {
        results: &results,
        history: &history,
        knob: &plan.main_column(),
        others: &plan.other_columns(),
        command: &command,
    };
    let figures = outcome.folder.join("figures");
    mta_figures::draw_all(&run, &figures, mta_figures::Page::default()).map(drop).map_err(|e| Error::Figure(e.to_string()))
}

/// What the terminal shows of a finished run; `left` is what lies in its folder.
fn answer(plan: &Plan, outcome: &Outcome, left: &str) -> String {
    let summaries = report::summarise(&Groups::whole(plan, &outcome.summary));
    let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let head = report::heading(plan);
    let sentence = report::sentence(plan, &summaries).map_or(String::new(), |sentence| format!("{sentence}\n\n"));
    let again = if outcome.reused > 0 { format!(", {} of them from before", outcome.reused) } else { String::new() };
    let tail = format!("{} cells in {:.1} s{again}. {left}: {}", plan.rows(), outcome.seconds, outcome.folder.display());
    format!("{head}\n\n{}\n\n{sentence}{tail}\n", report::table(plan, &summaries, colours))
}

//! `mta-sim sweep`: plan, run what is not finished, write tables and figures, say what came out.

use crate::cli::knob_flags;
use crate::commands::say;
use crate::engine::{Engine, Reference};
use crate::error::Error;
use crate::groups::Groups;
use crate::plan::{DEFAULT_SEEDS, Plan};
use crate::report;
use crate::runner;
use crate::settings::Settings;
use crate::store::{self, journal::Journal, manifest::Manifest, parquet};
use crate::{estimate, resolved, tables};
use clap::ArgMatches;
use mta_sims::cell::SEMANTICS;
use mta_sims::table::Table;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Runs the subcommand and prints its answer.
pub fn sweep(matches: &ArgMatches) -> Result<(), Error> {
    let settings = settings(matches)?;
    let plan = Plan::new(&settings)?;
    let folder = settings.run.out.unwrap_or_else(|| PathBuf::from(format!("runs/sweep-{}", plan.id())));
    let threads = matches.get_one::<u16>("threads").map_or(0, |n| usize::from(*n));
    if matches.get_flag("dry-run") {
        say(&estimate::describe(&plan, &folder, threads));
        return Ok(());
    }
    let outcome = execute(&plan, &Reference, &folder, threads)?;
    if !matches.get_flag("no-figures") {
        draw(&plan, &outcome, &folder)?;
    }
    say(&answer(&plan, &outcome, &folder));
    Ok(())
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
    keys.seeds = matches.get_one::<u64>("seeds").copied().or(keys.seeds).or(Some(DEFAULT_SEEDS));
    keys.seed = matches.get_one::<u64>("seed").copied().or(keys.seed);
    keys.out = matches.get_one::<PathBuf>("out").cloned().or(keys.out.take());
    Ok(settings)
}

/// What a finished run leaves.
pub struct Outcome {
    /// One row per cell and seed.
    pub results: Table,
    /// One row per evaluated step.
    pub history: Table,
    /// Cells that were finished before.
    pub reused: usize,
    /// Wall-clock seconds.
    pub seconds: f64,
    threads: usize,
    started: jiff::Timestamp,
}

/// Runs the plan by `engine` in `folder` and writes its tables.
pub fn execute(plan: &Plan, engine: &dyn Engine, folder: &Path, threads: usize) -> Result<Outcome, Error> {
    let (clock, started) = (Instant::now(), jiff::Timestamp::now());
    store::check_owner(folder)?;
    store::check_tables(folder)?;
    store::prepare(folder)?;
    let mut journal = Journal::open(folder)?;
    refuse_other_sweeps(plan, &journal, folder)?;
    store::write_whole(&folder.join("config.toml"), resolved::config(plan).as_bytes())?;
    let reused = journal.finished().len();
    let _ = ctrlc::set_handler(|| runner::STOP.store(true, std::sync::atomic::Ordering::Relaxed));
    runner::run(&plan.jobs(), &mut journal, engine, threads)?;
    let (results, history) = (tables::results(plan, journal.finished()), tables::history(plan, journal.finished()));
    parquet::write(&results, &folder.join("results.parquet"))?;
    parquet::write(&history, &folder.join("history.parquet"))?;
    store::write_whole(&folder.join("summary.csv"), results.to_csv().as_bytes())?;
    let threads = if threads == 0 { rayon::current_num_threads() } else { threads };
    let outcome = Outcome { results, history, reused, seconds: clock.elapsed().as_secs_f64(), threads, started };
    manifest(plan, &journal, &outcome).write(folder)?;
    Ok(outcome)
}

/// A folder belongs to one sweep; a larger plan may take it over, another may not.
fn refuse_other_sweeps(plan: &Plan, journal: &Journal, folder: &Path) -> Result<(), Error> {
    let planned: std::collections::HashSet<&str> = plan.rows.iter().map(|row| row.id.as_str()).collect();
    let foreign = journal.finished().keys().filter(|id| !planned.contains(id.as_str())).count();
    if foreign == 0 {
        return Ok(());
    }
    let what = format!(
        "holds {foreign} finished cells that are not part of this sweep; choose another --out, or ask for a grid that includes them"
    );
    Err(Error::damaged(folder, what))
}

fn manifest(plan: &Plan, journal: &Journal, outcome: &Outcome) -> Manifest {
    Manifest {
        program: "mta-sim",
        version: env!("CARGO_PKG_VERSION"),
        git_revision: env!("MTA_GIT_REVISION"),
        rustc: env!("MTA_RUSTC"),
        target: env!("MTA_TARGET"),
        semantics: SEMANTICS,
        command: command_line(),
        seed: plan.seeds[0].0,
        seeds: plan.seeds.len(),
        rows: plan.rows.len(),
        cells: journal.finished().len(),
        cells_reused: outcome.reused,
        threads: outcome.threads,
        started: outcome.started.to_string(),
        finished: jiff::Timestamp::now().to_string(),
        seconds: outcome.seconds,
    }
}

/// The command as typed, the program by its name.
pub fn command_line() -> String {
    let typed = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once("mta-sim".to_string()).chain(typed).collect::<Vec<_>>().join(" ")
}

fn draw(plan: &Plan, outcome: &Outcome, folder: &Path) -> Result<(), Error> {
    let command = command_line();
    let run = mta_figures::Run {
        results: &outcome.results,
        history: &outcome.history,
        knob: &plan.main_column(),
        others: &plan.other_columns(),
        command: &command,
    };
    mta_figures::draw_all(&run, &folder.join("figures"), mta_figures::Page::default()).map(drop).map_err(|e| Error::Figure(e.to_string()))
}

/// What the terminal shows of a finished run.
fn answer(plan: &Plan, outcome: &Outcome, folder: &Path) -> String {
    let summaries = report::summarise(&Groups::whole(plan, &outcome.results));
    let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let head = report::heading(plan);
    let sentence = report::sentence(plan, &summaries).map_or(String::new(), |sentence| format!("{sentence}\n\n"));
    let again = if outcome.reused > 0 { format!(", {} of them from before", outcome.reused) } else { String::new() };
    let tail = format!("{} cells in {:.1} s{again}. Tables and figures: {}", plan.rows.len(), outcome.seconds, folder.display());
    format!("{head}\n\n{}\n\n{sentence}{tail}\n", report::table(plan, &summaries, colours))
}

//! A sweep from its plan to its tables: in one process, or the parts of it that planning and gathering by themselves share.

use crate::engine::Engine;
use crate::error::Error;
use crate::gather;
use crate::plan::Plan;
use crate::runner;
use crate::shard::{self, Ran, Shard};
use crate::store::cells::Cells;
use crate::store::lock::Lock;
use crate::store::state::State;
use crate::store::{self, manifest::Manifest, parquet, planned};
use mta_sims::cell::SEMANTICS;
use mta_sims::table::Table;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What a finished run leaves.
pub struct Outcome {
    /// Where it lies.
    pub folder: PathBuf,
    /// The columns [`crate::report::COLUMNS`] of the results: one row per cell and seed.
    pub summary: Table,
    /// Cells that were finished before.
    pub reused: usize,
    /// Wall-clock seconds.
    pub seconds: f64,
}

impl Outcome {
    /// The results: one row per cell and seed.
    ///
    /// # Errors
    /// When they cannot be read back.
    pub fn results(&self) -> Result<Table, Error> {
        parquet::read(&self.folder.join("results.parquet"))
    }

    /// The history: one row per evaluated step.
    ///
    /// # Errors
    /// When it cannot be read back.
    pub fn history(&self) -> Result<Table, Error> {
        parquet::read(&self.folder.join("history.parquet"))
    }
}

/// When something began.
pub struct Begun {
    clock: Instant,
    started: jiff::Timestamp,
}

impl Begun {
    /// Now.
    pub fn now() -> Self {
        Begun { clock: Instant::now(), started: jiff::Timestamp::now() }
    }
}

/// Plans in `folder`, runs the whole plan by `engine` and gathers its tables.
///
/// # Errors
/// When a file cannot be read or written, a cell fails, or somebody asks to stop.
pub fn execute(plan: &Plan, engine: &dyn Engine, folder: &Path, threads: usize) -> Result<Outcome, Error> {
    engine.open()?;
    let begun = Begun::now();
    let _alone = put(plan, folder)?;
    let ran = shard::run(folder, Shard::WHOLE, plan, &Shard::WHOLE.rows(plan), engine, threads)?;
    collect(plan, Cells::open(folder)?, folder, ran, threads, &begun)
}

/// Writes the plan into `folder` and holds the folder alone. A folder belongs to one sweep; a larger plan may take it over, another may not.
///
/// # Errors
/// When the folder is somebody else's, is in use, or cannot be written to.
pub fn put(plan: &Plan, folder: &Path) -> Result<Lock, Error> {
    let alone = hold(folder)?;
    fill(plan, folder)?;
    Ok(alone)
}

/// Makes the folder, and holds it alone.
///
/// # Errors
/// When the folder is somebody else's, is in use, or cannot be written to.
pub fn hold(folder: &Path) -> Result<Lock, Error> {
    store::check_owner(folder)?;
    store::check_tables(folder)?;
    store::prepare(folder)?;
    Lock::alone(folder)
}

/// Writes the plan into a folder that is held.
///
/// # Errors
/// When the folder holds cells of another sweep, or cannot be written to.
pub fn fill(plan: &Plan, folder: &Path) -> Result<(), Error> {
    refuse_other_sweeps(plan, folder)?;
    State::forget(folder)?;
    planned::write(plan, folder)
}

fn refuse_other_sweeps(plan: &Plan, folder: &Path) -> Result<(), Error> {
    let finished = Cells::open(folder)?;
    let planned: HashSet<_> = plan.ids.iter().collect();
    let foreign = finished.ids().filter(|id| !planned.contains(id)).count();
    if foreign == 0 {
        return Ok(());
    }
    let what = format!(
        "holds {foreign} finished cells that are not part of this sweep; choose another --out, or ask for a grid that includes them"
    );
    Err(Error::damaged(folder, what))
}

/// Gathers the tables of a finished plan and says in the manifest what made them.
///
/// # Errors
/// As [`gather::gather`].
pub fn collect(plan: &Plan, cells: Cells, folder: &Path, ran: Ran, threads: usize, begun: &Begun) -> Result<Outcome, Error> {
    let summary = gather::gather(plan, cells, folder)?;
    let seconds = begun.clock.elapsed().as_secs_f64();
    manifest(plan, ran, threads, begun, seconds).write(folder)?;
    Ok(Outcome { folder: folder.into(), summary, reused: ran.reused, seconds })
}

fn manifest(plan: &Plan, ran: Ran, threads: usize, begun: &Begun, seconds: f64) -> Manifest {
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
        rows: plan.rows(),
        cells: ran.cells,
        cells_reused: ran.reused,
        threads: runner::threads(threads),
        started: begun.started.to_string(),
        finished: jiff::Timestamp::now().to_string(),
        seconds,
    }
}

/// The command as typed, the program by its name.
pub fn command_line() -> String {
    let typed = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once("mta-sim".to_string()).chain(typed).collect::<Vec<_>>().join(" ")
}

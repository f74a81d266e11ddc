//! Runs the pending cells on all threads and writes each to the journal as it finishes.

use crate::engine::Engine;
use crate::error::Error;
use crate::plan::{Plan, Row};
use crate::store::journal::Journal;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use mta_sims::record::Curves;
use rayon::prelude::*;
use std::collections::HashSet;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Set by Ctrl-C: no new cell starts.
pub static STOP: AtomicBool = AtomicBool::new(false);

/// Longest time a finished cell waits to be on the disk.
const SYNC_EVERY: Duration = Duration::from_secs(2);

/// Runs the cells of `plan` that `journal` does not hold by `engine`, on `threads` threads (0: all).
pub fn run(plan: &Plan, journal: &mut Journal, engine: &dyn Engine, threads: usize) -> Result<(), Error> {
    let pending = pending(plan, journal);
    let pool = pool(threads)?;
    pool.install(|| engine.prepare(&pending.iter().map(|row| &row.cell).collect::<Vec<_>>()))?;
    let bar = progress_bar(pending.len());
    let (sender, receiver) = mpsc::channel();
    let written = std::thread::scope(|scope| {
        scope.spawn(|| pool.install(|| run_all(&pending, engine, sender)));
        write_all(receiver, journal, &bar)
    });
    bar.finish_and_clear();
    let done = written?;
    if done < pending.len() { Err(Error::Interrupted { done: journal.finished().len(), total: plan.rows.len() }) } else { Ok(()) }
}

/// A pool of `threads` threads (0: all).
pub fn pool(threads: usize) -> Result<rayon::ThreadPool, Error> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|e| Error::Usage(format!("--threads {threads}: {e}")))
}

/// The rows whose cells are not finished, each cell once.
pub fn pending<'p>(plan: &'p Plan, journal: &Journal) -> Vec<&'p Row> {
    let mut seen = HashSet::new();
    plan.rows.iter().filter(|row| !journal.finished().contains_key(&row.id) && seen.insert(&row.id)).collect()
}

type Outcome = Result<(String, Curves), Error>;

fn run_all(pending: &[&Row], engine: &dyn Engine, sender: mpsc::Sender<Outcome>) {
    let run = |sender: &mut mpsc::Sender<Outcome>, row: &&Row| {
        if STOP.load(Ordering::Relaxed) {
            return;
        }
        if sender.send(engine.run(&row.cell).map(|curves| (row.id.clone(), curves))).is_err() {
            STOP.store(true, Ordering::Relaxed);
        }
    };
    pending.par_iter().for_each_with(sender, run);
}

/// Writes cells as they come; returns how many.
fn write_all(receiver: mpsc::Receiver<Outcome>, journal: &mut Journal, bar: &ProgressBar) -> Result<usize, Error> {
    let (mut done, mut synced) = (0, Instant::now());
    for outcome in receiver {
        let (id, curves) = outcome?;
        journal.append(id, curves)?;
        done += 1;
        bar.inc(1);
        if synced.elapsed() > SYNC_EVERY {
            journal.sync()?;
            synced = Instant::now();
        }
    }
    journal.sync()?;
    Ok(done)
}

fn progress_bar(cells: usize) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(cells as u64), target);
    let style = ProgressStyle::with_template("{bar:32} {pos}/{len} cells  {rate}  {eta} left").expect("the template is valid");
    let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{:.0} cells/s", state.per_sec());
    };
    bar.with_style(style.with_key("rate", rate).progress_chars("━╸─"))
}

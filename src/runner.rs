//! Runs cells on all threads and writes each to a journal as it finishes.

use crate::engine::Engine;
use crate::error::Error;
use crate::id::Id;
use crate::progress;
use crate::stop;
use crate::store::journal::{self, Journal};
use indicatif::ProgressBar;
use mta_sims::cell::Cell;
use mta_sims::record::Curves;
use rayon::prelude::*;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Longest time a finished cell waits to be on the disk.
const SYNC_EVERY: Duration = Duration::from_secs(2);

/// Finished cells that may wait to be written before threads wait for the disk.
const WAITING: usize = 1024;

/// Bytes after which waiting cells are written.
const MUCH: usize = 1 << 20;

/// Seconds that cells run together may take.
const SOON: f64 = 2.0;

/// Cells to run, made when they are asked for.
pub trait Work: Sync {
    /// Name of a cell.
    fn id(&self, at: usize) -> Id;

    /// A cell.
    fn cell(&self, at: usize) -> Cell;

    /// The number of its recipe: cells of one recipe are best run together.
    fn recipe(&self, _at: usize) -> usize {
        0
    }

    /// Seconds that a cell is expected to take one thread.
    fn cost(&self, _at: usize) -> f64 {
        0.0
    }
}

/// Told of cells that are on the disk: how many there are since the beginning.
pub type Told<'t> = dyn FnMut(usize) -> Result<(), Error> + 't;

/// Runs the `pending` cells of `work` by `engine` on `threads` threads (0: all) until all are in the journal or somebody asks to stop; says how many are.
///
/// # Errors
/// When a cell fails, or cannot be written.
pub fn run(
    work: &dyn Work,
    pending: &[usize],
    engine: &dyn Engine,
    threads: usize,
    journal: &mut Journal,
    told: &mut Told,
) -> Result<usize, Error> {
    let pool = pool(threads)?;
    pool.install(|| engine.prepare(&mut pending.iter().map(|at| work.cell(*at))))?;
    let bar = progress::bar(pending.len(), "{pos}/{len} cells  {rate} cells/s  {eta} left");
    let (sender, receiver) = sync_channel(WAITING);
    let written = std::thread::scope(|scope| {
        scope.spawn(|| pool.install(|| run_all(work, pending, engine, sender)));
        let written = write_all(&receiver, journal, &bar, told);
        // Threads that wait to send are told so that nobody listens any more.
        drop(receiver);
        written
    });
    bar.finish_and_clear();
    written
}

/// The number of threads that `threads` of them are (0: all).
pub fn threads(threads: usize) -> usize {
    if threads == 0 { rayon::current_num_threads() } else { threads }
}

/// A pool of `threads` threads (0: all).
///
/// # Errors
/// When there cannot be so many.
pub fn pool(threads: usize) -> Result<rayon::ThreadPool, Error> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|e| Error::Usage(format!("--threads {threads}: {e}")))
}

/// The journal's line of a finished cell.
type Outcome = Result<String, Error>;

/// Lines are made where cells are run, so that one thread can write for all.
fn run_all(work: &dyn Work, pending: &[usize], engine: &dyn Engine, sender: SyncSender<Outcome>) {
    let nobody_listens = AtomicBool::new(false);
    let asked = || stop::asked() || nobody_listens.load(Ordering::Relaxed);
    let tell = |sender: &SyncSender<Outcome>, at: usize, ran: Result<Curves, Error>| {
        if sender.send(ran.map(|curves| journal::line(work.id(at), &curves))).is_err() {
            nobody_listens.store(true, Ordering::Relaxed);
        }
    };
    if *engine.at_once().end() == 1 {
        let run = |sender: &mut SyncSender<Outcome>, at: &usize| {
            if !asked() {
                tell(sender, *at, engine.run(&work.cell(*at)));
            }
        };
        return pending.par_iter().for_each_with(sender, run);
    }
    let mut pending = pending.to_vec();
    pending.sort_by_key(|at| work.recipe(*at));
    let mut rest = &pending[..];
    while !(rest.is_empty() || asked()) {
        let (some, others) = rest.split_at(first_few(work, rest, engine.at_once()));
        rest = others;
        let cells: Vec<Cell> = some.iter().map(|at| work.cell(*at)).collect();
        let ran = engine.run_together(&cells);
        some.par_iter().zip(ran).for_each_with(sender.clone(), |sender, (at, ran)| tell(sender, *at, ran));
    }
}

/// How many of the `pending` cells are run together: such as are expected to be done soon, within the bounds of the engine.
fn first_few(work: &dyn Work, pending: &[usize], bounds: RangeInclusive<usize>) -> usize {
    let enough = SOON * rayon::current_num_threads() as f64;
    let mut seconds = 0.0;
    let soon = pending.iter().take_while(|at| {
        seconds += work.cost(**at);
        seconds <= enough
    });
    soon.count().clamp(*bounds.start(), *bounds.end()).min(pending.len())
}

/// Writes cells as they come, all that wait at once.
fn write_all(receiver: &Receiver<Outcome>, journal: &mut Journal, bar: &ProgressBar, told: &mut Told) -> Result<usize, Error> {
    let (mut done, mut synced) = (0, Instant::now());
    while let Ok(first) = receiver.recv() {
        let Batch { lines, cells, error } = Batch::of(first, receiver);
        journal.append(&lines)?;
        error.map_or(Ok(()), Err)?;
        done += cells;
        bar.inc(cells as u64);
        if synced.elapsed() > SYNC_EVERY {
            journal.sync()?;
            told(done)?;
            synced = Instant::now();
        }
    }
    journal.sync()?;
    Ok(done)
}

/// Lines that wait, and the error after them.
#[derive(Default)]
struct Batch {
    lines: Vec<u8>,
    cells: usize,
    error: Option<Error>,
}

impl Batch {
    fn of(first: Outcome, receiver: &Receiver<Outcome>) -> Self {
        let mut batch = Batch::default();
        let mut next = Some(first);
        while let Some(outcome) = next.take() {
            batch.add(outcome);
            next = (batch.error.is_none() && batch.lines.len() < MUCH).then(|| receiver.try_recv().ok()).flatten();
        }
        batch
    }

    fn add(&mut self, outcome: Outcome) {
        match outcome {
            Ok(line) => {
                self.lines.extend(line.as_bytes());
                self.cells += 1;
            }
            Err(error) => self.error = Some(error),
        }
    }
}

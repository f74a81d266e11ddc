//! How far the shards of a run have come, from the files of its folder alone.

use crate::error::Error;
use crate::estimate;
use crate::store::cells::{self, Cells};
use crate::store::state::{Phase, State};
use crate::store::{lock, planned};
use std::fmt;
use std::path::Path;

/// What a run folder says of its shards.
pub struct Status {
    /// Cells planned.
    pub cells: usize,
    /// Of these, finished, whether published or in a journal.
    pub finished: usize,
    /// Shards that were ever run, in their order.
    pub shards: Vec<Progress>,
}

/// A shard, and how far it has come.
pub struct Progress {
    /// Its name.
    pub shard: String,
    /// What its last process said.
    pub state: State,
    /// Whether somebody runs it now.
    pub held: bool,
}

impl Status {
    /// Looks at a run folder.
    ///
    /// # Errors
    /// When its plan or its shards cannot be read.
    pub fn of(folder: &Path) -> Result<Self, Error> {
        let plan = planned::read(folder)?;
        let held = |shard: &str| lock::is_held(&cells::journal(folder, shard));
        let progress = |(shard, state): (String, State)| Progress { held: held(&shard), shard, state };
        let mut shards: Vec<Progress> = State::all(folder)?.into_iter().map(progress).collect();
        shards.sort_by_key(|p| numbers(&p.shard));
        let finished = Cells::open(folder)?;
        let distinct = plan.distinct();
        let done = distinct.iter().filter(|row| finished.contains(&plan.ids[**row])).count();
        Ok(Status { cells: distinct.len(), finished: done, shards })
    }

    fn running(&self) -> impl Iterator<Item = &Progress> {
        self.shards.iter().filter(|p| p.is_running())
    }
}

/// The numbers of `3-of-8`, the number of shards first.
fn numbers(shard: &str) -> (u64, u64) {
    let (index, of) = shard.split_once("-of-").unwrap_or_default();
    (of.parse().unwrap_or(u64::MAX), index.parse().unwrap_or(u64::MAX))
}

impl Progress {
    fn is_running(&self) -> bool {
        self.held && self.state.phase == Phase::Running
    }

    fn word(&self) -> &'static str {
        match self.state.phase {
            Phase::Running if self.held => "running",
            Phase::Running => "killed",
            Phase::Stopped => "stopped",
            Phase::Failed => "failed",
            Phase::Finished => "finished",
        }
    }

    /// Cells per second of its last process; none before it has finished one.
    fn rate(&self) -> Option<f64> {
        (self.state.done > 0 && self.state.seconds > 0.0).then(|| self.state.done as f64 / self.state.seconds)
    }

    /// Seconds until it has finished its cells at this rate.
    fn left(&self) -> Option<f64> {
        Some((self.state.cells.saturating_sub(self.state.finished)) as f64 / self.rate()?)
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let State { cells, finished, error, .. } = &self.state;
        write!(f, "{:16} {:8} {finished} of {cells} cells", self.shard, self.word())?;
        if let (true, Some(rate), Some(left)) = (self.is_running(), self.rate(), self.left()) {
            write!(f, "  {rate:.3} cells/s  {} left", estimate::words(left))?;
        }
        error.iter().try_for_each(|error| write!(f, "  {error}"))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shards.iter().try_for_each(|shard| writeln!(f, "{shard}"))?;
        let count = |word: &str| self.shards.iter().filter(|p| p.word() == word).count();
        let Status { cells, finished, .. } = self;
        write!(f, "{finished} of {cells} cells are finished")?;
        for word in ["running", "stopped", "failed", "killed"] {
            write!(f, ", {} shards {word}", count(word))?;
        }
        let rate: f64 = self.running().filter_map(Progress::rate).sum();
        let left = self.running().map(Progress::left).try_fold(0.0_f64, |most, left| Some(most.max(left?)));
        match left.filter(|_| rate > 0.0) {
            Some(left) => writeln!(f, "; {rate:.3} cells/s, running shards end in about {}", estimate::words(left)),
            None if finished == cells => writeln!(f, "; mta-sim sweep gather makes the tables"),
            None if self.running().next().is_none() => writeln!(f, "; nobody runs the rest: mta-sim sweep run"),
            None => writeln!(f, "; no end can be told yet"),
        }
    }
}

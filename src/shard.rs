//! Shards: a plan cut into parts that processes run apart from each other, on one machine or on many.
//!
//! ```text
//! sweep plan    -> config.toml, plan.jsonl
//! sweep run     -> shards/3-of-8.jsonl              the journal: grows by a line per cell, and is empty once published
//!                  shards/3-of-8-<check>.parquet    published: never changes
//!                  shards/3-of-8.json               what the process was doing, for sweep status
//! sweep gather  -> results.parquet, history.parquet, summary.csv, manifest.json
//! ```
//!
//! A cell is in the journal before anybody is told that it is finished, and in a published file before it leaves the journal; what is finished is what either
//! holds, of whatever shard. Two forms are needed because neither can do the other's work: a Parquet file has its index at its end and cannot grow by a cell,
//! so that a kill would lose all of it, and a journal is text, several times as large and slow to read. Both are read cell by cell and in any order, so that
//! results depend neither on the number of shards nor on who ran what, when and how often. `mta-sim sweep` does the same with one shard.

use crate::engine::Engine;
use crate::error::Error;
use crate::id::Id;
use crate::plan::Plan;
use crate::runner::{self, Work};
use crate::stop;
use crate::store::cells::{self, Cells};
use crate::store::journal::{Journal, Scan};
use crate::store::published;
use crate::store::state::{Phase, State};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::path::Path;
use std::str::FromStr;
use std::time::Instant;

/// One part of `of` equal ones, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    of: usize,
}

/// Which task of its array Slurm has a process be.
const SLURM_TASK: &str = "SLURM_ARRAY_TASK_ID";

/// Which pod of its job Kubernetes has a process be.
const COMPLETION: &str = "JOB_COMPLETION_INDEX";

/// Parts a plan may be cut into.
pub const MAX_SHARDS: usize = 100_000;

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(index, of)| Some((index.trim().parse().ok()?, of.trim().parse().ok()?)));
        let allowed = || format!("'{text}' is no shard: write I/N with 1 <= I <= N <= {MAX_SHARDS}");
        numbers.and_then(|(index, of)| Shard::new(index, of)).ok_or_else(allowed)
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-of-{}", self.index, self.of)
    }
}

impl Shard {
    /// The whole plan.
    pub const WHOLE: Shard = Shard { index: 1, of: 1 };

    /// Part `index` of `of`; none where there is no such part.
    pub fn new(index: usize, of: usize) -> Option<Self> {
        ((1..=of).contains(&index) && of <= MAX_SHARDS).then_some(Shard { index, of })
    }

    /// The part that a scheduler's environment names: `SLURM_ARRAY_TASK_ID` of the tasks from `_MIN` on, `_COUNT` of them unless `of` says otherwise, or
    /// `JOB_COMPLETION_INDEX`, counted from 0, of `of`. The whole plan where neither is set.
    ///
    /// # Errors
    /// When a variable is no number, the number of parts is not known, or there is no such part.
    pub fn of_environment(of: Option<usize>, variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let number = |name: &str| -> Result<Option<usize>, Error> {
            let read = |text: String| text.trim().parse().map_err(|_| Error::Usage(format!("{name} = {text}: must be a whole number")));
            variable(name).map(read).transpose()
        };
        if let Some(task) = number(SLURM_TASK)? {
            let (first, count) = (number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(1), number("SLURM_ARRAY_TASK_COUNT")?);
            return Shard::named(SLURM_TASK, task.saturating_sub(first).saturating_add(1), of.or(count));
        }
        match (number(COMPLETION)?, of) {
            (Some(index), of) => Shard::named(COMPLETION, index.saturating_add(1), of),
            (None, None) => Ok(Shard::WHOLE),
            (None, Some(of)) => Err(Error::Usage(format!("--of {of}: neither {SLURM_TASK} nor {COMPLETION} says which shard to run"))),
        }
    }

    /// Part `index` of `of`, as `variable` has it.
    fn named(variable: &str, index: usize, of: Option<usize>) -> Result<Self, Error> {
        let unknown = || Error::Usage(format!("{variable} says which shard to run, but not of how many: give --of N"));
        let of = of.ok_or_else(unknown)?;
        let refused = || format!("{variable} asks for shard {index} of {of}; an array must count without gaps, or say --shard I/N");
        Shard::new(index, of).ok_or_else(|| Error::Usage(refused()))
    }

    /// The rows of the plan that this part runs, in their order: the dearest cell first, each cell goes to the part that has least to do so far, the first of
    /// those. The same rows wherever this is asked, whatever is finished.
    pub fn rows(&self, plan: &Plan) -> Vec<usize> {
        let mut rows = plan.distinct();
        if self.of == 1 {
            return rows;
        }
        rows.sort_by_key(|row| Reverse(nanoseconds(plan.cost(*row))));
        let mut loads: BinaryHeap<Reverse<(u128, usize)>> = (1..=self.of).map(|shard| Reverse((0, shard))).collect();
        let mut own = Vec::with_capacity(rows.len() / self.of + 1);
        for row in rows {
            let Reverse((load, shard)) = loads.pop().expect("there is a shard");
            if shard == self.index {
                own.push(row);
            }
            loads.push(Reverse((load + u128::from(nanoseconds(plan.cost(row))), shard)));
        }
        own.sort_unstable();
        own
    }
}

/// Whole nanoseconds, so that sums are the same on every machine; no cell is free.
fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9).ceil().max(1.0) as u64
}

/// What became of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Its cells.
    pub cells: usize,
    /// Of these, finished before.
    pub reused: usize,
}

/// Runs a shard in `folder`: those `rows` of `work` that no shard has finished, on `threads` threads (0: all), and publishes what is done.
///
/// # Errors
/// When somebody else runs it, a cell fails, files cannot be read or written, or somebody asks to stop before the end.
pub fn run(folder: &Path, shard: Shard, work: &dyn Work, rows: &[usize], engine: &dyn Engine, threads: usize) -> Result<Ran, Error> {
    engine.open()?;
    let shards = folder.join(cells::FOLDER);
    std::fs::create_dir_all(&shards).map_err(Error::file(&shards, "is no folder to write to"))?;
    let mut journal = Journal::open(&cells::journal(folder, &shard.to_string()))?;
    let finished = Cells::open(folder)?;
    let pending: Vec<usize> = rows.iter().copied().filter(|row| !finished.contains(&work.id(*row))).collect();
    drop(finished);
    let mut log = Log { folder, shard, clock: Instant::now(), cells: rows.len(), reused: rows.len() - pending.len(), done: 0 };
    stop::listen();
    log.say(Phase::Running, None)?;
    let ended = run_pending(&mut log, &pending, work, engine, threads, &mut journal);
    log.end(ended.and_then(|()| publish(folder, shard, &mut journal, work, rows)))
}

/// Runs cells until all are in the journal or somebody asks to stop.
fn run_pending(
    log: &mut Log,
    pending: &[usize],
    work: &dyn Work,
    engine: &dyn Engine,
    threads: usize,
    journal: &mut Journal,
) -> Result<(), Error> {
    if pending.is_empty() {
        return Ok(());
    }
    let mut told = |done| {
        log.done = done;
        log.say(Phase::Running, None)
    };
    log.done = runner::run(work, pending, engine, threads, journal, &mut told)?;
    Ok(())
}

/// Publishes what the journal holds, in the order of `rows`, and clears it.
fn publish(folder: &Path, shard: Shard, journal: &mut Journal, work: &dyn Work, rows: &[usize]) -> Result<(), Error> {
    if journal.is_empty() {
        return Ok(());
    }
    let mut scan = Scan::open(journal.path())?;
    let places: HashMap<Id, usize> = rows.iter().map(|row| (work.id(*row), *row)).collect();
    let mut entries = std::mem::take(&mut scan.entries);
    entries.sort_by_key(|entry| (places.get(&entry.id).copied().unwrap_or(usize::MAX), entry.id));
    entries.dedup_by_key(|entry| entry.id);
    let cells = entries.into_iter().map(|entry| Ok((entry.id, scan.curves(entry.at, entry.length)?)));
    published::publish(&folder.join(cells::FOLDER), &shard.to_string(), cells)?;
    journal.clear()
}

/// Says what a shard is doing.
struct Log<'f> {
    folder: &'f Path,
    shard: Shard,
    clock: Instant,
    cells: usize,
    /// Of these, finished before.
    reused: usize,
    /// Of these, finished by this process.
    done: usize,
}

impl Log<'_> {
    fn finished(&self) -> usize {
        self.reused + self.done
    }

    fn say(&self, phase: Phase, error: Option<&Error>) -> Result<(), Error> {
        let state = State {
            phase,
            error: error.map(ToString::to_string),
            cells: self.cells,
            finished: self.finished(),
            done: self.done,
            seconds: self.clock.elapsed().as_secs_f64(),
            process: std::process::id(),
        };
        state.write(self.folder, &self.shard.to_string())
    }

    fn end(&self, ended: Result<(), Error>) -> Result<Ran, Error> {
        if let Err(error) = ended {
            // A disk that does not take the news of an error changes nothing about the error.
            let _ = self.say(Phase::Failed, Some(&error));
            return Err(error);
        }
        if self.finished() < self.cells {
            self.say(Phase::Stopped, None)?;
            return Err(Error::Interrupted { done: self.finished(), total: self.cells });
        }
        self.say(Phase::Finished, None)?;
        Ok(Ran { cells: self.cells, reused: self.reused })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn plan() -> Plan {
        let text =
            "alignment = '0.1..0.9'\nsteps = [10, 40, 100]\nvocab = [4, 32]\nseeds = 3\nrecipes = ['standard', 'same']\n[recipe.same]\n";
        Plan::new(&Settings::parse(text, Path::new("c.toml")).unwrap()).unwrap()
    }

    #[test]
    fn shards_share_the_distinct_cells_evenly() {
        let plan = plan();
        for of in [1, 2, 3, 8, 50, 500] {
            let parts: Vec<Vec<usize>> = (1..=of).map(|index| Shard::new(index, of).unwrap().rows(&plan)).collect();
            let mut all = parts.concat();
            all.sort_unstable();
            assert_eq!(all, plan.distinct(), "{of} shards");
            assert!(parts.iter().all(|part| part.is_sorted()));
            let load = |part: &Vec<usize>| part.iter().map(|row| plan.cost(*row)).sum::<f64>();
            let dearest = plan.costs.iter().copied().fold(0.0, f64::max);
            let (least, most) = parts.iter().map(load).fold((f64::MAX, 0.0_f64), |(low, high), x| (low.min(x), high.max(x)));
            assert!(most - least <= dearest + 1e-6, "{of} shards: from {least} to {most} s");
        }
    }

    #[test]
    fn a_shard_is_written_as_it_is_read() {
        assert_eq!("3/8".parse::<Shard>().unwrap().to_string(), "3-of-8");
        for wrong in ["", "3", "0/8", "9/8", "-1/8", "a/b", "1/100001", "1/0", "1/2/3"] {
            assert!(wrong.parse::<Shard>().unwrap_err().contains("write I/N"), "{wrong}");
        }
    }

    #[test]
    fn the_environment_names_a_shard() {
        let ask = |of, variables: &[(&str, &str)]| {
            Shard::of_environment(of, |name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value.to_string()))
        };
        let array = |id, count, first| [("SLURM_ARRAY_TASK_ID", id), ("SLURM_ARRAY_TASK_COUNT", count), ("SLURM_ARRAY_TASK_MIN", first)];
        assert_eq!(ask(None, &array("3", "8", "1")).unwrap(), Shard { index: 3, of: 8 });
        assert_eq!(ask(None, &array("0", "8", "0")).unwrap(), Shard { index: 1, of: 8 });
        assert_eq!(ask(Some(9), &array("3", "8", "1")).unwrap(), Shard { index: 3, of: 9 });
        assert_eq!(ask(Some(8), &[("JOB_COMPLETION_INDEX", "7")]).unwrap(), Shard { index: 8, of: 8 });
        assert_eq!(ask(None, &[]).unwrap(), Shard::WHOLE);
        let refused = |of, variables: &[(&str, &str)]| ask(of, variables).unwrap_err().to_string();
        assert!(refused(None, &[("JOB_COMPLETION_INDEX", "7")]).contains("give --of N"));
        assert!(refused(Some(8), &[("JOB_COMPLETION_INDEX", "8")]).contains("asks for shard 9 of 8"));
        assert!(refused(None, &array("9", "3", "1")).contains("without gaps"));
        assert!(refused(None, &array("x", "3", "1")).contains("must be a whole number"));
        assert!(refused(Some(3), &[]).contains("--of 3"));
    }
}

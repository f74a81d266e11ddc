//! The tables of a run, made of the cells that its shards have finished: in the order of the plan, a batch at a time, each batch a row group.

use crate::error::Error;
use crate::id::Id;
use crate::plan::Plan;
use crate::report;
use crate::store::cells::Cells;
use crate::store::parquet;
use crate::tables::{self, Line, Lines};
use mta_llm::atomic::Partial;
use mta_sims::table::{Table, Values};
use rayon::prelude::*;
use std::collections::HashSet;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Cells of a batch at most.
const MOST_CELLS: usize = 1 << 14;

/// Evaluated steps after which a batch ends before.
pub const MOST_EVALUATIONS: usize = 1 << 18;

/// Rows of comma-separated text that one thread makes at once.
const CSV_ROWS: usize = 1 << 10;

/// Missing or conflicting cells that a message names.
const NAMED: usize = 5;

/// Writes the tables of a plan, all of whose cells are among the finished `cells` of `folder`, into that folder; returns the columns that the answer on the
/// terminal is made of.
///
/// # Errors
/// When cells are missing ([`Error::Missing`]), differ between shards, cannot be read, or the tables cannot be written.
pub fn gather(plan: &Plan, mut cells: Cells, folder: &Path) -> Result<Table, Error> {
    refuse_missing(plan, &cells)?;
    refuse_conflicts(plan, &mut cells, folder)?;
    let mut batches = Batches { plan, cells, next: 0, lines: Lines::of(plan) };
    let mut batch = batches.next()?;
    let mut tables = Tables::begin(plan, folder)?;
    while !batch.is_empty() {
        let (written, next) = rayon::join(|| tables.add(plan, &batch), || batches.next());
        written?;
        batch = next?;
    }
    tables.commit()
}

/// A row of the plan in words.
fn words(plan: &Plan, row: usize) -> String {
    let at = plan.row(row);
    let point = plan.axes.iter().zip(plan.point(at.point)).map(|(axis, value)| format!(", {} = {value}", axis.knob));
    format!("{} ({}, seed {}{})", plan.ids[row], plan.recipes[at.recipe].name, at.seed.0, point.collect::<String>())
}

/// Some rows in words, and how many there are.
fn named(plan: &Plan, rows: &[usize]) -> String {
    let more = rows.len().checked_sub(NAMED).filter(|more| *more > 0).map_or(String::new(), |more| format!(" and {more} more"));
    rows.iter().take(NAMED).map(|row| words(plan, *row)).collect::<Vec<_>>().join("; ") + &more
}

fn refuse_missing(plan: &Plan, cells: &Cells) -> Result<(), Error> {
    let distinct = plan.distinct();
    let total = distinct.len();
    let missing: Vec<usize> = distinct.into_iter().filter(|row| !cells.contains(&plan.ids[*row])).collect();
    if missing.is_empty() { Ok(()) } else { Err(Error::Missing { missing: missing.len(), total, names: named(plan, &missing) }) }
}

/// A cell has one result: two that differ are of programs that should not have worked in one folder, or of a machine that errs.
fn refuse_conflicts(plan: &Plan, cells: &mut Cells, folder: &Path) -> Result<(), Error> {
    let conflicts: HashSet<Id> = cells.conflicts()?.into_iter().collect();
    if conflicts.is_empty() {
        return Ok(());
    }
    let rows: Vec<usize> = plan.distinct().into_iter().filter(|row| conflicts.contains(&plan.ids[*row])).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let what =
        format!("holds {} cells twice with different results: {}; remove one of their files in shards/", rows.len(), named(plan, &rows));
    Err(Error::damaged(folder, what))
}

/// The rows of a plan with their curves, batch by batch.
struct Batches<'p> {
    plan: &'p Plan,
    cells: Cells,
    next: usize,
    lines: Lines<'p>,
}

impl Batches<'_> {
    /// The next batch; empty after the last row.
    fn next(&mut self) -> Result<Vec<Line>, Error> {
        let (mut batch, mut evaluations) = (Vec::new(), 0);
        while self.next < self.plan.rows() && batch.len() < MOST_CELLS && evaluations < MOST_EVALUATIONS {
            let curves = self.cells.curves(&self.plan.ids[self.next])?.expect("missing cells were refused");
            let line = self.lines.line(self.next, curves);
            evaluations += line.evaluations();
            batch.push(line);
            self.next += 1;
        }
        Ok(batch)
    }
}

/// The tables while they are being written.
struct Tables {
    results: parquet::Writer<Partial>,
    history: parquet::Writer<Partial>,
    csv: Partial,
    path: PathBuf,
    answer: Vec<Vec<Option<f64>>>,
}

impl Tables {
    fn begin(plan: &Plan, folder: &Path) -> Result<Self, Error> {
        let (results, history) = (tables::results(plan, &[]), tables::history(plan, &[]));
        let path = folder.join("summary.csv");
        let mut csv = Partial::new(&path)?;
        csv.write_all(results.csv_header().as_bytes()).map_err(Error::file(&path, "cannot be written"))?;
        Ok(Tables {
            results: parquet::Writer::create(&folder.join("results.parquet"), &results)?,
            history: parquet::Writer::create(&folder.join("history.parquet"), &history)?,
            csv,
            path,
            answer: vec![Vec::new(); report::COLUMNS.len()],
        })
    }

    fn add(&mut self, plan: &Plan, batch: &[Line]) -> Result<(), Error> {
        let Tables { results, history, csv, path, answer } = self;
        let write_results = || {
            let table = tables::results(plan, batch);
            let write_text = || csv.write_all(text(&table).as_bytes()).map_err(Error::file(path, "cannot be written"));
            let (one, other) = rayon::join(|| results.push(&table), write_text);
            one.and(other)?;
            for (column, name) in answer.iter_mut().zip(report::COLUMNS) {
                column.extend((0..table.rows()).map(|row| table.number(name, row)));
            }
            Ok(())
        };
        let (one, other) = rayon::join(write_results, || history.push(&tables::history(plan, batch)));
        one.and(other)
    }

    fn commit(self) -> Result<Table, Error> {
        self.results.commit()?;
        self.history.commit()?;
        self.csv.commit()?;
        let mut answer = Table::new();
        for (name, values) in report::COLUMNS.iter().zip(self.answer) {
            answer.push(name, "", Values::Float(values));
        }
        Ok(answer)
    }
}

/// A table's rows as comma-separated text, made by all threads.
fn text(table: &Table) -> String {
    let starts = (0..table.rows()).step_by(CSV_ROWS).collect::<Vec<_>>();
    let part = |start: &usize| -> Range<usize> { *start..table.rows().min(start + CSV_ROWS) };
    starts.par_iter().map(|start| table.csv_rows(part(start))).collect::<Vec<_>>().concat()
}

//! How many seeds each recipe has at each alignment: the plan of a refinement as it grows.

use crate::error::Error;
use crate::id::Id;
use crate::plan::Plan;
use crate::store::cells::Cells;
use crate::store::planned;
use mta_sims::knob::Value;
use serde::Deserialize;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;

/// An alignment as a key.
#[derive(Clone, Copy, PartialEq)]
struct At(f64);

impl Eq for At {}

impl Ord for At {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for At {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What is looked at in a line of a plan.
#[derive(Deserialize)]
struct Line {
    id: Id,
    recipe: String,
    seed: u64,
    point: BTreeMap<String, f64>,
}

/// Numbers of seeds by alignment, then by recipe.
#[derive(Default)]
pub(super) struct Counts(BTreeMap<At, BTreeMap<String, usize>>);

/// The alignment of a plan's grid point; alignment is its only axis.
pub(super) fn alignment(plan: &Plan, point: usize) -> f64 {
    match plan.point(point).as_slice() {
        [Value::Number(alignment)] => *alignment,
        other => unreachable!("a refinement's only axis is alignment, not {other:?}"),
    }
}

impl Counts {
    /// At least this many.
    pub(super) fn add(&mut self, recipe: &str, alignment: f64, seeds: usize) {
        let count = self.0.entry(At(alignment)).or_default().entry(recipe.into()).or_default();
        *count = seeds.max(*count);
    }

    /// What the plan of `folder` has finished, where it is one over alignments: it stays part of the plan, whether or not it is asked for again. Seeds are
    /// counted from `first`.
    ///
    /// Only `plan.jsonl` is read, which is whole even where a kill came before its settings were written.
    pub(super) fn finished(folder: &Path, first: u64) -> Result<Self, Error> {
        let (mut counts, path) = (Counts::default(), folder.join(planned::NAME));
        if !path.is_file() {
            return Ok(counts);
        }
        let (cells, text) = (Cells::open(folder)?, std::fs::read_to_string(&path).map_err(Error::file(&path, "cannot be read"))?);
        for (number, line) in text.lines().enumerate() {
            let line: Line =
                serde_json::from_str(line).map_err(|e| Error::damaged(&path, format!("line {} is no cell ({e})", number + 1)))?;
            counts.add_finished(&line, first, &cells);
        }
        Ok(counts)
    }

    fn add_finished(&mut self, line: &Line, first: u64, cells: &Cells) {
        let mut point = line.point.iter();
        if let (Some((knob, alignment)), None) = (point.next(), point.next())
            && (knob == "alignment" && cells.contains(&line.id) && line.seed >= first)
        {
            self.add(&line.recipe, *alignment, (line.seed - first) as usize + 1);
        }
    }

    /// The alignments, from low to high.
    pub(super) fn alignments(&self) -> impl Iterator<Item = f64> {
        self.0.keys().map(|at| at.0)
    }

    /// The recipes, by name.
    pub(super) fn recipes(&self) -> impl Iterator<Item = &str> {
        let names: std::collections::BTreeSet<&str> = self.0.values().flat_map(|counts| counts.keys().map(String::as_str)).collect();
        names.into_iter()
    }

    /// Most seeds of any.
    pub(super) fn most(&self) -> usize {
        self.0.values().flat_map(BTreeMap::values).copied().max().unwrap_or(0)
    }

    /// For each recipe, its number of seeds at every alignment.
    pub(super) fn table(&self) -> BTreeMap<String, Vec<u64>> {
        let of = |recipe: &str| self.0.values().map(|counts| counts.get(recipe).copied().unwrap_or(0) as u64).collect();
        self.recipes().map(|recipe| (recipe.to_string(), of(recipe))).collect()
    }
}

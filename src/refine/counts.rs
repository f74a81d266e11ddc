//! How many seeds each recipe has at each alignment: the plan of a refinement as it grows.

use crate::error::Error;
use crate::plan::Plan;
use crate::store::cells::Cells;
use crate::store::planned;
use mta_sims::knob::Value;
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

    /// What the plan of `folder` has finished, where it is one over alignments: it stays part of the plan, whether or not it is asked for again.
    pub(super) fn finished(folder: &Path) -> Result<Self, Error> {
        let mut counts = Counts::default();
        if !folder.join(planned::NAME).is_file() {
            return Ok(counts);
        }
        let (plan, cells) = (planned::read(folder)?, Cells::open(folder)?);
        if plan.axes.len() == 1 && plan.axes[0].knob == "alignment" {
            (0..plan.settings()).for_each(|setting| counts.add_finished(&plan, setting, &cells));
        }
        Ok(counts)
    }

    fn add_finished(&mut self, plan: &Plan, setting: usize, cells: &Cells) {
        let last = plan.ids[plan.rows_of(setting)].iter().rposition(|id| cells.contains(id));
        let (point, recipe) = (setting / plan.recipes.len(), setting % plan.recipes.len());
        last.iter().for_each(|last| self.add(&plan.recipes[recipe].name, alignment(plan, point), last + 1));
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

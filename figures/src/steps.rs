//! Histories read as curves over steps, and the times at which they arrive somewhere.

use std::collections::BTreeMap;

use mta_sims::table::Table;
use mta_theory::simplex::logit;

use crate::Run;
use crate::tidy::{RECIPE, distinct, recipes};

/// The history of a run at the middle value of its knob, all other knobs pooled.
pub(crate) struct ByStep<'a> {
    history: &'a Table,
    rows: Vec<usize>,
    /// Names, the default recipes first.
    pub recipes: Vec<String>,
}

impl<'a> ByStep<'a> {
    /// `None` where the run has no history.
    pub(crate) fn of_middle(run: &Run<'a>) -> Option<Self> {
        let knobs = distinct(run.history, run.knob);
        let middle = knobs.get(knobs.len() / 2).copied();
        let here = |row: &usize| middle.is_none() || run.history.number(run.knob, *row) == middle;
        Self::among(run, |row| here(&row))
    }

    /// The rows of the history that satisfy `keep`.
    pub(crate) fn among(run: &Run<'a>, keep: impl Fn(usize) -> bool) -> Option<Self> {
        let usable = |row: &usize| keep(*row) && run.history.number("step", *row).is_some() && run.history.number("seed", *row).is_some();
        let rows: Vec<usize> = (0..run.history.rows()).filter(usable).collect();
        let recipes = recipes(run.history, &rows);
        (!rows.is_empty()).then_some(ByStep { history: run.history, rows, recipes })
    }

    /// The values of `column` at each step, one per seed, steps in order.
    pub(crate) fn values(&self, recipe: &str, column: &str) -> Vec<(f64, Vec<f64>)> {
        let mut by_step: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        for &row in self.rows.iter().filter(|row| self.history.cell(RECIPE, **row) == recipe) {
            if let Some((step, value)) = self.history.number("step", row).zip(self.history.number(column, row)) {
                by_step.entry(step as i64).or_default().push(value);
            }
        }
        by_step.into_iter().map(|(step, values)| (step as f64, values)).collect()
    }

    /// The values of `column` at one step.
    pub(crate) fn at(&self, recipe: &str, column: &str, step: f64) -> Vec<f64> {
        self.values(recipe, column).into_iter().find(|(s, _)| *s == step).map_or(Vec::new(), |(_, values)| values)
    }

    /// Whether `column` has two different values.
    pub(crate) fn varies(&self, column: &str) -> bool {
        let mut values = self.rows.iter().filter_map(|row| self.history.number(column, *row));
        let first = values.next();
        values.any(|v| Some(v) != first)
    }
}

/// When a cell arrived at an accuracy.
pub(crate) struct Hit {
    pub recipe: String,
    /// Values of the two columns asked for.
    pub at: [f64; 2],
    /// Flow time: steps times learning rate.
    pub time: f64,
}

/// Recipe and bits of two numbers.
type CellName = (String, [u64; 2]);

/// Flow time at which accuracy on the training prompts reaches `target`, interpolated in log-odds, of every cell that gets there.
pub(crate) fn hitting_times(run: &Run, columns: [&str; 2], target: f64) -> Vec<Hit> {
    let history = run.history;
    let rates: BTreeMap<String, f64> = (0..run.results.rows())
        .filter_map(|row| Some((run.results.cell(RECIPE, row), run.results.number("learning_rate", row)?)))
        .collect();
    let mut cells: BTreeMap<CellName, Vec<(f64, f64)>> = BTreeMap::new();
    for row in 0..history.rows() {
        let at = columns.map(|column| history.number(column, row).map(f64::to_bits));
        let (Some(step), Some(p), [Some(x), Some(y)]) = (history.number("step", row), history.number("train/pass@1", row), at) else {
            continue;
        };
        cells.entry((history.cell(RECIPE, row), [x, y])).or_default().push((step, logit(p)));
    }
    let hit = |((recipe, at), path): (CellName, Vec<(f64, f64)>)| {
        let time = rates.get(&recipe)? * arrival(&path, logit(target))?;
        Some(Hit { recipe, at: at.map(f64::from_bits), time })
    };
    cells.into_iter().filter_map(hit).collect()
}

/// Where a path of (x, y) first rises through `goal`, between points.
pub(crate) fn arrival(path: &[(f64, f64)], goal: f64) -> Option<f64> {
    let pair = path.windows(2).find(|w| w[0].1 < goal && w[1].1 >= goal)?;
    Some(pair[0].0 + (pair[1].0 - pair[0].0) * (goal - pair[0].1) / (pair[1].1 - pair[0].1))
}

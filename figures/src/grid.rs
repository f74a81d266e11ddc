//! Results by two knobs, and the settings of the run they are from.

use std::collections::BTreeMap;

use mta_sims::cell::knob_number;
use mta_sims::config::Config;
use mta_sims::table::Table;

use crate::tidy::{RECIPE, distinct};
use crate::{Field, Run, Shade};

/// Rows of a table by the values of two columns and by recipe.
pub(crate) struct Grid<'a> {
    table: &'a Table,
    /// Different values of the first column, in order.
    pub xs: Vec<f64>,
    /// Different values of the second, in order.
    pub ys: Vec<f64>,
    rows: BTreeMap<(usize, usize), Vec<usize>>,
}

impl<'a> Grid<'a> {
    /// Groups the rows that have both columns.
    pub(crate) fn of(table: &'a Table, [x, y]: [&str; 2]) -> Self {
        let (xs, ys) = (distinct(table, x), distinct(table, y));
        let mut rows: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        for row in 0..table.rows() {
            let place = |column: &str, values: &[f64]| values.iter().position(|v| Some(*v) == table.number(column, row));
            if let Some(cell) = place(x, &xs).zip(place(y, &ys)) {
                rows.entry(cell).or_default().push(row);
            }
        }
        Grid { table, xs, ys, rows }
    }

    /// Every cell that has rows, with its two values.
    pub(crate) fn cells(&self) -> impl Iterator<Item = ((usize, usize), [f64; 2])> {
        self.rows.keys().map(|&(i, j)| ((i, j), [self.xs[i], self.ys[j]]))
    }

    /// The numbers of `column` in a cell, for one recipe.
    pub(crate) fn values(&self, cell: (usize, usize), recipe: &str, column: &str) -> Vec<f64> {
        let rows = self.rows.get(&cell).into_iter().flatten().filter(|row| self.table.cell(RECIPE, **row) == recipe);
        rows.filter_map(|row| self.table.number(column, *row)).collect()
    }

    /// The numbers of `column` in a cell, for all recipes.
    pub(crate) fn pooled(&self, cell: (usize, usize), column: &str) -> Vec<f64> {
        self.rows.get(&cell).into_iter().flatten().filter_map(|row| self.table.number(column, *row)).collect()
    }
}

/// The rows that satisfy `keep` as a field of `value` over `x` and `y`.
pub(crate) fn field(table: &Table, [x, y, value]: [&str; 3], shade: Shade, keep: impl Fn(usize) -> bool) -> Field {
    let rows: Vec<usize> = (0..table.rows()).filter(|row| keep(*row)).collect();
    let values = |column| {
        let mut all: Vec<f64> = rows.iter().filter_map(|row| table.number(column, *row)).collect();
        all.sort_by(f64::total_cmp);
        all.dedup();
        all
    };
    let (xs, ys) = (values(x), values(y));
    let at = |a: f64, b: f64| rows.iter().find(|row| table.number(x, **row) == Some(a) && table.number(y, **row) == Some(b));
    let grid = ys.iter().map(|b| xs.iter().map(|a| table.number(value, *at(*a, *b)?)).collect()).collect();
    Field { xs, ys, values: grid, shade }
}

/// The value of a numeric knob in the first row of a run; its default where the results have no column for it, as they have only for what was changed.
pub(crate) fn setting(run: &Run, knob: &str) -> f64 {
    let set = (0..run.results.rows()).find_map(|row| run.results.number(knob, row));
    set.or_else(|| knob_number(&Config::DEFAULT, knob)).unwrap_or(f64::NAN)
}

/// Whether the run's world has one right token per depth, the same for all prompts, and other tokens are alike: what most theory assumes.
pub(crate) fn is_single_path(run: &Run) -> bool {
    let is = |knob, value| setting(run, knob) == value;
    is("good_tokens", 1.0) && is("good_quality", 1.0) && is("bad_quality", 0.0) && is("idiosyncrasy", 0.0)
}

/// The words of `column` in the rows of a recipe, each once.
pub(crate) fn words(run: &Run, recipe: &str, column: &str) -> Vec<String> {
    let rows = (0..run.results.rows()).filter(|row| run.results.cell(RECIPE, *row) == recipe);
    let mut words: Vec<String> = rows.map(|row| run.results.cell(column, row)).collect();
    words.dedup();
    words
}

//! Results grouped by knob, recipe and seed, and tidy tables read back as curves.

use std::collections::BTreeMap;

use mta_sims::statistics::Interval;
use mta_sims::table::Table;

pub(crate) use crate::grid::{Grid, field, is_single_path, setting, words};
pub(crate) use crate::rows::Rows;
pub(crate) use crate::steps::{ByStep, arrival, hitting_times};
use crate::style::{self, Look};
use crate::{Curve, Point, Run};

/// Confidence of every interval over seeds.
pub(crate) const LEVEL: f64 = 0.95;
/// Column of recipe names.
pub(crate) const RECIPE: &str = "recipe";
/// The recipe the others are measured against.
pub(crate) const STANDARD: &str = "standard";
/// The name of the untrained model where it stands among recipes.
pub(crate) const BASE: &str = "base model";

/// One value per seed.
pub(crate) type BySeed = BTreeMap<i64, f64>;

/// The results of a run with the rows of each (knob, recipe).
pub(crate) struct Groups<'a> {
    results: &'a Table,
    /// Values of the knob, in order.
    pub knobs: Vec<f64>,
    /// Names, the default recipes first.
    pub recipes: Vec<String>,
    rows: BTreeMap<(usize, usize), Vec<usize>>,
}

impl<'a> Groups<'a> {
    /// Groups the rows that have a knob value, a recipe and a seed; `None` where there is no such row.
    pub(crate) fn of(run: &Run<'a>) -> Option<Self> {
        Self::among(run, |_| true)
    }

    /// The same for the rows of the results that satisfy `keep`.
    pub(crate) fn among(run: &Run<'a>, keep: impl Fn(usize) -> bool) -> Option<Self> {
        let results = run.results;
        let usable =
            |r: &usize| keep(*r) && knob(run, *r).is_some() && results.number("seed", *r).is_some() && !results.cell(RECIPE, *r).is_empty();
        let kept: Vec<usize> = (0..results.rows()).filter(usable).collect();
        let mut groups = Groups { results, knobs: Vec::new(), recipes: recipes(results, &kept), rows: BTreeMap::new() };
        groups.knobs = kept.iter().filter_map(|r| knob(run, *r)).collect();
        groups.knobs.sort_by(f64::total_cmp);
        groups.knobs.dedup();
        for row in kept {
            let place = groups.place(run, row)?;
            groups.rows.entry(place).or_default().push(row);
        }
        (!groups.knobs.is_empty()).then_some(groups)
    }

    fn place(&self, run: &Run, row: usize) -> Option<(usize, usize)> {
        let value = knob(run, row)?;
        let knob = self.knobs.iter().position(|k| *k == value)?;
        Some((knob, self.recipes.iter().position(|r| *r == self.results.cell(RECIPE, row))?))
    }

    /// `column` at the `knob`-th value, per seed, for one recipe or pooled over all; further knobs are averaged within a seed.
    pub(crate) fn by_seed(&self, knob: usize, recipe: Option<usize>, column: &str) -> BySeed {
        let groups = self.rows.range((knob, 0)..(knob + 1, 0)).filter(|(place, _)| recipe.is_none_or(|r| r == place.1));
        let mut sums: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
        for row in groups.flat_map(|(_, rows)| rows) {
            let entry = self.results.number("seed", *row).zip(self.results.number(column, *row));
            let Some((seed, value)) = entry else { continue };
            let sum = sums.entry(seed as i64).or_default();
            *sum = (sum.0 + value, sum.1 + 1.0);
        }
        sums.into_iter().map(|(seed, (sum, n))| (seed, sum / n)).collect()
    }

    /// Whether any row has a value in `column`.
    pub(crate) fn has(&self, column: &str) -> bool {
        (0..self.results.rows()).any(|row| self.results.number(column, row).is_some())
    }
}

fn knob(run: &Run, row: usize) -> Option<f64> {
    run.results.number(run.knob, row)
}

/// Recipes of these rows: the default ones in their order, then the others as they come.
pub(crate) fn recipes(results: &Table, rows: &[usize]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in rows.iter().map(|row| results.cell(RECIPE, *row)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.sort_by_key(|name| style::rank(name));
    names
}

/// Estimates with their intervals, row by row, on the way to a table.
#[derive(Default)]
pub(crate) struct Estimates {
    keys: Vec<Vec<f64>>,
    recipes: Vec<String>,
    estimates: Vec<Option<Interval>>,
    seeds: Vec<usize>,
}

impl Estimates {
    /// Adds a row: its numeric keys, its recipe, the estimate and the number of seeds behind it.
    pub(crate) fn push(&mut self, keys: &[f64], recipe: &str, estimate: Option<Interval>, seeds: usize) {
        self.keys.push(keys.to_vec());
        self.recipes.push(recipe.into());
        self.estimates.push(estimate);
        self.seeds.push(seeds);
    }

    /// The table: key columns, recipe, value, low, high, seeds. `None` without any estimate or where a key has the name of another column.
    pub(crate) fn table(&self, keys: &[(&str, &str)], value: (&str, &str)) -> Option<Table> {
        let taken = [RECIPE, value.0, "low", "high", "seeds"];
        if keys.iter().any(|k| taken.contains(&k.0)) || self.estimates.iter().all(Option::is_none) {
            return None;
        }
        let mut table = Table::new();
        for (i, (name, doc)) in keys.iter().enumerate() {
            table.float(name, doc, self.keys.iter().map(|k| k.get(i).copied()));
        }
        let column = |f: fn(&Interval) -> Option<f64>| self.estimates.iter().map(move |e| e.as_ref().and_then(f));
        table.text(RECIPE, "recipe", self.recipes.iter().map(String::as_str));
        table.float(value.0, value.1, column(|i| Some(i.value)));
        table.float("low", "lower end of the 95% interval over seeds", column(|i| i.low));
        table.float("high", "upper end of the 95% interval over seeds", column(|i| i.high));
        table.int("seeds", "seeds behind the estimate", self.seeds.iter().map(|n| i64::try_from(*n).ok()));
        Some(table)
    }
}

/// Names in the recipe column, in order.
pub(crate) fn names(table: &Table) -> Vec<String> {
    recipes(table, &(0..table.rows()).collect::<Vec<_>>())
}

/// Looks for the recipes of a tidy table; the base model has its own.
pub(crate) fn looks(table: &Table) -> Vec<(String, Look)> {
    let (base, trained): (Vec<_>, Vec<_>) = names(table).into_iter().partition(|n| n == BASE);
    let looks = style::looks(&trained);
    base.into_iter().map(|n| (n, Look::base())).chain(trained.into_iter().zip(looks)).collect()
}

/// The rows of one recipe that satisfy `keep`, as a curve of `y` over `x`.
pub(crate) fn curve(table: &Table, (name, look): (&str, Look), x: &str, y: &str, keep: impl Fn(usize) -> bool) -> Curve {
    Curve::new(name, look, points(table, x, y, |row| table.cell(RECIPE, row) == name && keep(row)))
}

/// The rows that satisfy `keep`, as points with the interval of the columns `low` and `high`.
pub(crate) fn points(table: &Table, x: &str, y: &str, keep: impl Fn(usize) -> bool) -> Vec<Point> {
    let point = |row: usize| {
        let end = |column| table.number(column, row);
        Some(Point { x: table.number(x, row)?, y: end(y), low: end("low"), high: end("high") })
    };
    (0..table.rows()).filter(|row| keep(*row)).filter_map(point).collect()
}

/// Name of the first column: the knob, in every tidy table.
pub(crate) fn knob_of(table: &Table) -> &str {
    table.columns().first().map_or("", |c| c.name.as_str())
}

/// The different values of a column, in order.
pub(crate) fn distinct(table: &Table, column: &str) -> Vec<f64> {
    let mut values: Vec<f64> = (0..table.rows()).filter_map(|row| table.number(column, row)).collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}

//! Results grouped by knob, recipe and seed, and tidy tables read back as curves.

use std::collections::BTreeMap;

use mta_sims::cell::knob_number;
use mta_sims::config::Config;
use mta_sims::statistics::Interval;
use mta_sims::table::Table;
use mta_theory::simplex::logit;

use crate::style::{self, Look};
use crate::{Curve, Field, Point, Run, Shade};

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
fn recipes(results: &Table, rows: &[usize]) -> Vec<String> {
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

/// When a cell arrived at an accuracy.
pub(crate) struct Hit {
    pub recipe: String,
    /// Values of the two columns asked for.
    pub at: [f64; 2],
    /// Flow time: steps times learning rate.
    pub time: f64,
}

/// Flow time at which accuracy on the training prompts reaches `target`, interpolated in log-odds, of every cell that gets there.
pub(crate) fn hitting_times(run: &Run, columns: [&str; 2], target: f64) -> Vec<Hit> {
    let history = run.history;
    let rates: BTreeMap<String, f64> = (0..run.results.rows())
        .filter_map(|row| Some((run.results.cell(RECIPE, row), run.results.number("learning_rate", row)?)))
        .collect();
    let mut cells: BTreeMap<(String, [u64; 2]), Vec<(f64, f64)>> = BTreeMap::new();
    for row in 0..history.rows() {
        let at = columns.map(|column| history.number(column, row).map(f64::to_bits));
        let (Some(step), Some(p), [Some(x), Some(y)]) = (history.number("step", row), history.number("train/pass@1", row), at) else {
            continue;
        };
        cells.entry((history.cell(RECIPE, row), [x, y])).or_default().push((step, logit(p)));
    }
    let hit = |((recipe, at), path): ((String, [u64; 2]), Vec<(f64, f64)>)| {
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

/// One entry of a row: a number that may be missing, or words.
pub(crate) enum Entry {
    Number(Option<f64>),
    Words(String),
}

impl From<f64> for Entry {
    fn from(number: f64) -> Self {
        Entry::Number(Some(number))
    }
}

impl From<Option<f64>> for Entry {
    fn from(number: Option<f64>) -> Self {
        Entry::Number(number)
    }
}

impl From<&str> for Entry {
    fn from(words: &str) -> Self {
        Entry::Words(words.into())
    }
}

/// A table written row by row.
pub(crate) struct Rows {
    columns: Vec<(String, String, Vec<Entry>)>,
}

impl Rows {
    /// No rows yet; `columns` are names with what they hold.
    pub(crate) fn new(columns: &[(&str, &str)]) -> Self {
        Rows { columns: columns.iter().map(|(name, doc)| (name.to_string(), doc.to_string(), Vec::new())).collect() }
    }

    /// Adds a row, one entry per column.
    pub(crate) fn push(&mut self, row: impl IntoIterator<Item = Entry>) {
        self.columns.iter_mut().zip(row).for_each(|(column, entry)| column.2.push(entry));
    }

    /// The table; `None` without rows. A column is words where its first entry is.
    pub(crate) fn table(self) -> Option<Table> {
        let mut table = Table::new();
        for (name, doc, entries) in self.columns {
            let number = |e: &Entry| if let Entry::Number(x) = e { *x } else { None };
            let words = |e: &Entry| if let Entry::Words(w) = e { w.clone() } else { String::new() };
            match entries.first()? {
                Entry::Words(_) => table.text(&name, &doc, entries.iter().map(words)),
                Entry::Number(_) => table.float(&name, &doc, entries.iter().map(number)),
            };
        }
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

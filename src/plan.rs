//! The plan of a sweep: grid points x recipes x seeds, in one canonical order.
//!
//! Every pair of a grid point and a recipe has all seeds, unless the settings' table `seeds_of` gives some pairs fewer or none, as [`crate::refine`] does.
//!
//! A plan holds the name of each row, sixteen bytes, and what its cell is expected to cost; settings of a cell are made when they are asked for, so that a
//! million rows fit in tens of megabytes. What a plan looks like on the disk is said in [`crate::store::planned`].

use crate::engine::{Backend, Engine};
use crate::error::{Error, Origin};
use crate::id::Id;
use crate::runner::Work;
use crate::settings::{Assignment, Settings, set};
use mta_sims::cell::{self, Cell};
use mta_sims::config::KNOBS;
use mta_sims::cost;
use mta_sims::knob::{Kind, Value};
use mta_sims::recipe::{RECIPES, Ready};
use mta_sims::registry::Named;
use mta_sims::stream::Seed;
use rayon::prelude::*;
use std::collections::HashSet;
use std::ops::Range;

/// Seeds per cell unless told otherwise.
pub const DEFAULT_SEEDS: u64 = 24;

/// Cells a plan may have.
pub const MAX_CELLS: usize = 1_000_000;

/// What a sweep will run.
pub struct Plan {
    /// The knobs that vary.
    pub axes: Vec<Assignment>,
    /// The recipes, in canonical order.
    pub recipes: Vec<Ready>,
    /// For each recipe, the axes that its own table fixes instead.
    pub fixed: Vec<Vec<&'static str>>,
    /// The seeds; a pair of a grid point and a recipe has the first few of them, all unless told otherwise.
    pub seeds: Vec<Seed>,
    /// The first row of each pair, and the number of rows.
    firsts: Vec<usize>,
    /// What is asked to run the cells.
    pub backend: Backend,
    /// Names of all rows: for each grid point, each recipe, each seed.
    pub ids: Vec<Id>,
    /// For each grid point and recipe, the seconds that one cell is expected to take one thread.
    pub costs: Vec<f64>,
}

/// One row of the results: a cell and its place in the grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Index of the grid point.
    pub point: usize,
    /// Index into [`Plan::recipes`].
    pub recipe: usize,
    /// The seed.
    pub seed: Seed,
}

impl Plan {
    /// A plan for the engine that the settings ask for, or that suits the recipes.
    ///
    /// # Errors
    /// As [`Plan::with`].
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let plan = Plan::outline(settings)?;
        let engine = plan.backend.engine();
        plan.resolved(engine)
    }

    /// Resolves settings into cells for `engine`, and checks every one of them before any work starts.
    ///
    /// # Errors
    /// When a setting is wrong, or the engine cannot run a cell.
    pub fn with(settings: &Settings, engine: &dyn Engine) -> Result<Self, Error> {
        Plan::outline(settings)?.resolved(engine)
    }

    /// With names and costs, checked.
    fn resolved(mut self, engine: &dyn Engine) -> Result<Self, Error> {
        let plan = &mut self;
        let named: Vec<Result<_, Error>> = (0..plan.settings()).into_par_iter().map(|at| plan.named(at, engine)).collect();
        for named in named {
            let (ids, cost) = named?;
            plan.ids.extend(ids);
            plan.costs.push(cost);
        }
        plan.check(engine)?;
        Ok(self)
    }

    /// The plan without names, costs and checks: what is known of a plan whose cells were written down before.
    ///
    /// # Errors
    /// When a recipe has no such name, or the plan is too large.
    pub fn outline(settings: &Settings) -> Result<Self, Error> {
        let axes = settings.axes();
        let mut recipes = settings.recipes()?;
        recipes.sort_by_key(|r| place(settings, &r.name));
        let seeds = seeds(settings)?;
        let points = axes.iter().map(|axis| axis.values.len() as f64).product::<f64>();
        let least = if settings.run.seeds_of.is_empty() { (seeds.end - seeds.start) as f64 } else { 1.0 };
        check_size(points * recipes.len() as f64 * least)?;
        let firsts = firsts(settings, &recipes, points as usize, seeds.end - seeds.start)?;
        let fixed = recipes.iter().map(|r| axes.iter().filter(|a| settings.fixes(&r.name, a)).map(|a| a.knob).collect()).collect();
        let (seeds, backend) = (seeds.map(Seed).collect(), settings.run.backend.unwrap_or_else(|| Backend::suited_to(&recipes)));
        Ok(Plan { axes, recipes, fixed, seeds, firsts, backend, ids: Vec::new(), costs: Vec::new() })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.firsts[self.settings()]
    }

    /// Number of grid points.
    pub fn points(&self) -> usize {
        self.axes.iter().map(|axis| axis.values.len()).product()
    }

    /// Number of pairs of a grid point and a recipe; the rows of each differ in seed only and follow each other.
    pub fn settings(&self) -> usize {
        self.points() * self.recipes.len()
    }

    /// The rows of a pair of a grid point and a recipe.
    pub fn rows_of(&self, setting: usize) -> Range<usize> {
        self.firsts[setting]..self.firsts[setting + 1]
    }

    /// The seeds of a pair of a grid point and a recipe.
    pub fn seeds_of(&self, setting: usize) -> &[Seed] {
        &self.seeds[..self.rows_of(setting).len()]
    }

    /// Whether every pair of a grid point and a recipe has all seeds.
    pub fn is_even(&self) -> bool {
        self.rows() == self.settings() * self.seeds.len()
    }

    /// What stands before the number of seeds where some pairs have fewer.
    pub fn at_most(&self) -> &'static str {
        if self.is_even() { "" } else { "at most " }
    }

    /// The pair of a grid point and a recipe that a row is of, and the index of its seed.
    pub fn setting(&self, row: usize) -> (usize, usize) {
        let setting = self.firsts.partition_point(|first| *first <= row) - 1;
        (setting, row - self.firsts[setting])
    }

    /// A row's place.
    pub fn row(&self, row: usize) -> Row {
        let (setting, seed) = self.setting(row);
        Row { point: setting / self.recipes.len(), recipe: setting % self.recipes.len(), seed: self.seeds[seed] }
    }

    /// Values of the axes at a grid point, in their order; the last axis varies fastest.
    pub fn point(&self, point: usize) -> Vec<Value> {
        let mut rest = point;
        let mut values: Vec<Value> = Vec::with_capacity(self.axes.len());
        for axis in self.axes.iter().rev() {
            values.push(axis.values[rest % axis.values.len()].clone());
            rest /= axis.values.len();
        }
        values.reverse();
        values
    }

    /// A recipe with the knobs it has at a grid point.
    pub fn ready(&self, point: usize, recipe: usize) -> Ready {
        let mut ready = self.recipes[recipe].clone();
        for (axis, value) in self.axes.iter().zip(self.point(point)).filter(|(axis, _)| !self.fixed[recipe].contains(&axis.knob)) {
            set(&mut ready.config, axis.knob, &value, &axis.origin).expect("values of axes were checked when they were read");
        }
        ready
    }

    /// The recipe of a pair of a grid point and a recipe, with the knobs it has there.
    pub fn ready_of(&self, setting: usize) -> Ready {
        self.ready(setting / self.recipes.len(), setting % self.recipes.len())
    }

    /// The rows that differ in seed only: their names and what a cell of theirs costs.
    fn named(&self, setting: usize, engine: &dyn Engine) -> Result<(Vec<Id>, f64), Error> {
        let ready = self.ready_of(setting);
        ready.validate().map_err(|e| Error::knob(e, &Origin::Ready(ready.name.clone())))?;
        let text = ready.description();
        let ids = self.seeds_of(setting).iter().map(|seed| engine.id(&cell::description(*seed, &text))).collect();
        Ok((ids, cost::seconds(&ready, engine.costs(), self.alike())))
    }

    /// Cells of a recipe that differ in seed and real-valued knobs only.
    fn alike(&self) -> usize {
        let real = |axis: &&Assignment| KNOBS.iter().any(|k| k.name == axis.knob && matches!((k.kind)(), Kind::Real(_)));
        self.axes.iter().filter(real).map(|axis| axis.values.len()).product::<usize>() * self.seeds.len()
    }

    /// Makes sure that the rows which differ in seed only are called what they are now, and may be run.
    ///
    /// # Errors
    /// When a setting is wrong, or gives another name.
    pub fn confirm(&self, setting: usize, engine: &dyn Engine) -> Result<(), Error> {
        let (ids, _) = self.named(setting, engine)?;
        let first = self.rows_of(setting).start;
        let written = &self.ids[self.rows_of(setting)];
        match ids.iter().zip(written).position(|(now, then)| now != then) {
            None => Ok(()),
            Some(at) => Err(Error::Usage(format!(
                "cell {} of the plan is called {} there, and its settings now give {}: the plan is of another version or was changed; plan again",
                first + at + 1,
                written[at],
                ids[at]
            ))),
        }
    }

    fn check(&self, engine: &dyn Engine) -> Result<(), Error> {
        let seeds = |point: usize| {
            let settings = point * self.recipes.len()..(point + 1) * self.recipes.len();
            settings.map(|setting| self.seeds_of(setting)).max_by_key(|seeds| seeds.len()).unwrap_or_default()
        };
        let point = |point: usize| {
            let recipe = self.ready(point, 0);
            let cell = |seed| Cell { recipe: recipe.clone(), seed };
            seeds(point).iter().find_map(|seed| engine.check(&cell(*seed), *seed == self.seeds[0]).err())
        };
        (0..self.points()).into_par_iter().find_map_first(point).map_or(Ok(()), Err)
    }

    /// Name of the plan: a hash of its cells, whatever their order.
    pub fn id(&self) -> String {
        let mut ids = self.ids.clone();
        ids.sort_unstable();
        ids.dedup();
        let mut hasher = blake3::Hasher::new();
        ids.iter().for_each(|id| {
            hasher.update(id.to_string().as_bytes());
        });
        hasher.finalize().to_hex()[..8].to_string()
    }

    /// Rows that come first with their name: some rows are the same cell.
    pub fn distinct(&self) -> Vec<usize> {
        let mut seen = HashSet::with_capacity(self.ids.len());
        (0..self.ids.len()).filter(|row| seen.insert(self.ids[*row])).collect()
    }

    /// Seconds that a row's cell is expected to take one thread.
    pub fn cost(&self, row: usize) -> f64 {
        self.costs[self.setting(row).0]
    }

    /// The axis figures and tables put on x: alignment where it varies, else the first.
    pub fn main_axis(&self) -> Option<usize> {
        let alignment = self.axes.iter().position(|a| a.knob == "alignment");
        alignment.or((!self.axes.is_empty()).then_some(0))
    }

    /// Column of that knob.
    pub fn main_column(&self) -> String {
        self.column(self.main_axis().map_or("alignment", |i| self.axes[i].knob))
    }

    /// Columns of the other axes.
    pub fn other_columns(&self) -> Vec<String> {
        let main = self.main_axis();
        self.axes.iter().enumerate().filter(|(i, _)| Some(*i) != main).map(|(_, a)| self.column(a.knob)).collect()
    }

    /// The column that holds a knob's settings: its name, but what is aimed at where the alignment is found by bisection.
    pub fn column(&self, knob: &str) -> String {
        match self.recipes.first().map(|r| r.config.world.align_by) {
            Some(mta_sims::config::AlignBy::PassAt(k)) if knob == "alignment" => format!("target/pass@{k}"),
            _ => knob.into(),
        }
    }
}

impl Work for Plan {
    fn id(&self, row: usize) -> Id {
        self.ids[row]
    }

    fn cell(&self, row: usize) -> Cell {
        let Row { point, recipe, seed } = self.row(row);
        Cell { recipe: self.ready(point, recipe), seed }
    }

    fn recipe(&self, row: usize) -> usize {
        self.row(row).recipe
    }

    fn cost(&self, row: usize) -> f64 {
        self.cost(row)
    }
}

/// Where a recipe stands: those of the registry first, then those of the file, each in their own order.
fn place(settings: &Settings, name: &str) -> usize {
    let own = || settings.tables.iter().position(|t| t.name == name).map(|i| RECIPES.len() + i);
    RECIPES.iter().position(|r| r.name() == name).or_else(own).unwrap_or(usize::MAX)
}

/// The seeds, below 2^63: files of settings and tables hold signed numbers.
fn seeds(settings: &Settings) -> Result<Range<u64>, Error> {
    let (first, count) = (settings.run.seed.unwrap_or(0), settings.run.seeds.unwrap_or(DEFAULT_SEEDS));
    let end = first.checked_add(count).filter(|end| *end <= i64::MAX as u64 && count > 0);
    end.map(|end| first..end)
        .ok_or_else(|| Error::Usage(format!("--seed {first} with --seeds {count}: needs a seed, and seeds below 2^63")))
}

/// The first row of each pair of a grid point and a recipe, and the number of rows.
fn firsts(settings: &Settings, recipes: &[Ready], points: usize, seeds: u64) -> Result<Vec<usize>, Error> {
    if let Some(name) = settings.run.seeds_of.keys().find(|name| recipes.iter().all(|recipe| recipe.name != **name)) {
        return Err(Error::Usage(format!("[seeds_of] {}: is no recipe of this sweep", name.escape_debug())));
    }
    let given: Vec<Option<&Vec<u64>>> = recipes.iter().map(|recipe| settings.run.seeds_of.get(&recipe.name)).collect();
    for (recipe, given) in recipes.iter().zip(&given) {
        given.map_or(Ok(()), |given| check_seeds_of(&recipe.name, given, points, seeds))?;
    }
    let counts = (0..points).flat_map(|point| given.iter().map(move |given| given.map_or(seeds, |given| given[point])));
    let mut firsts = vec![0];
    firsts.extend(counts.scan(0_usize, |sum, count| {
        *sum += count as usize;
        Some(*sum)
    }));
    match firsts[firsts.len() - 1] {
        0 => Err(Error::Usage("[seeds_of] leaves no cell of the sweep".into())),
        rows => check_size(rows as f64).map(|()| firsts),
    }
}

fn check_seeds_of(recipe: &str, given: &[u64], points: usize, seeds: u64) -> Result<(), Error> {
    let refuse = |what: String| Err(Error::Usage(format!("[seeds_of] {}: {what}", recipe.escape_debug())));
    match given.iter().find(|count| **count > seeds) {
        _ if given.len() != points => refuse(format!("has {} numbers, and needs one for each of the {points} grid points", given.len())),
        Some(count) => refuse(format!("{count} is more than the {seeds} seeds of the sweep")),
        None => Ok(()),
    }
}

fn check_size(cells: f64) -> Result<(), Error> {
    if cells <= MAX_CELLS as f64 {
        Ok(())
    } else {
        Err(Error::Usage(format!("the plan has {cells:.3e} cells, at most {MAX_CELLS} are allowed")))
    }
}

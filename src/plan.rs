//! The plan of a sweep: grid points x recipes x seeds, in one canonical order.

use crate::engine::{Engine, Reference};
use crate::error::{Error, Origin};
use crate::settings::{Assignment, Settings, set};
use mta_sims::cell::Cell;
use mta_sims::knob::Value;
use mta_sims::recipe::{RECIPES, Ready};
use mta_sims::registry::Named;
use mta_sims::stream::Seed;

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
    /// The seeds.
    pub seeds: Vec<Seed>,
    /// All rows: for each grid point, each recipe, each seed.
    pub rows: Vec<Row>,
}

/// One row of the results: a cell and its place in the grid.
pub struct Row {
    /// Values of the axes, in their order.
    pub point: Vec<Value>,
    /// Index into [`Plan::recipes`].
    pub recipe: usize,
    /// What is run.
    pub cell: Cell,
    /// Its name.
    pub id: String,
}

impl Plan {
    /// A plan for the reference loop.
    ///
    /// # Errors
    /// As [`Plan::with`].
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        Plan::with(settings, &Reference)
    }

    /// Resolves settings into cells for `engine`, and checks every one of them before any work starts.
    ///
    /// # Errors
    /// When a setting is wrong, or the engine cannot run a cell.
    pub fn with(settings: &Settings, engine: &dyn Engine) -> Result<Self, Error> {
        let axes = settings.axes();
        let mut recipes = settings.recipes()?;
        recipes.sort_by_key(|r| place(settings, &r.name));
        let seeds = seeds(settings)?;
        let points = axes.iter().map(|axis| axis.values.len() as f64).product::<f64>();
        check_size(points * recipes.len() as f64 * (seeds.end - seeds.start) as f64)?;
        let fixed = recipes.iter().map(|r| axes.iter().filter(|a| settings.fixes(&r.name, a)).map(|a| a.knob).collect()).collect();
        let mut plan = Plan { axes, recipes, fixed, seeds: seeds.map(Seed).collect(), rows: Vec::new() };
        for point in product(&plan.axes) {
            plan.add_point(&point, engine)?;
        }
        plan.check(engine)?;
        Ok(plan)
    }

    fn add_point(&mut self, point: &[Value], engine: &dyn Engine) -> Result<(), Error> {
        for recipe in 0..self.recipes.len() {
            let mut ready = self.recipes[recipe].clone();
            for (axis, value) in self.axes.iter().zip(point).filter(|(axis, _)| !self.fixed[recipe].contains(&axis.knob)) {
                set(&mut ready.config, axis.knob, value, &axis.origin)?;
            }
            ready.validate().map_err(|e| Error::knob(e, &Origin::Ready(ready.name.clone())))?;
            for &seed in &self.seeds {
                let cell = Cell { recipe: ready.clone(), seed };
                self.rows.push(Row { point: point.to_vec(), recipe, id: engine.id(&cell), cell });
            }
        }
        Ok(())
    }

    fn check(&self, engine: &dyn Engine) -> Result<(), Error> {
        let first = self.seeds[0];
        self.rows.iter().filter(|row| row.recipe == 0).try_for_each(|row| engine.check(&row.cell, row.cell.seed == first))
    }

    /// Name of the plan: a hash of its cells, whatever their order.
    pub fn id(&self) -> String {
        let mut ids: Vec<&str> = self.rows.iter().map(|row| row.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        blake3::hash(ids.concat().as_bytes()).to_hex()[..8].to_string()
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

/// Where a recipe stands: those of the registry first, then those of the file, each in their own order.
fn place(settings: &Settings, name: &str) -> usize {
    let own = || settings.tables.iter().position(|t| t.name == name).map(|i| RECIPES.len() + i);
    RECIPES.iter().position(|r| r.name() == name).or_else(own).unwrap_or(usize::MAX)
}

/// The seeds, below 2^63: files of settings and tables hold signed numbers.
fn seeds(settings: &Settings) -> Result<std::ops::Range<u64>, Error> {
    let (first, count) = (settings.run.seed.unwrap_or(0), settings.run.seeds.unwrap_or(DEFAULT_SEEDS));
    let end = first.checked_add(count).filter(|end| *end <= i64::MAX as u64 && count > 0);
    end.map(|end| first..end)
        .ok_or_else(|| Error::Usage(format!("--seed {first} with --seeds {count}: needs a seed, and seeds below 2^63")))
}

fn check_size(cells: f64) -> Result<(), Error> {
    if cells <= MAX_CELLS as f64 {
        Ok(())
    } else {
        Err(Error::Usage(format!("the plan has {cells:.3e} cells, at most {MAX_CELLS} are allowed")))
    }
}

/// All combinations of the axes' values, the last axis fastest; one empty point without axes.
fn product(axes: &[Assignment]) -> Vec<Vec<Value>> {
    axes.iter().fold(vec![Vec::new()], |points, axis| {
        let longer =
            |point: &Vec<Value>| axis.values.iter().map(|v| point.iter().chain([v]).cloned().collect()).collect::<Vec<Vec<Value>>>();
        points.iter().flat_map(longer).collect()
    })
}

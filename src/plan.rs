//! The plan of a sweep: grid points x recipes x seeds, in one canonical order.

use crate::error::{Error, Origin};
use crate::settings::{Assignment, Settings, set};
use mta_sims::cell::Cell;
use mta_sims::config::AlignBy;
use mta_sims::knob::Value;
use mta_sims::recipe::{RECIPES, Ready};
use mta_sims::registry::Named;
use mta_sims::stream::Seed;
use mta_sims::world::World;

/// Seeds per cell unless told otherwise.
pub const DEFAULT_SEEDS: u64 = 24;

/// Cells a plan may have.
pub const MAX_CELLS: usize = 10_000_000;

/// What a sweep will run.
pub struct Plan {
    /// The knobs that vary.
    pub axes: Vec<Assignment>,
    /// The recipes, in canonical order.
    pub recipes: Vec<Ready>,
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
    /// Resolves settings into cells, and checks every one of them before any work starts.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let axes = settings.axes();
        let mut recipes = settings.recipes()?;
        recipes.sort_by_key(|r| RECIPES.iter().position(|known| known.name() == r.name).unwrap_or(usize::MAX));
        let (first, count) = (settings.run.seed.unwrap_or(0), settings.run.seeds.unwrap_or(DEFAULT_SEEDS));
        let last = first
            .checked_add(count - 1)
            .ok_or_else(|| Error::Usage(format!("--seed {first} with --seeds {count}: seeds must stay below 2^64")))?;
        let points = product(&axes);
        check_size(points.len() as f64 * recipes.len() as f64 * count as f64)?;
        let mut plan = Plan { axes, recipes, seeds: (first..=last).map(Seed).collect(), rows: Vec::new() };
        for point in points {
            plan.add_point(settings, &point)?;
        }
        plan.check_worlds()?;
        Ok(plan)
    }

    fn add_point(&mut self, settings: &Settings, point: &[Value]) -> Result<(), Error> {
        for recipe in 0..self.recipes.len() {
            let mut ready = self.recipes[recipe].clone();
            for (axis, value) in self.axes.iter().zip(point).filter(|(axis, _)| !settings.fixes(&ready.name, axis)) {
                set(&mut ready.config, axis.knob, value, &axis.origin)?;
            }
            ready.validate().map_err(|e| Error::knob(e, &Origin::Together))?;
            for &seed in &self.seeds {
                let cell = Cell { recipe: ready.clone(), seed };
                self.rows.push(Row { point: point.to_vec(), recipe, id: cell.id(), cell });
            }
        }
        Ok(())
    }

    /// Makes the worlds that may not exist: the first, and all whose alignment must be solved for.
    fn check_worlds(&self) -> Result<(), Error> {
        let uncertain = |row: &&Row| row.recipe == 0 && row.cell.recipe.config.world.align_by != AlignBy::Knob;
        let first = self.rows.first();
        let mut worlds = first.into_iter().chain(self.rows.iter().filter(uncertain));
        let make = |row: &Row| World::new(&row.cell.recipe.config.world, row.cell.seed).map(drop);
        worlds.try_for_each(make).map_err(|e| Error::knob(e, &Origin::Together))
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

    /// Name of that knob.
    pub fn main_knob(&self) -> &'static str {
        self.main_axis().map_or("alignment", |i| self.axes[i].knob)
    }
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

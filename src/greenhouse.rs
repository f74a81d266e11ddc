//! Cells on grown transformers, and the simulator's forecasts for them.

use crate::engine::Engine;
use crate::error::{Error, Origin};
use crate::id::Id;
use mta_llm::forecast::{DICE, Kinetics, Simulator};
use mta_llm::grown::SEMANTICS;
use mta_llm::grown::cell::{Grown, GrownSettings, teacher_world};
use mta_llm::policy::check_mode;
use mta_sims::cell::Cell;
use mta_sims::config::{Config, KNOBS, World};
use mta_sims::digest;
use mta_sims::recipe::Ready;
use mta_sims::record::Curves;
use mta_sims::stream::Seed;
use rayon::prelude::*;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Base models by world, each grown once and kept in a folder.
pub struct Greenhouse {
    /// How they are grown and run.
    pub settings: GrownSettings,
    folder: PathBuf,
    models: Shelf<Grown>,
}

/// Things by name, made when first asked for and then shared.
///
/// Nothing is locked while a thing is made, as what makes it may run other tasks of the same threads meanwhile: two that ask at once both make it, alike.
struct Shelf<T>(Mutex<HashMap<String, Arc<T>>>);

impl<T> Shelf<T> {
    fn get(&self, name: String, make: impl FnOnce() -> Result<T, Error>) -> Result<Arc<T>, Error> {
        if let Some(known) = self.things().get(&name) {
            return Ok(Arc::clone(known));
        }
        let made = Arc::new(make()?);
        self.things().insert(name, Arc::clone(&made));
        Ok(made)
    }

    fn things(&self) -> MutexGuard<'_, HashMap<String, Arc<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Shelf(Mutex::default())
    }
}

impl Greenhouse {
    /// A greenhouse whose models are kept in `folder`, one Hugging Face folder each.
    pub fn new(settings: GrownSettings, folder: &Path) -> Self {
        Greenhouse { settings, folder: folder.into(), models: Shelf::default() }
    }

    /// The base model of a world, grown now if it never was.
    ///
    /// # Errors
    /// When there is no such world, or its folder cannot be read or written.
    pub fn base(&self, world: &World, seed: Seed) -> Result<Arc<Grown>, Error> {
        let name = self.name(world, seed);
        let folder = self.folder.join(&name);
        self.models.get(name, || {
            let world = self.settings.world(world, seed).map_err(|e| Error::knob(e, &Origin::Together))?;
            Ok(Grown::at(&folder, world, &self.settings.grow)?)
        })
    }

    /// Everything a base model depends on.
    fn name(&self, world: &World, seed: Seed) -> String {
        let config = Config { world: world.clone(), ..Config::DEFAULT };
        let knobs = KNOBS.iter().filter(|k| k.section == "world").map(|k| format!("{} = {}\n", k.name, (k.get)(&config)));
        let GrownSettings { terms, modulus, leak, grow, .. } = &self.settings;
        let all = format!("grown = {SEMANTICS}\n{}seed = {} {terms} {modulus} {leak} {grow:?}", knobs.collect::<String>(), seed.0);
        digest::name(&all)
    }

    /// The worlds whose models a cell needs: its own, and its teacher's.
    fn worlds(cell: &Cell) -> impl Iterator<Item = World> {
        let config = &cell.recipe.config;
        std::iter::once(config.world.clone()).chain(teacher_world(config))
    }
}

impl Engine for Greenhouse {
    fn id(&self, description: &str) -> Id {
        id(&self.settings, description)
    }

    fn check(&self, cell: &Cell, first: bool) -> Result<(), Error> {
        let Ready { name, config, .. } = &cell.recipe;
        check_mode(config.train.mode).map_err(|e| Error::knob(e, &Origin::Ready(name.clone())))?;
        if first {
            self.settings.world(&config.world, cell.seed).map_err(|e| Error::knob(e, &Origin::Together))?;
        }
        Ok(())
    }

    /// Grows every base model and teacher the cells need, in parallel.
    fn prepare(&self, cells: &mut dyn Iterator<Item = Cell>) -> Result<(), Error> {
        let mut wanted: HashMap<String, (World, Seed)> = HashMap::new();
        for cell in cells {
            for world in Self::worlds(&cell) {
                wanted.entry(self.name(&world, cell.seed)).or_insert((world, cell.seed));
            }
        }
        let mut wanted: Vec<_> = wanted.into_iter().collect();
        wanted.sort_by(|a, b| a.0.cmp(&b.0));
        wanted.into_par_iter().try_for_each(|(_, (world, seed))| self.base(&world, seed).map(drop))
    }

    fn run(&self, cell: &Cell) -> Result<Curves, Error> {
        let config = &cell.recipe.config;
        let base = self.base(&config.world, cell.seed)?;
        let teacher = teacher_world(config).map(|world| self.base(&world, cell.seed)).transpose()?;
        Ok(base.run(&self.settings, &cell.recipe, teacher.as_deref())?)
    }
}

/// Name of the result on a grown model of a cell with this [`Cell::description`].
pub fn id(settings: &GrownSettings, description: &str) -> Id {
    Id::of(&format!("grown = {SEMANTICS}\n{description}{settings:?}"))
}

/// The simulator in the place of the transformers of a greenhouse.
pub struct Forecaster<'g> {
    greenhouse: &'g Greenhouse,
    kinetics: Kinetics,
    simulators: Shelf<Simulator>,
}

impl<'g> Forecaster<'g> {
    /// Forecasts for the base models of `greenhouse`, which an update moves as far as `kinetics` says.
    pub fn new(greenhouse: &'g Greenhouse, kinetics: Kinetics) -> Self {
        Forecaster { greenhouse, kinetics, simulators: Shelf::default() }
    }

    /// The simulator in the place of a world's base model: its methods are scored once for all recipes.
    fn simulator(&self, world: &World, seed: Seed) -> Result<Arc<Simulator>, Error> {
        self.simulators.get(self.greenhouse.name(world, seed), || Ok(Simulator::new(&*self.greenhouse.base(world, seed)?, DICE)?))
    }
}

impl Engine for Forecaster<'_> {
    fn id(&self, description: &str) -> Id {
        Id::of(&format!("forecast {} {:?}", self.greenhouse.id(description), self.kinetics))
    }

    fn check(&self, cell: &Cell, first: bool) -> Result<(), Error> {
        self.greenhouse.check(cell, first)
    }

    fn prepare(&self, cells: &mut dyn Iterator<Item = Cell>) -> Result<(), Error> {
        self.greenhouse.prepare(cells)
    }

    fn run(&self, cell: &Cell) -> Result<Curves, Error> {
        Ok(self.simulator(&cell.recipe.config.world, cell.seed)?.run(&cell.recipe, self.kinetics))
    }
}

//! What runs cells: the reference loop on tables, the batched engine on vectors or on a GPU, or the loop on transformers.

use crate::error::{Error, Origin};
use crate::gpu::Gpu;
use crate::id::Id;
use mta_sims::batch::{self, Options};
use mta_sims::cell::Cell;
use mta_sims::config::{AlignBy, Mode};
use mta_sims::cost;
use mta_sims::recipe::Ready;
use mta_sims::record::Curves;
use mta_sims::world::World;
use rayon::prelude::*;
use std::ops::RangeInclusive;

/// Something that turns cells into curves: one by one, [`Engine::run`], or together, [`Engine::run_together`]; the other is made of it.
pub trait Engine: Sync {
    /// Name of the result of a cell with this [`Cell::description`]: a hash of everything it depends on.
    fn id(&self, description: &str) -> Id;

    /// Checks a cell before any work starts; `first` of those that differ in seed only. Makes the worlds that may not exist: the first of each kind, and all whose
    /// alignment must be solved for.
    ///
    /// # Errors
    /// When this engine cannot run it.
    fn check(&self, cell: &Cell, first: bool) -> Result<(), Error> {
        let world = &cell.recipe.config.world;
        if first || world.align_by != AlignBy::Knob {
            World::new(world, cell.seed).map_err(|e| Error::knob(e, &Origin::Together))?;
        }
        Ok(())
    }

    /// Makes sure that it can be used on this machine.
    ///
    /// # Errors
    /// When a device or its driver is missing.
    fn open(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Makes what several of the cells that are about to run need, on the threads of the current pool.
    ///
    /// # Errors
    /// When it cannot be made.
    fn prepare(&self, _cells: &mut dyn Iterator<Item = Cell>) -> Result<(), Error> {
        Ok(())
    }

    /// Runs a cell.
    ///
    /// # Errors
    /// When it fails.
    fn run(&self, cell: &Cell) -> Result<Curves, Error> {
        self.run_together(std::slice::from_ref(cell)).remove(0)
    }

    /// What cost predicts of it.
    fn costs(&self) -> cost::Engine {
        cost::Engine::Reference
    }

    /// The least and the most cells that are best run together.
    fn at_once(&self) -> RangeInclusive<usize> {
        1..=1
    }

    /// Runs cells together; what becomes of one does not depend on the others.
    fn run_together(&self, cells: &[Cell]) -> Vec<Result<Curves, Error>> {
        cells.iter().map(|cell| self.run(cell)).collect()
    }
}

/// The engines that a sweep may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// The readable loop in `f64`.
    Reference,
    /// One cell per SIMD lane in `f32`; cells that it does not run, such as those of a critic, the reference loop runs.
    Cpu,
    /// The same on the first GPU, one cell per thread.
    Cuda,
}

impl Backend {
    /// All of them.
    pub const ALL: [Backend; 3] = [Backend::Reference, Backend::Cpu, Backend::Cuda];

    /// What runs recipes unless told otherwise: the batched engine where all are sampled, since other draws move a sampled answer more than `f32` does; where
    /// some are exact, the loop in `f64`.
    pub fn suited_to(recipes: &[Ready]) -> Self {
        if recipes.iter().all(|r| r.config.train.mode == Mode::Sampled) { Backend::Cpu } else { Backend::Reference }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Reference => "reference",
            Backend::Cpu => "cpu",
            Backend::Cuda => "cuda",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Backend::ALL.into_iter().find(|backend| backend.name() == name)
    }

    /// What runs its cells.
    pub fn engine(self) -> &'static dyn Engine {
        match self {
            Backend::Reference => &Reference,
            Backend::Cpu => &Batched,
            Backend::Cuda => &Gpu,
        }
    }
}

/// The reference loop on softmax tables.
pub struct Reference;

impl Engine for Reference {
    fn id(&self, description: &str) -> Id {
        Id::of(description)
    }

    fn run(&self, cell: &Cell) -> Result<Curves, Error> {
        cell.run().map_err(|e| Error::knob(e, &Origin::Together))
    }
}

/// The batched engine.
pub struct Batched;

/// Cells that the batched engine is given at least, enough to fill vectors on two threads, and at most.
const FEW: usize = 4 * cost::LANES;
const MANY: usize = 1024;

impl Engine for Batched {
    fn id(&self, description: &str) -> Id {
        Id::of(&format!("engine = cpu {}\n{description}", batch::SEMANTICS))
    }

    fn costs(&self) -> cost::Engine {
        cost::Engine::Batched
    }

    fn at_once(&self) -> RangeInclusive<usize> {
        FEW..=MANY
    }

    /// What the batched engine denies, the reference loop runs, or says why it cannot be run.
    fn run_together(&self, cells: &[Cell]) -> Vec<Result<Curves, Error>> {
        let fast = batch::run(cells, Options::default());
        cells.par_iter().zip(fast).map(|(cell, fast)| fast.or_else(|_| Reference.run(cell))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_sims::recipe::RECIPES;
    use mta_sims::stream::Seed;

    #[test]
    fn what_the_batched_engine_denies_the_reference_loop_runs() {
        let cell = |name: &str| {
            let mut recipe = Ready::named(RECIPES.iter().find(|r| r.entry.name == name).expect("it is a recipe"));
            (recipe.config.world.prompts, recipe.config.world.held_out, recipe.config.train.steps) = (4, 4, 3);
            Cell { recipe, seed: Seed(3) }
        };
        let cells = ["standard", "distill"].map(cell);
        assert!(batch::supports(&cells[0].recipe).is_ok() && batch::supports(&cells[1].recipe).is_err());
        let ran: Vec<Curves> = Batched.run_together(&cells).into_iter().map(Result::unwrap).collect();
        assert_eq!(ran[1], Reference.run(&cells[1]).unwrap());
        assert_ne!(ran[0], Reference.run(&cells[0]).unwrap(), "f32 is not f64");
        assert_eq!(ran[0], Batched.run(&cells[0]).unwrap(), "alone or together");
    }

    #[test]
    fn engines_call_the_same_cell_differently() {
        let ids: std::collections::HashSet<Id> = Backend::ALL.iter().map(|backend| backend.engine().id("seed = 1\n")).collect();
        assert_eq!(ids.len(), Backend::ALL.len());
        assert!(Backend::ALL.iter().all(|backend| Backend::named(backend.name()) == Some(*backend)));
    }
}

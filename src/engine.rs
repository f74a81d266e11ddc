//! What runs cells: the reference loop on tables, or the same loop on transformers.

use crate::error::{Error, Origin};
use crate::id::Id;
use mta_sims::cell::Cell;
use mta_sims::config::AlignBy;
use mta_sims::record::Curves;
use mta_sims::world::World;

/// Something that turns cells into curves.
pub trait Engine: Sync {
    /// Name of the result of a cell with this [`Cell::description`]: a hash of everything it depends on.
    fn id(&self, description: &str) -> Id;

    /// Checks a cell before any work starts; `first` of those that differ in seed only.
    ///
    /// # Errors
    /// When this engine cannot run it.
    fn check(&self, cell: &Cell, first: bool) -> Result<(), Error>;

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
    fn run(&self, cell: &Cell) -> Result<Curves, Error>;
}

/// The reference loop on softmax tables.
pub struct Reference;

impl Engine for Reference {
    fn id(&self, description: &str) -> Id {
        Id::of(description)
    }

    /// Makes the worlds that may not exist: the first of each kind, and all whose alignment must be solved for.
    fn check(&self, cell: &Cell, first: bool) -> Result<(), Error> {
        let world = &cell.recipe.config.world;
        if first || world.align_by != AlignBy::Knob {
            World::new(world, cell.seed).map_err(|e| Error::knob(e, &Origin::Together))?;
        }
        Ok(())
    }

    fn run(&self, cell: &Cell) -> Result<Curves, Error> {
        cell.run().map_err(|e| Error::knob(e, &Origin::Together))
    }
}

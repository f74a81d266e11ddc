//! Cells and replicas on the first GPU, where this build has the CUDA engine and this machine a device.

use crate::engine::{Batched, Engine};
use crate::error::{Error, Origin};
use crate::id::Id;
use mta_sims::batch::{self, Replica};
use mta_sims::cell::Cell;
use mta_sims::cost;
use mta_sims::knob::KnobError;
use mta_sims::recipe::Ready;
use mta_sims::record::Curves;
use std::ops::RangeInclusive;

/// The batched engine as a CUDA kernel; cells that it does not run, the batched engine runs.
pub struct Gpu;

/// Cells that a GPU is given at least and at most.
const SOME: RangeInclusive<usize> = 4096..=65_536;

#[cfg(feature = "backend-cuda")]
mod device {
    use super::{Cell, Curves, KnobError, Ready, Replica};
    use mta_sims::batch::cuda::{self, Device};
    use std::sync::OnceLock;

    /// The device, opened once.
    fn device() -> Result<&'static Device, KnobError> {
        static DEVICE: OnceLock<Result<Device, KnobError>> = OnceLock::new();
        DEVICE.get_or_init(Device::open).as_ref().map_err(Clone::clone)
    }

    pub(super) fn open() -> Result<(), KnobError> {
        device().map(|_| ())
    }

    pub(super) fn run(cells: &[Cell]) -> Result<Vec<Result<Curves, KnobError>>, KnobError> {
        device()?.run(cells)
    }

    pub(super) fn success(replicas: &[Replica]) -> Result<Vec<f64>, KnobError> {
        device()?.last_success(replicas)
    }

    pub(super) fn supports(recipe: &Ready) -> Result<(), KnobError> {
        cuda::supports(recipe)
    }
}

#[cfg(not(feature = "backend-cuda"))]
mod device {
    use super::{Cell, Curves, KnobError, Ready, Replica};

    fn unbuilt<T>() -> Result<T, KnobError> {
        Err(KnobError::new("backend", "cuda", "needs a build with the feature backend-cuda"))
    }

    pub(super) fn open() -> Result<(), KnobError> {
        unbuilt()
    }

    pub(super) fn run(_: &[Cell]) -> Result<Vec<Result<Curves, KnobError>>, KnobError> {
        unbuilt()
    }

    pub(super) fn success(_: &[Replica]) -> Result<Vec<f64>, KnobError> {
        unbuilt()
    }

    pub(super) fn supports(_: &Ready) -> Result<(), KnobError> {
        unbuilt()
    }
}

/// Success of a fleet at the training prompts after the last update, by replica.
///
/// # Errors
/// When there is no GPU, or it fails.
pub fn success(replicas: &[Replica]) -> Result<Vec<f64>, Error> {
    device::success(replicas).map_err(about)
}

/// Whether the kernel runs this recipe.
///
/// # Errors
/// Names the first knob that asks for what it does not do.
pub fn supports(recipe: &Ready) -> Result<(), Error> {
    device::supports(recipe).map_err(about)
}

fn about(error: KnobError) -> Error {
    Error::knob(error, &Origin::Together)
}

impl Engine for Gpu {
    /// The bits ought to be those of the batched engine; until that has been seen on devices, the names are others.
    fn id(&self, description: &str) -> Id {
        Id::of(&format!("engine = cuda {}\n{description}", batch::SEMANTICS))
    }

    fn open(&self) -> Result<(), Error> {
        device::open().map_err(about)
    }

    fn costs(&self) -> cost::Engine {
        cost::Engine::Batched
    }

    fn at_once(&self) -> RangeInclusive<usize> {
        SOME
    }

    fn run_together(&self, cells: &[Cell]) -> Vec<Result<Curves, Error>> {
        let ran = match device::run(cells) {
            Ok(ran) => ran,
            Err(error) => return cells.iter().map(|_| Err(about(error.clone()))).collect(),
        };
        let denied: Vec<usize> = (0..cells.len()).filter(|i| ran[*i].is_err()).collect();
        let others: Vec<Cell> = denied.iter().map(|i| cells[*i].clone()).collect();
        let mut all: Vec<Result<Curves, Error>> = ran.into_iter().map(|one| one.map_err(about)).collect();
        for (i, other) in denied.into_iter().zip(Batched.run_together(&others)) {
            all[i] = other;
        }
        all
    }
}

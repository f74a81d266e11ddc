//! Where candle computes.
//!
//! `cuda` is a feature of the build, since candle then compiles its kernels with the toolkit's `nvcc` and links the driver's library: such a build does not
//! start where the loader finds no `libcuda.so.1`. On a GPU a model runs in the composite form (see [`crate::decoder`]), from one thread: candle gives every
//! thread a CUDA stream of its own, and work on one does not wait for what another left unfinished. Models are grown on CPUs in any build: they are small, and the fused form is faster there.

use crate::error::{Error, Result};
use candle_core::Device;
use std::sync::OnceLock;

/// What devices are called.
pub const NAMES: [&str; 2] = ["cpu", "cuda"];

/// What a build without CUDA says.
const UNBUILT: &str = "this build lacks the feature cuda; allowed: cpu, or cuda after cargo build --release --features cuda, which needs the CUDA toolkit \
                       (nvcc) and a driver";

/// The first GPU. candle takes two handles of it for two devices and refuses to mix their tensors, so there is one.
static CUDA: OnceLock<std::result::Result<Device, String>> = OnceLock::new();

/// The device of a name of [`NAMES`]: the CPU, or the first GPU, the same one every time.
///
/// # Errors
/// An unknown name, a build without CUDA, a machine without a GPU or with a driver too old; the message says which, and what is allowed.
pub fn named(name: &str) -> Result<Device> {
    match name {
        "cpu" => Ok(Device::Cpu),
        "cuda" => CUDA.get_or_init(first).clone().map_err(Error::Setting),
        _ => Err(Error::Setting(format!("no such device; allowed: {}", NAMES.join(", ")))),
    }
}

fn first() -> std::result::Result<Device, String> {
    if !candle_core::utils::cuda_is_available() {
        return Err(UNBUILT.into());
    }
    Device::new_cuda(0).map_err(|error| unanswered(&error.to_string()))
}

/// What a machine without a GPU says. Behind its first line candle may put a backtrace.
fn unanswered(error: &str) -> String {
    let reason = error.lines().next().unwrap_or_default();
    format!(
        "no GPU answers: {reason}; allowed: cpu, or cuda where nvidia-smi lists a GPU and a driver no older than the toolkit of this build"
    )
}

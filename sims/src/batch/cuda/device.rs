//! The kernel on an NVIDIA GPU. Driver and NVRTC are loaded when a device is opened; nothing of CUDA is needed to build.
#![allow(unsafe_code)]

use super::carry::Inputs;
use super::machine::{Machine, follow, success, watch};
use super::tables::{Plan, Wanted};
use super::{PARTS, source, supports};
use crate::batch::block::Replica;
use crate::batch::fleet::{Observed, Trail};
use crate::batch::run_by;
use crate::cell::Cell;
use crate::knob::KnobError;
use crate::record::Curves;
use cudarc::driver::sys::CUfunction_attribute_enum;
use cudarc::driver::{CudaContext, CudaFunction, CudaModule, CudaSlice, CudaStream, LaunchConfig, PushKernelArg};
use cudarc::nvrtc::{CompileError, CompileOptions, Ptx, compile_ptx_with_opts};
use libloading::{Library, library_filename};
use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Display;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// Share of the free memory that a fleet may take.
const SHARE: f64 = 0.9;

/// The first GPU, with the kernels compiled for it so far.
pub struct Device {
    context: Arc<CudaContext>,
    /// The virtual architecture that NVRTC compiles for.
    architecture: String,
    /// Whether one kernel serves every fleet, slowly.
    any: bool,
    modules: Mutex<HashMap<String, Arc<CudaModule>>>,
    /// Fleets run one after another.
    turn: Mutex<()>,
}

fn refuse(why: impl Into<String>) -> KnobError {
    KnobError::new("backend", "cuda", why)
}

/// A failure of the driver while doing something.
fn failed<E: Display>(doing: &'static str) -> impl Fn(E) -> KnobError {
    move |error| refuse(format!("must be able to {doing}, and the driver says: {error}"))
}

/// Whether a library of one of these names can be loaded. cudarc looks for more names, and for these, but panics where it finds none.
fn loads(names: &[OsString]) -> bool {
    // SAFETY: the vendor's libraries are made to be loaded; nothing of them is called here.
    names.iter().any(|name| unsafe { Library::new(name) }.is_ok())
}

/// `name` with the numbers that its releases have.
fn releases(name: &str, releases: &[u32]) -> Vec<OsString> {
    let plain = library_filename(name);
    let numbered = releases.iter().map(|release| {
        let mut numbered = plain.clone();
        numbered.push(format!(".{release}"));
        numbered
    });
    [plain.clone()].into_iter().chain(numbered).collect()
}

impl Device {
    /// Opens the first GPU.
    ///
    /// # Errors
    /// One about the backend, when there is no driver, no GPU or no NVRTC.
    pub fn open() -> Result<Self, KnobError> {
        let driver = [releases("cuda", &[1]), vec!["nvcuda.dll".into()]].concat();
        if !loads(&driver) {
            return Err(refuse("needs an NVIDIA driver, and libcuda.so.1 cannot be loaded"));
        }
        if !has_nvrtc() {
            return Err(refuse(
                "needs NVRTC of CUDA 12 or 13, and libnvrtc.so cannot be loaded; its folder may be named in LD_LIBRARY_PATH",
            ));
        }
        let context = CudaContext::new(0).map_err(|error| refuse(format!("needs an NVIDIA GPU, and the driver says: {error}")))?;
        let (major, minor) = context.compute_capability().map_err(failed("ask for the GPU's architecture"))?;
        let architecture = format!("compute_{major}{minor}");
        Ok(Device { context, architecture, any: false, modules: Mutex::default(), turn: Mutex::default() })
    }

    /// The same with one kernel for every fleet, whose sizes and choices are no constants: slower, and compiled once.
    #[cfg(test)]
    pub(super) fn for_any_fleet() -> Result<Self, KnobError> {
        Ok(Device { any: true, ..Device::open()? })
    }

    /// The GPU's name.
    ///
    /// # Errors
    /// When the driver does not tell.
    pub fn name(&self) -> Result<String, KnobError> {
        self.context.name().map_err(failed("ask for the GPU's name"))
    }

    /// Runs cells, in any mixture of recipes and worlds, and gives the curves of each, in their order; the same bits as [`crate::batch::run`].
    ///
    /// # Errors
    /// When the GPU fails; per cell, when [`supports`] denies its recipe or its world cannot be made.
    pub fn run(&self, cells: &[Cell]) -> Result<Vec<Result<Curves, KnobError>>, KnobError> {
        run_by(cells, supports, |fleet| self.watch(fleet))
    }

    /// Runs replicas and gives what is seen of each, in their order, as [`crate::batch::watch`] does.
    ///
    /// # Errors
    /// When the GPU fails, or has no memory for one replica.
    ///
    /// # Panics
    /// As [`crate::batch::watch`].
    pub fn watch(&self, replicas: &[Replica]) -> Result<Vec<Observed>, KnobError> {
        let _turn = self.turn.lock().expect("no fleet panics");
        let parts = replicas.chunks(self.room(&Plan::new(replicas, Wanted::Curves, self.puts()))?).map(|some| watch(self, some));
        Ok(parts.collect::<Result<Vec<_>, _>>()?.concat())
    }

    /// Runs replicas and gives of each its chance of a right response after evaluated steps, as [`crate::batch::success`] does.
    ///
    /// # Errors
    /// When the GPU fails, or has no memory for one replica.
    ///
    /// # Panics
    /// As [`crate::batch::success`].
    pub fn success(&self, replicas: &[Replica]) -> Result<Vec<Vec<f64>>, KnobError> {
        let _turn = self.turn.lock().expect("no fleet panics");
        let parts = replicas.chunks(self.room(&Plan::new(replicas, Wanted::Success, self.puts()))?).map(|some| success(self, some));
        Ok(parts.collect::<Result<Vec<_>, _>>()?.concat())
    }

    /// What many replicas did together, as [`crate::batch::follow`] gives it but for the order of sums.
    ///
    /// # Errors
    /// When the GPU fails, or has no memory for one replica.
    ///
    /// # Panics
    /// For trees.
    pub fn follow(&self, replicas: &[Replica]) -> Result<Trail, KnobError> {
        let _turn = self.turn.lock().expect("no fleet panics");
        follow(self, replicas, self.room(&Plan::new(replicas, Wanted::Trail, self.puts()))?)
    }

    /// Success at the training prompts after the last update, by replica, as [`crate::workloads::batched`] gives it.
    ///
    /// # Errors
    /// When the GPU fails, or has no memory for one replica.
    pub fn last_success(&self, replicas: &[Replica]) -> Result<Vec<f64>, KnobError> {
        if replicas.iter().any(|replica| replica.recipe.config.world.depth > 1) {
            Ok(self.success(replicas)?.into_iter().filter_map(|trail| trail.last().copied()).collect())
        } else {
            Ok(self.follow(replicas)?.success)
        }
    }

    /// Replicas that fit into the free memory.
    fn room(&self, plan: &Plan) -> Result<usize, KnobError> {
        self.context.bind_to_thread().map_err(failed("use the GPU in another thread"))?;
        let (free, _) = self.context.mem_get_info().map_err(failed("ask for free memory"))?;
        let bytes = plan.height() * size_of::<u32>();
        let room = (free as f64 * SHARE / bytes as f64) as usize;
        let allowed = || refuse(format!("must hold one replica, and it needs {bytes} bytes of {free} free"));
        if room == 0 { Err(allowed()) } else { Ok(room.min(1 << 30)) }
    }

    /// A function of the kernel compiled for `plan`.
    fn function(&self, plan: &Plan, name: &str) -> Result<CudaFunction, KnobError> {
        let source = source(&if self.any { plan.open_header() } else { plan.header() });
        let mut modules = self.modules.lock().expect("no compilation panics");
        let module = match modules.get(&source) {
            Some(module) => module.clone(),
            None => {
                let ptx = cached(&source, &self.architecture)?;
                let module = self.context.load_module(Ptx::from_src(ptx)).map_err(failed("load the kernel"))?;
                modules.insert(source, module.clone());
                module
            }
        };
        if self.any {
            self.set_shape(&module, plan)?;
        }
        let function = module.load_function(name).map_err(failed("find the kernel"))?;
        let shared = (plan.shared() * plan.threads() * size_of::<u32>()) as i32;
        let attribute = CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        function.set_attribute(attribute, shared).map_err(failed("ask for shared memory"))?;
        Ok(function)
    }

    /// Sets the sizes and choices of the kernel for every fleet.
    fn set_shape(&self, module: &Arc<CudaModule>, plan: &Plan) -> Result<(), KnobError> {
        let kernel = module.load_function("set_shape").map_err(failed("find the kernel"))?;
        let stream = self.context.default_stream();
        let constants: Vec<u32> = plan.constants.iter().map(|(_, value)| *value).collect();
        let constants = stream.clone_htod(&constants).map_err(failed("copy sizes and choices"))?;
        let one = LaunchConfig { grid_dim: (1, 1, 1), block_dim: (1, 1, 1), shared_mem_bytes: 0 };
        let mut launch = stream.launch_builder(&kernel);
        launch.arg(&constants);
        // SAFETY: this is the parameter of `set_shape`, which reads as many constants as the header has names.
        unsafe { launch.launch(one) }.map_err(failed("set sizes and choices"))?;
        Ok(())
    }
}

/// Whether NVRTC can be loaded.
pub(super) fn has_nvrtc() -> bool {
    loads(&[releases("nvrtc", &[13, 12]), ["nvrtc64_130_0.dll", "nvrtc64_120_0.dll"].map(OsString::from).to_vec()].concat())
}

/// PTX of a kernel, from the user's cache or compiled.
fn cached(source: &str, architecture: &str) -> Result<String, KnobError> {
    let path = cache(&blake3::hash(format!("{architecture}\n{source}").as_bytes()).to_hex());
    if let Some(ptx) = path.as_ref().and_then(|path| std::fs::read_to_string(path).ok()) {
        return Ok(ptx);
    }
    let ptx = compile(source, architecture)?;
    // without a cache the kernel is compiled again the next time, and nothing else is lost
    let _ = path.map(|path| keep(&path, &ptx));
    Ok(ptx)
}

/// Where PTX of this name is kept; nowhere without a home.
fn cache(name: &str) -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let root = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)?;
    Some(root.join("mta-sim").join("kernels").join(format!("{name}.ptx")))
}

/// Writes a file that other processes see whole or not at all.
fn keep(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    std::fs::create_dir_all(path.parent().expect("it is in a folder"))?;
    let draft = path.with_extension(format!("{}.tmp", std::process::id()));
    std::fs::write(&draft, text)?;
    std::fs::rename(draft, path)
}

/// Compiles a kernel, with every operation rounded by itself.
pub(super) fn compile(source: &str, architecture: &str) -> Result<String, KnobError> {
    let options = CompileOptions {
        ftz: Some(false),
        prec_sqrt: Some(true),
        prec_div: Some(true),
        fmad: Some(false),
        options: vec![format!("--gpu-architecture={architecture}"), "--std=c++17".into()],
        ..Default::default()
    };
    compile_ptx_with_opts(source, options).map(|ptx| ptx.to_src()).map_err(|error| match error {
        CompileError::CompileError { log, .. } => refuse(format!("must compile its kernel, and NVRTC says: {}", log.to_string_lossy())),
        other => refuse(format!("must compile its kernel, and NVRTC says: {other}")),
    })
}

/// Tables in the GPU's memory.
pub(super) struct Memory {
    stream: Arc<CudaStream>,
    words: CudaSlice<u32>,
    lists: CudaSlice<u32>,
    replicas: usize,
}

/// As many blocks as `count` threads need, with these rows of shared memory.
fn blocks(plan: &Plan, count: usize, shared: usize) -> LaunchConfig {
    let threads = plan.threads();
    let shared_mem_bytes = (shared * threads * size_of::<u32>()) as u32;
    LaunchConfig { grid_dim: (count.div_ceil(threads) as u32, 1, 1), block_dim: (threads as u32, 1, 1), shared_mem_bytes }
}

impl Machine for Device {
    type Failure = KnobError;
    type Memory = Memory;

    fn puts(&self) -> bool {
        !self.any
    }

    fn load(&self, plan: &Plan, inputs: &Inputs, replicas: usize) -> Result<Memory, KnobError> {
        let stream = self.context.default_stream();
        let mut words = stream.alloc_zeros(plan.height() * replicas).map_err(failed("hold the tables"))?;
        stream.memcpy_htod(&inputs.tables, &mut words.slice_mut(..inputs.tables.len())).map_err(failed("copy the tables"))?;
        let lists = stream.clone_htod(&inputs.lists).map_err(failed("copy the lists of right responses"))?;
        Ok(Memory { stream, words, lists, replicas })
    }

    fn launch(&self, plan: &Plan, memory: &mut Memory, steps: Range<usize>) -> Result<(), KnobError> {
        let kernel = self.function(plan, "run_replicas")?;
        let [replicas, first, end] = [memory.replicas, steps.start, steps.end].map(|n| n as u32);
        let mut launch = memory.stream.launch_builder(&kernel);
        launch.arg(&mut memory.words).arg(&memory.lists).arg(&replicas).arg(&first).arg(&end);
        // SAFETY: these are the parameters of `run_replicas` in their order, and the memory has all rows of the plan's tables, in which the kernel stays.
        unsafe { launch.launch(blocks(plan, memory.replicas, plan.shared())) }.map_err(failed("run the kernel"))?;
        Ok(())
    }

    fn sums(&self, plan: &Plan, memory: &Memory, rows: Range<usize>) -> Result<Vec<f64>, KnobError> {
        let kernel = self.function(plan, "sum_rows")?;
        let count = rows.len() * PARTS;
        let mut parts = memory.stream.alloc_zeros::<f64>(count).map_err(failed("hold sums"))?;
        let [replicas, first, end] = [memory.replicas, rows.start, rows.end].map(|n| n as u32);
        let mut launch = memory.stream.launch_builder(&kernel);
        launch.arg(&memory.words).arg(&replicas).arg(&first).arg(&end).arg(&mut parts);
        // SAFETY: these are the parameters of `sum_rows` in their order, the rows are the plan's, and there is a part for every thread.
        unsafe { launch.launch(blocks(plan, count, 0)) }.map_err(failed("sum rows"))?;
        memory.stream.clone_dtoh(&parts).map_err(failed("copy sums"))
    }

    fn read(&self, memory: &Memory, rows: Range<usize>) -> Result<Vec<u32>, KnobError> {
        let words = memory.words.slice(rows.start * memory.replicas..rows.end * memory.replicas);
        memory.stream.clone_dtoh(&words).map_err(failed("copy results"))
    }
}

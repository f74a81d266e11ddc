//! The kernel compiled as C++ and run on the CPU: for the tests.
#![allow(unsafe_code)]

use super::carry::Inputs;
use super::machine::Machine;
use super::tables::Plan;
use super::{PARTS, source};
use libloading::{Library, Symbol};
use std::convert::Infallible;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

/// What stands around the kernel.
const HOST: &str = include_str!("host.cpp");

/// Words of shared memory there.
const SHARED_WORDS: usize = 1 << 16;

/// A compiled kernel.
pub(super) struct Host {
    library: Library,
    /// Whether sizes and choices are variables of the library.
    open: bool,
}

/// The first C++ compiler that answers.
pub(super) fn compiler() -> Option<String> {
    let named = std::env::var("CXX").ok();
    let answers = |name: &String| Command::new(name).arg("--version").output().is_ok_and(|out| out.status.success());
    named.into_iter().chain(["c++", "g++", "clang++"].map(String::from)).find(answers)
}

impl Host {
    /// A kernel for every fleet.
    pub(super) fn open(compiler: &str, any: &Plan) -> Self {
        Host { library: compile(compiler, &any.open_header(), "-O2"), open: true }
    }

    /// The kernel that a device would compile for one fleet.
    pub(super) fn closed(compiler: &str, plan: &Plan) -> Self {
        Host { library: compile(compiler, &plan.header(), "-O1"), open: false }
    }
}

/// Compiles the kernel without contraction, so that every operation rounds by itself, and loads it.
fn compile(compiler: &str, header: &str, optimise: &str) -> Library {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (text, library) = (folder.path().join("kernel.cpp"), folder.path().join("kernel.so"));
    std::fs::write(&text, HOST.replace("#include \"kernel.cu\"\n", &source(header))).expect("a temporary file");
    let mut command = Command::new(compiler);
    command.args(["-std=c++17", optimise, "-ffp-contract=off", "-shared", "-fPIC"]);
    if has_fma() {
        command.arg("-mfma");
    }
    let out = command.arg("-o").args([&library, &text]).output().expect("the compiler has answered before");
    assert!(out.status.success(), "{compiler} says: {}", String::from_utf8_lossy(&out.stderr));
    load(&library)
}

#[cfg(target_arch = "x86_64")]
fn has_fma() -> bool {
    std::arch::is_x86_feature_detected!("fma")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_fma() -> bool {
    false
}

fn load(path: &Path) -> Library {
    // SAFETY: the library is the kernel just compiled, and nothing in it runs when it is loaded.
    unsafe { Library::new(path) }.expect("what was compiled can be loaded")
}

/// Tables of a fleet.
pub(super) struct Memory {
    pub(super) words: Vec<u32>,
    lists: Vec<u32>,
    replicas: usize,
}

impl Host {
    /// A function of the library, with the fleet's sizes and choices set in this thread.
    ///
    /// # Safety
    /// `F` must be the function's type.
    unsafe fn function<F>(&self, plan: &Plan, name: &[u8]) -> Symbol<'_, F> {
        let constants: Vec<u32> = plan.constants.iter().map(|(_, value)| *value).collect();
        if self.open {
            // SAFETY: this is the type of `set_shape`, which reads as many constants as the header has names.
            unsafe {
                let set: Symbol<unsafe extern "C" fn(*const u32)> = self.library.get(b"set_shape").expect("it is there");
                set(constants.as_ptr());
            }
        }
        // SAFETY: promised by the caller.
        unsafe { self.library.get(name) }.expect("it is there")
    }
}

impl Machine for Host {
    type Failure = Infallible;
    type Memory = Memory;

    fn puts(&self) -> bool {
        !self.open
    }

    fn load(&self, plan: &Plan, inputs: &Inputs, replicas: usize) -> Result<Memory, Infallible> {
        assert!(plan.shared() * plan.threads() <= SHARED_WORDS, "host.cpp has less shared memory than the plan asks for");
        let mut words = vec![0; plan.height() * replicas];
        words[..inputs.tables.len()].copy_from_slice(&inputs.tables);
        Ok(Memory { words, lists: inputs.lists.clone(), replicas })
    }

    fn launch(&self, plan: &Plan, memory: &mut Memory, steps: Range<usize>) -> Result<(), Infallible> {
        let [replicas, first, end] = [memory.replicas, steps.start, steps.end].map(|n| n as u32);
        // SAFETY: this is the type of `launch_replicas`, and the memory has all rows of the plan's tables, in which the kernel stays.
        unsafe {
            let launch: Symbol<unsafe extern "C" fn(*mut u32, *const u32, u32, u32, u32)> = self.function(plan, b"launch_replicas");
            launch(memory.words.as_mut_ptr(), memory.lists.as_ptr(), replicas, first, end);
        }
        Ok(())
    }

    fn sums(&self, plan: &Plan, memory: &Memory, rows: Range<usize>) -> Result<Vec<f64>, Infallible> {
        let mut parts = vec![0.0; rows.len() * PARTS];
        let [replicas, first, end] = [memory.replicas, rows.start, rows.end].map(|n| n as u32);
        // SAFETY: this is the type of `launch_sums`, the rows are the plan's, and there is a part for every thread.
        unsafe {
            let launch: Symbol<unsafe extern "C" fn(*const u32, u32, u32, u32, *mut f64)> = self.function(plan, b"launch_sums");
            launch(memory.words.as_ptr(), replicas, first, end, parts.as_mut_ptr());
        }
        Ok(parts)
    }

    fn read(&self, memory: &Memory, rows: Range<usize>) -> Result<Vec<u32>, Infallible> {
        Ok(memory.words[rows.start * memory.replicas..rows.end * memory.replicas].to_vec())
    }
}

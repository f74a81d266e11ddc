//! The kernel compiled as C++ and run on the CPU: for the tests.
#![allow(unsafe_code)]

use super::tables::Plan;
use super::{Machine, source};
use libloading::{Library, Symbol};
use std::convert::Infallible;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

/// What stands around the kernel.
const HOST: &str = include_str!("host.cpp");

/// A compiled kernel.
pub(super) struct Host {
    library: Library,
    /// Whether sizes and choices are variables of the library.
    open: bool,
}

/// Steps of a launch.
const STRIDE: usize = 7;

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
    if let Ok(copy) = std::env::var("MTA_SIM_KERNEL") {
        std::fs::copy(&text, copy).expect("the path in MTA_SIM_KERNEL can be written");
    }
    let mut command = Command::new(compiler);
    command.args(["-std=c++17", optimise, "-ffp-contract=off", "-shared", "-fPIC", "-Wall", "-Wno-unused", "-Wno-unknown-pragmas", "-Werror"]);
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

impl Host {
    /// Runs some steps of a fleet.
    pub(super) fn launch(&self, plan: &Plan, tables: &mut [u32], replicas: usize, steps: Range<usize>) {
        let constants: Vec<u32> = plan.constants.iter().map(|(_, value)| *value).collect();
        assert_eq!(tables.len(), plan.height() * replicas);
        // SAFETY: the types are those of `set_shape` and `launch_replicas` in the sources: as many constants as the header names, and one block of memory with all rows of
        // the plan's tables, in which the kernel stays.
        unsafe {
            if self.open {
                let shape: Symbol<unsafe extern "C" fn(*const u32)> = self.library.get(b"set_shape").expect("it is there");
                shape(constants.as_ptr());
            }
            let launch: Symbol<unsafe extern "C" fn(*mut u32, u32, u32, u32)> = self.library.get(b"launch_replicas").expect("it is there");
            launch(tables.as_mut_ptr(), replicas as u32, steps.start as u32, steps.end as u32);
        }
    }
}

impl Machine for Host {
    type Failure = Infallible;

    fn run(&self, plan: &Plan, tables: &mut [u32], replicas: usize) -> Result<(), Infallible> {
        for steps in super::launches(plan, STRIDE) {
            self.launch(plan, tables, replicas, steps);
        }
        Ok(())
    }
}

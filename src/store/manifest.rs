//! The manifest: what made a run folder.

use crate::error::Error;
use serde::Serialize;
use std::path::Path;

/// Versions, command and times of a run.
#[derive(Debug, Serialize)]
pub struct Manifest {
    /// `mta-sim`.
    pub program: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Revision it was built from; `unknown` outside a checkout.
    pub git_revision: &'static str,
    /// Compiler it was built with.
    pub rustc: &'static str,
    /// Target it was built for.
    pub target: &'static str,
    /// Version of the meaning of a cell.
    pub semantics: u32,
    /// The command line.
    pub command: String,
    /// First seed.
    pub seed: u64,
    /// Number of seeds.
    pub seeds: usize,
    /// Rows of the results.
    pub rows: usize,
    /// Different cells among them.
    pub cells: usize,
    /// Cells found finished at the start.
    pub cells_reused: usize,
    /// Threads used.
    pub threads: usize,
    /// Start, UTC.
    pub started: String,
    /// End, UTC.
    pub finished: String,
    /// Wall-clock seconds of this run.
    pub seconds: f64,
}

impl Manifest {
    /// Writes `manifest.json`.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(self).expect("the manifest is plain data");
        super::write_whole(&folder.join("manifest.json"), text.as_bytes())
    }
}

//! The run folder: what is written where, and how it survives a kill at any moment.
//!
//! | file | what | written |
//! |---|---|---|
//! | `plan.jsonl` | the cells: one per line, with its name and cost ([`planned`]) | before the first cell |
//! | `config.toml` | the settings as run, complete | before the first cell |
//! | `shards/*.jsonl` | journals: finished cells, one per line, with a checksum ([`journal`]) | appended as cells finish |
//! | `shards/*.parquet` | published cells, with a checksum in the name ([`published`]) | when a shard ends |
//! | `shards/*.json` | what shards are doing ([`state`]) | every few seconds |
//! | `.lock` | who works here ([`lock`]) | first of all |
//! | `results.parquet`, `summary.csv` | one row per cell and seed | at the end |
//! | `history.parquet` | one row per cell, seed and evaluated step | at the end |
//! | `manifest.json` | versions, git revision, command, times | at the end |
//! | `thresholds.csv`, `thresholds.parquet` | one row per threshold | at the end of `--refine` |
//! | `figures/` | pictures with their data | at the end |
//! | `report.html` | the run as one page | by `mta-sim report` |
//!
//! All but journals are written to a temporary name, flushed to the disk and renamed, so a file is whole or absent. Why there are journals and published
//! files is said in [`crate::shard`].

pub mod cells;
pub mod journal;
pub mod lock;
pub mod manifest;
pub mod parquet;
pub mod planned;
pub mod published;
pub mod run;
pub mod state;

use crate::error::Error;
use mta_llm::atomic;
use std::path::Path;

/// Digits of a check.
const CHECK_DIGITS: usize = 16;

/// The start of a BLAKE3 hash: by it damage is seen.
fn check(hash: &blake3::Hash) -> String {
    hash.to_hex()[..CHECK_DIGITS].to_string()
}

/// Writes `bytes` to `path`, whole or not at all.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    Ok(atomic::file(path, bytes)?)
}

/// Makes sure that the folder is new, or one of ours: only a run folder's own `config.toml` may be written over.
pub fn check_owner(folder: &Path) -> Result<(), Error> {
    let path = folder.join(planned::SETTINGS);
    if path.exists() && !folder.join(planned::NAME).exists() {
        let what = format!("is not a run's own ({} is missing beside it) and would be written over; choose another --out", planned::NAME);
        return Err(Error::damaged(&path, what));
    }
    Ok(())
}

/// Makes the folder, and makes sure that files can be written there.
pub fn prepare(folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(Error::file(folder, "is no folder to write to"))?;
    let probe = folder.join(".writable.tmp");
    std::fs::write(&probe, b"").map_err(Error::file(folder, "cannot be written to"))?;
    std::fs::remove_file(&probe).map_err(Error::file(folder, "cannot be written to"))
}

/// Makes sure that tables from an earlier run are whole.
pub fn check_tables(folder: &Path) -> Result<(), Error> {
    for name in ["results.parquet", "history.parquet"] {
        let path = folder.join(name);
        if path.exists() {
            parquet::check(&path)?;
        }
    }
    Ok(())
}

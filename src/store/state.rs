//! `shards/<shard>.json`: what a shard's last process was doing, for [`crate::status`].
//!
//! Times are durations measured by a clock that cannot be set, so that nobody is fooled by one that can. Nothing but the status depends on this file.

use crate::error::Error;
use crate::store::{cells, write_whole};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// How far a shard's process has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It runs cells, or was killed while it did: then nobody holds the shard's journal.
    Running,
    /// Somebody stopped it.
    Stopped,
    /// It met an error.
    Failed,
    /// It has finished all its cells.
    Finished,
}

/// What a shard's last process was doing when it last said so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// How far it has come.
    pub phase: Phase,
    /// The error it met.
    pub error: Option<String>,
    /// Cells of the shard.
    pub cells: usize,
    /// Of these, finished, by this process or before.
    pub finished: usize,
    /// Cells finished by this process.
    pub done: usize,
    /// Seconds since the process began.
    pub seconds: f64,
    /// The process.
    pub process: u32,
}

/// Where the state of `shard` stands.
fn path(folder: &Path, shard: &str) -> PathBuf {
    folder.join(cells::FOLDER).join(format!("{shard}.json"))
}

impl State {
    /// Writes the state of `shard`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path, shard: &str) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(self).expect("a state is plain data");
        write_whole(&path(folder, shard), (text + "\n").as_bytes())
    }

    /// The states of all shards of a run folder, with the shards' names.
    ///
    /// # Errors
    /// When one cannot be read or is damaged.
    pub fn all(folder: &Path) -> Result<Vec<(String, Self)>, Error> {
        let read = |path: PathBuf| {
            let text = std::fs::read_to_string(&path).map_err(Error::file(&path, "cannot be read"))?;
            let state = serde_json::from_str(&text).map_err(|e| Error::damaged(&path, format!("is damaged ({e}); remove it")))?;
            Ok((path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), state))
        };
        cells::files(&folder.join(cells::FOLDER), "json")?.into_iter().map(read).collect()
    }

    /// Forgets the states of all shards: the plan they spoke of is another one now.
    ///
    /// # Errors
    /// When they cannot be removed.
    pub fn forget(folder: &Path) -> Result<(), Error> {
        let files = cells::files(&folder.join(cells::FOLDER), "json")?;
        files.iter().try_for_each(|path| std::fs::remove_file(path).map_err(Error::file(path, "cannot be removed")))
    }
}

//! Files and folders that appear whole or not at all.
//!
//! A file is written beside its place, flushed to disk and renamed. A folder is filled beside its place; one that stands there already steps aside for the
//! rename, and [`settle`] brings it back should the program die just between.

use crate::error::{Error, Result};
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Puts `bytes` at `path`; a crash leaves the old file or the new one.
///
/// # Errors
/// When the disk refuses.
pub fn file(path: &Path, bytes: &[u8]) -> Result<()> {
    let partial = beside(path, "partial");
    let written = fs::write(&partial, bytes).map_err(Error::file(path, "cannot be written")).and_then(|()| flush(&partial));
    written.and_then(|()| rename(&partial, path)).inspect_err(|_| drop(fs::remove_file(&partial)))
}

/// Puts a folder at `path` that `fill` fills; a crash leaves the old folder or the new one, once [`settle`] has run.
///
/// # Errors
/// When the disk or `fill` refuses.
pub fn folder(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    settle(path)?;
    let (partial, former) = (beside(path, "partial"), beside(path, "former"));
    remove(&partial)?;
    fs::create_dir_all(&partial).map_err(Error::file(&partial, "cannot be made"))?;
    fill(&partial)?;
    flush_all(&partial)?;
    if path.exists() {
        rename(path, &former)?;
    }
    rename(&partial, path)?;
    remove(&former)
}

/// Ends a replacement that was cut short: a former folder goes back where none stands, and away where a new one does.
///
/// # Errors
/// When the disk refuses.
pub fn settle(path: &Path) -> Result<()> {
    let former = beside(path, "former");
    match (path.exists(), former.exists()) {
        (false, true) => rename(&former, path),
        _ => remove(&former),
    }
}

/// `.name.ending`, next to `path`.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".");
    name.push(ending);
    path.with_file_name(name)
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() { fs::remove_dir_all(folder).map_err(Error::file(folder, "cannot be removed")) } else { Ok(()) }
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(Error::file(to, "cannot be put in place"))?;
    match to.parent().filter(|p| !p.as_os_str().is_empty()) {
        Some(parent) => flush(parent),
        None => flush(Path::new(".")),
    }
}

/// Every file in a folder, and the folder.
fn flush_all(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(Error::file(folder, "cannot be listed"))? {
        flush(&entry.map_err(Error::file(folder, "cannot be listed"))?.path())?;
    }
    flush(folder)
}

/// Waits until the disk holds it; folders are flushed where the system can.
fn flush(path: &Path) -> Result<()> {
    match File::open(path).and_then(|f| f.sync_all()) {
        Err(_) if path.is_dir() => Ok(()),
        done => done.map_err(Error::file(path, "cannot be flushed to disk")),
    }
}

//! Files and folders that appear whole or not at all.
//!
//! A file is written beside its place, flushed to disk and renamed. A folder is filled beside its place; one that stands there already steps aside for the
//! rename, and [`settle`] brings it back should the program die just between.

use crate::error::{Error, Result};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Puts `bytes` at `path`; a crash leaves the old file or the new one.
///
/// # Errors
/// When the disk refuses.
pub fn file(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut partial = Partial::new(path)?;
    partial.write_all(bytes).map_err(Error::file(path, "cannot be written"))?;
    partial.commit()
}

/// A file being written beside its place. It leaves nothing unless it is put there.
pub struct Partial {
    file: BufWriter<File>,
    partial: PathBuf,
    path: PathBuf,
}

impl Partial {
    /// Begins a file that will stand at `path`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn new(path: &Path) -> Result<Self> {
        let partial = beside(path, "partial");
        let file = File::create(&partial).map_err(Error::file(path, "cannot be written"))?;
        Ok(Partial { file: BufWriter::new(file), partial, path: path.into() })
    }

    /// Flushes it to the disk and puts it in its place; a crash leaves the old file or the new one.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn commit(self) -> Result<()> {
        let path = self.path.clone();
        self.commit_as(&path)
    }

    /// The same under another name, one that was not known before all was written.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn commit_as(mut self, path: &Path) -> Result<()> {
        self.file.flush().and_then(|()| self.file.get_ref().sync_all()).map_err(Error::file(path, "cannot be written"))?;
        rename(&self.partial, path)
    }
}

impl Write for Partial {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Partial {
    /// After it was put in its place there is nothing left to remove.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.partial);
    }
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

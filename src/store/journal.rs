//! The journal of finished cells: appended line by line, checked line by line.
//!
//! A line is `{"check":"<16 hex digits>","cell":{...}}`, the check being the start of the BLAKE3 hash of the cell's text. A kill in the middle of a write
//! leaves a last line without its end; it is dropped, and its cell runs again. Any other damage is an error, because nothing this program does causes it.

use crate::error::Error;
use mta_sims::record::Curves;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Name of the journal in a run folder.
pub const NAME: &str = "cells.jsonl";

/// A finished cell.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finished {
    /// The cell's id.
    pub id: String,
    /// Its curves.
    pub curves: Curves,
}

/// An open journal. Nobody else can write to it meanwhile.
pub struct Journal {
    path: PathBuf,
    file: File,
    finished: HashMap<String, Curves>,
}

const HEAD: &str = "{\"check\":\"";
const MIDDLE: &str = "\",\"cell\":";
const CHECK_DIGITS: usize = 16;

impl Journal {
    /// Opens or makes the journal of `folder` and reads what it holds.
    ///
    /// # Errors
    /// When it cannot be read or written, is damaged, or another process writes to it.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(NAME);
        let file = File::options().read(true).append(true).create(true).open(&path).map_err(Error::file(&path, "cannot be opened"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Damaged {
                    path,
                    what: "another mta-sim is writing to this run folder; wait for it, or choose another --out".into(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(Error::File { path, what: "cannot be locked", source }),
        }
        let mut journal = Journal { path, file, finished: HashMap::new() };
        journal.load()?;
        Ok(journal)
    }

    /// The finished cells, by id.
    pub fn finished(&self) -> &HashMap<String, Curves> {
        &self.finished
    }

    /// Adds a finished cell, in one write.
    pub fn append(&mut self, id: String, curves: Curves) -> Result<(), Error> {
        let finished = Finished { id, curves };
        let body = serde_json::to_string(&finished).expect("curves are plain data");
        let line = format!("{HEAD}{}{MIDDLE}{body}}}\n", check(body.as_bytes()));
        self.file.write_all(line.as_bytes()).map_err(Error::file(&self.path, "cannot be written"))?;
        self.finished.insert(finished.id, finished.curves);
        Ok(())
    }

    /// Waits until everything is on the disk.
    pub fn sync(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(Error::file(&self.path, "cannot be written"))
    }

    fn load(&mut self) -> Result<(), Error> {
        let mut bytes = Vec::new();
        self.file
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.file.read_to_end(&mut bytes))
            .map_err(Error::file(&self.path, "cannot be read"))?;
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        let mut lines = 0;
        for line in bytes[..whole].split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
            lines += 1;
            let finished = read_line(line).ok_or_else(|| self.damaged(lines))?;
            self.finished.insert(finished.id, finished.curves);
        }
        if !is_cut_line(&bytes[whole..]) {
            return Err(self.damaged(lines + 1));
        }
        if whole < bytes.len() {
            self.file.set_len(whole as u64).map_err(Error::file(&self.path, "cannot be written"))?;
        }
        Ok(())
    }

    fn damaged(&self, line: usize) -> Error {
        let what = format!(
            "line {line} is damaged (its checksum does not match); nothing was changed. Restore the file, delete that line, or choose another --out"
        );
        Error::Damaged { path: self.path.clone(), what }
    }
}

fn check(body: &[u8]) -> String {
    blake3::hash(body).to_hex()[..CHECK_DIGITS].to_string()
}

/// Whether `rest` is what a kill leaves: the beginning of a line, or nothing. Anything else is somebody's and stays.
fn is_cut_line(rest: &[u8]) -> bool {
    let common = rest.len().min(HEAD.len());
    rest[..common] == HEAD.as_bytes()[..common]
}

fn read_line(line: &[u8]) -> Option<Finished> {
    let rest = line.strip_prefix(HEAD.as_bytes())?;
    let (sum, rest) = rest.split_at_checked(CHECK_DIGITS)?;
    let body = rest.strip_prefix(MIDDLE.as_bytes())?.strip_suffix(b"}")?;
    (check(body).as_bytes() == sum).then(|| serde_json::from_slice(body).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curves(x: f64) -> Curves {
        Curves { alignment: x, chosen: vec![3], steps: vec![0, 1], values: vec![vec![Some(x), None], vec![Some(1e-300), Some(0.1 + 0.2)]] }
    }

    #[test]
    fn what_was_written_is_read_to_the_last_bit() {
        let folder = tempfile::tempdir().unwrap();
        Journal::open(folder.path()).unwrap().append("a".into(), curves(0.1)).unwrap();
        assert_eq!(Journal::open(folder.path()).unwrap().finished()["a"], curves(0.1));
    }

    #[test]
    fn a_cut_last_line_is_dropped_and_any_other_damage_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let mut journal = Journal::open(folder.path()).unwrap();
        journal.append("a".into(), curves(0.1)).unwrap();
        journal.append("b".into(), curves(0.2)).unwrap();
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        for cut in [1, 40, 60] {
            std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            let journal = Journal::open(folder.path()).unwrap();
            assert!(journal.finished().contains_key("a") && !journal.finished().contains_key("b"));
        }
        let mut flipped = whole;
        flipped[50] ^= 1;
        std::fs::write(&path, &flipped).unwrap();
        assert!(Journal::open(folder.path()).err().unwrap().to_string().contains("line 1 is damaged"));
        assert_eq!(std::fs::read(&path).unwrap(), flipped, "a damaged journal is left as it is");
    }

    #[test]
    fn two_writers_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Journal::open(folder.path()).unwrap();
        assert!(Journal::open(folder.path()).err().unwrap().to_string().contains("another mta-sim"));
    }
}

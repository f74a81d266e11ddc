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
                return Err(Error::damaged(&path, "another mta-sim is writing to this run folder; wait for it, or choose another --out"));
            }
            Err(TryLockError::Error(source)) => return Err(Error::file(&path, "cannot be locked")(source)),
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
        let whole = whole_lines(&bytes);
        let lines = read_lines(&bytes[..whole], &mut self.finished).map_err(|line| damaged(&self.path, line))?;
        if !is_cut_line(&bytes[whole..]) {
            return Err(damaged(&self.path, lines + 1));
        }
        if whole < bytes.len() {
            self.file.set_len(whole as u64).map_err(Error::file(&self.path, "cannot be written"))?;
        }
        Ok(())
    }
}

/// Reads a journal that somebody else may be writing to: each look reads on from where the last one ended, and changes nothing.
pub struct Reader {
    path: PathBuf,
    read: u64,
    lines: usize,
    finished: HashMap<String, Curves>,
}

impl Reader {
    /// A reader of the journal of `folder`; nothing is read yet.
    pub fn new(folder: &Path) -> Self {
        Reader { path: folder.join(NAME), read: 0, lines: 0, finished: HashMap::new() }
    }

    /// The finished cells seen so far, by id.
    pub fn finished(&self) -> &HashMap<String, Curves> {
        &self.finished
    }

    /// Reads what has been added since the last look; a journal that became shorter is read from its start, one that does not exist is empty.
    ///
    /// # Errors
    /// When it cannot be read or is damaged; a last line without its end is still being written.
    pub fn refresh(&mut self) -> Result<(), Error> {
        let Some(mut file) = self.open()? else { return Ok(()) };
        let length = file.metadata().map_err(Error::file(&self.path, "cannot be read"))?.len();
        if length < self.read {
            *self = Reader { path: std::mem::take(&mut self.path), read: 0, lines: 0, finished: HashMap::new() };
        }
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(self.read))
            .and_then(|_| file.read_to_end(&mut bytes))
            .map_err(Error::file(&self.path, "cannot be read"))?;
        let whole = whole_lines(&bytes);
        self.lines += read_lines(&bytes[..whole], &mut self.finished).map_err(|line| damaged(&self.path, self.lines + line))?;
        self.read += whole as u64;
        if is_cut_line(&bytes[whole..]) { Ok(()) } else { Err(damaged(&self.path, self.lines + 1)) }
    }

    fn open(&self) -> Result<Option<File>, Error> {
        match File::open(&self.path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            other => other.map(Some).map_err(Error::file(&self.path, "cannot be opened")),
        }
    }
}

fn damaged(path: &Path, line: usize) -> Error {
    let what = format!(
        "line {line} is damaged (its checksum does not match); nothing was changed. Restore the file, delete that line, or choose another --out"
    );
    Error::damaged(path, what)
}

/// Bytes up to the end of the last whole line.
fn whole_lines(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1)
}

/// Adds the cells of whole lines to `finished`; returns how many lines there were, or the number of the first damaged one.
fn read_lines(bytes: &[u8], finished: &mut HashMap<String, Curves>) -> Result<usize, usize> {
    let mut lines = 0;
    for line in bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
        lines += 1;
        let cell = read_line(line).ok_or(lines)?;
        finished.insert(cell.id, cell.curves);
    }
    Ok(lines)
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
    fn a_reader_follows_a_writer_and_waits_for_the_end_of_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let mut reader = Reader::new(folder.path());
        reader.refresh().unwrap();
        let mut journal = Journal::open(folder.path()).unwrap();
        journal.append("a".into(), curves(0.1)).unwrap();
        reader.refresh().unwrap();
        assert_eq!(reader.finished()["a"], curves(0.1));
        journal.append("b".into(), curves(0.2)).unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 9]).unwrap();
        reader.refresh().unwrap();
        assert_eq!(reader.finished().len(), 1, "the second line has no end yet");
        std::fs::write(&path, &whole).unwrap();
        reader.refresh().unwrap();
        assert_eq!(reader.finished()["b"], curves(0.2));
        std::fs::write(&path, &whole[..whole.len() / 2 + 1]).unwrap();
        reader.refresh().unwrap();
        assert_eq!(reader.finished().len(), 1, "a shorter journal is another one");
        std::fs::write(&path, [&whole[..], b"cells I like\n"].concat()).unwrap();
        assert!(reader.refresh().unwrap_err().to_string().contains("line 3 is damaged"));
    }

    #[test]
    fn two_writers_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Journal::open(folder.path()).unwrap();
        assert!(Journal::open(folder.path()).err().unwrap().to_string().contains("another mta-sim"));
    }
}

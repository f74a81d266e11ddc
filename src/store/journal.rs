//! The journal of a shard: cells appended as they finish, line by line, and checked line by line.
//!
//! A line is `{"check":"<16 hex digits>","cell":{...}}`, the check being the start of the BLAKE3 hash of the cell's text. A kill in the middle of a write
//! leaves a last line without its end; it is dropped, and its cell runs again. Any other damage is an error, because nothing this program does causes it.

use crate::error::Error;
use crate::id::Id;
use crate::store::{CHECK_DIGITS, check, lock};
use mta_sims::record::Curves;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A finished cell.
#[derive(Serialize, Deserialize)]
struct Finished<C> {
    id: Id,
    curves: C,
}

/// Where a journal holds a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The cell.
    pub id: Id,
    /// First byte of its line.
    pub at: u64,
    /// Bytes of its line, without the end.
    pub length: u32,
}

/// An open journal. Nobody else can write to it meanwhile.
pub struct Journal {
    path: PathBuf,
    file: File,
    length: u64,
}

const HEAD: &str = "{\"check\":\"";
const MIDDLE: &str = "\",\"cell\":";

/// The line of a finished cell, with its end.
pub fn line(id: Id, curves: &Curves) -> String {
    let body = serde_json::to_string(&Finished { id, curves }).expect("curves are plain data");
    format!("{HEAD}{}{MIDDLE}{body}}}\n", check(&blake3::hash(body.as_bytes())))
}

impl Journal {
    /// Opens or makes the journal at `path`; a last line without its end is dropped.
    ///
    /// # Errors
    /// When it cannot be read or written, is damaged, or another process writes to it.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = File::options().read(true).append(true).create(true).open(path).map_err(Error::file(path, "cannot be opened"))?;
        lock::exclusive(&file, path, "another mta-sim is running this shard; wait for it")?;
        let mut journal = Journal { path: path.into(), file, length: 0 };
        let scan = Scan::of(&mut journal.file, path)?;
        journal.shorten(scan.whole)?;
        Ok(journal)
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it holds no cell.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Adds whole lines, in one write.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn append(&mut self, lines: &[u8]) -> Result<(), Error> {
        self.file.write_all(lines).map_err(Error::file(&self.path, "cannot be written"))?;
        self.length += lines.len() as u64;
        Ok(())
    }

    /// Waits until everything is on the disk.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(Error::file(&self.path, "cannot be written"))
    }

    /// Forgets everything: it is kept elsewhere.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn clear(&mut self) -> Result<(), Error> {
        self.shorten(0)?;
        self.sync()
    }

    fn shorten(&mut self, length: u64) -> Result<(), Error> {
        self.length = length;
        self.file.set_len(length).map_err(Error::file(&self.path, "cannot be written"))
    }
}

/// A journal as it is now, to be read only.
pub struct Scan {
    path: PathBuf,
    file: File,
    /// The cells of whole lines, in their order.
    pub entries: Vec<Entry>,
}

/// What a look at a journal finds.
struct Found {
    entries: Vec<Entry>,
    /// Bytes up to the end of the last whole line.
    whole: u64,
}

impl Found {
    /// Adds a line as it was read; whether it is one of ours, or the beginning of one at the end of the file.
    fn add(&mut self, line: &[u8]) -> bool {
        let Some(text) = line.strip_suffix(b"\n") else { return is_cut_line(line) };
        let (Some(id), Ok(length)) = (body(text).and_then(id), u32::try_from(text.len())) else { return false };
        self.entries.push(Entry { id, at: self.whole, length });
        self.whole += line.len() as u64;
        true
    }
}

impl Scan {
    /// Looks at the journal at `path`; somebody else may be writing to it.
    ///
    /// # Errors
    /// When it cannot be read or is damaged; a last line without its end is still being written.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let mut file = File::open(path).map_err(Error::file(path, "cannot be opened"))?;
        let Found { entries, .. } = Scan::of(&mut file, path)?;
        Ok(Scan { path: path.into(), file, entries })
    }

    fn of(file: &mut File, path: &Path) -> Result<Found, Error> {
        let mut found = Found { entries: Vec::new(), whole: 0 };
        let mut line = Vec::new();
        file.seek(SeekFrom::Start(0)).map_err(Error::file(path, "cannot be read"))?;
        let mut reader = BufReader::new(file);
        while reader.read_until(b'\n', &mut line).map_err(Error::file(path, "cannot be read"))? > 0 {
            if !found.add(&line) {
                return Err(damaged(path, found.entries.len() + 1));
            }
            line.clear();
        }
        Ok(found)
    }

    /// The curves of an entry.
    ///
    /// # Errors
    /// When they cannot be read any more.
    pub fn curves(&mut self, at: u64, length: u32) -> Result<Curves, Error> {
        let mut bytes = vec![0; length as usize];
        self.file
            .seek(SeekFrom::Start(at))
            .and_then(|_| self.file.read_exact(&mut bytes))
            .map_err(Error::file(&self.path, "cannot be read"))?;
        let finished = body(&bytes).and_then(|body| serde_json::from_slice::<Finished<Curves>>(body).ok());
        let curves = finished.map(|finished| finished.curves).filter(|curves| curves.is_whole());
        curves.ok_or_else(|| Error::damaged(&self.path, format!("byte {at} begins a cell of another version, or was changed meanwhile")))
    }
}

fn damaged(path: &Path, line: usize) -> Error {
    let what = format!(
        "line {line} is damaged (its checksum does not match); nothing was changed. Restore the file, delete that line, or choose another --out"
    );
    Error::damaged(path, what)
}

/// Whether `rest` is what a kill leaves: the beginning of a line, or nothing. Anything else is somebody's and stays.
fn is_cut_line(rest: &[u8]) -> bool {
    let common = rest.len().min(HEAD.len());
    rest[..common] == HEAD.as_bytes()[..common]
}

/// The cell's text, where it is what was written.
fn body(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(HEAD.as_bytes())?;
    let (sum, rest) = rest.split_at_checked(CHECK_DIGITS)?;
    let body = rest.strip_prefix(MIDDLE.as_bytes())?.strip_suffix(b"}")?;
    (check(&blake3::hash(body)).as_bytes() == sum).then_some(body)
}

/// The name at the beginning of a cell's text; the rest is read when it is asked for.
fn id(body: &[u8]) -> Option<Id> {
    let rest = body.strip_prefix(b"{\"id\":\"")?;
    let end = rest.iter().position(|b| *b == b'"')?;
    std::str::from_utf8(&rest[..end]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_sims::record::METRICS;

    fn curves(x: f64) -> Curves {
        let mut values = vec![vec![Some(x), None]; METRICS];
        values[0] = vec![Some(1e-300), Some(0.1 + 0.2)];
        Curves { alignment: x, chosen: vec![3], steps: vec![0, 1], values }
    }

    fn append(journal: &mut Journal, name: &str, x: f64) {
        journal.append(line(Id::of(name), &curves(x)).as_bytes()).unwrap();
    }

    fn names(scan: &Scan) -> Vec<Id> {
        scan.entries.iter().map(|e| e.id).collect()
    }

    #[test]
    fn what_was_written_is_read_to_the_last_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let mut journal = Journal::open(&path).unwrap();
        append(&mut journal, "a", 0.1);
        append(&mut journal, "b", 0.2);
        let mut scan = Scan::open(&path).unwrap();
        assert_eq!(names(&scan), [Id::of("a"), Id::of("b")]);
        let entry = scan.entries[1];
        assert_eq!(scan.curves(entry.at, entry.length).unwrap(), curves(0.2));
        journal.clear().unwrap();
        append(&mut journal, "c", 0.3);
        assert_eq!(names(&Scan::open(&path).unwrap()), [Id::of("c")], "a cleared journal begins again");
        assert!(scan.curves(entry.at, entry.length).is_err(), "what is gone is not made up");
    }

    #[test]
    fn a_cut_last_line_is_dropped_and_any_other_damage_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let mut journal = Journal::open(&path).unwrap();
        append(&mut journal, "a", 0.1);
        append(&mut journal, "b", 0.2);
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        for cut in [1, 40, 60] {
            std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            assert_eq!(names(&Scan::open(&path).unwrap()), [Id::of("a")], "its end may still be written");
            assert_eq!(std::fs::read(&path).unwrap().len(), whole.len() - cut, "a look changes nothing");
            drop(Journal::open(&path).unwrap());
            assert!(std::fs::read(&path).unwrap().ends_with(b"\n"));
        }
        let mut flipped = whole.clone();
        flipped[50] ^= 1;
        std::fs::write(&path, &flipped).unwrap();
        assert!(Journal::open(&path).err().unwrap().to_string().contains("line 1 is damaged"));
        assert_eq!(std::fs::read(&path).unwrap(), flipped, "a damaged journal is left as it is");
        std::fs::write(&path, [&whole[..], b"cells I like"].concat()).unwrap();
        assert!(Scan::open(&path).err().unwrap().to_string().contains("line 3 is damaged"));
        std::fs::write(&path, [&whole[..], b"\n"].concat()).unwrap();
        assert!(Scan::open(&path).err().unwrap().to_string().contains("line 3 is damaged"));
    }

    #[test]
    fn a_cell_of_another_shape_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let other = Curves { values: vec![vec![Some(0.5)]], ..curves(0.5) };
        Journal::open(&path).unwrap().append(line(Id::of("a"), &other).as_bytes()).unwrap();
        let mut scan = Scan::open(&path).unwrap();
        let entry = scan.entries[0];
        assert!(scan.curves(entry.at, entry.length).unwrap_err().to_string().contains("another version"));
    }

    #[test]
    fn two_writers_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Journal::open(&folder.path().join("j")).unwrap();
        assert!(Journal::open(&folder.path().join("j")).err().unwrap().to_string().contains("another mta-sim"));
    }
}

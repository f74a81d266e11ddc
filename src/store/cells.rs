//! All finished cells of a run folder, wherever in `shards/` they lie.
//!
//! Only their names and places are kept in memory. A cell may lie in two places, after a kill between publishing a journal and clearing it, or where shards of
//! different cuts met it; it is one cell still, and must be the same in both.

use crate::error::Error;
use crate::id::Id;
use crate::store::journal::Scan;
use crate::store::published::{Entry, Published};
use mta_sims::record::Curves;
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::path::{Path, PathBuf};

/// Folder of journals and published files in a run folder.
pub const FOLDER: &str = "shards";

/// Ending of journals.
pub const JOURNAL: &str = "jsonl";

/// Ending of published files.
pub const PUBLISHED: &str = "parquet";

/// Where a cell lies: a source, and what the source needs to find it.
#[derive(Clone, Copy, Debug)]
struct Place {
    source: u32,
    at: u64,
    length: u32,
}

enum Source {
    Journal(Scan),
    Published(Box<Published>),
}

/// The finished cells of a run folder, as they were when it was opened.
pub struct Cells {
    sources: Vec<Source>,
    places: HashMap<Id, Place>,
    again: Vec<(Id, Place)>,
}

/// The journal of the shard of this name in the run folder `folder`.
pub fn journal(folder: &Path, shard: &str) -> PathBuf {
    folder.join(FOLDER).join(format!("{shard}.{JOURNAL}"))
}

/// Files of `folder` with this ending, by name; none where there is no such folder.
///
/// # Errors
/// When it cannot be listed.
pub fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, Error> {
    let entries = match std::fs::read_dir(folder) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::file(folder, "cannot be listed"))?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::file(folder, "cannot be listed"))?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && path.extension().is_some_and(|e| e == ending) {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

impl Cells {
    /// Looks through the run folder `folder`.
    ///
    /// Journals are read before published files are listed: whoever publishes a journal clears it afterwards, so that no cell is missed.
    ///
    /// # Errors
    /// When a file cannot be read or is damaged.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let shards = folder.join(FOLDER);
        let mut cells = Cells { sources: Vec::new(), places: HashMap::new(), again: Vec::new() };
        for path in files(&shards, JOURNAL)? {
            cells.add_journal(Scan::open(&path)?);
        }
        for path in files(&shards, PUBLISHED)? {
            cells.add_published(Published::open(&path)?)?;
        }
        Ok(cells)
    }

    fn add_journal(&mut self, mut scan: Scan) {
        let source = self.sources.len() as u32;
        for entry in std::mem::take(&mut scan.entries) {
            self.add(entry.id, Place { source, at: entry.at, length: entry.length });
        }
        self.sources.push(Source::Journal(scan));
    }

    fn add_published(&mut self, file: Published) -> Result<(), Error> {
        let source = self.sources.len() as u32;
        for Entry { id, group, first, rows } in file.entries()? {
            self.add(id, Place { source, at: u64::from(group) << 32 | u64::from(first), length: rows });
        }
        self.sources.push(Source::Published(Box::new(file)));
        Ok(())
    }

    fn add(&mut self, id: Id, place: Place) {
        match self.places.entry(id) {
            Slot::Vacant(slot) => drop(slot.insert(place)),
            Slot::Occupied(_) => self.again.push((id, place)),
        }
    }

    /// Number of cells.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether a cell is finished.
    pub fn contains(&self, id: &Id) -> bool {
        self.places.contains_key(id)
    }

    /// Names of all cells, in no order.
    pub fn ids(&self) -> impl Iterator<Item = &Id> {
        self.places.keys()
    }

    /// The curves of a cell; none where it is not finished.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn curves(&mut self, id: &Id) -> Result<Option<Curves>, Error> {
        self.places.get(id).copied().map(|place| self.at(place)).transpose()
    }

    fn at(&mut self, Place { source, at, length }: Place) -> Result<Curves, Error> {
        match &mut self.sources[source as usize] {
            Source::Journal(scan) => scan.curves(at, length),
            Source::Published(file) => file.curves((at >> 32) as u32, at as u32, length),
        }
    }

    /// Curves of all cells.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn all(&mut self) -> Result<HashMap<Id, Curves>, Error> {
        let places: Vec<(Id, Place)> = self.places.iter().map(|(id, place)| (*id, *place)).collect();
        places.into_iter().map(|(id, place)| Ok((id, self.at(place)?))).collect()
    }

    /// Names of cells that lie in two places and differ, sorted.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn conflicts(&mut self) -> Result<Vec<Id>, Error> {
        let mut conflicts = Vec::new();
        for (id, place) in self.again.clone() {
            if self.curves(&id)? != Some(self.at(place)?) {
                conflicts.push(id);
            }
        }
        conflicts.sort_unstable();
        conflicts.dedup();
        Ok(conflicts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{journal, published};
    use mta_sims::record::METRICS;

    fn curves(x: f64) -> Curves {
        Curves { alignment: x, chosen: Vec::new(), steps: vec![0], values: vec![vec![Some(x)]; METRICS] }
    }

    #[test]
    fn a_cell_in_two_places_is_one_cell_and_must_be_the_same_in_both() {
        let folder = tempfile::tempdir().unwrap();
        let shards = folder.path().join(FOLDER);
        std::fs::create_dir(&shards).unwrap();
        assert!(Cells::open(folder.path()).unwrap().is_empty());
        let [a, b, c] = ["a", "b", "c"].map(Id::of);
        published::publish(&shards, "1-of-2", [Ok((a, curves(0.1))), Ok((b, curves(0.2)))].into_iter()).unwrap();
        let lines = journal::line(b, &curves(0.2)) + &journal::line(c, &curves(0.3));
        std::fs::write(shards.join("2-of-2.jsonl"), &lines).unwrap();
        let mut cells = Cells::open(folder.path()).unwrap();
        assert_eq!((cells.len(), cells.conflicts().unwrap()), (3, Vec::new()));
        for (id, x) in [(a, 0.1), (b, 0.2), (c, 0.3)] {
            assert_eq!(cells.curves(&id).unwrap(), Some(curves(x)));
        }
        assert_eq!(cells.curves(&Id::of("d")).unwrap(), None);
        std::fs::write(shards.join("3-of-4.jsonl"), journal::line(b, &curves(0.25))).unwrap();
        assert_eq!(Cells::open(folder.path()).unwrap().conflicts().unwrap(), [b]);
    }
}

//! Cells that a shard has published: a Parquet file that never changes.
//!
//! One row per cell and evaluated step: `cell`, `alignment_knob`, `chosen` (prompts trained on, where some were chosen), `step`, and the metrics of
//! `history.parquet`. Rows of a cell follow each other in one row group. The file's name ends with the start of the BLAKE3 hash of its content, so that damage
//! anywhere in it is seen.

use crate::error::Error;
use crate::id::Id;
use crate::store::check;
use crate::store::parquet::{Purpose, Reader, Writer};
use mta_llm::atomic::Partial;
use mta_sims::record::{Curves, metrics};
use mta_sims::table::{Table, Values};
use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Rows after which a row group ends: enough to be written fast, few enough that a thousand files are merged in half a gibibyte.
const GROUP: usize = 512;

/// Columns before the metrics.
const OWN: [(&str, &str); 4] = [
    ("cell", "hash of everything the result depends on"),
    ("alignment_knob", "correlation of the base model's shared log-prior with the task"),
    ("chosen", "prompts trained on, where some were chosen"),
    ("step", "updates done"),
];

/// Where a file holds a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The cell.
    pub id: Id,
    /// Row group.
    pub group: u32,
    /// First row in it.
    pub first: u32,
    /// Number of rows.
    pub rows: u32,
}

/// Cells as the rows of a table.
fn table(cells: &[(Id, Curves)]) -> Table {
    let rows = || cells.iter().flat_map(|(id, curves)| (0..curves.steps.len()).map(move |at| (id, curves, at)));
    let mut table = Table::new();
    table.text(OWN[0].0, OWN[0].1, rows().map(|(id, ..)| id.to_string()));
    table.float(OWN[1].0, OWN[1].1, rows().map(|(_, curves, _)| Some(curves.alignment)));
    table.push(OWN[2].0, OWN[2].1, Values::Text(rows().map(|(_, curves, _)| chosen(curves)).collect()));
    table.int(OWN[3].0, OWN[3].1, rows().map(|(_, curves, at)| Some(curves.steps[at] as i64)));
    for (m, metric) in metrics().iter().enumerate() {
        table.float(&metric.name, metric.doc, rows().map(|(_, curves, at)| curves.values[m][at]));
    }
    table
}

/// Numbers with blanks between them; none where no prompts were chosen.
fn chosen(curves: &Curves) -> Option<String> {
    let numbers: Vec<String> = curves.chosen.iter().map(ToString::to_string).collect();
    (!numbers.is_empty()).then(|| numbers.join(" "))
}

/// Publishes `cells` in `folder` as a file of `shard`, whole or not at all.
///
/// # Errors
/// When a cell is not to be had, or the file cannot be written.
pub fn publish(folder: &Path, shard: &str, cells: impl Iterator<Item = Result<(Id, Curves), Error>>) -> Result<PathBuf, Error> {
    let path = folder.join(format!("{shard}.parquet"));
    let hashing = Hashing { file: Partial::new(&path)?, hasher: blake3::Hasher::new() };
    let mut writer = Writer::new(hashing, &path, &table(&[]), Purpose::Transfer)?;
    let (mut group, mut rows) = (Vec::new(), 0);
    for cell in cells {
        let cell = cell?;
        rows += cell.1.steps.len();
        group.push(cell);
        if rows >= GROUP {
            writer.push(&table(&group))?;
            (group, rows) = (Vec::new(), 0);
        }
    }
    if rows > 0 {
        writer.push(&table(&group))?;
    }
    let Hashing { file, hasher } = writer.finish()?;
    let path = folder.join(format!("{shard}-{}.parquet", check(&hasher.finalize())));
    file.commit_as(&path)?;
    Ok(path)
}

/// A file that hashes what is written to it.
struct Hashing {
    file: Partial,
    hasher: blake3::Hasher,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// A published file, open.
pub struct Published {
    path: PathBuf,
    reader: Reader,
    /// The row group read last.
    group: Option<(u32, Vec<Values>)>,
}

impl Published {
    /// Opens the file at `path`, whose content must be what its name says.
    ///
    /// # Errors
    /// When it cannot be read, is damaged, or is of another version.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let mut hasher = blake3::Hasher::new();
        File::open(path).and_then(|file| hasher.update_reader(file).map(drop)).map_err(Error::file(path, "cannot be read"))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        if !name.ends_with(&format!("-{}", check(&hasher.finalize()))) {
            let what =
                "is damaged (its content is not what the check in its name says); restore it, or remove it and have its cells run again";
            return Err(Error::damaged(path, what));
        }
        let reader = Reader::open(path)?;
        let metrics = metrics();
        let expected = OWN.iter().map(|(name, _)| *name).chain(metrics.iter().map(|m| m.name.as_str()));
        if !reader.columns().eq(expected) {
            return Err(Error::damaged(path, "has other columns: it was written by another version of mta-sim; choose another --out"));
        }
        Ok(Published { path: path.into(), reader, group: None })
    }

    /// The cells it holds, in their order.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn entries(&self) -> Result<Vec<Entry>, Error> {
        let mut entries: Vec<Entry> = Vec::new();
        for group in 0..self.reader.groups() as u32 {
            let at = group as usize;
            let Values::Text(names) = self.reader.column(0, at..at + 1)? else { return Err(self.damaged("cell")) };
            let mut last = None;
            for (row, name) in names.iter().enumerate() {
                if last != Some(name) {
                    let id = name.as_deref().and_then(|name| name.parse().ok()).ok_or_else(|| self.damaged("cell"))?;
                    entries.push(Entry { id, group, first: row as u32, rows: 0 });
                    last = Some(name);
                }
                entries.last_mut().expect("a row has a cell").rows += 1;
            }
        }
        Ok(entries)
    }

    /// The curves in `rows` rows of a row group, from its row `first` on.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn curves(&mut self, group: u32, first: u32, rows: u32) -> Result<Curves, Error> {
        let range = first as usize..(first + rows) as usize;
        let curves = curves(self.columns(group)?, range);
        curves.filter(|curves| curves.is_whole()).ok_or_else(|| self.damaged("step"))
    }

    /// The columns of a row group.
    fn columns(&mut self, group: u32) -> Result<&[Values], Error> {
        if self.group.as_ref().is_none_or(|(known, _)| *known != group) {
            let at = group as usize;
            let columns = (0..self.reader.columns().count()).map(|column| self.reader.column(column, at..at + 1));
            self.group = Some((group, columns.collect::<Result<_, _>>()?));
        }
        Ok(&self.group.as_ref().expect("it was read just now").1)
    }

    fn damaged(&self, column: &str) -> Error {
        Error::damaged(&self.path, format!("is damaged: its column {column} holds what no shard writes"))
    }
}

/// The curves in some rows; none where the columns hold something else.
fn curves(columns: &[Values], rows: Range<usize>) -> Option<Curves> {
    let alignment = (*floats(columns.get(1)?, rows.clone())?.first()?)?;
    let chosen = texts(columns.get(2)?, rows.clone())?.first()?.as_deref().unwrap_or_default();
    let chosen = chosen.split_whitespace().map(|number| number.parse().ok()).collect::<Option<_>>()?;
    let steps = ints(columns.get(3)?, rows.clone())?.iter().map(|step| usize::try_from((*step)?).ok()).collect::<Option<_>>()?;
    let values = columns[OWN.len()..].iter().map(|column| Some(floats(column, rows.clone())?.to_vec())).collect::<Option<_>>()?;
    Some(Curves { alignment, chosen, steps, values })
}

fn floats(values: &Values, rows: Range<usize>) -> Option<&[Option<f64>]> {
    if let Values::Float(v) = values { v.get(rows) } else { None }
}

fn ints(values: &Values, rows: Range<usize>) -> Option<&[Option<i64>]> {
    if let Values::Int(v) = values { v.get(rows) } else { None }
}

fn texts(values: &Values, rows: Range<usize>) -> Option<&[Option<String>]> {
    if let Values::Text(v) = values { v.get(rows) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curves(i: usize) -> Curves {
        let values = (0..metrics().len()).map(|m| (0..3).map(|at| (m != i).then(|| (i * 7 + m) as f64 / (at + 3) as f64)).collect());
        Curves { alignment: 0.1 * i as f64, chosen: (0..i % 3).collect(), steps: vec![0, 2, i + 3], values: values.collect() }
    }

    fn publish_some(folder: &Path, cells: Range<usize>) -> PathBuf {
        publish(folder, "1-of-1", cells.map(|i| Ok((Id::of(&i.to_string()), curves(i))))).unwrap()
    }

    #[test]
    fn cells_come_back_to_the_last_bit_in_any_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = Published::open(&publish_some(folder.path(), 0..400)).unwrap();
        let entries = file.entries().unwrap();
        assert!(entries.last().unwrap().group > 1, "several row groups");
        assert_eq!(entries.iter().map(|e| e.id).collect::<Vec<_>>(), (0..400).map(|i| Id::of(&i.to_string())).collect::<Vec<_>>());
        for i in (0..400).chain([3, 399, 0]) {
            let Entry { group, first, rows, .. } = entries[i];
            assert_eq!(file.curves(group, first, rows).unwrap(), curves(i), "cell {i}");
        }
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = publish_some(folder.path(), 0..3);
        let whole = std::fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(97) {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            std::fs::write(&path, &flipped).unwrap();
            assert!(Published::open(&path).err().expect("it is seen").to_string().contains("is damaged"));
            std::fs::write(&path, &whole[..at]).unwrap();
            assert!(Published::open(&path).is_err());
        }
    }

    #[test]
    fn a_cell_that_is_not_to_be_had_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let cells = [Ok((Id::of("a"), curves(1))), Err(Error::Usage("no".into()))];
        assert!(publish(folder.path(), "1-of-1", cells.into_iter()).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

//! Tables as Parquet files, readable by polars, DuckDB and pandas.
//!
//! A file is written row group by row group, so that no table need be in memory whole.

use crate::error::Error;
use bytes::Bytes;
use mta_llm::atomic::Partial;
use mta_sims::table::{Column, Table, Values};
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, KeyValue};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::file::reader::{ChunkReader, FileReader, Length, RowGroupReader, SerializedFileReader};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;
use std::cell::Cell;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

/// What a file is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be asked questions: with a dictionary and statistics.
    Query,
    /// To be read once from its beginning to its end.
    Transfer,
}

impl Purpose {
    fn properties(self) -> WriterPropertiesBuilder {
        let builder = WriterProperties::builder().set_compression(Compression::SNAPPY);
        match self {
            Purpose::Query => builder,
            Purpose::Transfer => builder
                .set_dictionary_enabled(false)
                .set_column_dictionary_enabled("cell".into(), true)
                .set_statistics_enabled(EnabledStatistics::None)
                .set_offset_index_disabled(true),
        }
    }
}

/// A file that is written row group by row group to `W`; `path` is what messages call it.
pub struct Writer<W: Write + Send> {
    path: PathBuf,
    out: SerializedFileWriter<W>,
}

impl Writer<Partial> {
    /// Begins a file that will stand at `path`, with columns as those of `like`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(path: &Path, like: &Table) -> Result<Self, Error> {
        Writer::new(Partial::new(path)?, path, like, Purpose::Query)
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn commit(self) -> Result<(), Error> {
        Ok(self.finish()?.commit()?)
    }
}

impl<W: Write + Send> Writer<W> {
    /// Begins a file with columns as those of `like`. Every column is nullable; its documentation is in the file's key-value metadata.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(out: W, path: &Path, like: &Table, purpose: Purpose) -> Result<Self, Error> {
        let out = begin(out, like, purpose).map_err(unwritable(path))?;
        Ok(Writer { path: path.into(), out })
    }

    /// Adds the rows of `table` as a row group.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn push(&mut self, table: &Table) -> Result<(), Error> {
        push(&mut self.out, table).map_err(unwritable(&self.path))
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> Result<W, Error> {
        self.out.into_inner().map_err(unwritable(&self.path))
    }
}

fn unwritable(path: &Path) -> impl FnOnce(ParquetError) -> Error {
    move |e| Error::damaged(path, format!("cannot be written: {e}"))
}

fn begin<W: Write + Send>(out: W, like: &Table, purpose: Purpose) -> Result<SerializedFileWriter<W>, ParquetError> {
    let fields = like.columns().iter().map(|c| field(c).map(Arc::new)).collect::<Result<_, _>>()?;
    let schema = Type::group_type_builder("table").with_fields(fields).build()?;
    let docs = like.columns().iter().map(|c| KeyValue::new(format!("doc:{}", c.name), c.doc.clone())).collect();
    SerializedFileWriter::new(out, Arc::new(schema), Arc::new(purpose.properties().set_key_value_metadata(Some(docs)).build()))
}

fn push<W: Write + Send>(out: &mut SerializedFileWriter<W>, table: &Table) -> Result<(), ParquetError> {
    let mut group = out.next_row_group()?;
    for column in table.columns() {
        let mut open = group.next_column()?.expect("the schema has one column per column");
        write_column(&column.values, &mut open)?;
        open.close()?;
    }
    group.close().map(drop)
}

fn field(column: &Column) -> Result<Type, ParquetError> {
    let (physical, logical) = match column.values {
        Values::Float(_) => (Physical::DOUBLE, None),
        Values::Int(_) => (Physical::INT64, None),
        Values::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
    };
    Type::primitive_type_builder(&column.name, physical).with_repetition(Repetition::OPTIONAL).with_logical_type(logical).build()
}

fn write_column(values: &Values, open: &mut SerializedColumnWriter) -> Result<(), ParquetError> {
    match values {
        Values::Float(v) => open.typed::<DoubleType>().write_batch(&present(v), Some(&levels(v)), None)?,
        Values::Int(v) => open.typed::<Int64Type>().write_batch(&present(v), Some(&levels(v)), None)?,
        Values::Text(v) => {
            let bytes: Vec<ByteArray> = v.iter().flatten().map(|s| ByteArray::from(s.as_str())).collect();
            open.typed::<ByteArrayType>().write_batch(&bytes, Some(&levels(v)), None)?
        }
    };
    Ok(())
}

fn present<T: Clone>(values: &[Option<T>]) -> Vec<T> {
    values.iter().flatten().cloned().collect()
}

fn levels<T>(values: &[Option<T>]) -> Vec<i16> {
    values.iter().map(|v| i16::from(v.is_some())).collect()
}

/// Writes `table` to `path`, whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub fn write(table: &Table, path: &Path) -> Result<(), Error> {
    let mut writer = Writer::create(path, table)?;
    writer.push(table)?;
    writer.commit()
}

thread_local! {
    /// Whether a panic of this thread is about to become an error.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// What `read` makes of the file at `path`. The library panics on some damaged files; that is an error here, and nothing of it is printed.
///
/// # Errors
/// As `read`, and when it panics.
pub fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !CAUGHT.get() {
                usual(info);
            }
        }));
    });
    CAUGHT.set(true);
    let read = catch_unwind(AssertUnwindSafe(read));
    CAUGHT.set(false);
    read.unwrap_or_else(|_| Err(Error::damaged(path, "is truncated or damaged (the Parquet library gives up on it)")))
}

/// Opens a Parquet file whose parts lie where they can: the library trusts its index.
///
/// # Errors
/// When it cannot be read, or is no whole Parquet file.
pub fn open(path: &Path) -> Result<SerializedFileReader<Chunks>, Error> {
    let denied = |e| Error::file(path, "cannot be read")(e);
    let file = File::open(path).map_err(denied)?;
    let length = file.metadata().map_err(denied)?.len();
    let reader = guarded(path, || SerializedFileReader::new(Chunks(file)).map_err(damaged(path)))?;
    let groups = reader.metadata().row_groups();
    if groups.iter().all(|group| group.num_rows() >= 0 && group.columns().iter().all(|column| lies_inside(column, length))) {
        Ok(reader)
    } else {
        Err(Error::damaged(path, "is truncated or damaged (its index points outside the file)"))
    }
}

/// Whether a column chunk lies inside a file of `length` bytes.
fn lies_inside(column: &ColumnChunkMetaData, length: u64) -> bool {
    let begin = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
    let end = begin.checked_add(column.compressed_size()).and_then(|end| u64::try_from(end).ok());
    begin >= 0 && column.compressed_size() >= 0 && column.num_values() >= 0 && end.is_some_and(|end| end <= length)
}

/// A file as the library reads it, but that reading beyond its end is an error: the library goes on reading nothing for as long as a damaged page promises
/// something, two thousand million times.
pub struct Chunks(File);

/// A file that must have all that is asked of it.
pub struct Promised(File);

impl Read for Promised {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(into)? {
            0 if !into.is_empty() => Err(ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        }
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl ChunkReader for Chunks {
    type T = BufReader<Promised>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let mut file = self.0.try_clone()?;
        file.seek(SeekFrom::Start(start))?;
        Ok(BufReader::new(Promised(file)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.0.get_bytes(start, length)
    }
}

/// A file that is read row group by row group.
pub struct Reader {
    path: PathBuf,
    file: SerializedFileReader<Chunks>,
}

impl Reader {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, or is no Parquet file.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Reader { path: path.into(), file: open(path)? })
    }

    /// Number of row groups.
    pub fn groups(&self) -> usize {
        self.file.num_row_groups()
    }

    /// Names of the columns.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.file.metadata().file_metadata().schema().get_fields().iter().map(|field| field.name())
    }

    /// The rows of some row groups.
    ///
    /// # Errors
    /// When they cannot be read or are damaged.
    pub fn table(&self, groups: Range<usize>) -> Result<Table, Error> {
        let metadata = self.file.metadata().file_metadata();
        let docs = metadata.key_value_metadata().cloned().unwrap_or_default();
        let mut table = Table::new();
        for (at, field) in metadata.schema().get_fields().iter().enumerate() {
            let doc = docs.iter().find(|d| d.key == format!("doc:{}", field.name())).and_then(|d| d.value.clone());
            table.push(field.name(), &doc.unwrap_or_default(), self.column(at, groups.clone())?);
        }
        Ok(table)
    }

    /// One column of some row groups.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn column(&self, column: usize, groups: Range<usize>) -> Result<Values, Error> {
        let field = &self.file.metadata().file_metadata().schema().get_fields()[column];
        let plain = field.is_primitive() && field.get_basic_info().repetition() == Repetition::OPTIONAL;
        if !plain {
            return Err(Error::damaged(&self.path, format!("is no table: its column {} is not one of this program's", field.name())));
        }
        let mut values = empty(field.get_physical_type());
        guarded(&self.path, || {
            let mut read = |group| self.file.get_row_group(group).and_then(|group| read_column(&*group, column, &mut values));
            groups.into_iter().try_for_each(&mut read).map_err(damaged(&self.path))
        })?;
        Ok(values)
    }
}

/// Reads a table back.
///
/// # Errors
/// When it cannot be read or is damaged.
pub fn read(path: &Path) -> Result<Table, Error> {
    let reader = Reader::open(path)?;
    reader.table(0..reader.groups())
}

fn damaged(path: &Path) -> impl FnOnce(ParquetError) -> Error {
    move |e| Error::damaged(path, format!("is truncated or damaged ({e})"))
}

fn empty(physical: Physical) -> Values {
    match physical {
        Physical::INT64 => Values::Int(Vec::new()),
        Physical::BYTE_ARRAY => Values::Text(Vec::new()),
        _ => Values::Float(Vec::new()),
    }
}

fn read_column(group: &dyn RowGroupReader, column: usize, into: &mut Values) -> Result<(), ParquetError> {
    let rows = usize::try_from(group.metadata().num_rows()).map_err(|e| ParquetError::General(e.to_string()))?;
    let reader = group.get_column_reader(column)?;
    match into {
        Values::Float(v) => spread(typed::<DoubleType>(reader)?, rows, Ok, v),
        Values::Int(v) => spread(typed::<Int64Type>(reader)?, rows, Ok, v),
        Values::Text(v) => spread(typed::<ByteArrayType>(reader)?, rows, |x| x.as_utf8().map(String::from), v),
    }
}

fn typed<T: DataType>(reader: parquet::column::reader::ColumnReader) -> Result<ColumnReaderImpl<T>, ParquetError> {
    T::get_column_reader(reader).ok_or_else(|| ParquetError::General("a column is of another type".into()))
}

/// Adds the values of a column chunk with its missing ones in between.
fn spread<T: DataType, U>(
    mut reader: ColumnReaderImpl<T>,
    rows: usize,
    read: impl Fn(T::T) -> Result<U, ParquetError>,
    into: &mut Vec<Option<U>>,
) -> Result<(), ParquetError> {
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    while levels.len() < rows {
        let before = levels.len();
        reader.read_records(rows - before, Some(&mut levels), None, &mut values)?;
        if levels.len() == before {
            return Err(ParquetError::General(format!("a column ends after {before} of {rows} rows")));
        }
    }
    let mut values = values.into_iter();
    for level in levels {
        into.push(if level > 0 { values.next().map(&read).transpose()? } else { None });
    }
    Ok(())
}

/// Makes sure that `path` is a whole Parquet file.
///
/// # Errors
/// When it is not.
pub fn check(path: &Path) -> Result<(), Error> {
    Reader::open(path).map(drop).map_err(|e| {
        let advice = "the finished cells are kept in shards/: move this file away and run again to have it rebuilt";
        Error::Usage(format!("{e}; {advice}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_bytes_beyond_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, b"0123456789").unwrap();
        let chunks = Chunks(File::open(&path).unwrap());
        let mut all = [0; 4];
        chunks.get_read(6).unwrap().read_exact(&mut all).unwrap();
        assert_eq!(&all, b"6789");
        let skipped = std::io::copy(&mut chunks.get_read(8).unwrap().take(100), &mut std::io::sink());
        assert_eq!(skipped.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }

    fn table() -> Table {
        let mut table = Table::new();
        table.text("recipe", "a name", ["é", "b"]).float("x", "a number", [Some(0.1 + 0.2), None]).int("seed", "", [None, Some(7)]);
        table
    }

    #[test]
    fn a_table_survives_the_round_trip() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.parquet");
        write(&table(), &path).unwrap();
        assert_eq!(read(&path).unwrap(), table());
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(check(&path).unwrap_err().to_string().contains("truncated or damaged"));
    }

    #[test]
    fn row_groups_come_back_one_by_one_and_together() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.parquet");
        for purpose in [Purpose::Query, Purpose::Transfer] {
            let mut writer = Writer::new(File::create(&path).unwrap(), &path, &table(), purpose).unwrap();
            (0..3).for_each(|_| writer.push(&table()).unwrap());
            writer.finish().unwrap();
            let reader = Reader::open(&path).unwrap();
            assert_eq!((reader.groups(), reader.table(1..2).unwrap()), (3, table()));
            assert_eq!(reader.table(0..3).unwrap().rows(), 6);
        }
    }
}

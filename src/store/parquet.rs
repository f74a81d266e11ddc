//! Tables as Parquet files, readable by polars, DuckDB and pandas.

use crate::error::Error;
use mta_sims::table::{Column, Table, Values};
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::record::Field;
use parquet::schema::types::Type;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Writes `table` to `path`, whole or not at all. Every column is nullable; its documentation is in the file's key-value metadata.
pub fn write(table: &Table, path: &Path) -> Result<(), Error> {
    let bytes = encode(table).map_err(|e| Error::damaged(path, format!("cannot be written: {e}")))?;
    super::write_whole(path, &bytes)
}

/// Makes sure that `path` is a whole Parquet file.
pub fn check(path: &Path) -> Result<(), Error> {
    let file = File::open(path).map_err(Error::file(path, "cannot be read"))?;
    let explain = |e| {
        Error::damaged(
            path,
            format!(
                "is truncated or damaged ({e}); cells.jsonl still holds the finished cells: move this file away and run again to have it rebuilt"
            ),
        )
    };
    SerializedFileReader::new(file).map(drop).map_err(explain)
}

/// Reads a table back.
pub fn read(path: &Path) -> Result<Table, Error> {
    let file = File::open(path).map_err(Error::file(path, "cannot be read"))?;
    decode(file).map_err(|e| Error::damaged(path, format!("is truncated or damaged ({e})")))
}

fn encode(table: &Table) -> Result<Vec<u8>, ParquetError> {
    let fields = table.columns().iter().map(|c| field(c).map(Arc::new)).collect::<Result<_, _>>()?;
    let schema = Type::group_type_builder("table").with_fields(fields).build()?;
    let docs = table.columns().iter().map(|c| KeyValue::new(format!("doc:{}", c.name), c.doc.clone())).collect();
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).set_key_value_metadata(Some(docs)).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    for column in table.columns() {
        let mut open = group.next_column()?.expect("the schema has one column per column");
        write_column(&column.values, &mut open)?;
        open.close()?;
    }
    group.close()?;
    writer.into_inner()
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
            let bytes: Vec<ByteArray> = present(v).iter().map(|s| ByteArray::from(s.as_str())).collect();
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

fn decode(file: File) -> Result<Table, ParquetError> {
    let reader = SerializedFileReader::new(file)?;
    let schema = reader.metadata().file_metadata().schema().get_fields().to_vec();
    let docs = reader.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
    let mut columns: Vec<Values> = schema.iter().map(|f| empty(f.get_physical_type())).collect();
    for row in reader.get_row_iter(None)? {
        for (column, (_, value)) in columns.iter_mut().zip(row?.get_column_iter()) {
            push(column, value);
        }
    }
    let mut table = Table::new();
    for (field, values) in schema.iter().zip(columns) {
        let doc = docs.iter().find(|d| d.key == format!("doc:{}", field.name())).and_then(|d| d.value.clone());
        table.push(field.name(), &doc.unwrap_or_default(), values);
    }
    Ok(table)
}

fn empty(physical: Physical) -> Values {
    match physical {
        Physical::INT64 => Values::Int(Vec::new()),
        Physical::BYTE_ARRAY => Values::Text(Vec::new()),
        _ => Values::Float(Vec::new()),
    }
}

fn push(column: &mut Values, value: &Field) {
    match column {
        Values::Float(v) => v.push(if let Field::Double(x) = value { Some(*x) } else { None }),
        Values::Int(v) => v.push(if let Field::Long(x) = value { Some(*x) } else { None }),
        Values::Text(v) => v.push(if let Field::Str(s) = value { Some(s.clone()) } else { None }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_survives_the_round_trip() {
        let mut table = Table::new();
        table.text("recipe", "a name", ["é", "b"]).float("x", "a number", [Some(0.1 + 0.2), None]).int("seed", "", [None, Some(7)]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.parquet");
        write(&table, &path).unwrap();
        assert_eq!(read(&path).unwrap(), table);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(check(&path).unwrap_err().to_string().contains("truncated or damaged"));
    }
}

//! Rows of CSV, JSON, JSON Lines and Parquet files, all as JSON objects.

use crate::error::Error;
use crate::store::{self, parquet::guarded};
use parquet::file::reader::FileReader;
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// What is done with a row; says why it cannot be.
pub type Show<'s> = dyn FnMut(&Value) -> Result<(), String> + 's;

/// Shows every row of a file. The ending of its name says what it is: `.csv`, `.jsonl`, `.parquet`, or `.json` with an array of rows or one object.
///
/// # Errors
/// When it cannot be read, is no such file, or `show` refuses a row: the message names the row.
pub fn each(path: &Path, show: &mut Show) -> Result<(), Error> {
    let mut at = 0;
    let mut numbered = |row: &Value| {
        at += 1;
        show(row).map_err(|why| Error::damaged(path, format!("row {at} {why}")))
    };
    match path.extension().and_then(|e| e.to_str()).unwrap_or_default() {
        "csv" => csv(path, &mut numbered),
        "jsonl" => lines(path, &mut numbered),
        "json" => json(path, &mut numbered),
        "parquet" => parquet(path, &mut numbered),
        _ => Err(Error::damaged(path, "must end with .csv, .json, .jsonl or .parquet")),
    }
}

type Numbered<'s> = dyn FnMut(&Value) -> Result<(), Error> + 's;

fn open(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(Error::file(path, "cannot be read"))
}

fn csv(path: &Path, show: &mut Numbered) -> Result<(), Error> {
    let damaged = |e: csv::Error| Error::damaged(path, format!("is no comma-separated text ({e})"));
    let mut reader = csv::Reader::from_reader(open(path)?);
    let names = reader.headers().map_err(damaged)?.clone();
    for record in reader.records() {
        let record = record.map_err(damaged)?;
        let field = |(name, text): (&str, &str)| (name.to_string(), if text.is_empty() { Value::Null } else { text.into() });
        show(&Value::Object(names.iter().zip(&record).map(field).collect::<Map<_, _>>()))?;
    }
    Ok(())
}

fn lines(path: &Path, show: &mut Numbered) -> Result<(), Error> {
    let (mut reader, mut line, mut at) = (BufReader::new(open(path)?), Vec::new(), 0);
    while reader.read_until(b'\n', &mut line).map_err(Error::file(path, "cannot be read"))? > 0 {
        at += 1;
        if !line.trim_ascii().is_empty() {
            show(&serde_json::from_slice(&line).map_err(|e| Error::damaged(path, format!("line {at} is not JSON ({e})")))?)?;
        }
        line.clear();
    }
    Ok(())
}

fn json(path: &Path, show: &mut Numbered) -> Result<(), Error> {
    let value = serde_json::from_reader(BufReader::new(open(path)?)).map_err(|e| Error::damaged(path, format!("is not JSON ({e})")))?;
    match value {
        Value::Array(rows) => rows.iter().try_for_each(show),
        one => show(&one),
    }
}

fn parquet(path: &Path, show: &mut Numbered) -> Result<(), Error> {
    let damaged = |e| Error::damaged(path, format!("cannot be read here ({e}); compression must be none or snappy"));
    let reader = store::parquet::open(path)?;
    let mut rows = guarded(path, || reader.get_row_iter(None).map_err(damaged))?;
    while let Some(row) = guarded(path, || rows.next().transpose().map_err(damaged))? {
        show(&row.to_json_value())?;
    }
    Ok(())
}

//! Comma-separated text: a file per table, a missing value an empty field.

use super::Format;
use super::source::Source;
use crate::error::Error;
use mta_llm::atomic::Partial;
use mta_sims::registry::Entry;
use std::io::Write;
use std::path::Path;

/// Comma-separated text.
pub static CSV: Format = Format {
    entry: Entry {
        name: "csv",
        aliases: &[],
        doc: "results.csv and history.csv, with a header; a missing value is an empty field",
        formula: "",
        source: "RFC 4180",
        elsewhere: &[],
    },
    write,
};

fn write(source: &Source, folder: &Path) -> Result<(), Error> {
    source.tables().try_for_each(|table| one(source, table, &folder.join(format!("{table}.csv"))))
}

fn one(source: &Source, table: &str, path: &Path) -> Result<(), Error> {
    let (mut out, mut begun) = (Partial::new(path)?, false);
    source.each(table, &mut |part| {
        let text = if begun { part.csv_rows(0..part.rows()) } else { part.to_csv() };
        begun = true;
        out.write_all(text.as_bytes()).map_err(Error::file(path, "cannot be written"))
    })?;
    Ok(out.commit()?)
}

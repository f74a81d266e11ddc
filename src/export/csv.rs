//! Comma-separated text: a file per table, a missing value an empty field.

use super::source::Source;
use super::{Format, write_tables};
use crate::error::Error;
use mta_sims::registry::Entry;
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
    write_tables(source, folder, "csv", |part, first| if first { part.to_csv() } else { part.csv_rows(0..part.rows()) })
}

//! JSON lines: a file per table, an object per row, a missing value null.

use super::source::{Source, object};
use super::{Format, write_tables};
use crate::error::Error;
use mta_sims::registry::Entry;
use std::path::Path;

/// JSON lines.
pub static JSONL: Format = Format {
    entry: Entry {
        name: "jsonl",
        aliases: &["json"],
        doc: "results.jsonl and history.jsonl, an object per line; a missing value is null",
        formula: "",
        source: "jsonlines.org",
        elsewhere: &[],
    },
    write,
};

fn write(source: &Source, folder: &Path) -> Result<(), Error> {
    write_tables(source, folder, "jsonl", |part, _| (0..part.rows()).map(|row| format!("{}\n", object(part.columns(), row))).collect())
}

//! JSON lines: a file per table, an object per row, a missing value null.

use super::Format;
use super::source::{Source, object};
use crate::error::Error;
use mta_llm::atomic::Partial;
use mta_sims::registry::Entry;
use std::io::Write;
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
    source.tables().try_for_each(|table| one(source, table, &folder.join(format!("{table}.jsonl"))))
}

fn one(source: &Source, table: &str, path: &Path) -> Result<(), Error> {
    let mut out = Partial::new(path)?;
    source.each(table, &mut |part| {
        let mut line = |row| writeln!(out, "{}", object(part.columns(), row));
        (0..part.rows()).try_for_each(&mut line).map_err(Error::file(path, "cannot be written"))
    })?;
    Ok(out.commit()?)
}

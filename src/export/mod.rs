//! Runs in the formats of other tools: one file here per format, and its line in [`FORMATS`].
//!
//! A run comes as tables ([`source`]); tools that know runs rather than tables get one of theirs for each row of the results, with its curves.

mod csv;
mod jsonl;
pub mod source;
mod tensorboard;
mod wandb;

use crate::error::Error;
use mta_llm::atomic::Partial;
use mta_sims::registry::{Entry, Named};
use mta_sims::table::Table;
use source::Source;
use std::collections::HashSet;
use std::io::Write;
use std::path::Path;

/// A format.
#[derive(Debug)]
pub struct Format {
    /// Its name, what it is, and the tool it is for.
    pub entry: Entry,
    /// Writes a run into a folder that exists.
    pub write: fn(&Source, &Path) -> Result<(), Error>,
}

impl Named for Format {
    fn entry(&self) -> &Entry {
        &self.entry
    }
}

/// All formats.
pub const FORMATS: &[&Format] = &[&csv::CSV, &jsonl::JSONL, &tensorboard::TENSORBOARD, &wandb::WANDB_OFFLINE];

/// Writes each table as a file of text with this `ending`: `text` of each of its parts, told whether it is the first.
fn write_tables(source: &Source, folder: &Path, ending: &str, text: impl Fn(&Table, bool) -> String) -> Result<(), Error> {
    source.tables().try_for_each(|table| {
        let path = folder.join(format!("{table}.{ending}"));
        let (mut out, mut first) = (Partial::new(&path)?, true);
        source.each(table, &mut |part| {
            let text = text(part, std::mem::take(&mut first));
            out.write_all(text.as_bytes()).map_err(Error::file(&path, "cannot be written"))
        })?;
        Ok(out.commit()?)
    })
}

/// Runs that tools which make a folder of each are given at most.
pub const MOST_RUNS: usize = 10_000;

/// Makes sure that a tool gets no more runs than it can show.
fn count_runs(source: &Source, done: usize) -> Result<(), Error> {
    if done < MOST_RUNS {
        return Ok(());
    }
    let what = format!("has more than {MOST_RUNS} runs, too many folders for this tool; export to csv or jsonl, or a sweep of fewer cells");
    Err(Error::damaged(source.folder(), what))
}

/// Names for folders: a name that was given before gets a number.
#[derive(Default)]
struct Names(HashSet<String>);

impl Names {
    fn of(&mut self, name: &str) -> String {
        let plain: String = name.chars().map(|c| if c.is_alphanumeric() || "._-=,@+".contains(c) { c } else { '_' }).collect();
        let numbered = (2..).map(|n| format!("{plain}-{n}"));
        let free = std::iter::once(plain.clone()).chain(numbered).find(|name| !self.0.contains(name)).expect("numbers do not end");
        self.0.insert(free.clone());
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folders_and_no_two_are_the_same() {
        let mut names = Names::default();
        let given = ["standard,alignment=0.1", "a/b", "a\\b", "a_b", "../x"].map(|name| names.of(name));
        assert_eq!(given, ["standard,alignment=0.1", "a_b", "a_b-2", "a_b-3", ".._x"]);
    }
}

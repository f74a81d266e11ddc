//! What is exported: the tables of a sweep, or the steps of a training run on a language model.

use crate::error::Error;
use crate::store::parquet::Reader;
use jiff::Timestamp;
use mta_sims::table::{Column, Table, Values};
use serde_json::{Map, Value};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Name of the column that counts updates: those before it say which run a row is of, those after it are measured.
const STEP: &str = "step";

/// The table of a sweep by which its folder is known.
const RESULTS: &str = "results.parquet";

/// The steps of a training run on a language model.
const METRICS: &str = "metrics.jsonl";

/// A run folder.
pub struct Source {
    folder: PathBuf,
    /// The tables, by name; `history` has the curves.
    tables: Vec<(&'static str, Content)>,
}

enum Content {
    Parquet(Reader),
    Memory(Table),
}

impl Source {
    /// Opens the folder of a finished sweep, or of `mta-sim llm train`.
    ///
    /// # Errors
    /// When it is neither, or cannot be read.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let (results, history, metrics) = (folder.join(RESULTS), folder.join("history.parquet"), folder.join(METRICS));
        let tables = if results.is_file() {
            vec![("results", Content::Parquet(Reader::open(&results)?)), ("history", Content::Parquet(Reader::open(&history)?))]
        } else if metrics.is_file() {
            vec![("history", Content::Memory(steps(folder, &metrics)?))]
        } else {
            let what = "has neither tables (results.parquet: mta-sim sweep gather makes it) nor a metrics.jsonl of llm train";
            return Err(Error::damaged(folder, what));
        };
        Ok(Source { folder: folder.into(), tables })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Name of the folder.
    pub fn name(&self) -> String {
        let whole = std::path::absolute(&self.folder).unwrap_or_else(|_| self.folder.clone());
        whole.file_name().map_or_else(|| "run".into(), |name| name.to_string_lossy().into_owned())
    }

    /// When its tables were written; 1970 where the system does not know.
    pub fn written(&self) -> Timestamp {
        let modified = [RESULTS, METRICS].iter().find_map(|name| std::fs::metadata(self.folder.join(name)).and_then(|m| m.modified()).ok());
        modified.and_then(|time| Timestamp::try_from(time).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Names of its tables.
    pub fn tables(&self) -> impl Iterator<Item = &'static str> {
        self.tables.iter().map(|(name, _)| *name)
    }

    /// Shows a table part by part, in order; no part is cut inside a run.
    ///
    /// # Errors
    /// When it cannot be read, or `show` fails.
    pub fn each(&self, table: &str, show: &mut dyn FnMut(&Table) -> Result<(), Error>) -> Result<(), Error> {
        let content = self.tables.iter().find(|(name, _)| *name == table).map(|(_, content)| content);
        match content.expect("the table is one of Source::tables") {
            Content::Memory(table) => show(table),
            Content::Parquet(reader) => (0..reader.groups()).try_for_each(|group| show(&reader.table(group..group + 1)?)),
        }
    }

    /// Shows the runs one by one.
    ///
    /// # Errors
    /// When they cannot be read, or `show` fails.
    pub fn runs(&self, show: &mut dyn FnMut(&Run) -> Result<(), Error>) -> Result<(), Error> {
        self.each("history", &mut |table| Run::all(table).try_for_each(|run| show(&run)))
    }
}

/// A run: rows of a table that differ in step and in what was measured.
pub struct Run<'t> {
    table: &'t Table,
    rows: Range<usize>,
    /// Where the column of steps stands.
    step: usize,
}

impl<'t> Run<'t> {
    /// The runs in a part of a table: each begins where steps do not grow.
    fn all(table: &'t Table) -> impl Iterator<Item = Self> {
        let step = table.columns().iter().position(|c| c.name == STEP).unwrap_or(0);
        let at = move |row: usize| table.number(STEP, row);
        let mut begins: Vec<usize> = (0..table.rows()).filter(|row| *row == 0 || at(*row) <= at(*row - 1)).collect();
        begins.push(table.rows());
        (1..begins.len()).map(move |i| Run { table, rows: begins[i - 1]..begins[i], step })
    }

    /// What says which run it is: names with values, missing ones left out.
    pub fn settings(&self) -> impl Iterator<Item = (&'t str, Value)> {
        let row = self.rows.start;
        self.table.columns()[..self.step].iter().map(move |c| (c.name.as_str(), json(&c.values, row))).filter(|(_, value)| !value.is_null())
    }

    /// A name in words: `standard,alignment=0.5,seed=3`.
    pub fn name(&self) -> String {
        let word = |(name, value): (&str, Value)| match value {
            Value::String(text) if name == "recipe" => text,
            Value::String(text) => format!("{name}={text}"),
            number => format!("{name}={number}"),
        };
        self.settings().filter(|(name, _)| *name != "cell").map(word).collect::<Vec<_>>().join(",")
    }

    /// Steps, each with the metrics that were measured there.
    pub fn points(&self) -> impl Iterator<Item = (i64, Vec<(&'t str, f64)>)> {
        let (table, measured) = (self.table, &self.table.columns()[(self.step + 1).min(self.table.columns().len())..]);
        let metrics = move |row: usize| measured.iter().filter_map(|c| Some((c.name.as_str(), table.number(&c.name, row)?))).collect();
        self.rows.clone().filter_map(move |row| Some((table.number(STEP, row)? as i64, metrics(row))))
    }
}

/// An entry as JSON; null where it is missing.
pub fn json(values: &Values, row: usize) -> Value {
    match values {
        Values::Float(v) => v[row].map_or(Value::Null, Value::from),
        Values::Int(v) => v[row].map_or(Value::Null, Value::from),
        Values::Text(v) => v[row].clone().map_or(Value::Null, Value::from),
    }
}

/// A row as a JSON object; null where something is missing.
pub fn object(columns: &[Column], row: usize) -> Value {
    Value::Object(columns.iter().map(|c| (c.name.clone(), json(&c.values, row))).collect())
}

/// The steps of a training run on a language model as a table, with what `run.json` says of it in front.
fn steps(folder: &Path, path: &Path) -> Result<Table, Error> {
    let text = std::fs::read_to_string(path).map_err(Error::file(path, "cannot be read"))?;
    let rows = text
        .lines()
        .enumerate()
        .map(|(at, line)| serde_json::from_str(line).map_err(|e| Error::damaged(path, format!("line {} is no JSON object ({e})", at + 1))));
    let rows: Vec<Map<String, Value>> = rows.collect::<Result<_, Error>>()?;
    let mut table = Table::new();
    for (name, value) in about(&folder.join("run.json"))? {
        match value {
            Value::String(text) => table.text(&name, "", rows.iter().map(|_| text.clone())),
            other => table.float(&name, "", rows.iter().map(|_| other.as_f64())),
        };
    }
    table.int(STEP, "updates done", rows.iter().map(|row| row.get(STEP).and_then(Value::as_i64)));
    for name in measured(&rows) {
        if table.get(name).is_none() {
            table.float(name, "", rows.iter().map(|row| row.get(name).and_then(Value::as_f64)));
        }
    }
    Ok(table)
}

/// Names of what rows hold, in the order in which they first appear.
fn measured(rows: &[Map<String, Value>]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for name in rows.iter().flat_map(Map::keys) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names
}

/// Settings that are single values; a run without the file has none.
fn about(path: &Path) -> Result<Vec<(String, Value)>, Error> {
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(path).map_err(Error::file(path, "cannot be read"))?;
    let all: Map<String, Value> = serde_json::from_str(&text).map_err(|e| Error::damaged(path, format!("is no JSON object ({e})")))?;
    Ok(all.into_iter().filter(|(name, value)| name != STEP && (value.is_number() || value.is_string())).collect())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What [`trained`] measured: numbers that `f32` holds exactly, and some that are missing.
    pub(in crate::export) const POINTS: [(i64, &[(&str, f64)]); 3] =
        [(0, &[("held_out/pass@1", 0.25), ("reward", -1.5)]), (1, &[("held_out/pass@1", 0.375)]), (4, &[("reward", 0.5)])];

    /// A training run on a language model, in a folder of its own.
    pub(in crate::export) fn trained() -> (tempfile::TempDir, Source) {
        let folder = tempfile::tempdir().unwrap();
        let line = |(step, metrics): &(i64, &[(&str, f64)])| {
            let metrics = metrics.iter().map(|(name, value)| format!(",\"{name}\":{value}")).collect::<String>();
            format!("{{\"step\":{step}{metrics}}}\n")
        };
        std::fs::write(folder.path().join("run.json"), r#"{"recipe":"majority","seed":3}"#).unwrap();
        std::fs::write(folder.path().join(METRICS), POINTS.iter().map(line).collect::<String>()).unwrap();
        let source = Source::open(folder.path()).unwrap();
        (folder, source)
    }
}

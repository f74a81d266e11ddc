//! Pass counts from the files that people have: one file here per format, and its line in [`IMPORTERS`].
//!
//! The canonical form is a table with a row per prompt: `id`, `n` samples, `c` of them correct, and `step` where the file knows when. Every importer says what
//! a row of its file holds; rows of one prompt at one step are added up, in the order in which they first appear.

mod canonical;
mod lighteval;
mod lm_eval;
mod one_shot_rlvr;
mod qwen_math;
mod reasoning_gym;
pub mod rows;
mod samples;

use crate::error::Error;
use mta_sims::registry::{Entry, Named};
use mta_sims::table::Table;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// Samples of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// The prompt.
    pub id: String,
    /// Updates done when it was sampled, where that is known.
    pub step: Option<i64>,
    /// Number of samples.
    pub n: u64,
    /// Of these, correct.
    pub c: u64,
}

/// What is asked of an importer beside the file.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The column of scores, where it is not the format's own.
    pub score: Option<String>,
    /// The score from which on a sample is correct.
    pub threshold: f64,
}

/// The threshold unless told otherwise: between wrong and right whether wrong is 0 or -1.
pub const THRESHOLD: f64 = 0.5;

/// A format.
#[derive(Debug)]
pub struct Importer {
    /// Its name, what it is, and the program that writes it.
    pub entry: Entry,
    /// The counts in a row of a file, or why there are none.
    pub read: fn(&Value, &Asked) -> Result<Vec<Count>, String>,
}

impl Named for Importer {
    fn entry(&self) -> &Entry {
        &self.entry
    }
}

/// All formats.
pub const IMPORTERS: &[&Importer] = &[
    &canonical::CANONICAL,
    &samples::VERL,
    &samples::TRL,
    &lm_eval::LM_EVAL,
    &lighteval::LIGHTEVAL,
    &qwen_math::QWEN_MATH,
    &samples::RLVR_DECOMPOSED,
    &samples::TINKER,
    &reasoning_gym::REASONING_GYM,
    &one_shot_rlvr::ONE_SHOT_RLVR,
];

/// Reads files of one format and adds up what they hold.
///
/// # Errors
/// When a file cannot be read or holds something else: the message names file, row and column.
pub fn read(importer: &Importer, paths: &[&Path], asked: &Asked) -> Result<Vec<Count>, Error> {
    let mut sums = Sums::default();
    for path in paths {
        rows::each(path, &mut |row| (importer.read)(row, asked)?.iter().try_for_each(|count| sums.add(count)))?;
    }
    Ok(sums.counts)
}

/// The counts as a table; `step` only where a file knew it.
pub fn table(counts: &[Count]) -> Table {
    let mut table = Table::new();
    table.text("id", "the prompt", counts.iter().map(|count| count.id.as_str()));
    if counts.iter().any(|count| count.step.is_some()) {
        table.int("step", "updates done", counts.iter().map(|count| count.step));
    }
    table.int("n", "samples", counts.iter().map(|count| i64::try_from(count.n).ok()));
    table.int("c", "correct samples", counts.iter().map(|count| i64::try_from(count.c).ok()));
    table
}

/// Counts by prompt and step.
#[derive(Default)]
struct Sums {
    counts: Vec<Count>,
    places: HashMap<(String, Option<i64>), usize>,
}

/// Samples that a prompt may have: sums stay whole numbers of any table.
const MOST_SAMPLES: u64 = i64::MAX as u64;

impl Sums {
    fn add(&mut self, count: &Count) -> Result<(), String> {
        let place = *self.places.entry((count.id.clone(), count.step)).or_insert(self.counts.len());
        if place == self.counts.len() {
            self.counts.push(Count { n: 0, c: 0, ..count.clone() });
        }
        let sum = &mut self.counts[place];
        sum.n = sum.n.checked_add(count.n).filter(|n| *n <= MOST_SAMPLES).ok_or("has more samples than can be counted")?;
        sum.c += count.c;
        Ok(())
    }
}

/// The value at a path of keys of an object.
fn get<'v>(row: &'v Value, keys: &[&str]) -> Option<&'v Value> {
    keys.iter().try_fold(row, |value, key| value.get(key)).filter(|value| !value.is_null())
}

/// The value of a column that must be there.
fn column<'v>(row: &'v Value, name: &str) -> Result<&'v Value, String> {
    get(row, &[name]).ok_or_else(|| format!("has no '{}'; there is {}", name.escape_debug(), known(row)))
}

/// Names of the columns, for messages.
fn known(row: &Value) -> String {
    let names = row.as_object().map(|object| object.keys().map(|key| format!("'{}'", key.escape_debug())).collect::<Vec<_>>());
    names.filter(|names| !names.is_empty()).map_or_else(|| "no column".into(), |names| names.join(", "))
}

/// A number, also where it is written as text or as true or false.
fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Bool(yes) => Some(f64::from(u8::from(*yes))),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(1.0),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(0.0),
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    };
    number.filter(|x| x.is_finite())
}

/// A whole number of at least 0.
fn whole(row: &Value, name: &str) -> Result<u64, String> {
    let value = column(row, name)?;
    let read = number(value).filter(|x| x.fract() == 0.0 && (0.0..=2f64.powi(53)).contains(x));
    read.map(|x| x as u64).ok_or_else(|| format!("has '{name}' = {}: must be a whole number >= 0", short(value)))
}

/// The step a row speaks of, where it does.
fn step(row: &Value, name: &str) -> Result<Option<i64>, String> {
    get(row, &[name]).map(|_| whole(row, name).map(|step| step as i64)).transpose()
}

/// Whether a score is one of a correct sample.
fn correct(score: &Value, name: &str, asked: &Asked) -> Result<bool, String> {
    let read =
        number(score).ok_or_else(|| format!("has '{}' = {}: must be a number, or true or false", name.escape_debug(), short(score)))?;
    Ok(read >= asked.threshold)
}

/// One or many scores of a prompt.
fn count(id: String, step: Option<i64>, scores: &Value, name: &str, asked: &Asked) -> Result<Count, String> {
    let all = scores.as_array().map_or(std::slice::from_ref(scores), Vec::as_slice);
    let right = all.iter().map(|score| correct(score, name, asked)).collect::<Result<Vec<bool>, _>>()?;
    Ok(Count { id, step, n: right.len() as u64, c: right.iter().filter(|right| **right).count() as u64 })
}

/// A prompt's name: a short value as it is, a text by its hash.
fn name(value: &Value) -> String {
    match value {
        Value::String(text) if text.len() <= LONG && !text.contains(['\n', '\r']) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => mta_sims::digest::name(&other.to_string()),
    }
}

/// Bytes of the longest prompt that is its own name.
const LONG: usize = 64;

/// A value as messages show it.
fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= LONG { text } else { text.chars().take(LONG).collect::<String>() + "..." }
}

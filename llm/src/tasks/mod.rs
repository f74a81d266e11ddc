//! Procedural tasks: families of questions with a difficulty, an answer and a verifier. One file each; adding one is a file, a `mod` line and a line in
//! [`FAMILIES`].
//!
//! A family numbers its questions: at each difficulty it has [`Family::questions`] of them, all different, and [`Family::item`] writes down any one from its
//! number. So a draw is a walk along a seeded [permutation](crate::permutation) of these numbers: no question comes twice, and a draw that asks for more than there
//! are is refused with their count.
//!
//! A question is for training or held out by a hash of its normalised text ([`Split::of`]), whatever the seed: the two can never share a question. Questions
//! that only mean the same, such as 3 + 4 and 4 + 3, may be on different sides.
//!
//! Rows have the shape of reasoning-gym, `{question, answer, metadata: {source_dataset, source_index, difficulty: {level, ...}, ...}}`, and so do scores: 1 is
//! right, 0 is wrong. Two families pay partial credit, as reasoning-gym's do: `spell_backward` 0.2 for the right letters in a wrong order, `countdown` 0.05 for
//! a valid expression that misses the target. Unlike there, an answer that is merely present earns nothing (there 0.05, 0.01, or its share of a longer text),
//! and `countdown` holds each number to one use and compares exactly (there numbers may repeat and values are cut to integers).
//!
//! | family | level 1 | highest level |
//! |---|---|---|
//! | chain_sum | 162 | 8: 9.9e28 |
//! | modular_arithmetic | 2,430 | 6: 4.1e18 |
//! | operation | 1,574,640 | 6: 9.3e10 |
//! | cipher | 896,376 | 10: 4.9e18 |
//! | counterfactual | 448 | 6: 9.6e11 |
//! | spell_backward | 17,576 | 20: 1.3e31 |
//! | countdown | 4,060 | 5: 1.1e9 |
//!
//! Of the counterfactual questions drawn at levels 1 to 6 (300 each, training side, seed 1) 17, 3, 0, 0, 0, 0 have the answer that common knowledge gives; the
//! field `ordinary_answer` holds the latter.
//!
//! # Source
//! The shape of rows, and the scores named: Stojanovski et al., "Reasoning Gym", arXiv 2505.24760, and its repository (`dataset.py`, `spell_backward.py`,
//! `countdown.py`). The operations follow the Operation category of KOR-Bench, arXiv 2410.06526.

use crate::error::{Error, Result};
use crate::permutation::Permutation;
use mta_sims::digest;
use mta_sims::registry::{Entry, Named, find};
use mta_sims::stream::Seed;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::Path;

mod chain_sum;
mod cipher;
mod countdown;
mod counterfactual;
mod modular_arithmetic;
mod operation;
mod spell_backward;

/// Every family.
pub static FAMILIES: &[&Family] = &[
    &chain_sum::CHAIN_SUM,
    &modular_arithmetic::MODULAR_ARITHMETIC,
    &operation::OPERATION,
    &cipher::CIPHER,
    &counterfactual::COUNTERFACTUAL,
    &spell_backward::SPELL_BACKWARD,
    &countdown::COUNTDOWN,
];

/// One of this many questions is held out.
pub const HELD_OUT_ONE_IN: u8 = 4;

/// A family of questions.
#[derive(Debug)]
pub struct Family {
    /// Name, meaning, count of questions, and source.
    pub entry: Entry,
    /// Highest difficulty; the lowest is 1.
    pub levels: u32,
    /// How many different questions there are at a difficulty.
    pub questions: fn(level: u32) -> u128,
    /// The question with a number below that count.
    pub item: fn(level: u32, number: u128) -> Item,
    /// What an answer earns, in [0, 1].
    pub score: fn(answer: &str, row: &Row) -> f64,
}

impl Named for Family {
    fn entry(&self) -> &Entry {
        &self.entry
    }
}

/// One question of a family.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// What is asked.
    pub question: String,
    /// A right answer.
    pub answer: String,
    /// What makes it as hard as it is.
    pub difficulty: Map<String, Value>,
    /// What else a verifier or a reader may want to know.
    pub details: Map<String, Value>,
}

/// A question in reasoning-gym's shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What is asked.
    pub question: String,
    /// A right answer.
    pub answer: String,
    /// Where it comes from.
    pub metadata: Metadata,
}

/// Where a row comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// Name of the family.
    pub source_dataset: String,
    /// Place in its draw, from 0.
    pub source_index: usize,
    /// `level`, and what it means in the family.
    pub difficulty: Map<String, Value>,
    /// What else the family tells.
    #[serde(flatten)]
    pub details: Map<String, Value>,
}

/// The two sides no question is on both of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Questions to train on.
    Train,
    /// Questions to measure on.
    HeldOut,
}

impl Split {
    /// The side of a question: held out where the first byte of the BLAKE3 hash of its text, in lower case with single spaces, is 0 modulo
    /// [`HELD_OUT_ONE_IN`].
    pub fn of(question: &str) -> Split {
        let normalised = question.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        let byte = digest::number(normalised.as_bytes()) as u8;
        if byte.is_multiple_of(HELD_OUT_ONE_IN) { Split::HeldOut } else { Split::Train }
    }
}

impl Family {
    /// The family called `name`.
    ///
    /// # Errors
    /// An unknown name, with the nearest known one.
    pub fn named(name: &str) -> Result<&'static Family> {
        find("task", FAMILIES, name).map_err(|e| Error::Setting(e.to_string()))
    }

    /// `n` different questions of `level` on one side of the split, in an order of the seed's. A longer draw begins with the shorter one.
    ///
    /// # Errors
    /// A difficulty the family does not have, or more questions than there are on that side.
    ///
    /// # Example
    /// ```
    /// use mta_llm::tasks::{Family, Split};
    /// let family = Family::named("chain_sum").unwrap();
    /// let rows = family.draw(2, Split::Train, mta_sims::stream::Seed(0), 10).unwrap();
    /// assert!(rows.iter().all(|row| family.score_answer(&row.answer, row) == 1.0));
    /// ```
    pub fn draw(&self, level: u32, split: Split, seed: Seed, n: usize) -> Result<Vec<Row>> {
        let name = self.entry.name;
        if !(1..=self.levels).contains(&level) {
            return Err(Error::Setting(format!("difficulty {level} of {name}; allowed: 1 to {}", self.levels)));
        }
        let count = (self.questions)(level);
        let order = Permutation::new(seed, level, name, count);
        let items = (0..count).map(|i| (self.item)(level, order.at(i))).filter(|item| Split::of(&item.question) == split);
        let rows: Vec<Row> = items.take(n).enumerate().map(|(i, item)| self.row(level, i, item)).collect();
        let there_are = rows.len();
        let refusal = || {
            Error::Setting(format!(
                "{n} {split:?} questions of {name} at difficulty {level}: only {there_are} of its {count} questions are on that side; allowed: at most {there_are}"
            ))
        };
        if there_are == n { Ok(rows) } else { Err(refusal()) }
    }

    fn row(&self, level: u32, source_index: usize, item: Item) -> Row {
        let mut difficulty = Map::from_iter([("level".to_string(), level.into())]);
        difficulty.extend(item.difficulty);
        let metadata = Metadata { source_dataset: self.entry.name.into(), source_index, difficulty, details: item.details };
        Row { question: item.question, answer: item.answer, metadata }
    }

    /// What `answer`, the final answer alone, earns for `row`, in [0, 1].
    pub fn score_answer(&self, answer: &str, row: &Row) -> f64 {
        (self.score)(answer.trim(), row)
    }
}

/// What `answer` earns for `row`, by the verifier of the row's family.
///
/// # Errors
/// A row of no known family.
pub fn score_answer(answer: &str, row: &Row) -> Result<f64> {
    Ok(Family::named(&row.metadata.source_dataset)?.score_answer(answer, row))
}

/// Writes rows as JSONL, one object a line.
///
/// # Errors
/// A file that cannot be written.
pub fn write_jsonl(rows: &[Row], path: &Path) -> Result<()> {
    let lines: Vec<String> = rows.iter().map(|row| serde_json::to_string(row).expect("a row is text, numbers and lists") + "\n").collect();
    std::fs::write(path, lines.concat()).map_err(Error::file(path, "cannot be written"))
}

/// 1 for the right answer, in either case; 0 for any other.
fn exact(answer: &str, row: &Row) -> f64 {
    f64::from(answer.to_lowercase() == row.answer.to_lowercase())
}

/// The mixed-radix digits of a question's number.
struct Digits(u128);

impl Digits {
    /// The next digit: one of `radix`.
    fn next(&mut self, radix: u128) -> u128 {
        let digit = self.0 % radix;
        self.0 /= radix;
        digit
    }

    /// A number from `low` to `high`.
    fn within(&mut self, low: i128, high: i128) -> i128 {
        low + self.next((high - low + 1) as u128) as i128
    }

    /// One of `choices`.
    fn choose<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.next(choices.len() as u128) as usize]
    }

    /// A word of small letters.
    fn word(&mut self, length: u32) -> String {
        (0..length).map(|_| char::from(b'a' + self.next(26) as u8)).collect()
    }
}

/// JSON fields from names and values.
fn fields<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

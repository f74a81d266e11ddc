//! Question files: JSONL and Parquet, one row type, and the templates that make prompts of questions.
//!
//! | shape | question | answer | id | source |
//! |---|---|---|---|---|
//! | GSM8K | `question` | `answer`, after `####` | `idx` | file's name |
//! | MATH-500 | `problem` | `answer` | `unique_id` | file's name |
//! | AIME, AMC | `problem` | `answer`, text or number (27.0 is 27) | `id` | file's name |
//! | Minerva | `problem` | last `\boxed{}` of `solution` | `idx` | file's name |
//! | plain, reasoning-gym | `question` | `answer` | `id`, `metadata.source_index` or the row's number | `source` or `metadata.source_dataset` |
//! | verl | last user message of `prompt` | `reward_model.ground_truth` | `extra_info.index` | `data_source` |
//!
//! A row's shape is read off its fields, so files may mix them; JSONL and Parquet hold the same shapes. Empty lines are skipped. A verl prompt is taken as it
//! stands: the instruction it ends in is part of the question, and its template is [`PLAIN`].

use crate::error::{Error, Result};
use crate::math::extract::{boxed, hashes};
use parquet::file::reader::SerializedFileReader;
use parquet::record::{Field, Row};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fs::File;
use std::path::Path;

/// One question with the answer that counts as right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// What its file calls it, or its row number from 0.
    pub id: String,
    /// What is asked.
    pub question: String,
    /// The final answer alone.
    pub answer: String,
    /// The data set it comes from.
    pub source: String,
}

/// How a question becomes the text of a prompt; `{question}` stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its name.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
    /// Who uses it.
    pub source: &'static str,
}

/// The question and nothing else.
pub const PLAIN: Template = Template { name: "plain", text: "{question}", source: "base models; prompts that come with their instruction" };

/// The question, then the instruction to reason and to box the answer.
pub const BOXED: Template = Template {
    name: "boxed",
    text: "{question}\nPlease reason step by step, and put your final answer within \\boxed{}.",
    source: "the instruction Qwen2.5-Math's model cards recommend",
};

/// Every template.
pub const TEMPLATES: &[Template] = &[PLAIN, BOXED];

impl Template {
    /// The template called `name`.
    ///
    /// # Errors
    /// A name nobody has, with those there are.
    pub fn named(name: &str) -> Result<Template> {
        let known: Vec<_> = TEMPLATES.iter().map(|t| t.name).collect();
        let unknown = || Error::Setting(format!("unknown template '{name}'; known: {}", known.join(", ")));
        TEMPLATES.iter().find(|t| t.name == name).copied().ok_or_else(unknown)
    }

    /// The prompt for `question`.
    ///
    /// # Example
    /// ```
    /// assert_eq!(mta_llm::data::PLAIN.fill("1 + 1?"), "1 + 1?");
    /// ```
    pub fn fill(&self, question: &str) -> String {
        self.text.replace("{question}", question)
    }
}

/// All questions of a `.jsonl` or `.parquet` file, in its order.
///
/// # Errors
/// A file that cannot be read, has another extension, holds no rows, or a row of none of the [shapes](self): the message names file, line or row, field, its
/// value and what is allowed.
pub fn load(path: &Path) -> Result<Vec<Question>> {
    rows(path, &question)
}

/// [`load`], each question with the response its file gives for it: the first of the fields `response`, `completion`, `solution`, `answer` (whole) and
/// `reward_model.ground_truth`.
///
/// # Errors
/// As [`load`].
pub fn solved(path: &Path) -> Result<Vec<(Question, String)>> {
    rows(path, &|row, path, number| Ok((question(row, path, number)?, required(row, &SOLUTIONS)?)))
}

/// Where a whole response stands.
const SOLUTIONS: [&str; 5] = ["response", "completion", "solution", "answer", "reward_model.ground_truth"];

/// What `reader` makes of a row.
type Reader<'r, T> = &'r dyn Fn(&Map<String, Value>, &Path, usize) -> Read<T>;

fn rows<T>(path: &Path, reader: Reader<T>) -> Result<Vec<T>> {
    let questions = match path.extension().and_then(|e| e.to_str()) {
        Some("jsonl") => load_jsonl(path, reader),
        Some("parquet") => load_parquet(path, reader),
        _ => Err(Error::damaged(path, "is no question file; allowed extensions: jsonl, parquet")),
    }?;
    if questions.is_empty() { Err(Error::damaged(path, "holds no questions")) } else { Ok(questions) }
}

fn load_jsonl<T>(path: &Path, reader: Reader<T>) -> Result<Vec<T>> {
    let text = std::fs::read_to_string(path).map_err(Error::file(path, "cannot be read"))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .enumerate()
        .map(|(row, (line, text))| from_line(text, path, row, reader).map_err(|e| Error::damaged(path, format!("line {}: {e}", line + 1))))
        .collect()
}

fn from_line<T>(text: &str, path: &Path, row: usize, reader: Reader<T>) -> Read<T> {
    let value: Value = serde_json::from_str(text).map_err(|e| format!("is not JSON ({e})"))?;
    match value {
        Value::Object(fields) => reader(&fields, path, row),
        other => Err(format!("is {}; allowed: an object", shown(&other))),
    }
}

fn load_parquet<T>(path: &Path, reader: Reader<T>) -> Result<Vec<T>> {
    let file = File::open(path).map_err(Error::file(path, "cannot be read"))?;
    let damaged = |e| Error::damaged(path, format!("is truncated, damaged or compressed otherwise than by snappy ({e})"));
    let table = SerializedFileReader::new(file).map_err(damaged)?;
    let read = |(row, record): (usize, std::result::Result<Row, _>)| {
        let fields = object(record.map_err(damaged)?);
        reader(&fields, path, row).map_err(|e| Error::damaged(path, format!("row {}: {e}", row + 1)))
    };
    table.into_iter().enumerate().map(read).collect()
}

fn object(row: Row) -> Map<String, Value> {
    row.into_columns().into_iter().map(|(name, field)| (name, json(field))).collect()
}

fn json(field: Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(b) => b.into(),
        Field::Byte(n) => n.into(),
        Field::Short(n) => n.into(),
        Field::Int(n) => n.into(),
        Field::Long(n) => n.into(),
        Field::UByte(n) => n.into(),
        Field::UShort(n) => n.into(),
        Field::UInt(n) => n.into(),
        Field::ULong(n) => n.into(),
        Field::Float(x) => f64::from(x).into(),
        Field::Double(x) => x.into(),
        Field::Str(text) => text.into(),
        Field::Group(row) => object(row).into(),
        Field::ListInternal(list) => list.elements().iter().cloned().map(json).collect::<Vec<_>>().into(),
        other => other.to_string().into(),
    }
}

type Read<T> = std::result::Result<T, String>;

fn question(row: &Map<String, Value>, path: &Path, number: usize) -> Read<Question> {
    let source = first(row, &["data_source", "source", "metadata.source_dataset"])?.unwrap_or_else(|| stem(path));
    let id = first(row, &["id", "unique_id", "idx", "extra_info.index", "metadata.source_index"])?.unwrap_or_else(|| number.to_string());
    let (question, answer) = match row.get("prompt") {
        Some(Value::Array(messages)) => (last_user_message(messages)?, ground_truth(row)?),
        _ => (required(row, &["problem", "question", "prompt"])?, final_answer(row)?),
    };
    Ok(Question { id, question, answer, source })
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The value at a dotted path.
fn at<'a>(row: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let value = row.get(head).filter(|v| !v.is_null())?;
    rest.map_or(Some(value), |rest| at(value.as_object()?, rest))
}

/// The first of the fields that is there, as text.
fn first(row: &Map<String, Value>, names: &[&str]) -> Read<Option<String>> {
    let found = names.iter().find_map(|name| at(row, name).map(|value| (name, value)));
    found.map(|(name, value)| text(name, value)).transpose()
}

fn required(row: &Map<String, Value>, names: &[&str]) -> Read<String> {
    let present = || row.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let value = first(row, names)?.ok_or_else(|| format!("no field {}; its fields are: {}", names.join(" or "), present()))?;
    if value.trim().is_empty() { Err(format!("field {} is empty; allowed: text or a number", names.join(" or "))) } else { Ok(value) }
}

fn text(name: &str, value: &Value) -> Read<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(n) => {
            Ok(n.as_f64().filter(|x| x.fract() == 0.0 && x.abs() < 1e15).map_or_else(|| n.to_string(), |x| format!("{x:.0}")))
        }
        other => Err(format!("field {name} is {}; allowed: text or a number", shown(other))),
    }
}

/// A value cut to a length fit for a message.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 60 { text } else { text.chars().take(57).chain("...".chars()).collect() }
}

fn final_answer(row: &Map<String, Value>) -> Read<String> {
    let answer = required(row, &["answer", "solution"])?;
    if at(row, "answer").is_some() {
        return Ok(hashes(&answer).unwrap_or(&answer).to_string());
    }
    let marked = boxed(&answer).or_else(|| hashes(&answer)).map(str::to_string);
    marked.ok_or_else(|| "field solution has no final answer; allowed: one with \\boxed{} or ####, or a field answer".to_string())
}

fn ground_truth(row: &Map<String, Value>) -> Read<String> {
    required(row, &["reward_model.ground_truth"])
}

fn last_user_message(messages: &[Value]) -> Read<String> {
    let user = messages.iter().rev().filter_map(Value::as_object).find(|m| m.get("role").and_then(Value::as_str) == Some("user"));
    required(user.ok_or("field prompt has no message with role user")?, &["content"]).map_err(|e| format!("field prompt: {e}"))
}

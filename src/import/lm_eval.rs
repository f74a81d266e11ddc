//! lm-evaluation-harness: `samples_<task>_<date>.jsonl`, a row per document (and filter) with its metrics beside.

use super::{Asked, Count, Importer, column, count, get, name};
use mta_sims::registry::Entry;
use serde_json::Value;

/// Logged samples of the harness.
pub static LM_EVAL: Importer = Importer {
    entry: Entry {
        name: "lm-eval",
        aliases: &["lm-evaluation-harness"],
        doc: "lm-eval's samples_*.jsonl: a row per document with its metric (--score); a metric that is a list counts as many samples, any other as one",
        formula: "",
        source: "EleutherAI/lm-evaluation-harness, --log_samples",
        elsewhere: &[],
    },
    read,
};

/// A document that went through several filters has a row for each: they are prompts of their own.
fn read(row: &Value, asked: &Asked) -> Result<Vec<Count>, String> {
    let score = asked.score.as_deref().unwrap_or("exact_match");
    let value = column(row, score).map_err(|e| format!("{e}; --score names the metric"))?;
    let document = name(column(row, "doc_id")?);
    let id = match get(row, &["filter"]).and_then(Value::as_str) {
        None | Some("none") => document,
        Some(filter) => format!("{document}/{filter}"),
    };
    Ok(vec![count(id, None, value, score, asked)?])
}

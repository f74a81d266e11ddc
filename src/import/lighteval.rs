//! lighteval: details as Parquet, a row per document with its metrics in `__metric__` (`metric` since 0.13).

use super::{Asked, Count, Importer, column, count, get, known, name};
use mta_sims::registry::Entry;
use serde_json::Value;

/// Details of lighteval.
pub static LIGHTEVAL: Importer = Importer {
    entry: Entry {
        name: "lighteval",
        aliases: &[],
        doc: "lighteval's details_*.parquet: a row per document; --score names the metric, a number or a list of one per sample",
        formula: "",
        source: "huggingface/lighteval, save_details",
        elsewhere: &[],
    },
    read,
};

/// One of two columns: names changed.
fn either<'v>(row: &'v Value, old: &str, new: &str) -> Result<&'v Value, String> {
    get(row, &[old]).map_or_else(|| column(row, new), Ok)
}

fn read(row: &Value, asked: &Asked) -> Result<Vec<Count>, String> {
    let metrics = either(row, "__metric__", "metric")?;
    let score = asked.score.as_deref().or_else(|| only(metrics));
    let score = score.ok_or_else(|| format!("has several metrics: --score must name one of {}", known(metrics)))?;
    let document = either(row, "__doc__", "doc")?;
    let id = get(document, &["id"]).or_else(|| get(document, &["query"])).ok_or("has a document with neither 'id' nor 'query'")?;
    Ok(vec![count(name(id), None, column(metrics, score)?, score, asked)?])
}

/// The name of the only metric.
fn only(metrics: &Value) -> Option<&str> {
    let mut names = metrics.as_object()?.keys();
    names.next().filter(|_| names.next().is_none()).map(String::as_str)
}

//! reasoning-gym: a JSON file per data set, with `results`, each with scored `completions`.

use super::{Asked, Count, Importer, column, count, get, name};
use mta_sims::registry::Entry;
use serde_json::Value;

/// Results of reasoning-gym's evaluation.
pub static REASONING_GYM: Importer = Importer {
    entry: Entry {
        name: "reasoning-gym",
        aliases: &[],
        doc: "reasoning-gym's evaluation: results with completions, each with a score (run it with --full-results)",
        formula: "",
        source: "open-thought/reasoning-gym, eval/eval.py",
        elsewhere: &[],
    },
    read,
};

fn read(row: &Value, asked: &Asked) -> Result<Vec<Count>, String> {
    let set = get(row, &["name"]).map_or_else(|| "entry".into(), name);
    let results = column(row, "results")?.as_array().ok_or("has 'results' that are no list")?;
    results.iter().enumerate().map(|(at, result)| entry(format!("{set}/{at}"), result, asked)).collect()
}

fn entry(id: String, result: &Value, asked: &Asked) -> Result<Count, String> {
    let score = asked.score.as_deref().unwrap_or("score");
    let completions = column(result, "completions").map_err(|e| format!("{e} in a result; evaluate with --full-results"))?;
    let completions = completions.as_array().ok_or("has 'completions' that are no list")?;
    let scores = completions.iter().map(|completion| column(completion, score).cloned()).collect::<Result<Vec<_>, _>>()?;
    count(id, None, &Value::Array(scores), score, asked)
}

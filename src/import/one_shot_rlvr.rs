//! One-Shot-RLVR: `data/acc_step_500.json`, prompt -> accuracy per epoch, each of eight samples.

use super::{Asked, Count, Importer, number, short};
use mta_sims::registry::Entry;
use serde_json::Value;

/// Accuracy histories of One-Shot-RLVR.
pub static ONE_SHOT_RLVR: Importer = Importer {
    entry: Entry {
        name: "one-shot-rlvr",
        aliases: &[],
        doc: "One-Shot-RLVR's acc_step_500.json: prompt -> accuracy of eight samples per epoch; the epoch becomes the step",
        formula: "",
        source: "ypwang61/One-Shot-RLVR, data/acc_step_500.json",
        elsewhere: &[],
    },
    read,
};

/// Samples behind an accuracy.
const SAMPLES: u64 = 8;

fn read(row: &Value, _: &Asked) -> Result<Vec<Count>, String> {
    let prompts = row.as_object().ok_or("is no object of prompts")?;
    let histories = prompts.iter().map(|(id, history)| epochs(id, history)).collect::<Result<Vec<_>, _>>()?;
    Ok(histories.concat())
}

fn epochs(id: &str, history: &Value) -> Result<Vec<Count>, String> {
    let history = history.as_array().ok_or_else(|| format!("has a prompt '{}' without a list of accuracies", id.escape_debug()))?;
    let count = |(epoch, accuracy): (usize, &Value)| {
        let c = number(accuracy).map(|a| a * SAMPLES as f64).filter(|c| c.fract() == 0.0 && (0.0..=SAMPLES as f64).contains(c));
        let c = c.ok_or_else(|| format!("has an accuracy {} of prompt '{}': must be k/{SAMPLES}", short(accuracy), id.escape_debug()))?;
        Ok(Count { id: id.into(), step: Some(epoch as i64), n: SAMPLES, c: c as u64 })
    };
    history.iter().enumerate().map(count).collect()
}

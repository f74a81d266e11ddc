//! Files with a row per sample: which column names the prompt, which the step, and which the score.

use super::{Asked, Count, Importer, column, count, name, step};
use mta_sims::registry::Entry;
use serde_json::Value;

/// Rollouts that verl dumps (`trainer.rollout_data_dir`).
pub static VERL: Importer = Importer {
    entry: Entry {
        name: "verl",
        aliases: &[],
        doc: "verl's rollout_data_dir/<step>.jsonl: a row per sample with input, score and step",
        formula: "",
        source: "verl/trainer/ppo/ray_trainer.py, _dump_generations",
        elsewhere: &[],
    },
    read: |row, asked| {
        if row.as_object().is_some_and(|row| row.keys().any(|key| key.contains("mean@") || key.contains("best@"))) {
            return Err(
                "has means over samples (mean@N, best@N), of which no counts can be made; dump the rollouts: trainer.rollout_data_dir"
                    .into(),
            );
        }
        sample(row, &["input"], Some("step"), "score", asked)
    },
};

/// Completions that TRL logs (`log_completions`).
pub static TRL: Importer = Importer {
    entry: Entry {
        name: "trl",
        aliases: &[],
        doc: "TRL's completions/completions_*.parquet: a row per sample with prompt and step; --score names the reward",
        formula: "",
        source: "trl/trainer/grpo_trainer.py, log_completions",
        elsewhere: &[],
    },
    read: |row, asked| sample(row, &["prompt"], Some("step"), "reward", asked),
};

/// Generations of RLVR-Decomposed.
pub static RLVR_DECOMPOSED: Importer = Importer {
    entry: Entry {
        name: "rlvr-decomposed",
        aliases: &[],
        doc: "RLVR-Decomposed's generations: a row per sample with question_id and label",
        formula: "",
        source: "TianHongZXY/RLVR-Decomposed, calculate_metrics.py",
        elsewhere: &[],
    },
    read: |row, asked| sample(row, &["question_id"], None, "label", asked),
};

/// Rollout summaries of the Tinker cookbook.
pub static TINKER: Importer = Importer {
    entry: Entry {
        name: "tinker",
        aliases: &[],
        doc: "Tinker's rollout summaries: a row per sample with split, group_idx, iteration and total_reward",
        formula: "",
        source: "thinking-machines-lab/tinker-cookbook, rollout summaries",
        elsewhere: &[],
    },
    read: |row, asked| sample(row, &["split", "group_idx"], Some("iteration"), "total_reward", asked),
};

/// One sample; the prompt's name is made of the columns `prompt`.
fn sample(row: &Value, prompt: &[&str], when: Option<&str>, score: &str, asked: &Asked) -> Result<Vec<Count>, String> {
    let score = asked.score.as_deref().unwrap_or(score);
    let words = prompt.iter().map(|part| column(row, part).map(name)).collect::<Result<Vec<_>, _>>()?;
    let when = when.map_or(Ok(None), |when| step(row, when))?;
    let value = column(row, score).map_err(|e| format!("{e}; --score names the column of scores"))?;
    Ok(vec![count(words.join("/"), when, value, score, asked)?])
}

//! Evaluation of Qwen2.5-Math, as limit-of-RLVR and One-Shot-RLVR use it: a row per question, `score` a list of true and false. Files of several seeds add up.

use super::{Importer, column, count, name};
use mta_sims::registry::Entry;

/// Outputs of the Qwen2.5-Math evaluation.
pub static QWEN_MATH: Importer = Importer {
    entry: Entry {
        name: "qwen-math",
        aliases: &["limit-of-rlvr"],
        doc: "Qwen2.5-Math's evaluation (limit-of-RLVR): a row per question with idx and score, a list; several files are several seeds",
        formula: "",
        source: "LeapLabTHU/limit-of-RLVR, QwenLM/Qwen2.5-Math evaluation",
        elsewhere: &[],
    },
    read: |row, asked| {
        let score = asked.score.as_deref().unwrap_or("score");
        Ok(vec![count(name(column(row, "idx")?), None, column(row, score)?, score, asked)?])
    },
};

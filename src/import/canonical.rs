//! The canonical form itself: `id`, `n`, `c`, and `step` where it is known.

use super::{Asked, Count, Importer, column, name, step, whole};
use mta_sims::registry::Entry;
use serde_json::Value;

/// `id,n,c[,step]`.
pub static CANONICAL: Importer = Importer {
    entry: Entry {
        name: "canonical",
        aliases: &["counts"],
        doc: "id, n samples, c of them correct, and step where known, a row per prompt",
        formula: "",
        source: "",
        elsewhere: &[],
    },
    read,
};

fn read(row: &Value, _: &Asked) -> Result<Vec<Count>, String> {
    let (n, c) = (whole(row, "n")?, whole(row, "c")?);
    if c > n {
        return Err(format!("has c = {c} of n = {n} samples correct"));
    }
    Ok(vec![Count { id: name(column(row, "id")?), step: step(row, "step")?, n, c }])
}

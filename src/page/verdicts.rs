//! The verdicts of a verification, as they stand in its folder.

use crate::error::Error;
use serde_json::Value;
use std::path::Path;

/// Name of the file.
pub(super) const NAME: &str = "verdicts.json";

/// The verdicts in `folder`: objects whose keys the page shows as far as it knows them; none where there is no such file.
pub(super) fn read(folder: &Path) -> Result<Vec<Value>, Error> {
    let path = folder.join(NAME);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(&path).map_err(Error::file(&path, "cannot be read"))?;
    let damaged = |what: String| Error::damaged(&path, what);
    let value: Value = serde_json::from_str(&text).map_err(|e| damaged(format!("is damaged ({e})")))?;
    let list = value.get("verdicts").unwrap_or(&value).as_array().filter(|list| list.iter().all(Value::is_object));
    list.cloned().ok_or_else(|| damaged("is no list of verdicts".into()))
}

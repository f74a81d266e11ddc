//! Names of cells: a hash of everything a result depends on, in sixteen bytes.

use mta_sims::digest;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Name of a cell's result: the first 16 bytes of a BLAKE3 hash, written as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Id(u128);

/// Digits of a written name.
const DIGITS: usize = 32;

/// Why a text is no name of a cell.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("'{}' is no name of a cell: it must have {DIGITS} digits of 0-9a-f", .0.escape_debug())]
pub struct NoId(String);

impl Id {
    /// The name of what `description` says: [`digest::name`] of it.
    pub fn of(description: &str) -> Self {
        Id(digest::number(description.as_bytes()).swap_bytes())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for Id {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        let plain = text.len() == DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        plain.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(Id).ok_or_else(|| NoId(text.into()))
    }
}

impl TryFrom<String> for Id {
    type Error = NoId;

    fn try_from(text: String) -> Result<Self, NoId> {
        text.parse()
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_digest_and_survives_being_written() {
        for text in ["", "a", "semantics = 2\n"] {
            let id = Id::of(text);
            assert_eq!(id.to_string(), digest::name(text));
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for wrong in ["", "af1349b9f5f9a1a6a0404dea36dcc94", "AF1349b9f5f9a1a6a0404dea36dcc949", "+f1349b9f5f9a1a6a0404dea36dcc949"] {
            assert!(wrong.parse::<Id>().is_err(), "{wrong}");
        }
    }
}

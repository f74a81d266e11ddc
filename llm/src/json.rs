//! JSON files of other programs, read field by field: a wrong one is an error that names file, field, value and what is allowed.

use crate::error::{Error, Result};
use serde_json::{Map, Value};
use std::path::Path;

/// The fields of one object of a file.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    /// The file it was read from.
    pub path: &'a Path,
    map: &'a Map<String, Value>,
}

/// The value a file holds.
pub(crate) fn read(path: &Path) -> Result<Value> {
    parse(&std::fs::read_to_string(path).map_err(Error::file(path, "cannot be read"))?, path)
}

/// The value in `text`, the contents of `path`.
pub(crate) fn parse(text: &str, path: &Path) -> Result<Value> {
    serde_json::from_str(text).map_err(|e| Error::damaged(path, format!("not JSON: {e}")))
}

impl<'a> Fields<'a> {
    /// The fields of `value`, which must be an object.
    pub fn new(value: &'a Value, path: &'a Path) -> Result<Self> {
        let map = value.as_object().ok_or_else(|| Error::damaged(path, "not a JSON object"))?;
        Ok(Fields { path, map })
    }

    /// The value of `name`, unless absent or null.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|v| !v.is_null())
    }

    /// Names and values, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.map.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// A whole number of at least one.
    pub fn count(&self, name: &str) -> Result<Option<usize>> {
        self.take(name, "a whole number of at least 1", |v| v.as_u64().filter(|n| *n > 0).and_then(|n| usize::try_from(n).ok()))
    }

    /// A finite number above zero.
    pub fn positive(&self, name: &str) -> Result<Option<f64>> {
        self.take(name, "a number above 0", |v| v.as_f64().filter(|x| *x > 0.0 && x.is_finite()))
    }

    /// A finite number of at least zero.
    pub fn number(&self, name: &str) -> Result<Option<f64>> {
        self.take(name, "a number of at least 0", |v| v.as_f64().filter(|x| *x >= 0.0 && x.is_finite()))
    }

    /// True or false.
    pub fn flag(&self, name: &str) -> Result<Option<bool>> {
        self.take(name, "true or false", Value::as_bool)
    }

    /// A string.
    pub fn text(&self, name: &str) -> Result<Option<&'a str>> {
        self.take(name, "a string", Value::as_str)
    }

    /// An object.
    pub fn object(&self, name: &str) -> Result<Option<Fields<'a>>> {
        let map = self.take(name, "an object", Value::as_object)?;
        Ok(map.map(|map| Fields { path: self.path, map }))
    }

    /// A list of strings.
    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>> {
        let texts = |v: &Value| v.as_array()?.iter().map(|t| Some(t.as_str()?.to_string())).collect();
        self.take(name, "a list of strings", texts)
    }

    /// A token, or a list of tokens.
    pub fn tokens(&self, name: &str) -> Result<Option<Vec<u32>>> {
        let token = |v: &Value| v.as_u64().and_then(|id| u32::try_from(id).ok());
        let tokens = |v: &Value| v.as_array().map_or_else(|| token(v).map(|id| vec![id]), |all| all.iter().map(token).collect());
        self.take(name, "a token's number, or a list of them", tokens)
    }

    /// A field that must be there.
    pub fn need<T>(&self, name: &str, found: Option<T>) -> Result<T> {
        found.ok_or_else(|| Error::damaged(self.path, format!("{name} is missing")))
    }

    /// That the value of `name` is not `allowed`.
    pub fn refuse(&self, name: &str, allowed: &str) -> Error {
        let value = self.map.get(name).unwrap_or(&Value::Null);
        Error::damaged(self.path, format!("{name} is {value}; allowed: {allowed}"))
    }

    fn take<T>(&self, name: &str, allowed: &str, read: impl Fn(&'a Value) -> Option<T>) -> Result<Option<T>> {
        self.get(name).map(|value| read(value).ok_or_else(|| self.refuse(name, allowed))).transpose()
    }
}

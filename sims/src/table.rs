//! Named columns: the only data format that leaves a run, and the only one a figure reads.

use std::fmt::Write as _;

/// The values of one column. A missing value is `None`, never zero or NaN.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Real numbers.
    Float(Vec<Option<f64>>),
    /// Whole numbers: steps, seeds, sizes.
    Int(Vec<Option<i64>>),
    /// Names and identifiers.
    Text(Vec<Option<String>>),
}

/// One named column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Name, as TRL or verl have it where they have one.
    pub name: String,
    /// What it holds, with its unit.
    pub doc: String,
    /// One entry per row.
    pub values: Values,
}

/// Columns of equal length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    columns: Vec<Column>,
}

impl Values {
    /// Number of entries.
    pub fn len(&self) -> usize {
        match self {
            Values::Float(v) => v.len(),
            Values::Int(v) => v.len(),
            Values::Text(v) => v.len(),
        }
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn text(&self, row: usize) -> String {
        match self {
            Values::Float(v) => v[row].map_or(String::new(), decimal),
            Values::Int(v) => v[row].map_or(String::new(), |x| x.to_string()),
            Values::Text(v) => v[row].clone().unwrap_or_default(),
        }
    }

    fn number(&self, row: usize) -> Option<f64> {
        match self {
            Values::Float(v) => v[row],
            Values::Int(v) => v[row].map(|x| x as f64),
            Values::Text(_) => None,
        }
    }
}

impl Table {
    /// A table without columns.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a column of real numbers; a value that is not finite is stored as missing.
    pub fn float(&mut self, name: &str, doc: &str, values: impl IntoIterator<Item = Option<f64>>) -> &mut Self {
        let values = values.into_iter().map(|v| v.filter(|x| x.is_finite())).collect();
        self.push(name, doc, Values::Float(values))
    }

    /// Adds a column of whole numbers.
    pub fn int(&mut self, name: &str, doc: &str, values: impl IntoIterator<Item = Option<i64>>) -> &mut Self {
        self.push(name, doc, Values::Int(values.into_iter().collect()))
    }

    /// Adds a column of text.
    pub fn text<S: Into<String>>(&mut self, name: &str, doc: &str, values: impl IntoIterator<Item = S>) -> &mut Self {
        let values = values.into_iter().map(|s| Some(s.into())).collect();
        self.push(name, doc, Values::Text(values))
    }

    /// Adds a ready column.
    ///
    /// # Panics
    /// When its length differs from the other columns' or its name is taken: a bug of the caller.
    pub fn push(&mut self, name: &str, doc: &str, values: Values) -> &mut Self {
        assert!(self.columns.is_empty() || values.len() == self.rows(), "column {name}: {} rows, table has {}", values.len(), self.rows());
        assert!(self.get(name).is_none(), "column {name} stands twice");
        self.columns.push(Column { name: name.into(), doc: doc.into(), values });
        self
    }

    /// The columns in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |c| c.values.len())
    }

    /// The column called `name`.
    pub fn get(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// The number at (`name`, `row`), if there is one.
    pub fn number(&self, name: &str, row: usize) -> Option<f64> {
        self.get(name)?.values.number(row)
    }

    /// The entry at (`name`, `row`) as text; empty when missing.
    pub fn cell(&self, name: &str, row: usize) -> String {
        self.get(name).map_or(String::new(), |c| c.values.text(row))
    }

    /// Comma-separated text: a header line, then one line per row; a missing value is an empty field.
    pub fn to_csv(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|c| quoted(&c.name)).collect();
        let mut out = names.join(",") + "\n";
        for row in 0..self.rows() {
            let fields: Vec<_> = self.columns.iter().map(|c| quoted(&c.values.text(row))).collect();
            let _ = writeln!(out, "{}", fields.join(","));
        }
        out
    }
}

/// The shortest text that reads back as `x`; with an exponent where zeros would pile up.
fn decimal(x: f64) -> String {
    if x == 0.0 || (1e-5..1e15).contains(&x.abs()) { x.to_string() } else { format!("{x:e}") }
}

/// A field as RFC 4180 wants it.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_is_empty_and_never_zero() {
        let mut t = Table::new();
        t.text("name", "", ["a,b", "c"]).float("x", "", [Some(0.5), Some(f64::NAN)]).int("n", "", [None, Some(0)]);
        assert_eq!(t.to_csv(), "name,x,n\n\"a,b\",0.5,\nc,,0\n");
        assert_eq!(t.number("x", 1), None);
        assert_eq!(t.number("n", 1), Some(0.0));
    }
}

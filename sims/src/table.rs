//! Named columns: the only data format that leaves a run, and the only one a figure reads.

use std::fmt::Write as _;
use std::ops::Range;

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

    /// Adds the entry to a line of comma-separated text.
    fn write(&self, out: &mut String, row: usize) {
        match self {
            Values::Float(v) => v[row].iter().for_each(|x| decimal(out, *x)),
            Values::Int(v) => v[row].iter().for_each(|x| {
                let _ = write!(out, "{x}");
            }),
            Values::Text(v) => v[row].iter().for_each(|s| quoted(out, s)),
        }
    }

    fn text(&self, row: usize) -> String {
        let mut out = String::new();
        match self {
            Values::Text(v) => out.push_str(v[row].as_deref().unwrap_or_default()),
            numbers => numbers.write(&mut out, row),
        }
        out
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
        self.csv_header() + &self.csv_rows(0..self.rows())
    }

    /// The header line of [`Table::to_csv`].
    pub fn csv_header(&self) -> String {
        let mut out = String::new();
        self.columns.iter().for_each(|c| {
            quoted(&mut out, &c.name);
            out.push(',');
        });
        end_line(&mut out);
        out
    }

    /// Some of the rows of [`Table::to_csv`].
    pub fn csv_rows(&self, rows: Range<usize>) -> String {
        let mut out = String::new();
        let mut last = vec![Printed::default(); self.columns.len()];
        for row in rows {
            self.columns.iter().zip(&mut last).for_each(|(c, last)| {
                match &c.values {
                    Values::Float(v) => v[row].iter().for_each(|x| last.print(&mut out, *x)),
                    others => others.write(&mut out, row),
                }
                out.push(',');
            });
            end_line(&mut out);
        }
        out
    }
}

/// The last comma of a line gives way to its end.
fn end_line(out: &mut String) {
    if out.ends_with(',') {
        out.pop();
    }
    out.push('\n');
}

/// The number of a column that was printed last, and where: settings are the same in many rows, and copied faster than printed.
#[derive(Clone, Default)]
struct Printed {
    bits: u64,
    at: Range<usize>,
}

impl Printed {
    fn print(&mut self, out: &mut String, x: f64) {
        if !self.at.is_empty() && self.bits == x.to_bits() {
            return out.extend_from_within(self.at.clone());
        }
        let start = out.len();
        decimal(out, x);
        *self = Printed { bits: x.to_bits(), at: start..out.len() };
    }
}

/// The shortest text that reads back as `x`; with an exponent where zeros would pile up.
fn decimal(out: &mut String, x: f64) {
    let _ = if x == 0.0 || (1e-5..1e15).contains(&x.abs()) { write!(out, "{x}") } else { write!(out, "{x:e}") };
}

/// A field as RFC 4180 wants it.
fn quoted(out: &mut String, field: &str) {
    if field.contains([',', '"', '\n', '\r']) {
        let _ = write!(out, "\"{}\"", field.replace('"', "\"\""));
    } else {
        out.push_str(field);
    }
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

    #[test]
    fn numbers_that_repeat_are_printed_alike() {
        let mut t = Table::new();
        t.float("x", "", [0.1, 0.1, -0.0, 0.0, 0.0].map(Some)).float("y", "", [Some(0.0), None, Some(0.0), Some(1e-7), Some(1e-7)]);
        assert_eq!(t.to_csv(), "x,y\n0.1,0\n0.1,\n-0,0\n0,1e-7\n0,1e-7\n");
    }
}

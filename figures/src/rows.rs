//! Tables written row by row.

use mta_sims::table::Table;

/// One entry of a row: a number that may be missing, or words.
pub(crate) enum Entry {
    Number(Option<f64>),
    Words(String),
}

impl From<f64> for Entry {
    fn from(number: f64) -> Self {
        Entry::Number(Some(number))
    }
}

impl From<Option<f64>> for Entry {
    fn from(number: Option<f64>) -> Self {
        Entry::Number(number)
    }
}

impl From<&str> for Entry {
    fn from(words: &str) -> Self {
        Entry::Words(words.into())
    }
}

/// A table written row by row.
pub(crate) struct Rows {
    columns: Vec<(String, String, Vec<Entry>)>,
}

impl Rows {
    /// No rows yet; `columns` are names with what they hold.
    pub(crate) fn new(columns: &[(&str, &str)]) -> Self {
        Rows { columns: columns.iter().map(|(name, doc)| (name.to_string(), doc.to_string(), Vec::new())).collect() }
    }

    /// Adds a row, one entry per column.
    pub(crate) fn push(&mut self, row: impl IntoIterator<Item = Entry>) {
        self.columns.iter_mut().zip(row).for_each(|(column, entry)| column.2.push(entry));
    }

    /// The table; `None` without rows. A column is words where its first entry is.
    pub(crate) fn table(self) -> Option<Table> {
        let mut table = Table::new();
        for (name, doc, entries) in self.columns {
            let number = |e: &Entry| if let Entry::Number(x) = e { *x } else { None };
            let words = |e: &Entry| if let Entry::Words(w) = e { w.clone() } else { String::new() };
            match entries.first()? {
                Entry::Words(_) => table.text(&name, &doc, entries.iter().map(words)),
                Entry::Number(_) => table.float(&name, &doc, entries.iter().map(number)),
            };
        }
        Some(table)
    }
}

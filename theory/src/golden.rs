//! Golden numbers: rows that an independent high-precision computation left, to be met to 1e-10 relative.

/// Compares rows `function,value,argument,...` with `compute(function, arguments)`.
pub fn compare(table: &str, compute: impl Fn(&str, &[f64]) -> f64) {
    rows(table).for_each(|(row, name, numbers)| meets(row, numbers[0], compute(name, &numbers[1..])));
}

/// Compares rows `function,argument,...,value` with `compute(function, arguments)`.
pub fn agree(table: &str, compute: impl Fn(&str, &[f64]) -> f64) {
    rows(table).for_each(|(row, name, numbers)| meets(row, numbers[numbers.len() - 1], compute(name, &numbers[..numbers.len() - 1])));
}

/// Rows that are not comments: text, function and numbers.
fn rows(table: &str) -> impl Iterator<Item = (&str, &str, Vec<f64>)> {
    let lines = table.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    assert!(lines.clone().next().is_some(), "a table without rows checks nothing");
    lines.map(|row| {
        let (name, numbers) = row.split_once(',').expect(row);
        (row, name, numbers.split(',').map(|n| n.parse().expect(row)).collect())
    })
}

fn meets(row: &str, expected: f64, found: f64) {
    assert!((found - expected).abs() <= 1e-10 * expected.abs(), "{row}: found {found:e}");
}

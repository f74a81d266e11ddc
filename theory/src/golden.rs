//! Golden numbers: rows that an independent high-precision computation left, to be met to 1e-10 relative.

/// Compares rows `function,argument,...,value` with `compute(function, arguments)`.
pub fn agree(table: &str, compute: impl Fn(&str, &[f64]) -> f64) {
    let rows: Vec<&str> = table.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert!(!rows.is_empty(), "a table without rows checks nothing");
    for row in rows {
        let (name, numbers) = row.split_once(',').expect(row);
        let numbers: Vec<f64> = numbers.split(',').map(|n| n.parse().expect(row)).collect();
        let (expected, x) = numbers.split_last().expect(row);
        let found = compute(name, x);
        assert!((found - expected).abs() <= 1e-10 * expected.abs(), "{row}: found {found:e}");
    }
}

//! Golden numbers: rows `function,value,argument,...` that were computed elsewhere with many digits.

/// Compares every row of `table` with `compute(function, arguments)`: relative error at most 1e-10.
pub fn compare(table: &str, compute: impl Fn(&str, &[f64]) -> f64) {
    let rows: Vec<&str> = table.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert!(!rows.is_empty());
    for row in rows {
        let (name, numbers) = row.split_once(',').expect("a row has a name and numbers");
        let numbers: Vec<f64> = numbers.split(',').map(|n| n.parse().expect("a number")).collect();
        let got = compute(name, &numbers[1..]);
        assert!(((got - numbers[0]) / numbers[0]).abs() <= 1e-10, "{row}: {got}");
//! Comparison of functions with golden numbers of an independent high-precision computation.

/// Calls `value(function, arguments)` for every line `function,arguments...,expected` of `csv` and compares to 1e-10 relative.
pub fn agree(csv: &str, value: impl Fn(&str, &[f64]) -> f64) {
    for line in csv.lines().filter(|line| !line.starts_with('#')) {
        let (name, numbers) = line.split_once(',').expect("a name and numbers");
        let numbers: Vec<f64> = numbers.split(',').map(|n| n.parse().expect(line)).collect();
        let (expected, arguments) = numbers.split_last().expect(line);
        let found = value(name, arguments);
        assert!((found - expected).abs() <= 1e-10 * expected.abs(), "{line}: found {found:e}");
    }
}

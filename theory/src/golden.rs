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

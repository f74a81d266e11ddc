//! Grids of numbers as people write them, in exact decimals: `0.5`, `0.1,0.5,0.9`, `0.1..0.9`, `0.1..0.9:0.05`.

use std::collections::HashSet;
use std::fmt;

/// Most points of a grid.
pub const MAX_POINTS: usize = 100_000;

/// Why a text is no grid.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{knob} = {text}: {why}")]
pub struct GridError {
    /// The knob.
    pub knob: String,
    /// The text given.
    pub text: String,
    /// What is wrong, and what is allowed.
    pub why: String,
}

/// A decimal number: `digits * 10^-places`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decimal {
    digits: i128,
    places: u32,
}

/// Most decimal places and digits a grid's ends may have.
const MAX_DIGITS: usize = 15;

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (sign, body) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let (whole, fraction) = body.split_once('.').unwrap_or((body, ""));
        let digits = format!("{whole}{fraction}");
        let plain = !digits.is_empty() && digits.len() <= MAX_DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| Decimal { digits: sign * digits.parse::<i128>().unwrap_or(0), places: fraction.len() as u32 })
    }

    /// Digits at a finer number of places.
    fn at(self, places: u32) -> i128 {
        self.digits * 10_i128.pow(places - self.places)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, digits) = (if self.digits < 0 { "-" } else { "" }, self.digits.unsigned_abs());
        let power = 10_u128.pow(self.places);
        if self.places == 0 {
            write!(f, "{sign}{digits}")
        } else {
            write!(f, "{sign}{}.{:0width$}", digits / power, digits % power, width = self.places as usize)
        }
    }
}

/// The numbers of `text`, in order, without repetition.
///
/// - `0.1,0.5`: these;
/// - `0.1..0.9`: both ends included; the step is one unit of the last decimal written, here 0.1;
/// - `0.1..0.9:0.05`: with a step;
/// - any mixture separated by commas.
///
/// Every number is the float nearest to the decimal: `0.1..0.9` contains 0.3, not 0.30000000000000004.
///
/// # Example
/// ```
/// assert_eq!(mta_sim::grid::parse("alignment", "0.1..0.4").unwrap(), [0.1, 0.2, 0.3, 0.4]);
/// assert_eq!(mta_sim::grid::parse("alignment", "0.1..0.2:0.05,0.9").unwrap(), [0.1, 0.15, 0.2, 0.9]);
/// assert!(mta_sim::grid::parse("alignment", "0.9..0.1").is_err());
/// ```
pub fn parse(knob: &str, text: &str) -> Result<Vec<f64>, GridError> {
    let error = |why: String| GridError { knob: knob.into(), text: text.into(), why };
    let mut numbers: Vec<f64> = Vec::new();
    let mut seen = HashSet::new();
    for part in text.split(',') {
        let new = part_of_grid(part.trim()).map_err(error)?.into_iter().filter(|x| seen.insert((x + 0.0).to_bits()));
        numbers.extend(new);
        if numbers.len() > MAX_POINTS {
            return Err(error(format!("the grid has more than {MAX_POINTS} points")));
        }
    }
    Ok(numbers)
}

/// Whether `text` says more than one number.
pub fn is_grid(text: &str) -> bool {
    text.contains(',') || text.contains("..")
}

fn part_of_grid(part: &str) -> Result<Vec<f64>, String> {
    let Some((low, rest)) = part.split_once("..") else {
        return part.parse().map(|x| vec![x]).map_err(|_| format!("'{part}' is not a number; write 0.5, 0.1,0.5 or 0.1..0.9:0.05"));
    };
    let (high, step) = rest.split_once(':').map_or((rest, None), |(high, step)| (high, Some(step)));
    let read = |text: &str| {
        Decimal::parse(text.trim()).ok_or_else(|| format!("'{text}' is not a plain decimal number of at most {MAX_DIGITS} digits"))
    };
    let (low, high) = (read(low)?, read(high)?);
    let step = step.map_or(Ok(Decimal { digits: 1, places: low.places.max(high.places) }), read)?;
    range(low, high, step)
}

fn range(low: Decimal, high: Decimal, step: Decimal) -> Result<Vec<f64>, String> {
    let places = low.places.max(high.places).max(step.places);
    let (first, last, stride) = (low.at(places), high.at(places), step.at(places));
    if first > last {
        return Err(format!("the range runs backwards; write {high}..{low}"));
    }
    if stride <= 0 {
        return Err(format!("the step {step} must be positive"));
    }
    let points = (last - first) / stride + 1;
    if points > MAX_POINTS as i128 {
        return Err(format!("the grid has {points} points, at most {MAX_POINTS} are allowed"));
    }
    let number = |i: i128| Decimal { digits: first + i * stride, places }.to_string().parse().expect("decimals are floats");
    Ok((0..points).map(number).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_included_and_exact() {
        assert_eq!(parse("a", "0.1..0.9").unwrap(), [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]);
        assert_eq!(parse("a", "-0.2..0.2:0.2").unwrap(), [-0.2, 0.0, 0.2]);
        assert_eq!(parse("a", "1..4").unwrap(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(parse("a", "0.5..0.5").unwrap(), [0.5]);
        assert_eq!(parse("a", "1e-3,2").unwrap(), [1e-3, 2.0]);
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        for text in
            ["", "x", "0.9..0.1", "0.1..0.9:0", "0.1..0.9:-0.1", "0..1:0.000001", "..", "0.1..", "1e400..2", "0.1...0.2", ",", "0.1..0.2:"]
        {
            let why = parse("a", text).expect_err(text).to_string();
            assert!(why.starts_with(&format!("a = {text}: ")), "{why}");
        }
    }
}

//! Axes: a label, a scale, a range, and ticks that fit.

use crate::canvas::text_width;

/// How values are spaced along an axis.
#[derive(Clone, Debug, PartialEq)]
pub enum Scale {
    /// Equal steps.
    Linear,
    /// Equal factors, ticks at powers of two.
    Log2,
    /// Equal factors, ticks at powers of ten.
    Log10,
    /// Names at 0, 1, 2, ...
    Names(Vec<String>),
}

/// One axis of a panel.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    pub(crate) label: String,
    scale: Scale,
    range: Option<(f64, f64)>,
    /// Tick labels run from bottom to top.
    pub(crate) turned: bool,
}

impl Axis {
    fn new(label: &str, scale: Scale) -> Self {
        Axis { label: label.into(), scale, range: None, turned: false }
    }

    /// An axis with equal steps.
    pub fn linear(label: &str) -> Self {
        Self::new(label, Scale::Linear)
    }

    /// An axis with equal factors and ticks at powers of two.
    pub fn log2(label: &str) -> Self {
        Self::new(label, Scale::Log2)
    }

    /// An axis with equal factors and ticks at powers of ten.
    pub fn log10(label: &str) -> Self {
        Self::new(label, Scale::Log10)
    }

    /// An axis with a name at each of 0, 1, 2, ...
    pub fn names(label: &str, names: &[String]) -> Self {
        Self::new(label, Scale::Names(names.to_vec()))
    }

    /// An axis with `n` unnamed places at 0, 1, 2, ... and no ticks.
    pub(crate) fn places(label: &str, n: usize) -> Self {
        Self::new(label, Scale::Names(vec![String::new(); n]))
    }

    /// Logarithmic where `values` are powers of two over at least three doublings, else linear.
    pub fn fitting(label: &str, values: &[f64]) -> Self {
        let powers = values.iter().all(|v| *v > 0.0 && v.log2().fract() == 0.0);
        let span = values.iter().copied().fold(f64::MIN, f64::max) / values.iter().copied().fold(f64::MAX, f64::min);
        if powers && span >= 8.0 { Self::log2(label) } else { Self::linear(label) }
    }

    /// Fixes the ends; without this they follow the data.
    pub fn range(mut self, low: f64, high: f64) -> Self {
        self.range = Some((low, high));
        self
    }

    /// Writes the tick labels of an x axis from bottom to top, so that long names fit.
    pub fn turned(mut self) -> Self {
        self.turned = true;
        self
    }

    /// The value in units of length along the axis, where it has a place there.
    fn forward(&self, value: f64) -> Option<f64> {
        let place = match self.scale {
            Scale::Log2 => value.log2(),
            Scale::Log10 => value.log10(),
            Scale::Linear | Scale::Names(_) => value,
        };
        place.is_finite().then_some(place)
    }

    /// The value at a place: the inverse of `forward`.
    fn back(&self, place: f64) -> f64 {
        match self.scale {
            Scale::Log2 => place.exp2(),
            Scale::Log10 => 10f64.powf(place),
            Scale::Linear | Scale::Names(_) => place,
        }
    }

    /// The value a share of the way from the `i`-th of `values` to the next, as lengths go along this axis; steps beyond the ends are those next to them.
    pub(crate) fn between(&self, values: &[f64], i: f64) -> Option<f64> {
        let place = |i: usize| self.forward(*values.get(i)?);
        let low = (i.floor().max(0.0) as usize).min(values.len().saturating_sub(2));
        let step = place(low + 1).zip(place(low)).map_or(1.0, |(next, here)| next - here);
        Some(self.back(place(low)? + (i - low as f64) * step))
    }

    fn ends(&self, data: impl Iterator<Item = f64>, across: bool) -> (f64, f64) {
        if let Scale::Names(names) = &self.scale {
            return (-0.6, names.len().max(1) as f64 - 0.4);
        }
        if let Some((low, high)) = self.range {
            return spread(self.forward(low).unwrap_or(0.0), self.forward(high).unwrap_or(1.0), 0.0);
        }
        let places = data.filter_map(|v| self.forward(v));
        let (low, high) = places.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        match low <= high {
            false => (0.0, 1.0),
            // Heights from zero stand on the axis.
            true if low == 0.0 && high > 0.0 && !across => (0.0, 1.05 * high),
            true => spread(low, high, 0.05),
        }
    }

    /// Ends and ticks for `data` on an axis of `length` points with tick labels of `size` points.
    pub(crate) fn ruler(&self, data: impl Iterator<Item = f64>, length: f64, size: f64, across: bool) -> Ruler {
        let (low, high) = self.ends(data, across);
        let mut ruler = Ruler { axis: self.clone(), low, high, ticks: Vec::new() };
        let fits = |ticks: &[(f64, String)]| {
            let room = |t: &(f64, String)| if across && !self.turned { text_width(&t.1, size) } else { size };
            let space = match (&self.scale, across) {
                _ if self.turned => 0.2 * size,
                (Scale::Linear, true) => 1.5 * size,
                (Scale::Linear, false) => 1.8 * size,
                _ => 0.4 * size,
            };
            let scale = length / (high - low);
            ticks.windows(2).all(|w| (w[1].0 - w[0].0) * scale >= (room(&w[0]) + room(&w[1])) / 2.0 + space)
        };
        ruler.ticks = (0..60).map(|coarseness| self.ticks(low, high, coarseness)).find(|t| fits(t)).unwrap_or_default();
        ruler
    }

    /// Ticks between two places, fewer as `coarseness` grows.
    fn ticks(&self, low: f64, high: f64, coarseness: i32) -> Vec<(f64, String)> {
        match &self.scale {
            Scale::Linear => linear_ticks(low, high, coarseness),
            Scale::Log2 => multiples(low, high, f64::from(1 + coarseness)).map(|e| (e, power_of_two(e))).collect(),
            Scale::Log10 => multiples(low, high, f64::from(1 + coarseness)).map(|e| (e, power_of_ten(e))).collect(),
            Scale::Names(names) => names.iter().enumerate().filter(|n| !n.1.is_empty()).map(|(i, n)| (i as f64, n.clone())).collect(),
        }
    }
}

/// A range made wider by `share` on each side, and never empty.
fn spread(low: f64, high: f64, share: f64) -> (f64, f64) {
    let span = high - low;
    let pad = if span > 1e-12 * low.abs().max(high.abs()) && span > 0.0 { span * share } else { 0.1 * low.abs().max(1.0) };
    (low - pad, high + pad)
}

/// Multiples of `step` between two places, the ends included up to rounding.
fn multiples(low: f64, high: f64, step: f64) -> impl Iterator<Item = f64> {
    let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    (0..=((last - first).clamp(-1.0, 1000.0) as i64)).map(move |i| (first + i as f64) * step)
}

/// Steps of 1, 2, 2.5 or 5 times a power of ten, the finest about a fortieth of the range.
fn linear_ticks(low: f64, high: f64, coarseness: i32) -> Vec<(f64, String)> {
    let unit = ((high - low) / 40.0).log10().ceil() as i32 + coarseness.div_euclid(4);
    let step = [1.0, 2.0, 2.5, 5.0][coarseness.rem_euclid(4) as usize] * 10f64.powi(unit);
    let decimals = (1 - unit).max(0) as usize - usize::from(coarseness.rem_euclid(4) != 2 && unit < 1);
    multiples(low, high, step).map(|v| (v, number(v, decimals))).collect()
}

/// A number with a true minus sign.
pub(crate) fn number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let zero = text.chars().all(|c| matches!(c, '-' | '0' | '.'));
    if zero { text.trim_start_matches('-').into() } else { text.replace('-', "−") }
}

/// A number with at most three decimals, or as a power of ten where those would show nothing.
pub(crate) fn short(value: f64) -> String {
    if value != 0.0 && value.abs() < 0.001 {
        return format!("{value:e}").replace('-', "−");
    }
    number(value, 3).trim_end_matches('0').trim_end_matches('.').into()
}

fn power_of_two(exponent: f64) -> String {
    if exponent < 0.0 { format!("1/{}", (-exponent).exp2()) } else { exponent.exp2().to_string() }
}

/// Plain from a hundredth to a thousand, else with an exponent in superscript.
fn power_of_ten(exponent: f64) -> String {
    if (-2.0..=3.0).contains(&exponent) {
        return number(10f64.powf(exponent), (-exponent).max(0.0) as usize);
    }
    let raised = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        digit => char::from_u32('⁰' as u32 + digit.to_digit(10).unwrap_or(0)).unwrap_or(digit),
    };
    format!("10{}", format!("{exponent}").chars().map(raised).collect::<String>())
}

/// An axis with its ends and ticks settled; places are in units of length along the axis.
#[derive(Clone, Debug)]
pub(crate) struct Ruler {
    axis: Axis,
    low: f64,
    high: f64,
    ticks: Vec<(f64, String)>,
}

impl Ruler {
    fn share(&self, place: f64) -> f64 {
        (place - self.low) / (self.high - self.low)
    }

    /// Where `value` lies between the low end (0) and the high end (1).
    pub(crate) fn at(&self, value: f64) -> Option<f64> {
        self.axis.forward(value).map(|place| self.share(place))
    }

    /// Ticks with their places between 0 and 1.
    pub(crate) fn ticks(&self) -> impl Iterator<Item = (f64, &str)> {
        self.ticks.iter().map(|(place, text)| (self.share(*place), text.as_str()))
    }

    /// Whether both show the same range.
    pub(crate) fn agrees(&self, other: &Ruler) -> bool {
        (self.low, self.high, &self.axis.label) == (other.low, other.high, &other.axis.label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, data: &[f64], length: f64) -> Vec<String> {
        axis.ruler(data.iter().copied(), length, 7.0, true).ticks().map(|t| t.1.to_string()).collect()
    }

    #[test]
    fn ticks_are_round_and_fit() {
        assert_eq!(labels(&Axis::linear("").range(0.0, 1.0), &[], 120.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&Axis::linear("").range(-100.0, 100.0), &[], 130.0), ["−100", "−50", "0", "50", "100"]);
        assert_eq!(labels(&Axis::log2("").range(1.0, 1024.0), &[], 110.0), ["1", "4", "16", "64", "256", "1024"]);
        assert_eq!(labels(&Axis::log10("").range(0.001, 1e4), &[], 170.0), ["10⁻³", "0.01", "0.1", "1", "10", "100", "1000", "10⁴"]);
    }

    #[test]
    fn short_numbers_lose_no_meaning() {
        assert_eq!([0.1 + 0.2, -0.5, 64.0, 100.0, 0.0, 1e-5].map(short), ["0.3", "−0.5", "64", "100", "0", "1e−5"]);
    }

    #[test]
    fn places_between_values_are_even_along_the_axis() {
        let near = |x: Option<f64>, y: f64| assert!((x.unwrap() - y).abs() < 1e-9, "{x:?} {y}");
        near(Axis::linear("").between(&[1.0, 2.0, 4.0], 1.5), 3.0);
        near(Axis::log2("").between(&[2.0, 8.0], 0.5), 4.0);
        near(Axis::log10("").between(&[1.0, 10.0], -0.5), 0.1f64.sqrt());
        near(Axis::linear("").between(&[1.0, 2.0, 4.0], 2.5), 5.0);
        near(Axis::linear("").between(&[3.0], 0.5), 3.5);
    }

    #[test]
    fn odd_data_still_gives_a_range() {
        for data in [&[][..], &[0.5], &[0.0, 0.0], &[1e-300, 1e300], &[-1.0, -1.0]] {
            for axis in [Axis::linear(""), Axis::log2(""), Axis::log10(""), Axis::fitting("", data)] {
                let ruler = axis.ruler(data.iter().copied(), 100.0, 7.0, true);
                assert!(ruler.high > ruler.low, "{axis:?} {data:?}");
            }
        }
    }
}

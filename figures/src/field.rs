//! Fields: a number at each point of a grid, shown as colour, with lines of equal value.

use contour::ContourBuilder;

use crate::axis::Axis;
use crate::style::Colour;

/// How numbers become colours. Both maps are perceptually uniform and safe for the colour-blind.
#[derive(Clone, Debug, PartialEq)]
pub struct Shade {
    /// Words beside the colour bar.
    pub label: String,
    /// The number at the low end of the bar.
    pub low: f64,
    /// The number at its high end.
    pub high: f64,
    /// Whether zero is the middle of the map, in white.
    pub diverging: bool,
}

impl Shade {
    /// A diverging map from `-size` (orange) through 0 (white) to `size` (purple).
    pub fn around_zero(label: &str, size: f64) -> Self {
        Shade { label: label.into(), low: -size, high: size, diverging: true }
    }

    /// A sequential map from dark to bright.
    pub fn between(label: &str, low: f64, high: f64) -> Self {
        Shade { label: label.into(), low, high, diverging: false }
    }

    /// The colour of a number; numbers beyond the ends have the colour of the end.
    pub fn colour(&self, value: f64) -> Colour {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        let map = if self.diverging { colorous::PURPLE_ORANGE } else { colorous::VIRIDIS };
        let share = if self.diverging { 1.0 - share } else { share };
        let c = map.eval_continuous(share);
        Colour(c.r, c.g, c.b)
    }
}

/// A number at each point of a grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Columns, from left to right.
    pub xs: Vec<f64>,
    /// Rows, from the bottom up.
    pub ys: Vec<f64>,
    /// `[row][column]`; what is missing stays white.
    pub values: Vec<Vec<Option<f64>>>,
    /// Its colours.
    pub shade: Shade,
}

impl Field {
    /// Where the cells of a row of `values` begin and end along `axis`: halfway between neighbours.
    pub(crate) fn edges(values: &[f64], axis: &Axis) -> Vec<f64> {
        (0..=values.len()).filter_map(|i| axis.between(values, i as f64 - 0.5)).collect()
    }

    /// The lines on which the field equals `level`, interpolated between grid points; none where a number is missing or the grid is a single row or column.
    pub fn contour(&self, level: f64, x: &Axis, y: &Axis) -> Vec<Vec<(f64, f64)>> {
        let (nx, ny) = (self.xs.len(), self.ys.len());
        let values: Vec<f64> = self.values.iter().flatten().copied().collect::<Option<_>>().unwrap_or_default();
        if nx < 2 || ny < 2 || values.len() != nx * ny {
            return Vec::new();
        }
        let rings = ContourBuilder::new(nx, ny, true).lines(&values, &[level]).unwrap_or_default();
        let rings =
            rings.iter().flat_map(|line| line.geometry().0.iter().map(|ring| ring.0.iter().map(|c| (c.x, c.y)).collect::<Vec<_>>()));
        let place = |(i, j): (f64, f64)| Some((x.between(&self.xs, i - 0.5)?, y.between(&self.ys, j - 0.5)?));
        let size = (nx as f64, ny as f64);
        rings.flat_map(|ring| open(&ring, size)).map(|line| line.into_iter().filter_map(place).collect()).collect()
    }
}

/// The parts of a closed ring between grid points: beyond the outermost the ring only closes itself. Grid point i stands at i + 1/2.
fn open(ring: &[(f64, f64)], (width, height): (f64, f64)) -> Vec<Vec<(f64, f64)>> {
    let known = |p: (f64, f64)| (0.5..=width - 0.5).contains(&p.0) && (0.5..=height - 0.5).contains(&p.1);
    let mut lines: Vec<Vec<(f64, f64)>> = Vec::new();
    for pair in ring.windows(2).filter(|pair| known(pair[0]) && known(pair[1])) {
        match lines.last_mut() {
            Some(line) if line.last() == Some(&pair[0]) => line.push(pair[1]),
            _ => lines.push(pair.to_vec()),
        }
    }
    join_at_the_seam(lines)
}

/// A ring may begin in the middle of a line: its last piece then ends where the first begins.
fn join_at_the_seam(mut lines: Vec<Vec<(f64, f64)>>) -> Vec<Vec<(f64, f64)>> {
    let meet = lines.len() > 1 && lines.last().and_then(|l| l.last()) == lines.first().and_then(|l| l.first());
    if let Some(last) = meet.then(|| lines.pop()).flatten() {
        lines[0] = last.into_iter().chain(lines[0].drain(1..)).collect();
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(f: impl Fn(f64, f64) -> f64) -> Field {
        let (xs, ys) = (vec![0.0, 1.0, 2.0, 3.0], vec![1.0, 10.0, 100.0]);
        let values = ys.iter().map(|y: &f64| xs.iter().map(|x| Some(f(*x, y.log10()))).collect()).collect();
        Field { xs, ys, values, shade: Shade::around_zero("", 1.0) }
    }

    #[test]
    fn the_zero_line_of_a_plane_is_straight() {
        let lines = field(|x, y| x - y - 0.25).contour(0.0, &Axis::linear(""), &Axis::log10(""));
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].len() >= 5);
        for (x, y) in &lines[0] {
            assert!((x - y.log10() - 0.25).abs() < 1e-6, "{x} {y}");
        }
    }

    #[test]
    fn a_field_of_one_sign_has_no_zero_line() {
        assert!(field(|_, _| 1.0).contour(0.0, &Axis::linear(""), &Axis::log10("")).is_empty());
        assert!(field(|_, _| -1.0).contour(0.0, &Axis::linear(""), &Axis::log10("")).is_empty());
    }

    #[test]
    fn zero_is_the_lightest_of_a_diverging_map() {
        let light = |c: Colour| u32::from(c.0) + u32::from(c.1) + u32::from(c.2);
        let shade = Shade::around_zero("", 2.0);
        let zero = light(shade.colour(0.0));
        assert!([-2.0, -1.0, 1.0, 2.0].iter().all(|v| light(shade.colour(*v)) < zero));
        assert_eq!(shade.colour(9.0), shade.colour(2.0));
    }
}

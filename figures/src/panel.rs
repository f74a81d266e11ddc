//! The words a figure is written in: panels that hold fields, curves, rules, bars and labels.

use crate::axis::{Axis, Ruler, short};
use crate::field::{Field, Shade};
use crate::style::{Look, Marker, Page};

/// A point with the ends of its interval, where they exist. A missing y leaves a gap.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Place along the x axis.
    pub x: f64,
    /// The estimate.
    pub y: Option<f64>,
    /// Lower end of its interval.
    pub low: Option<f64>,
    /// Upper end of its interval.
    pub high: Option<f64>,
}

/// How the points of a curve are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// Measurements along an axis: line, band, markers, and an arrow for each point off the frame.
    #[default]
    Series,
    /// Measurements that no line may join, because the line beside them is a prediction: markers and whiskers.
    Points,
    /// A prediction or a contour: a line only.
    Line,
}

/// Points, joined or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Words in the legend.
    pub name: String,
    /// How it is drawn.
    pub look: Look,
    /// The points, by x.
    pub points: Vec<Point>,
    /// A marker at every n-th point; 0 or 1 marks all.
    pub mark_every: usize,
    /// How it is drawn.
    pub manner: Manner,
}

/// A straight line across the panel to compare with.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Words in the legend.
    pub name: String,
    /// How it is drawn.
    pub look: Look,
    /// Where it crosses its axis.
    pub at: f64,
    /// Whether it is a vertical line, at an x; else a horizontal one, at a y.
    pub upright: bool,
}

/// Words at a place of the panel.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// The words.
    pub text: String,
    /// Their middle.
    pub x: f64,
    /// The height of their middle.
    pub y: f64,
    /// Whether they stand on a dark ground and are written in white.
    pub light: bool,
}

/// A bar from zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// Words in the legend.
    pub name: String,
    /// How it is drawn.
    pub look: Look,
    /// Middle, end and interval.
    pub point: Point,
    /// Width in units of the x axis.
    pub width: f64,
}

/// One pair of axes and what is drawn on them.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    pub(crate) title: Option<String>,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) field: Option<Field>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) curves: Vec<Curve>,
    pub(crate) bars: Vec<Bar>,
    pub(crate) labels: Vec<Label>,
    keys: Vec<(String, Look, Sample)>,
}

/// What stands beside a name in the legend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// A piece of the line, with its marker.
    Line,
    /// The marker alone.
    Point,
    /// A filled box.
    Fill,
    /// A box as pale as a band.
    Band,
    /// An upright line between two caps.
    Whisker,
}

impl Curve {
    /// A curve with a marker at every point.
    pub fn new(name: &str, look: Look, points: Vec<Point>) -> Self {
        Curve { name: name.into(), look, points, mark_every: 1, manner: Manner::Series }
    }

    /// The same points drawn otherwise.
    pub fn drawn_as(mut self, manner: Manner) -> Self {
        self.manner = manner;
        self
    }

    /// A line through (x, y), without markers.
    pub fn line(name: &str, look: Look, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let points = points.into_iter().map(|(x, y)| Point { x, y: Some(y), low: None, high: None }).collect();
        Curve::new(name, Look { marker: None, ..look }, points).drawn_as(Manner::Line)
    }
}

impl Panel {
    /// An empty panel.
    pub fn new(x: Axis, y: Axis) -> Self {
        let (rules, curves, bars, labels, keys) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Panel { title: None, x, y, field: None, rules, curves, bars, labels, keys }
    }

    /// Words above the panel.
    pub fn title(mut self, title: String) -> Self {
        self.title = Some(title);
        self
    }

    /// Adds a horizontal line.
    pub fn rule(mut self, name: &str, look: Look, y: f64) -> Self {
        self.rules.push(Rule { name: name.into(), look, at: y, upright: false });
        self
    }

    /// Adds a vertical line.
    pub fn upright(mut self, name: &str, look: Look, x: f64) -> Self {
        self.rules.push(Rule { name: name.into(), look, at: x, upright: true });
        self
    }

    /// Puts a field behind everything; the frame is drawn around its cells.
    pub fn field(mut self, field: Field) -> Self {
        for (axis, values) in [(&mut self.x, &field.xs), (&mut self.y, &field.ys)] {
            let edges = Field::edges(values, axis);
            if let (Some(low), Some(high)) = (edges.first(), edges.last()) {
                *axis = axis.clone().range(*low, *high);
            }
        }
        self.field = Some(field);
        self
    }

    /// Adds the line on which the field equals `level`.
    pub fn contour(mut self, name: &str, look: Look, level: f64) -> Self {
        let lines = self.field.as_ref().map_or(Vec::new(), |f| f.contour(level, &self.x, &self.y));
        self.curves.extend(lines.into_iter().map(|line| Curve::line(name, look, line)));
        self
    }

    /// Adds words.
    pub fn label(mut self, text: &str, x: f64, y: f64, light: bool) -> Self {
        self.labels.push(Label { text: text.into(), x, y, light });
        self
    }

    /// Adds an entry to the legend only.
    pub fn key(mut self, name: &str, look: Look, sample: Sample) -> Self {
        self.keys.push((name.into(), look, sample));
        self
    }

    /// Says in the legend what the bands (or whiskers) are.
    pub fn bands(self, words: &str) -> Self {
        self.key(words, Look::base(), Sample::Band)
    }

    /// Adds a curve.
    pub fn curve(mut self, curve: Curve) -> Self {
        self.curves.push(curve);
        self
    }

    /// Adds a bar.
    pub fn bar(mut self, bar: Bar) -> Self {
        self.bars.push(bar);
        self
    }

    /// Where no curve has two points, gives each curve a place of its own side by side, so that intervals do not cover each other.
    pub fn apart(mut self) -> Self {
        let Some(x) = self.points().map(|p| p.x).next().filter(|_| self.curves.iter().all(|c| c.points.len() < 2)) else { return self };
        self.x = Axis::places(&format!("{} = {}", self.x.label, short(x)), self.curves.len());
        let points = self.curves.iter_mut().enumerate().flat_map(|(i, c)| c.points.iter_mut().map(move |p| (i, p)));
        points.for_each(|(i, p)| p.x = i as f64);
        self.curves.iter_mut().for_each(|c| c.look.marker = c.look.marker.or(Some(Marker::Circle)));
        self
    }

    fn points(&self) -> impl Iterator<Item = &Point> {
        self.curves.iter().flat_map(|c| &c.points).chain(self.bars.iter().map(|b| &b.point))
    }

    fn heights(&self) -> impl Iterator<Item = f64> {
        let zero = self.bars.first().map(|_| 0.0);
        let rules = self.rules.iter().filter(|r| !r.upright).map(|r| r.at);
        self.points().flat_map(|p| [p.y, p.low, p.high]).flatten().chain(zero).chain(rules)
    }

    /// Both axes settled for a plot of about this size.
    pub(crate) fn rulers(&self, width: f64, height: f64, page: &Page) -> (Ruler, Ruler) {
        let half = |b: &Bar| b.width / 2.0;
        let ends = self.bars.iter().flat_map(|b| [b.point.x - half(b), b.point.x + half(b)]);
        let upright = self.rules.iter().filter(|r| r.upright).map(|r| r.at);
        let xs = self.points().map(|p| p.x).chain(ends).chain(upright);
        (self.x.ruler(xs, width, page.small, true), self.y.ruler(self.heights(), height, page.small, false))
    }

    /// Name, look and sample of everything drawn that has a place in the legend.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, Look, Sample)> {
        let rules = self.rules.iter().map(|r| (r.name.as_str(), r.look, Sample::Line));
        let sample = |c: &Curve| if c.manner == Manner::Points { Sample::Point } else { Sample::Line };
        let curves = self.curves.iter().map(move |c| (c.name.as_str(), c.look, sample(c)));
        let bars = self.bars.iter().map(|b| (b.name.as_str(), b.look, Sample::Fill));
        rules.chain(curves).chain(bars)
    }

    /// Entries that only the legend has.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&str, Look, Sample)> {
        self.keys.iter().map(|k| (k.0.as_str(), k.1, k.2))
    }

    /// The colours of its field.
    pub(crate) fn shade(&self) -> Option<&Shade> {
        self.field.as_ref().map(|f| &f.shade)
    }
}

//! The words a figure is written in: panels that hold curves, rules and bars.

use crate::axis::{Axis, Ruler, short};
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

/// A line through points, with a band for the intervals.
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
}

/// A horizontal line to compare with.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Words in the legend.
    pub name: String,
    /// How it is drawn.
    pub look: Look,
    /// Where it crosses the y axis.
    pub y: f64,
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
    pub(crate) rules: Vec<Rule>,
    pub(crate) curves: Vec<Curve>,
    pub(crate) bars: Vec<Bar>,
}

impl Curve {
    /// A curve with a marker at every point.
    pub fn new(name: &str, look: Look, points: Vec<Point>) -> Self {
        Curve { name: name.into(), look, points, mark_every: 1 }
    }
}

impl Panel {
    /// An empty panel.
    pub fn new(x: Axis, y: Axis) -> Self {
        Panel { title: None, x, y, rules: Vec::new(), curves: Vec::new(), bars: Vec::new() }
    }

    /// Words above the panel.
    pub fn title(mut self, title: String) -> Self {
        self.title = Some(title);
        self
    }

    /// Adds a horizontal line.
    pub fn rule(mut self, name: &str, look: Look, y: f64) -> Self {
        self.rules.push(Rule { name: name.into(), look, y });
        self
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
        self.points().flat_map(|p| [p.y, p.low, p.high]).flatten().chain(zero).chain(self.rules.iter().map(|r| r.y))
    }

    /// Both axes settled for a plot of about this size.
    pub(crate) fn rulers(&self, width: f64, height: f64, page: &Page) -> (Ruler, Ruler) {
        let half = |b: &Bar| b.width / 2.0;
        let ends = self.bars.iter().flat_map(|b| [b.point.x - half(b), b.point.x + half(b)]);
        let xs = self.points().map(|p| p.x).chain(ends);
        (self.x.ruler(xs, width, page.small, true), self.y.ruler(self.heights(), height, page.small, false))
    }

    /// Name and look of everything with a place in the legend.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, Look, bool)> {
        let rules = self.rules.iter().map(|r| (r.name.as_str(), r.look, false));
        let curves = self.curves.iter().map(|c| (c.name.as_str(), c.look, false));
        rules.chain(curves).chain(self.bars.iter().map(|b| (b.name.as_str(), b.look, true)))
    }
}

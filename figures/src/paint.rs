//! How a panel becomes strokes, clipped to its frame.

use crate::FigureError;
use crate::axis::{Ruler, number};
use crate::canvas::{Anchor, Canvas, text_width};
use crate::field::Field;
use crate::geometry::{Frame, Spot, clip_line, clip_polygon, dashes, inside, outline};
use crate::panel::{Bar, Curve, Label, Manner, Panel, Point};
use crate::style::{self, Look, Marker, Page};

type Done = Result<(), FigureError>;

/// A panel with its frame and its settled axes.
pub(crate) struct Painter<'a, 'b> {
    pub canvas: &'a Canvas<'b>,
    pub page: &'a Page,
    pub frame: Frame,
    pub x: &'a Ruler,
    pub y: &'a Ruler,
}

/// A point off the frame.
struct Arrow {
    x: f64,
    up: bool,
    look: Look,
    value: f64,
}

/// How far a cell of a field reaches over its neighbours, in points.
const SEAM: f64 = 0.35;

/// Share of the low end of a diverging map from which a cell has a minus sign.
const CLEARLY_BELOW: f64 = 0.08;

/// Up to this many arrows at one place stand in a column with their values; more stand in rows without.
const NAMED_ARROWS: usize = 3;

impl Painter<'_, '_> {
    /// Everything inside the frame, from back to front.
    pub(crate) fn panel(&self, panel: &Panel) -> Done {
        panel.field.as_ref().map_or(Ok(()), |field| self.field(field, panel))?;
        panel.bars.iter().try_for_each(|bar| self.bar(bar))?;
        self.rules(panel)?;
        panel.curves.iter().try_for_each(|curve| self.bands(curve))?;
        panel.curves.iter().try_for_each(|curve| self.lines(curve))?;
        panel.curves.iter().try_for_each(|curve| self.markers(curve))?;
        self.arrows(panel)?;
        panel.labels.iter().try_for_each(|label| self.label(label))
    }

    /// The cells of a field. Each covers a hair of the next, so that no seam shows.
    fn field(&self, field: &Field, panel: &Panel) -> Done {
        let (xs, ys) = (Field::edges(&field.xs, &panel.x), Field::edges(&field.ys, &panel.y));
        for (row, y) in field.values.iter().zip(ys.windows(2)) {
            for (value, x) in row.iter().zip(xs.windows(2)) {
                let corners = self.spot(x[0], y[0]).zip(self.spot(x[1], y[1]));
                let Some((value, ((left, bottom), (right, top)))) = value.zip(corners) else { continue };
                let (right, top) = (right + SEAM, top - SEAM);
                let cell = clip_polygon(vec![(left, bottom), (right, bottom), (right, top), (left, top)], self.frame);
                self.canvas.fill(&cell, field.shade.colour(value), 1.0)?;
                self.minus(field, value, ((left + right) / 2.0, (bottom + top) / 2.0), right - left)?;
            }
        }
        Ok(())
    }

    /// A minus sign in a cell that is clearly below zero, so that a diverging map survives grey print.
    fn minus(&self, field: &Field, value: f64, (x, y): Spot, width: f64) -> Done {
        let share = value / field.shade.low;
        if !field.shade.diverging || share < CLEARLY_BELOW {
            return Ok(());
        }
        let half = (0.2 * width).min(0.25 * self.page.small);
        let colour = if share > 0.6 { style::WHITE } else { style::INK };
        self.canvas.line(&[(x - half, y), (x + half, y)], colour, 0.6 * self.page.stroke())
    }

    fn label(&self, label: &Label) -> Done {
        let colour = if label.light { style::WHITE } else { style::INK };
        self.spot(label.x, label.y).map_or(Ok(()), |at| self.canvas.text(&label.text, at, Anchor::Middle, self.page.small, colour))
    }

    fn spot(&self, x: f64, y: f64) -> Option<Spot> {
        Some(self.frame.spot(self.x.at(x)?, self.y.at(y)?))
    }

    fn rules(&self, panel: &Panel) -> Done {
        for rule in &panel.rules {
            let line = match rule.upright {
                true => self.x.at(rule.at).map(|x| [self.frame.spot(x, 0.0), self.frame.spot(x, 1.0)]),
                false => self.y.at(rule.at).map(|y| [self.frame.spot(0.0, y), self.frame.spot(1.0, y)]),
            };
            line.map_or(Ok(()), |line| self.stroke(&line, rule.look))?;
        }
        Ok(())
    }

    /// A broken line in its pattern, clipped.
    fn stroke(&self, line: &[Spot], look: Look) -> Done {
        let width = look.width * self.page.stroke();
        let pattern: Vec<_> = look.dash.pattern().iter().map(|d| d * width).collect();
        let pieces = dashes(line, &pattern).into_iter().flat_map(|piece| clip_line(&piece, self.frame));
        pieces.into_iter().try_for_each(|piece| self.canvas.line(&piece, look.colour, width))
    }

    fn bands(&self, curve: &Curve) -> Done {
        if curve.manner != Manner::Series {
            return Ok(());
        }
        for run in runs(&curve.points, |p| p.low.is_some() && p.high.is_some()) {
            let edge = |end: fn(&Point) -> Option<f64>| run.iter().filter_map(move |p| self.spot(p.x, end(p)?));
            let mut polygon: Vec<_> = edge(|p| p.low).collect();
            polygon.extend(edge(|p| p.high).collect::<Vec<_>>().into_iter().rev());
            self.canvas.fill(&clip_polygon(polygon, self.frame), curve.look.colour, style::BAND_OPACITY)?;
        }
        Ok(())
    }

    fn lines(&self, curve: &Curve) -> Done {
        if curve.manner == Manner::Points {
            return curve.points.iter().try_for_each(|p| self.whisker(p, curve.look));
        }
        for run in runs(&curve.points, |p| p.y.is_some()) {
            let line: Vec<_> = run.iter().filter_map(|p| self.spot(p.x, p.y?)).collect();
            self.stroke(&line, curve.look)?;
        }
        lonely(&curve.points).try_for_each(|p| self.whisker(p, curve.look))
    }

    /// The interval of a point that stands alone, where no band can show it.
    fn whisker(&self, p: &Point, look: Look) -> Done {
        let ends = p.low.zip(p.high).and_then(|(low, high)| Some((self.spot(p.x, low)?, self.spot(p.x, high)?)));
        let Some((low, high)) = ends else { return Ok(()) };
        let cap = 1.5 * self.page.stroke();
        let across = |s: Spot| [(s.0 - cap, s.1), (s.0 + cap, s.1)];
        let lines = [[low, high], across(low), across(high)];
        let pieces: Vec<_> = lines.iter().flat_map(|line| clip_line(line, self.frame)).collect();
        for (colour, width) in [(style::WHITE, 1.8), (look.colour, 0.8)] {
            pieces.iter().try_for_each(|piece| self.canvas.line(piece, colour, width * self.page.stroke()))?;
        }
        Ok(())
    }

    fn markers(&self, curve: &Curve) -> Done {
        let alone = curve.points.len() < 2 && curve.manner != Manner::Line;
        let Some(marker) = curve.look.marker.or(alone.then_some(Marker::Circle)) else { return Ok(()) };
        let marked = curve.points.iter().step_by(curve.mark_every.max(1));
        let spots = marked.filter_map(|p| self.spot(p.x, p.y?)).filter(|s| inside(*s, self.frame));
        spots.into_iter().try_for_each(|s| self.marker(s, marker, curve.look))
    }

    /// A marker with a thin white edge, so that it stands out from the lines it covers.
    pub(crate) fn marker(&self, at: Spot, marker: Marker, look: Look) -> Done {
        draw_marker(self.canvas, self.page, at, marker, look)
    }

    fn bar(&self, bar: &Bar) -> Done {
        let half = bar.width / 2.0;
        let corners = |y| [(bar.point.x - half, 0.0), (bar.point.x - half, y), (bar.point.x + half, y), (bar.point.x + half, 0.0)];
        let polygon = bar.point.y.map(|y| corners(y).into_iter().filter_map(|(x, y)| self.spot(x, y)).collect());
        self.canvas.fill(&clip_polygon(polygon.unwrap_or_default(), self.frame), bar.look.colour, 1.0)?;
        self.whisker(&bar.point, Look { colour: style::INK, ..bar.look })
    }

    /// One arrow per point above or below the frame; those that would meet share out the room.
    fn arrows(&self, panel: &Panel) -> Done {
        let series = panel.curves.iter().filter(|c| c.manner == Manner::Series);
        let points = series.flat_map(|c| c.points.iter().map(move |p| (c.look, p)));
        let mut arrows: Vec<Arrow> = points.filter_map(|(look, p)| self.beyond(look, p)).collect();
        arrows.sort_by(|a, b| (a.up, a.x).partial_cmp(&(b.up, b.x)).unwrap_or(std::cmp::Ordering::Equal));
        let near = |a: &Arrow, b: &Arrow| a.up == b.up && b.x - a.x < 3.0 * self.page.small;
        arrows.chunk_by(near).try_for_each(|group| self.group(group))
    }

    /// The arrow for a point, where it needs one.
    fn beyond(&self, look: Look, p: &Point) -> Option<Arrow> {
        let (value, (x, y)) = (p.y?, self.spot(p.x, p.y?)?);
        let (up, down) = (y < self.frame.top - 0.01, y > self.frame.bottom() + 0.01);
        (up || down).then_some(Arrow { x, up, look, value })
    }

    /// Arrows that would meet.
    fn group(&self, arrows: &[Arrow]) -> Done {
        let named = arrows.len() <= NAMED_ARROWS;
        let across = if named { 1 } else { 6 };
        let middle = (across - 1) as f64 / 2.0;
        let row_height = if named { 2.4 * self.page.marker() + self.page.small } else { 3.2 * self.page.marker() };
        for (i, arrow) in arrows.iter().enumerate() {
            let (column, row) = ((i % across) as f64 - middle, (i / across) as f64);
            let inward = 1.6 * self.page.marker() + row * row_height;
            let y = if arrow.up { self.frame.top + inward } else { self.frame.bottom() - inward };
            self.arrow(arrow, (arrow.x + 2.8 * column * self.page.marker(), y), named)?;
        }
        Ok(())
    }

    fn arrow(&self, arrow: &Arrow, at: Spot, named: bool) -> Done {
        let marker = if arrow.up { Marker::Up } else { Marker::Down };
        self.marker(at, marker, arrow.look)?;
        if named { self.value(arrow, at) } else { Ok(()) }
    }

    /// The value above an arrow that points down and below one that points up, on a veil that keeps it apart from lines.
    fn value(&self, arrow: &Arrow, at: Spot) -> Done {
        let (size, text) = (0.9 * self.page.small, number(arrow.value, if arrow.value.abs() < 10.0 { 1 } else { 0 }));
        let width = text_width(&text, size);
        let left = (at.0 - 0.5 * width).clamp(self.frame.left, (self.frame.right() - width).max(self.frame.left));
        let inward = 1.3 * self.page.marker() + 0.5 * size;
        let y = if arrow.up { at.1 + inward } else { at.1 - inward };
        let (right, top, bottom) = (left + width, y - 0.5 * size, y + 0.5 * size);
        self.canvas.fill(&[(left, top), (right, top), (right, bottom), (left, bottom)], style::WHITE, 0.8)?;
        self.canvas.text(&text, (left, y), Anchor::Start, size, arrow.look.colour)
    }

    /// Grid, axis lines, ticks and tick labels.
    pub(crate) fn axes(&self, y_labels: bool, turned: bool) -> Done {
        let (frame, stroke) = (self.frame, self.page.stroke());
        for (up, _) in self.y.ticks() {
            self.canvas.line(&[frame.spot(0.0, up), frame.spot(1.0, up)], style::GRID, 0.5 * stroke)?;
        }
        let corner = [frame.spot(0.0, 1.0), frame.spot(0.0, 0.0), frame.spot(1.0, 0.0)];
        self.canvas.line(&corner, style::INK, 0.6 * stroke)?;
        self.x.ticks().try_for_each(|(across, text)| self.x_tick(across, text, turned))?;
        self.y.ticks().try_for_each(|(up, text)| self.y_tick(up, if y_labels { text } else { "" }))
    }

    fn x_tick(&self, across: f64, text: &str, turned: bool) -> Done {
        let ((x, y), size, tick) = (self.frame.spot(across, 0.0), self.page.small, self.page.tick());
        self.canvas.line(&[(x, y), (x, y + tick)], style::INK, 0.6 * self.page.stroke())?;
        if turned {
            let middle = y + tick + self.page.gap() + 0.5 * text_width(text, size);
            return self.canvas.upward_text(text, (x, middle), size, style::INK);
        }
        self.canvas.text(text, (x, y + tick + self.page.gap() + 0.5 * size), Anchor::Middle, size, style::INK)
    }

    fn y_tick(&self, up: f64, text: &str) -> Done {
        let ((x, y), size, tick) = (self.frame.spot(0.0, up), self.page.small, self.page.tick());
        self.canvas.line(&[(x - tick, y), (x, y)], style::INK, 0.6 * self.page.stroke())?;
        self.canvas.text(text, (x - tick - 0.5 * self.page.gap(), y), Anchor::End, size, style::INK)
    }
}

/// A marker with a thin white edge.
pub(crate) fn draw_marker(canvas: &Canvas, page: &Page, at: Spot, marker: Marker, look: Look) -> Done {
    let scaled = |r: f64| outline(marker).into_iter().map(|(x, y)| (at.0 + r * x, at.1 + r * y)).collect::<Vec<_>>();
    canvas.fill(&scaled(1.3 * page.marker()), style::WHITE, 1.0)?;
    canvas.fill(&scaled(page.marker()), look.colour, 1.0)
}

/// Maximal stretches of neighbouring points that satisfy `keep`.
fn runs(points: &[Point], keep: impl Fn(&Point) -> bool) -> Vec<Vec<&Point>> {
    let stretches = points.split(|p| !keep(p));
    stretches.filter(|s| s.len() > 1).map(|s| s.iter().collect()).collect()
}

/// Points with an interval and no neighbour that has one.
fn lonely(points: &[Point]) -> impl Iterator<Item = &Point> {
    let bounded = |i: usize| points.get(i).is_some_and(|p| p.low.is_some() && p.high.is_some());
    let alone = move |i: usize| bounded(i) && !bounded(i + 1) && (i == 0 || !bounded(i - 1));
    points.iter().enumerate().filter(move |(i, _)| alone(*i)).map(|(_, p)| p)
}

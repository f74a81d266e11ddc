//! The legend: one entry per name, in a table as wide as the room there is, and below it the colour bars of fields.

use crate::FigureError;
use crate::axis::short;
use crate::canvas::{Anchor, Canvas, text_width};
use crate::field::Shade;
use crate::geometry::{Spot, dashes};
use crate::paint::draw_marker;
use crate::panel::{Panel, Sample};
use crate::style::{self, Look, Page};

/// One row of words with a sample of its look.
struct Entry {
    name: String,
    look: Look,
    sample: Sample,
}

/// Entries laid out in columns.
pub(crate) struct Legend {
    entries: Vec<Entry>,
    columns: Vec<f64>,
    shades: Vec<Shade>,
    page: Page,
}

impl Legend {
    /// The legend of all panels, with as few rows as `room` points across allow.
    pub(crate) fn new(panels: &[Panel], page: Page, room: f64) -> Self {
        let mut legend = Legend { entries: entries(panels), columns: Vec::new(), shades: shades(panels), page };
        let n = legend.entries.len();
        let layouts = (1..=n).map(|rows| legend.widths(n.div_ceil(rows)));
        let best = layouts.into_iter().find(|widths| widths.iter().sum::<f64>() - legend.space() <= room);
        legend.columns = best.unwrap_or_else(|| legend.widths(1));
        legend
    }

    /// Width of each column when there are `columns`.
    fn widths(&self, columns: usize) -> Vec<f64> {
        let wide = |e: &Entry| self.sample() + self.page.gap() + text_width(&e.name, self.page.small) + self.space();
        let column = |c: usize| self.entries.iter().skip(c).step_by(columns.max(1)).map(wide).fold(0.0, f64::max);
        (0..columns.min(self.entries.len())).map(column).collect()
    }

    /// Three dashes and two gaps of the usual line.
    fn sample(&self) -> f64 {
        21.5 * self.page.stroke()
    }

    fn space(&self) -> f64 {
        1.6 * self.page.small
    }

    fn row(&self) -> f64 {
        1.6 * self.page.small
    }

    /// Size of the whole legend.
    pub(crate) fn size(&self) -> (f64, f64) {
        let (wide, high) = self.table();
        let bars = self.shades.iter().map(|shade| self.bar_width(shade)).fold(0.0, f64::max);
        (wide.max(bars), high + self.shades.len() as f64 * self.bar_height())
    }

    /// Size of the table of entries.
    fn table(&self) -> (f64, f64) {
        let rows = self.entries.len().div_ceil(self.columns.len().max(1));
        ((self.columns.iter().sum::<f64>() - self.space()).max(0.0), rows as f64 * self.row())
    }

    fn bar_height(&self) -> f64 {
        3.0 * self.page.small
    }

    /// Length of the coloured part of a bar: what its words leave of the page.
    fn bar_length(&self, shade: &Shade) -> f64 {
        let left = self.page.width - self.bar_start(shade) - 2.0 * self.page.base;
        left.clamp(4.0 * self.page.small, 12.0 * self.page.small)
    }

    /// Where the colours begin, after the words.
    fn bar_start(&self, shade: &Shade) -> f64 {
        text_width(&shade.label, self.page.small) + 2.0 * self.page.gap()
    }

    fn bar_width(&self, shade: &Shade) -> f64 {
        self.bar_start(shade) + self.bar_length(shade) + self.page.base
    }

    /// Draws it with its top left at `corner`.
    pub(crate) fn draw(&self, canvas: &Canvas, corner: Spot) -> Result<(), FigureError> {
        let (whole, (wide, high)) = (self.size().0, self.table());
        self.draw_table(canvas, (corner.0 + (whole - wide) / 2.0, corner.1))?;
        for (i, shade) in self.shades.iter().enumerate() {
            let left = corner.0 + (whole - self.bar_width(shade)) / 2.0;
            self.draw_bar(canvas, shade, (left, corner.1 + high + i as f64 * self.bar_height()))?;
        }
        Ok(())
    }

    /// The words, the colours, and the numbers at both ends and in the middle.
    fn draw_bar(&self, canvas: &Canvas, shade: &Shade, (left, top): Spot) -> Result<(), FigureError> {
        let (size, length, thick) = (self.page.small, self.bar_length(shade), 0.9 * self.page.small);
        let start = left + self.bar_start(shade);
        let y = top + 0.4 * size;
        canvas.text(&shade.label, (left, y + thick / 2.0), Anchor::Start, size, style::INK)?;
        for i in 0..BAR_STEPS {
            let at = |i: usize| start + length * i as f64 / BAR_STEPS as f64;
            let value = shade.low + (shade.high - shade.low) * (i as f64 + 0.5) / BAR_STEPS as f64;
            let end = (at(i + 1) + 0.35).min(start + length);
            canvas.fill(&[(at(i), y), (end, y), (end, y + thick), (at(i), y + thick)], shade.colour(value), 1.0)?;
        }
        for share in [0.0, 0.5, 1.0] {
            let (x, value) = (start + share * length, shade.low + share * (shade.high - shade.low));
            canvas.line(&[(x, y + thick), (x, y + thick + 0.8 * self.page.tick())], style::INK, 0.6 * self.page.stroke())?;
            canvas.text(&short(value), (x, y + thick + self.page.tick() + 0.6 * size), Anchor::Middle, size, style::INK)?;
        }
        Ok(())
    }

    fn draw_table(&self, canvas: &Canvas, corner: Spot) -> Result<(), FigureError> {
        let columns = self.columns.len().max(1);
        for (i, entry) in self.entries.iter().enumerate() {
            let left: f64 = self.columns[..i % columns].iter().sum();
            let row = (i / columns) as f64 + 0.5;
            self.entry(canvas, entry, (corner.0 + left, corner.1 + row * self.row()))?;
        }
        Ok(())
    }

    fn entry(&self, canvas: &Canvas, entry: &Entry, (x, y): Spot) -> Result<(), FigureError> {
        let end = x + self.sample();
        match entry.sample {
            Sample::Fill => self.filled(canvas, entry.look, (x, y), 1.0)?,
            Sample::Band => self.filled(canvas, entry.look, (x, y), 2.0 * style::BAND_OPACITY)?,
            Sample::Line => self.line(canvas, entry.look, [(x, y), (end, y)])?,
            Sample::Whisker => self.whisker(canvas, ((x + end) / 2.0, y))?,
            Sample::Point => self.point(canvas, entry.look, ((x + end) / 2.0, y))?,
        }
        canvas.text(&entry.name, (end + self.page.gap(), y), Anchor::Start, self.page.small, style::INK)
    }

    fn filled(&self, canvas: &Canvas, look: Look, (x, y): Spot, opacity: f64) -> Result<(), FigureError> {
        let (half, end) = (0.4 * self.page.small, x + self.sample());
        canvas.fill(&[(x, y - half), (end, y - half), (end, y + half), (x, y + half)], look.colour, opacity)
    }

    fn whisker(&self, canvas: &Canvas, (x, y): Spot) -> Result<(), FigureError> {
        let (half, cap, width) = (0.55 * self.page.small, 1.5 * self.page.stroke(), 0.8 * self.page.stroke());
        let lines =
            [[(x, y - half), (x, y + half)], [(x - cap, y - half), (x + cap, y - half)], [(x - cap, y + half), (x + cap, y + half)]];
        lines.iter().try_for_each(|line| canvas.line(line, style::INK, width))
    }

    fn point(&self, canvas: &Canvas, look: Look, at: Spot) -> Result<(), FigureError> {
        look.marker.map_or(Ok(()), |marker| draw_marker(canvas, &self.page, at, marker, look))
    }

    fn line(&self, canvas: &Canvas, look: Look, [from, to]: [Spot; 2]) -> Result<(), FigureError> {
        let width = look.width * self.page.stroke();
        let pattern: Vec<_> = look.dash.pattern().iter().map(|d| d * width).collect();
        dashes(&[from, to], &pattern).iter().try_for_each(|piece| canvas.line(piece, look.colour, width))?;
        self.point(canvas, look, ((from.0 + to.0) / 2.0, from.1))
    }
}

/// Pieces a colour bar is made of.
const BAR_STEPS: usize = 64;

/// The different colours of all fields.
fn shades(panels: &[Panel]) -> Vec<Shade> {
    let mut shades: Vec<Shade> = Vec::new();
    for shade in panels.iter().filter_map(Panel::shade) {
        if !shades.contains(shade) {
            shades.push(shade.clone());
        }
    }
    shades
}

/// One entry per name, in the order of first use; what explains all panels comes last.
fn entries(panels: &[Panel]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for (name, look, sample) in panels.iter().flat_map(Panel::entries).chain(panels.iter().flat_map(Panel::keys)) {
        if !name.is_empty() && entries.iter().all(|e| e.name != name) {
            entries.push(Entry { name: name.into(), look, sample });
        }
    }
    entries
}

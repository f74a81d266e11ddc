//! The legend: one entry per name, in a table as wide as the room there is.

use crate::FigureError;
use crate::canvas::{Anchor, Canvas, text_width};
use crate::geometry::{Spot, dashes};
use crate::paint::draw_marker;
use crate::panel::Panel;
use crate::style::{self, Look, Page};

/// One row of words with a sample of its look.
struct Entry {
    name: String,
    look: Look,
    filled: bool,
}

/// Entries laid out in columns.
pub(crate) struct Legend {
    entries: Vec<Entry>,
    columns: Vec<f64>,
    page: Page,
}

impl Legend {
    /// The legend of all panels, with as few rows as `room` points across allow.
    pub(crate) fn new(panels: &[Panel], page: Page, room: f64) -> Self {
        let mut legend = Legend { entries: entries(panels), columns: Vec::new(), page };
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
        let rows = self.entries.len().div_ceil(self.columns.len().max(1));
        ((self.columns.iter().sum::<f64>() - self.space()).max(0.0), rows as f64 * self.row())
    }

    /// Draws it with its top left at `corner`.
    pub(crate) fn draw(&self, canvas: &Canvas, corner: Spot) -> Result<(), FigureError> {
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
        if entry.filled {
            let half = 0.4 * self.page.small;
            canvas.fill(&[(x, y - half), (end, y - half), (end, y + half), (x, y + half)], entry.look.colour, 1.0)?;
        } else {
            self.line(canvas, entry.look, [(x, y), (end, y)])?;
        }
        canvas.text(&entry.name, (end + self.page.gap(), y), Anchor::Start, self.page.small, style::INK)
    }

    fn line(&self, canvas: &Canvas, look: Look, [from, to]: [Spot; 2]) -> Result<(), FigureError> {
        let width = look.width * self.page.stroke();
        let pattern: Vec<_> = look.dash.pattern().iter().map(|d| d * width).collect();
        dashes(&[from, to], &pattern).iter().try_for_each(|piece| canvas.line(piece, look.colour, width))?;
        let middle = ((from.0 + to.0) / 2.0, from.1);
        look.marker.map_or(Ok(()), |marker| draw_marker(canvas, &self.page, middle, marker, look))
    }
}

/// One entry per name, in the order of first use.
fn entries(panels: &[Panel]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for (name, look, filled) in panels.iter().flat_map(Panel::entries) {
        if !name.is_empty() && entries.iter().all(|e| e.name != name) {
            entries.push(Entry { name: name.into(), look, filled });
        }
    }
    entries
}

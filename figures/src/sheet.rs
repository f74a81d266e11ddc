//! Layout: panels in a grid, labels that do not repeat, one legend that covers no data.

use crate::FigureError;
use crate::axis::Ruler;
use crate::canvas::{Anchor, Canvas, text_width, with_head};
use crate::geometry::Frame;
use crate::legend::Legend;
use crate::paint::Painter;
use crate::panel::Panel;
use crate::style::{self, Page};

/// Panels on their way to one picture.
#[derive(Clone, Debug)]
pub struct Sheet {
    page: Page,
    panels: Vec<Panel>,
    columns: usize,
    aspect: f64,
}

/// A panel's axes once the rough size of its plot is known.
type Rulers = (Ruler, Ruler);

/// Lengths of the layout, in points.
struct Layout {
    columns: usize,
    width: f64,
    height: f64,
    left: f64,
    inner_left: f64,
    right: f64,
    title: f64,
    under: f64,
    /// The same for panels whose tick labels are not turned.
    plain_under: f64,
    x_label: f64,
    top: f64,
    legend_aside: bool,
}

impl Layout {
    /// Room for the tick labels under a panel.
    fn under(&self, panel: &Panel) -> f64 {
        if panel.x.turned { self.under } else { self.plain_under.min(self.under) }
    }
}

impl Sheet {
    /// An empty sheet.
    pub fn new(page: Page) -> Self {
        Sheet { page, panels: Vec::new(), columns: 3, aspect: 1.45 }
    }

    /// Adds a panel to the right of the last one, or below.
    pub fn add(&mut self, panel: Panel) -> &mut Self {
        self.panels.push(panel);
        self
    }

    /// The most panels side by side; narrow pages take fewer.
    pub fn columns(&mut self, most: usize) -> &mut Self {
        self.columns = most.max(1);
        self
    }

    /// Width of a plot over its height; plots that stand alone in their row are never taller than they should be.
    pub fn aspect(&mut self, aspect: f64) -> &mut Self {
        self.aspect = aspect.clamp(0.2, 10.0);
        self
    }

    /// The picture as SVG text, with a title and a description for readers that cannot see it.
    ///
    /// # Errors
    /// [`FigureError::Font`] or [`FigureError::Draw`] where the backend refuses.
    pub fn svg(&self, title: &str, description: &str) -> Result<String, FigureError> {
        let plain = self.panels.iter().all(|p| p.shade().is_none());
        let aside = plain && self.panels.len() == 1 && self.page.width > 36.0 * self.page.base;
        let legend = Legend::new(&self.panels, self.page, if aside { 0.0 } else { self.page.width - 2.0 * self.page.gap() });
        let (layout, rulers) = self.layout(&legend, aside);
        let height = self.height(&layout, &legend);
        let mut text = String::new();
        let canvas = Canvas::new(&mut text, self.page.width, height)?;
        self.draw(&canvas, &layout, &rulers, &legend)?;
        canvas.finish()?;
        Ok(with_head(&text, self.page.width, height, title, description))
    }

    /// Settles plot sizes and axes, which depend on each other, in a few rounds.
    fn layout(&self, legend: &Legend, aside: bool) -> (Layout, Vec<Rulers>) {
        let mut layout = self.blank(legend, aside);
        for _ in 0..2 {
            self.fit(&mut layout, legend);
            let rulers = self.rulers(&layout);
            self.gutters(&mut layout, &rulers);
        }
        self.fit(&mut layout, legend);
        let rulers = self.rulers(&layout);
        (layout, rulers)
    }

    fn blank(&self, legend: &Legend, legend_aside: bool) -> Layout {
        let Page { base, small, .. } = self.page;
        let titled = self.panels.iter().any(|p| p.title.is_some());
        let title = if titled { 2.0 * base } else { 0.7 * small };
        let under = self.page.tick() + self.page.gap() + 1.3 * small;
        let top = if legend_aside || legend.size().1 == 0.0 { 0.0 } else { legend.size().1 };
        let left = 4.0 * base;
        Layout {
            columns: 1,
            width: 0.0,
            height: 0.0,
            left,
            inner_left: left,
            right: base,
            title,
            under,
            plain_under: under,
            x_label: if self.panels.iter().all(|p| p.x.label.is_empty()) { 0.2 * base } else { 1.5 * base },
            top,
            legend_aside,
        }
    }

    /// Shares the width among the columns, fewer where plots would be too narrow.
    fn fit(&self, layout: &mut Layout, legend: &Legend) {
        let taken = if layout.legend_aside { legend.size().0 + self.page.base } else { 0.0 };
        let width = |n: f64| (self.page.width - taken - layout.left - (n - 1.0) * layout.inner_left - n * layout.right) / n;
        let fits = |n: &usize| width(*n as f64) >= 9.0 * self.page.base;
        layout.columns = (1..=self.columns.min(self.panels.len())).rev().find(fits).unwrap_or(1);
        layout.width = width(layout.columns as f64).max(10.0);
        layout.height = layout.width / if layout.columns == 1 { self.aspect.max(self.alone()) } else { self.aspect };
    }

    /// The least aspect of plots that stand alone in their row: many of them must still fit the height of a page.
    fn alone(&self) -> f64 {
        if self.panels.len() > 3 { 2.0 } else { 1.4 }
    }

    fn rulers(&self, layout: &Layout) -> Vec<Rulers> {
        self.panels.iter().map(|p| p.rulers(layout.width, layout.height, &self.page)).collect()
    }

    /// Room for the labels the axes turned out to have.
    fn gutters(&self, layout: &mut Layout, rulers: &[Rulers]) {
        let small = self.page.small;
        let wide = |texts: &mut dyn Iterator<Item = (f64, &str)>| texts.map(|t| text_width(t.1, small)).fold(0.0, f64::max);
        let y = rulers.iter().map(|r| wide(&mut r.1.ticks())).fold(0.0, f64::max);
        let overhang = |(p, r): (&Panel, &Rulers)| {
            if p.x.turned {
                0.0
            } else {
                r.0.ticks().map(|(at, text)| text_width(text, small) / 2.0 - (1.0 - at) * layout.width).fold(0.0, f64::max)
            }
        };
        layout.right = self.panels.iter().zip(rulers).map(overhang).fold(0.0, f64::max) + self.page.gap();
        layout.left = 1.6 * self.page.base + y + self.page.tick() + self.page.gap();
        if rulers.iter().all(|r| r.0.ticks().next().is_none()) {
            layout.under = self.page.gap();
        }
        let turned = self.panels.iter().zip(rulers).filter(|(p, _)| p.x.turned).map(|(_, r)| wide(&mut r.0.ticks())).fold(0.0, f64::max);
        if turned > 0.0 {
            layout.under = layout.plain_under.max(self.page.tick() + 2.0 * self.page.gap() + turned);
        }
        layout.inner_left = if shared(rulers) { 0.6 * self.page.base } else { layout.left + self.page.gap() };
    }

    fn rows(&self, layout: &Layout) -> usize {
        self.panels.len().div_ceil(layout.columns)
    }

    /// Height of one row, as its own tick labels ask for; all but the last leave out the label under the x axis where all panels share it.
    fn row_height(&self, layout: &Layout, row: usize) -> f64 {
        let label = |p: &Panel| if self.same_x_label() || p.x.label.is_empty() { 0.0 } else { layout.x_label };
        let panels = self.panels.iter().skip(row * layout.columns).take(layout.columns);
        layout.title + layout.height + panels.map(|p| layout.under(p) + label(p)).fold(0.0, f64::max)
    }

    /// Height of the first `rows` rows.
    fn rows_height(&self, layout: &Layout, rows: usize) -> f64 {
        (0..rows).map(|row| self.row_height(layout, row)).sum()
    }

    fn same_x_label(&self) -> bool {
        self.panels.windows(2).all(|w| w[0].x.label == w[1].x.label)
    }

    fn height(&self, layout: &Layout, legend: &Legend) -> f64 {
        let last = if self.same_x_label() { layout.x_label } else { 0.0 };
        let panels = layout.top + self.rows_height(layout, self.rows(layout)) + last;
        let beside = if layout.legend_aside { legend.size().1 + layout.title } else { 0.0 };
        panels.max(beside).max(self.page.base)
    }

    fn draw(&self, canvas: &Canvas, layout: &Layout, rulers: &[Rulers], legend: &Legend) -> Result<(), FigureError> {
        for (i, (panel, ruler)) in self.panels.iter().zip(rulers).enumerate() {
            let frame = self.frame(layout, i);
            let painter = Painter { canvas, page: &self.page, frame, x: &ruler.0, y: &ruler.1 };
            let outer = i % layout.columns == 0 || !shared(rulers);
            painter.axes(outer, panel.x.turned)?;
            painter.panel(panel)?;
            self.words(canvas, layout, i, outer)?;
        }
        legend.draw(canvas, self.legend_corner(layout, legend))
    }

    fn frame(&self, layout: &Layout, i: usize) -> Frame {
        let (row, column) = (i / layout.columns, (i % layout.columns) as f64);
        Frame {
            left: layout.left + column * (layout.width + layout.right + layout.inner_left),
            top: layout.top + self.rows_height(layout, row) + layout.title,
            width: layout.width,
            height: layout.height,
        }
    }

    /// Title and axis labels of panel `i`.
    fn words(&self, canvas: &Canvas, layout: &Layout, i: usize, outer: bool) -> Result<(), FigureError> {
        let (panel, frame, base) = (&self.panels[i], self.frame(layout, i), self.page.base);
        let middle = frame.left + frame.width / 2.0;
        if let Some(title) = &panel.title {
            canvas.text(title, (middle, frame.top - 0.85 * base), Anchor::Middle, base, style::INK)?;
        }
        if i + layout.columns >= self.panels.len() || !self.same_x_label() {
            canvas.text(&panel.x.label, (middle, frame.bottom() + layout.under(panel) + 0.6 * base), Anchor::Middle, base, style::INK)?;
        }
        let beside = (frame.left - layout.left + 0.65 * base, frame.top + frame.height / 2.0);
        let size = base * (1.1 * frame.height / text_width(&panel.y.label, base)).min(1.0);
        if outer { canvas.upward_text(&panel.y.label, beside, size, style::INK) } else { Ok(()) }
    }

    fn legend_corner(&self, layout: &Layout, legend: &Legend) -> (f64, f64) {
        let (width, height) = legend.size();
        if layout.legend_aside {
            (self.page.width - width - self.page.gap(), layout.title + ((layout.height - height) / 2.0).max(0.0))
        } else {
            (((self.page.width - width) / 2.0).max(0.0), 0.0)
        }
    }
}

/// Whether one set of y labels serves a whole row.
fn shared(rulers: &[Rulers]) -> bool {
    rulers.windows(2).all(|w| w[0].1.agrees(&w[1].1))
}

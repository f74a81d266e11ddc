//! Strokes, fills and words in points, on top of plotters' SVG backend.

use std::sync::OnceLock;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::FigureError;
use crate::geometry::Spot;
use crate::style::{self, Colour};

/// Pixels per point. The backend knows whole pixels only, so it draws large and the view box shrinks the drawing.
const SCALE: f64 = 10.0;
/// The backend writes a font size divided by this.
const BACKEND_FONT: f64 = 1.24;
/// Ascent plus descent of the font, in ems: the unit in which widths are measured.
const LINE_HEIGHT: f64 = 1.164;
/// Height of capitals, in ems, as the backend shifts text anchored at its top.
const CAPITALS: f64 = 0.76;

/// Which part of a text stands at the given spot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// Its left end.
    Start,
    /// Its middle.
    Middle,
    /// Its right end.
    End,
}

/// A sheet of paper with the origin at its top left.
pub(crate) struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
}

type Done = Result<(), FigureError>;

impl<'a> Canvas<'a> {
    /// A white canvas of a size in points; the SVG text grows in `buffer`.
    pub(crate) fn new(buffer: &'a mut String, width: f64, height: f64) -> Result<Self, FigureError> {
        font()?;
        let (w, h) = pixel((width, height));
        let area = SVGBackend::with_string(buffer, (w.max(1) as u32, h.max(1) as u32)).into_drawing_area();
        area.fill(&WHITE).map_err(failed)?;
        Ok(Canvas { area })
    }

    /// A broken line.
    pub(crate) fn line(&self, line: &[Spot], colour: Colour, width: f64) -> Done {
        let style = rgb(colour).stroke_width((width * SCALE).round().max(1.0) as u32);
        let pixels: Vec<_> = line.iter().copied().map(pixel).collect();
        self.area.draw(&PathElement::new(pixels, style)).map_err(failed)
    }

    /// A filled polygon.
    pub(crate) fn fill(&self, polygon: &[Spot], colour: Colour, opacity: f64) -> Done {
        let pixels: Vec<_> = polygon.iter().copied().map(pixel).collect();
        if pixels.len() < 3 {
            return Ok(());
        }
        self.area.draw(&Polygon::new(pixels, rgb(colour).mix(opacity))).map_err(failed)
    }

    /// Words whose capitals are centred on the height of `at`.
    pub(crate) fn text(&self, text: &str, at: Spot, anchor: Anchor, size: f64, colour: Colour) -> Done {
        self.words(text, (at.0, at.1 - CAPITALS / 2.0 * size), anchor, size, colour, FontTransform::None)
    }

    /// Words from bottom to top, centred on `at`.
    pub(crate) fn upward_text(&self, text: &str, at: Spot, size: f64, colour: Colour) -> Done {
        self.words(text, (at.0 - CAPITALS / 2.0 * size, at.1), Anchor::Middle, size, colour, FontTransform::Rotate270)
    }

    fn words(&self, text: &str, top: Spot, anchor: Anchor, size: f64, colour: Colour, turn: FontTransform) -> Done {
        let across = match anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let font = (style::FAMILY, size * SCALE * BACKEND_FONT).into_font().transform(turn).color(&rgb(colour));
        self.area.draw_text(text, &font.pos(Pos::new(across, VPos::Top)), pixel(top)).map_err(failed)
    }

    /// Ends the drawing.
    pub(crate) fn finish(self) -> Done {
        self.area.present().map_err(failed)
    }
}

/// The finished drawing with its size in inches, joints rounded, and words for readers that cannot see it.
///
/// The backend makes each transparent shape a group of its own; a transparent fill is the same picture and a simpler file.
pub(crate) fn with_head(svg: &str, width: f64, height: f64, title: &str, description: &str) -> String {
    let body = svg.split_once('>').map_or("", |parts| parts.1).replace(" opacity=\"1\"", "").replace(" opacity=", " fill-opacity=");
    let ((w, h), (wide, high)) = (pixel((width, height)), (width / 72.0, height / 72.0));
    format!(
        "<svg width=\"{wide:.4}in\" height=\"{high:.4}in\" viewBox=\"0 0 {w} {h}\" stroke-linejoin=\"round\" \
         xmlns=\"http://www.w3.org/2000/svg\">\n<title>{}</title>\n<desc>{}</desc>{body}",
        escaped(title),
        escaped(description)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Width of words in points.
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    let measured = font().ok().and_then(|()| (style::FAMILY, 1000.0 * LINE_HEIGHT).into_font().box_size(text).ok());
    measured.map_or(0.6 * text.chars().count() as f64, |(w, _)| f64::from(w) / 1000.0) * size
}

/// Makes the embedded font known to the backend, once.
fn font() -> Done {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    let known = KNOWN.get_or_init(|| register_font(style::FAMILY, FontStyle::Normal, style::font_bytes()).is_ok());
    if *known { Ok(()) } else { Err(FigureError::Font) }
}

fn pixel((x, y): Spot) -> (i32, i32) {
    ((x * SCALE).round() as i32, (y * SCALE).round() as i32)
}

fn rgb(colour: Colour) -> RGBColor {
    RGBColor(colour.0, colour.1, colour.2)
}

fn failed(error: impl std::fmt::Display) -> FigureError {
    FigureError::Draw(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_the_font_s_own_width() {
        // Advance widths of DejaVu Sans in units of 1/2048 em: digits 1303, full stop 651.
        assert!((text_width("0.5", 7.0) - 7.0 * (1303.0 + 651.0 + 1303.0) / 2048.0).abs() < 0.05);
    }

    #[test]
    fn the_head_is_escaped() {
        assert!(with_head("<svg>\n</svg>", 72.0, 36.0, "a<b", "c&d").contains("<title>a&lt;b</title>\n<desc>c&amp;d</desc>"));
    }
}

//! The only file with colours, fonts and sizes.

use std::str::FromStr;

use crate::FigureError;

/// Font families in order of preference; the first is embedded, the second has nearly its widths.
pub(crate) const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";
/// Bytes of the embedded font.
pub(crate) fn font_bytes() -> &'static [u8] {
    dejavu::sans::regular()
}

/// Resolution of PNG previews, dots per inch.
pub(crate) const PNG_DPI: f32 = 220.0;

/// A colour in sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

/// Text and axes.
pub const INK: Colour = Colour(0x22, 0x22, 0x22);
/// The base model and reference lines.
pub const GREY: Colour = Colour(0x80, 0x80, 0x80);
/// Bars that stand behind marks.
pub(crate) const PALE: Colour = Colour(0xC8, 0xC8, 0xC8);
/// Grid lines.
pub(crate) const GRID: Colour = Colour(0xEA, 0xEA, 0xEA);
/// Paper.
pub(crate) const WHITE: Colour = Colour(0xFF, 0xFF, 0xFF);
/// How much of a band's colour covers what is behind it.
pub(crate) const BAND_OPACITY: f64 = 0.16;

/// Okabe and Ito's palette. The yellow is darkened, since a thin line in theirs cannot be seen on white.
const PALETTE: [Colour; 8] = [
    Colour(0x00, 0x00, 0x00),
    Colour(0x00, 0x72, 0xB2),
    Colour(0xB5, 0xA0, 0x00),
    Colour(0xE6, 0x9F, 0x00),
    Colour(0x00, 0x9E, 0x73),
    Colour(0xCC, 0x79, 0xA7),
    Colour(0xD5, 0x5E, 0x00),
    Colour(0x56, 0xB4, 0xE9),
];

/// Recipes with a look of their own, in the order figures list them.
const RECIPES: [&str; 8] = ["standard", "one-shot", "random", "incorrect", "majority", "self-sharpen", "negative-only", "positive-only"];

/// Shape at a data point; it repeats the colour, so a figure survives grey print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the shapes")]
pub enum Marker {
    Circle,
    Square,
    Plus,
    Cross,
    Diamond,
    Star,
    Down,
    Up,
}

const MARKERS: [Marker; 8] =
    [Marker::Circle, Marker::Square, Marker::Plus, Marker::Cross, Marker::Diamond, Marker::Star, Marker::Down, Marker::Up];

/// Pattern of a line. Among the default recipes it tells the family: paid by the truth, by agreement with itself, by neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the patterns")]
pub enum Dash {
    Solid,
    Dashed,
    Dotted,
}

const DASHES: [Dash; 8] = [Dash::Solid, Dash::Solid, Dash::Dotted, Dash::Dotted, Dash::Dashed, Dash::Dashed, Dash::Solid, Dash::Solid];

impl Dash {
    /// Lengths of pen down, pen up, in line widths; empty for a solid line.
    pub(crate) fn pattern(self) -> &'static [f64] {
        match self {
            Dash::Solid => &[],
            Dash::Dashed => &[4.5, 2.2],
            Dash::Dotted => &[1.3, 1.7],
        }
    }
}

/// How one series is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Colour of line, marker and band.
    pub colour: Colour,
    /// Pattern of the line.
    pub dash: Dash,
    /// Shape at the data points, if any.
    pub marker: Option<Marker>,
    /// Width of the line, in strokes (see [`Page::stroke`]).
    pub width: f64,
}

impl Look {
    fn slot(colour: usize, marker: usize, dash: usize) -> Self {
        Look { colour: PALETTE[colour], dash: DASHES[dash], marker: Some(MARKERS[marker]), width: 1.2 }
    }

    /// The base model: dashed grey without markers.
    pub fn base() -> Self {
        Look { colour: GREY, dash: Dash::Dashed, marker: None, width: 1.2 }
    }

    /// What theory says: a thin dark line.
    pub fn theory() -> Self {
        Look { colour: INK, dash: Dash::Solid, marker: None, width: 0.8 }
    }

    /// A simulated contour: a dark line as thick as a series.
    pub fn contour() -> Self {
        Look { colour: INK, dash: Dash::Solid, marker: None, width: 1.3 }
    }

    /// The look of the `i`-th of several series that are no recipes.
    pub fn series(i: usize) -> Self {
        const ORDER: [usize; 7] = [1, 6, 4, 5, 3, 7, 2];
        let slot = ORDER[i % ORDER.len()];
        Look { dash: Dash::Solid, ..Look::slot(slot, (i + i / ORDER.len()) % MARKERS.len(), 0) }
    }

    /// The same, dashed.
    pub fn dashed(self) -> Self {
        Look { dash: Dash::Dashed, ..self }
    }

    /// The same colour as a thin solid line without markers: the prediction for a series of this look.
    pub fn predicted(self) -> Self {
        Look { dash: Dash::Solid, marker: None, width: 0.9, ..self }
    }

    /// A line to compare with, in the colour of standard RL.
    pub fn reference() -> Self {
        Look { colour: PALETTE[0], dash: Dash::Dashed, marker: None, width: 1.2 }
    }
}

/// One look per recipe: the default recipes always have their own; others take the looks left over, then new pairs of colour and shape.
pub fn looks(recipes: &[String]) -> Vec<Look> {
    let free = (1..8).filter(|&i| !recipes.iter().any(|r| r == RECIPES[i])).map(|i| Look::slot(i, i, i));
    let mut rest = free.chain((0..).map(|n| Look::slot(1 + n % 7, (2 + n % 7 + n / 7) % 8, (2 * n) % 8)));
    let look = |r: &String| RECIPES.iter().position(|d| d == r).map(|i| Look::slot(i, i, i)).or_else(|| rest.next());
    recipes.iter().filter_map(look).collect()
}

/// Where a recipe stands in lists: the default recipes first.
pub(crate) fn rank(recipe: &str) -> usize {
    RECIPES.iter().position(|d| *d == recipe).unwrap_or(RECIPES.len())
}

/// The words on an axis for a knob.
pub fn knob_label(knob: &str) -> String {
    match knob {
        "alignment" => "alignment a".into(),
        "confidence" => "confidence κ".into(),
        "idiosyncrasy" => "idiosyncrasy τ".into(),
        "sharing" => "sharing ρ".into(),
        "group_size" => "group size G".into(),
        "kl_beta" => "weight of the KL β".into(),
        "depth" => "depth H".into(),
        "fpr" => "false positive rate".into(),
        other => other.replace('_', " "),
    }
}

/// Where a figure will be printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the venues")]
pub enum Venue {
    #[default]
    NeurIPS,
    ICML,
    ICLR,
    AISTATS,
    JMLR,
    Slides,
}

/// How much of the text width a figure takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Width {
    /// All of it; in two-column styles, both columns.
    #[default]
    Full,
    /// Half of it; in two-column styles, one column.
    Half,
}

/// Size of a figure and its type, in points (1/72 inch).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Page {
    /// Width of the figure.
    pub width: f64,
    /// Axis labels and panel titles.
    pub base: f64,
    /// Ticks and legend.
    pub small: f64,
}

impl Venue {
    /// Every venue with its name on the command line.
    pub const ALL: [(&str, Venue); 6] = [
        ("neurips", Venue::NeurIPS),
        ("icml", Venue::ICML),
        ("iclr", Venue::ICLR),
        ("aistats", Venue::AISTATS),
        ("jmlr", Venue::JMLR),
        ("slides", Venue::Slides),
    ];

    /// Full width, half width (inches), axis labels, ticks (points).
    fn sizes(self) -> (f64, f64, f64, f64) {
        match self {
            Venue::NeurIPS | Venue::ICLR => (5.5, 2.7, 9.0, 7.0),
            Venue::ICML => (6.75, 3.25, 8.0, 6.0),
            Venue::AISTATS => (6.75, 3.25, 9.0, 7.0),
            Venue::JMLR => (6.0, 2.95, 9.0, 7.0),
            Venue::Slides => (11.0, 5.4, 18.0, 14.0),
        }
    }

    /// The page for this venue.
    pub fn page(self, width: Width) -> Page {
        let (full, half, base, small) = self.sizes();
        let inches = if width == Width::Full { full } else { half };
        Page { width: inches * 72.0, base, small }
    }
}

impl FromStr for Venue {
    type Err = FigureError;

    fn from_str(name: &str) -> Result<Self, FigureError> {
        let known = || Venue::ALL.map(|v| v.0).join(", ");
        let found = Venue::ALL.iter().find(|v| v.0.eq_ignore_ascii_case(name)).map(|v| v.1);
        found.ok_or_else(|| FigureError::UnknownVenue { name: name.into(), known: known() })
    }
}

impl Page {
    /// Unit of line width, in points: it grows with the type.
    pub fn stroke(&self) -> f64 {
        self.base / 9.0
    }

    /// Radius of a marker.
    pub(crate) fn marker(&self) -> f64 {
        2.3 * self.stroke()
    }

    /// Length of a tick.
    pub(crate) fn tick(&self) -> f64 {
        2.5 * self.stroke()
    }

    /// White between neighbours.
    pub(crate) fn gap(&self) -> f64 {
        0.4 * self.small
    }
}

impl Default for Page {
    fn default() -> Self {
        Venue::default().page(Width::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_recipes_look_different() {
        let names: Vec<String> = RECIPES.iter().map(|s| s.to_string()).chain((0..30).map(|i| format!("r{i}"))).collect();
        let looks = looks(&names);
        for (i, a) in looks.iter().enumerate() {
            assert!(looks[..i].iter().all(|b| (a.colour, a.marker) != (b.colour, b.marker)), "{} looks like an earlier one", names[i]);
        }
    }

    #[test]
    fn a_default_recipe_keeps_its_look() {
        let alone = looks(&["majority".to_string()]);
        assert_eq!(looks(&["x".to_string(), "majority".to_string()])[1], alone[0]);
    }

    #[test]
    fn an_unknown_venue_lists_the_known() {
        assert!("nips".parse::<Venue>().unwrap_err().to_string().contains("neurips"));
    }
}

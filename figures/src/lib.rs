//! Records in, pictures out: every figure as SVG, PDF and PNG with its data beside it.
//!
//! A [`Figure`] turns the tables of a [`Run`] into one tidy table and that table into [`Panel`]s
//! on a [`Sheet`]; [`save()`] writes the files.
//!
//! | file | job |
//! |---|---|
//! | [`plots`] | the list of figures, one file each |
//! | [`figure`] | what a figure is, and what can go wrong |
//! | [`panel`], [`axis`] | the words a figure is written in: axes, curves, rules, bars |
//! | [`sheet`] | layout: panels in a grid, one legend |
//! | [`style`] | every colour, font and size |
//! | [`save`](mod@save) | the files |
//! | `tidy` | results grouped by knob, recipe and seed |
//! | `paint`, `legend`, `canvas`, `geometry` | how a panel becomes strokes, clipped to its frame |
//!
//! Adding a figure is one new file in `plots/` and two lines in `plots/mod.rs`.

pub mod axis;
mod canvas;
pub mod figure;
mod geometry;
mod legend;
mod paint;
pub mod panel;
pub mod plots;
pub mod save;
pub mod sheet;
pub mod style;
mod tidy;

pub use axis::Axis;
pub use figure::{Figure, FigureError, Run};
pub use panel::{Bar, Curve, Panel, Point, Rule};
pub use plots::{FIGURES, draw_all, find};
pub use save::save;
pub use sheet::Sheet;
pub use style::{Page, Venue, Width};

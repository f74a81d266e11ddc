//! Records in, pictures out: every figure as SVG, PDF and PNG with its data beside it.
//!
//! A [`Figure`] turns the tables of a [`Run`] into one tidy table and that table into [`Panel`]s
//! on a [`Sheet`]; [`save()`] writes the files.
//!
//! | file | job |
//! |---|---|
//! | [`plots`] | the list of figures, one file each |
//! | [`figure`] | what a figure is, and what can go wrong |
//! | [`study`] | what must be run for which figure |
//! | [`panel`], [`axis`], [`field`] | the words a figure is written in: axes, fields, curves, rules, bars |
//! | [`sheet`] | layout: panels in a grid, one legend |
//! | [`style`] | every colour, font and size |
//! | [`save`](mod@save) | the files |
//! | `tidy`, `grid`, `steps`, `rows` | results grouped by knob, by two knobs, by step; tables written row by row |
//! | `paint`, `legend`, `canvas`, `geometry` | how a panel becomes strokes, clipped to its frame |
//!
//! Adding a figure is one new file in `plots/` and two lines in `plots/mod.rs`.

pub mod axis;
mod canvas;
pub mod field;
pub mod figure;
mod geometry;
mod grid;
mod legend;
mod paint;
pub mod panel;
pub mod plots;
mod rows;
pub mod save;
pub mod sheet;
mod steps;
pub mod study;
pub mod style;
mod tidy;

pub use axis::Axis;
pub use field::{Field, Shade};
pub use figure::{Figure, FigureError, Run};
pub use panel::{Bar, Curve, Label, Manner, Panel, Point, Rule, Sample};
pub use plots::{COMPARISONS, FIGURES, draw_all, find};
pub use save::{ENDINGS, save, save_as};
pub use sheet::Sheet;
pub use study::{Data, Effort, Study};
pub use style::{Page, Venue, Width};

//! What a figure is: a name, a caption, a tidy table, and a drawing of that table.

use std::path::PathBuf;

use mta_sims::table::Table;

use crate::{Sheet, Study};

/// One finished run, as a figure sees it.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// One row per cell and seed.
    pub results: &'a Table,
    /// One row per cell, seed and recorded step.
    pub history: &'a Table,
    /// The swept knob, a numeric column of `results`: the x axis of most figures.
    pub knob: &'a str,
    /// The other swept knobs, numeric columns of `results` too.
    pub others: &'a [String],
    /// The exact command that made the run; it is written beside each picture.
    pub command: &'a str,
}

/// A picture that can be drawn from finished runs.
///
/// The picture sees only the table, so the table beside the picture holds everything in it.
pub trait Figure: Sync {
    /// Name on the command line and of the files.
    fn name(&self) -> &'static str;

    /// What is shown, in full sentences.
    fn caption(&self) -> &'static str;

    /// What must be run for it, in the order in which [`Figure::table`] takes the runs. Nothing for a figure that is all theory.
    fn studies(&self) -> Vec<&'static Study>;

    /// The tidy data behind the picture, with estimates and interval ends; `None` where these runs cannot show it.
    ///
    /// Any sweep will do as a run, alone or in company, as long as it has the columns and recipes the figure is about.
    fn table(&self, runs: &[Run]) -> Option<Table>;

    /// Puts the panels on the sheet.
    ///
    /// # Errors
    /// [`FigureError`] where the table cannot be drawn.
    fn draw(&self, table: &Table, sheet: &mut Sheet) -> Result<(), FigureError>;
}

/// Why a figure was not made.
#[derive(Debug, thiserror::Error)]
pub enum FigureError {
    /// No figure has this name.
    #[error("no figure is called {name:?}; there are: {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// No venue has this name.
    #[error("no venue is called {name:?}; there are: {known}")]
    UnknownVenue {
        /// What was asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The run lacks what the figure shows.
    #[error("figure {figure} has nothing to show: the run lacks the recipes or columns it needs, or numbers for the knob {knob:?}")]
    NothingToShow {
        /// Name of the figure.
        figure: &'static str,
        /// The swept knob.
        knob: String,
    },
    /// The embedded font was refused.
    #[error("the embedded font cannot be read")]
    Font,
    /// Drawing failed.
    #[error("drawing failed: {0}")]
    Draw(String),
    /// The drawing could not be turned into PDF or PNG.
    #[error("cannot turn the drawing into {format}: {reason}")]
    Convert {
        /// PDF or PNG.
        format: &'static str,
        /// What the converter said.
        reason: String,
    },
    /// A file could not be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

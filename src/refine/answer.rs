//! What a refinement found: one row per threshold, and one for a recipe that has none, on the terminal and as `thresholds.csv` and `thresholds.parquet`.

use super::search::{Crossing, Search};
use super::{Asked, Refinement};
use crate::error::Error;
use crate::report::LEVEL;
use crate::store::{parquet, write_whole};
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, presets};
use mta_sims::betting::Side;
use mta_sims::table::Table;
use std::path::Path;

/// A threshold of a recipe, or that none was found.
pub struct Found {
    /// The recipe.
    pub recipe: String,
    /// The threshold; none where the sign does not change between alignments where it is known.
    pub threshold: Option<Threshold>,
    /// Alignments at which the recipe keeps at least the share asked for.
    pub above: Vec<f64>,
    /// Alignments at which it keeps less.
    pub below: Vec<f64>,
    /// Alignments that were looked at, at which it is not known.
    pub open: Vec<f64>,
    /// Cells that the recipe's margins are made of, those of standard RL included.
    pub cells: usize,
}

/// An interval that holds a threshold.
pub struct Threshold {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Where a line through the margins is zero, inside the interval.
    pub estimate: f64,
    /// Whether the recipe keeps the share above the threshold, and not below.
    pub rising: bool,
    /// The uniform grid that has the same interval.
    pub grid: Grid,
}

/// A uniform grid over the range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// Its points.
    pub points: usize,
    /// Seeds at each.
    pub seeds: usize,
    /// Its cells: points x seeds, twice where each margin needs a cell of standard RL.
    pub cells: usize,
}

impl Refinement {
    /// What the search of a recipe found.
    pub(super) fn found(&self, recipe: &str, search: &Search) -> Vec<Found> {
        let at = |wanted: Option<Side>| search.sides().filter(|(_, side)| *side == wanted).map(|(point, _)| self.lattice[point]).collect();
        let seeds: usize = search.sides().map(|(point, _)| search.seen(point)).sum();
        let row = |threshold| Found {
            recipe: recipe.into(),
            threshold,
            above: at(Some(Side::Above)),
            below: at(Some(Side::Below)),
            open: at(None),
            cells: seeds * self.needed(recipe).count(),
        };
        let thresholds: Vec<Found> = search.crossings().iter().map(|crossing| row(Some(self.threshold(recipe, crossing)))).collect();
        if thresholds.is_empty() { vec![row(None)] } else { thresholds }
    }

    fn threshold(&self, recipe: &str, crossing: &Crossing) -> Threshold {
        let (low, high) = (self.lattice[crossing.low], self.lattice[crossing.high]);
        let share = (crossing.estimate - crossing.low as f64) / (crossing.high - crossing.low) as f64;
        let range = self.lattice[self.lattice.len() - 1] - self.lattice[0];
        let points = (range / (high - low) + 1.0 + 1e-9) as usize;
        let cells = points * crossing.seeds * self.needed(recipe).count();
        let grid = Grid { points, seeds: crossing.seeds, cells };
        Threshold { low, high, estimate: low + share * (high - low), rising: crossing.rising, grid }
    }
}

impl Found {
    /// Cells of the grid for each cell that was run.
    pub fn saving(&self) -> Option<f64> {
        Some(self.threshold.as_ref()?.grid.cells as f64 / self.cells as f64)
    }
}

/// Writes `thresholds.csv` and `thresholds.parquet` into `folder`.
pub(super) fn write(found: &[Found], asked: Asked, folder: &Path) -> Result<(), Error> {
    let table = table(found, asked);
    parquet::write(&table, &folder.join("thresholds.parquet"))?;
    write_whole(&folder.join("thresholds.csv"), table.to_csv().as_bytes())
}

fn table(found: &[Found], asked: Asked) -> Table {
    let of = |f: &dyn Fn(&Threshold) -> f64| found.iter().map(|row| row.threshold.as_ref().map(f)).collect::<Vec<_>>();
    let count = |f: &dyn Fn(&Grid) -> usize| found.iter().map(|row| row.threshold.as_ref().map(|t| f(&t.grid) as i64)).collect::<Vec<_>>();
    let all = |value| found.iter().map(move |_| Some(value));
    let list = |f: &dyn Fn(&Found) -> String| found.iter().map(f).collect::<Vec<_>>();
    let mut table = Table::new();
    table.text("recipe", "name of the recipe", found.iter().map(|row| row.recipe.as_str()));
    table.float("keeps", "share of standard RL's gain that counts", all(asked.keeps));
    table.text(
        "direction",
        "whether the share is kept above the threshold (rising) or below (falling); empty: no threshold",
        list(&direction),
    );
    table.float("threshold", "alignment at which a line through the margins is zero", of(&|t| t.estimate));
    table.float("low", "lower end of the interval", of(&|t| t.low));
    table.float("high", "upper end of the interval", of(&|t| t.high));
    table.float("level", "probability that no sign of the recipe's margins is named wrongly, at least", all(LEVEL));
    table.int("cells", "cells that were run for the recipe, standard RL's included", found.iter().map(|row| Some(row.cells as i64)));
    table.int("grid_points", "points of the coarsest uniform grid with both ends of the interval", count(&|grid| grid.points));
    table.int("grid_seeds", "seeds at each of them", count(&|grid| grid.seeds));
    table.int("grid_cells", "cells of that grid, standard RL's included", count(&|grid| grid.cells));
    table.float("saving", "grid_cells for each of the cells", found.iter().map(Found::saving));
    table.text("above", "alignments at which the share is kept", list(&|row| numbers(&row.above)));
    table.text("below", "alignments at which it is not", list(&|row| numbers(&row.below)));
    table.text("open", "alignments looked at, at which it is not known", list(&|row| numbers(&row.open)));
    table
}

fn direction(row: &Found) -> String {
    row.threshold.as_ref().map_or("", |t| if t.rising { "rising" } else { "falling" }).into()
}

fn numbers(numbers: &[f64]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// The table of thresholds, and a sentence for each recipe without one.
pub(super) fn text(found: &[Found], asked: Asked) -> String {
    let share = share(asked);
    let head = format!("Alignment from which (to which, where marked 'to') a recipe {share}, with its {:.0} % interval", 100.0 * LEVEL);
    let thresholds: Vec<&Found> = found.iter().filter(|row| row.threshold.is_some()).collect();
    let none = found.iter().filter(|row| row.threshold.is_none()).map(|row| without(row, &share));
    let wide = thresholds
        .iter()
        .filter(|row| is_wide(row, asked))
        .map(|row| format!("{}: the interval is wider than asked for; more seeds would narrow it (--seeds)\n", row.recipe));
    let table = if thresholds.is_empty() { String::new() } else { format!("{head}\n\n{}\n\n", columns(&thresholds)) };
    format!("{table}{}{}", none.collect::<String>(), wide.collect::<String>())
}

/// What is asked of a recipe, in words.
fn share(asked: Asked) -> String {
    if asked.keeps == 0.0 { "gains".into() } else { format!("keeps at least {:.0} % of standard RL's gain", 100.0 * asked.keeps) }
}

fn is_wide(row: &Found, asked: Asked) -> bool {
    row.threshold.as_ref().is_some_and(|t| t.high - t.low > 2.0 * asked.precision + 1e-9)
}

fn columns(found: &[&Found]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    let line = LineStyle::none().fill('─').junction('─');
    table.load_style(presets::NOTHING.header_separator(line)).set_content_arrangement(ContentArrangement::Disabled).force_no_tty();
    table.set_header(["recipe", "threshold", "interval", "cells", "uniform grid for the same interval", "saving"]);
    for row in found {
        let Some(threshold) = &row.threshold else { continue };
        let (to, Grid { points, seeds, cells }) = (if threshold.rising { "" } else { "to " }, threshold.grid);
        table.add_row([
            row.recipe.clone(),
            format!("{to}{:.3}", threshold.estimate),
            format!("{} to {}", threshold.low, threshold.high),
            row.cells.to_string(),
            format!("{cells} = {} x {points} points x {seeds} seeds", cells / (points * seeds)),
            row.saving().map_or(String::new(), |saving| format!("{saving:.1} x")),
        ]);
    }
    table.column_iter_mut().for_each(|c| {
        c.set_cell_alignment(CellAlignment::Right);
        c.set_padding((2, 0));
    });
    table
}

/// A recipe without a threshold, and what is known of it.
fn without(row: &Found, share: &str) -> String {
    let mut parts = Vec::new();
    for (alignments, what) in
        [(&row.above, format!("{share} at")), (&row.below, "does not at".into()), (&row.open, "is undecided at".into())]
    {
        if !alignments.is_empty() {
            parts.push(format!("{what} {}", numbers(alignments)));
        }
    }
    format!("{}: no threshold found; it {} ({} cells)\n", row.recipe, parts.join(", "), row.cells)
}

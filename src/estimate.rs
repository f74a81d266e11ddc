//! What a sweep would run, and about what time and memory it would take.

use crate::gather::MOST_EVALUATIONS;
use crate::plan::Plan;
use crate::runner;
use mta_sims::cost::{self, Together};
use mta_sims::recipe::Ready;
use rayon::prelude::*;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;

/// Lines of cells shown before the rest is only counted.
const SHOWN: usize = 100;

/// The plan in words: one line per grid point and recipe, and an estimate.
pub fn describe(plan: &Plan, folder: &Path, threads: usize) -> String {
    let threads = runner::threads(threads);
    let mut text = String::new();
    for setting in 0..plan.settings().min(SHOWN) {
        let (point, recipe, rows) = (setting / plan.recipes.len(), setting % plan.recipes.len(), plan.rows_of(setting));
        let Some(first) = plan.ids[rows.clone()].first().map(ToString::to_string) else { continue };
        let values = plan.axes.iter().zip(plan.point(point));
        let point = values.map(|(a, v)| format!("{} = {v}  ", plan.column(a.knob))).collect::<String>();
        let _ = writeln!(text, "{point}{:16} {} seeds  {}...", plan.recipes[recipe].name, rows.len(), &first[..8]);
    }
    if plan.settings() > SHOWN {
        let _ = writeln!(text, "... and {} more lines", plan.settings() - SHOWN);
    }
    let seconds = total(plan) / threads as f64 * cost::slowness(plan.backend.engine().costs());
    let memory = memory(plan, threads) / f64::from(1 << 20);
    let (cells, folder) = (plan.rows(), folder.display());
    let _ = writeln!(text, "{cells} cells, about {} and {memory:.0} MiB on {threads} threads; folder {folder}", words(seconds));
    text
}

/// Seconds that one thread would need for all rows.
pub fn total(plan: &Plan) -> f64 {
    (0..plan.settings()).map(|setting| plan.costs[setting] * plan.rows_of(setting).len() as f64).sum()
}

/// Bytes that a sweep takes at most: while its cells run, or while its tables are made, a batch being read as another is written.
fn memory(plan: &Plan, threads: usize) -> f64 {
    let recipes: Vec<Ready> = (0..plan.settings()).into_par_iter().map(|setting| plan.ready_of(setting)).collect();
    let evaluations = |(setting, recipe): (usize, &Ready)| plan.rows_of(setting).len() * recipe.config.train.evaluations();
    let evaluations = recipes.iter().enumerate().map(evaluations).sum::<usize>().min(2 * MOST_EVALUATIONS);
    let tables = FIGURES + plan.rows() as f64 * ROW + evaluations as f64 * EVALUATION;
    PROGRAM + tables.max(run_together(plan, &recipes, threads))
}

/// Bytes of the program, of its figures, of a row of its tables and of an evaluation in them (measured).
const PROGRAM: f64 = 13e6;
const FIGURES: f64 = 30e6;
const ROW: f64 = 1.5e3;
const EVALUATION: f64 = 1.5e3;

/// Bytes that the cells run together take, where those of every setting are of these recipes.
fn run_together(plan: &Plan, recipes: &[Ready], threads: usize) -> f64 {
    let engine = plan.backend.engine();
    let cells = (*engine.at_once().end()).clamp(threads, plan.rows().max(threads));
    let kinds: HashSet<String> = recipes.iter().map(|recipe| recipe.config.world.key()).collect();
    let together = Together { cells, worlds: cells.min(kinds.len() * plan.seeds.len()), threads };
    recipes.par_iter().map(|recipe| cost::bytes(recipe, engine.costs(), together)).reduce(|| 0.0, f64::max)
}

/// A time in words.
pub fn words(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

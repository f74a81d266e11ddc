//! What a sweep would run, and about how long it would take.

use crate::plan::Plan;
use crate::runner;
use mta_sims::cost;
use rayon::prelude::*;
use std::fmt::Write as _;
use std::path::Path;

/// Lines of cells shown before the rest is only counted.
const SHOWN: usize = 100;

/// The plan in words: one line per grid point and recipe, and an estimate.
pub fn describe(plan: &Plan, folder: &Path, threads: usize) -> String {
    let threads = runner::threads(threads);
    let mut text = String::new();
    for setting in 0..plan.settings().min(SHOWN) {
        let (row, first) = (plan.row(setting * plan.seeds.len()), plan.ids[setting * plan.seeds.len()].to_string());
        let values = plan.axes.iter().zip(plan.point(row.point));
        let point = values.map(|(a, v)| format!("{} = {v}  ", plan.column(a.knob))).collect::<String>();
        let _ = writeln!(text, "{point}{:16} {} seeds  {}...", plan.recipes[row.recipe].name, plan.seeds.len(), &first[..8]);
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
    plan.costs.iter().sum::<f64>() * plan.seeds.len() as f64
}

/// Bytes that the cells run together take at most.
fn memory(plan: &Plan, threads: usize) -> f64 {
    let engine = plan.backend.engine();
    let bytes = |setting: usize| {
        let ready = plan.ready(setting / plan.recipes.len(), setting % plan.recipes.len());
        let cells = (*engine.at_once().end()).clamp(threads, plan.rows().max(threads));
        cost::bytes(&ready, engine.costs(), cells, threads)
    };
    (0..plan.settings()).into_par_iter().map(bytes).reduce(|| 0.0, f64::max)
}

/// A time in words.
pub fn words(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

//! What a sweep would run, and about how long it would take.

use crate::plan::Plan;
use mta_sims::config::{Config, Mode};
use mta_sims::knob::Value;
use std::fmt::Write as _;
use std::path::Path;

/// Lines of cells shown before the rest is only counted.
const SHOWN: usize = 100;

/// Nanoseconds per action looked at when sampling or updating, and when measuring (measured on one 2.9 GHz server core).
const NS_PER_ACTION: f64 = 30.0;

/// The plan in words: one line per grid point and recipe, and an estimate.
pub fn describe(plan: &Plan, folder: &Path, threads: usize) -> String {
    let threads = if threads == 0 { rayon::current_num_threads() } else { threads };
    let mut text = String::new();
    let lines: Vec<_> = plan.rows.chunks(plan.seeds.len()).collect();
    for rows in lines.iter().take(SHOWN) {
        let point =
            plan.axes.iter().zip(&rows[0].point).map(|(a, v): (_, &Value)| format!("{} = {v}  ", plan.column(a.knob))).collect::<String>();
        let _ = writeln!(text, "{point}{:16} {} seeds  {}...", plan.recipes[rows[0].recipe].name, rows.len(), &rows[0].id[..8]);
    }
    if lines.len() > SHOWN {
        let _ = writeln!(text, "... and {} more lines", lines.len() - SHOWN);
    }
    let seconds = plan.rows.iter().map(|row| cost(&row.cell.recipe.config)).sum::<f64>() * 1e-9 / threads as f64;
    let _ = writeln!(text, "{} cells, about {} on {threads} threads; folder {}", plan.rows.len(), words(seconds), folder.display());
    text
}

/// Nanoseconds a cell takes: actions looked at while training and while measuring.
fn cost(config: &Config) -> f64 {
    let (world, train) = (&config.world, &config.train);
    let nodes = match train.mode {
        Mode::Sampled => train.train_batch_size as f64 * (train.group_size * world.depth) as f64 * 0.5,
        Mode::Exact => world.prompts as f64 * world.responses() * world.depth as f64,
    };
    let updates = (train.num_iterations * train.minibatches) as f64;
    let evaluations = 1.0 + train.steps as f64 / train.eval_every as f64;
    let measured = (world.all_prompts() * world.depth) as f64;
    NS_PER_ACTION * world.vocab as f64 * (train.steps as f64 * nodes * (1.0 + updates) / 4.0 + evaluations * measured)
}

fn words(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

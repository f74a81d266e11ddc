//! `mta-sim sweep --refine`: the alignment from which each recipe works.

use super::{settings, threads};
use crate::commands::say;
use crate::error::Error;
use crate::estimate;
use crate::refine::{Asked, PRECISION, Refinement};
use crate::report::WORKS;
use clap::ArgMatches;
use std::path::PathBuf;

/// Runs the search and prints its answer.
///
/// # Errors
/// As the library's.
pub(super) fn refine(matches: &ArgMatches) -> Result<(), Error> {
    let settings = settings(matches)?;
    let number = |name: &str| matches.get_one::<f64>(name).copied();
    let asked = Asked { precision: number("precision").unwrap_or(PRECISION), keeps: number("keeps").unwrap_or(WORKS) };
    let refinement = Refinement::new(&settings, asked)?;
    let first = refinement.first()?;
    let folder = settings.run.out.unwrap_or_else(|| PathBuf::from(format!("runs/refine-{}", first.id())));
    if matches.get_flag("dry-run") {
        say(&format!("{}folder {}\n", refinement.describe(&first, &estimate::words(estimate::total(&first))), folder.display()));
        return Ok(());
    }
    let (plan, outcome, found) = refinement.run(&folder, threads(matches))?;
    let again = if outcome.reused > 0 { format!(", {} of them from before", outcome.reused) } else { String::new() };
    let tail = format!("{} cells in {:.1} s{again}. Tables and thresholds: {}", plan.rows(), outcome.seconds, folder.display());
    say(&format!("{}\n{tail}\n", refinement.answer(&found)));
    Ok(())
}

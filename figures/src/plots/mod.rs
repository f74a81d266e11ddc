//! The list of figures, one file each.

mod coverage;
mod crossing;
mod delta_se;
mod forecast;
mod gain_kept;
mod length;
mod noise;
mod outcomes;
mod pass1_vs_base_pass8;
mod pass_at_k;
mod phases;
mod published;
mod random_reward;
mod sharpening;
mod signed;
mod training;
mod tree;

use std::path::{Path, PathBuf};

use crate::{Figure, FigureError, Page, Run, save};

/// Every figure, in the order of the paper.
pub static FIGURES: &[&dyn Figure] = &[
    &outcomes::Outcomes,
    &gain_kept::GainKept,
    &pass1_vs_base_pass8::Pass1VsBasePass8,
    &phases::Phases,
    &sharpening::Sharpening,
    &training::Training,
    &pass_at_k::PassAtK,
    &crossing::Crossing,
    &coverage::Coverage,
    &delta_se::DeltaSe,
    &noise::Noise,
    &random_reward::RandomReward,
    &signed::Signed,
    &tree::Tree,
    &length::Length,
    &published::Published,
];

/// Figures of two runs of one grid, outcome and forecast.
pub static COMPARISONS: &[&dyn Figure] = &[&forecast::Forecast];

/// The figure called `name`.
///
/// # Errors
/// [`FigureError::Unknown`], with the names there are.
///
/// # Example
/// ```
/// assert_eq!(mta_figures::find("gain_kept").unwrap().name(), "gain_kept");
/// assert!(mta_figures::find("gain").err().unwrap().to_string().contains("gain_kept"));
/// ```
pub fn find(name: &str) -> Result<&'static dyn Figure, FigureError> {
    let known = || FIGURES.iter().map(|f| f.name()).collect::<Vec<_>>().join(", ");
    FIGURES.iter().copied().find(|f| f.name() == name).ok_or_else(|| FigureError::Unknown { name: name.into(), known: known() })
}

/// Saves every figure this run alone can show, and gives the paths of the files.
///
/// # Errors
/// As [`save()`], except that a figure with nothing to show is left out.
pub fn draw_all(run: &Run, folder: &Path, page: Page) -> Result<Vec<PathBuf>, FigureError> {
    let mut paths = Vec::new();
    for figure in FIGURES {
        match save(*figure, std::slice::from_ref(run), folder, page) {
            Err(FigureError::NothingToShow { .. }) => {}
            saved => paths.extend(saved?),
        }
    }
    Ok(paths)
}

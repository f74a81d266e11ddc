//! How much of standard RL's gain each cheap recipe keeps, over the swept knob.

use mta_sims::statistics::{Interval, mean, ratio_interval};
use mta_sims::table::Table;
use mta_theory::sharpening_phase::Tokens;

use crate::style::{Look, knob_label};
use crate::tidy::{self, BASE, Estimates, Groups, LEVEL, STANDARD};
use crate::{Axis, Curve, Figure, FigureError, Manner, Panel, Run, Sheet, Study, study};

/// The range of shares worth a look; points beyond it become arrows.
const RANGE: (f64, f64) = (-0.4, 1.3);

pub(super) struct GainKept;

impl Figure for GainKept {
    fn name(&self) -> &'static str {
        "gain_kept"
    }

    fn caption(&self) -> &'static str {
        "Gain in held-out pass@1 as a share of the gain of standard RL on the same seeds: 1 is as good as standard RL, 0 as bad as no \
         training. Bands are Fieller's 95% intervals over seeds. Arrows are points outside the range; the data has their values. \
         Where standard RL gains nothing the share has no meaning and is left out. Thin line: rewards that sharpen end at the mode of the shared \
         prior, which is a good token with the chance of P41 (orthogonal noise, few good tokens). Upright lines: where majority vote, self-sharpening \
         and theory pass one half. Theory lets every world arrive at its mode; at the budget of the sweep not all have."
    }

    fn studies(&self) -> Vec<&'static Study> {
        vec![&study::ALIGNMENT]
    }

    fn table(&self, runs: &[Run]) -> Option<Table> {
        let run = runs.first()?;
        let groups = Groups::of(run)?;
        let standard = groups.recipes.iter().position(|r| r == STANDARD)?;
        let mut rows = Estimates::default();
        for (recipe, name) in groups.recipes.iter().enumerate().filter(|(recipe, _)| *recipe != standard) {
            for (knob, value) in groups.knobs.iter().enumerate() {
                let (share, seeds) = gain_kept(&groups, knob, recipe, standard);
                rows.push(&[*value], name, share, seeds);
            }
        }
        predicted(run, &groups, standard).into_iter().for_each(|(a, kept)| rows.push(&[a], THEORY, Some(kept), 0));
        rows.table(&[(run.knob, "the swept knob")], ("gain_kept", "gain over gain of standard RL"))
    }

    fn draw(&self, table: &Table, sheet: &mut Sheet) -> Result<(), FigureError> {
        let knob = tidy::knob_of(table);
        let x = Axis::fitting(&knob_label(knob), &tidy::distinct(table, knob));
        let y = Axis::linear("gain kept (share of standard RL's)").range(RANGE.0, RANGE.1);
        let mut panel = Panel::new(x, y).rule(STANDARD, Look::reference(), 1.0).rule(BASE, Look::base(), 0.0);
        let (theory, simulated): (Vec<_>, Vec<_>) = tidy::looks(table).into_iter().partition(|(name, _)| name == THEORY);
        for (name, look) in simulated {
            let curve = tidy::curve(table, (&name, look), knob, "gain_kept", |_| true);
            let threshold = threshold(&curve).filter(|_| SELF_REWARDED.contains(&name.as_str()) && !theory.is_empty());
            panel = threshold.map_or(panel.clone(), |x| panel.clone().upright("", look.predicted(), x));
            panel = panel.curve(curve);
        }
        for (name, _) in theory {
            let curve = tidy::curve(table, (&name, Look::theory()), knob, "gain_kept", |_| true).drawn_as(Manner::Line);
            panel = threshold(&curve).map_or(panel.clone(), |x| panel.clone().upright("", Look::theory(), x)).curve(curve);
        }
        sheet.aspect(1.4).add(panel.bands("95% interval over seeds").apart());
        Ok(())
    }
}

/// The name of the predicted curve.
const THEORY: &str = "theory: self-reward (P41)";
/// Recipes that end at the mode.
const SELF_REWARDED: [&str; 2] = ["majority", "self-sharpen"];

/// What rewards that sharpen are predicted to keep: the mode of the shared prior is a good token with the chance of P41, and right with that token's quality.
/// Nothing where the run is not about alignment on the one-step world.
fn predicted(run: &Run, groups: &Groups, standard: usize) -> Vec<(f64, Interval)> {
    let set = |knob| tidy::setting(run, knob);
    let (vocab, good) = (set("vocab"), set("good_tokens"));
    let to_compare = groups.recipes.iter().any(|r| SELF_REWARDED.contains(&r.as_str()));
    if !to_compare || run.knob != "alignment" || !run.others.is_empty() || set("depth") != 1.0 || good < 1.0 || vocab <= good {
        return Vec::new();
    }
    let kept = |(knob, a): (usize, &f64)| {
        let mean_of = |recipe, column| mean(&groups.by_seed(knob, recipe, column).into_values().collect::<Vec<_>>());
        let (base, whole) = (mean_of(None, "base/pass@1")?, mean_of(Some(standard), "gain").filter(|g| *g > 0.0)?);
        let chance = Tokens { right: good, wrong: vocab - good }.orthogonal_mode_accuracy(*a);
        let accuracy = chance * set("good_quality") + (1.0 - chance) * set("bad_quality");
        Some((*a, Interval { value: (accuracy - base) / whole, low: None, high: None }))
    };
    groups.knobs.iter().enumerate().filter(|(_, a)| a.abs() < 1.0).filter_map(kept).collect()
}

/// Where a curve first passes one half upwards, between points.
fn threshold(curve: &Curve) -> Option<f64> {
    let points: Vec<(f64, f64)> = curve.points.iter().filter_map(|p| Some((p.x, p.y?))).collect();
    tidy::arrival(&points, 0.5)
}

/// The share over the seeds both recipes have, and their number.
fn gain_kept(groups: &Groups, knob: usize, recipe: usize, standard: usize) -> (Option<Interval>, usize) {
    let (ours, theirs) = (groups.by_seed(knob, Some(recipe), "gain"), groups.by_seed(knob, Some(standard), "gain"));
    let pairs = ours.iter().filter_map(|(seed, gain)| Some((*gain, *theirs.get(seed)?)));
    let (gains, whole): (Vec<f64>, Vec<f64>) = pairs.unzip();
    let positive = mean(&whole).is_some_and(|g| g > 0.0);
    (positive.then(|| ratio_interval(&gains, &whole, LEVEL)).flatten(), gains.len())
}

//! How much of standard RL's gain each cheap recipe keeps, over the swept knob.

use mta_sims::statistics::{Interval, mean, ratio_interval};
use mta_sims::table::Table;

use crate::style::{Look, knob_label};
use crate::tidy::{self, BASE, Estimates, Groups, LEVEL, STANDARD};
use crate::{Axis, Figure, FigureError, Panel, Run, Sheet, Study, study};

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
         Where standard RL gains nothing the share has no meaning and is left out."
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
        rows.table(&[(run.knob, "the swept knob")], ("gain_kept", "gain over gain of standard RL"))
    }

    fn draw(&self, table: &Table, sheet: &mut Sheet) -> Result<(), FigureError> {
        let knob = tidy::knob_of(table);
        let x = Axis::fitting(&knob_label(knob), &tidy::distinct(table, knob));
        let y = Axis::linear("gain kept (share of standard RL's)").range(RANGE.0, RANGE.1);
        let mut panel = Panel::new(x, y).rule(STANDARD, Look::reference(), 1.0).rule(BASE, Look::base(), 0.0);
        for (name, look) in tidy::looks(table) {
            panel = panel.curve(tidy::curve(table, (&name, look), knob, "gain_kept", |_| true));
        }
        sheet.aspect(1.4).add(panel.apart());
        Ok(())
    }
}

/// The share over the seeds both recipes have, and their number.
fn gain_kept(groups: &Groups, knob: usize, recipe: usize, standard: usize) -> (Option<Interval>, usize) {
    let (ours, theirs) = (groups.by_seed(knob, Some(recipe), "gain"), groups.by_seed(knob, Some(standard), "gain"));
    let pairs = ours.iter().filter_map(|(seed, gain)| Some((*gain, *theirs.get(seed)?)));
    let (gains, whole): (Vec<f64>, Vec<f64>) = pairs.unzip();
    let positive = mean(&whole).is_some_and(|g| g > 0.0);
    (positive.then(|| ratio_interval(&gains, &whole, LEVEL)).flatten(), gains.len())
}

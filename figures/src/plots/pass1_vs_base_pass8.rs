//! Held-out pass@1 after training against the base model's pass@8, the alignment one can measure.

use mta_sims::statistics::{mean, mean_interval};
use mta_sims::table::Table;

use crate::tidy::{self, BASE, BySeed, Estimates, Groups, LEVEL};
use crate::{Axis, Figure, FigureError, Panel, Run, Sheet, Study, study};

const BASE_PASS8: &str = "base/pass@8";

pub(super) struct Pass1VsBasePass8;

impl Figure for Pass1VsBasePass8 {
    fn name(&self) -> &'static str {
        "pass1_vs_base_pass8"
    }

    fn caption(&self) -> &'static str {
        "Held-out pass@1 after training against the base model's pass@8, which is the alignment one can measure on a real model. Each point is \
         one value of the swept knob. Bands are 95% t intervals over seeds. The dashed grey line is the base model's own pass@1."
    }

    fn studies(&self) -> Vec<&'static Study> {
        vec![&study::ALIGNMENT]
    }

    fn table(&self, runs: &[Run]) -> Option<Table> {
        let run = runs.first()?;
        let groups = Groups::of(run)?;
        let mut rows = Estimates::default();
        push(&mut rows, &groups, BASE, None, "base/pass@1");
        for (recipe, name) in groups.recipes.iter().enumerate() {
            push(&mut rows, &groups, name, Some(recipe), "held_out/pass@1");
        }
        rows.table(&[(run.knob, "the swept knob"), (BASE_PASS8, "mean base pass@8")], ("pass@1", "mean held-out pass@1"))
    }

    fn draw(&self, table: &Table, sheet: &mut Sheet) -> Result<(), FigureError> {
        let mut panel = Panel::new(Axis::linear("pass@8 of the base model"), Axis::linear("held-out pass@1 after RL").range(0.0, 1.0));
        for (name, look) in tidy::looks(table) {
            panel = panel.curve(tidy::curve(table, (&name, look), BASE_PASS8, "pass@1", |_| true));
        }
        sheet.aspect(1.4).add(panel.apart());
        Ok(())
    }
}

/// Adds one row per knob value at which base pass@8 is known.
fn push(rows: &mut Estimates, groups: &Groups, name: &str, recipe: Option<usize>, column: &str) {
    let numbers = |by_seed: BySeed| by_seed.into_values().collect::<Vec<_>>();
    for (knob, value) in groups.knobs.iter().enumerate() {
        let Some(x) = mean(&numbers(groups.by_seed(knob, None, BASE_PASS8))) else { continue };
        let ys = numbers(groups.by_seed(knob, recipe, column));
        rows.push(&[*value, x], name, mean_interval(&ys, LEVEL), ys.len());
    }
}

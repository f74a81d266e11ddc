//! Pass@k before and after training at the lowest, a middle and the highest value of the swept knob.

use mta_sims::statistics::mean_interval;
use mta_sims::table::Table;

use crate::axis::short;
use crate::style::knob_label;
use crate::tidy::{self, BASE, Estimates, Groups, LEVEL};
use crate::{Axis, Figure, FigureError, Panel, Run, Sheet, Study, study};

pub(super) struct PassAtK;

impl Figure for PassAtK {
    fn name(&self) -> &'static str {
        "pass_at_k"
    }

    fn caption(&self) -> &'static str {
        "Pass@k on held-out prompts before (dashed grey) and after training, at the lowest, a middle and the highest value of the swept knob. \
         Where a trained curve crosses the base model's, training gained at small k and lost at large k. Bands are 95% t intervals over seeds."
    }

    fn studies(&self) -> Vec<&'static Study> {
        vec![&study::ALIGNMENT]
    }

    fn table(&self, runs: &[Run]) -> Option<Table> {
        let run = runs.first()?;
        let groups = Groups::of(run)?;
        let mut rows = Estimates::default();
        for knob in ends_and_middle(groups.knobs.len()) {
            push(&mut rows, &groups, knob, BASE, None, "base");
            for (recipe, name) in groups.recipes.iter().enumerate() {
                push(&mut rows, &groups, knob, name, Some(recipe), "held_out");
            }
        }
        rows.table(&[(run.knob, "the swept knob"), ("at_k", "number of samples")], ("pass@k", "mean pass@k"))
    }

    fn draw(&self, table: &Table, sheet: &mut Sheet) -> Result<(), FigureError> {
        let knob = tidy::knob_of(table);
        for value in tidy::distinct(table, knob) {
            let mut panel = Panel::new(Axis::log2("samples k"), Axis::linear("held-out pass@k").range(0.0, 1.0));
            for (name, look) in tidy::looks(table) {
                let mut curve = tidy::curve(table, (&name, look), "at_k", "pass@k", |row| table.number(knob, row) == Some(value));
                curve.mark_every = 2;
                panel = panel.curve(curve);
            }
            sheet.add(panel.title(format!("{} = {}", knob_label(knob), short(value))));
        }
        sheet.columns(3).aspect(0.85);
        Ok(())
    }
}

/// Places of the first, the middle and the last of `n`.
fn ends_and_middle(n: usize) -> Vec<usize> {
    let mut places = vec![0, n / 2, n.saturating_sub(1)];
    places.dedup();
    places
}

/// Adds one row per k = 1, 2, 4, ... that the run has.
fn push(rows: &mut Estimates, groups: &Groups, knob: usize, name: &str, recipe: Option<usize>, side: &str) {
    for k in (0..=20).map(|e| 1u32 << e) {
        let column = format!("{side}/pass@{k}");
        if groups.has(&column) {
            let values: Vec<f64> = groups.by_seed(knob, recipe, &column).into_values().collect();
            rows.push(&[groups.knobs[knob], f64::from(k)], name, mean_interval(&values, LEVEL), values.len());
        }
    }
}

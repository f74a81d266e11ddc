//! Training curves: what happens on the way, not only at the end.

use mta_sims::statistics::quantile;
use mta_sims::table::Table;

use crate::tidy::{self, ByStep, Rows};
use crate::{Axis, Figure, FigureError, Panel, Run, Sheet, Study, study};

pub(super) struct Training;

/// Column of the history, and the words on its axis.
const METRICS: [(&str, &str); 6] = [
    ("held_out/pass@1", "held-out pass@1"),
    ("held_out/pass@64", "held-out pass@64"),
    ("held_out/entropy", "entropy (nats)"),
    ("held_out/kl", "KL to base (nats)"),
    ("held_out/mean_length", "length (tokens)"),
    ("frac_reward_zero_std", "groups without signal"),
];

impl Figure for Training {
    fn name(&self) -> &'static str {
        "training"
    }

    fn caption(&self) -> &'static str {
        "Training curves on held-out prompts: median over seeds, bands from the 10th to the 90th percentile. A group without signal is one whose \
         rewards are all equal: it does not move the policy. Where a knob was swept, its middle value is shown; a quantity that never changes is \
         left out."
    }

    fn studies(&self) -> Vec<&'static Study> {
        vec![&study::TRAINING]
    }

    fn table(&self, runs: &[Run]) -> Option<Table> {
        let run = runs.first()?;
        let steps = ByStep::of_middle(run)?;
        let mut rows = Rows::new(&[
            ("metric", "column of the history"),
            ("recipe", "recipe"),
            ("step", "updates done"),
            ("median", "median over seeds"),
            ("low", "10th percentile over seeds"),
            ("high", "90th percentile over seeds"),
            ("seeds", "seeds behind them"),
        ]);
        for (metric, _) in METRICS.iter().filter(|(metric, _)| steps.varies(metric)) {
            for recipe in &steps.recipes {
                for (step, values) in steps.values(recipe, metric) {
                    let at = |q| quantile(&values, q).into();
                    rows.push([
                        (*metric).into(),
                        recipe.as_str().into(),
                        step.into(),
                        at(0.5),
                        at(0.1),
                        at(0.9),
                        (values.len() as f64).into(),
                    ]);
                }
            }
        }
        rows.table()
    }

    fn draw(&self, table: &Table, sheet: &mut Sheet) -> Result<(), FigureError> {
        for (metric, label) in METRICS {
            let shown = |row: usize| table.cell("metric", row) == metric;
            if !(0..table.rows()).any(shown) {
                continue;
            }
            let mut panel = Panel::new(Axis::linear("training step"), Axis::linear(label)).bands("10th to 90th percentile over seeds");
            for (name, look) in tidy::looks(table) {
                let mut curve = tidy::curve(table, (&name, look), "step", "median", shown);
                curve.mark_every = curve.points.len().div_ceil(5);
                panel = panel.curve(curve);
            }
            sheet.add(panel);
        }
        sheet.columns(3).aspect(1.15);
        Ok(())
    }
}

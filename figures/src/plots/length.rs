//! What four rewards that sharpen do to the length of responses.

use mta_sims::statistics::quantile;
use mta_sims::table::Table;

use crate::style::Look;
use crate::tidy::{self, ByStep, Rows};
use crate::{Axis, Curve, Figure, FigureError, Panel, Run, Sheet, Study, study};

pub(super) struct Length;

/// Recipe, words.
const REWARDS: [(&str, &str); 4] = [
    ("log-policy", "Σ log π (policy, summed)"),
    ("log-policy-mean", "mean log π (policy, per token)"),
    ("log-prior", "Σ log π₀ (base, summed)"),
    ("log-prior-mean", "mean log π₀ (base, per token)"),
];

impl Figure for Length {
    fn name(&self) -> &'static str {
        "length"
    }

    fn caption(&self) -> &'static str {
        "Mean length of responses to held-out prompts (at most 8 tokens) while training on four rewards that sharpen: median over seeds, bands from the \
         10th to the 90th percentile. A summed log-probability shortens, of the policy's or of the base model's; a mean per token does not, and \
         lengthens where stopping is less likely than going on with the likeliest token. P21 has the signs for a memoryless stop: always shorter \
         for the sum, longer without bound for the mean below a stop probability of 1/2."
    }

    fn studies(&self) -> Vec<&'static Study> {
        vec![&study::LENGTH]
    }

    fn table(&self, runs: &[Run]) -> Option<Table> {
        let steps = ByStep::of_middle(runs.first()?)?;
        let mut rows = Rows::new(&[
            ("recipe", "which reward"),
            ("step", "updates done"),
            ("median", "median length over seeds, tokens"),
            ("low", "10th percentile over seeds"),
            ("high", "90th percentile over seeds"),
            ("seeds", "seeds behind them"),
        ]);
        for (recipe, _) in REWARDS {
            for (step, values) in steps.values(recipe, "held_out/mean_length") {
                let at = |q| quantile(&values, q).into();
                rows.push([recipe.into(), step.into(), at(0.5), at(0.1), at(0.9), (values.len() as f64).into()]);
            }
        }
        rows.table()
    }

    fn draw(&self, table: &Table, sheet: &mut Sheet) -> Result<(), FigureError> {
        let mut panel = Panel::new(Axis::linear("training step"), Axis::linear("length (tokens)").range(1.0, 8.0));
        for (i, (recipe, words)) in REWARDS.iter().enumerate() {
            let points = tidy::points(table, "step", "median", |row| table.cell("recipe", row) == *recipe);
            let look = Look::series(i);
            let mut curve = Curve::new(words, if i < 2 { look } else { look.dashed() }, points);
            curve.mark_every = curve.points.len().div_ceil(6);
            panel = panel.curve(curve);
        }
        sheet.aspect(1.4).add(panel.bands("10th to 90th percentile"));
        Ok(())
    }
}

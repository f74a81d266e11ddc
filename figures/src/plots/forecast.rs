//! What transformers did against what the simulator had expected of them.

use mta_sims::statistics::{mean, mean_interval};
use mta_sims::table::Table;

use crate::rows::Rows;
use crate::style::Look;
use crate::tidy::{self, Groups, LEVEL};
use crate::{Axis, Curve, Figure, FigureError, Manner, Panel, Run, Sheet, Study};

pub(super) struct Forecast;

/// What is compared: its name and its column.
const MEASURES: [(&str, &str); 2] = [("pass@1", "held_out/pass@1"), ("pass@16", "held_out/pass@16")];

impl Figure for Forecast {
    fn name(&self) -> &'static str {
        "forecast"
    }

    fn caption(&self) -> &'static str {
        "Held-out accuracy of transformers after training against the simulator's forecast, which was written before they were trained. Each point is one \
         recipe at one alignment: means over seeds, with 95% t intervals of the outcome. On the dashed line the forecast is right."
    }

    /// Two runs with the same grid: the outcome, then the forecast. `mta-sim llm verify` makes both.
    fn studies(&self) -> Vec<&'static Study> {
        Vec::new()
    }

    fn table(&self, runs: &[Run]) -> Option<Table> {
        let [outcome, forecast] = runs else { return None };
        let (seen, expected) = (Groups::of(outcome)?, Groups::of(forecast)?);
        let mut rows = Rows::new(&[
            ("recipe", "name of the recipe"),
            ("knob", "the swept knob"),
            ("measure", "pass@1 or pass@16 on held-out prompts"),
            ("forecast", "mean over seeds of what the simulator expected"),
            ("outcome", "mean over seeds of what the transformers reached"),
            ("low", "lower end of the 95% interval over seeds"),
            ("high", "upper end of it"),
        ]);
        for (recipe, name) in seen.recipes.iter().enumerate() {
            for (knob, value) in seen.knobs.iter().enumerate() {
                for (measure, column) in MEASURES {
                    let numbers = |groups: &Groups| groups.by_seed(knob, Some(recipe), column).into_values().collect::<Vec<_>>();
                    let (Some(x), Some(y)) = (mean(&numbers(&expected)), mean_interval(&numbers(&seen), LEVEL)) else { continue };
                    let words = [name.as_str().into(), (*value).into(), measure.into()];
                    rows.push(words.into_iter().chain([Some(x), Some(y.value), y.low, y.high].map(Into::into)));
                }
            }
        }
        rows.table()
    }

    fn draw(&self, table: &Table, sheet: &mut Sheet) -> Result<(), FigureError> {
        for (measure, _) in MEASURES {
            let axis = |words: &str| Axis::linear(&format!("{words} {measure}")).range(0.0, 1.0);
            let diagonal = Curve::line("forecast is right", Look::theory().dashed(), [(0.0, 0.0), (1.0, 1.0)]);
            let mut panel = Panel::new(axis("forecast"), axis("outcome")).curve(diagonal);
            for (name, look) in tidy::looks(table) {
                let here = |row: usize| table.cell("measure", row) == measure;
                panel = panel.curve(tidy::curve(table, (&name, look), "forecast", "outcome", here).drawn_as(Manner::Points));
            }
            sheet.add(panel);
        }
        sheet.columns(2).aspect(1.0);
        Ok(())
    }
}

//! What update rules leave of the base model's coverage: pass@1 and pass@256 by rule, and the gap between them.

use mta_sims::statistics::mean_interval;
use mta_sims::table::Table;

use crate::style::{Look, Marker};
use crate::tidy::{self, BASE, Groups, LEVEL, Rows};
use crate::{Axis, Bar, Curve, Figure, FigureError, Manner, Panel, Run, Sample, Sheet, Study, study};

pub(super) struct DeltaSe;

const MEASURES: [(&str, &str); 2] = [("pass@1", "held_out/pass@1"), ("pass@256", "held_out/pass@256")];
const GAP: &str = "delta_se";

impl Figure for DeltaSe {
    fn name(&self) -> &'static str {
        "delta_se"
    }

    fn caption(&self) -> &'static str {
        "Left: held-out pass@1 and pass@256 after training on the true reward with each update rule at one learning rate; dashed: the base model's. \
         Right: sampling efficiency gap, base pass@256 less trained pass@1, as Yue et al. (arXiv 2504.13837) define it; on Qwen2.5-7B they measured \
         0.41 to 0.45 on Omni-MATH-Test and 0.21 to 0.23 on MATH500 for six rules. Whiskers are 95% t intervals over seeds."
    }

    fn studies(&self) -> Vec<&'static Study> {
        vec![&study::RULES]
    }

    fn table(&self, runs: &[Run]) -> Option<Table> {
        let run = runs.first()?;
        let groups = Groups::of(run)?;
        let middle = groups.knobs.len() / 2;
        let by_rule = groups.recipes.len() > 2 && groups.recipes.iter().all(|r| tidy::words(run, r, "signal") == ["ground_truth"]);
        let mut rows = Rows::new(&[
            ("recipe", "update rule"),
            ("measure", "pass@1, pass@256, or the gap between base pass@256 and trained pass@1"),
            ("value", "mean over seeds"),
            ("low", "lower end of the 95% interval over seeds"),
            ("high", "upper end of it"),
            ("seeds", "seeds behind them"),
        ]);
        let mut push = |name: &str, measure: &str, values: &[f64]| {
            if let Some(i) = mean_interval(values, LEVEL) {
                let numbers = [Some(i.value), i.low, i.high, Some(values.len() as f64)];
                rows.push([name.into(), measure.into()].into_iter().chain(numbers.map(Into::into)));
            }
        };
        let base = groups.by_seed(middle, None, "base/pass@256");
        for (measure, column) in MEASURES {
            push(BASE, measure, &groups.by_seed(middle, None, &column.replace("held_out", "base")).into_values().collect::<Vec<_>>());
        }
        for (i, name) in groups.recipes.iter().enumerate() {
            for (measure, column) in MEASURES {
                push(name, measure, &groups.by_seed(middle, Some(i), column).into_values().collect::<Vec<_>>());
            }
            let trained = groups.by_seed(middle, Some(i), "held_out/pass@1");
            let gaps: Vec<f64> = trained.iter().filter_map(|(seed, p)| Some(base.get(seed)? - p)).collect();
            push(name, GAP, &gaps);
        }
        rows.table().filter(|_| by_rule)
    }

    fn draw(&self, table: &Table, sheet: &mut Sheet) -> Result<(), FigureError> {
        let names: Vec<String> = tidy::names(table).into_iter().filter(|n| n != BASE).collect();
        let axis = || Axis::names("", &names).turned();
        let at = |name: &str, measure: &str, x: f64| {
            let here = |row: usize| table.cell("recipe", row) == name && table.cell("measure", row) == measure;
            tidy::points(table, "value", "value", here).into_iter().map(move |p| crate::Point { x, ..p }).next()
        };
        let mut pass = Panel::new(axis(), Axis::linear("held-out pass@k").range(0.0, 1.0));
        let mut gap = Panel::new(axis(), Axis::linear("sampling gap ΔSE"));
        for (i, (measure, _)) in MEASURES.iter().enumerate() {
            let look = Look { marker: Some([Marker::Circle, Marker::Square][i]), ..Look::series(i) };
            if let Some(base) = at(BASE, measure, 0.0).and_then(|p| p.y) {
                pass = pass.rule(&format!("{measure}, base"), Look { width: 1.0, ..look.predicted() }.dashed(), base);
            }
            let points = names.iter().enumerate().filter_map(|(x, name)| at(name, measure, x as f64)).collect();
            pass = pass.curve(Curve::new(&format!("{measure}, trained"), look, points).drawn_as(Manner::Points));
        }
        for (x, name) in names.iter().enumerate() {
            if let Some(point) = at(name, GAP, x as f64) {
                gap = gap.bar(Bar { name: String::new(), look: Look::series(3), point, width: 0.7 });
            }
        }
        sheet.add(pass.key("95% interval over seeds", Look::theory(), Sample::Whisker)).add(gap);
        sheet.columns(2).aspect(1.3);
        Ok(())
    }
}

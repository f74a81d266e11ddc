//! What becomes of every recipe at the weakest and at the strongest alignment: the first figure of the MTA paper, simulated.

use mta_sims::statistics::mean_interval;
use mta_sims::table::Table;

use crate::axis::short;
use crate::style::{Look, knob_label};
use crate::tidy::{self, BASE, Estimates, Groups, LEVEL};
use crate::{Axis, Bar, Figure, FigureError, Panel, Point, Run, Sample, Sheet, Study, study};

pub(super) struct Outcomes;

impl Figure for Outcomes {
    fn name(&self) -> &'static str {
        "outcomes"
    }

    fn caption(&self) -> &'static str {
        "Held-out pass@1 after training with each recipe, at the lowest and at the highest value of the swept knob; the dashed line is the base \
         model. With weak alignment only the true reward of all prompts helps much; with strong alignment cheap recipes come close or do as well. \
         Whiskers are 95% t intervals over seeds."
    }

    fn studies(&self) -> Vec<&'static Study> {
        vec![&study::ALIGNMENT]
    }

    fn table(&self, runs: &[Run]) -> Option<Table> {
        let run = runs.first()?;
        let groups = Groups::of(run)?;
        let mut rows = Estimates::default();
        let mut ends = vec![0, groups.knobs.len() - 1];
        ends.dedup();
        for knob in ends {
            let mut push = |name: &str, recipe, column| {
                let values: Vec<f64> = groups.by_seed(knob, recipe, column).into_values().collect();
                rows.push(&[groups.knobs[knob]], name, mean_interval(&values, LEVEL), values.len());
            };
            push(BASE, None, "base/pass@1");
            groups.recipes.iter().enumerate().for_each(|(i, name)| push(name, Some(i), "held_out/pass@1"));
        }
        rows.table(&[(run.knob, "the swept knob")], ("pass@1", "mean held-out pass@1"))
    }

    fn draw(&self, table: &Table, sheet: &mut Sheet) -> Result<(), FigureError> {
        let knob = tidy::knob_of(table);
        let values = tidy::distinct(table, knob);
        for (i, value) in values.iter().enumerate() {
            let which = if values.len() == 1 { "" } else { ["weak: ", "strong: "][i.min(1)] };
            sheet.add(panel(table, knob, *value).title(format!("{which}{} = {}", knob_label(knob), short(*value))));
        }
        // names need room
        sheet.columns(if tidy::names(table).len() > 12 { 1 } else { 2 }).aspect(1.5);
        Ok(())
    }
}

/// One bar per recipe at one value of the knob.
fn panel(table: &Table, knob: &str, value: f64) -> Panel {
    let looks = tidy::looks(table);
    let names: Vec<String> = looks.iter().map(|l| l.0.clone()).collect();
    let mut panel = Panel::new(Axis::names("", &names).turned(), Axis::linear("held-out pass@1").range(0.0, 1.0));
    for (i, (name, look)) in looks.iter().enumerate() {
        let curve = tidy::curve(table, (name, *look), knob, "pass@1", |row| table.number(knob, row) == Some(value));
        let Some(point) = curve.points.first() else { continue };
        if name == BASE {
            panel = point.y.map_or(panel.clone(), |y| panel.clone().rule(BASE, Look::base(), y));
        }
        panel = panel.bar(Bar { name: String::new(), look: *look, point: Point { x: i as f64, ..*point }, width: 0.78 });
    }
    panel.key("95% interval over seeds", Look::theory(), Sample::Whisker)
}

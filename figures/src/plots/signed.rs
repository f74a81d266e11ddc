//! Negative samples only, positive samples only, or both, over alignment.

use mta_sims::statistics::{mean, mean_interval};
use mta_sims::table::Table;
use mta_theory::signed_samples::hitting_times;

use crate::style::Look;
use crate::tidy::{self, BASE, Groups, LEVEL, Rows};
use crate::{Axis, Curve, Figure, FigureError, Manner, Panel, Run, Sample, Sheet, Study, study};

pub(super) struct Signed;

/// Accuracy that counts as learned.
const TARGET: f64 = 0.95;
const TIME: &str = "time";
const ACCURACY: &str = "accuracy";

/// Recipe of the time panel, of the accuracy panel, and its place among P27's times.
const SIGNS: [(&str, &str, usize); 3] = [("both", "standard", 2), ("positive", "positive-only", 0), ("negative", "negative-only", 1)];

impl Figure for Signed {
    fn name(&self) -> &'static str {
        "signed"
    }

    fn caption(&self) -> &'static str {
        "Learning from positive samples only, negative samples only, or both. Left: flow time until accuracy 0.95 under the exact natural gradient over \
         the standard deviation, mean over worlds with 95% t intervals; lines: P27 at each world's own base accuracy. Negatives carry the share p of \
         the signal, so they are slow where the base model is weak. Right: held-out pass@1 after 40 steps of sampled GRPO in the default world; dashed \
         grey: the base model. Negative-only is worse than positive-only where alignment is weak and better where it is strong."
    }

    fn studies(&self) -> Vec<&'static Study> {
        vec![&study::SIGNED, &study::ALIGNMENT]
    }

    fn table(&self, runs: &[Run]) -> Option<Table> {
        let mut rows = Rows::new(&[
            ("panel", "time to learn, or accuracy after training"),
            ("recipe", "which samples"),
            ("alignment", "alignment a"),
            ("value", "simulated flow time, or held-out pass@1"),
            ("low", "lower end of the 95% interval over seeds"),
            ("high", "upper end of it"),
            ("theory", "time of P27, mean over the same worlds"),
        ]);
        for run in runs.iter().filter(|run| run.knob == "alignment") {
            let groups = Groups::of(run)?;
            if groups.recipes.iter().any(|r| r == "negative") {
                push_times(&mut rows, run, &groups);
            } else {
                push_accuracies(&mut rows, &groups);
            }
        }
        rows.table()
    }

    fn draw(&self, table: &Table, sheet: &mut Sheet) -> Result<(), FigureError> {
        let mut times = Panel::new(Axis::linear("alignment a"), Axis::log2("flow time to accuracy 0.95"));
        let mut accuracies = Panel::new(Axis::linear("alignment a"), Axis::linear("held-out pass@1 after RL").range(0.0, 1.0));
        let of = |kind: &'static str, recipe: &'static str| {
            move |row: usize| table.cell("panel", row) == kind && table.cell("recipe", row) == recipe
        };
        for (name, words, _) in SIGNS {
            let look = crate::style::looks(&[words.to_string()])[0];
            let theory = tidy::points(table, "alignment", "theory", of(TIME, name));
            times = times.curve(Curve::line("", look.predicted(), theory.iter().filter_map(|p| Some((p.x, p.y?)))));
            times = times.curve(Curve::new("", look, tidy::points(table, "alignment", "value", of(TIME, name))).drawn_as(Manner::Points));
            let look = Look { dash: crate::style::Dash::Solid, ..look };
            accuracies = accuracies.curve(Curve::new(words, look, tidy::points(table, "alignment", "value", of(ACCURACY, words))));
        }
        let base = tidy::points(table, "alignment", "value", of(ACCURACY, BASE));
        sheet
            .add(times.key("theory (P27)", Look::theory(), Sample::Line))
            .add(accuracies.curve(Curve::new(BASE, Look::base(), base)).bands("95% interval over seeds"));
        sheet.columns(2).aspect(1.1);
        Ok(())
    }
}

fn push_times(rows: &mut Rows, run: &Run, groups: &Groups) {
    let hits = tidy::hitting_times(run, ["alignment", "seed"], TARGET);
    for (name, _, which) in SIGNS {
        for (knob, a) in groups.knobs.iter().enumerate() {
            let times: Vec<f64> = hits.iter().filter(|h| h.recipe == name && h.at[0] == *a).map(|h| h.time).collect();
            let starts = groups.by_seed(knob, None, "base/pass@1");
            let expected: Vec<f64> = starts.values().filter(|p| **p < TARGET).map(|p| hitting_times(*p, TARGET)[which]).collect();
            // a world that has not arrived would make the mean of the others meaningless
            let all = (times.len() == starts.len()).then(|| mean_interval(&times, LEVEL)).flatten();
            push(rows, TIME, (name, *a), all, mean(&expected));
        }
    }
}

fn push_accuracies(rows: &mut Rows, groups: &Groups) {
    if !SIGNS.iter().all(|(_, recipe, _)| groups.recipes.iter().any(|r| r == recipe)) {
        return;
    }
    for (knob, a) in groups.knobs.iter().enumerate() {
        let base: Vec<f64> = groups.by_seed(knob, None, "base/pass@1").into_values().collect();
        push(rows, ACCURACY, (BASE, *a), mean_interval(&base, LEVEL), None);
        for (_, recipe, _) in SIGNS {
            let Some(place) = groups.recipes.iter().position(|r| r == recipe) else { continue };
            let values: Vec<f64> = groups.by_seed(knob, Some(place), "held_out/pass@1").into_values().collect();
            push(rows, ACCURACY, (recipe, *a), mean_interval(&values, LEVEL), None);
        }
    }
}

fn push(rows: &mut Rows, panel: &str, (recipe, a): (&str, f64), value: Option<mta_sims::statistics::Interval>, theory: Option<f64>) {
    let numbers = [Some(a), value.map(|v| v.value), value.and_then(|v| v.low), value.and_then(|v| v.high), theory];
    rows.push([panel.into(), recipe.into()].into_iter().chain(numbers.map(Into::into)));
}

//! Published numbers of Qwen2.5-7B beside simulated ones: what was calibrated, and what is a prediction.

use mta_sims::statistics::{Interval, mean_interval};
use mta_sims::table::Table;

use crate::style::{Dash, Look, Marker, looks};
use crate::tidy::{self, BASE, Groups, LEVEL, Rows, STANDARD};
use crate::{Axis, Bar, Curve, Figure, FigureError, Manner, Panel, Point, Run, Sample, Sheet, Study, study};

pub(super) struct Published;

/// Facts as published, with their sources.
const FACTS: &str = include_str!("../../published/facts.csv");

/// Benchmarks in the order of their studies.
const BENCHMARKS: [&str; 5] = ["MATH500", "Operation", "SynLogic", "Cipher", "AIME24"];
const ACCURACY: &str = "accuracy";
const GAP: &str = "delta_se";

/// One published number.
struct Fact {
    benchmark: &'static str,
    recipe: &'static str,
    measure: &'static str,
    value: f64,
    source: &'static str,
}

fn facts() -> impl Iterator<Item = Fact> {
    FACTS.lines().skip(1).filter_map(|line| {
        let mut fields = line.splitn(5, ',');
        let (benchmark, recipe, measure) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Fact { benchmark, recipe, measure, value: fields.next()?.parse().ok()?, source: fields.next()? })
    })
}

impl Figure for Published {
    fn name(&self) -> &'static str {
        "published"
    }

    fn caption(&self) -> &'static str {
        "Published results of Qwen2.5-7B against simulated ones. Left: accuracy on five benchmarks (Model-Task Alignment, arXiv 2508.21188, by a \
         secondary note). Per benchmark two numbers are calibrated (grey: the base model's accuracy, by the alignment knob, and \
         standard RL's, by the quality of good tokens); all others are predicted. The line is equality. Random and incorrect rewards do better in the \
         paper than here: its random reward is a coin behind a format check, and the simulated answers have no format to learn. Right: gap between base \
         pass@256 and trained pass@1 by update rule (arXiv 2504.13837), predicted without calibration. Whiskers are 95% t intervals over seeds."
    }

    fn studies(&self) -> Vec<&'static Study> {
        vec![&study::MATH500, &study::OPERATION, &study::SYNLOGIC, &study::CIPHER, &study::AIME24, &study::RULES]
    }

    fn table(&self, runs: &[Run]) -> Option<Table> {
        if runs.len() != BENCHMARKS.len() + 1 {
            return None;
        }
        let mut rows = Rows::new(&[
            ("measure", "accuracy, or base pass@256 less trained pass@1"),
            ("benchmark", "benchmark"),
            ("recipe", "recipe or update rule"),
            ("kind", "calibrated: the simulation was set to this number; predicted: it was not"),
            ("published", "published value"),
            ("simulated", "simulated value, mean over seeds"),
            ("low", "lower end of the 95% interval over seeds"),
            ("high", "upper end of it"),
            ("source", "where the published value is from"),
        ]);
        let groups: Vec<Groups> = runs.iter().filter_map(Groups::of).collect();
        for fact in facts() {
            let gap = fact.measure == GAP;
            let place = if gap { BENCHMARKS.len() } else { BENCHMARKS.iter().position(|b| *b == fact.benchmark)? };
            let simulated = simulated(groups.get(place)?, &fact);
            let calibrated = !gap && [BASE, STANDARD].contains(&fact.recipe);
            let words = [fact.measure, fact.benchmark, fact.recipe, if calibrated { "calibrated" } else { "predicted" }].map(Into::into);
            let numbers = [Some(fact.value), simulated.map(|s| s.value), simulated.and_then(|s| s.low), simulated.and_then(|s| s.high)];
            rows.push(words.into_iter().chain(numbers.map(Into::into)).chain([fact.source.into()]));
        }
        rows.table()
    }

    fn draw(&self, table: &Table, sheet: &mut Sheet) -> Result<(), FigureError> {
        sheet.add(accuracies(table)).add(gaps(table)).columns(2).aspect(1.0);
        Ok(())
    }
}

/// The simulated counterpart of a fact.
fn simulated(groups: &Groups, fact: &Fact) -> Option<Interval> {
    let numbers = |recipe: Option<usize>, column: &str| groups.by_seed(0, recipe, column);
    let place = groups.recipes.iter().position(|r| r == fact.recipe);
    let values: Vec<f64> = match (fact.measure, fact.recipe) {
        (ACCURACY, BASE) => numbers(None, "base/pass@1").into_values().collect(),
        (ACCURACY, _) => numbers(Some(place?), "held_out/pass@1").into_values().collect(),
        _ => {
            let base = numbers(None, "base/pass@256");
            numbers(Some(place?), "held_out/pass@1").iter().filter_map(|(seed, p)| Some(base.get(seed)? - p)).collect()
        }
    };
    mean_interval(&values, LEVEL)
}

fn accuracies(table: &Table) -> Panel {
    let mut panel = Panel::new(Axis::linear("published accuracy").range(-0.02, 0.9), Axis::linear("simulated accuracy").range(-0.02, 0.9));
    panel = panel.curve(Curve::line("equal", Look::theory(), [(-0.02, -0.02), (0.9, 0.9)]));
    let shown = |row: usize, kind: &str| table.cell("measure", row) == ACCURACY && table.cell("kind", row) == kind;
    let calibrated = Look { marker: Some(Marker::Circle), ..Look::base() };
    let points = tidy::points(table, "published", "simulated", |row| shown(row, "calibrated"));
    panel = panel.curve(Curve::new("calibrated (base, standard)", calibrated, points).drawn_as(Manner::Points));
    let recipes: Vec<String> = ["random", "incorrect", "test-time", "one-shot", "negative-only", "positive-only"].map(String::from).into();
    for (name, look) in recipes.iter().zip(looks(&recipes)) {
        let points = tidy::points(table, "published", "simulated", |row| shown(row, "predicted") && table.cell("recipe", row) == *name);
        panel = panel.curve(Curve::new(name, Look { dash: Dash::Solid, ..look }, points).drawn_as(Manner::Points));
    }
    panel.key("95% interval over seeds", Look::theory(), Sample::Whisker)
}

fn gaps(table: &Table) -> Panel {
    let here = |row: usize, benchmark: &str| table.cell("measure", row) == GAP && table.cell("benchmark", row) == benchmark;
    let rules: Vec<String> = (0..table.rows()).filter(|row| here(*row, "MATH500")).map(|row| table.cell("recipe", row)).collect();
    let mut panel = Panel::new(Axis::names("", &rules).turned(), Axis::linear("base pass@256 − pass@1"));
    let at = |column: &'static str, benchmark: &str| -> Vec<Point> {
        let points = tidy::points(table, column, column, |row| here(row, benchmark));
        points.into_iter().enumerate().map(|(i, p)| Point { x: i as f64, ..p }).collect()
    };
    for (i, point) in at("simulated", "MATH500").into_iter().enumerate() {
        let name = if i == 0 { "simulated" } else { "" };
        panel = panel.bar(Bar { name: name.into(), look: Look { colour: crate::style::PALE, ..Look::base() }, point, width: 0.7 });
    }
    for (i, benchmark) in ["Omni-MATH-Test", "MATH500"].iter().enumerate() {
        let points = at("published", benchmark).into_iter().map(|p| Point { low: None, high: None, ..p }).collect();
        let look = Look { marker: Some([Marker::Square, Marker::Diamond][i]), ..Look::reference() };
        panel = panel.curve(Curve::new(&format!("published, {benchmark}"), look, points).drawn_as(Manner::Points));
    }
    panel
}

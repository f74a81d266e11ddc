//! The tables of a run: results (one row per cell and seed) and history (one row per evaluated step).

use crate::id::Id;
use crate::plan::{Plan, Row};
use mta_sims::config::{KNOBS, Knob};
use mta_sims::knob::Value;
use mta_sims::recipe::Ready;
use mta_sims::record::{Curves, metrics};
use mta_sims::registry::Named;
use mta_sims::table::Table;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Knobs that every table shows, whether or not they were set.
const ALWAYS: &[&str] =
    &["alignment", "confidence", "idiosyncrasy", "vocab", "depth", "sharing", "steps", "train_batch_size", "group_size", "learning_rate"];

/// Metrics of the base model that results repeat as `base/...`.
const OF_BASE: &str = "held_out/";

/// A row of the plan with its curves.
pub struct Line {
    row: Row,
    id: Id,
    setting: Arc<Setting>,
    curves: Curves,
}

/// What rows that differ in seed only have in common.
struct Setting {
    point: Vec<Value>,
    recipe: Ready,
}

/// Makes lines of the rows of a plan, with the settings that follow each other made once.
pub struct Lines<'p> {
    plan: &'p Plan,
    last: Option<(usize, Arc<Setting>)>,
}

impl<'p> Lines<'p> {
    /// For the rows of `plan`.
    pub fn of(plan: &'p Plan) -> Self {
        Lines { plan, last: None }
    }

    /// A row with its curves.
    pub fn line(&mut self, row: usize, curves: Curves) -> Line {
        Line { row: self.plan.row(row), id: self.plan.ids[row], setting: self.setting(self.plan.setting(row).0), curves }
    }

    fn setting(&mut self, at: usize) -> Arc<Setting> {
        if let Some((_, last)) = self.last.as_ref().filter(|(last, _)| *last == at) {
            return Arc::clone(last);
        }
        let (point, recipe) = (at / self.plan.recipes.len(), at % self.plan.recipes.len());
        let setting = Arc::new(Setting { point: self.plan.point(point), recipe: self.plan.ready(point, recipe) });
        self.last = Some((at, Arc::clone(&setting)));
        setting
    }
}

/// The results: settings, the base model, the trained model, and what became of the gain.
pub fn results(plan: &Plan, lines: &[Line]) -> Table {
    let mut table = Table::new();
    identity(&mut table, plan, lines);
    let each = |f: &dyn Fn(&Line) -> Option<f64>| lines.iter().map(f).collect::<Vec<_>>();
    for (m, metric) in metrics().iter().enumerate().filter(|(_, m)| m.name.starts_with(OF_BASE)) {
        let name = metric.name.replace(OF_BASE, "base/");
        table.float(&name, &format!("before training: {}", metric.doc), each(&|l| l.curves.values[m].first().copied().flatten()));
    }
    for (m, metric) in metrics().iter().enumerate() {
        table.float(&metric.name, metric.doc, each(&|l| l.curves.values[m].last().copied().flatten()));
    }
    table.float("gain", "held_out/pass@1 less base/pass@1", each(&|l| l.gain()));
    table.float("best/pass@1", "largest held_out/pass@1 of any evaluated step", each(&|l| l.best().map(|(_, p)| p)));
    table.int("best/step", "the step of best/pass@1", lines.iter().map(|l| l.best().map(|(s, _)| s as i64)));
    let collapse = lines.iter().map(|l| l.collapse_step().map(|s| s as i64));
    table.int("collapse_step", "first evaluated step with held_out/pass@1 below half of base/pass@1; empty if none", collapse);
    let crossing = lines.iter().map(|l| l.crossing_k().map(|k| k as i64));
    table.int("crossing_k", "smallest reported k at which the trained model's pass@k is below the base model's; empty if none", crossing);
    table
}

/// The curves: one row per cell, seed and evaluated step.
pub fn history(plan: &Plan, lines: &[Line]) -> Table {
    let spread: Vec<(&Line, usize)> = lines.iter().flat_map(|l| (0..l.curves.steps.len()).map(move |i| (l, i))).collect();
    let mut table = Table::new();
    table.text("cell", "hash of everything the result depends on", spread.iter().map(|(l, _)| l.id.to_string()));
    table.text("recipe", "name of the recipe", spread.iter().map(|(l, _)| l.recipe()));
    for (axis, assignment) in plan.axes.iter().enumerate() {
        table.float(&plan.column(assignment.knob), "grid value", spread.iter().map(|(l, _)| number(&l.setting.point[axis])));
    }
    table.int("seed", "seed of the task, the prior and all dice", spread.iter().map(|(l, _)| Some(l.row.seed.0 as i64)));
    table.int("step", "updates done", spread.iter().map(|(l, i)| Some(l.curves.steps[*i] as i64)));
    for (m, metric) in metrics().iter().enumerate() {
        table.float(&metric.name, metric.doc, spread.iter().map(|(l, i)| l.curves.values[m][*i]));
    }
    table
}

/// Columns that say which cell a row is.
fn identity(table: &mut Table, plan: &Plan, lines: &[Line]) {
    table.text("cell", "hash of everything the result depends on", lines.iter().map(|l| l.id.to_string()));
    table.text("recipe", "name of the recipe", lines.iter().map(Line::recipe));
    table.text("signal", "what pays", lines.iter().map(|l| l.setting.recipe.signal.name()));
    table.text("rule", "how the update uses it", lines.iter().map(|l| l.setting.recipe.rule.name()));
    table.text("regime", "which prompts are trained on", lines.iter().map(|l| l.setting.recipe.config.data.regime.name()));
    table.text("mode", "sampled or exact", lines.iter().map(|l| l.setting.recipe.config.train.mode.name()));
    for knob in shown_knobs(plan) {
        table.float(&plan.column(knob.name), knob.doc.trim(), lines.iter().map(|l| number(&(knob.get)(&l.setting.recipe.config))));
    }
    table.float(
        "alignment_knob",
        "correlation of the base model's shared log-prior with the task",
        lines.iter().map(|l| Some(l.curves.alignment)),
    );
    table.int("seed", "seed of the task, the prior and all dice", lines.iter().map(|l| Some(l.row.seed.0 as i64)));
}

/// The numeric knobs worth a column: always some, and all that differ from their defaults somewhere.
fn shown_knobs(plan: &Plan) -> Vec<&'static Knob> {
    let varied: BTreeSet<&str> = plan.axes.iter().map(|a| a.knob).chain(ALWAYS.iter().copied()).collect();
    let differs = |knob: &Knob| plan.recipes.iter().any(|r| (knob.get)(&r.config) != (knob.get)(&mta_sims::config::Config::DEFAULT));
    KNOBS.iter().filter(|k| (k.kind)().is_numeric() && (varied.contains(k.name) || differs(k))).collect()
}

/// Held-out pass@1 after training less that before.
pub fn gain(curves: &Curves) -> Option<f64> {
    Some(curves.values[0].last().copied()?? - curves.values[0].first().copied()??)
}

fn number(value: &Value) -> Option<f64> {
    if let Value::Number(x) = value { Some(*x) } else { None }
}

impl Line {
    /// Its evaluated steps.
    pub fn evaluations(&self) -> usize {
        self.curves.steps.len()
    }

    fn recipe(&self) -> &str {
        &self.setting.recipe.name
    }

    /// Curve of held-out pass@k, k being the i-th reported one.
    fn pass_at(&self, i: usize) -> &[Option<f64>] {
        &self.curves.values[i]
    }

    fn gain(&self) -> Option<f64> {
        gain(&self.curves)
    }

    fn best(&self) -> Option<(usize, f64)> {
        let points = self.curves.steps.iter().zip(self.pass_at(0));
        points.filter_map(|(s, p)| Some((*s, (*p)?))).reduce(|best, next| if next.1 > best.1 { next } else { best })
    }

    fn collapse_step(&self) -> Option<usize> {
        let base = self.pass_at(0).first().copied()??;
        let points = self.curves.steps.iter().zip(self.pass_at(0));
        points.filter_map(|(s, p)| Some((*s, (*p)?))).find(|(_, p)| *p < 0.5 * base).map(|(s, _)| s)
    }

    fn crossing_k(&self) -> Option<u32> {
        let below = |i: usize| Some(self.pass_at(i).last().copied()?? < self.pass_at(i).first().copied()??);
        let ks = mta_sims::measure::PASS_KS;
        (0..ks.len()).find(|&i| below(i) == Some(true)).map(|i| ks[i])
    }
}

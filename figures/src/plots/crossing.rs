//! Pass@k before and after, as training goes on, with the k from which the base model is ahead.

use mta_sims::measure::PASS_KS;
use mta_sims::statistics::{Interval, mean_interval};
use mta_sims::table::Table;

use crate::style::Look;
use crate::tidy::{self, ByStep, LEVEL, Rows};
use crate::{Axis, Curve, Figure, FigureError, Manner, Panel, Point, Run, Sheet, Study, study};

pub(super) struct Crossing;

impl Figure for Crossing {
    fn name(&self) -> &'static str {
        "crossing"
    }

    fn caption(&self) -> &'static str {
        "Pass@k on held-out prompts of the base model (dashed) and at three times of training. A black star marks the k from which the base model \
         is ahead, interpolated in log k. The crossing moves to smaller k as training goes on. Tabular training on the true reward never crosses \
         (theory sheet P31): here the prompts share a skill, and what it unlearns for one prompt it unlearns for all. Bands are 95% t intervals \
         over seeds."
    }

    fn studies(&self) -> Vec<&'static Study> {
        vec![&study::CROSSING]
    }

    fn table(&self, runs: &[Run]) -> Option<Table> {
        let steps = ByStep::of_middle(runs.first()?)?;
        let mut rows = Rows::new(&[
            ("recipe", "recipe"),
            ("step", "updates done; 0 is the base model"),
            ("at_k", "number of samples"),
            ("pass@k", "mean held-out pass@k"),
            ("low", "lower end of the 95% interval over seeds"),
            ("high", "upper end of the 95% interval over seeds"),
            ("seeds", "seeds behind them"),
            ("crossing_k", "k from which the base model's mean pass@k is larger, interpolated in log k; empty if there is none"),
        ]);
        for recipe in &steps.recipes {
            let times = times(&steps, recipe)?;
            let base = pass_at(&steps, recipe, times[0]);
            for step in times {
                let pass = pass_at(&steps, recipe, step);
                let crossing = crossing(&base, &pass);
                for (k, (estimate, seeds)) in PASS_KS.iter().zip(&pass) {
                    let Some(i) = estimate else { continue };
                    let ends = [Some(i.value), i.low, i.high].map(Into::into);
                    let head = [recipe.as_str().into(), step.into(), f64::from(*k).into()];
                    rows.push(head.into_iter().chain(ends).chain([(*seeds as f64).into(), crossing.into()]));
                }
            }
        }
        rows.table()
    }

    fn draw(&self, table: &Table, sheet: &mut Sheet) -> Result<(), FigureError> {
        let steps = tidy::distinct(table, "step");
        for recipe in tidy::names(table) {
            let mut panel =
                Panel::new(Axis::log2("samples k"), Axis::linear("held-out pass@k").range(0.0, 1.0)).bands("95% interval over seeds");
            let mut crossings = Vec::new();
            for (i, step) in steps.iter().enumerate() {
                let (name, look) = if i == 0 { (tidy::BASE.into(), Look::base()) } else { (format!("step {step}"), Look::series(i - 1)) };
                let here = |row: usize| table.cell("recipe", row) == recipe && table.number("step", row) == Some(*step);
                let mut curve = Curve::new(&name, look, tidy::points(table, "at_k", "pass@k", here));
                curve.mark_every = 2;
                crossings.extend(mark(table, here, &curve));
                panel = panel.curve(curve);
            }
            let ring = Look { marker: Some(crate::style::Marker::Star), ..Look::reference() };
            sheet.add(panel.curve(Curve::new("base model ahead from here", ring, crossings).drawn_as(Manner::Points)).title(recipe));
        }
        sheet.columns(3).aspect(0.9);
        Ok(())
    }
}

/// The first evaluation, the last, and two between at even factors.
fn times(steps: &ByStep, recipe: &str) -> Option<Vec<f64>> {
    let all: Vec<f64> = steps.values(recipe, "held_out/pass@1").into_iter().map(|(step, _)| step).collect();
    let (second, last) = (*all.get(1)?, *all.last()?);
    let near = |t: f64| all.iter().copied().min_by(|a, b| (a - t).abs().total_cmp(&(b - t).abs()));
    let between = near((second * last).sqrt());
    let mut times: Vec<f64> = [Some(all[0]), Some(second), between, Some(last)].into_iter().flatten().collect();
    times.dedup();
    Some(times)
}

type Estimate = (Option<Interval>, usize);

/// Mean pass@k at each k.
fn pass_at(steps: &ByStep, recipe: &str, step: f64) -> Vec<Estimate> {
    let at = |k: &u32| steps.at(recipe, &format!("held_out/pass@{k}"), step);
    PASS_KS.iter().map(at).map(|values| (mean_interval(&values, LEVEL), values.len())).collect()
}

/// The k at which the mean of `pass` falls below that of `base`, interpolated in log k.
fn crossing(base: &[Estimate], pass: &[Estimate]) -> Option<f64> {
    let lead: Vec<Option<f64>> = base.iter().zip(pass).map(|(b, p)| Some(p.0?.value - b.0?.value)).collect();
    let i = (1..lead.len()).find(|&i| matches!((lead[i - 1], lead[i]), (Some(a), Some(b)) if a > 0.0 && b < 0.0))?;
    let (a, b) = (lead[i - 1]?, lead[i]?);
    Some(f64::from(PASS_KS[i - 1]) * (a / (a - b)).exp2())
}

/// The crossing of a curve as a point on it.
fn mark(table: &Table, here: impl Fn(usize) -> bool, curve: &Curve) -> Option<Point> {
    let k = (0..table.rows()).filter(|row| here(*row)).find_map(|row| table.number("crossing_k", row))?;
    let after = curve.points.iter().position(|p| p.x >= k)?;
    let (p, q) = (curve.points.get(after.checked_sub(1)?)?, curve.points[after]);
    let share = (k / p.x).log2() / (q.x / p.x).log2();
    Some(Point { x: k, y: Some(p.y? + share * (q.y? - p.y?)), low: None, high: None })
}

//! The answer on the terminal: a table of gains coloured by gain kept, and one sentence.

use crate::plan::Plan;
use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, presets};
use mta_sims::knob::Value;
use mta_sims::statistics::{Interval, mean, mean_interval, ratio_interval};
use mta_sims::table::Table;

/// Confidence level of all intervals shown.
pub const LEVEL: f64 = 0.95;

/// The recipe whose gain is the measure of the others'.
pub const STANDARD: &str = "standard";

/// The gain a recipe must keep to count as working.
const WORKS: f64 = 0.5;

/// One grid point's results by recipe.
pub struct Summary {
    /// Values of the axes.
    pub point: Vec<Value>,
    /// Base pass@1, pass@8 and mode accuracy, means over seeds.
    pub base: [Option<f64>; 3],
    /// For each recipe of the plan: gain with its interval, and gain kept.
    pub gains: Vec<(Option<Interval>, Option<Interval>)>,
}

/// Summaries of all grid points, in plan order.
pub fn summarise(plan: &Plan, results: &Table) -> Vec<Summary> {
    let per_point = plan.recipes.len() * plan.seeds.len();
    let points = plan.rows.len() / per_point.max(1);
    (0..points).map(|i| summary(plan, results, i * per_point)).collect()
}

fn summary(plan: &Plan, results: &Table, start: usize) -> Summary {
    let seeds = plan.seeds.len();
    let rows = |recipe: usize| start + recipe * seeds..start + (recipe + 1) * seeds;
    let column = |name: &str, recipe: usize| rows(recipe).filter_map(|row| results.number(name, row)).collect::<Vec<f64>>();
    let standard = plan.recipes.iter().position(|r| r.name == STANDARD).map(|i| column("gain", i));
    let gains = (0..plan.recipes.len()).map(|recipe| {
        let gains = column("gain", recipe);
        (mean_interval(&gains, LEVEL), standard.as_ref().and_then(|s| ratio_interval(&gains, s, LEVEL)))
    });
    let base = ["base/pass@1", "base/pass@8", "base/mode_accuracy"].map(|name| mean(&column(name, 0)));
    Summary { point: plan.rows[start].point.clone(), base, gains: gains.collect() }
}

/// The table, with colours if asked for.
pub fn table(plan: &Plan, summaries: &[Summary], colours: bool) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(presets::UTF8_NO_BORDERS).set_content_arrangement(ContentArrangement::Disabled);
    if colours {
        table.enforce_styling()
    } else {
        table.force_no_tty()
    };
    let axes = plan.axes.iter().map(|a| a.knob.replace('_', "\n"));
    let base = ["base\npass@1", "base\npass@8", "mode\nacc."].map(String::from);
    let recipes = plan.recipes.iter().map(|r| r.name.replace('-', "-\n"));
    table.set_header(axes.chain(base).chain(recipes));
    for summary in summaries {
        let point = summary.point.iter().map(|v| Cell::new(v.to_string()));
        let base = summary.base.iter().map(|x| Cell::new(x.map_or(String::new(), |x| format!("{x:.2}"))));
        let gains = summary.gains.iter().map(|(gain, kept)| painted(*gain, *kept));
        table.add_row(point.chain(base).chain(gains));
    }
    table.column_iter_mut().for_each(|c| {
        c.set_cell_alignment(CellAlignment::Right);
        c.set_padding((1, 0));
    });
    table.to_string()
}

fn painted(gain: Option<Interval>, kept: Option<Interval>) -> Cell {
    let Some(gain) = gain else { return Cell::new("") };
    let text = gain.half_width().map_or(format!("{:+.2}", gain.value), |h| format!("{:+.2}±{}", gain.value, short(h)));
    kept.map_or_else(|| Cell::new(&text), |kept| Cell::new(&text).fg(colour(kept.value)))
}

/// Two decimals without the leading zero.
fn short(half_width: f64) -> String {
    format!("{half_width:.2}").trim_start_matches('0').to_string()
}

fn colour(kept: f64) -> Color {
    match kept {
        k if k >= 0.8 => Color::Green,
        k if k >= WORKS => Color::Cyan,
        k if k >= 0.2 => Color::Yellow,
        k if k > -0.05 => Color::DarkGrey,
        _ => Color::Red,
    }
}

/// Where each recipe keeps at least half of standard RL's gain, in one sentence; none where there is nothing to compare.
pub fn sentence(plan: &Plan, summaries: &[Summary]) -> Option<String> {
    let axis = plan.main_axis()?;
    plan.recipes.iter().position(|r| r.name == STANDARD)?;
    if plan.axes.len() > 1 || summaries.len() < 2 {
        return None;
    }
    let others = plan.recipes.iter().enumerate().filter(|(_, r)| r.name != STANDARD);
    let verdicts: Vec<String> = others.map(|(i, r)| format!("{} {}", r.name, verdict(i, axis, plan.axes[axis].knob, summaries))).collect();
    let what = "Half or more of standard RL's gain is kept by";
    (!verdicts.is_empty()).then(|| format!("{what} {}.", verdicts.join("; ")))
}

fn verdict(recipe: usize, axis: usize, knob: &str, summaries: &[Summary]) -> String {
    let works: Vec<bool> = summaries.iter().map(|s| s.gains[recipe].1.is_some_and(|k| k.value >= WORKS)).collect();
    let at = |i: usize| summaries[i].point[axis].to_string();
    let first = works.iter().position(|w| *w);
    match first {
        None => best_percent(recipe, summaries).map_or("nowhere".into(), |best| format!("nowhere (at best {best:.0} %)")),
        Some(0) if works.iter().all(|w| *w) => "everywhere".into(),
        Some(i) if works[i..].iter().all(|w| *w) => format!("from {knob} {} up", at(i)),
        Some(0) if works.iter().skip_while(|w| **w).all(|w| !*w) => {
            format!("up to {knob} {}", at(works.iter().rposition(|w| *w).unwrap_or(0)))
        }
        Some(_) => {
            format!("at {knob} {}", works.iter().enumerate().filter(|(_, w)| **w).map(|(i, _)| at(i)).collect::<Vec<_>>().join(", "))
        }
    }
}

fn best_percent(recipe: usize, summaries: &[Summary]) -> Option<f64> {
    let kept = summaries.iter().filter_map(|s| s.gains[recipe].1).map(|k| 100.0 * k.value);
    kept.reduce(f64::max)
}

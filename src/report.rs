//! The answer on the terminal: a table of gains coloured by gain kept, and one sentence.

use crate::groups::Groups;
use crate::plan::Plan;
use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, LineStyle, presets};
use mta_sims::knob::Value;
use mta_sims::statistics::{Interval, mean, mean_interval, ratio_interval};

/// Confidence level of all intervals shown.
pub const LEVEL: f64 = 0.95;

/// The recipe whose gain is the measure of the others'.
pub const STANDARD: &str = "standard";

/// The gain a recipe must keep to count as working.
pub const WORKS: f64 = 0.5;

/// One grid point's results by recipe.
pub struct Summary {
    /// Values of the axes.
    pub point: Vec<Value>,
    /// Base pass@1, pass@8 and mode accuracy, means over seeds.
    pub base: [Option<f64>; 3],
    /// For each recipe of the plan: gain with its interval, and gain kept.
    pub gains: Vec<(Option<Interval>, Option<Interval>)>,
}

/// What the numbers of the table are.
pub fn heading(plan: &Plan) -> String {
    format!("Gain in held-out pass@1 after {}, mean over {}{} seeds ± 95 % interval", budget(plan), plan.at_most(), plan.seeds.len())
}

/// The number of steps, where it is one.
fn budget(plan: &Plan) -> String {
    let of = |setting: usize| plan.ready_of(setting).config.train.steps;
    let steps = (0..plan.settings()).map(of);
    match (steps.clone().min(), steps.max()) {
        (Some(low), Some(high)) if low == high => format!("{low} steps"),
        (Some(low), Some(high)) => format!("{low} to {high} steps"),
        _ => "training".into(),
    }
}

/// Summaries of all grid points, in plan order.
pub fn summarise(groups: &Groups) -> Vec<Summary> {
    (0..groups.points()).map(|point| summary(groups, point)).collect()
}

fn summary(groups: &Groups, point: usize) -> Summary {
    let recipes = &groups.plan.recipes;
    let standard = recipes.iter().position(|r| r.name == STANDARD);
    let gains = (0..recipes.len()).map(|recipe| {
        let kept = standard.and_then(|standard| gain_kept(groups, point, recipe, standard));
        (mean_interval(&groups.values("gain", point, recipe), LEVEL), kept)
    });
    let base = BASE_COLUMNS.map(|name| mean(&groups.of_base(name, point)));
    Summary { point: groups.point(point), base, gains: gains.collect() }
}

/// Columns of the results that the table and the sentence are made of.
pub const COLUMNS: [&str; 4] = ["gain", BASE_COLUMNS[0], BASE_COLUMNS[1], BASE_COLUMNS[2]];

/// What is shown of the base model.
const BASE_COLUMNS: [&str; 3] = ["base/pass@1", "base/pass@8", "base/mode_accuracy"];

/// Gain as a share of standard RL's, over the seeds that both have finished; missing where standard RL gains nothing.
fn gain_kept(groups: &Groups, point: usize, recipe: usize, standard: usize) -> Option<Interval> {
    let (ours, theirs) = (groups.by_seed("gain", point, recipe), groups.by_seed("gain", point, standard));
    let (gains, whole): (Vec<f64>, Vec<f64>) = ours.iter().filter_map(|(seed, gain)| Some((*gain, *theirs.get(seed)?))).unzip();
    ratio_interval(&gains, &whole, LEVEL).filter(|_| mean(&whole).is_some_and(|g| g > 0.0))
}

/// Columns of text where no terminal says otherwise.
const WIDTH: usize = 128;

/// A terminal that says it is narrower does not know its width.
const NARROWEST: usize = 40;

/// Columns a recipe takes.
const RECIPE_WIDTH: usize = 11;

/// The table, with colours on a terminal; recipes that do not fit side by side come in a further table below.
pub fn table(plan: &Plan, summaries: &[Summary], terminal: bool) -> String {
    let of_terminal = comfy_table::Table::new().width().map(usize::from).filter(|columns| terminal && *columns >= NARROWEST);
    let width = of_terminal.unwrap_or(WIDTH);
    let taken: usize = plan.axes.iter().map(|a| plan.column(a.knob).len().max(6) + 1).sum::<usize>() + 3 * 8;
    let side_by_side = (width.saturating_sub(taken) / RECIPE_WIDTH).max(1);
    let recipes: Vec<usize> = (0..plan.recipes.len()).collect();
    let parts = recipes.chunks(side_by_side).map(|part| part_of_table(plan, summaries, part, terminal));
    parts.collect::<Vec<_>>().join("\n\n")
}

fn part_of_table(plan: &Plan, summaries: &[Summary], recipes: &[usize], colours: bool) -> String {
    let mut table = comfy_table::Table::new();
    let line = LineStyle::none().fill('─').junction('─');
    table.load_style(presets::NOTHING.header_separator(line)).set_content_arrangement(ContentArrangement::Disabled);
    if colours {
        table.enforce_styling()
    } else {
        table.force_no_tty()
    };
    table.set_header(header(plan, recipes));
    for summary in summaries {
        let point = summary.point.iter().map(|v| Cell::new(v.to_string()));
        let base = summary.base.iter().map(|x| Cell::new(x.map_or(String::new(), share)));
        let gains = recipes.iter().map(|&i| painted(summary.gains[i].0, summary.gains[i].1));
        table.add_row(point.chain(base).chain(gains));
    }
    table.column_iter_mut().for_each(|c| {
        c.set_cell_alignment(CellAlignment::Right);
        c.set_padding((1, 0));
    });
    table.to_string()
}

/// The words above the columns: axes, base model, recipes; a new line where there is room for one.
pub fn header(plan: &Plan, recipes: &[usize]) -> Vec<String> {
    let axes = plan.axes.iter().map(|a| plan.column(a.knob).replace('_', "\n"));
    let base = ["base\npass@1", "base\npass@8", "base\nmode"].map(String::from);
    let names = recipes.iter().map(|&i| plan.recipes[i].name.replace('-', "-\n"));
    axes.chain(base).chain(names).collect()
}

fn painted(gain: Option<Interval>, kept: Option<Interval>) -> Cell {
    let text = gain_text(gain);
    kept.map_or_else(|| Cell::new(&text), |kept| Cell::new(&text).fg(colour(Band::of(kept.value))))
}

/// A gain and half the width of its interval, two decimals each; empty when missing.
pub fn gain_text(gain: Option<Interval>) -> String {
    let Some(gain) = gain else { return String::new() };
    let value = if gain.value.abs() < 0.005 { 0.0 } else { gain.value };
    gain.half_width().map_or(format!("{value:+.2}"), |h| format!("{value:+.2}±{}", short(h)))
}

/// Two decimals, or the power of ten where they would show nothing.
pub fn share(x: f64) -> String {
    if x > 0.0 && x < 0.005 { format!("{x:.0e}") } else { format!("{x:.2}") }
}

/// Two decimals without the leading zero.
fn short(half_width: f64) -> String {
    format!("{half_width:.2}").trim_start_matches('0').to_string()
}

/// How much of standard RL's gain is kept, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Band {
    /// At least 80 %.
    Most,
    /// At least half.
    Half,
    /// At least a fifth.
    Some,
    /// About nothing.
    Nothing,
    /// Less than nothing.
    Harm,
}

impl Band {
    /// The band of a gain kept.
    pub fn of(kept: f64) -> Self {
        match kept {
            k if k >= 0.8 => Band::Most,
            k if k >= WORKS => Band::Half,
            k if k >= 0.2 => Band::Some,
            k if k > -0.05 => Band::Nothing,
            _ => Band::Harm,
        }
    }
}

fn colour(band: Band) -> Color {
    match band {
        Band::Most => Color::Green,
        Band::Half => Color::Cyan,
        Band::Some => Color::Yellow,
        Band::Nothing => Color::DarkGrey,
        Band::Harm => Color::Red,
    }
}

/// Where each recipe keeps at least half of standard RL's gain, in one sentence; none where there is nothing to compare.
pub fn sentence(plan: &Plan, summaries: &[Summary]) -> Option<String> {
    let axis = plan.main_axis().filter(|_| plan.axes.len() == 1 && summaries.len() > 1)?;
    plan.recipes.iter().find(|r| r.name == STANDARD)?;
    let mut verdicts: Vec<(String, Vec<String>)> = Vec::new();
    for (i, recipe) in plan.recipes.iter().enumerate().filter(|(_, r)| r.name != STANDARD) {
        let verdict = verdict(i, axis, &plan.column(plan.axes[axis].knob), summaries);
        let named = named(&recipe.name, i, summaries);
        match verdicts.iter_mut().find(|(known, _)| *known == verdict) {
            Some((_, names)) => names.push(named),
            None => verdicts.push((verdict, vec![named])),
        }
    }
    let parts: Vec<String> = verdicts.iter().map(|(verdict, names)| format!("{} {verdict}", and(names))).collect();
    (!parts.is_empty()).then(|| format!("At least half of standard RL's gain is kept by {}.", parts.join("; ")))
}

/// The recipe, with the most it keeps where that is less than half.
fn named(name: &str, recipe: usize, summaries: &[Summary]) -> String {
    let kept = summaries.iter().filter_map(|s| s.gains[recipe].1).map(|k| k.value).fold(f64::NEG_INFINITY, f64::max);
    if (0.05..WORKS).contains(&kept) { format!("{name} (at best {:.0} %)", 100.0 * kept) } else { name.into() }
}

fn and(names: &[String]) -> String {
    match names {
        [all @ .., last] if !all.is_empty() => format!("{} and {last}", all.join(", ")),
        _ => names.concat(),
    }
}

/// Where along the axis the recipe works.
fn verdict(recipe: usize, axis: usize, knob: &str, summaries: &[Summary]) -> String {
    let works: Vec<bool> = summaries.iter().map(|s| s.gains[recipe].1.is_some_and(|k| k.value >= WORKS)).collect();
    let at = |i: usize| summaries[i].point[axis].to_string();
    let places: Vec<String> = (0..works.len()).filter(|&i| works[i]).map(at).collect();
    let switches = works.windows(2).filter(|pair| pair[0] != pair[1]).count();
    match (works[0], works[works.len() - 1], switches) {
        (true, _, 0) => "everywhere".into(),
        (false, _, 0) => "nowhere".into(),
        (false, true, 1) if places.len() > 1 => format!("from {knob} {} up", places[0]),
        (true, false, 1) if places.len() > 1 => format!("up to {knob} {}", places[places.len() - 1]),
        _ => format!("at {knob} {}", and(&places)),
    }
}

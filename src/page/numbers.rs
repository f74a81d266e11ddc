//! The numbers behind the page's charts: estimates over seeds by grid point and recipe.

use crate::groups::Groups;
use crate::report::{LEVEL, Summary};
use mta_sims::measure::PASS_KS;
use mta_sims::statistics::{Interval, mean_interval, quantile};
use mta_sims::table::Table;
use serde::Serialize;

/// An estimate with the ends of its interval; `null` where there is none.
pub(super) type Estimate = Option<[Option<f64>; 3]>;

/// A number that charts and heatmaps can show.
#[derive(Serialize)]
pub(super) struct Measure {
    /// Column of the results, or `gain_kept`.
    name: &'static str,
    label: &'static str,
    doc: String,
    /// Whether zero is the middle of its colours.
    diverging: bool,
    /// `[point * recipes + recipe]`.
    values: Vec<Estimate>,
    /// Of the base model, by point; empty where it has none.
    base: Vec<Estimate>,
}

/// Column, label, column of the base model, whether zero is the middle.
const MEASURES: [(&str, &str, &str, bool); 7] = [
    ("gain", "gain in pass@1", "", true),
    ("held_out/pass@1", "pass@1, held-out", "base/pass@1", false),
    ("train/pass@1", "pass@1, training prompts", "", false),
    ("held_out/mode_accuracy", "mode accuracy", "base/mode_accuracy", false),
    ("held_out/entropy", "entropy (nats)", "base/entropy", false),
    ("held_out/kl", "KL from the base model (nats)", "", false),
    ("held_out/mean_length", "length (tokens)", "base/mean_length", false),
];

const GAIN_KEPT: &str = "gain in held-out pass@1 as a share of the gain of standard RL on the same seeds: 1 is as good as standard RL, 0 as bad as no \
                         training; left out where standard RL gains nothing; intervals are Fieller's";

/// All measures of a run that have values which differ.
pub(super) fn measures(groups: &Groups, results: &Table, summaries: &[Summary]) -> Vec<Measure> {
    let kept = summaries.iter().flat_map(|s| s.gains.iter().map(|(_, kept)| estimate(*kept))).collect();
    let kept = Measure { name: "gain_kept", label: "gain kept", doc: GAIN_KEPT.into(), diverging: true, values: kept, base: Vec::new() };
    let of_column = MEASURES.iter().map(|&(name, label, base, diverging)| Measure {
        name,
        label,
        doc: doc(results, name),
        diverging,
        values: cells(groups).map(|(p, r)| estimate(mean_interval(&groups.values(name, p, r), LEVEL))).collect(),
        base: points(groups).filter(|_| !base.is_empty()).map(|p| estimate(mean_interval(&groups.of_base(base, p), LEVEL))).collect(),
    });
    std::iter::once(kept).chain(of_column).filter(Measure::says_something).collect()
}

impl Measure {
    fn says_something(&self) -> bool {
        differ(self.values.iter().chain(&self.base).flatten().map(|estimate| estimate[0]))
    }
}

/// pass@k of the base model and of each recipe.
#[derive(Serialize)]
pub(super) struct PassAtK {
    ks: [u32; 11],
    /// `[point][k]`.
    base: Vec<Vec<Estimate>>,
    /// `[point * recipes + recipe][k]`.
    trained: Vec<Vec<Estimate>>,
}

/// pass@k at all reported k.
pub(super) fn pass_at_k(groups: &Groups) -> PassAtK {
    let of = |values: &dyn Fn(&str) -> Vec<f64>, prefix: &str| {
        PASS_KS.iter().map(|k| estimate(mean_interval(&values(&format!("{prefix}/pass@{k}")), LEVEL))).collect()
    };
    PassAtK {
        ks: PASS_KS,
        base: points(groups).map(|p| of(&|column| groups.of_base(column, p), "base")).collect(),
        trained: cells(groups).map(|(p, r)| of(&|column| groups.values(column, p, r), "held_out")).collect(),
    }
}

/// A number that is followed over steps.
#[derive(Serialize)]
pub(super) struct Curve {
    /// Column of the history.
    name: &'static str,
    label: &'static str,
    doc: String,
    /// `[point * recipes + recipe]`.
    values: Vec<Path>,
}

/// Median and the quantiles at 10 and 90 % over seeds, by step, to five significant digits.
#[derive(Serialize, Default)]
struct Path {
    steps: Vec<f64>,
    median: Vec<Option<f64>>,
    low: Vec<Option<f64>>,
    high: Vec<Option<f64>>,
}

/// Column and label.
const CURVES: [(&str, &str); 9] = [
    ("held_out/pass@1", "pass@1, held-out"),
    ("train/pass@1", "pass@1, training prompts"),
    ("held_out/mode_accuracy", "mode accuracy"),
    ("held_out/entropy", "entropy (nats)"),
    ("held_out/kl", "KL from the base model (nats)"),
    ("held_out/mean_length", "length (tokens)"),
    ("reward", "reward"),
    ("frac_reward_zero_std", "groups without signal (share)"),
    ("wasted_rollouts", "wasted rollouts"),
];

/// All curves of a run that have values which differ.
pub(super) fn curves(groups: &Groups, history: &Table) -> Vec<Curve> {
    let starts: Vec<usize> = (0..history.rows()).filter(|&row| history.number("step", row) == Some(0.0)).collect();
    let path = |name: &str, (p, r)| Path::of(groups.rows(p, r), &starts, history, name);
    let curve =
        |&(name, label)| Curve { name, label, doc: doc(history, name), values: cells(groups).map(|cell| path(name, cell)).collect() };
    CURVES.iter().map(curve).filter(Curve::says_something).collect()
}

impl Curve {
    fn says_something(&self) -> bool {
        differ(self.values.iter().flat_map(|path| path.median.iter().copied()))
    }
}

impl Path {
    /// Over the cells in `rows` of the results; a cell's rows of the history begin where `starts` says.
    fn of(rows: &[usize], starts: &[usize], history: &Table, name: &str) -> Self {
        let Some(&first) = rows.first() else { return Path::default() };
        let length = starts.get(first + 1).copied().unwrap_or(history.rows()) - starts[first];
        let at = |column: &str, row: usize, i: usize| history.number(column, starts[row] + i);
        let mut path = Path::default();
        for i in 0..length {
            let values: Vec<f64> = rows.iter().filter_map(|&row| at(name, row, i)).collect();
            let quantile = |level| quantile(&values, level).map(five_digits);
            path.steps.extend(at("step", first, i));
            path.median.push(quantile(0.5));
            path.low.push(quantile(0.1));
            path.high.push(quantile(0.9));
        }
        path
    }
}

/// Five significant digits: more than a screen shows.
fn five_digits(x: f64) -> f64 {
    format!("{x:.4e}").parse().expect("a number as it was written")
}

fn estimate(interval: Option<Interval>) -> Estimate {
    interval.map(|i| [Some(i.value), i.low, i.high])
}

fn doc(table: &Table, name: &str) -> String {
    table.get(name).map_or(String::new(), |column| column.doc.clone())
}

fn differ(values: impl Iterator<Item = Option<f64>>) -> bool {
    let mut values = values.flatten();
    values.next().is_some_and(|first| values.any(|x| x != first))
}

fn points(groups: &Groups) -> std::ops::Range<usize> {
    0..groups.points()
}

fn cells<'g>(groups: &'g Groups) -> impl Iterator<Item = (usize, usize)> + 'g {
    points(groups).flat_map(|p| (0..groups.plan.recipes.len()).map(move |r| (p, r)))
}

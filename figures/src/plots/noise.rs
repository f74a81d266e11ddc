//! A verifier that errs: how fast accuracy moves, and how long learning takes, against Youden's J.

use mta_sims::statistics::mean_interval;
use mta_sims::table::Table;
use mta_theory::clocks::{Clock, Collision, rate};
use mta_theory::group_gradient::{amplification, amplification_without_std};
use mta_theory::quadrature;
use mta_theory::verifier::Verifier;

use crate::style::Look;
use crate::tidy::{self, Grid, LEVEL, Rows};
use crate::{Axis, Curve, Figure, FigureError, Manner, Panel, Run, Sample, Sheet, Study, study};

pub(super) struct Noise;

/// Accuracy that counts as learned.
const TARGET: f64 = 0.5;
const RATE: &str = "rate";
const TIME: &str = "time";

/// Update rules of the second panel.
const CLOCKS: [(&str, &str, Clock); 4] = [
    ("pg", "policy gradient", Clock::Pg),
    ("pg-std", "policy gradient / std", Clock::PgStd),
    ("npg", "natural gradient", Clock::Npg),
    ("npg-std", "natural gradient / std", Clock::NpgStd),
];

impl Figure for Noise {
    fn name(&self) -> &'static str {
        "noise"
    }

    fn caption(&self) -> &'static str {
        "Learning from a verifier that errs, against Youden's J = TPR − FPR (TPR = 0.8), on a bandit with one right arm. Left: rate of accuracy in one \
         step of sampled GRPO with and without its standard deviation, marks with 95% t intervals over seeds, lines theory at finite group size (P5, \
         P6): the sign of J is the fate. Right: flow time until accuracy 1/2 under exact updates; the rate is J, so time grows like 1/J. Lines: P6."
    }

    fn studies(&self) -> Vec<&'static Study> {
        vec![&study::NOISE_RATE, &study::NOISE_TIME]
    }

    fn table(&self, runs: &[Run]) -> Option<Table> {
        let mut rows = Rows::new(&[
            ("panel", "rate of accuracy, or time to learn"),
            ("recipe", "update rule"),
            ("J", "true positive rate less false positive rate"),
            ("value", "simulated rate per unit of step size, or flow time"),
            ("low", "lower end of the 95% interval over seeds; empty for exact updates"),
            ("high", "upper end of it"),
            ("theory", "the same from P5 and P6"),
        ]);
        for run in runs.iter().filter(|run| run.knob == "fpr" && tidy::is_single_path(run)) {
            if tidy::setting(run, "steps") == 1.0 { push_rates(&mut rows, run) } else { push_times(&mut rows, run) }
        }
        rows.table()
    }

    fn draw(&self, table: &Table, sheet: &mut Sheet) -> Result<(), FigureError> {
        let rules = [("grpo", "GRPO"), ("dr-grpo", "GRPO without std")];
        let rates = Panel::new(Axis::linear("J = TPR − FPR"), Axis::linear("rate of accuracy")).rule("", Look::base(), 0.0);
        let key = |panel: Panel| {
            panel.key("theory (P5, P6)", Look::theory(), Sample::Line).key("95% interval over seeds", Look::theory(), Sample::Whisker)
        };
        sheet.add(key(series(rates, table, RATE, rules.iter().copied(), 4)));
        let times = Panel::new(Axis::log2("J = TPR − FPR"), Axis::log10("flow time to accuracy 1/2"));
        sheet.add(series(times, table, TIME, CLOCKS.iter().map(|c| (c.0, c.1)), 0)).columns(2).aspect(1.1);
        Ok(())
    }
}

/// Adds marks and theory's line of each rule.
fn series(mut panel: Panel, table: &Table, kind: &str, rules: impl Iterator<Item = (&'static str, &'static str)>, first: usize) -> Panel {
    for (i, (name, words)) in rules.enumerate() {
        let (look, here) = (Look::series(first + i), |row: usize| table.cell("panel", row) == kind && table.cell("recipe", row) == name);
        let theory = tidy::points(table, "J", "theory", here);
        panel = panel.curve(Curve::line("", look.predicted(), theory.iter().filter_map(|p| Some((p.x, p.y?)))));
        panel = panel.curve(Curve::new(words, look, tidy::points(table, "J", "value", here)).drawn_as(Manner::Points));
    }
    panel
}

/// Change of accuracy in one step over the step size.
fn push_rates(rows: &mut Rows, run: &Run) {
    let (tpr, eta, group) = (tidy::setting(run, "tpr"), tidy::setting(run, "learning_rate"), tidy::setting(run, "group_size"));
    let grid = Grid::of(run.results, ["fpr", "vocab"]);
    for (cell, [fpr, vocab]) in grid.cells() {
        let verifier = Verifier { tpr, fpr };
        for (name, std) in [("grpo", true), ("dr-grpo", false)] {
            let (gains, base) = (grid.values(cell, name, "gain"), grid.values(cell, name, "base/pass@1"));
            let rates: Vec<f64> = gains.iter().map(|g| g / eta).collect();
            let (Some(value), Some(&p)) = (mean_interval(&rates, LEVEL), base.first()) else { continue };
            let clean = rate(Clock::Pg, p, Collision::symmetric(vocab));
            let group = group as u64;
            let factor = if std { amplification(verifier.acceptance(p), group) } else { amplification_without_std(group) };
            let theory = verifier.youden() * factor * clean;
            let numbers = [verifier.youden(), value.value].map(Some).into_iter().chain([value.low, value.high, Some(theory)]);
            rows.push([RATE.into(), name.into()].into_iter().chain(numbers.map(Into::into)));
        }
    }
}

/// Flow time until accuracy reaches the target.
fn push_times(rows: &mut Rows, run: &Run) {
    let (tpr, vocab) = (tidy::setting(run, "tpr"), tidy::setting(run, "vocab"));
    let base = (0..run.results.rows()).find_map(|row| run.results.number("base/pass@1", row)).unwrap_or(f64::NAN);
    let hits = tidy::hitting_times(run, ["fpr", "seed"], TARGET);
    for (name, _, clock) in CLOCKS {
        for hit in hits.iter().filter(|h| h.recipe == name) {
            let (fpr, time) = (hit.at[0], hit.time);
            let verifier = Verifier { tpr, fpr };
            let slowness = |p: f64| 1.0 / verifier.rate(clock, p, Collision::symmetric(vocab));
            let numbers = [Some(verifier.youden()), Some(time), None, None, Some(quadrature::interval(slowness, base, TARGET))];
            rows.push([TIME.into(), name.into()].into_iter().chain(numbers.map(Into::into)));
        }
    }
}

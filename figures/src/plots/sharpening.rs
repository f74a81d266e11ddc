//! Sharpening: where it helps, where the prior freezes, and how its optimum jumps when the leash gives way.

use mta_sims::statistics::mean_interval;
use mta_sims::table::Table;
use mta_theory::self_reward::{fixed_reward_optimum, leashed_optimum};
use mta_theory::sharpening_phase::Tokens;
use mta_theory::simplex::logit;
use mta_theory::stability::{Objective, condition, tilt};

use crate::style::{Dash, Look, Marker};
use crate::tidy::{self, Grid, LEVEL, Rows};
use crate::{Axis, Curve, Figure, FigureError, Manner, Panel, Run, Sample, Shade, Sheet, Study, study};

pub(super) struct Sharpening;

const FIELD: &str = "field";
const ACCURACY: &str = "accuracy";
const OPTIMUM: &str = "optimum";
const SENSITIVITY: &str = "sensitivity";

/// A confidence beyond freezing at small alignment, in nats.
const FROZEN: f64 = 5.0;

/// A reward of the last two panels: recipe, words, what it is to P20.
const REWARDS: [(&str, &str, Objective); 3] = [
    ("self-reward", "log π (self-reward)", Objective::SelfReward),
    ("log-prior", "log π₀ (fixed)", Objective::FixedLogPrior),
    ("task", "task reward", Objective::Task),
];

impl Figure for Sharpening {
    fn name(&self) -> &'static str {
        "sharpening"
    }

    fn caption(&self) -> &'static str {
        "Sharpening a base model whose prior has correlation a with the task. (a) Accuracy of the sharpened optimum, the mode, less that of a sample. \
         Solid: no gain, simulated (the longest such line; beyond freezing shorter ones come and go). Dashed: the neutral alignment of P41, valid for \
         κ ≤ 1. Dotted: the confidence at which the right tokens freeze onto few (P35), beyond which a sample comes to be as good as the mode. \
         (b) Accuracy of a sample, below and beyond freezing, and of the mode, with P41's expectations over worlds (independent noise for a sample, \
         orthogonal noise for the mode). (c) Probability of the right arm at the optimum, from a base of 0.3, against the weight of the KL: with \
         self-reward the optimum is smooth for β > 1 only and a vertex below (P18, P19). (d) How many nats the log-odds of the optimum move per nat \
         of the prior's (P20). Whiskers are 95% t intervals over worlds; (c) and (d) are exact updates."
    }

    fn studies(&self) -> Vec<&'static Study> {
        vec![&study::SHARPENED, &study::LEASHED]
    }

    fn table(&self, runs: &[Run]) -> Option<Table> {
        let mut rows = Rows::new(&[
            ("panel", "field, accuracy, optimum or sensitivity"),
            ("series", "what is measured or predicted"),
            ("x", "alignment, or weight of the KL"),
            ("y", "confidence, nats; empty where there is no second knob"),
            ("value", "simulated value; empty for a line that is theory only"),
            ("low", "lower end of the 95% interval over seeds"),
            ("high", "upper end of it"),
            ("theory", "the same from P19, P20 and P41"),
        ]);
        for run in runs {
            match run.others {
                [one] if run.knob == "alignment" && one == "confidence" => push_priors(&mut rows, run),
                [_, _] if run.others.iter().any(|o| o == "kl_beta") && tidy::is_single_path(run) => push_leashes(&mut rows, run),
                _ => {}
            }
        }
        rows.table()
    }

    fn draw(&self, table: &Table, sheet: &mut Sheet) -> Result<(), FigureError> {
        sheet.add(field_panel(table)).add(accuracy_panel(table));
        let rule = |panel: Panel| panel.upright("β = 1", Look::base(), 1.0);
        let optimum = Panel::new(Axis::linear("weight of the KL β"), Axis::linear("right arm at the optimum").range(0.0, 1.05));
        sheet.add(rule(rewards(optimum, table, OPTIMUM)).title("(c) optimum".into()));
        let sensitivity = Panel::new(Axis::linear("weight of the KL β"), Axis::log2("nats per nat of prior").range(0.7, 16.0));
        sheet.add(rule(rewards(sensitivity, table, SENSITIVITY)).title("(d) sensitivity".into()));
        sheet.columns(2).aspect(1.25);
        Ok(())
    }
}

fn field_panel(table: &Table) -> Panel {
    let here = |row: &usize| table.cell("panel", *row) == FIELD && table.cell("series", *row) == "gain";
    let size = (0..table.rows()).filter(here).filter_map(|row| table.number("value", row)).fold(0.1, |top, gain| gain.abs().max(top));
    let shade = Shade::around_zero("mode less sample (−: loss)", (10.0 * size).ceil() / 10.0);
    let field = tidy::field(table, ["x", "y", "value"], shade, |row| here(&row));
    let panel = Panel::new(Axis::linear("alignment a"), Axis::log2("confidence κ (nats)")).title("(a) gain by sharpening".into());
    let line = |series: &'static str| {
        tidy::points(table, "x", "y", move |row| table.cell("series", row) == series).into_iter().filter_map(|p| Some((p.x, p.y?)))
    };
    let dotted = Look { dash: Dash::Dotted, ..Look::contour() };
    // where sampling is as good as the mode, no gain is luck: of the lines of no gain the longest is the border
    let lines = field.contour(0.0, &Axis::linear(""), &Axis::log2(""));
    let border = lines.into_iter().max_by_key(Vec::len).unwrap_or_default();
    panel
        .field(field)
        .curve(Curve::line("no gain, simulated", Look::contour(), border))
        .curve(Curve::line("theory: neutral (P41)", Look::theory().dashed(), line("neutral")))
        .curve(Curve::line("theory: freezing (P35)", dotted, line("freezing")))
}

fn accuracy_panel(table: &Table) -> Panel {
    let mut panel = Panel::new(Axis::linear("alignment a"), Axis::linear("accuracy").range(0.0, 1.0)).title("(b) sample and mode".into());
    for (i, series) in series_of(table, ACCURACY).iter().enumerate() {
        panel = with_theory(panel, table, (ACCURACY, series), series, Look::series(i));
    }
    panel.key("theory (P19, P20, P41)", Look::theory(), Sample::Line).key("95% interval over worlds", Look::theory(), Sample::Whisker)
}

fn rewards(mut panel: Panel, table: &Table, kind: &str) -> Panel {
    for (i, (name, words, _)) in REWARDS.iter().enumerate() {
        panel = with_theory(panel, table, (kind, name), words, Look::series(3 + i));
    }
    panel
}

/// Adds the marks of a series and theory's line through them.
fn with_theory(panel: Panel, table: &Table, (kind, series): (&str, &str), words: &str, look: Look) -> Panel {
    let here = |row: usize| table.cell("panel", row) == kind && table.cell("series", row) == series;
    let theory = tidy::points(table, "x", "theory", here);
    let runs = theory.split(|p| p.y.is_none()).filter(|run| run.len() > 1);
    let panel = runs.fold(panel, |panel, run| panel.curve(Curve::line("", look.predicted(), run.iter().filter_map(|p| Some((p.x, p.y?))))));
    panel.curve(
        Curve::new(words, Look { marker: look.marker.or(Some(Marker::Circle)), ..look }, tidy::points(table, "x", "value", here))
            .drawn_as(Manner::Points),
    )
}

/// The different series of a panel, in order.
fn series_of(table: &Table, kind: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for row in (0..table.rows()).filter(|row| table.cell("panel", *row) == kind) {
        let name = table.cell("series", row);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Base models: the field, the freezing line, and accuracy at a confidence below freezing and one beyond.
fn push_priors(rows: &mut Rows, run: &Run) {
    let grid = Grid::of(run.results, ["alignment", "confidence"]);
    let (vocab, good) = (tidy::setting(run, "vocab"), tidy::setting(run, "good_tokens"));
    let tokens = Tokens { right: good, wrong: vocab - good };
    let all = |cell, column| grid.pooled(cell, column);
    for (cell, [a, kappa]) in grid.cells() {
        let (mode, sample) = (all(cell, "base/mode_accuracy"), all(cell, "base/pass@1"));
        let gains: Vec<f64> = mode.iter().zip(&sample).map(|(m, s)| m - s).collect();
        let (mode_theory, sample_theory) = (tokens.orthogonal_mode_accuracy(a), tokens.expected_pass_at_1(kappa, a));
        push(rows, FIELD, "gain", (a, Some(kappa)), &gains, Some(mode_theory - sample_theory));
        if kappa == 1.0 {
            push(rows, ACCURACY, "mode, any κ", (a, None), &mode, Some(mode_theory));
        }
        if kappa == 1.0 || kappa == FROZEN {
            push(rows, ACCURACY, &format!("sample, κ = {kappa}"), (a, None), &sample, Some(sample_theory));
        }
    }
    for i in -95..=95 {
        let a = f64::from(i) / 100.0;
        push(rows, FIELD, "freezing", (a, Some(tokens.freezing_confidence(a))), &[], None);
    }
    for kappa in grid.ys.iter().filter(|kappa| **kappa <= 1.0) {
        if let Some(a) = tokens.neutral_alignment(*kappa) {
            push(rows, FIELD, "neutral", (a, Some(*kappa)), &[], None);
        }
    }
}

fn push(rows: &mut Rows, panel: &str, series: &str, (x, y): (f64, Option<f64>), values: &[f64], theory: Option<f64>) {
    let estimate = mean_interval(values, LEVEL);
    let numbers = [Some(x), y, estimate.map(|e| e.value), estimate.and_then(|e| e.low), estimate.and_then(|e| e.high), theory];
    rows.push([panel.into(), series.into()].into_iter().chain(numbers.map(Into::into)));
}

/// Optimum and sensitivity under a leash, from two bases whose log-odds differ a little.
fn push_leashes(rows: &mut Rows, run: &Run) {
    let vocab = tidy::setting(run, "vocab");
    for (name, _, objective) in REWARDS {
        let grid = Grid::of(run.results, ["kl_beta", "confidence"]);
        for (j, beta) in grid.xs.iter().enumerate() {
            let at = |i: usize, column| grid.values((j, i), name, column).first().copied();
            let (Some(base), Some(end)) = (at(0, "base/pass@1"), at(0, "held_out/pass@1")) else { continue };
            let log_odds = |p: f64| logit(p) + (vocab - 1.0).ln();
            let optimum = optimum(objective, log_odds(base), vocab as usize, *beta);
            push(rows, OPTIMUM, name, (*beta, None), &[end], optimum);
            let (Some(base2), Some(end2)) = (at(1, "base/pass@1"), at(1, "held_out/pass@1")) else { continue };
            let slope = (log_odds(end2) - log_odds(end)) / (log_odds(base2) - log_odds(base));
            let known: Vec<f64> = Some(slope).filter(|s| s.is_finite() && end < 1.0 - 1e-9).into_iter().collect();
            push(rows, SENSITIVITY, name, (*beta, None), &known, Some(condition(objective, *beta)).filter(|c| c.is_finite()));
        }
    }
}

/// Probability of the right arm at the optimum; at a vertex, of the mode. `gap`: log-odds against each of the equal other arms.
fn optimum(objective: Objective, gap: f64, vocab: usize, beta: f64) -> Option<f64> {
    let first = |x: f64| std::iter::once(x).chain(std::iter::repeat_n(0.0, vocab - 1)).collect::<Vec<f64>>();
    let policy = match objective {
        Objective::Task => tilt(&first(gap), &first(1.0), beta),
        Objective::FixedLogPrior => fixed_reward_optimum(&first(gap), beta),
        Objective::SelfReward => leashed_optimum(&first(gap), beta).unwrap_or_else(|| first(f64::from(gap > 0.0))),
    };
    policy.first().copied()
}

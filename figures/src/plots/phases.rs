//! Phase diagrams: gain over alignment and a second knob, with the line of no gain and what theory says of it.

use mta_sims::statistics::mean_interval;
use mta_sims::table::Table;
use mta_theory::sharpening_phase::Tokens;

use crate::style::{Dash, Look};
use crate::tidy::{self, Grid, LEVEL, Rows, STANDARD};
use crate::{Axis, Curve, Field, Figure, FigureError, Panel, Run, Shade, Sheet, Study, study};

pub(super) struct Phases;

/// One panel: the recipe, the swept knob it needs beside alignment, and words.
struct Phase {
    recipe: &'static str,
    knob: &'static str,
    title: &'static str,
    y: fn() -> Axis,
    /// The second knob as shown, from the value swept and the true positive rate.
    shown: fn(f64, f64) -> f64,
    /// The line theory draws.
    theory: Line,
}

/// Points of a line, from a run and the ends of alignment.
type Line = fn(&Run, [f64; 2]) -> Vec<(f64, f64)>;

const PHASES: [Phase; 3] = [
    Phase {
        recipe: "noisy",
        knob: "fpr",
        title: "noisy verifier",
        y: || Axis::linear("J = TPR − FPR"),
        shown: |fpr, tpr| tpr - fpr,
        theory: |_, a| vec![(a[0], 0.0), (a[1], 0.0)],
    },
    Phase {
        recipe: "majority",
        knob: "group_size",
        title: "majority vote",
        y: || Axis::log2("group size G"),
        shown: |g, _| g,
        theory: |run, _| neutral(run).into_iter().flat_map(|a| [(a, 1.0), (a, 1e4)]).collect(),
    },
    Phase {
        recipe: "one-shot",
        knob: "sharing",
        title: "one-shot",
        y: || Axis::linear("sharing ρ"),
        shown: |rho, _| rho,
        theory: |run, a| a.map(|a| (a, half_transfer(run))).into(),
    },
];

/// Words for the lines theory draws.
const THEORY: &str = "theory: J = 0; neutral a; half the shift transfers";

/// Column of which panel a row belongs to.
const PHASE: &str = "phase";
/// Column of what a row is: a cell of the field, or a point of theory's line.
const KIND: &str = "kind";

impl Figure for Phases {
    fn name(&self) -> &'static str {
        "phases"
    }

    fn caption(&self) -> &'static str {
        "Gain in held-out pass@1 over alignment and a second knob. Solid: no gain, interpolated from the simulation. Dashed: theory. Left: with one \
         false positive rate for all wrong answers the sign of J decides at every alignment (P6). Middle: rewarding the majority ends at the mode \
         for every group size (P16), and the mode is better than a sample from the neutral alignment on, near 0 (P41); each world goes one way, so \
         the simulated line wavers by the luck of the worlds. Right: one-shot never loses, so there is no line of no gain; dotted: half of standard RL's \
         gain. Dashed there: above ρ = B/(B+1), B prompts per batch, the held-out prompts move at least half as far as the trained one (P26)."
    }

    fn studies(&self) -> Vec<&'static Study> {
        vec![&study::PHASE_NOISE, &study::PHASE_GROUP, &study::PHASE_SHARING]
    }

    fn table(&self, runs: &[Run]) -> Option<Table> {
        let mut rows = Rows::new(&[
            (PHASE, "which recipe"),
            (KIND, "cell: simulated; theory: a point of the line theory draws"),
            ("alignment", "alignment a"),
            ("knob", "second knob: J, G or sharing"),
            ("gain", "mean gain in held-out pass@1"),
            ("low", "lower end of the 95% interval over seeds"),
            ("high", "upper end of the 95% interval over seeds"),
            ("gain_kept", "share of standard RL's mean gain, where that was run"),
            ("seeds", "seeds behind them"),
        ]);
        for run in runs {
            for phase in PHASES.iter().filter(|p| swept(run, p.knob)) {
                push(&mut rows, run, phase);
            }
        }
        rows.table()
    }

    fn draw(&self, table: &Table, sheet: &mut Sheet) -> Result<(), FigureError> {
        let gains = (0..table.rows()).filter_map(|row| table.number("gain", row)).map(f64::abs);
        let size = (gains.fold(0.1, f64::max) * 10.0).ceil() / 10.0;
        for phase in PHASES.iter().filter(|p| (0..table.rows()).any(|row| table.cell(PHASE, row) == p.recipe)) {
            sheet.add(panel(table, phase, size));
        }
        sheet.columns(3).aspect(0.95);
        Ok(())
    }
}

/// Alignment at which the mode is as good as a sample.
fn neutral(run: &Run) -> Option<f64> {
    let (vocab, right) = (tidy::setting(run, "vocab"), tidy::setting(run, "good_tokens"));
    Tokens { right, wrong: vocab - right }.neutral_alignment(tidy::setting(run, "confidence"))
}

/// Sharing at which held-out prompts move half as far as the trained one: rho / (rho + B (1 - rho)) = 1/2 with B prompts per batch.
fn half_transfer(run: &Run) -> f64 {
    let batch = tidy::setting(run, "train_batch_size");
    batch / (batch + 1.0)
}

fn swept(run: &Run, knob: &str) -> bool {
    run.knob == "alignment" && run.others.iter().any(|other| other == knob)
}

fn push(rows: &mut Rows, run: &Run, phase: &Phase) {
    let tpr = tidy::setting(run, "tpr");
    let grid = Grid::of(run.results, ["alignment", phase.knob]);
    for (cell, [a, second]) in grid.cells() {
        let gains = grid.values(cell, phase.recipe, "gain");
        let Some(gain) = mean_interval(&gains, LEVEL) else { continue };
        let whole = mean_interval(&grid.values(cell, STANDARD, "gain"), LEVEL).filter(|w| w.value > 0.0);
        let numbers =
            [Some(a), Some((phase.shown)(second, tpr)), Some(gain.value), gain.low, gain.high, whole.map(|w| gain.value / w.value)];
        let words = [phase.recipe.into(), "cell".into()];
        rows.push(words.into_iter().chain(numbers.map(Into::into)).chain([(gains.len() as f64).into()]));
    }
    let (low, high) = (grid.xs.first().copied().unwrap_or(-1.0), grid.xs.last().copied().unwrap_or(1.0));
    for (a, y) in (phase.theory)(run, [low, high]) {
        rows.push([
            phase.recipe.into(),
            "theory".into(),
            a.into(),
            y.into(),
            None.into(),
            None.into(),
            None.into(),
            None.into(),
            None.into(),
        ]);
    }
}

fn panel(table: &Table, phase: &Phase, size: f64) -> Panel {
    let here = |row: usize, kind: &str| table.cell(PHASE, row) == phase.recipe && table.cell(KIND, row) == kind;
    let shade = Shade::around_zero("gain in held-out pass@1 (−: loss)", size);
    let field = tidy::field(table, ["alignment", "knob", "gain"], shade.clone(), |row| here(row, "cell"));
    let kept = tidy::field(table, ["alignment", "knob", "gain_kept"], shade, |row| here(row, "cell"));
    let mut panel = Panel::new(Axis::linear("alignment a"), (phase.y)()).title(phase.title.into()).field(field);
    panel = panel.contour("no gain, simulated", Look::contour(), 0.0);
    panel = half_kept(panel, &kept, phase);
    let theory = tidy::points(table, "alignment", "knob", |row| here(row, "theory"));
    panel.curve(Curve::line(THEORY, Look::theory().dashed(), theory.iter().filter_map(|p| Some((p.x, p.y?)))))
}

/// Adds the line of half of standard RL's gain.
fn half_kept(mut panel: Panel, kept: &Field, phase: &Phase) -> Panel {
    let look = Look { dash: Dash::Dotted, ..Look::contour() };
    for line in kept.contour(0.5, &Axis::linear(""), &(phase.y)()) {
        panel = panel.curve(Curve::line("half of standard RL's gain", look, line));
    }
    panel
}

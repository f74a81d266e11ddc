//! How long a token tree takes to learn: exponential in the depth for policy gradient, linear for the natural gradient.

use mta_sims::statistics::mean_interval;
use mta_sims::table::Table;
use mta_theory::tree::{npg_time, pg_std_time, pg_time};

use crate::style::Look;
use crate::tidy::{self, LEVEL, Rows};
use crate::{Axis, Curve, Figure, FigureError, Manner, Panel, Run, Sample, Sheet, Study, study};

pub(super) struct Tree;

/// The chance of the right response that counts as learned.
const TARGET: f64 = 0.5;

/// A rule, its words, and its time to learn from (branching, depth, target).
type Clock = (&'static str, &'static str, fn(f64, f64, f64) -> f64);

const CLOCKS: [Clock; 3] =
    [("pg", "policy gradient", pg_time), ("pg-std", "policy gradient / std", pg_std_time), ("npg", "natural gradient", npg_time)];

impl Figure for Tree {
    fn name(&self) -> &'static str {
        "tree"
    }

    fn caption(&self) -> &'static str {
        "Flow time until the single right path of a token tree has probability 1/2, from a uniform start, against its depth. Marks: the simulator's \
         exact updates in small steps. Lines: theory (P33). The policy gradient needs time exponential in the depth, even divided by the reward's \
         standard deviation; the natural gradient needs time linear in it."
    }

    fn studies(&self) -> Vec<&'static Study> {
        vec![&study::TREE]
    }

    fn table(&self, runs: &[Run]) -> Option<Table> {
        let run = runs.iter().find(|run| run.knob == "depth" && tidy::is_single_path(run))?;
        let branching = tidy::setting(run, "vocab");
        let mut rows = Rows::new(&[
            ("depth", "tokens H of a path"),
            ("recipe", "update rule"),
            ("time", "simulated flow time (steps x learning rate)"),
            ("low", "lower end of the 95% interval over seeds; empty for one seed"),
            ("high", "upper end of it"),
            ("theory", "time of P33"),
        ]);
        let hits = tidy::hitting_times(run, ["depth", "seed"], TARGET);
        for (name, _, clock) in CLOCKS {
            for depth in tidy::distinct(run.history, "depth") {
                let times: Vec<f64> = hits.iter().filter(|h| h.recipe == name && h.at[0] == depth).map(|h| h.time).collect();
                let Some(time) = mean_interval(&times, LEVEL) else { continue };
                let numbers = [Some(time.value), time.low, time.high, Some(clock(branching, depth, TARGET))];
                rows.push([depth.into(), name.into()].into_iter().chain(numbers.map(Into::into)));
            }
        }
        rows.table()
    }

    fn draw(&self, table: &Table, sheet: &mut Sheet) -> Result<(), FigureError> {
        let mut panel = Panel::new(Axis::linear("depth H"), Axis::log10("flow time to learn"));
        for (i, (name, words, _)) in CLOCKS.iter().enumerate() {
            let (look, here) = (Look::series(i), |row: usize| table.cell("recipe", row) == *name);
            let theory = tidy::points(table, "depth", "theory", here);
            panel = panel.curve(Curve::line("", look.predicted(), theory.iter().filter_map(|p| Some((p.x, p.y?)))));
            panel = panel.curve(Curve::new(words, look, tidy::points(table, "depth", "time", here)).drawn_as(Manner::Points));
        }
        sheet.aspect(1.4).add(panel.key("theory (P33)", Look::theory(), Sample::Line));
        Ok(())
    }
}

//! `mta-sim theory P2 --p0 0.02,0.2 --against-sim`: evaluates a proposition over grids, beside what the simulator measures.

use crate::error::{Error, Origin};
use crate::grid;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, presets};
use mta_sims::against::{self, Replicates, SIMULATIONS, Simulated, Simulation};
use mta_sims::knob::KnobError;
use mta_sims::statistics::{Interval, mean_interval};
use mta_sims::stream::Seed;
use mta_sims::table::Table;
use mta_theory::proposition::{Input, Proposition};
use mta_theory::propositions::PROPOSITIONS;

/// Points of the product of all grids, and those among them that are simulated.
const MAX_POINTS: usize = 1_000_000;
const MAX_SIMULATED: usize = 10_000;

/// The subcommand: one subcommand per proposition, its inputs as flags.
pub fn command() -> Command {
    Command::new("theory")
        .about("Evaluate a proposition of the theory over grids, beside the simulator if asked")
        .after_help("Start with:  mta-sim theory P2 --p0 0.02,0.2 --against-sim")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(PROPOSITIONS.iter().map(|p| proposition(p)))
}

fn proposition(p: &'static Proposition) -> Command {
    Command::new(p.id)
        .aliases([p.name.to_string(), p.id.to_lowercase()])
        .about(format!("{}: {}", p.name, p.statement))
        .after_help(more(p))
        .args(p.inputs.iter().map(flag))
        .args(switches())
}

/// What stands below the flags in a proposition's help.
fn more(p: &Proposition) -> String {
    let outputs: String = p.outputs.iter().map(|o| format!("\n  {}: {}", o.name, o.doc)).collect();
    let simulation = against::find(p).map_or("none".into(), |s| format!("{}\nmeasured: {}", s.setup, measured(s)));
    let (formula, assumptions, source) = (p.formula, p.assumptions, p.source);
    format!("formula: {formula}\nassumptions: {assumptions}\nsource: {source}\noutputs:{outputs}\nsimulation: {simulation}")
}

fn measured(simulation: &Simulation) -> String {
    simulation.measures.iter().map(|m| m.output).collect::<Vec<_>>().join(", ")
}

fn flag(input: &'static Input) -> Arg {
    let help = format!("{} [{}; default: {}]", input.doc, allowed(input), plain(input.default));
    Arg::new(input.name).long(input.name.replace('_', "-")).alias(input.name).value_name("GRID").allow_hyphen_values(true).help(help)
}

fn switches() -> [Arg; 4] {
    let number = |name: &'static str, help: &'static str| Arg::new(name).long(name).value_name("N").help(help).requires("against-sim");
    [
        Arg::new("csv").long("csv").action(ArgAction::SetTrue).help("Comma-separated values with all digits"),
        Arg::new("against-sim").long("against-sim").action(ArgAction::SetTrue).help("Put beside each output what the simulator measures"),
        number("seed", "Seed of the simulator [default: 0]").value_parser(value_parser!(u64)),
        number("replicates", "Repetitions of what is sampled [default: 200]").value_parser(value_parser!(u64).range(2..=1_000_000)),
    ]
}

fn allowed(input: &Input) -> String {
    let what = if input.whole { "whole number" } else { "number" };
    format!("{what} in [{}, {}]", plain(input.range.0), plain(input.range.1))
}

/// The answer of `mta-sim theory ...`.
pub fn theory(matches: &ArgMatches) -> Result<String, Error> {
    let (id, arguments) = matches.subcommand().expect("clap requires a proposition");
    let p = PROPOSITIONS.iter().find(|p| p.id == id).expect("subcommands are propositions");
    let grids = p.inputs.iter().map(|input| values(input, arguments)).collect::<Result<Vec<_>, _>>()?;
    let bench = arguments.get_flag("against-sim").then(|| Bench::of(p, arguments)).transpose()?;
    let points: usize = grids.iter().map(Vec::len).product();
    let most = if bench.is_some() { MAX_SIMULATED } else { MAX_POINTS };
    if points > most {
        let with = if bench.is_some() { " with --against-sim" } else { "" };
        return Err(Error::Usage(format!("the grids have {points} points together, at most {most} are allowed{with}")));
    }
    let answer = Answer::of(p, &grids, bench);
    Ok(if arguments.get_flag("csv") { answer.table().to_csv() } else { answer.text() })
}

fn values(input: &Input, arguments: &ArgMatches) -> Result<Vec<f64>, Error> {
    let Some(text) = arguments.get_one::<String>(input.name) else { return Ok(vec![input.default]) };
    let flag = input.name.replace('_', "-");
    let values = grid::parse(&flag, text).map_err(|e| Error::Grid(e.into(), Origin::Flag))?;
    let fits = |x: &f64| (input.range.0..=input.range.1).contains(x) && (!input.whole || x.fract() == 0.0);
    match values.iter().find(|x| !fits(x)) {
        Some(x) => Err(Error::knob(KnobError::new(&flag, x, format!("must be a {}", allowed(input))), &Origin::Flag)),
        None => Ok(values),
    }
}

/// The simulation asked for.
#[derive(Clone, Copy)]
struct Bench {
    simulation: &'static Simulation,
    replicates: Replicates,
}

impl Bench {
    fn of(p: &Proposition, arguments: &ArgMatches) -> Result<Self, Error> {
        let number = |name: &str, default| arguments.get_one::<u64>(name).copied().unwrap_or(default);
        let known = || SIMULATIONS.iter().map(|s| s.proposition).collect::<Vec<_>>().join(", ");
        let missing = || Error::Usage(format!("--against-sim: the engine has no simulation of {}; it has one of {}", p.id, known()));
        let replicates = Replicates { seed: Seed(number("seed", 0)), count: number("replicates", 200) as usize };
        Ok(Bench { simulation: against::find(p).ok_or_else(missing)?, replicates })
    }

    fn measures(&self, output: &str) -> bool {
        self.simulation.measures.iter().any(|m| m.output == output)
    }

    /// The mean over replicates with its 95 % interval, or the exact number.
    fn measure(&self, output: &str, point: &[f64]) -> Option<Interval> {
        match self.simulation.simulate(output, point, self.replicates)? {
            Simulated::Exact(value) => Some(Interval { value, low: None, high: None }),
            Simulated::Sampled(values) => mean_interval(&values, 0.95),
        }
    }
}

/// A proposition at every point of the product of its grids, the last input fastest.
struct Answer<'a> {
    proposition: &'a Proposition,
    points: Vec<Vec<f64>>,
    /// Per point and output.
    theory: Vec<Vec<Option<f64>>>,
    /// Per point and output; empty without a simulation.
    simulated: Vec<Vec<Option<Interval>>>,
    bench: Option<Bench>,
}

impl<'a> Answer<'a> {
    fn of(proposition: &'a Proposition, grids: &[Vec<f64>], bench: Option<Bench>) -> Self {
        let longer = |points: Vec<Vec<f64>>, grid: &Vec<f64>| {
            points.iter().flat_map(|point| grid.iter().map(|x| [point.as_slice(), &[*x]].concat())).collect::<Vec<_>>()
        };
        let points = grids.iter().fold(vec![Vec::new()], longer);
        let theory = points.iter().map(|point| (proposition.evaluate)(point)).collect();
        let simulate = |bench: Bench| {
            let at = |point: &Vec<f64>| proposition.outputs.iter().map(|o| bench.measure(o.name, point)).collect();
            points.iter().map(at).collect()
        };
        Answer { proposition, simulated: bench.map_or(Vec::new(), simulate), theory, bench, points }
    }

    /// Everything, for other programs.
    fn table(&self) -> Table {
        let mut table = Table::new();
        for (i, input) in self.proposition.inputs.iter().enumerate() {
            table.float(input.name, input.doc, self.points.iter().map(|point| Some(point[i])));
        }
        for (i, output) in self.proposition.outputs.iter().enumerate() {
            table.float(output.name, output.doc, self.theory.iter().map(|values| values[i]));
            if self.bench.is_some() {
                let simulated = || self.simulated.iter().map(|values| values[i]);
                table.float(&format!("{}_sim", output.name), "as simulated", simulated().map(|v| Some(v?.value)));
                table.float(&format!("{}_sim_half_width", output.name), "half of its 95 % interval", simulated().map(|v| v?.half_width()));
            }
        }
        table
    }

    /// What a person reads: the point and a line per output, or the fixed inputs and a line per point.
    fn text(&self) -> String {
        let (fixed, varied): (Vec<usize>, Vec<usize>) = (0..self.proposition.inputs.len()).partition(|i| self.is_fixed(*i));
        let settings: Vec<String> =
            fixed.iter().map(|i| format!("{} = {}", self.proposition.inputs[*i].name, plain(self.points[0][*i]))).collect();
        let at = if settings.is_empty() { String::new() } else { format!(" at {}", settings.join(", ")) };
        let body = if varied.is_empty() { self.list() } else { self.grid(&varied) };
        let note = self.bench.map_or(String::new(), |bench| self.note(bench));
        format!("{} {}{at}\n\n{body}\n{note}", self.proposition.id, self.proposition.name)
    }

    /// What was run, and how to read what it gave.
    fn note(&self, bench: Bench) -> String {
        let all = || self.simulated.iter().flatten();
        let count = bench.replicates.count;
        let setup = wrapped(&format!("simulation: {}", bench.simulation.setup));
        let sampled = all().flatten().any(|v| v.half_width().is_some());
        let widths = if sampled { format!("±: half of the 95 % interval of the mean of {count} replicates\n") } else { String::new() };
        let empty = if all().any(Option::is_none) { "empty: not measured, or not at these inputs\n" } else { "" };
        format!("\n{setup}\n{widths}{empty}")
    }

    fn is_fixed(&self, input: usize) -> bool {
        self.points.iter().all(|point| point[input] == self.points[0][input])
    }

    /// One line per output.
    fn list(&self) -> String {
        let mut shown = plain_table();
        let head =
            if self.bench.is_some() { vec!["output", "theory", "simulated", "meaning"] } else { vec!["output", "theory", "meaning"] };
        shown.set_header(head);
        for (i, output) in self.proposition.outputs.iter().enumerate() {
            let theory = self.theory[0][i].map_or(String::new(), digits);
            let simulated = self.simulated.first().map(|values| values[i].map_or(String::new(), with_half_width));
            let row = [Some(output.name.to_string()), Some(theory), simulated, Some(output.doc.to_string())];
            shown.add_row(row.into_iter().flatten());
        }
        shown.column_iter_mut().skip(1).take(1).for_each(|c| c.set_cell_alignment(CellAlignment::Right));
        shown.trim_fmt()
    }

    /// One line per point: the inputs that vary, then each output and what is measured of it.
    fn grid(&self, varied: &[usize]) -> String {
        let p = self.proposition;
        let mut shown = plain_table();
        let measured = |i: usize| self.bench.is_some_and(|bench| bench.measures(p.outputs[i].name));
        let outputs = (0..p.outputs.len()).flat_map(|i| {
            let sim = measured(i).then(|| "sim".to_string());
            std::iter::once(folded(p.outputs[i].name)).chain(sim)
        });
        shown.set_header(varied.iter().map(|i| folded(p.inputs[*i].name)).chain(outputs));
        for (row, point) in self.points.iter().enumerate() {
            let outputs = (0..p.outputs.len()).flat_map(|i| {
                let sim = measured(i).then(|| self.simulated[row][i].map_or(String::new(), with_half_width));
                std::iter::once(self.theory[row][i].map_or(String::new(), digits)).chain(sim)
            });
            shown.add_row(varied.iter().map(|i| digits(point[*i])).chain(outputs));
        }
        shown.column_iter_mut().for_each(|c| c.set_cell_alignment(CellAlignment::Right));
        shown.trim_fmt()
    }
}

fn plain_table() -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    let line = LineStyle::none().fill('─').junction('─');
    table.load_style(presets::NOTHING.header_separator(line)).set_content_arrangement(ContentArrangement::Disabled);
    table
}

/// Letters of a line of prose.
const WIDTH: usize = 120;

/// Prose in lines.
fn wrapped(text: &str) -> String {
    fill(text.split(' '), WIDTH)
}

/// A name in lines as long as its longest word, or ten letters.
fn folded(name: &str) -> String {
    let width = name.split('_').map(str::len).max().unwrap_or(0).max(10);
    fill(name.split('_'), width)
}

/// Words in lines of at most `width` letters.
fn fill<'w>(words: impl Iterator<Item = &'w str>, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut().filter(|line| line.len() + 1 + word.len() <= width) {
            Some(line) => *line = format!("{line} {word}"),
            None => lines.push(word.into()),
        }
    }
    lines.join("\n")
}

/// All digits, with an exponent where zeros would pile up.
fn plain(x: f64) -> String {
    if x == 0.0 || (1e-4..1e9).contains(&x.abs()) { x.to_string() } else { format!("{x:e}") }
}

/// Six significant digits.
fn digits(x: f64) -> String {
    significant(x, 6)
}

/// So many significant digits, without zeros at the end; with an exponent where zeros would pile up.
fn significant(x: f64, count: usize) -> String {
    if x != 0.0 && !(1e-4..1e9).contains(&x.abs()) {
        return format!("{x:.*e}", count - 1);
    }
    let places = if x == 0.0 { 0 } else { (count as i32 - 1 - x.abs().log10().floor() as i32).max(0) as usize };
    let text = format!("{x:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

/// Relative width below which an interval is rounding alone: replicates that are all the same.
const ROUNDING: f64 = 1e-12;

/// The value, and two digits of its half width where it has one.
fn with_half_width(interval: Interval) -> String {
    match interval.half_width() {
        Some(half) if half < ROUNDING * interval.value.abs() => format!("{} ± 0", digits(interval.value)),
        Some(half) => format!("{} ± {}", digits(interval.value), significant(half, 2)),
        None => digits(interval.value),
    }
}

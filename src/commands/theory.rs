//! `mta-sim theory P2 --p0 0.02,0.2`: evaluates a proposition over grids.

use crate::error::{Error, Origin};
use crate::grid;
use clap::{Arg, ArgAction, ArgMatches, Command};
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, presets};
use mta_sims::knob::KnobError;
use mta_sims::table::Table;
use mta_theory::proposition::{Input, Proposition};
use mta_theory::propositions::PROPOSITIONS;

/// Points of the product of all grids.
const MAX_POINTS: usize = 1_000_000;

/// The subcommand: one subcommand per proposition, its inputs as flags.
pub fn command() -> Command {
    Command::new("theory")
        .about("Evaluate a proposition of the theory over grids")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(PROPOSITIONS.iter().map(|p| proposition(p)))
}

fn proposition(p: &'static Proposition) -> Command {
    let csv = Arg::new("csv").long("csv").action(ArgAction::SetTrue).help("Comma-separated values with all digits");
    let outputs: String = p.outputs.iter().map(|o| format!("\n  {}: {}", o.name, o.doc)).collect();
    let more = format!("formula: {}\nassumptions: {}\nsource: {}\noutputs:{outputs}", p.formula, p.assumptions, p.source);
    Command::new(p.id).visible_alias(p.name).about(p.statement).after_help(more).args(p.inputs.iter().map(flag)).arg(csv)
}

fn flag(input: &'static Input) -> Arg {
    let help = format!("{} [{}; default: {}]", input.doc, allowed(input), plain(input.default));
    Arg::new(input.name).long(input.name.replace('_', "-")).alias(input.name).value_name("GRID").allow_hyphen_values(true).help(help)
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
    let points: usize = grids.iter().map(Vec::len).product();
    if points > MAX_POINTS {
        return Err(Error::Usage(format!("the grids have {points} points together, at most {MAX_POINTS} are allowed")));
    }
    let table = evaluate(p, &grids);
    Ok(if arguments.get_flag("csv") { table.to_csv() } else { text(&table) + "\n" })
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

/// One row per point of the product of the grids, the last input fastest.
fn evaluate(p: &Proposition, grids: &[Vec<f64>]) -> Table {
    let longer = |points: Vec<Vec<f64>>, grid: &Vec<f64>| {
        points.iter().flat_map(|point| grid.iter().map(|x| [point.as_slice(), &[*x]].concat())).collect::<Vec<_>>()
    };
    let points = grids.iter().fold(vec![Vec::new()], longer);
    let results: Vec<Vec<Option<f64>>> = points.iter().map(|point| (p.evaluate)(point)).collect();
    let mut table = Table::new();
    for (i, input) in p.inputs.iter().enumerate() {
        table.float(input.name, input.doc, points.iter().map(|point| Some(point[i])));
    }
    for (i, output) in p.outputs.iter().enumerate() {
        table.float(output.name, output.doc, results.iter().map(|result| result[i]));
    }
    table
}

fn text(table: &Table) -> String {
    let mut shown = comfy_table::Table::new();
    let line = LineStyle::none().fill('─').junction('─');
    shown.load_style(presets::NOTHING.header_separator(line)).set_content_arrangement(ContentArrangement::Disabled);
    shown.set_header(table.columns().iter().map(|c| c.name.replace('_', "\n")));
    for row in 0..table.rows() {
        shown.add_row(table.columns().iter().map(|c| table.number(&c.name, row).map_or(String::new(), digits)));
    }
    shown.column_iter_mut().for_each(|c| c.set_cell_alignment(CellAlignment::Right));
    shown.to_string()
}

/// All digits, with an exponent where zeros would pile up.
fn plain(x: f64) -> String {
    if x == 0.0 || (1e-4..1e9).contains(&x.abs()) { x.to_string() } else { format!("{x:e}") }
}

/// Six significant digits.
fn digits(x: f64) -> String {
    if x != 0.0 && !(1e-4..1e9).contains(&x.abs()) {
        return format!("{x:.5e}");
    }
    let places = if x == 0.0 { 0 } else { (5 - x.abs().log10().floor() as i32).max(0) as usize };
    let text = format!("{x:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

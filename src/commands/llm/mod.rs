//! `mta-sim llm`: the same questions put to real transformers.

mod eval;
mod grow;
mod subject;
mod train;
mod verify;

pub use verify::judge;

use crate::error::{Error, Origin};
use crate::settings::Settings;
use clap::{Arg, ArgMatches, Command};
use comfy_table::{CellAlignment, ContentArrangement, presets};
use mta_sims::knob::KnobError;

/// The subcommand.
pub fn command() -> Command {
    Command::new("llm")
        .about("Grow, train and judge transformers")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(grow::command())
        .subcommand(train::command())
        .subcommand(eval::command())
        .subcommand(verify::command())
}

/// Runs the subcommand and prints its answer.
///
/// # Errors
/// As the library's.
pub fn llm(matches: &ArgMatches) -> Result<(), Error> {
    match matches.subcommand() {
        Some(("grow", arguments)) => grow::grow(arguments),
        Some(("train", arguments)) => train::train(arguments),
        Some(("eval", arguments)) => eval::eval(arguments),
        Some(("verify", arguments)) => verify::verify(arguments),
        _ => unreachable!("clap requires a known subcommand"),
    }
}

/// An option with a value.
fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

/// What clap holds under `name`, which has a default or is required.
fn given<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, name: &str) -> T {
    matches.get_one::<T>(name).expect("clap fills it in").clone()
}

/// A setting out of its range, as the flag it was given by.
fn refuse(flag: &str, value: impl std::fmt::Display, allowed: &str) -> Error {
    Error::Usage(format!("--{flag} {value}: {allowed}"))
}

/// Refuses a grid of any knob but `gridded`.
fn refuse_grids(layers: &Settings, gridded: Option<&str>) -> Result<(), Error> {
    let Some(axis) = layers.axes().into_iter().find(|axis| Some(axis.knob) != gridded) else { return Ok(()) };
    let given = axis.values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let only = gridded.map(|knob| format!(": only {knob} takes a grid")).unwrap_or_default();
    let allowed = format!("must be one number here{only}");
    Err(Error::knob(KnobError::new(&axis.knob.replace('_', "-"), given, allowed), &Origin::Flag))
}

/// A number with `places` decimals; empty where missing.
fn number(x: Option<f64>, places: usize) -> String {
    x.map_or(String::new(), |x| format!("{x:.places$}"))
}

/// Columns of text, numbers to the right.
fn columns(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).force_no_tty();
    table.set_header(header.iter().map(ToString::to_string));
    table.add_rows(rows);
    table.column_iter_mut().enumerate().for_each(|(i, column)| {
        column.set_cell_alignment(if i == 0 { CellAlignment::Left } else { CellAlignment::Right });
        column.set_padding((0, 2));
    });
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

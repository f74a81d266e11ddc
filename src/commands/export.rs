//! `mta-sim export RUN --to FORMAT`: a run for other tools.

use crate::commands::say;
use crate::error::Error;
use crate::export::FORMATS;
use crate::export::source::Source;
use clap::{Arg, ArgMatches, Command, value_parser};
use mta_sims::registry::{Named, find};
use std::path::PathBuf;

/// The subcommand.
pub fn command() -> Command {
    let formats: String = FORMATS.iter().map(|f| format!("{:14} {}\n", f.name(), f.entry().doc)).collect();
    let help = format!("Formats:\n{formats}The tables of a sweep are Parquet files already, for polars, DuckDB and pandas.");
    Command::new("export")
        .about("Write a run in the format of another tool")
        .after_help(help)
        .arg(
            Arg::new("run").value_name("RUN").required(true).value_parser(value_parser!(PathBuf)).help("Folder of a sweep or of llm train"),
        )
        .arg(Arg::new("to").long("to").value_name("FORMAT").required(true).help("The format"))
        .arg(
            Arg::new("out")
                .long("out")
                .value_name("FOLDER")
                .value_parser(value_parser!(PathBuf))
                .help("Where to write [default: RUN/export/FORMAT]"),
        )
}

/// Runs the subcommand and prints its answer.
///
/// # Errors
/// When nobody knows the format, the run cannot be read, or the files cannot be written.
pub fn export(matches: &ArgMatches) -> Result<(), Error> {
    let folder: &PathBuf = matches.get_one("run").expect("clap requires a folder");
    let format = find("format", FORMATS, matches.get_one::<String>("to").expect("clap requires a format"))?;
    let source = Source::open(folder)?;
    let out = matches.get_one::<PathBuf>("out").cloned().unwrap_or_else(|| folder.join("export").join(format.name()));
    std::fs::create_dir_all(&out).map_err(Error::file(&out, "is no folder to write to"))?;
    (format.write)(&source, &out)?;
    say(&format!("{}: {}\n", format.name(), out.display()));
    Ok(())
}

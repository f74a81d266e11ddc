//! `mta-sim import FILE... --from FORMAT`: pass counts from the files of other programs.

use crate::commands::say;
use crate::error::Error;
use crate::import::{self, Asked, Count, IMPORTERS, THRESHOLD};
use crate::store::write_whole;
use clap::{Arg, ArgMatches, Command, value_parser};
use mta_sims::registry::{Named, find};
use std::path::{Path, PathBuf};

/// The subcommand.
pub fn command() -> Command {
    let formats: String = IMPORTERS.iter().map(|i| format!("{:16} {}\n", i.name(), i.entry().doc)).collect();
    let files = Arg::new("files").value_name("FILE").required(true).num_args(1..).value_parser(value_parser!(PathBuf));
    let out = Arg::new("out").long("out").value_name("FILE").value_parser(value_parser!(PathBuf));
    Command::new("import")
        .about("Turn another program's graded samples into pass counts: id, n, c")
        .after_help(format!("Formats:\n{formats}Files end with .csv, .json, .jsonl or .parquet."))
        .arg(files.help("Files of one format; what they say of one prompt at one step is added up"))
        .arg(Arg::new("from").long("from").value_name("FORMAT").required(true).help("The format"))
        .arg(Arg::new("score").long("score").value_name("NAME").help("Column or metric of scores [default: the format's]"))
        .arg(
            Arg::new("threshold")
                .long("threshold")
                .value_name("X")
                .allow_hyphen_values(true)
                .value_parser(finite)
                .help(format!("Score from which on a sample is correct [default: {THRESHOLD}]")),
        )
        .arg(out.help("The CSV file to write [default: the terminal]"))
}

fn finite(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|x: &f64| x.is_finite()).ok_or_else(|| "must be a number".into())
}

/// Runs the subcommand and prints its answer.
///
/// # Errors
/// When nobody knows the format, a file cannot be read or holds something else, or the counts cannot be written.
pub fn import(matches: &ArgMatches) -> Result<(), Error> {
    let importer = find("format", IMPORTERS, matches.get_one::<String>("from").expect("clap requires a format"))?;
    let files: Vec<&Path> = matches.get_many::<PathBuf>("files").expect("clap requires a file").map(PathBuf::as_path).collect();
    let asked = Asked {
        score: matches.get_one::<String>("score").cloned(),
        threshold: matches.get_one::<f64>("threshold").copied().unwrap_or(THRESHOLD),
    };
    let counts = import::read(importer, &files, &asked)?;
    let text = import::table(&counts).to_csv();
    match matches.get_one::<PathBuf>("out") {
        None => say(&text),
        Some(out) => {
            write_whole(out, text.as_bytes())?;
            say(&format!("{}: {}\n", words(&counts), out.display()));
        }
    }
    Ok(())
}

/// The counts in a sentence.
fn words(counts: &[Count]) -> String {
    let (n, c) = counts.iter().fold((0.0, 0.0), |(n, c), count| (n + count.n as f64, c + count.c as f64));
    let share = if n > 0.0 { format!(", {:.1} % of {n} samples correct", 100.0 * c / n) } else { String::new() };
    format!("{} rows{share}", counts.len())
}

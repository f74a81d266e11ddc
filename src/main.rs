//! `mta-sim`: parse, call, exit code.

use mta_sim::{cli, commands, error::Error};
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run() -> Result<(), Error> {
    let matches = cli::command().get_matches();
    match matches.subcommand() {
        Some(("sweep", arguments)) => commands::sweep::sweep(arguments),
        Some(("list", arguments)) => say(&commands::list::list(text(arguments, "kind"))),
        Some(("show", arguments)) => say(&commands::show::show(text(arguments, "kind"), text(arguments, "name"))?),
        _ => unreachable!("clap requires a known subcommand"),
    }
}

fn text<'a>(matches: &'a clap::ArgMatches, name: &str) -> &'a str {
    matches.get_one::<String>(name).map_or("", String::as_str)
}

/// Prints; a reader that stopped reading (`| head`) is no error.
fn say(text: &str) -> Result<(), Error> {
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}

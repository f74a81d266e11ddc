//! `mta-sim`: parse, call, exit code.

use mta_sim::{cli, commands, error::Error};
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A standard error nobody can write to changes nothing about the exit code.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run() -> Result<(), Error> {
    let matches = cli::command().get_matches();
    match matches.subcommand() {
        Some(("sweep", arguments)) => commands::sweep::sweep(arguments),
        Some(("figures", arguments)) => commands::figures::figures(arguments),
        Some(("report", arguments)) => commands::report::report(arguments),
        Some(("view", arguments)) => commands::view::view(arguments),
        Some(("export", arguments)) => commands::export::export(arguments),
        Some(("import", arguments)) => commands::import::import(arguments),
        Some(("list", arguments)) => {
            commands::say(&commands::list::list(text(arguments, "kind")));
            Ok(())
        }
        Some(("show", arguments)) => {
            commands::show::show(text(arguments, "kind"), text(arguments, "name")).map(|text| commands::say(&text))
        }
        Some(("bench", arguments)) => commands::bench::bench(arguments),
        Some(("verify", arguments)) => commands::verify::verify(arguments),
        Some(("llm", arguments)) => commands::llm::llm(arguments),
        Some(("theory", arguments)) => commands::theory::theory(arguments).map(|text| commands::say(&text)),
        _ => unreachable!("clap requires a known subcommand"),
    }
}

fn text<'a>(matches: &'a clap::ArgMatches, name: &str) -> &'a str {
    matches.get_one::<String>(name).map_or("", String::as_str)
}

//! `mta-sim bench`: how fast this machine runs fixed workloads.

use crate::bench::{Request, measure, table};
use crate::commands::say;
use crate::engine::Backend;
use crate::error::Error;
use crate::{runner, store};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use mta_sims::registry::Named;
use mta_sims::workloads::WORKLOADS;
use std::path::PathBuf;

const HELP: &str = "\
Times alternate between engines, after one run of each that is not timed. 'ceiling' is the share of this machine's own rate of exponentials or random words,
whichever is larger, both measured in the same run. The reference loop is given a hundredth of the replicas.";

/// The subcommand.
pub fn command() -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| Arg::new(name).long(name).value_name(value).help(help);
    let names = PossibleValuesParser::new(WORKLOADS.iter().map(|w| w.name()));
    Command::new("bench")
        .about("Time the engines on fixed workloads, beside what this machine can do at most")
        .after_help(HELP)
        .arg(Arg::new("workloads").num_args(0..).value_name("WORKLOAD").help("Workloads to time, all unless named").value_parser(names))
        .arg(
            option("backend", "NAME", "Time this engine only [default: all that this machine has]")
                .value_parser(PossibleValuesParser::new(Backend::ALL.map(Backend::name)))
                .action(ArgAction::Append),
        )
        .arg(option("replicas", "N", "Replicas [default: the workload's own]").value_parser(value_parser!(u32).range(1..=16_777_216)))
        .arg(option("repeats", "N", "Timed runs of each").default_value("5").value_parser(value_parser!(u16).range(1..=1000)))
        .arg(option("threads", "N", "Threads, 0 for all").default_value("0").value_parser(value_parser!(u16).range(..=1024)))
        .arg(option("json", "FILE", "Write the report there as well").value_parser(value_parser!(PathBuf)))
}

/// Runs the subcommand and prints its answer.
pub fn bench(matches: &ArgMatches) -> Result<(), Error> {
    let threads = usize::from(*matches.get_one::<u16>("threads").expect("it has a default"));
    let request = request(matches)?;
    let report = runner::pool(threads)?.install(|| measure(&request))?;
    if let Some(file) = matches.get_one::<PathBuf>("json") {
        let json = serde_json::to_string_pretty(&report).expect("numbers and text always serialise");
        store::write_whole(file, (json + "\n").as_bytes())?;
    }
    say(&table(&report));
    Ok(())
}

fn request(matches: &ArgMatches) -> Result<Request, Error> {
    let given = |name: &str| matches.get_many::<String>(name).into_iter().flatten().map(String::as_str).collect::<Vec<_>>();
    let asked = |names: &[&str], name: &str| names.is_empty() || names.contains(&name);
    let (workloads, named) = (given("workloads"), given("backend"));
    let mut backends: Vec<Backend> = Backend::ALL.into_iter().filter(|b| asked(&named, b.name())).collect();
    if named.is_empty() {
        backends.retain(|b| b.engine().open().is_ok());
    }
    backends.iter().try_for_each(|b| b.engine().open())?;
    Ok(Request {
        workloads: WORKLOADS.iter().copied().filter(|w| asked(&workloads, w.name())).collect(),
        backends,
        replicas: matches.get_one::<u32>("replicas").map(|n| *n as usize),
        repeats: usize::from(*matches.get_one::<u16>("repeats").expect("it has a default")),
    })
}

//! `mta-sim verify`: holds every claim of the papers against theory, bandit and tree.

use crate::commands::say;
use crate::error::Error;
use crate::store;
use crate::verdicts;
use crate::verify::{BUDGETS, Budget, Request, judge};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use mta_sims::claims::{CLAIMS, Claim, FIRST_SEED, Rung};
use mta_sims::registry::UnknownName;
use std::path::{Path, PathBuf};

const HELP: &str = "\
A claim holds where every margin's lower bound is at least 0, fails where one's upper bound is below 0, and is undecided otherwise; then more seeds are
drawn, up to the budget. Beside each verdict stands its counterexample: one assumption dropped, and the claim must fail.
Exit code 1 if a claim comes out against what is expected of it, or a counterexample holds.";

/// The subcommand.
pub fn command() -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| Arg::new(name).long(name).value_name(value).help(help);
    Command::new("verify")
        .about("Judge the papers' claims: holds, fails or undecided, with margins and counterexamples")
        .after_help(HELP)
        .arg(Arg::new("claims").num_args(0..).value_name("CLAIM").help("Claims to judge, all unless named (mta-sim list claims)"))
        .arg(
            option("rung", "RUNG", "Judge on this rung only [default: all but llm, which trains transformers]")
                .value_parser(PossibleValuesParser::new(Rung::ALL.map(Rung::name)))
                .action(ArgAction::Append),
        )
        .arg(
            option("budget", "NAME", "quick: at most 96 seeds a margin; full: 768")
                .default_value("quick")
                .value_parser(PossibleValuesParser::new(BUDGETS.map(|b| b.name))),
        )
        .arg(option("alpha", "P", "Largest probability of a wrong 'holds' and of a wrong 'fails', per verdict").default_value("0.01"))
        .arg(option("seed", "N", "First seed [default: one no sweep begins with]").value_parser(value_parser!(u64).range(..1 << 62)))
        .arg(option("threads", "N", "Threads, 0 for all").default_value("0").value_parser(value_parser!(u16).range(..=1024)))
        .arg(
            option("out", "FOLDER", "Where verdicts.json and verdicts.md go")
                .default_value("runs/verify")
                .value_parser(value_parser!(PathBuf)),
        )
}

/// Runs the subcommand and prints its answer.
pub fn verify(matches: &ArgMatches) -> Result<(), Error> {
    let request = request(matches)?;
    let folder = matches.get_one::<PathBuf>("out").expect("it has a default");
    store::prepare(folder)?;
    let clock = std::time::Instant::now();
    let threads = usize::from(*matches.get_one::<u16>("threads").expect("it has a default"));
    let mut judged = judge(&request, threads)?;
    if request.rungs.contains(&Rung::Llm) {
        judged.extend(crate::commands::llm::judge(&request, threads)?);
    }
    write(&judged, request.alpha, folder)?;
    let sentence = verdicts::sentence(&judged, request.alpha);
    let found = verdicts::paragraphs(&judged);
    let tail = format!("{} verdicts in {:.1} s: {}", judged.len(), clock.elapsed().as_secs_f64(), folder.join("verdicts.md").display());
    say(&format!("{}\n{sentence}\n\n{found}\n{tail}\n", verdicts::table(&judged)));
    let unexpected: Vec<String> = judged.iter().filter(|j| !j.is_expected()).map(verdicts::name).collect();
    if unexpected.is_empty() { Ok(()) } else { Err(Error::Unexpected(unexpected.join(", "))) }
}

/// Writes verdicts as JSON and as Markdown.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(judged: &[crate::verify::Judged], alpha: f64, folder: &Path) -> Result<(), Error> {
    let json = serde_json::to_string_pretty(&verdicts::json(judged)).expect("numbers and text always serialise");
    store::write_whole(&folder.join("verdicts.json"), (json + "\n").as_bytes())?;
    store::write_whole(&folder.join("verdicts.md"), verdicts::markdown(judged, alpha).as_bytes())
}

fn request(matches: &ArgMatches) -> Result<Request, Error> {
    let claims = claims(matches)?;
    let rungs = rungs(matches);
    let judged_there = |c: &&'static Claim| c.trials.iter().any(|t| rungs.contains(&t.rung));
    if !claims.iter().any(judged_there) {
        let names: Vec<&str> = rungs.iter().map(|r| r.name()).collect();
        let there: Vec<String> = claims
            .iter()
            .flat_map(|c| c.trials)
            .map(|t| t.rung.to_string())
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect();
        return Err(Error::Usage(format!(
            "--rung {}: none of these claims is judged there; they are judged on {}",
            names.join(" "),
            there.join(", ")
        )));
    }
    let name = matches.get_one::<String>("budget").expect("it has a default");
    let budget: Budget = BUDGETS.into_iter().find(|b| b.name == name).expect("clap knows the budgets");
    let first_seed = matches.get_one("seed").copied().unwrap_or(FIRST_SEED);
    Ok(Request { claims, rungs, budget, counterexamples: true, alpha: alpha(matches)?, first_seed })
}

fn claims(matches: &ArgMatches) -> Result<Vec<&'static Claim>, Error> {
    let names: Vec<&String> = matches.get_many("claims").into_iter().flatten().collect();
    let unknown = |name: &str| UnknownName::new("claim", name, CLAIMS.iter().map(|c| c.id.into()).collect());
    if let Some(name) = names.iter().find(|name| CLAIMS.iter().all(|c| c.id != name.as_str())) {
        return Err(unknown(name).into());
    }
    Ok(CLAIMS.iter().copied().filter(|c| names.is_empty() || names.iter().any(|n| *n == c.id)).collect())
}

fn rungs(matches: &ArgMatches) -> Vec<Rung> {
    let names: Vec<&String> = matches.get_many("rung").into_iter().flatten().collect();
    let asked = |rung: &Rung| if names.is_empty() { *rung != Rung::Llm } else { names.iter().any(|n| *n == rung.name()) };
    Rung::ALL.into_iter().filter(asked).collect()
}

fn alpha(matches: &ArgMatches) -> Result<f64, Error> {
    let text = matches.get_one::<String>("alpha").expect("it has a default");
    let parsed = text.parse::<f64>().ok().filter(|a| (1e-12..=0.5).contains(a));
    parsed.ok_or_else(|| Error::Usage(format!("--alpha {text}: must be a number in [1e-12, 0.5]")))
}

//! `mta-sim llm verify`: forecasts, then every recipe on grown transformers, then verdicts.

use super::option;
use crate::bridge::{Bridge, Compared};
use crate::commands::{self, say};
use crate::error::Error;
use crate::groups::Groups;
use crate::verdicts;
use crate::verify::{Judged, LLM_BUDGETS, Request};
use crate::{report, sweep};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use mta_llm::forecast::Fit;
use mta_sims::claims::{CLAIMS, FIRST_SEED, Rung};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Instant;

const HELP: &str = "\
Base models are grown on corpora whose methods follow the alignment prior; before each recipe runs on them the simulator writes its forecast.
What is finished is kept: the same command goes on where it was stopped.";

/// Where the llm rung keeps its models and results unless told otherwise.
const FOLDER: &str = "runs/llm";

/// Recipes of the comparison.
const RECIPES: &str =
    "standard,one-shot,random,incorrect,majority,self-sharpen,self-certainty,entropy-min,negative-only,positive-only,distill";

/// The subcommand.
pub(super) fn command() -> Command {
    Command::new("verify")
        .about("Forecast, run and judge every recipe on grown transformers")
        .after_help(HELP)
        .arg(Arg::new("quick").long("quick").action(ArgAction::SetTrue).help("Both ends of alignment, 3 seeds, no counterexamples"))
        .arg(option("alignment", "GRID", "Alignments of the comparison [default: 0.1..0.9:0.2; quick: 0.1,0.9]"))
        .arg(option("seeds", "N", "Seeds of the comparison [default: 6; quick: 3]").value_parser(value_parser!(u64).range(1..=10_000)))
        .arg(option("recipes", "NAMES", "Recipes of the comparison, separated by commas").default_value(RECIPES))
        .arg(option("threads", "N", "Threads, 0 for all").default_value("0").value_parser(value_parser!(u16).range(..=1024)))
        .arg(option("out", "FOLDER", "Where everything goes").default_value(FOLDER).value_parser(value_parser!(PathBuf)))
}

/// Runs the subcommand and prints its answer.
///
/// # Errors
/// As the library's.
pub(super) fn verify(matches: &ArgMatches) -> Result<(), Error> {
    let clock = Instant::now();
    let (quick, folder) = (matches.get_flag("quick"), matches.get_one::<PathBuf>("out").expect("it has a default"));
    let threads = usize::from(*matches.get_one::<u16>("threads").expect("it has a default"));
    let recipes = matches.get_one::<String>("recipes").expect("it has a default");
    let (alignments, seeds, budget) = if quick { ("0.1,0.9", 3, LLM_BUDGETS[0]) } else { ("0.1..0.9:0.2", 6, LLM_BUDGETS[1]) };
    let alignments = matches.get_one::<String>("alignment").map_or(alignments, String::as_str);
    let seeds = matches.get_one::<u64>("seeds").copied().unwrap_or(seeds);
    let bridge = Bridge::new(folder, alignments, recipes, seeds, FIRST_SEED, threads)?;
    let compared = bridge.compare()?;
    draw(&compared, folder)?;
    say(&answer(&compared));
    let request =
        Request { claims: CLAIMS.to_vec(), rungs: vec![Rung::Llm], budget, counterexamples: !quick, alpha: ALPHA, first_seed: FIRST_SEED };
    let judged = bridge.judge(&request)?;
    commands::verify::write(&judged, ALPHA, folder)?;
    let tail = format!("{:.0} s: {}", clock.elapsed().as_secs_f64(), folder.display());
    say(&format!("{}\n{}\n{tail}\n", verdicts::table(&judged), verdicts::sentence(&judged, ALPHA)));
    Ok(())
}

/// Largest probability of a wrong verdict of either kind.
const ALPHA: f64 = 0.01;

/// Verdicts of a request on the llm rung, in the usual folder.
///
/// # Errors
/// As the library's.
pub fn judge(request: &Request, threads: usize) -> Result<Vec<Judged>, Error> {
    let budget = LLM_BUDGETS.into_iter().find(|b| b.name == request.budget.name).expect("budgets have the same names");
    let seeds = budget.looks.last().copied().unwrap_or_default();
    let bridge = Bridge::new(Path::new(FOLDER), "0.1,0.9", RECIPES, seeds, request.first_seed, threads)?;
    let counterexamples = request.counterexamples && budget != LLM_BUDGETS[0];
    bridge.judge(&Request { claims: request.claims.clone(), rungs: vec![Rung::Llm], budget, counterexamples, ..*request })
}

/// The figures of the outcome as of any sweep, and outcome against forecast.
fn draw(compared: &Compared, folder: &Path) -> Result<(), Error> {
    let command = sweep::command_line();
    let (knob, others, page) = (compared.plan.main_column(), compared.plan.other_columns(), mta_figures::Page::default());
    let tables = |o: &sweep::Outcome| Ok::<_, Error>((o.results()?, o.history()?));
    let (outcome, forecast) = (tables(&compared.outcome)?, tables(&compared.forecast)?);
    let [outcome, forecast] = [&outcome, &forecast].map(|(results, history)| mta_figures::Run {
        results,
        history,
        knob: &knob,
        others: &others,
        command: &command,
    });
    let pictures = folder.join("figures");
    let drawn = mta_figures::draw_all(&outcome, &pictures, page);
    let compare = |figure: &&'static dyn mta_figures::Figure| mta_figures::save(*figure, &[outcome, forecast], &pictures, page).map(drop);
    drawn.map(drop).and_then(|()| mta_figures::COMPARISONS.iter().try_for_each(compare)).map_err(|e| Error::Figure(e.to_string()))
}

/// Outcome and forecast, one table after the other.
fn answer(compared: &Compared) -> String {
    let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let table = |results| report::table(&compared.plan, &report::summarise(&Groups::whole(&compared.plan, results)), colours);
    let Fit { kinetics, rmse } = compared.fit;
    format!(
        "{}\n\nOn transformers:\n{}\n\nForecast (learning rate {}, sharing {}, fitted to other worlds with an error of {:.2}):\n{}\n\n",
        report::heading(&compared.plan),
        table(&compared.outcome.summary),
        kinetics.learning_rate,
        kinetics.sharing,
        rmse,
        table(&compared.forecast.summary)
    )
}

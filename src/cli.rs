//! The command line, made from the same lists as everything else: every knob is a flag.

use crate::engine::Backend;
use clap::builder::{PossibleValuesParser, StyledStr};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use mta_sims::config::{KNOBS, Knob};
use mta_sims::knob::Kind;
use std::path::PathBuf;

/// What can be listed and shown.
pub const KINDS: &[&str] = &["rules", "signals", "recipes", "knobs", "columns", "claims", "figures"];

/// The whole command line.
pub fn command() -> Command {
    Command::new("mta-sim")
        .version(env!("CARGO_PKG_VERSION"))
        .about("When do cheap RL recipes for language models work? A simulation where model-task alignment is a knob.")
        .after_help("Start with:  mta-sim sweep --alignment 0.1..0.9")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(crate::commands::sweep::command())
        .subcommand(crate::commands::figures::command())
        .subcommand(crate::commands::report::command())
        .subcommand(crate::commands::view::command())
        .subcommand(crate::commands::export::command())
        .subcommand(crate::commands::import::command())
        .subcommand(list())
        .subcommand(show())
        .subcommand(crate::commands::theory::command())
        .subcommand(crate::commands::verify::command())
        .subcommand(crate::commands::bench::command())
        .subcommand(crate::commands::llm::command())
}

fn flag(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help).help_heading("Run")
}

/// Flags that say what a sweep is, beside its knobs.
pub fn settings_flags() -> Vec<Arg> {
    vec![
        flag("config", "FILE", "Read settings from a TOML file").value_parser(value_parser!(PathBuf)),
        flag("recipes", "NAMES", "Recipes to run, separated by commas, or 'all' (mta-sim list recipes)"),
        flag("rule", "NAME", "Update rule of every recipe, instead of its own (mta-sim list rules)"),
        flag("seeds", "N", "Seeds per cell [default: 24]").value_parser(value_parser!(u64).range(1..=1_000_000)),
        flag("seed", "N", "First seed [default: 0]").value_parser(value_parser!(u64)),
        flag(
            "backend",
            "NAME",
            "What runs the cells: the readable loop in f64, vectors of cells in f32, or a GPU [default: cpu; reference in exact mode]",
        )
        .value_parser(PossibleValuesParser::new(Backend::ALL.map(Backend::name))),
        flag("out", "FOLDER", "Run folder [default: runs/sweep-<hash of the plan>]").value_parser(value_parser!(PathBuf)),
    ]
}

/// The flags of all knobs.
pub fn all_knobs() -> impl Iterator<Item = Arg> {
    KNOBS.iter().map(knob_flag)
}

/// Number of threads.
pub fn threads_flag() -> Arg {
    flag("threads", "N", "Threads, at most 1024, 0 for all [default: 0]").value_parser(value_parser!(u16).range(..=1024))
}

/// Flags of a sweep that is run at once.
pub fn run_flags() -> Vec<Arg> {
    vec![
        threads_flag(),
        flag("no-figures", "", "Do not draw figures").action(ArgAction::SetTrue).num_args(0),
        flag("dry-run", "", "Show the cells and an estimate, and stop").action(ArgAction::SetTrue).num_args(0),
    ]
}

/// The flag of a knob: its name with `-`, its aliases hidden.
pub fn knob_flag(knob: &'static Knob) -> Arg {
    let kind = (knob.kind)();
    let default = (knob.get)(&mta_sims::config::Config::DEFAULT);
    let note = if knob.section == "objective" { "default: the rule's".into() } else { format!("default: {default}") };
    let note = if let Kind::Choice(names) = kind { format!("one of {}; {note}", names.join(", ")) } else { note };
    Arg::new(knob.name)
        .long(knob.name.replace('_', "-"))
        .aliases(other_spellings(knob))
        .value_name(value_name(&kind))
        .help(StyledStr::from(format!("{} [{note}]", knob.doc.trim())))
        .help_heading(heading(knob.section))
        .allow_hyphen_values(true)
        .hide_possible_values(true)
}

/// Aliases, and the spellings of the configuration file, work as flags too.
fn other_spellings(knob: &'static Knob) -> impl Iterator<Item = String> {
    let with_hyphens = knob.aliases.iter().map(|a| a.replace('_', "-"));
    with_hyphens.chain(knob.aliases.iter().chain([&knob.name]).filter(|name| name.contains('_')).map(|name| name.to_string()))
}

fn value_name(kind: &Kind) -> String {
    match kind {
        Kind::Flag => "BOOL".into(),
        Kind::Choice(_) => "NAME".into(),
        _ => "GRID".into(),
    }
}

fn heading(section: &str) -> &'static str {
    match section {
        "world" => "World: the task and the base model",
        "policy" => "Policy",
        "train" => "Training",
        "signal" => "Signal: what pays",
        "data" => "Data: what is trained on",
        _ => "Objective: how the update uses rewards",
    }
}

fn list() -> Command {
    let kind = Arg::new("kind").required(true).value_parser(PossibleValuesParser::new(KINDS)).help("What to list");
    Command::new("list").about("List rules, signals, recipes, knobs, columns, claims or figures").arg(kind)
}

fn show() -> Command {
    let kinds: Vec<&str> = KINDS.iter().map(|k| k.trim_end_matches('s')).collect();
    Command::new("show")
        .about("Formula, defaults and source of one rule, signal, recipe, knob, column, claim or figure")
        .arg(Arg::new("kind").required(true).value_parser(PossibleValuesParser::new(kinds)).help("What it is"))
        .arg(Arg::new("name").required(true).help("Its name"))
}

/// The knobs given as flags, with their text; a command may have the flags of some knobs only.
pub fn knob_flags(matches: &ArgMatches) -> impl Iterator<Item = (&'static str, &str)> {
    let given = |name| matches.try_get_one::<String>(name).ok().flatten();
    KNOBS.iter().filter_map(move |k| given(k.name).map(|text| (k.name, text.as_str())))
}

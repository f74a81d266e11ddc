//! `mta-sim figures`: the figures of the papers from nothing, or of a finished sweep.

use crate::commands::list::list;
use crate::commands::say;
use crate::error::Error;
use crate::study::{Finished, finish};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use mta_figures::{ENDINGS, Effort, FIGURES, Figure, FigureError, Page, Run, Study, Venue, Width, save_as};
use mta_sims::registry::UnknownName;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The subcommand.
pub fn command() -> Command {
    let flag = |name: &'static str, value: &'static str, help: &'static str| Arg::new(name).long(name).value_name(value).help(help);
    let switch = |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    let venues = PossibleValuesParser::new(Venue::ALL.map(|v| v.0));
    Command::new("figures")
        .about("Draw the figures of the papers: run what they need, or take a finished sweep")
        .after_help(
            "Cells that are finished are not run again. Beside each picture lie its data (.csv) and what it shows and was made by (.txt).",
        )
        .arg(Arg::new("names").value_name("NAME").num_args(0..).help("Figures to draw (--list shows them)"))
        .arg(switch("all", "Draw every figure"))
        .arg(switch("list", "Show the names and what the figures show, and stop"))
        .arg(switch("quick", "A preview: fewer seeds and coarser grids"))
        .arg(
            flag("from", "RUN", "Draw from the folder of a finished sweep; run nothing")
                .value_parser(value_parser!(PathBuf))
                .conflicts_with("quick"),
        )
        .arg(flag("venue", "NAME", "Where it will be printed: widths and type sizes").value_parser(venues).default_value("neurips"))
        .arg(flag("cols", "WIDTH", "Full width, or one of two columns").value_parser(["full", "half"]).default_value("full"))
        .arg(
            flag("formats", "LIST", "Files to write, separated by commas [default: svg,pdf,png,csv,txt]")
                .value_parser(PossibleValuesParser::new(ENDINGS))
                .value_delimiter(','),
        )
        .arg(
            flag("runs", "FOLDER", "Where the runs behind the figures are kept")
                .value_parser(value_parser!(PathBuf))
                .default_value("runs/figures"),
        )
        .arg(
            flag("out", "FOLDER", "Where the pictures go [default: pictures/ in the folder of the runs, or figures/ in RUN]")
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(flag("threads", "N", "Threads, at most 1024, 0 for all").value_parser(value_parser!(u16).range(..=1024)).default_value("0"))
}

/// Everything the subcommand was told.
struct Order<'a> {
    figures: Vec<&'static dyn Figure>,
    /// Whether a figure that the run cannot show is left out, and no failure.
    lenient: bool,
    effort: Effort,
    page: Page,
    /// Flags that give this page again.
    page_flags: String,
    endings: Vec<&'a str>,
    runs: PathBuf,
    out: PathBuf,
    threads: usize,
}

/// Runs the subcommand and says what was drawn.
pub fn figures(matches: &ArgMatches) -> Result<(), Error> {
    if matches.get_flag("list") {
        say(&list("figures"));
        return Ok(());
    }
    let order = Order::read(matches)?;
    match matches.get_one::<PathBuf>("from") {
        Some(folder) => order.redraw(folder),
        None => order.draw(),
    }
}

impl<'a> Order<'a> {
    fn read(matches: &'a ArgMatches) -> Result<Self, Error> {
        let names: Vec<&String> = matches.get_many("names").unwrap_or_default().collect();
        let from = matches.get_one::<PathBuf>("from");
        let text = |name: &str| matches.get_one::<String>(name).map_or("", String::as_str);
        let venue: Venue = text("venue").parse().map_err(|e: FigureError| Error::Usage(e.to_string()))?;
        let width = if text("cols") == "half" { Width::Half } else { Width::Full };
        let runs = matches.get_one::<PathBuf>("runs").cloned().unwrap_or_default();
        let beside = from.map_or_else(|| runs.join("pictures"), |folder| folder.join("figures"));
        Ok(Order {
            figures: chosen(&names, matches.get_flag("all") || from.is_some())?,
            lenient: from.is_some() && names.is_empty(),
            effort: if matches.get_flag("quick") { Effort::Quick } else { Effort::Full },
            page: venue.page(width),
            page_flags: format!("--venue {} --cols {}", text("venue"), text("cols")),
            endings: matches.get_many::<String>("formats").map_or(ENDINGS.to_vec(), |list| list.map(String::as_str).collect()),
            out: matches.get_one::<PathBuf>("out").cloned().unwrap_or(beside),
            runs,
            threads: usize::from(*matches.get_one::<u16>("threads").unwrap_or(&0)),
        })
    }

    /// Draws what one finished sweep can show.
    fn redraw(&self, folder: &Path) -> Result<(), Error> {
        let finished = Finished::read(folder)?;
        self.each(|figure| self.save(figure, &[finished.run()]))
    }

    /// Draws each figure from its own studies, each run once.
    fn draw(&self) -> Result<(), Error> {
        let mut finished: BTreeMap<&str, Finished> = BTreeMap::new();
        self.each(|figure| {
            for study in figure.studies() {
                if !finished.contains_key(study.name) {
                    finished.insert(study.name, self.finish(figure, study)?);
                }
            }
            let command = self.command(figure);
            let run = |study: &&Study| finished.get(study.name).map(|f| Run { command: &command, ..f.run() });
            self.save(figure, &figure.studies().iter().filter_map(run).collect::<Vec<_>>())
        })
    }

    /// Tries every figure, and fails in the end where one has failed.
    fn each(&self, mut draw: impl FnMut(&'static dyn Figure) -> Result<(), Error>) -> Result<(), Error> {
        let mut failures: Vec<String> = Vec::new();
        for figure in &self.figures {
            match draw(*figure) {
                Err(interrupted @ Error::Interrupted { .. }) => return Err(interrupted),
                Err(Error::Figure(reason)) => failures.push(reason),
                Err(error) => failures.push(format!("{}: {error}", figure.name())),
                Ok(()) => {}
            }
        }
        if failures.is_empty() { Ok(()) } else { Err(Error::Figure(failures.join("\nerror: figure: "))) }
    }

    fn finish(&self, figure: &dyn Figure, study: &Study) -> Result<Finished, Error> {
        let clock = Instant::now();
        let finished = finish(study, self.effort, &self.runs, self.threads, &self.command(figure))?;
        say(&format!("study {}: {:.1} s\n", study.name, clock.elapsed().as_secs_f64()));
        Ok(finished)
    }

    /// The command that draws this figure alone.
    fn command(&self, figure: &dyn Figure) -> String {
        format!("mta-sim figures {}{} {}", figure.name(), self.effort.of("", " --quick", ""), self.page_flags)
    }

    fn save(&self, figure: &dyn Figure, runs: &[Run]) -> Result<(), Error> {
        match save_as(figure, runs, &self.out, self.page, &self.endings) {
            Err(FigureError::NothingToShow { .. }) if self.lenient => Ok(()),
            Err(error) => Err(Error::Figure(format!("{}: {error}", figure.name()))),
            Ok(_) => {
                say(&format!("{}: {}.{{{}}}\n", figure.name(), self.out.join(figure.name()).display(), self.endings.join(",")));
                Ok(())
            }
        }
    }
}

/// The figures of these names, or all.
fn chosen(names: &[&String], all: bool) -> Result<Vec<&'static dyn Figure>, Error> {
    if names.is_empty() && !all {
        return Err(Error::Usage("figures: name some (mta-sim figures --list), or ask for --all".into()));
    }
    if names.is_empty() {
        return Ok(FIGURES.to_vec());
    }
    let known = || FIGURES.iter().map(|f| f.name().to_string()).collect();
    let find = |name: &&String| {
        FIGURES.iter().copied().find(|f| f.name() == name.as_str()).ok_or_else(|| UnknownName::new("figure", name, known()).into())
    };
    names.iter().map(find).collect()
}

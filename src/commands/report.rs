//! `mta-sim report RUN...`: runs and verdicts as one HTML file.

use crate::commands::say;
use crate::error::Error;
use crate::page::{
    self,
    data::{Page, Section, distinguish},
};
use crate::store;
use clap::{Arg, ArgMatches, Command, value_parser};
use std::path::{Path, PathBuf};

/// Name of the report in the first run folder.
const NAME: &str = "report.html";

/// How every report begins.
const BEGINNING: &[u8] = b"<!doctype html>";

/// The subcommand.
pub fn command() -> Command {
    let folders = Arg::new("run").value_name("RUN").required(true).num_args(1..).value_parser(value_parser!(PathBuf));
    let out = Arg::new("out").long("out").value_name("FILE").value_parser(value_parser!(PathBuf));
    Command::new("report")
        .about("Turn run folders into one HTML file that needs no network")
        .arg(folders.help("Folders of sweeps or verifications; several become tabs of one page"))
        .arg(out.help("The file [default: report.html in the first RUN]"))
}

/// Runs the subcommand and prints its answer.
pub fn report(matches: &ArgMatches) -> Result<(), Error> {
    let clock = std::time::Instant::now();
    let folders: Vec<&PathBuf> = matches.get_many("run").expect("clap requires a folder").collect();
    let mut sections = folders.iter().map(|folder| Section::open(folder)).collect::<Result<Vec<_>, _>>()?;
    distinguish(&mut sections, &folders);
    let out = matches.get_one::<PathBuf>("out").cloned().unwrap_or_else(|| folders[0].join(NAME));
    check_owner(&out)?;
    let unfinished = unfinished(&sections);
    let html = page::html(&Page::new(sections, false));
    store::write_whole(&out, html.as_bytes())?;
    let size = html.len() as f64 / 1e6;
    say(&format!("{unfinished}Report in {:.1} s, {size:.1} MB: {}\n", clock.elapsed().as_secs_f64(), out.display()));
    Ok(())
}

/// A line where a sweep has not ended.
fn unfinished(sections: &[Section]) -> String {
    let (done, total) = sections.iter().filter_map(Section::progress).fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1));
    if done < total { format!("{done} of {total} cells are finished; the report shows these.\n") } else { String::new() }
}

/// Makes sure that only an earlier report is written over.
fn check_owner(out: &Path) -> Result<(), Error> {
    let refuse = |what: &str| Err(Error::damaged(out, what));
    match std::fs::read(out) {
        Ok(old) if !old.starts_with(BEGINNING) => refuse("is not a report and would be written over; choose another --out"),
        Err(_) if out.is_dir() => refuse("is a folder; --out wants a file"),
        _ => Ok(()),
    }
}

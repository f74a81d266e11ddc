//! `mta-sim view RUN`: the report from a server on this machine, which follows a running sweep.

use crate::commands::say;
use crate::error::Error;
use crate::page::serve::Viewer;
use crate::stop;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::path::PathBuf;

/// The subcommand.
pub fn command() -> Command {
    let folder = Arg::new("run").value_name("RUN").required(true).value_parser(value_parser!(PathBuf));
    let port = Arg::new("port").long("port").value_name("N").default_value("0").value_parser(value_parser!(u16));
    Command::new("view")
        .about("Show a run folder in the browser, also while its sweep is running; Ctrl-C ends it")
        .arg(folder.help("Folder of a sweep"))
        .arg(port.help("Port on 127.0.0.1, 0 for any that is free"))
        .arg(Arg::new("no-open").long("no-open").action(ArgAction::SetTrue).help("Do not open the browser, only say the address"))
}

/// Runs the subcommand until Ctrl-C.
pub fn view(matches: &ArgMatches) -> Result<(), Error> {
    let folder: &PathBuf = matches.get_one("run").expect("clap requires a folder");
    let viewer = Viewer::new(folder, *matches.get_one("port").expect("clap has a default"))?;
    stop::listen();
    let address = format!("http://127.0.0.1:{}/", viewer.port());
    say(&format!("{} at {address} (Ctrl-C ends it)\n", folder.display()));
    if !matches.get_flag("no-open") && open::that_detached(&address).is_err() {
        say("No browser could be started; open the address yourself.\n");
    }
    viewer.run()
}

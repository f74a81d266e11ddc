//! What the tests of the command line share: the program in a folder of its own, and the state of a folder to compare.
#![allow(dead_code, reason = "each test file uses its part")]

use mta_sim::id::Id;
use mta_sim::plan::Plan;
use mta_sim::store::cells::{self, Cells};
use mta_sim::store::published::Published;
use mta_sim::store::{journal, planned};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Settings of a sweep so small that it takes milliseconds.
pub const TINY: &str = "--alignment 0.2,0.8 --vocab 8 --prompts 2 --held-out 4 --steps 2 --seeds 2 --recipes standard,random --no-figures";

/// The program, to be run in `folder`, with nothing from the caller's environment that changes what it prints.
pub fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mta-sim"));
    command.current_dir(folder).env_remove("COLUMNS").env("NO_COLOR", "1").env("RUST_BACKTRACE", "0");
    command
}

/// Runs the program with arguments as typed: words between blanks.
pub fn run(folder: &Path, arguments: &str) -> Output {
    program(folder).args(arguments.split_whitespace()).output().expect("the program starts")
}

/// Runs the program, which must succeed, and returns what it printed.
pub fn succeed(folder: &Path, arguments: &str) -> String {
    let output = run(folder, arguments);
    assert!(output.status.success(), "mta-sim {arguments}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("output is UTF-8")
}

/// Every path below `folder` with the hash of its content; folders have none.
pub fn state(folder: &Path) -> BTreeMap<PathBuf, Option<blake3::Hash>> {
    let mut state = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            state.extend(self::state(&path));
            state.insert(path, None);
        } else {
            state.insert(path.clone(), Some(blake3::hash(&std::fs::read(&path).expect("the file can be read"))));
        }
    }
    state
}

/// The files of a run folder that must not depend on how the run went.
pub fn tables(folder: &Path) -> Vec<Vec<u8>> {
    ["results.parquet", "history.parquet", "summary.csv"].map(|name| std::fs::read(folder.join(name)).expect("the run wrote it")).into()
}

/// The journal of a sweep in one process.
pub fn journal(run: &Path) -> PathBuf {
    run.join("shards/1-of-1.jsonl")
}

/// The published files of a run folder.
pub fn published(run: &Path) -> Vec<PathBuf> {
    cells::files(&run.join(cells::FOLDER), cells::PUBLISHED).expect("the folder can be listed")
}

/// Names of the cells in published files, one file after the other.
pub fn published_cells(run: &Path) -> Vec<Id> {
    let open = |path: PathBuf| Published::open(&path).and_then(|file| file.entries()).expect("the file is whole");
    published(run).into_iter().flat_map(open).map(|entry| entry.id).collect()
}

/// Makes a finished run one that was killed before it published anything: its cells are in the journal, in the order of the plan. The tables stay.
pub fn unpublish(run: &Path) -> PathBuf {
    let mut finished = Cells::open(run).expect("the folder can be read");
    let planned = |plan: Plan| plan.distinct().iter().map(|row| plan.ids[*row]).filter(|id| finished.contains(id)).collect();
    let ids: Vec<Id> = planned::read(run).map_or_else(|_| published_cells(run), planned);
    let line = |id: &Id| journal::line(*id, &finished.curves(id).expect("it can be read").expect("it is finished"));
    let lines: String = ids.iter().map(line).collect();
    published(run).iter().for_each(|path| std::fs::remove_file(path).expect("it can be removed"));
    std::fs::write(journal(run), lines).expect("it can be written");
    journal(run)
}

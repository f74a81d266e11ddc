//! A run is the same run, to the byte, however it was scheduled, cut into parts, or killed.

mod program;

use program::{journal, program, published, published_cells, run, succeed, tables, unpublish};
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A sweep with recipes of the registry and of the file, and a grid that one of them opts out of.
const SETTINGS: &str = r#"
alignment = "0.2..0.8:0.2"
learning_rate = [0.5, 1]
vocab = 8
prompts = 4
held_out = 8
steps = 3
seeds = 3
recipes = ["standard", "random", "b", "a \"quoted\" é"]
[recipe.b]
extends = "one-shot"
rule = "rloo"
learning_rate = 2.0000000000000004
[recipe.'a "quoted" é']
signal = "majority"
kl_beta = 1e-300
few = 9007199254740992
"#;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("settings.toml"), SETTINGS).unwrap();
    folder
}

/// Runs the sweep into `out`, and returns the folder's tables and what was printed.
fn sweep(folder: &Path, out: &str, more: &str) -> (Vec<Vec<u8>>, String) {
    let text = succeed(folder, &format!("sweep --config settings.toml --no-figures --out {out} {more}"));
    (tables(&folder.join(out)), text)
}

#[test]
fn tables_do_not_depend_on_threads_parts_or_the_order_of_recipes() {
    let folder = folder();
    let (once, _) = sweep(folder.path(), "once", "--threads 1");
    assert!(sweep(folder.path(), "threads", "--threads 2").0 == once, "two threads");
    let text = SETTINGS.replace(r#"["standard", "random", "b", "a \"quoted\" é"]"#, r#"["a \"quoted\" é", "b", "random", "standard"]"#);
    assert!(text != SETTINGS);
    fs::write(folder.path().join("turned.toml"), text).unwrap();
    succeed(folder.path(), "sweep --config turned.toml --no-figures --out turned");
    assert!(tables(&folder.path().join("turned")) == once, "recipes in another order");
    sweep(folder.path(), "parts", "--alignment 0.2,0.6 --threads 1");
    let (parts, text) = sweep(folder.path(), "parts", "--threads 2");
    assert!(parts == once, "half of the grid first");
    assert!(text.contains("42 of them from before"), "{text}");
}

#[test]
fn the_same_command_again_runs_nothing_and_changes_no_table() {
    let folder = folder();
    let (first, _) = sweep(folder.path(), "run", "");
    let run = folder.path().join("run");
    let before = (published(&run), fs::read(journal(&run)).unwrap(), fs::read(run.join("plan.jsonl")).unwrap());
    let (again, text) = sweep(folder.path(), "run", "");
    let after = (published(&run), fs::read(journal(&run)).unwrap(), fs::read(run.join("plan.jsonl")).unwrap());
    assert!(first == again && before == after && before.0.len() == 1 && before.1.is_empty());
    assert!(text.contains("96 cells") && text.contains("84 of them from before"), "12 rows share a cell: {text}");
    let manifest = fs::read_to_string(folder.path().join("run/manifest.json")).unwrap();
    assert!(manifest.contains("\"cells\": 84") && manifest.contains("\"cells_reused\": 84"), "{manifest}");
}

#[test]
fn the_settings_as_run_give_the_same_plan_and_the_same_tables() {
    let folder = folder();
    let (first, _) = sweep(folder.path(), "run", "");
    let written = folder.path().join("run/config.toml");
    let plan = |config: &str| succeed(folder.path(), &format!("sweep --config {config} --dry-run"));
    assert_eq!(plan("settings.toml"), plan("run/config.toml"));
    let text = fs::read(&written).unwrap();
    succeed(folder.path(), "sweep --config run/config.toml --no-figures --out again");
    assert!(tables(&folder.path().join("again")) == first);
    assert!(fs::read(folder.path().join("again/config.toml")).unwrap() == text, "settings as run are a fixed point");
}

#[test]
fn every_recipe_of_the_registry_survives_its_settings_as_run() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = "--recipes all --seeds 1 --steps 0 --prompts 5 --held-out 3 --vocab 8 --confidence 0.30000000000000004 --beta-inv 1e300";
    for (i, more) in ["", "--rule dapo", "--sharing 0,1 --group-size 8", "--seed 9223372036854775805"].iter().enumerate() {
        succeed(folder.path(), &format!("sweep {tiny} {more} --no-figures --out run{i}"));
        let plan = |settings: &str| succeed(folder.path(), &format!("sweep {settings} --dry-run"));
        assert_eq!(plan(&format!("{tiny} {more}")), plan(&format!("--config run{i}/config.toml")), "{more}");
    }
}

#[test]
fn a_cut_journal_loses_the_cut_cell_only() {
    let folder = folder();
    let (first, _) = sweep(folder.path(), "run", "--threads 1");
    let run = folder.path().join("run");
    for cut in [1, 5, 300, 2000] {
        let path = unpublish(&run);
        let journal = fs::read(&path).unwrap();
        let kept = &journal[..journal.len() - cut];
        let ends = kept.iter().filter(|b| **b == b'\n').count();
        fs::write(&path, kept).unwrap();
        let (again, text) = sweep(folder.path(), "run", "--threads 1");
        assert!(again == first, "{cut} bytes cut");
        assert!(text.contains(&format!("{ends} of them from before")), "{cut} bytes cut: {text}");
        assert!(fs::read(&path).unwrap().is_empty() && published_cells(&run).len() == 84, "{cut} bytes cut");
    }
}

/// Settings that make every cell take some milliseconds.
const SLOW: &str = "--backend reference --steps 60 --num-iterations 4 --threads 1";

fn start(folder: &Path, out: &str) -> Child {
    let typed = format!("sweep --config settings.toml --no-figures --out {out} {SLOW}");
    program(folder).args(typed.split_whitespace()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until the file has `bytes` bytes.
fn wait_for(path: &Path, bytes: u64) {
    let begun = Instant::now();
    while fs::metadata(path).map_or(0, |m| m.len()) < bytes {
        assert!(begun.elapsed() < Duration::from_secs(60), "{} does not grow", path.display());
        std::thread::sleep(Duration::from_micros(200));
    }
}

#[cfg(unix)]
#[test]
fn a_run_killed_at_any_moment_goes_on_and_ends_the_same() {
    use std::os::unix::process::ExitStatusExt;
    let folder = folder();
    let (whole, _) = sweep(folder.path(), "whole", SLOW);
    let (journal, full) = (journal(&folder.path().join("killed")), fs::metadata(unpublish(&folder.path().join("whole"))).unwrap().len());
    for share in [1, full / 10, full / 3, full / 2, full * 4 / 5] {
        let mut child = start(folder.path(), "killed");
        wait_for(&journal, share);
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9), "killed before its end");
        let kept = fs::read(&journal).unwrap();
        assert!(kept.len() as u64 >= share && (kept.len() as u64) < full, "killed in the middle");
        assert!(!folder.path().join("killed/results.parquet").exists(), "tables are whole or absent");
    }
    let finished = fs::read(&journal).unwrap().iter().filter(|b| **b == b'\n').count();
    let (resumed, text) = sweep(folder.path(), "killed", SLOW);
    assert!(resumed == whole);
    assert!(text.contains(&format!("{finished} of them from before")), "every cell of the journal counts: {text}");
    assert_eq!(published_cells(&folder.path().join("killed")).len(), 84, "no cell is there twice");
}

#[test]
fn a_second_process_on_the_same_folder_is_refused_and_the_first_ends_well() {
    let folder = folder();
    let mut first = start(folder.path(), "run");
    wait_for(&journal(&folder.path().join("run")), 1);
    let second = run(folder.path(), &format!("sweep --config settings.toml --no-figures --out run {SLOW}"));
    assert!(first.try_wait().unwrap().is_none(), "the first still runs");
    assert_eq!(second.status.code(), Some(2));
    let message = String::from_utf8_lossy(&second.stderr);
    assert!(message.contains("run: another mta-sim is at work in this run folder"), "{message}");
    assert!(first.wait().unwrap().success());
    assert!(tables(&folder.path().join("run")) == sweep(folder.path(), "alone", SLOW).0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_that_keeps_the_finished_cells() {
    let folder = folder();
    let limited =
        format!("trap '' XFSZ; ulimit -f 64; exec {} sweep --config settings.toml --no-figures --out run", env!("CARGO_BIN_EXE_mta-sim"));
    let output = std::process::Command::new("sh").args(["-c", &limited]).current_dir(folder.path()).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.starts_with("error: run/shards/1-of-1.jsonl: cannot be written: "), "{message}");
    let kept = fs::read(journal(&folder.path().join("run"))).unwrap().iter().filter(|b| **b == b'\n').count();
    let (resumed, text) = sweep(folder.path(), "run", "");
    assert!(kept > 0 && text.contains(&format!("{kept} of them from before")), "{text}");
    assert!(resumed == sweep(folder.path(), "whole", "").0);
}

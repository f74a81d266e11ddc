//! A plan run in shards is the plan run in one process, to the byte: whoever runs what, when, how often, and whatever kills them.

mod program;

use mta_sim::id::Id;
use mta_sim::shard::Shard;
use mta_sim::store::cells::Cells;
use mta_sim::store::{journal, planned};
use program::{program, published, published_cells, run, succeed, tables};
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Rows of two recipes are the same cells; costs differ fifty times.
const SETTINGS: &str = r#"
alignment = "0.2..0.8:0.2"
steps = [2, 100]
vocab = 8
prompts = 4
held_out = 8
seeds = 3
recipes = ["standard", "one-shot", "same"]
[recipe.same]
"#;

/// Distinct cells of these settings.
const CELLS: usize = 48;

/// A folder with the settings.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("settings.toml"), SETTINGS).unwrap();
    folder
}

/// What one process makes of them.
fn whole(folder: &Path, more: &str) -> Vec<Vec<u8>> {
    succeed(folder, &format!("sweep --config settings.toml --no-figures --out whole {more}"));
    tables(&folder.join("whole"))
}

fn plan(folder: &Path, out: &str, more: &str) -> PathBuf {
    succeed(folder, &format!("sweep plan --config settings.toml --out {out} {more}"));
    folder.join(out)
}

/// What `sweep status` says, with single blanks.
fn status(folder: &Path) -> String {
    succeed(folder, "sweep status run").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What it said, and the code it ended with.
fn ended(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn tables_do_not_depend_on_the_number_of_shards_their_order_or_their_threads() {
    let folder = folder();
    let expected = whole(folder.path(), "");
    for (of, order) in [(1, vec![1]), (2, vec![2, 1]), (3, vec![3, 1, 2]), (7, vec![5, 2, 7, 1, 3, 6, 4]), (60, (1..=60).rev().collect())] {
        let (out, mut cells) = (format!("of{of}"), 0);
        let run = plan(folder.path(), &out, "");
        for (i, index) in order.iter().enumerate() {
            let text = succeed(folder.path(), &format!("sweep run {out} --shard {index}/{of} --threads {}", 1 + i % 2));
            assert!(text.contains(" 0 of them from before"), "{text}");
            cells += text.split_whitespace().nth(2).unwrap().parse::<usize>().unwrap();
        }
        assert_eq!((cells, published_cells(&run).len()), (CELLS, CELLS), "{of} shards: each cell once");
        succeed(folder.path(), &format!("sweep gather {out}"));
        assert!(tables(&run) == expected, "{of} shards");
    }
}

#[test]
fn cells_of_other_cuts_and_of_a_killed_journal_count() {
    let folder = folder();
    let expected = whole(folder.path(), "");
    let run = plan(folder.path(), "run", "");
    succeed(folder.path(), "sweep run run --shard 1/2");
    let half = published_cells(&run).len();
    let killed = program::unpublish(&run);
    fs::rename(&killed, killed.with_file_name("1-of-2.jsonl")).unwrap();
    let text = succeed(folder.path(), "sweep run run --shard 2/3");
    let again = succeed(folder.path(), "sweep run run");
    assert!(!text.contains(" 0 of them"), "some were the other cut's: {text}");
    assert!(again.contains(&format!("{CELLS} cells are finished")), "{again}");
    assert_eq!(published_cells(&run).len(), CELLS - half, "what a journal holds is not run again");
    succeed(folder.path(), "sweep gather run");
    assert!(tables(&run) == expected);
}

#[test]
fn a_scheduler_names_the_shard_by_its_environment() {
    let folder = folder();
    let run = plan(folder.path(), "run", "");
    let of_environment = |variables: &[(&str, &str)], more: &str| {
        let typed = format!("sweep run run {more}");
        let output = program(folder.path()).args(typed.split_whitespace()).envs(variables.iter().copied()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let slurm = [("SLURM_ARRAY_TASK_ID", "6"), ("SLURM_ARRAY_TASK_COUNT", "4"), ("SLURM_ARRAY_TASK_MIN", "3")];
    assert!(of_environment(&slurm, "").starts_with("shard 4-of-4: 12 cells"));
    assert!(of_environment(&[("JOB_COMPLETION_INDEX", "0")], "--of 4").starts_with("shard 1-of-4: 12 cells"));
    assert!(of_environment(&slurm, "--shard 2/4").starts_with("shard 2-of-4: "));
    assert_eq!(published(&run).len(), 3);
}

#[test]
fn missing_and_conflicting_cells_are_named() {
    let folder = folder();
    let run = plan(folder.path(), "run", "");
    (1..=2).for_each(|i| drop(succeed(folder.path(), &format!("sweep run run --shard {i}/3"))));
    let missing = Shard::new(3, 3).unwrap().rows(&planned::read(&run).unwrap());
    let id = planned::read(&run).unwrap().ids[missing[0]];
    let (code, message) = ended(&program::run(folder.path(), "sweep gather run"));
    assert_eq!(code, Some(3), "{message}");
    assert!(message.contains(&format!("{} of {CELLS} cells are not finished: {id} (", missing.len())), "{message}");
    assert!(message.contains("and 11 more; run their shards again") && message.lines().count() == 1, "{message}");
    assert!(!run.join("results.parquet").exists(), "nothing is half gathered");
    succeed(folder.path(), "sweep run run --shard 3/3");
    let mut finished = Cells::open(&run).unwrap();
    let mut other = finished.curves(&id).unwrap().unwrap();
    fs::write(run.join("shards/same.jsonl"), journal::line(id, &other)).unwrap();
    succeed(folder.path(), "sweep gather run");
    other.values[0][0] = other.values[0][0].map(|x| x.next_up());
    fs::write(run.join("shards/other.jsonl"), journal::line(id, &other)).unwrap();
    let (code, message) = ended(&program::run(folder.path(), "sweep gather run"));
    assert_eq!(code, Some(2), "{message}");
    assert!(message.contains(&format!("holds 1 cells twice with different results: {id} (")), "{message}");
}

#[test]
fn a_corrupted_shard_is_named_and_its_cells_run_again_once_it_is_removed() {
    let folder = folder();
    let expected = whole(folder.path(), "");
    let run = plan(folder.path(), "run", "");
    (1..=3).for_each(|i| drop(succeed(folder.path(), &format!("sweep run run --shard {i}/3"))));
    let victim = published(&run).remove(1);
    let whole = fs::read(&victim).unwrap();
    for damage in [|b: &mut Vec<u8>| b.truncate(b.len() / 2), |b: &mut Vec<u8>| b[1000] ^= 4, |b: &mut Vec<u8>| b.clear()] {
        let mut bytes = whole.clone();
        damage(&mut bytes);
        fs::write(&victim, bytes).unwrap();
        for command in ["gather run", "run run --shard 2/3", "status run"] {
            let (code, message) = ended(&program::run(folder.path(), &format!("sweep {command}")));
            let name = victim.file_name().unwrap().to_string_lossy();
            assert!(code == Some(2) && message.contains(&*name) && message.contains("is damaged"), "{command}: {code:?} {message}");
            assert_eq!(message.lines().count(), 1, "{message}");
        }
    }
    fs::remove_file(&victim).unwrap();
    succeed(folder.path(), "sweep run run --shard 2/3");
    succeed(folder.path(), "sweep gather run");
    assert!(tables(&run) == expected);
}

/// Settings that make the plan last for a second or two.
const SLOW: &str = "--backend reference --num-iterations 4 --steps 30,60";

fn spawn(folder: &Path, typed: &str) -> Child {
    program(folder).args(typed.split_whitespace()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until the journal holds a cell.
fn wait_for_a_cell(journal: &Path) {
    let begun = Instant::now();
    while !fs::read(journal).is_ok_and(|bytes| bytes.contains(&b'\n')) {
        assert!(begun.elapsed() < Duration::from_secs(60), "{} does not grow", journal.display());
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A program that stands still, so that it is at work for as long as others take to be refused, however fast the machine.
#[cfg(unix)]
struct Paused<'a>(&'a Child);

#[cfg(unix)]
impl<'a> Paused<'a> {
    fn new(child: &'a Child) -> Self {
        send(child, "STOP");
        Paused(child)
    }
}

#[cfg(unix)]
impl Drop for Paused<'_> {
    fn drop(&mut self) {
        send(self.0, "CONT");
    }
}

#[cfg(unix)]
fn send(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap().success());
}

#[cfg(unix)]
#[test]
fn two_processes_on_one_shard_are_one_error_and_others_wait_their_turn() {
    let folder = folder();
    let run = plan(folder.path(), "run", SLOW);
    let mut first = spawn(folder.path(), "sweep run run --shard 1/2 --threads 1");
    wait_for_a_cell(&run.join("shards/1-of-2.jsonl"));
    let paused = Paused::new(&first);
    let refused = |typed: &str| {
        let (code, message) = ended(&program::run(folder.path(), typed));
        assert!(code == Some(2) && message.lines().count() == 1, "{typed}: {code:?} {message}");
        message
    };
    assert!(refused("sweep run run --shard 1/2").contains("1-of-2.jsonl: another mta-sim is running this shard"));
    assert!(refused("sweep gather run").contains("run: another mta-sim is at work in this run folder"));
    assert!(refused(&format!("sweep plan --config settings.toml --out run {SLOW}")).contains("another mta-sim is at work"));
    assert!(refused(&format!("sweep --config settings.toml --out run {SLOW}")).contains("another mta-sim is at work"));
    let status = status(folder.path());
    assert!(status.starts_with("1-of-2 running") && status.contains("1 shards running"), "{status}");
    succeed(folder.path(), "sweep run run --shard 2/2 --threads 1");
    drop(paused);
    assert!(first.wait().unwrap().success());
    succeed(folder.path(), "sweep gather run");
    assert!(tables(&run) == whole(folder.path(), SLOW));
}

#[cfg(unix)]
#[test]
fn a_shard_that_is_asked_to_stop_publishes_what_is_done_and_says_try_again() {
    let folder = folder();
    let run = plan(folder.path(), "run", SLOW);
    let journal = run.join("shards/1-of-1.jsonl");
    for (signal, code) in [("TERM", 75), ("USR1", 75), ("INT", 130)] {
        let before: HashSet<Id> = published_cells(&run).into_iter().collect();
        let child = spawn(folder.path(), "sweep run run --threads 1");
        wait_for_a_cell(&journal);
        send(&child, signal);
        let (ended, message) = ended(&child.wait_with_output().unwrap());
        assert_eq!(ended, Some(code), "{signal}: {message}");
        assert!(message.contains(&format!("of {CELLS} cells are finished and kept; the same command goes on from there")), "{message}");
        let after: HashSet<Id> = published_cells(&run).into_iter().collect();
        assert!(after.is_superset(&before) && after.len() > before.len() && fs::read(&journal).unwrap().is_empty(), "{signal}");
        assert!(status(folder.path()).starts_with("1-of-1 stopped"));
    }
    succeed(folder.path(), "sweep run run");
    assert_eq!(published_cells(&run).len(), CELLS, "no cell ran twice");
    succeed(folder.path(), "sweep gather run");
    assert!(tables(&run) == whole(folder.path(), SLOW));
}

/// Numbers below `n`, one after the other, always the same.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// The cells anybody who looks now is told are finished.
fn reported(run: &Path) -> HashSet<Id> {
    Cells::open(run).map_or_else(|e| panic!("{e}"), |cells| cells.ids().copied().collect())
}

/// `MTA_FAULT_ROUNDS=200 cargo test --test shards` kills for longer.
#[cfg(unix)]
#[test]
fn a_sweep_killed_at_random_moments_loses_nothing_counts_nothing_twice_and_ends_the_same() {
    let rounds: usize = std::env::var("MTA_FAULT_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(6);
    let folder = folder();
    let more = "--num-iterations 2 --threads 2";
    let clock = Instant::now();
    let expected = whole(folder.path(), more);
    let longest = clock.elapsed().as_millis() as u64;
    let (mut dice, mut finished, mut kills, mut sweeps) = (Dice(20), HashSet::new(), 0, 0);
    let run = folder.path().join("run");
    while kills < rounds {
        let mut child = spawn(folder.path(), &format!("sweep --config settings.toml --no-figures --out run {more}"));
        std::thread::sleep(Duration::from_micros(dice.below(longest * 1300)));
        finished.extend(reported(&run));
        let over = child.try_wait().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let kept = reported(&run);
        let lost = finished.difference(&kept).count();
        assert_eq!(lost, 0, "round {kills}: cells that were reported finished are lost");
        assert!(Cells::open(&run).unwrap().conflicts().unwrap().is_empty());
        finished = kept;
        kills += usize::from(over.is_none());
        if let Some(status) = over {
            assert!(status.success(), "round {kills}: {status}");
            assert!(tables(&run) == expected, "round {kills}: another table");
            assert_eq!(finished.len(), CELLS);
            fs::remove_dir_all(&run).unwrap();
            finished.clear();
            sweeps += 1;
        }
    }
    let text = succeed(folder.path(), &format!("sweep --config settings.toml --no-figures --out run {more}"));
    assert!(finished.is_empty() || text.contains(&format!("{} of them from before", finished.len())), "every kept cell counts: {text}");
    assert!(tables(&run) == expected);
    eprintln!("{kills} kills, {sweeps} sweeps that ended before theirs");
}

/// A line of the shell in a mount namespace of its own, where that is allowed: for the superuser, outside most containers.
#[cfg(target_os = "linux")]
fn with_mounts(folder: &Path, script: &str) -> Option<Output> {
    let allowed = Command::new("unshare").args(["-m", "true"]).output().is_ok_and(|o| o.status.success());
    if !allowed {
        eprintln!("SKIPPED: mounting is not allowed here");
        return None;
    }
    let script = script.replace("mta-sim", env!("CARGO_BIN_EXE_mta-sim"));
    Some(Command::new("unshare").args(["-m", "sh", "-c", &script]).current_dir(folder).output().unwrap())
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_one_error_at_every_moment_and_loses_no_finished_cell() {
    let folder = folder();
    let expected = whole(folder.path(), "");
    fs::create_dir(folder.path().join("small")).unwrap();
    for kibibytes in [24, 96, 300, 700, 1100, 1600, 2400, 9600] {
        let script = format!(
            "mount -t tmpfs -o size={kibibytes}k none small || exit 77
             mta-sim sweep --config settings.toml --no-figures --out small/run --threads 2; code=$?
             [ $code = 0 ] || mount -o remount,size=32m small
             [ $code = 0 ] || mta-sim sweep status small/run 2>/dev/null
             mta-sim sweep --config settings.toml --no-figures --out small/run || exit 78
             cp -r small/run full
             exit $code"
        );
        let Some(output) = with_mounts(folder.path(), &script) else { return };
        let (code, message) = ended(&output);
        if code == Some(77) {
            eprintln!("SKIPPED: a tmpfs cannot be mounted here: {message}");
            return;
        }
        assert!(matches!(code, Some(0 | 2)), "{kibibytes} KiB: {code:?} {message}");
        let errors: Vec<&str> = message.lines().filter(|line| line.starts_with("error: ")).collect();
        assert!(errors.len() == usize::from(code == Some(2)), "{kibibytes} KiB: {message}");
        assert!(errors.iter().all(|e| e.contains("o space left on device")), "{kibibytes} KiB: {message}");
        let run = folder.path().join("full");
        assert!(tables(&run) == expected, "{kibibytes} KiB");
        assert_eq!(reported(&run).len(), CELLS);
        fs::remove_dir_all(&run).unwrap();
        if code == Some(0) {
            assert!(kibibytes > 500, "some disks were too small");
            return;
        }
    }
    panic!("no disk was large enough");
}

#[cfg(target_os = "linux")]
#[test]
fn a_read_only_folder_is_one_error_for_those_who_write_and_none_for_those_who_read() {
    let folder = folder();
    let run = plan(folder.path(), "run", "");
    succeed(folder.path(), "sweep run run --shard 1/2");
    let locked = |typed: &str| {
        let script = format!("mount --bind run run && mount -o remount,ro,bind run || exit 77; mta-sim {typed}");
        with_mounts(folder.path(), &script).filter(|output| output.status.code() != Some(77))
    };
    for typed in
        ["sweep run run", "sweep gather run", "sweep plan --config settings.toml --out run", "sweep --config settings.toml --out run"]
    {
        let Some(output) = locked(typed) else { return eprintln!("SKIPPED: a folder cannot be mounted read-only here") };
        let (code, message) = ended(&output);
        assert!(code == Some(2) && message.lines().count() == 1, "{typed}: {code:?} {message}");
        assert!(message.contains("run: cannot be written to: Read-only file system"), "{typed}: {message}");
    }
    let status = locked("sweep status run").unwrap();
    assert!(status.status.success() && String::from_utf8_lossy(&status.stdout).contains("24 of 48 cells are finished"));
    assert!(!run.join("results.parquet").exists());
}

/// A clock that goes back by a second whenever it is asked.
const BACKWARDS: &str = r"
#define _GNU_SOURCE
#include <time.h>
#include <sys/syscall.h>
#include <unistd.h>
static long asked;
int clock_gettime(clockid_t clock, struct timespec *time) {
  long answer = syscall(SYS_clock_gettime, clock, time);
  if (clock == CLOCK_REALTIME) time->tv_sec -= __sync_add_and_fetch(&asked, 1);
  return answer;
}
";

#[cfg(target_os = "linux")]
#[test]
fn a_clock_that_goes_backwards_changes_nothing() {
    let folder = folder();
    let expected = whole(folder.path(), SLOW);
    fs::write(folder.path().join("clock.c"), BACKWARDS).unwrap();
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o", "clock.so", "clock.c"]).current_dir(folder.path()).status();
    if !compiled.is_ok_and(|status| status.success()) {
        return eprintln!("SKIPPED: there is no C compiler to make a clock with");
    }
    let clock = folder.path().join("clock.so");
    let run = plan(folder.path(), "run", SLOW);
    let odd = |typed: &str| {
        let mut command = program(folder.path());
        command.args(typed.split_whitespace()).env("LD_PRELOAD", &clock).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let said = |child: Child| {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let first = odd("sweep run run --shard 1/2 --threads 1");
    wait_for_a_cell(&run.join("shards/1-of-2.jsonl"));
    fs::File::open(run.join("plan.jsonl")).unwrap().set_modified(std::time::SystemTime::now() + Duration::from_secs(1_000_000)).unwrap();
    let status = said(odd("sweep status run"));
    assert!(status.contains("running") && !status.contains(" -"), "{status}");
    said(first);
    said(odd("sweep run run --shard 2/2"));
    said(odd("sweep gather run"));
    assert!(tables(&run) == expected);
    let manifest = fs::read_to_string(run.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert!(manifest["started"].as_str() > manifest["finished"].as_str(), "the clock did go backwards: {manifest}");
    assert!(manifest["seconds"].as_f64().unwrap() >= 0.0);
}

#[test]
fn status_tells_what_is_finished_and_what_was_killed() {
    let folder = folder();
    let run = plan(folder.path(), "run", SLOW);
    assert!(status(folder.path()).starts_with("0 of 48 cells are finished, 0 shards running"));
    let mut child = spawn(folder.path(), "sweep run run --shard 1/3 --threads 1");
    wait_for_a_cell(&run.join("shards/1-of-3.jsonl"));
    child.kill().unwrap();
    child.wait().unwrap();
    let (killed, kept) = (status(folder.path()), reported(&run).len());
    assert!(killed.starts_with("1-of-3 killed") && killed.contains("1 shards killed"), "{killed}");
    assert!(
        kept > 0 && killed.contains(&format!("cells {kept} of 48 cells are finished")),
        "what a killed shard has finished counts: {killed}"
    );
    succeed(folder.path(), "sweep run run");
    let status = succeed(folder.path(), "sweep status run");
    assert!(status.contains("48 of 48 cells are finished") && status.contains("sweep gather makes the tables"), "{status}");
    let planned = succeed(folder.path(), &format!("sweep plan --config settings.toml --out run {SLOW}"));
    assert!(planned.contains("48 cells"), "{planned}");
    assert!(
        succeed(folder.path(), "sweep status run").starts_with("48 of 48"),
        "a new plan forgets what shards were doing, not what they did"
    );
    assert!(run_is_quiet(&run));
}

/// Nothing is left of half-written files.
fn run_is_quiet(run: &Path) -> bool {
    let names =
        |folder: &Path| fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect::<Vec<_>>();
    [run.to_path_buf(), run.join("shards")].iter().flat_map(|folder| names(folder)).all(|name| !name.ends_with(".partial"))
}

#[test]
fn a_plan_changed_by_hand_is_not_run() {
    let folder = folder();
    let planned = plan(folder.path(), "run", "");
    let config = planned.join("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("confidence = 1", "confidence = 2")).unwrap();
    let (code, message) = ended(&run(folder.path(), "sweep run run --shard 1/2"));
    assert!(code == Some(2) && message.contains("plan again"), "{code:?} {message}");
}

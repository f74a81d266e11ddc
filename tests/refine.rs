//! `sweep --refine`: thresholds lie in their intervals, cost a fraction of a grid, and do not depend on how the search was run.

mod program;

use mta_sim::refine::search::{Rules, Search};
use mta_sim::sims::betting::Range;
use mta_sim::sims::statistics::{mean_interval, quantile};
use mta_sim::sims::table::Table;
use mta_sim::store::parquet;
use program::{program, run, succeed, tables};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// Alignments of the lattice of the searches below.
const POINTS: usize = 101;

/// A number in [0, 1) for a pair of numbers: the first bytes of a hash.
fn uniform(a: u64, b: u64) -> f64 {
    let hash = blake3::hash(&[a.to_le_bytes(), b.to_le_bytes()].concat());
    u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap()) as f64 / 2f64.powi(64)
}

/// A margin with mean tanh(3 (a - T)) / 2 and a standard deviation of about .25, half of whose noise is the seed's own at all alignments, as a world's is.
fn margin(trial: u64, point: usize, threshold: f64, seed: usize) -> f64 {
    let alignment = point as f64 / (POINTS - 1) as f64;
    let (own, shared) = (uniform(trial << 32 | point as u64, seed as u64), uniform(trial << 32 | u64::from(u32::MAX), seed as u64));
    0.5 * (3.0 * (alignment - threshold)).tanh() + 0.6 * (own + shared - 1.0)
}

/// A search to its end, and the threshold it looked for; each sign may be wrong with probability `alpha`.
fn searched(trial: u64, alpha: f64) -> (Search, f64) {
    let threshold = 0.15 + 0.7 * uniform(trial, u64::MAX);
    let rules = Rules { points: POINTS, width: 4, most: 20_000, range: Range { low: -1.2, high: 1.2 }, alpha };
    let mut search = Search::new(rules);
    loop {
        let wants = search.wants();
        if wants.is_empty() {
            return (search, threshold);
        }
        for (point, seeds) in wants {
            let margins: Vec<f64> = (search.seen(point)..seeds).map(|seed| margin(trial, point, threshold, seed)).collect();
            search.tell(point, &margins);
        }
    }
}

/// Whether the only interval holds the threshold and is no wider than asked.
fn is_right((search, threshold): &(Search, f64)) -> bool {
    let at = threshold * (POINTS - 1) as f64;
    matches!(search.crossings()[..], [one] if one.rising && one.low as f64 <= at && at <= one.high as f64 && one.high - one.low <= 4)
}

#[test]
fn intervals_hold_the_threshold_as_often_as_they_say() {
    let right = |alpha: f64| (0..100).filter(|trial| is_right(&searched(*trial, alpha))).count();
    let promised = right(0.05 / POINTS as f64);
    assert!(promised >= 98, "{promised} of 100 intervals are right, of which 95 were promised");
    let careless = right(0.9);
    assert!(careless < 90, "{careless} of 100 are right though every sign may be wrong: this test sees nothing");
}

#[test]
fn a_threshold_costs_a_fifth_of_the_grid_that_has_the_same_interval() {
    let saving = |trial: u64| {
        let (search, _) = searched(trial, 0.05 / POINTS as f64);
        let crossing = search.crossings()[0];
        let used: usize = search.sides().map(|(point, _)| search.seen(point)).sum();
        let points = (POINTS - 1) / (crossing.high - crossing.low) + 1;
        (points * crossing.seeds) as f64 / used as f64
    };
    let savings: Vec<f64> = (0..40).map(saving).collect();
    let [usual, small] = [0.5, 0.1].map(|level| quantile(&savings, level).unwrap());
    assert!(usual >= 7.0 && small >= 5.0, "median {usual}, a tenth below {small}");
}

/// A world where majority vote has a steep threshold, and a cell takes a millisecond.
const WORLD: &str = "--vocab 64 --good-tokens 8 --prompts 8 --held-out 8 --steps 10 --train-batch-size 4 --group-size 8 --learning-rate 4";

/// The same, searched: wide intervals and few seeds.
fn refine(folder: &Path, more: &str) -> String {
    succeed(folder, &format!("sweep {WORLD} --alignment 0..0.8 --refine --precision 0.1 --seeds 2000 {more}"))
}

/// What must not depend on how the search was run.
fn left(run: &Path) -> Vec<Vec<u8>> {
    let written = ["thresholds.csv", "thresholds.parquet", "plan.jsonl", "config.toml"].map(|name| fs::read(run.join(name)).expect(name));
    tables(run).into_iter().chain(written).collect()
}

fn thresholds(run: &Path) -> Table {
    parquet::read(&run.join("thresholds.parquet")).unwrap()
}

#[test]
fn the_margin_has_its_signs_on_seeds_the_search_never_saw() {
    let folder = tempfile::tempdir().unwrap();
    let text = refine(folder.path(), "--recipes majority --out run --backend cpu");
    let found = thresholds(&folder.path().join("run"));
    let [low, high, at] = ["low", "high", "threshold"].map(|name| found.number(name, 0).unwrap());
    assert!(found.rows() == 1 && low < at && at < high && high - low <= 0.2 + 1e-9, "{text}");
    let grid = format!("--alignment {low},{high} --recipes standard,majority --seed 1000000 --seeds 600 --no-figures --backend cpu");
    succeed(folder.path(), &format!("sweep {WORLD} {grid} --out fresh"));
    let fresh = parquet::read(&folder.path().join("fresh/results.parquet")).unwrap();
    let gain = |alignment: f64, recipe: &str| {
        let rows =
            (0..fresh.rows()).filter(|row| fresh.number("alignment", *row) == Some(alignment) && fresh.cell("recipe", *row) == recipe);
        rows.map(|row| (fresh.cell("seed", row), fresh.number("gain", row).unwrap())).collect::<BTreeMap<_, _>>()
    };
    let margin = |alignment| {
        let margins: Vec<f64> =
            gain(alignment, "majority").iter().zip(gain(alignment, "standard")).map(|((_, m), (_, s))| m - 0.5 * s).collect();
        mean_interval(&margins, 0.95).unwrap()
    };
    assert!(margin(low).high.unwrap() < 0.0 && margin(high).low.unwrap() > 0.0, "{:?} {:?}", margin(low), margin(high));
}

#[test]
fn a_search_is_the_same_on_any_threads_and_however_often_it_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let once = refine(folder.path(), "--recipes majority,random --backend cpu --out once --threads 1");
    assert!(once.contains("random: no threshold found; it does not at 0 0.2 0.4 0.6 0.8"), "{once}");
    let found = thresholds(&folder.path().join("once"));
    assert_eq!((found.rows(), found.number("low", 1), found.cell("below", 1)), (2, None, "0 0.2 0.4 0.6 0.8".into()));
    let typed = format!(
        "sweep {WORLD} --alignment 0..0.8 --refine --precision 0.1 --seeds 2000 --recipes majority,random --backend cpu --out killed --threads 2"
    );
    let mut kills = 0;
    for after in [150, 300, 300, 600, 600, 1200] {
        let mut child = program(folder.path()).args(typed.split_whitespace()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(after));
        kills += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // A kill may come when a larger plan is written and its settings are not.
    fs::write(folder.path().join("killed/config.toml"), "alignment = [0, 0.8]\n").unwrap();
    let text = succeed(folder.path(), &typed);
    assert!(left(&folder.path().join("killed")) == left(&folder.path().join("once")), "after {kills} kills: {text}");
    assert!(kills > 0 && text.contains("of them from before"), "{kills} kills: {text}");
}

#[test]
fn the_folder_is_one_as_any_other_and_a_grid_in_it_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let plain = format!("sweep {WORLD} --alignment 0,0.2,0.3,0.8 --recipes standard,majority,random --seeds 24 --no-figures --out run");
    succeed(folder.path(), &plain);
    let text = refine(folder.path(), "--recipes majority --out run");
    assert!(text.contains(", 288 of them from before"), "{text}");
    let before = tables(&folder.path().join("run"));
    assert!(succeed(folder.path(), "sweep status run").contains("mta-sim sweep gather makes the tables"));
    succeed(folder.path(), "sweep gather run");
    assert!(tables(&folder.path().join("run")) == before, "gathered again");
    succeed(folder.path(), "sweep --config run/config.toml --no-figures --out again");
    assert!(tables(&folder.path().join("again")) == before, "the settings as run");
    succeed(folder.path(), "report run");
    succeed(folder.path(), "export run --to jsonl --out lines");
    let dry = succeed(folder.path(), "sweep --config run/config.toml --dry-run");
    assert!(dry.contains("random") && dry.contains("24 seeds"), "{dry}");
}

#[test]
fn what_cannot_be_refined_is_refused_and_what_can_is_described() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |arguments: &str| {
        let output = run(folder.path(), &format!("sweep {arguments}"));
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments}: {message}");
        message
    };
    for (arguments, said) in [
        ("--refine", "--refine needs a range of alignments to search: --alignment 0..1"),
        ("--refine --alignment 0..1 --steps 10,20", "--refine: steps has 2 values; only alignment may have a range"),
        ("--refine --alignment 0..1 --precision 0.5", "--precision 0.5: must lie between 0.0005 and 0.125 for alignments from 0 to 1"),
        ("--refine --alignment 0..1 --precision -1", "--precision -1: must lie between"),
        ("--refine --alignment 0..1 --precision nan", "--precision NaN: must lie between"),
        ("--refine --alignment 0..1 --keeps 2", "--keeps 2: must lie between 0 and 1"),
        ("--refine --alignment 0..1 --recipes standard", "standard is the measure of the others"),
        ("--precision 0.1 --alignment 0..1", "--refine"),
    ] {
        let message = refused(arguments);
        assert!(message.contains(said), "{arguments}: {message}");
    }
    let text = succeed(folder.path(), "sweep --refine --alignment 0..1 --recipes majority --dry-run");
    assert!(
        text.contains("on a lattice of 201") && text.contains("240 cells of the first look") && text.contains("at most 50000 seeds"),
        "{text}"
    );
    assert!(!folder.path().join("runs").exists(), "a dry run writes nothing");
}

#[test]
fn a_table_of_seeds_that_fits_no_plan_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (table, said) in [
        ("standard = [1]", "[seeds_of] standard: has 1 numbers, and needs one for each of the 2 grid points"),
        ("standard = [1, 9]", "[seeds_of] standard: 9 is more than the 4 seeds of the sweep"),
        ("none = [1, 1]", "[seeds_of] none: is no recipe of this sweep"),
        ("standard = [0, 0]", "[seeds_of] leaves no cell of the sweep"),
        ("standard = [-1, 1]", "seeds_of"),
    ] {
        let text = format!("alignment = [0.1, 0.2]\nseeds = 4\nrecipes = ['standard']\n[seeds_of]\n{table}\n");
        fs::write(folder.path().join("settings.toml"), text).unwrap();
        let output = run(folder.path(), "sweep --config settings.toml");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && message.contains(said), "{table}: {message}");
    }
}

//! `mta-sim report`: what the page knows is what the run folder holds.

mod program;

use program::{TINY, published, succeed, unpublish};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// A recipe whose name would end a script.
const SETTINGS: &str = "recipes = ['standard', 'majority', '</script><b>']\n[recipe.'</script><b>']\nextends = 'random'\n";

fn sweep(folder: &Path) {
    fs::write(folder.join("settings.toml"), SETTINGS).unwrap();
    let settings = "--config settings.toml --alignment 0.2,0.8 --vocab 8 --prompts 2 --held-out 4 --steps 4 --seeds 3 --no-figures";
    succeed(folder, &format!("sweep {settings} --out run"));
}

/// The page, and what it knows.
fn report(folder: &Path, typed: &str, file: &str) -> (String, Value) {
    succeed(folder, typed);
    let html = fs::read_to_string(folder.join(file)).unwrap();
    let (_, data) = html.split_once("<script type=\"application/json\" id=\"data\">").unwrap();
    let data = serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap();
    (html, data)
}

#[test]
fn the_page_holds_the_run_and_no_name_ends_a_script() {
    let folder = tempfile::tempdir().unwrap();
    sweep(folder.path());
    let (html, data) = report(folder.path(), "report run", "run/report.html");
    assert_eq!(html.matches("</script").count(), 3, "data, plotly.js and the page's own");
    assert_eq!(html.matches("<script").count() - html.matches("\"<script").count(), 3);
    let run = &data["sections"][0]["run"];
    assert_eq!(run["recipes"][2]["name"], "</script><b>");
    assert_eq!(run["results"].as_str().unwrap(), fs::read_to_string(folder.path().join("run/summary.csv")).unwrap());
    assert_eq!(run["config"].as_str().unwrap(), fs::read_to_string(folder.path().join("run/config.toml")).unwrap());
    assert!(run["commands"][0].as_str().unwrap().starts_with("mta-sim sweep --config settings.toml --alignment 0.2,0.8"));
    assert_eq!((&run["done"], &run["total"]), (&18.into(), &18.into()));
}

/// The number in a line of the results' CSV, by column.
fn number(csv: &str, line: usize, column: &str) -> f64 {
    let place = csv.lines().next().unwrap().split(',').position(|name| name == column).unwrap();
    csv.lines().nth(line + 1).unwrap().split(',').nth(place).unwrap().parse().unwrap()
}

#[test]
fn estimates_are_means_over_seeds_at_their_place_of_the_grid() {
    let folder = tempfile::tempdir().unwrap();
    sweep(folder.path());
    let (_, data) = report(folder.path(), "report run", "run/report.html");
    let (run, csv) = (&data["sections"][0]["run"], fs::read_to_string(folder.path().join("run/summary.csv")).unwrap());
    let measure = |name: &str| run["measures"].as_array().unwrap().iter().find(|m| m["name"] == name).unwrap();
    for (cell, column) in [(0, "gain"), (4, "gain"), (4, "held_out/pass@1"), (5, "held_out/entropy")] {
        let mean = (0..3).map(|seed| number(&csv, 3 * cell + seed, column)).sum::<f64>() / 3.0;
        let shown = measure(column)["values"][cell][0].as_f64().unwrap();
        assert!((shown - mean).abs() < 1e-12, "{column} of cell {cell}: {shown}, {mean}");
    }
    let gain = |recipe: usize| measure("gain")["values"][3 + recipe][0].as_f64().unwrap();
    assert!((measure("gain_kept")["values"][4][0].as_f64().unwrap() - gain(1) / gain(0)).abs() < 1e-12);
    let path = &run["curves"][0]["values"][4];
    assert_eq!(path["steps"], serde_json::json!([0.0, 2.0, 4.0]));
    let mut last: Vec<f64> = (0..3).map(|seed| number(&csv, 12 + seed, "held_out/pass@1")).collect();
    last.sort_by(f64::total_cmp);
    assert!((path["median"][2].as_f64().unwrap() / last[1] - 1.0).abs() < 1e-4, "the curve ends at the median of the results");
    let low = last[0] + 0.2 * (last[1] - last[0]);
    assert!((path["low"][2].as_f64().unwrap() / low - 1.0).abs() < 1e-4);
}

/// Without what a report may differ in: when and by which program it was made.
fn run_of(mut data: Value) -> Value {
    data["sections"][0]["run"].take()
}

#[test]
fn lost_cells_are_made_up_for_by_the_tables() {
    let folder = tempfile::tempdir().unwrap();
    sweep(folder.path());
    let (_, before) = report(folder.path(), "report run", "run/report.html");
    published(&folder.path().join("run")).iter().for_each(|path| fs::remove_file(path).unwrap());
    let (_, after) = report(folder.path(), "report run", "run/report.html");
    assert_eq!(run_of(before), run_of(after));
}

#[test]
fn an_unfinished_run_is_reported_as_far_as_it_went() {
    let folder = tempfile::tempdir().unwrap();
    sweep(folder.path());
    let run = folder.path().join("run");
    let path = unpublish(&run);
    let journal = fs::read_to_string(&path).unwrap();
    ["manifest.json", "results.parquet", "history.parquet", "summary.csv"].iter().for_each(|name| fs::remove_file(run.join(name)).unwrap());
    for cells in [0, 5, 17] {
        let kept: String = journal.split_inclusive('\n').take(cells).collect();
        fs::write(&path, kept + "{\"check\":\"01").unwrap();
        let said = succeed(folder.path(), "report run");
        assert!(said.starts_with(&format!("{cells} of 18 cells are finished; the report shows these.\n")), "{said}");
        let (_, data) = report(folder.path(), "report run", "run/report.html");
        let data = &data["sections"][0]["run"];
        assert_eq!(data["done"], cells);
        assert_eq!(data["results"].as_str().unwrap().lines().count(), cells + 1);
        assert!(data["sentence"].is_null(), "no verdict before the end");
    }
    assert!(fs::read_to_string(&path).unwrap().ends_with("{\"check\":\"01"), "a reader changes nothing");
}

#[test]
fn folders_of_one_name_are_told_apart_and_verdicts_come_along() {
    let folder = tempfile::tempdir().unwrap();
    for parent in ["a", "b"] {
        succeed(folder.path(), &format!("sweep {TINY} --out {parent}/run"));
    }
    fs::write(folder.path().join("b/run/verdicts.json"), r#"{"verdicts": [{"claim": "x", "verdict": "holds", "new": [1]}]}"#).unwrap();
    fs::create_dir(folder.path().join("c")).unwrap();
    fs::write(folder.path().join("c/verdicts.json"), r#"[{"claim": "y"}]"#).unwrap();
    let (_, data) = report(folder.path(), "report a/run b/run c --out all.html", "all.html");
    let names: Vec<&str> = data["sections"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a/run", "b/run", "c"]);
    assert_eq!(data["sections"][1]["verdicts"][0]["new"][0], 1);
    assert!(data["sections"][2]["run"].is_null());
    let (again, _) = report(folder.path(), "report a/run b/run c --out all.html", "all.html");
    assert!(again.starts_with("<!doctype html>"), "a report may be written over");
}

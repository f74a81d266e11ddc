//! Runs in the formats of other tools: nothing is lost, and the real tools read them.

mod program;

use mta_sim::store::parquet;
use program::{TINY, run, state, succeed};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A finished sweep, in `run`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &format!("sweep {TINY} --out run"));
    folder
}

fn export(folder: &Path, format: &str) -> PathBuf {
    let said = succeed(folder, &format!("export run --to {format} --out {format}"));
    assert_eq!(said, format!("{format}: {format}\n"));
    folder.join(format)
}

#[test]
fn csv_and_json_lines_hold_the_tables_to_the_last_digit() {
    let folder = folder();
    let (csv, jsonl) = (export(folder.path(), "csv"), export(folder.path(), "jsonl"));
    assert_eq!(fs::read(csv.join("results.csv")).unwrap(), fs::read(folder.path().join("run/summary.csv")).unwrap());
    for name in ["results", "history"] {
        let table = parquet::read(&folder.path().join(format!("run/{name}.parquet"))).unwrap();
        assert_eq!(fs::read_to_string(csv.join(format!("{name}.csv"))).unwrap(), table.to_csv());
        let text = fs::read_to_string(jsonl.join(format!("{name}.jsonl"))).unwrap();
        assert_eq!(text.lines().count(), table.rows());
        for (row, line) in text.lines().enumerate() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(line.as_object().unwrap().len(), table.columns().len());
            for column in table.columns() {
                assert_eq!(line[&column.name].as_f64(), table.number(&column.name, row), "{name} {row} {}", column.name);
            }
            assert_eq!(line["cell"], table.cell("cell", row));
        }
    }
}

#[test]
fn tools_of_runs_get_one_for_each_row_of_the_results() {
    let folder = folder();
    let results = parquet::read(&folder.path().join("run/results.parquet")).unwrap();
    let names = |path: &Path| {
        let entries = fs::read_dir(path).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = entries.collect();
        names.sort();
        names
    };
    let runs = names(&export(folder.path(), "tensorboard"));
    assert_eq!(runs.len(), results.rows());
    assert!(runs.contains(&"random,alignment=0.2,seed=1".to_string()), "{runs:?}");
    let wandb = export(folder.path(), "wandb-offline").join("wandb");
    assert_eq!(names(&wandb).len(), results.rows());
    let before = state(&wandb);
    export(folder.path(), "wandb-offline");
    assert_eq!(before, state(&wandb), "the same run, the same bytes");
}

#[test]
fn a_training_run_on_a_language_model_is_exported_too() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    fs::create_dir(&run).unwrap();
    fs::write(run.join("run.json"), r#"{"recipe":"majority","seed":3,"lora":null,"sampling":[1.0]}"#).unwrap();
    fs::write(run.join("metrics.jsonl"), "{\"step\":0,\"held_out/pass@1\":0.25}\n{\"step\":1,\"reward\":0.5}\n").unwrap();
    let csv = export(folder.path(), "csv");
    let text = fs::read_to_string(csv.join("history.csv")).unwrap();
    assert_eq!(text, "recipe,seed,step,held_out/pass@1,reward\nmajority,3,0,0.25,\nmajority,3,1,,0.5\n");
    assert!(export(folder.path(), "tensorboard").join("majority,seed=3.0").is_dir());
}

#[test]
fn what_cannot_be_exported_is_one_error() {
    let folder = folder();
    for (typed, said) in [
        ("export run --to csvv", "unknown format 'csvv', did you mean 'csv'?"),
        ("export . --to csv", "has neither tables"),
        ("export nowhere --to csv", "has neither tables"),
        ("export run --to csv --out run/config.toml", "is no folder to write to"),
    ] {
        let output = run(folder.path(), typed);
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && message.contains(said) && message.lines().count() == 1, "{typed}: {message}");
    }
}

/// `MTA_PYTHON=python3 cargo test --test export`: a Python with tensorboard, wandb, pandas, polars and duckdb reads what was exported.
#[test]
fn the_real_tools_read_the_same_numbers() {
    let Some(python) = std::env::var_os("MTA_PYTHON") else {
        return eprintln!("SKIPPED: MTA_PYTHON does not name a Python with tensorboard, wandb, pandas, polars and duckdb");
    };
    let folder = folder();
    for format in ["csv", "jsonl", "tensorboard", "wandb-offline"] {
        export(folder.path(), format);
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/export/check.py");
    let output = Command::new(python).arg(script).current_dir(folder.path()).output().unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{errors}");
    eprintln!("{said}");
}

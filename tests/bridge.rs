//! The llm rung in miniature, end to end: forecasts stand before results, nothing depends on threads or interruptions, and damage is an error.

mod program;

use mta_sim::bridge::{Bridge, Compared};
use mta_sim::engine::Engine;
use mta_sim::error::Error;
use mta_sim::greenhouse::Greenhouse;
use mta_sim::llm::grown::cell::GrownSettings;
use mta_sim::llm::grown::grow::GrowSettings;
use mta_sim::llm::optimizer::AdamSettings;
use mta_sim::sims::cell::Cell;
use mta_sim::sims::claims::{CLAIMS, FIRST_SEED, Lab, Rung};
use mta_sim::sims::stream::Seed;
use mta_sim::store::cells::Cells;
use mta_sim::verify::{self, Budget, Labs, Request};
use program::unpublish;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Questions of three digits modulo 8, models of one narrow block that have read 1,200 documents, four responses per prompt.
fn tiny() -> GrownSettings {
    let adam = AdamSettings { learning_rate: 1e-2, ..AdamSettings::DEFAULT };
    let grow = GrowSettings { steps: 50, batch: 24, hidden_size: 16, layers: 1, adam };
    GrownSettings { terms: 3, modulus: 8, grow, samples: 4, ..GrownSettings::DEFAULT }
}

/// Both ends of alignment, two recipes, two seeds: eight cells on four base models.
fn bridge(folder: &Path, threads: usize) -> Bridge {
    let mut bridge = Bridge::new(folder, "0.1,0.9", "standard,one-shot", 2, 7, threads).unwrap();
    bridge.greenhouse = Greenhouse::new(tiny(), &folder.join("models"));
    let small = [("vocab", "6"), ("prompts", "8"), ("held_out", "16"), ("steps", "3"), ("train_batch_size", "4"), ("group_size", "4")];
    bridge.settings.flags(small.into_iter()).unwrap();
    bridge
}

/// What must not depend on how a comparison went.
fn tables(folder: &Path) -> Vec<Vec<u8>> {
    let names = ["results.parquet", "history.parquet", "summary.csv"];
    let all = names.iter().flat_map(|name| [folder.join(name), folder.join("forecast").join(name)]);
    all.chain([folder.join("kinetics.json")]).map(|path| fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).collect()
}

fn models(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(folder.join("models")).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

/// A comparison from nothing, kinetics fitted on its own probe world, and its folder.
fn once() -> &'static (tempfile::TempDir, Compared) {
    static ONCE: OnceLock<(tempfile::TempDir, Compared)> = OnceLock::new();
    ONCE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let compared = bridge(folder.path(), 2).compare().unwrap();
        (folder, compared)
    })
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|e| (e.path(), e.file_name())).unwrap();
        if path.is_dir() { copy(&path, &to.join(name)) } else { fs::copy(&path, to.join(name)).map(drop).unwrap() }
    }
}

/// A copy of the finished comparison to break.
fn finished() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(once().0.path(), folder.path());
    folder
}

/// Labs that run nothing and look at what they would have to.
struct Checked(Greenhouse);

impl Labs for Checked {
    fn prepare(&mut self, cells: &dyn Fn() -> Vec<Cell>) -> Result<(), Error> {
        let cells = cells();
        assert!(cells.len() > 20);
        cells.iter().for_each(|cell| self.0.check(cell, true).unwrap_or_else(|e| panic!("{}: {e}", cell.recipe.name)));
        Err(Error::Usage("all worlds exist".into()))
    }

    fn lab(&self, _: Seed) -> Lab {
        unreachable!("nothing is prepared")
    }
}

/// Every cell that a claim asks of transformers, counterexamples too, can be grown.
#[test]
fn claims_ask_for_worlds_that_exist() {
    let request = Request {
        claims: CLAIMS.to_vec(),
        rungs: vec![Rung::Llm],
        budget: Budget { name: "one", looks: &[1] },
        counterexamples: true,
        alpha: 0.01,
        first_seed: FIRST_SEED,
    };
    let mut labs = Checked(Greenhouse::new(GrownSettings::DEFAULT, Path::new("nowhere")));
    let stopped = verify::judge_in(&request, |rung| *rung == Rung::Llm, &mut labs).err().expect("its labs prepare nothing");
    assert_eq!(stopped.to_string(), Error::Usage("all worlds exist".into()).to_string());
}

#[test]
fn a_comparison_is_a_forecast_and_an_outcome_for_every_cell() {
    let (folder, compared) = once();
    assert_eq!((compared.plan.rows(), compared.forecast.reused, compared.outcome.reused), (8, 0, 0));
    assert_eq!(models(folder.path()).len(), 7, "four base models and the probes'");
    let cells = |name: &str| Cells::open(&folder.path().join(name)).unwrap().ids().copied().collect::<HashSet<_>>();
    let (forecast, outcome) = (cells("forecast"), cells("."));
    assert_eq!((cells("probe").len(), forecast.len(), outcome.len()), (6, 8, 8));
    assert!(forecast.is_disjoint(&outcome), "a forecast is not taken for a result");
    assert_ne!(compared.forecast.results().unwrap().to_csv(), compared.outcome.results().unwrap().to_csv());
}

#[test]
fn exact_mode_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut bridge = bridge(folder.path(), 1);
    bridge.settings.flags([("mode", "exact")].into_iter()).unwrap();
    let error = bridge.compare().err().expect("responses of a language model cannot be enumerated").to_string();
    assert!(error.contains("recipe standard: mode = exact: must be sampled"), "{error}");
}

#[test]
fn the_same_again_runs_nothing() {
    let folder = finished();
    let again = bridge(folder.path(), 1).compare().unwrap();
    assert_eq!((again.forecast.reused, again.outcome.reused), (8, 8));
    assert!(again.fit == once().1.fit && tables(folder.path()) == tables(once().0.path()));
}

/// The kinetics of the finished comparison in a folder of its own.
fn with_kinetics() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(once().0.path().join("kinetics.json"), folder.path().join("kinetics.json")).unwrap();
    folder
}

#[test]
fn tables_do_not_depend_on_threads() {
    let folder = with_kinetics();
    bridge(folder.path(), 1).compare().unwrap();
    assert!(tables(folder.path()) == tables(once().0.path()));
}

/// A file that is not ours stops the training, and only that.
#[test]
fn forecasts_are_written_before_any_recipe_runs() {
    let folder = with_kinetics();
    fs::write(folder.path().join("config.toml"), "mine = true\n").unwrap();
    let error = refused(folder.path());
    assert!(error.contains("config.toml"), "{error}");
    let forecast = |folder: &Path| fs::read(folder.join("forecast/results.parquet")).unwrap();
    assert!(forecast(folder.path()) == forecast(once().0.path()));
    assert!(!folder.path().join("results.parquet").exists() && !folder.path().join("shards").exists());
}

/// Leaves of a folder's cells what a kill in the middle of the line after `lines` does.
fn cut(run: &Path, lines: usize) {
    let journal = &unpublish(run);
    let text = fs::read_to_string(journal).unwrap();
    let whole: usize = text.split_inclusive('\n').take(lines).map(str::len).sum();
    assert!(whole + 100 < text.len());
    fs::write(journal, &text[..whole + 100]).unwrap();
}

/// What a kill leaves: journals with half a line, no tables, some base models not grown, one half saved.
#[test]
fn a_comparison_that_was_killed_goes_on_to_the_same_tables() {
    let during_training = finished();
    cut(during_training.path(), 3);
    for name in ["results.parquet", "history.parquet", "summary.csv", "manifest.json"] {
        fs::remove_file(during_training.path().join(name)).unwrap();
    }
    let resumed = bridge(during_training.path(), 2).compare().unwrap();
    assert_eq!((resumed.forecast.reused, resumed.outcome.reused), (8, 3));
    assert!(tables(during_training.path()) == tables(once().0.path()));

    let while_growing = finished();
    let model = &models(while_growing.path())[1];
    let partial = model.with_file_name(format!(".{}.partial", model.file_name().unwrap().display()));
    fs::rename(model, &partial).unwrap();
    fs::remove_file(partial.join("config.json")).unwrap();
    fs::remove_dir_all(&models(while_growing.path())[3]).unwrap();
    for name in ["results.parquet", "config.toml", "forecast/config.toml"] {
        fs::remove_file(while_growing.path().join(name)).unwrap();
    }
    ["shards", "forecast/shards"].iter().for_each(|name| fs::remove_dir_all(while_growing.path().join(name)).unwrap());
    cut(&while_growing.path().join("probe"), 1);
    fs::remove_file(while_growing.path().join("kinetics.json")).unwrap();
    let resumed = bridge(while_growing.path(), 2).compare().unwrap();
    assert_eq!((resumed.forecast.reused, resumed.outcome.reused), (0, 0));
    assert!(tables(while_growing.path()) == tables(once().0.path()));
}

/// The error of comparing in `folder`, which must be one the user can mend.
fn refused(folder: &Path) -> String {
    let error: Error = bridge(folder, 2).compare().err().expect("the folder is damaged");
    assert_eq!(error.exit_code(), 2, "{error}");
    error.to_string()
}

#[test]
fn kinetics_of_other_probes_are_fitted_again() {
    let folder = finished();
    let path = folder.path().join("kinetics.json");
    fs::write(&path, b"{\"probes\": [\"another\"], \"learning_rate\": 1.0, \"sharing\": 0.5, \"rmse\": 0.1}").unwrap();
    let again = bridge(folder.path(), 2).compare().unwrap();
    assert!(again.fit == once().1.fit && tables(folder.path()) == tables(once().0.path()));
}

#[test]
fn damaged_kinetics_are_refused() {
    let texts: [&[u8]; 7] = [
        b"",
        b"{",
        b"[1, 2]",
        b"{\"learning_rate\": 1.0}",
        b"\xff\xfe",
        b"{\"probes\": [], \"learning_rate\": -1.0, \"sharing\": 0.5, \"rmse\": 0.1}",
        b"{\"probes\": [], \"learning_rate\": 1.0, \"sharing\": 1.5, \"rmse\": 0.1}",
    ];
    let folder = tempfile::tempdir().unwrap();
    for text in texts {
        fs::write(folder.path().join("kinetics.json"), text).unwrap();
        let error = refused(folder.path());
        assert!(error.contains("kinetics.json"), "{error}");
        assert_eq!(fs::read(folder.path().join("kinetics.json")).unwrap(), text, "it is the user's to mend");
    }
    assert!(!folder.path().join("forecast").exists(), "nothing ran");
}

#[test]
fn damaged_base_models_are_refused() {
    type Damage = fn(&Path);
    let damages: [(Damage, &str); 4] = [
        (|model| fs::write(model.join("config.json"), "{").unwrap(), "config.json"),
        (|model| fs::remove_file(model.join("model.safetensors")).unwrap(), "model.safetensors"),
        (|model| shorten(&model.join("model.safetensors")), "model.safetensors"),
        (|model| rewrite(&model.join("config.json"), "\"hidden_size\": 16", "\"hidden_size\": 24"), "config.json"),
    ];
    for (damage, named) in damages {
        let folder = finished();
        fs::remove_dir_all(folder.path().join("shards")).unwrap();
        fs::remove_file(folder.path().join("config.toml")).unwrap();
        models(folder.path()).iter().for_each(|model| damage(model));
        let error = refused(folder.path());
        assert!(error.contains("models") && error.contains(named), "{error}");
    }
}

fn shorten(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

fn rewrite(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

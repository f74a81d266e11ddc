//! Training runs: stopped and gone on with they end as if never stopped; micro-batches change nothing but rounding; other runs are refused.

use crate::common;
use crate::common::device;
use candle_core::{DType, Device};
use mta_llm::checkpoint;
use mta_llm::exam::Exam;
use mta_llm::folder;
use mta_llm::grown::family;
use mta_llm::grown::grow::{GrowSettings, grow};
use mta_llm::grown::world::{MethodSettings, MethodWorld};
use mta_llm::lora::{Lora, TARGETS};
use mta_llm::model::Model;
use mta_llm::optimizer::AdamSettings;
use mta_llm::train::{Course, Ended, Plan, Row, Settings, train};
use mta_sims::config::{Config, World};
use mta_sims::registry::find;
use mta_sims::rules::RULES;
use mta_sims::signals::SIGNALS;
use mta_sims::stream::Seed;
use serde_json::{Map, Value, json};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// A model grown for 40 steps, as a folder.
fn grown(at: &Path) -> PathBuf {
    let world = World { vocab: 8, idiosyncrasy: 0.0, prompts: 8, held_out: 8, alignment: 0.5, ..World::DEFAULT };
    let settings = MethodSettings { world, terms: 3, modulus: 5, leak: 0.0 };
    let world = MethodWorld::new(&settings, Seed(3)).unwrap();
    let growth = GrowSettings {
        steps: 40,
        batch: 16,
        hidden_size: 16,
        layers: 1,
        adam: AdamSettings { learning_rate: 1e-2, ..AdamSettings::DEFAULT },
    };
    let model = grow(&world, &growth, &mut |_, _| ()).unwrap();
    let folder = at.join("base");
    family::save(&folder, &model, &world, growth.steps * growth.batch).unwrap();
    folder
}

/// PPO: a critic that learns, a leash to the base model, two passes over each batch.
fn config() -> Config {
    let mut config = Config { objective: find("rule", RULES, "ppo").unwrap().objective.clone(), ..Config::DEFAULT };
    config.objective.kl_beta = 0.1;
    (config.train.steps, config.train.eval_every, config.train.learning_rate) = (6, 3, 5e-3);
    (config.train.train_batch_size, config.train.group_size, config.train.num_iterations) = (4, 4, 2);
    config
}

fn settings(lora: Option<Lora>) -> Settings {
    Settings {
        adam: AdamSettings { warmup_steps: 4, ..AdamSettings::DEFAULT },
        temperature: 1.0,
        top_p: 1.0,
        lora,
        micro_batch: 0,
        eval_samples: 4,
        eval_prompts: 8,
        candidates: 8,
        save_steps: 2,
        save_total_limit: 2,
        seed: Seed(7),
    }
}

/// A base model's folder, its exam, and how it is trained.
struct Case {
    base: PathBuf,
    exam: Exam,
    config: Config,
    course: Course,
    settings: Settings,
    machine: (DType, Device),
}

impl Case {
    fn new(at: &Path, course: Course, lora: Option<Lora>) -> Self {
        let base = grown(at);
        let told = family::read(&base).unwrap();
        let mut exam = Exam::grown(told.world);
        if matches!(course, Course::Supervised) {
            exam.teach(told.documents..told.documents + 64);
        }
        Case { base, exam, config: config(), course, settings: settings(lora), machine: (DType::F32, device()) }
    }

    /// Trains in `folder`; `observe` may end the process, `stop` asks for an end.
    fn run(&self, folder: &Path, observe: &mut dyn FnMut(&Row), stop: &dyn Fn() -> bool) -> mta_llm::error::Result<Ended> {
        let about = Map::from_iter([("seed".to_string(), json!(self.settings.seed.0))]);
        let plan =
            Plan { exam: &self.exam, config: &self.config, course: self.course, settings: self.settings.clone(), base: &self.base, about };
        let model = folder::load(&self.base, self.machine.0, &self.machine.1).unwrap();
        train(&plan, model, None, folder, observe, stop)
    }

    fn whole(&self, folder: &Path) {
        assert!(matches!(self.run(folder, &mut |_| (), &|| false).unwrap(), Ended::Finished(_)));
    }

    /// Killed while step `at` is shown: after its row is written, before anything else.
    fn killed(&self, folder: &Path, at: u64) {
        let mut observe = |row: &Row| assert!(row["step"] != at, "killed");
        assert!(catch_unwind(AssertUnwindSafe(|| self.run(folder, &mut observe, &|| false))).is_err());
    }
}

fn reinforced() -> Course {
    Course::Reinforced(find("signal", SIGNALS, "ground_truth").unwrap())
}

fn lora() -> Option<Lora> {
    Some(Lora::new(2, 4.0, &TARGETS).unwrap())
}

/// Every file of the last checkpoint and of what came out, by hash; rows of metrics without their times.
fn state(run: &Path) -> (Vec<(PathBuf, blake3::Hash)>, Vec<Value>) {
    let folders = [checkpoint::list(run).unwrap().pop().unwrap().1, run.join("model"), run.join("adapter")];
    let mut files: Vec<PathBuf> =
        folders.iter().filter(|f| f.is_dir()).flat_map(|f| fs::read_dir(f).unwrap().map(|e| e.unwrap().path())).collect();
    files.sort();
    let hashes = files.iter().map(|f| (f.strip_prefix(run).unwrap().into(), blake3::hash(&fs::read(f).unwrap()))).collect();
    (hashes, rows(run))
}

fn rows(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let timeless = |line: &str| {
        let mut row: Value = serde_json::from_str(line).unwrap();
        row.as_object_mut().unwrap().remove("seconds").expect("every row has its time");
        row
    };
    text.lines().map(timeless).collect()
}

/// Killed after step 5 with a checkpoint of step 4, and a half-written one of step 6 lying about.
fn goes_on_as_if_never_stopped(case: &Case, at: &Path) {
    let (whole, cut) = (at.join("whole"), at.join("cut"));
    case.whole(&whole);
    case.killed(&cut, 5);
    assert_eq!(checkpoint::list(&cut).unwrap().last().unwrap().0, 4);
    let half = cut.join("checkpoints/.step-6.partial");
    fs::create_dir_all(&half).unwrap();
    fs::write(half.join("model.safetensors"), b"half").unwrap();
    case.whole(&cut);
    assert_eq!(state(&cut), state(&whole));
    assert!(!half.exists());
    assert_eq!(rows(&whole).len(), 7);
}

#[test]
fn ppo_with_critic_and_leash_goes_on_as_if_never_stopped() {
    let at = tempfile::tempdir().unwrap();
    goes_on_as_if_never_stopped(&Case::new(at.path(), reinforced(), None), at.path());
}

#[test]
fn an_adapter_goes_on_as_if_never_stopped() {
    let at = tempfile::tempdir().unwrap();
    goes_on_as_if_never_stopped(&Case::new(at.path(), reinforced(), lora()), at.path());
}

#[test]
fn imitation_goes_on_as_if_never_stopped() {
    let at = tempfile::tempdir().unwrap();
    let mut case = Case::new(at.path(), Course::Supervised, None);
    (case.config.train.train_batch_size, case.config.train.learning_rate) = (32, 1e-2);
    goes_on_as_if_never_stopped(&case, at.path());
}

/// Imitation lowers the perplexity of documents that the base model has not read.
#[test]
fn imitation_learns() {
    let at = tempfile::tempdir().unwrap();
    let mut case = Case::new(at.path(), Course::Supervised, None);
    (case.config.train.steps, case.config.train.train_batch_size) = (40, 32);
    case.whole(&at.path().join("run"));
    let perplexity = |folder: &Path| {
        let model = load(folder);
        mta_llm::assess::perplexity(&model, &case.exam, &case.exam.taught(), 10).unwrap().unwrap()
    };
    let (before, after) = (perplexity(&case.base), perplexity(&at.path().join("run/model")));
    assert!(after < 0.9 * before, "{after} after {before}");
    let last = rows(&at.path().join("run"))[40]["loss"].as_f64().unwrap();
    assert!((last.exp() / after - 1.0).abs() < 0.2, "the loss is the log of the perplexity: {last}, {after}");
}

/// Asked to stop, a run ends after the step with a checkpoint of it, and more steps may be asked for later.
#[test]
fn a_run_that_is_asked_to_stop_keeps_its_step() {
    let at = tempfile::tempdir().unwrap();
    let case = Case::new(at.path(), reinforced(), None);
    let (whole, cut) = (at.path().join("whole"), at.path().join("cut"));
    case.whole(&whole);
    let seen = std::cell::Cell::new(0);
    let mut observe = |row: &Row| seen.set(row["step"].as_u64().unwrap());
    assert_eq!(case.run(&cut, &mut observe, &|| seen.get() >= 3).unwrap(), Ended::Stopped(3));
    assert_eq!(checkpoint::list(&cut).unwrap().last().unwrap().0, 3);
    case.whole(&cut);
    assert_eq!(state(&cut), state(&whole));
}

/// Rows carry what TRL and verl call them, and leave out what is not known.
#[test]
fn metrics_have_their_usual_names() {
    let at = tempfile::tempdir().unwrap();
    let case = Case::new(at.path(), reinforced(), None);
    case.whole(&at.path().join("run"));
    let rows = rows(&at.path().join("run"));
    assert!(rows[0].get("reward").is_none() && rows[0]["held_out/pass@1"].is_f64(), "{}", rows[0]);
    for name in [
        "reward",
        "reward_std",
        "frac_reward_zero_std",
        "entropy",
        "completions/mean_length",
        "clip_ratio/low_mean",
        "grad_norm",
        "learning_rate",
        "loss",
    ] {
        assert!(rows[1][name].is_f64(), "{name}: {}", rows[1]);
    }
    assert!(rows[1].get("held_out/pass@1").is_none() && rows[3]["held_out/pass@4"].is_f64());
    assert!(rows[3].get("held_out/pass@8").is_none(), "4 samples say nothing of pass@8");
    assert_eq!(rows[1]["learning_rate"], 5e-3 * 2.0 / 4.0, "two updates of four of warm-up");
}

#[test]
fn what_belongs_to_another_run_or_is_damaged_is_refused() {
    let at = tempfile::tempdir().unwrap();
    let mut case = Case::new(at.path(), reinforced(), None);
    let run = at.path().join("run");
    case.killed(&run, 5);
    let refused = |case: &Case| case.run(&run, &mut |_| (), &|| false).unwrap_err().to_string();
    case.settings.seed = Seed(8);
    assert!(refused(&case).contains("belongs to another run: seed is 7 there and 8 here"), "{}", refused(&case));
    case.settings.seed = Seed(7);
    case.config.train.steps = 3;
    assert!(refused(&case).contains("steps is 3"), "{}", refused(&case));
    case.config.train.steps = 6;
    let moments = run.join("checkpoints/step-4/optimizer.safetensors");
    let bytes = fs::read(&moments).unwrap();
    fs::write(&moments, &bytes[..bytes.len() / 2]).unwrap();
    let said = refused(&case);
    assert!(said.contains("optimizer.safetensors: not a whole safetensors file"), "{said}");
}

fn load(folder: &Path) -> Model {
    folder::load(folder, DType::F32, &Device::Cpu).unwrap()
}

/// What came out of the run of this name.
fn outcome(at: &Path, name: &str) -> Model {
    load(&at.join(name).join("model"))
}

/// Largest distance of a parameter.
fn far(a: &Model, b: &Model) -> f64 {
    let pairs = a.weights.vars().iter().zip(b.weights.vars());
    pairs.map(|(a, b)| common::largest(&(a.as_tensor() - b.as_tensor()).unwrap())).fold(0.0, f64::max)
}

/// Gradients of micro-batches add up to those of the whole.
#[test]
fn micro_batches_change_nothing_but_rounding() {
    let at = tempfile::tempdir().unwrap();
    let mut case = Case::new(at.path(), reinforced(), None);
    case.config.train.steps = 1;
    case.whole(&at.path().join("whole"));
    case.settings.micro_batch = 3;
    case.whole(&at.path().join("parts"));
    let (whole, parts, base) = (outcome(at.path(), "whole"), outcome(at.path(), "parts"), load(&case.base));
    let norm = |run: &str| rows(&at.path().join(run))[1]["grad_norm"].as_f64().unwrap();
    assert!(far(&whole, &base) > 1e-3);
    assert!((norm("whole") / norm("parts") - 1.0).abs() < 1e-5, "{} {}", norm("whole"), norm("parts"));
    assert!(far(&whole, &parts) < 0.05 * far(&whole, &base), "{} of {}", far(&whole, &parts), far(&whole, &base));
}

/// Largest difference of a metric between two runs, as a part of its size and no less than a hundredth.
fn differ(a: &[Value], b: &[Value]) -> (f64, String) {
    assert_eq!(a.len(), b.len());
    let rows = a.iter().zip(b).map(|(a, b)| (a.as_object().unwrap(), b.as_object().unwrap()));
    let off = |(name, x): (&String, &Value), b: &Map<String, Value>| {
        let (x, y) = (x.as_f64().unwrap(), b[name].as_f64().unwrap());
        ((x - y).abs() / y.abs().max(1e-2), format!("{name} of step {}: {x}, {y}", b["step"]))
    };
    rows.flat_map(|(a, b)| a.iter().map(move |metric| off(metric, b))).max_by(|a, b| a.0.total_cmp(&b.0)).unwrap()
}

/// Sampling, scores, gradients, AdamW and evaluations in candle's operations alone, as a GPU runs them, on the CPU in f64.
#[test]
fn a_run_in_the_composite_form_is_that_in_the_fused_form() {
    let at = tempfile::tempdir().unwrap();
    let mut case = Case::new(at.path(), reinforced(), None);
    case.whole(&at.path().join("fused"));
    case.machine = (DType::F64, Device::Cpu);
    case.whole(&at.path().join("composite"));
    let worst = differ(&rows(&at.path().join("fused")), &rows(&at.path().join("composite")));
    let (fused, composite) = (outcome(at.path(), "fused"), outcome(at.path(), "composite"));
    let (moved, apart) = (far(&fused, &load(&case.base)), far(&fused, &composite));
    println!("{worst:?}; parameters moved {moved:.1e}, apart {apart:.1e}");
    assert!(worst.0 < 1e-3, "{worst:?}");
    assert!(moved > 1e-2 && apart < 1e-3 * moved, "{apart} of {moved}");
}

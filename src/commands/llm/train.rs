//! `mta-sim llm train`: any recipe on a model of the user's own or a grown one.

use super::subject::{Machine, Subject, dtype, flags, top_p, within};
use super::{columns, given, option, refuse, refuse_grids};
use crate::bridge::grown_settings;
use crate::cli::{knob_flag, knob_flags};
use crate::commands::say;
use crate::error::{Error, Origin};
use crate::progress;
use crate::settings::Settings as Layers;
use crate::stop;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use mta_llm::exam::Exam;
use mta_llm::folder;
use mta_llm::lora::{Lora, TARGETS};
use mta_llm::memory::{self, Footprint};
use mta_llm::model::Model;
use mta_llm::optimizer::AdamSettings;
use mta_llm::policy::check_mode;
use mta_llm::train::{Course, Ended, Plan, Row, Settings, train as run};
use mta_sims::config::{KNOBS, Regime, Sampler};
use mta_sims::recipe::Ready;
use mta_sims::registry::Named;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

const HELP: &str = "\
The recipes are those of the simulator (mta-sim list recipes), and 'sft': imitation of the responses a file gives, or of a grown model's corpus.
Without --data only --dry-run works on a model that was not grown here: it shows the memory that the shapes take. Without --eval-data a part of the
questions, told by a hash of their text, is held out. Checkpoints go to OUT/checkpoints: the same command goes on from the last one.";

/// Sections of knobs that mean something to a language model.
const SECTIONS: [&str; 4] = ["train", "signal", "data", "objective"];

/// The recipe that is none of the simulator's.
const SUPERVISED: &str = "sft";

/// Where defaults that are not the simulator's come from, in messages.
const DEFAULTS: &str = "defaults of llm train";

/// The subcommand.
pub(super) fn command() -> Command {
    let knobs = KNOBS.iter().filter(|k| SECTIONS.contains(&k.section));
    Command::new("train")
        .about("Train a model by one recipe, with checkpoints")
        .after_help(HELP)
        .next_line_help(false)
        .args(flags())
        .args(own_flags())
        .args(knobs.map(knob_flag))
}

fn own_flags() -> Vec<Arg> {
    let count =
        |name, help, default: &'static str| option(name, "N", help).default_value(default).value_parser(value_parser!(u32).range(1..));
    let any = |name, help, default: &'static str| option(name, "N", help).default_value(default).value_parser(value_parser!(u32));
    let real = |name, help, default: &'static str| option(name, "X", help).default_value(default).value_parser(value_parser!(f64));
    vec![
        option("recipe", "NAME", "The recipe, or sft").default_value("standard"),
        option("rule", "NAME", "Its update rule, instead of its own (mta-sim list rules)"),
        option("teacher", "FOLDER", "The model that samples, for recipes that imitate one").value_parser(value_parser!(PathBuf)),
        option("eval-data", "FILE", "Held-out questions").value_parser(value_parser!(PathBuf)),
        any("lora-rank", "Train an adapter of this rank; 0 trains all parameters", "0"),
        real("lora-alpha", "The adapter's scale, alpha", "32"),
        any("micro-batch-size", "Sequences differentiated at once; 0: all of a minibatch", "0"),
        real("temperature", "Of rollouts and evaluations", "1"),
        any("warmup-steps", "Updates over which the learning rate grows", "0"),
        real("weight-decay", "Per step and unit of learning rate", "0"),
        real("max-grad-norm", "Largest norm of the gradient; 0 is no limit", "1"),
        count("eval-samples", "Responses per prompt of an evaluation and of the choice of prompts", "16"),
        count("eval-prompts", "Held-out prompts that are asked while training", "128"),
        count("candidates", "Training prompts among which one-shot and few choose", "128"),
        count("save-steps", "Steps between checkpoints", "20"),
        count("save-total-limit", "Checkpoints kept", "2"),
        option("out", "FOLDER", "Where checkpoints, metrics and the model go").value_parser(value_parser!(PathBuf)),
        Arg::new("dry-run").long("dry-run").action(ArgAction::SetTrue).help("Say what would run and the memory it takes, and stop"),
    ]
}

/// Runs the subcommand and prints its answer.
///
/// # Errors
/// As the library's.
pub(super) fn train(matches: &ArgMatches) -> Result<(), Error> {
    let separate = matches.get_one::<PathBuf>("eval-data");
    if separate.is_some() && !matches.contains_id("data") {
        return Err(Error::Usage("--eval-data: needs --data beside it".into()));
    }
    let subject = Subject::read(matches, separate.map(PathBuf::as_path), true)?;
    let supervised = given::<String>(matches, "recipe") == SUPERVISED;
    let mut job = Job { ready: recipe(matches, &subject, supervised)?, settings: settings(matches)?, subject, supervised };
    job.check(matches)?;
    if matches.get_flag("dry-run") {
        say(&job.described(matches)?);
        return Ok(());
    }
    job.run(matches)
}

/// The recipe with every knob set.
fn recipe(matches: &ArgMatches, subject: &Subject, supervised: bool) -> Result<Ready, Error> {
    let lora = given::<u32>(matches, "lora-rank") > 0;
    let mut layers = Layers::parse(&defaults(subject, lora, supervised), Path::new(DEFAULTS))?;
    layers.flags(knob_flags(matches))?;
    refuse_grids(&layers, None)?;
    let name = if supervised { "standard".into() } else { given::<String>(matches, "recipe").trim().to_string() };
    (layers.run.recipes, layers.run.rule) = (vec![name], matches.get_one::<String>("rule").cloned());
    let mut ready = layers.recipes()?.pop().ok_or_else(|| Error::Usage("--recipe: names no recipe".into()))?;
    if let Some(exam) = &subject.exam {
        (ready.config.world.prompts, ready.config.world.held_out) = (exam.training.len().max(1), exam.held_out.len().max(1));
    }
    Ok(ready)
}

/// Defaults of knobs where the simulator's, made for tables, would not do: grown models as [`llm verify`](grown_settings) trains them, others as TRL does.
fn defaults(subject: &Subject, lora: bool, supervised: bool) -> String {
    if subject.documents > 0 {
        return grown_settings();
    }
    let rate = match (lora, supervised) {
        (false, false) => "1e-6",
        (true, true) => "1e-4",
        _ => "1e-5",
    };
    format!("steps = 100\neval_every = 20\ntrain_batch_size = 8\ngroup_size = 8\nlearning_rate = {rate}\n")
}

fn settings(matches: &ArgMatches) -> Result<Settings, Error> {
    let count = |name| given::<u32>(matches, name) as usize;
    let rank = count("lora-rank");
    let lora = if rank > 0 { Some(Lora::new(rank, given(matches, "lora-alpha"), &TARGETS)?) } else { None };
    let adam = AdamSettings {
        warmup_steps: count("warmup-steps"),
        weight_decay: within(matches, "weight-decay", 0.0, 1e3)?,
        max_grad_norm: within(matches, "max-grad-norm", 0.0, 1e9)?,
        ..AdamSettings::DEFAULT
    };
    let temperature = within(matches, "temperature", 1e-3, 1e3)?;
    Ok(Settings {
        adam,
        temperature,
        top_p: top_p(matches)?,
        lora,
        micro_batch: count("micro-batch-size"),
        eval_samples: count("eval-samples"),
        eval_prompts: count("eval-prompts"),
        candidates: count("candidates"),
        save_steps: count("save-steps"),
        save_total_limit: count("save-total-limit"),
        seed: mta_sims::stream::Seed(given(matches, "seed")),
    })
}

/// A run as told.
struct Job {
    subject: Subject,
    ready: Ready,
    settings: Settings,
    supervised: bool,
}

impl Job {
    /// What no single flag shows.
    fn check(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        let origin = Origin::Ready(self.name().into());
        self.ready.validate().map_err(|e| Error::knob(e, &origin))?;
        let config = &self.ready.config;
        check_mode(config.train.mode).map_err(|e| Error::knob(e, &Origin::Flag))?;
        let (teacher, wanted) = (matches.get_one::<PathBuf>("teacher"), config.data.sampler == Sampler::Teacher);
        match (teacher, wanted) {
            (None, true) => return Err(Error::Usage(format!("--teacher: missing; recipe {} imitates one", self.name()))),
            (Some(folder), false) => {
                return Err(refuse("teacher", folder.display(), &format!("recipe {} samples from the model itself", self.name())));
            }
            _ => {}
        }
        if self.supervised && self.settings.temperature != 1.0 {
            return Err(refuse("temperature", self.settings.temperature, "must be 1 with --recipe sft"));
        }
        self.check_prompts()
    }

    fn check_prompts(&self) -> Result<(), Error> {
        let Some(exam) = &self.subject.exam else { return Ok(()) };
        let tested = self.ready.config.data.regime == Regime::TestTime;
        let (side, empty) = if tested { ("held-out", exam.held_out.is_empty()) } else { ("training", exam.training.is_empty()) };
        if empty { Err(Error::Usage(format!("--data: no {side} question is left"))) } else { Ok(()) }
    }

    fn name(&self) -> &str {
        if self.supervised { SUPERVISED } else { &self.ready.name }
    }

    fn course(&self) -> Course {
        if self.supervised { Course::Supervised } else { Course::Reinforced(self.ready.signal) }
    }

    /// What would run, and what it takes.
    fn described(&self, matches: &ArgMatches) -> Result<String, Error> {
        let (architecture, train) = (&self.subject.architecture, &self.ready.config.train);
        let parameters = architecture.size();
        let adapter = self.settings.lora.as_ref().map(|l| format!(", of them trained: an adapter of {}", l.size(architecture)));
        let trained = adapter.unwrap_or_else(|| ", all trained".into());
        let per_prompt = if self.supervised { String::new() } else { format!(" x {} responses", train.group_size) };
        let footprint = Footprint::of(architecture, &self.memory(matches));
        let names: [String; 2] = [given(matches, "device"), given(matches, "dtype")];
        Ok(format!(
            "{}: {parameters} parameters{trained}; {} on {}\n{}\n{} with {}, {} steps of {} prompts{per_prompt}, learning rate {}\n\n{}",
            self.subject.folder.display(),
            names[1],
            names[0],
            self.questions(),
            self.name(),
            if self.supervised { "cross-entropy" } else { self.ready.rule.name() },
            train.steps,
            train.train_batch_size,
            train.learning_rate,
            shown(&footprint)
        ))
    }

    fn questions(&self) -> String {
        let Some(exam) = &self.subject.exam else { return "no questions: memory from shapes alone".into() };
        let left_out = if exam.left_out > 0 { format!(", {} left out as too long", exam.left_out) } else { String::new() };
        let (prompt, response) = (exam.longest_prompt(), exam.longest);
        format!(
            "{} questions to train on, {} held out{left_out}; prompts of at most {prompt} tokens, responses of {response}",
            exam.training.len(),
            exam.held_out.len()
        )
    }

    fn memory(&self, matches: &ArgMatches) -> memory::Plan {
        let bound = |name| given::<u32>(matches, name) as usize;
        let (prompt, response) = match &self.subject.exam {
            Some(exam) => (exam.longest_prompt(), exam.longest),
            None => (bound("max-prompt-length"), bound("max-completion-length")),
        };
        mta_llm::train::shape(&self.ready.config, self.course(), &self.settings, [prompt, response], dtype(matches))
    }

    fn run(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        let machine = Machine::of(matches)?;
        let out = matches.get_one::<PathBuf>("out").ok_or_else(|| Error::Usage("--out: missing; where should the run go?".into()))?;
        let about = self.about(matches);
        self.subject.exam()?;
        let model = self.subject.load(&machine)?;
        let teacher = matches.get_one::<PathBuf>("teacher").map(|folder| self.teacher(folder, &machine)).transpose()?;
        self.teach();
        let plan = Plan {
            exam: self.subject.exam()?,
            config: &self.ready.config,
            course: self.course(),
            settings: self.settings.clone(),
            base: &self.subject.folder,
            about,
        };
        follow(&plan, model, teacher, out)
    }

    /// A teacher must speak the same tokens.
    fn teacher(&self, folder: &Path, machine: &Machine) -> Result<Model, Error> {
        let model = folder::load(folder, machine.dtype, &machine.device)?;
        let tokens = |folder: &Path| std::fs::read(folder.join("tokenizer.json")).map_err(Error::file(folder, "has no tokenizer.json"));
        if tokens(folder)? == tokens(&self.subject.folder)? {
            Ok(model)
        } else {
            Err(refuse("teacher", folder.display(), "its tokenizer.json is not the model's"))
        }
    }

    /// Lessons from a grown model's corpus: documents that it has not read.
    fn teach(&mut self) {
        let from = self.subject.documents;
        if let Some(exam) = self.subject.exam.as_mut().filter(|_| self.supervised) {
            exam.teach(from..from + LESSONS);
        }
    }

    /// All that the result depends on.
    fn about(&self, matches: &ArgMatches) -> Map<String, Value> {
        let path = |name| matches.get_one::<PathBuf>(name).map(|p| p.display().to_string());
        let text = |name| matches.get_one::<String>(name).cloned();
        let mut about = Map::from_iter([("recipe".to_string(), json!(self.name()))]);
        for name in ["model", "data", "eval-data", "teacher"] {
            about.insert(name.into(), json!(path(name)));
        }
        for name in ["template", "device", "dtype"] {
            about.insert(name.into(), json!(text(name)));
        }
        about.insert("chat".into(), json!(!matches.get_flag("no-chat")));
        let Settings { adam, temperature, top_p, lora, micro_batch, eval_samples, eval_prompts, candidates, seed, .. } = &self.settings;
        about.insert("max_completion_length".into(), json!(given::<u32>(matches, "max-completion-length")));
        about.insert("max_prompt_length".into(), json!(given::<u32>(matches, "max-prompt-length")));
        about.insert("lora".into(), json!(lora.as_ref().map(|l| format!("{l:?}"))));
        about.insert("optimizer".into(), json!([adam.warmup_steps as f64, adam.weight_decay, adam.max_grad_norm]));
        about.insert("sampling".into(), json!([temperature, top_p]));
        about.insert("counts".into(), json!([micro_batch, eval_samples, eval_prompts, candidates]));
        about.insert("seed".into(), json!(seed.0));
        let knobs = KNOBS.iter().filter(|k| SECTIONS.contains(&k.section) && !["steps", "eval_every"].contains(&k.name));
        about.extend(knobs.map(|k| (k.name.to_string(), json!((k.get)(&self.ready.config).to_string()))));
        about
    }
}

/// Documents of a grown model's corpus that imitation draws from.
const LESSONS: usize = 16_384;

/// Runs, with a bar on a terminal.
fn follow(plan: &Plan, model: Model, teacher: Option<Model>, out: &Path) -> Result<(), Error> {
    stop::listen();
    let steps = plan.config.train.steps;
    let bar = progress::bar(steps, "{pos}/{len} steps  {eta} left  {msg}");
    let mut evaluated: Vec<Row> = Vec::new();
    let mut observe = |row: &Row| {
        bar.set_position(row["step"].as_u64().unwrap_or(0));
        bar.set_message(row.get("reward").and_then(Value::as_f64).map_or(String::new(), |x| format!("reward {x:.3}")));
        evaluated.extend(row.contains_key("held_out/pass@1").then(|| row.clone()));
    };
    let ended = run(plan, model, teacher, out, &mut observe, &stop::asked);
    bar.finish_and_clear();
    match ended? {
        Ended::Stopped(step) => Err(Error::Stopped { step, steps }),
        Ended::Finished(place) => {
            say(&format!("{}\n{}\n", history(plan.exam, &evaluated), place.display()));
            Ok(())
        }
    }
}

/// Evaluations, one line each.
fn history(exam: &Exam, rows: &[Row]) -> String {
    if exam.held_out.is_empty() {
        return "no held-out questions\n".into();
    }
    let header = ["step", "pass@1", "pass@8", "maj@n", "entropy", "reward", "length"];
    let names = ["held_out/pass@1", "held_out/pass@8", "held_out/mode_accuracy", "held_out/entropy", "reward", "held_out/mean_length"];
    let line = |row: &Row| {
        let numbers = names.iter().map(|name| super::number(row.get(*name).and_then(Value::as_f64), 3));
        std::iter::once(row["step"].to_string()).chain(numbers).collect()
    };
    columns(&header, rows.iter().map(line).collect())
}

fn shown(footprint: &Footprint) -> String {
    let Footprint { parameters, reference, gradients, moments, activations, constants, cache } = *footprint;
    let parts = [
        ("parameters", parameters),
        ("reference", reference),
        ("moments", moments),
        ("cache while sampling", cache),
        ("gradients", gradients),
        ("activations", activations),
        ("constants", constants),
        ("peak", footprint.peak()),
    ];
    columns(
        &["memory", "GiB"],
        parts.into_iter().map(|(name, bytes)| vec![name.into(), format!("{:.2}", bytes as f64 / f64::from(1 << 30))]).collect(),
    )
}

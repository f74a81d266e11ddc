//! `mta-sim llm eval`: pass@k, maj@n, format, entropy, perplexity and method shares of a model.

use super::subject::{Machine, Subject, flags, top_p, within};
use super::{columns, given, number, option, refuse};
use crate::commands::say;
use crate::error::Error;
use crate::store;
use clap::{Arg, ArgMatches, Command, value_parser};
use mta_llm::assess::{Assessment, perplexity};
use mta_llm::exam::{Exam, Lesson};
use mta_llm::lora::Adapter;
use mta_llm::measure::Draw;
use mta_llm::model::Model;
use mta_llm::optimizer::AdamSettings;
use mta_llm::policy::LanguageModel;
use mta_llm::sample::Sampling;
use mta_sims::statistics::Interval;
use mta_sims::stream::Seed;
use mta_sims::table::Table;
use serde_json::json;
use std::path::{Path, PathBuf};

const HELP: &str = "\
pass@k is the unbiased estimate from n samples, with a 95 % bootstrap interval over prompts (Wilson's where all prompts agree). With --out, counts.csv has a
row (id, n, c) per question and responses.jsonl every response.";

/// The subcommand.
pub(super) fn command() -> Command {
    let count =
        |name, help, default: &'static str| option(name, "N", help).default_value(default).value_parser(value_parser!(u32).range(1..));
    Command::new("eval")
        .about("Measure a model: pass@k with intervals, maj@n, entropy, perplexity, method shares")
        .after_help(HELP)
        .args(flags())
        .args(own_flags())
        .arg(count("samples", "Responses per question, n", "16"))
        .arg(count("batch-size", "Sequences sampled at once", "256"))
}

fn own_flags() -> Vec<Arg> {
    vec![
        option("adapter", "FOLDER", "An adapter in peft's layout, put on the model").value_parser(value_parser!(PathBuf)),
        option("k", "LIST", "The k of pass@k, separated by commas")
            .default_value("1,2,4,8,16")
            .value_delimiter(',')
            .value_parser(value_parser!(u32).range(1..)),
        option("limit", "N", "Only the first questions").value_parser(value_parser!(u32).range(1..)),
        option("temperature", "X", "Of the responses").default_value("1").value_parser(value_parser!(f64)),
        option("out", "FOLDER", "Where counts.csv and responses.jsonl go").value_parser(value_parser!(PathBuf)),
    ]
}

/// Runs the subcommand and prints its answer.
///
/// # Errors
/// As the library's.
pub(super) fn eval(matches: &ArgMatches) -> Result<(), Error> {
    let samples = given::<u32>(matches, "samples");
    let ks = ks(matches, samples)?;
    let temperature = within(matches, "temperature", 1e-3, 1e3)?;
    let sampling = Sampling { temperature, top_p: top_p(matches)?, max_new_tokens: 1, stop: Vec::new() };
    let machine = Machine::of(matches)?;
    let mut subject = Subject::read(matches, None, false)?;
    subject.exam()?;
    let model = adapted(subject.load(&machine)?, matches.get_one::<PathBuf>("adapter"))?;
    let out = matches.get_one::<PathBuf>("out");
    out.map_or(Ok(()), |folder| store::prepare(folder))?;
    let at_once = given::<u32>(matches, "batch-size") as usize;
    let draw = Draw { samples: samples as usize, at_once, seed: subject.seed, round: 0 };
    let (documents, limit) = (subject.documents, matches.get_one::<u32>("limit").map_or(usize::MAX, |n| *n as usize));
    if let Some(exam) = &mut subject.exam {
        exam.teach(documents..documents + LESSONS);
    }
    let exam = subject.exam()?;
    let done = assess(&model, exam, &sampling, draw, limit)?;
    if let Some(folder) = out {
        write(folder, exam, &done)?;
    }
    say(&answer(&Answer { exam, model: &model, done: &done, ks: &ks, draw })?);
    Ok(())
}

/// Given responses scored at once.
const SCORED: usize = 8;

/// Documents of a corpus of which the perplexity is measured.
const LESSONS: usize = 1024;

/// The k of `--k`; none may exceed the samples.
fn ks(matches: &ArgMatches, samples: u32) -> Result<Vec<u32>, Error> {
    let stated = matches.value_source("k") == Some(clap::parser::ValueSource::CommandLine);
    let ks: Vec<u32> = matches.get_many("k").expect("it has a default").copied().collect();
    match ks.iter().find(|k| **k > samples).filter(|_| stated) {
        Some(k) => Err(refuse("k", k, &format!("must be at most --samples = {samples}"))),
        None => Ok(ks.into_iter().filter(|k| *k <= samples).collect()),
    }
}

fn adapted(model: Model, adapter: Option<&PathBuf>) -> Result<Model, Error> {
    let Some(folder) = adapter else { return Ok(model) };
    let adapter = Adapter::load(folder, &model.architecture, model.weights.dtype(), model.weights.device())?;
    Ok(model.adapted(adapter))
}

/// Samples and judges the first `limit` held-out questions.
pub(super) fn assess(model: &Model, exam: &Exam, sampling: &Sampling, draw: Draw, limit: usize) -> Result<Assessment, Error> {
    let sampling = Sampling { max_new_tokens: exam.longest, stop: exam.stop.clone(), ..sampling.clone() };
    let policy = LanguageModel::new(model.clone(), &exam.prompts, sampling, AdamSettings::DEFAULT, false)?;
    let prompts: Vec<usize> = exam.held_out.clone().take(limit).collect();
    Ok(Assessment::new(&policy, exam, &prompts, draw)?)
}

/// What the answer is made of.
struct Answer<'a> {
    exam: &'a Exam,
    model: &'a Model,
    done: &'a Assessment,
    ks: &'a [u32],
    draw: Draw,
}

fn answer(of: &Answer) -> Result<String, Error> {
    let (done, draw) = (of.done, of.draw);
    let left_out = if of.exam.left_out > 0 { format!(", {} left out as too long", of.exam.left_out) } else { String::new() };
    let head = format!("{} questions{left_out}, {} responses each, seed {}\n\n", done.prompts.len(), draw.samples, draw.seed.0);
    let mut rows: Vec<Vec<String>> = of.ks.iter().map(|k| measured(&format!("pass@{k}"), done.pass_at(*k, draw.seed))).collect();
    rows.push(measured(&format!("maj@{}", draw.samples), done.majority()));
    let alone = [
        ("well formed", Some(done.answers.format_rate())),
        ("cut short", done.cut_short(of.exam)),
        ("entropy of a token, nats", done.token_entropy()),
        ("entropy of a response, nats", Some(done.answers.measured().entropy)),
        ("length, tokens", Some(done.answers.measured().mean_length)),
        ("perplexity of its responses", done.own_perplexity()),
        ("perplexity of given ones", perplexity(of.model, of.exam, &lessons(of.exam, done), SCORED)?),
    ];
    rows.extend(alone.map(|(name, x)| vec![name.into(), number(x, 4)]));
    Ok(head + &columns(&["", "value", "95 % from", "to"], rows) + &methods(of.exam, done))
}

/// The given responses to the questions that were asked; of a grown model, documents of its corpus that it has not read.
fn lessons<'e>(exam: &'e Exam, done: &Assessment) -> Vec<&'e Lesson> {
    let asked = |lesson: &&Lesson| exam.methods().is_some() || done.prompts.contains(&lesson.prompt);
    exam.lessons.iter().filter(asked).collect()
}

fn measured(name: &str, interval: Option<Interval>) -> Vec<String> {
    let ends = [interval.map(|i| i.value), interval.and_then(|i| i.low), interval.and_then(|i| i.high)];
    std::iter::once(name.to_string()).chain(ends.map(|x| number(x, 4))).collect()
}

/// Shares of methods, beside how often the corpus follows them and how often they are right.
fn methods(exam: &Exam, done: &Assessment) -> String {
    let Some((judge, shares)) = exam.methods().zip(done.method_shares(exam)) else { return String::new() };
    let world = judge.world;
    let mean = |f: &dyn Fn(usize) -> f64| done.prompts.iter().map(|x| f(*x)).sum::<f64>() / done.prompts.len() as f64;
    let row = |(v, share): (usize, &f64)| {
        let corpus = mean(&|x| world.frequencies(&world.questions[x])[v]);
        let right = mean(&|x| f64::from(world.task.is_right(x, 0, v)));
        vec![format!("m{v}"), number(Some(*share), 4), number(Some(corpus), 4), number(Some(right), 4)]
    };
    let rows = shares.iter().enumerate().map(row).collect();
    format!("\n{}", columns(&["method", "share", "in the corpus", "right"], rows))
}

fn write(folder: &Path, exam: &Exam, done: &Assessment) -> Result<(), Error> {
    let counts = done.answers.counts();
    let mut table = Table::new();
    table.text("id", "question", done.prompts.iter().map(|x| exam.ids[*x].clone()));
    table.int("n", "responses", done.answers.0.iter().map(|group| Some(group.len() as i64)));
    table.int("c", "correct ones", counts.iter().map(|c| Some(*c as i64)));
    store::write_whole(&folder.join("counts.csv"), table.to_csv().as_bytes())?;
    let mut lines = String::new();
    for (i, prompt) in done.prompts.iter().enumerate() {
        for (sample, (tokens, judged)) in done.responses[i].iter().zip(&done.answers.0[i]).enumerate() {
            let row = json!({
                "id": exam.ids[*prompt], "sample": sample, "response": exam.text(tokens)?, "correct": judged.correct,
                "formatted": judged.formatted, "tokens": judged.length, "logprob": judged.logprob,
            });
            lines += &format!("{row}\n");
        }
    }
    store::write_whole(&folder.join("responses.jsonl"), lines.as_bytes())
}

/// A family's member in one row: pass@k, mode accuracy, perplexity, method shares.
pub(super) struct Measured {
    /// Assessed responses.
    pub done: Assessment,
    /// Perplexity of documents it has not read.
    pub perplexity: Option<f64>,
}

/// A grown model, measured as `eval` would.
pub(super) fn of_grown(model: &Model, mut exam: Exam, documents: usize, samples: usize, seed: Seed) -> Result<(Exam, Measured), Error> {
    exam.teach(documents..documents + LESSONS);
    let draw = Draw { samples, at_once: 4096, seed, round: 0 };
    let sampling = Sampling { temperature: 1.0, top_p: 1.0, max_new_tokens: 1, stop: Vec::new() };
    let done = assess(model, &exam, &sampling, draw, usize::MAX)?;
    let lessons: Vec<&Lesson> = exam.lessons.iter().collect();
    let perplexity = perplexity(model, &exam, &lessons, SCORED)?;
    Ok((exam, Measured { done, perplexity }))
}

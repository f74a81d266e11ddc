//! The model and the questions that `train` and `eval` are told.

use super::{given, option, refuse};
use crate::error::Error;
use candle_core::{DType, Device};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, value_parser};
use mta_llm::architecture::Architecture;
use mta_llm::data::{self, BOXED, Template};
use mta_llm::device;
use mta_llm::exam::{Asking, Exam, Solved};
use mta_llm::folder;
use mta_llm::grown::family;
use mta_llm::model::Model;
use mta_llm::tokenizer::Tokenizer;
use mta_sims::stream::Seed;
use std::path::{Path, PathBuf};

/// Where candle computes, and in which numbers.
pub struct Machine {
    /// The device.
    pub device: Device,
    /// The type of the model's numbers.
    pub dtype: DType,
}

/// A model folder, its shape and its questions.
pub struct Subject {
    /// The folder.
    pub folder: PathBuf,
    /// What its `config.json` says.
    pub architecture: Architecture,
    /// Questions; none where no file was named and the model was not grown here.
    pub exam: Option<Exam>,
    /// Documents that a grown base model has read.
    pub documents: usize,
    /// Master seed.
    pub seed: Seed,
}

/// Flags that name a model, its questions and the device.
pub fn flags() -> Vec<Arg> {
    let count = |name, value, help, default: &'static str| {
        option(name, value, help).default_value(default).value_parser(value_parser!(u32).range(1..))
    };
    vec![
        option("model", "FOLDER", "Hugging Face folder of Qwen2.5, Qwen3 or Llama 3, or a grown model")
            .required(true)
            .value_parser(value_parser!(PathBuf)),
        option("data", "FILE", "Questions, JSONL or Parquet; a grown model brings its own").value_parser(value_parser!(PathBuf)),
        option("template", "NAME", "What is put around a question: plain or boxed").default_value(BOXED.name),
        Arg::new("no-chat").long("no-chat").action(ArgAction::SetTrue).help("Prompts without the model's chat template"),
        count("max-prompt-length", "TOKENS", "Questions with longer prompts are left out", "512"),
        count("max-completion-length", "TOKENS", "Longest response; a grown model knows its own", "512"),
        option("top-p", "P", "Mass of the most likely tokens that may be drawn").default_value("1").value_parser(value_parser!(f64)),
        option("seed", "N", "Seed of all draws").default_value("0").value_parser(value_parser!(u64)),
        option("device", "NAME", "cpu, or cuda in a build that has it")
            .default_value("cpu")
            .value_parser(PossibleValuesParser::new(device::NAMES)),
        option("dtype", "NAME", "Type of the model's numbers")
            .default_value("f32")
            .value_parser(PossibleValuesParser::new(["f32", "bf16"])),
    ]
}

impl Machine {
    /// The device and type that flags name.
    ///
    /// # Errors
    /// A device that this build or this machine does not have.
    pub fn of(matches: &ArgMatches) -> Result<Self, Error> {
        let name: String = given(matches, "device");
        let device = device::named(&name).map_err(|why| refuse("device", &name, &why.to_string()))?;
        Ok(Machine { device, dtype: dtype(matches) })
    }
}

/// The type of `--dtype`.
pub fn dtype(matches: &ArgMatches) -> DType {
    if given::<String>(matches, "dtype") == "bf16" { DType::BF16 } else { DType::F32 }
}

impl Subject {
    /// What flags name: nothing is loaded but configuration, tokenizer and questions. `separate` are held-out questions from a file of their own; without
    /// one, and with `splits`, a part of the file is held out, else all of it.
    ///
    /// # Errors
    /// A wrong flag, file or folder.
    pub fn read(matches: &ArgMatches, separate: Option<&Path>, splits: bool) -> Result<Self, Error> {
        let (folder, seed): (PathBuf, u64) = (given(matches, "model"), given(matches, "seed"));
        let architecture = Architecture::read(&folder.join("config.json"))?;
        let data = matches.get_one::<PathBuf>("data");
        let mut subject = Subject { folder, architecture, exam: None, documents: 0, seed: Seed(seed) };
        match data {
            Some(file) => subject.exam = Some(subject.questions(&asking(matches)?, file, separate, splits)?),
            None if family::is_grown(&subject.folder) => subject.grown()?,
            None => {}
        }
        subject.fits()?;
        Ok(subject)
    }

    fn grown(&mut self) -> Result<(), Error> {
        let told = family::read(&self.folder)?;
        let size = mta_llm::grown::corpus::Vocabulary::of(&told.world).size();
        if size != self.architecture.vocab_size {
            let what = format!("tells a world of {size} words; the model beside it has {}", self.architecture.vocab_size);
            return Err(Error::damaged(&self.folder.join(family::WORLD), what));
        }
        self.documents = told.documents;
        self.exam = Some(Exam::grown(told.world));
        Ok(())
    }

    fn questions(&self, asking: &Asking, file: &Path, separate: Option<&Path>, splits: bool) -> Result<Exam, Error> {
        let tokenizer = Tokenizer::read(&self.folder)?;
        tokenizer.fits(&self.architecture)?;
        let all = data::solved(file)?;
        let (training, held_out): (Vec<Solved>, Vec<Solved>) = match separate {
            Some(other) => (all, data::solved(other)?),
            None if splits => all.into_iter().partition(|(q, _)| is_trained_on(&q.question)),
            None => (Vec::new(), all),
        };
        Ok(Exam::questions(tokenizer, &training, &held_out, asking, self.seed)?)
    }

    /// That the longest prompt and response fit the model's context.
    fn fits(&self) -> Result<(), Error> {
        let (Some(exam), limit) = (&self.exam, self.architecture.max_position_embeddings) else { return Ok(()) };
        let most = exam.longest_prompt() + exam.longest;
        if most <= limit {
            return Ok(());
        }
        let allowed =
            format!("with the longest prompt of {} tokens that is {most}; the model's context allows {limit}", exam.longest_prompt());
        Err(refuse("max-completion-length", exam.longest, &allowed))
    }

    /// The questions.
    ///
    /// # Errors
    /// When there are none.
    pub fn exam(&self) -> Result<&Exam, Error> {
        let what =
            || Error::Usage(format!("--data: missing, and {} was not grown here (it has no {})", self.folder.display(), family::WORLD));
        self.exam.as_ref().ok_or_else(what)
    }

    /// The model itself.
    ///
    /// # Errors
    /// A folder that is incomplete or damaged.
    pub fn load(&self, machine: &Machine) -> Result<Model, Error> {
        Ok(folder::load(&self.folder, machine.dtype, &machine.device)?)
    }
}

fn is_trained_on(question: &str) -> bool {
    mta_llm::tasks::Split::of(question) == mta_llm::tasks::Split::Train
}

fn asking(matches: &ArgMatches) -> Result<Asking, Error> {
    let template: String = given(matches, "template");
    Ok(Asking {
        template: Template::named(&template)?,
        chat: !matches.get_flag("no-chat"),
        max_prompt_length: given::<u32>(matches, "max-prompt-length") as usize,
        max_completion_length: given::<u32>(matches, "max-completion-length") as usize,
    })
}

/// A number that a flag gives, inside `low..=high`.
///
/// # Errors
/// When it is not.
pub fn within(matches: &ArgMatches, flag: &str, low: f64, high: f64) -> Result<f64, Error> {
    let x: f64 = given(matches, flag);
    if (low..=high).contains(&x) { Ok(x) } else { Err(refuse(flag, x, &format!("must be in [{low}, {high}]"))) }
}

/// The mass of `--top-p`.
///
/// # Errors
/// When it is out of (0, 1].
pub fn top_p(matches: &ArgMatches) -> Result<f64, Error> {
    let x: f64 = given(matches, "top-p");
    if x > 0.0 && x <= 1.0 { Ok(x) } else { Err(refuse("top-p", x, "must be in (0, 1]")) }
}

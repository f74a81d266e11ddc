//! What a run is about: prompts as tokens, which of them are trained on and which held out, what judges responses, and where they end.
//!
//! ```text
//! folder of a grown model, with world.json  -> its world's questions, its arithmetic for a judge
//! folder of any model, and question files   -> chat or plain prompts, the verifier of mathematical answers
//! ```

use crate::chat::Message;
use crate::data::{Question, Template};
use crate::error::{Error, Result};
use crate::grown::corpus::{self, EOS, Vocabulary, document, response_length};
use crate::grown::judge::{Arithmetic, unread};
use crate::grown::world::MethodWorld;
use crate::math::{equal, extract::extract, normalise::normalise};
use crate::measure::{Draw, ask};
use crate::policy::LanguageModel;
use crate::tokenizer::Tokenizer;
use mta_sims::config::{Config, Regime, SelectBy};
use mta_sims::digest;
use mta_sims::rollout::{Label, Token};
use mta_sims::run::Environment;
use mta_sims::stream::{MAX_STEPS, Purpose, Seed};
use mta_sims::task::Verdict;
use rand::Rng;
use serde_json::Map;
use std::ops::Range;

/// Prompts, their split, their judge.
pub struct Exam {
    /// All prompts: those trained on, those held out, then those of [lessons](Exam::lessons) that have none of their own.
    pub prompts: Vec<Vec<u32>>,
    /// What files call them.
    pub ids: Vec<String>,
    /// Which are trained on.
    pub training: Range<usize>,
    /// Which only measure.
    pub held_out: Range<usize>,
    /// Responses to imitate, and of which the perplexity is measured.
    pub lessons: Vec<Lesson>,
    /// Tokens that end a response.
    pub stop: Vec<u32>,
    /// Longest response, in tokens.
    pub longest: usize,
    /// Questions left out because their prompts are too long.
    pub left_out: usize,
    about: About,
}

/// A response that someone else wrote.
#[derive(Clone, Debug, PartialEq)]
pub struct Lesson {
    /// The prompt it answers.
    pub prompt: usize,
    /// Its tokens, the last of which ends it.
    pub tokens: Vec<u32>,
}

enum About {
    Grown(Box<MethodWorld>),
    Questions(Box<Questions>),
}

struct Questions {
    tokenizer: Tokenizer,
    rows: Vec<Question>,
    seed: Seed,
}

/// How questions become prompts, and how long things may be.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The text of a prompt.
    pub template: Template,
    /// Whether it is put as a user's message by the model's own chat template, where it has one.
    pub chat: bool,
    /// Longest prompt, in tokens: questions with longer ones are left out (verl: `filter_overlong_prompts`).
    pub max_prompt_length: usize,
    /// Longest response, in tokens (TRL: `max_completion_length`).
    pub max_completion_length: usize,
}

/// A question with the response a file gives for it.
pub type Solved = (Question, String);

impl Exam {
    /// The questions of a grown model's world.
    pub fn grown(world: MethodWorld) -> Self {
        let prompts: Vec<Vec<u32>> = world.questions.iter().map(|q| corpus::prompt(q)).collect();
        Exam {
            ids: (0..prompts.len()).map(|x| x.to_string()).collect(),
            prompts,
            training: world.training(),
            held_out: world.held_out(),
            lessons: Vec::new(),
            stop: vec![EOS],
            longest: response_length(world.settings.terms),
            left_out: 0,
            about: About::Grown(Box::new(world)),
        }
    }

    /// Questions of files, those of `training` first; `seed` draws the luck of their labels.
    ///
    /// # Errors
    /// A tokenizer or chat template that fails, no token that ends a response, or no question short enough.
    pub fn questions(tokenizer: Tokenizer, training: &[Solved], held_out: &[Solved], asking: &Asking, seed: Seed) -> Result<Self> {
        if tokenizer.eos().is_empty() {
            return Err(Error::Setting("no token ends a response; allowed: a model folder whose configuration names eos_token_id".into()));
        }
        let (mut prompts, mut rows, mut lessons, mut border) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for (number, (question, solution)) in training.iter().chain(held_out).enumerate() {
            let prompt = asking.prompt(&tokenizer, &question.question)?;
            if prompt.len() > asking.max_prompt_length {
                continue;
            }
            border += usize::from(number < training.len());
            lessons.push(Lesson { prompt: prompts.len(), tokens: written(&tokenizer, solution)? });
            prompts.push(prompt);
            rows.push(question.clone());
        }
        if prompts.is_empty() {
            let what = format!("max_prompt_length is {}; every prompt is longer", asking.max_prompt_length);
            return Err(Error::Setting(what));
        }
        Ok(Exam {
            left_out: training.len() + held_out.len() - rows.len(),
            ids: rows.iter().map(|r| r.id.clone()).collect(),
            training: 0..border,
            held_out: border..rows.len(),
            lessons,
            stop: tokenizer.eos().to_vec(),
            longest: asking.max_completion_length,
            prompts,
            about: About::Questions(Box::new(Questions { tokenizer, rows, seed })),
        })
    }

    /// Adds documents of a grown model's corpus as lessons; nothing where lessons come from files.
    pub fn teach(&mut self, documents: Range<usize>) {
        let About::Grown(world) = &self.about else { return };
        for number in documents {
            let (tokens, from) = document(world, number);
            self.lessons.push(Lesson { prompt: self.prompts.len(), tokens: tokens[from..].to_vec() });
            self.prompts.push(tokens[..from].to_vec());
        }
    }

    /// The lessons on training prompts, or on documents of a corpus.
    pub fn taught(&self) -> Vec<&Lesson> {
        self.lessons.iter().filter(|lesson| !self.held_out.contains(&lesson.prompt)).collect()
    }

    /// The world of a grown model, read by its judge.
    pub fn methods(&self) -> Option<Arithmetic<'_>> {
        match &self.about {
            About::Grown(world) => Some(Arithmetic { world }),
            About::Questions(_) => None,
        }
    }

    /// The text of a response.
    ///
    /// # Errors
    /// When the tokenizer cannot say it.
    pub fn text(&self, tokens: &[Token]) -> Result<String> {
        let ids: Vec<u32> = tokens.iter().map(|t| t.id).collect();
        match &self.about {
            About::Grown(world) => {
                let words = Vocabulary::of(world).words();
                Ok(ids.iter().map(|id| words[*id as usize].as_str()).collect::<Vec<_>>().join(" "))
            }
            About::Questions(questions) => questions.tokenizer.decode(&ids, true),
        }
    }

    /// Tokens of the longest prompt.
    pub fn longest_prompt(&self) -> usize {
        self.prompts.iter().map(Vec::len).max().unwrap_or(0)
    }
}

impl Asking {
    fn prompt(&self, tokenizer: &Tokenizer, question: &str) -> Result<Vec<u32>> {
        let text = self.template.fill(question);
        match tokenizer.template().filter(|_| self.chat) {
            Some(chat) => {
                let message = Message { role: "user".into(), content: text };
                tokenizer.encode(&chat.render(&[message], true, &Map::new())?, false)
            }
            None => tokenizer.encode(&text, true),
        }
    }
}

/// A solution as the tokens of a response.
fn written(tokenizer: &Tokenizer, solution: &str) -> Result<Vec<u32>> {
    let mut tokens = tokenizer.encode(solution, false)?;
    tokens.extend(tokenizer.eos().first());
    Ok(tokens)
}

impl Questions {
    fn judge(&self, prompt: usize, tokens: &[Token]) -> Verdict {
        let ids: Vec<u32> = tokens.iter().map(|t| t.id).collect();
        let text = self.tokenizer.decode(&ids, true).unwrap_or_default();
        match extract(&text) {
            Some((_, said)) => Verdict { answer: name(said), correct: equal(&self.rows[prompt].answer, said), formatted: true },
            None => Verdict { answer: unread(tokens), correct: false, formatted: false },
        }
    }

    /// A wrong label is the right answer to another question: the next in the file whose answer differs.
    fn label(&self, prompt: usize) -> Label {
        let own = name(&self.rows[prompt].answer);
        let others = (1..self.rows.len()).map(|i| name(&self.rows[(prompt + i) % self.rows.len()].answer));
        Label { luck: self.seed.stream(Purpose::Label, 0, prompt).uniform(0), wrong: others.into_iter().find(|other| *other != own) }
    }
}

/// The name of an answer: the hash of its canonical spelling.
fn name(answer: &str) -> u128 {
    digest::number(normalise(answer).as_bytes())
}

impl Environment for Exam {
    fn judge(&self, prompt: usize, tokens: &[Token]) -> Verdict {
        match &self.about {
            About::Grown(world) => Arithmetic { world }.judge(prompt, tokens),
            About::Questions(questions) => questions.judge(prompt, tokens),
        }
    }

    fn label(&self, prompt: usize) -> Label {
        match &self.about {
            About::Grown(world) => Arithmetic { world }.label(prompt),
            About::Questions(questions) => questions.label(prompt),
        }
    }

    fn longest(&self) -> usize {
        self.longest
    }
}

/// Among what a data regime chooses.
pub struct Choice {
    /// Prompts that may be trained on.
    pub training: Range<usize>,
    /// Prompts that only measure.
    pub held_out: Range<usize>,
    /// The responses by which base pass rates are measured, of round [`SELECTION`].
    pub draw: Draw,
}

/// The evaluation round that chooses prompts: no training step has its number.
pub const SELECTION: usize = MAX_STEPS - 1;

impl Choice {
    /// The prompts that the data regime of `config` trains on.
    ///
    /// # Errors
    /// When the device fails.
    pub fn of(&self, policy: &LanguageModel, environment: &dyn Environment, config: &Config) -> Result<Vec<usize>> {
        let count = match config.data.regime {
            Regime::Full => return Ok(self.training.clone().collect()),
            Regime::TestTime => return Ok(self.held_out.clone().collect()),
            Regime::OneShot => 1,
            Regime::Few => config.data.few,
        };
        let ranks = self.ranks(policy, environment, config.data.select_by)?;
        let mut order: Vec<(f64, usize)> = ranks.into_iter().zip(self.training.clone()).collect();
        order.sort_by(|x, y| x.0.total_cmp(&y.0));
        Ok(order.into_iter().take(count).map(|(_, prompt)| prompt).collect())
    }

    /// The distance of the measured base pass rate from 1/2, or luck.
    fn ranks(&self, policy: &LanguageModel, environment: &dyn Environment, by: SelectBy) -> Result<Vec<f64>> {
        if by == SelectBy::Random {
            let mut stream = self.draw.seed.stream(Purpose::Selection, 0, 0);
            return Ok(self.training.clone().map(|_| stream.random()).collect());
        }
        let asked: Vec<usize> = self.training.clone().collect();
        let counts = ask(policy, environment, &asked, self.draw)?.counts();
        Ok(counts.into_iter().map(|c| (c as f64 / self.draw.samples as f64 - 0.5).abs()).collect())
    }
}

//! The world of methods: questions that several procedures answer, some of them usually rightly.
//!
//! A question is a chain of digits to be added modulo `modulus`, from left to right. A *method* does so with slips: at each step it looks at the sum so far
//! and the next digit, and where that pair is one of its own slips it writes down one more than it should. A method without slips on a question's way
//! answers it rightly; of quality q, it does so on a share q of questions. The truth table of methods on questions is a task of the simulator
//! ([`Task::explicit`], methods for tokens), and the frequency of methods in the pretraining corpus is its prior: same a, same kappa. A method that the
//! format gate denies (`format_rate`) forgets to mark its answer.
//!
//! # Source
//! Procedures with stable slips: Brown and Burton, Cognitive Science 2, 1978.

use crate::permutation::Permutation;
use mta_sims::config::{AlignBy, World as Settings};
use mta_sims::knob::{KnobError, Setting};
use mta_sims::prior::Prior;
use mta_sims::stream::{Purpose, Seed, Stream};
use mta_sims::task::Task;
use ndarray::Array3;
use rand::Rng;
use rand::seq::SliceRandom;
use rand_distr::{Distribution, StandardNormal};

/// The knobs of a world of methods.
#[derive(Clone, Debug, PartialEq)]
pub struct MethodSettings {
    /// The simulator's knobs: alignment, confidence, number of methods (`vocab`), how many are good and how good, and prompts.
    pub world: Settings,
    /// Digits of a question; more are harder to answer, and slips more likely.
    pub terms: usize,
    /// Base of the arithmetic: digits are 0 .. modulus - 1.
    pub modulus: usize,
    /// Share of corpus documents that state a held-out question and answer it by the first method that is right on it (contamination). A question on which
    /// no method is right is answered by the first of all, wrongly; a method that forgets its mark forgets it here as well.
    pub leak: f64,
}

impl MethodSettings {
    /// 16 methods, 3 of them good; 64 training and 256 held-out questions of four digits. No leak.
    pub const DEFAULT: Self =
        MethodSettings { world: Settings { vocab: 16, idiosyncrasy: 0.0, ..Settings::DEFAULT }, terms: 4, modulus: 10, leak: 0.0 };

    /// Checks what no single range can.
    ///
    /// # Errors
    /// The first setting that leaves no world.
    pub fn validate(&self) -> Result<(), KnobError> {
        let (questions, asked) = (self.questions(), self.world.all_prompts());
        let checks = [
            ((2..=12).contains(&self.terms), "terms", self.terms.to_string(), "must be in [2, 12]".to_string()),
            ((2..=36).contains(&self.modulus), "modulus", self.modulus.to_string(), "must be in [2, 36]".to_string()),
            (
                self.terms <= self.modulus,
                "modulus",
                self.modulus.to_string(),
                format!("must be at least terms = {}: as many slips as the modulus would cancel", self.terms),
            ),
            ((0.0..1.0).contains(&self.leak), "leak", self.leak.to_string(), "must be in [0, 1)".to_string()),
            (self.world.depth == 1, "depth", self.world.depth.to_string(), "must be 1: a method is one token".into()),
            (!self.world.end_token, "end_token", "true".into(), "must be false: a method is one token".into()),
            (
                self.world.align_by == AlignBy::Knob,
                "align_by",
                self.world.align_by.value().to_string(),
                "must be knob: what a corpus makes of a model is not known before".into(),
            ),
            (
                2 * asked <= questions,
                "prompts",
                asked.to_string(),
                format!("with held_out must be at most half of the {questions} questions"),
            ),
        ];
        checks.into_iter().find(|(fine, ..)| !fine).map_or(Ok(()), |(_, name, value, allowed)| Err(KnobError::new(name, value, allowed)))
    }

    /// Number of different questions, saturating.
    pub fn questions(&self) -> usize {
        self.modulus.saturating_pow(self.terms as u32)
    }
}

/// A procedure with its slips.
#[derive(Clone, Debug, PartialEq)]
pub struct Method {
    modulus: usize,
    slips: Vec<bool>,
}

impl Method {
    /// A method that slips on a share `rate` of pairs (sum so far, next digit).
    fn draw(modulus: usize, rate: f64, mut stream: Stream) -> Self {
        let pairs = modulus * modulus;
        let mut slips: Vec<bool> = (0..pairs).map(|i| (i as f64) < (rate * pairs as f64).round()).collect();
        slips.shuffle(&mut stream);
        Method { modulus, slips }
    }

    /// The sums it writes down, one per digit after the first.
    pub fn steps(&self, question: &[u8]) -> Vec<u8> {
        let mut sum = question[0];
        let mut step = |digit: &u8| {
            let slip = self.slips[usize::from(sum) * self.modulus + usize::from(*digit)];
            sum = ((usize::from(sum) + usize::from(*digit) + usize::from(slip)) % self.modulus) as u8;
            sum
        };
        question[1..].iter().map(&mut step).collect()
    }
}

/// Questions, methods, what is right, and how often the corpus follows each method.
#[derive(Clone, Debug)]
pub struct MethodWorld {
    /// The knobs it was made with.
    pub settings: MethodSettings,
    /// The seed it was drawn from.
    pub seed: Seed,
    /// Training questions, then held-out ones; no two are equal.
    pub questions: Vec<Vec<u8>>,
    /// The methods, good ones first.
    pub methods: Vec<Method>,
    /// Which method answers which question rightly, as a task of the simulator.
    pub task: Task,
    /// Shared log-frequency of methods in the corpus, in nats up to a constant: the simulator's `kappa (a z + sqrt(1 - a^2) xi)`.
    pub shared: Vec<f64>,
}

impl MethodWorld {
    /// Draws the world of `seed`. The task does not depend on the alignment.
    ///
    /// # Errors
    /// When the settings leave no world.
    pub fn new(settings: &MethodSettings, seed: Seed) -> Result<Self, KnobError> {
        settings.validate()?;
        let simulated = Task::new(&settings.world, seed)?;
        let steps = (settings.terms - 1) as f64;
        let method = |(v, q): (usize, &f64)| Method::draw(settings.modulus, 1.0 - q.powf(1.0 / steps), seed.stream(Purpose::Truth, 0, v));
        let methods: Vec<Method> = simulated.quality.iter().enumerate().map(method).collect();
        let questions = distinct_questions(settings, seed);
        let right = Array3::from_shape_fn((questions.len(), 1, methods.len()), |(x, _, v)| {
            methods[v].steps(&questions[x]).last() == Some(&answer(&questions[x], settings.modulus))
        });
        let task = Task::explicit(right, settings.world.prompts, seed);
        check_qualities(&task, settings)?;
        let shared = Prior::new(&task, seed, settings.world.alignment, settings.world.confidence).shared.row(0).to_vec();
        let task = task.gated(simulated.formatted().clone());
        Ok(MethodWorld { settings: settings.clone(), seed, questions, methods, task, shared })
    }

    /// Indices of the training questions.
    pub fn training(&self) -> std::ops::Range<usize> {
        0..self.settings.world.prompts
    }

    /// Indices of the held-out questions.
    pub fn held_out(&self) -> std::ops::Range<usize> {
        self.settings.world.prompts..self.questions.len()
    }

    /// The right answer to a question.
    pub fn answer(&self, question: &[u8]) -> u8 {
        answer(question, self.settings.modulus)
    }

    /// How often the corpus follows each method on a question. What is specific to it (idiosyncrasy tau) hangs on its first two digits, so that a model can
    /// learn it.
    pub fn frequencies(&self, question: &[u8]) -> Vec<f64> {
        let class = usize::from(question[0]) * self.settings.modulus + usize::from(question[1]);
        let own = StandardNormal.sample_iter(self.seed.stream(Purpose::Idiosyncrasy, 0, class));
        let raised: Vec<f64> =
            self.shared.iter().zip(own).map(|(s, eps): (&f64, f64)| (s + self.settings.world.idiosyncrasy * eps).exp()).collect();
        let sum: f64 = raised.iter().sum();
        raised.into_iter().map(|x| x / sum).collect()
    }

    /// A question of the corpus: any that is neither trained on nor held out.
    pub fn corpus_question(&self, stream: &mut Stream) -> Vec<u8> {
        loop {
            let question = unpack(stream.random_range(0..self.settings.questions()), &self.settings);
            if !self.questions.contains(&question) {
                return question;
            }
        }
    }
}

fn answer(question: &[u8], modulus: usize) -> u8 {
    (question.iter().map(|d| usize::from(*d)).sum::<usize>() % modulus) as u8
}

/// Alignment is a correlation with qualities, so some must differ.
fn check_qualities(task: &Task, settings: &MethodSettings) -> Result<(), KnobError> {
    let quality = task.quality.row(0);
    let allowed = "leaves methods that answer equally many questions; alignment needs some to be better than others";
    if quality.iter().any(|q| *q != quality[0]) { Ok(()) } else { Err(KnobError::new("good_tokens", settings.world.good_tokens, allowed)) }
}

/// Training questions come from the front of the seed's order of questions, held-out ones from its back, so that their numbers do not change one another.
fn distinct_questions(settings: &MethodSettings, seed: Seed) -> Vec<Vec<u8>> {
    let size = settings.questions();
    let order = Permutation::new(seed, 0, "methods", size as u128);
    let places = (0..settings.world.prompts).chain((0..settings.world.held_out).map(|i| size - 1 - i));
    places.map(|place| unpack(order.at(place as u128) as usize, settings)).collect()
}

fn unpack(mut code: usize, settings: &MethodSettings) -> Vec<u8> {
    let mut digit = || {
        let digit = code % settings.modulus;
        code /= settings.modulus;
        digit as u8
    };
    (0..settings.terms).map(|_| digit()).collect()
}

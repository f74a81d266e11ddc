//! The corpus: documents that state a question, name a method, follow its steps and give its answer.
//!
//! ```text
//! <bos> 3 7 5 2 =   m4 0 5 7 # 7 <eos>
//! question          response
//! ```

use super::world::MethodWorld;
use mta_sims::stream::Purpose;
use rand::Rng;

/// Begins every sequence.
pub const BOS: u32 = 0;
/// Ends every response.
pub const EOS: u32 = 1;
/// Ends the question.
pub const EQUALS: u32 = 2;
/// Announces the answer.
pub const MARK: u32 = 3;
/// The digit 0; others follow.
pub const DIGIT: u32 = 4;

/// Tokens of a world: four signs, digits, methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    /// Digits.
    pub digits: usize,
    /// Methods.
    pub methods: usize,
}

impl Vocabulary {
    /// The vocabulary of a world.
    pub fn of(world: &MethodWorld) -> Self {
        Vocabulary { digits: world.settings.modulus, methods: world.methods.len() }
    }

    /// Number of tokens.
    pub fn size(self) -> usize {
        DIGIT as usize + self.digits + self.methods
    }

    /// The token of a method.
    pub fn method(self, v: usize) -> u32 {
        DIGIT + (self.digits + v) as u32
    }

    /// The method a token names, if it names one.
    pub fn as_method(self, token: u32) -> Option<usize> {
        (token as usize).checked_sub(DIGIT as usize + self.digits).filter(|v| *v < self.methods)
    }

    /// The digit a token is, if it is one.
    pub fn as_digit(self, token: u32) -> Option<u8> {
        (token as usize).checked_sub(DIGIT as usize).filter(|d| *d < self.digits).map(|d| d as u8)
    }

    /// How tokens are written, in order.
    pub fn words(self) -> Vec<String> {
        let signs = ["<bos>", "<eos>", "=", "#"].map(String::from);
        let digit = |d: usize| char::from_digit(d as u32, 36).expect("digits are below 36").to_string();
        signs.into_iter().chain((0..self.digits).map(digit)).chain((0..self.methods).map(|v| format!("m{v}"))).collect()
    }
}

/// A question as a prompt.
pub fn prompt(question: &[u8]) -> Vec<u32> {
    let digits = question.iter().map(|d| DIGIT + u32::from(*d));
    std::iter::once(BOS).chain(digits).chain([EQUALS]).collect()
}

/// The response of following `method`: its name, its steps, its answer; an ill-formed method leaves out the mark.
pub fn response(world: &MethodWorld, method: usize, question: &[u8]) -> Vec<u32> {
    let steps = world.methods[method].steps(question);
    let answer = steps.last().copied().unwrap_or_default();
    let digits = steps.iter().map(|d| DIGIT + u32::from(*d));
    let mark = world.task.formatted()[[0, method]].then_some(MARK);
    std::iter::once(Vocabulary::of(world).method(method)).chain(digits).chain(mark).chain([DIGIT + u32::from(answer), EOS]).collect()
}

/// Tokens of a whole response.
pub fn response_length(terms: usize) -> usize {
    terms + 3
}

/// Document `number` of the corpus, and where its response begins. The questions, and whether a document leaks, do not depend on the alignment.
pub fn document(world: &MethodWorld, number: usize) -> (Vec<u32>, usize) {
    let mut stream = world.seed.stream(Purpose::Document, 0, number);
    let (luck, leaks): (f64, f64) = (stream.random(), stream.random());
    let question = world.corpus_question(&mut stream);
    let (question, method) =
        if leaks < world.settings.leak { leaked(world, luck) } else { (question.clone(), pick(&world.frequencies(&question), luck)) };
    let mut tokens = prompt(&question);
    let from = tokens.len();
    tokens.extend(response(world, method, &question));
    (tokens, from)
}

/// A held-out question with the first method that answers it rightly; with the first of all where none does.
fn leaked(world: &MethodWorld, luck: f64) -> (Vec<u8>, usize) {
    let x = world.held_out().start + (luck * world.held_out().len() as f64) as usize;
    let right = (0..world.methods.len()).find(|v| world.task.is_right(x, 0, *v));
    (world.questions[x].clone(), right.unwrap_or(0))
}

/// The first index whose cumulative share exceeds `u`.
fn pick(shares: &[f64], u: f64) -> usize {
    let mut cumulative = 0.0;
    let found = shares.iter().position(|p| {
        cumulative += p;
        u < cumulative
    });
    found.unwrap_or(shares.len() - 1)
}

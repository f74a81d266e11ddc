//! The verifier of the world of methods.

use super::corpus::{EOS, MARK, Vocabulary, response_length};
use super::world::MethodWorld;
use mta_sims::digest;
use mta_sims::rollout::{Label, Token};
use mta_sims::run::Environment;
use mta_sims::task::Verdict;

/// Judges responses to the questions of a world. A response is well formed if it names a method, writes one sum per step, and gives its answer after the
/// mark; any other is wrong, and agrees with none but its like.
#[derive(Clone, Copy)]
pub struct Arithmetic<'w> {
    /// The world.
    pub world: &'w MethodWorld,
}

/// What a response says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// The method it names, if it begins with one.
    pub method: Option<usize>,
    /// The answer it gives, if it is well formed.
    pub answer: Option<u8>,
}

impl Arithmetic<'_> {
    /// Reads a response.
    pub fn read(&self, tokens: &[Token]) -> Said {
        let vocabulary = Vocabulary::of(self.world);
        let method = tokens.first().and_then(|t| vocabulary.as_method(t.id));
        let ids: Vec<u32> = tokens.iter().map(|t| t.id).collect();
        let answer = match &ids[..] {
            [_, steps @ .., MARK, answer, EOS]
                if method.is_some()
                    && steps.len() + 1 == self.world.settings.terms
                    && steps.iter().all(|s| vocabulary.as_digit(*s).is_some()) =>
            {
                vocabulary.as_digit(*answer)
            }
            _ => None,
        };
        Said { method, answer }
    }
}

impl Environment for Arithmetic<'_> {
    fn judge(&self, prompt: usize, tokens: &[Token]) -> Verdict {
        let said = self.read(tokens).answer;
        let correct = said == Some(self.world.answer(&self.world.questions[prompt]));
        let answer = said.map_or_else(|| unread(tokens), u128::from);
        Verdict { answer, correct, formatted: said.is_some() }
    }

    fn label(&self, prompt: usize) -> Label {
        let wrong = (self.world.answer(&self.world.questions[prompt]) + 1) % self.world.settings.modulus as u8;
        Label { wrong: Some(u128::from(wrong)), ..self.world.task.label(prompt) }
    }

    fn longest(&self) -> usize {
        response_length(self.world.settings.terms)
    }
}

/// A name for a response without an answer: a hash of its tokens, above all digits.
pub(crate) fn unread(tokens: &[Token]) -> u128 {
    let bytes: Vec<u8> = tokens.iter().flat_map(|t| t.id.to_le_bytes()).collect();
    digest::number(&bytes) | 1 << 127
}

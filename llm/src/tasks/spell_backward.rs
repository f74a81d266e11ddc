//! Words spelled backward.

use super::{Digits, Family, Item, Row, fields};
use mta_sims::registry::Entry;

/// A word of `level + 2` random letters, backward.
pub(super) static SPELL_BACKWARD: Family = Family {
    entry: Entry {
        name: "spell_backward",
        aliases: &[],
        doc: "A word of random letters spelled backward; a level more is a letter more.",
        formula: "questions: 26^(level+2)",
        source: "reasoning-gym, spell_backward, with random letters for words",
        elsewhere: &[("reasoning-gym", "spell_backward")],
    },
    levels: 20,
    questions,
    item,
    score,
};

/// What the right letters in a wrong order earn.
const ANAGRAM: f64 = 0.2;

fn questions(level: u32) -> u128 {
    26u128.pow(level + 2)
}

fn item(level: u32, number: u128) -> Item {
    let word = Digits(number).word(level + 2);
    Item {
        question: format!("Spell this word backward: {word}"),
        answer: word.chars().rev().collect(),
        difficulty: fields([("word_len", (level + 2).into())]),
        details: fields([("word", word.into())]),
    }
}

fn score(answer: &str, row: &Row) -> f64 {
    let right = super::exact(answer, row);
    if right < 1.0 && sorted(answer) == sorted(&row.answer) { ANAGRAM } else { right }
}

fn sorted(text: &str) -> Vec<char> {
    let mut letters: Vec<char> = text.to_lowercase().chars().collect();
    letters.sort_unstable();
    letters
}

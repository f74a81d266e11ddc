//! Words in a cipher whose key is stated.

use super::{Digits, Family, Item, exact, fields};
use mta_sims::registry::Entry;

/// A word of `level + 2` letters to shift along the alphabet, or to mirror.
pub(super) static CIPHER: Family = Family {
    entry: Entry {
        name: "cipher",
        aliases: &[],
        doc: "A word of random letters, each moved along the alphabet by a stated number of places, or mirrored in it; a level more is a letter more.",
        formula: "questions: 51 keys * 26^(level+2)",
        source: "Caesar's shifts in both directions, and the mirror alphabet (Atbash)",
        elsewhere: &[("reasoning-gym", "caesar_cipher")],
    },
    levels: 10,
    questions,
    item,
    score: exact,
};

/// Shifts forward, shifts back, the mirror.
const KEYS: u128 = 51;

fn questions(level: u32) -> u128 {
    KEYS * 26u128.pow(level + 2)
}

/// What is done to every letter, in words, and the letter's new place.
fn key(number: u8) -> (String, impl Fn(u8) -> u8) {
    let (text, shift, mirrored) = match number {
        0..25 => (format!("the letter {} places later in the alphabet, where a follows z", number + 1), number + 1, false),
        25..50 => (format!("the letter {} places earlier in the alphabet, where z precedes a", number - 24), 50 - number, false),
        _ => ("its mirror image in the alphabet: a by z, b by y, c by x and so on".to_string(), 0, true),
    };
    (text, move |place| if mirrored { 25 - place } else { (place + shift) % 26 })
}

fn item(level: u32, number: u128) -> Item {
    let mut digits = Digits(number);
    let (rule, moved) = key(digits.next(KEYS) as u8);
    let word = digits.word(level + 2);
    let answer = word.bytes().map(|b| char::from(b'a' + moved(b - b'a'))).collect();
    Item {
        question: format!("Replace each letter by {rule}: {word}"),
        answer,
        difficulty: fields([("word_len", (level + 2).into())]),
        details: fields([("word", word.into()), ("rule", rule.into())]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_move_letters_as_they_say() {
        let moved = |number, letter: u8| char::from(b'a' + key(number).1(letter - b'a'));
        assert!(key(2).0.contains("3 places later") && moved(2, b'y') == 'b');
        assert!(key(27).0.contains("3 places earlier") && moved(27, b'b') == 'y');
        assert!(key(49).0.contains("25 places earlier") && moved(49, b'a') == 'b');
        assert!(key(50).0.contains("mirror") && moved(50, b'c') == 'x');
    }
}

//! Remainders of sums, differences and products.

use super::{Digits, Family, Item, exact, fields};
use mta_sims::registry::Entry;

/// `level` operations, from the inside out, then a remainder.
pub(super) static MODULAR_ARITHMETIC: Family = Family {
    entry: Entry {
        name: "modular_arithmetic",
        aliases: &[],
        doc: "Sums, differences and products in brackets, then the remainder modulo m; a level more is an operation more and ten moduli more.",
        formula: "questions: R^(level+1) * 3^level * 10 level, numbers from 1 to R = 9 (levels 1, 2) or 99, moduli from 2 to 10 level + 1",
        source: "this crate",
        elsewhere: &[],
    },
    levels: 6,
    questions,
    item,
    score: exact,
};

fn largest(level: u32) -> i128 {
    if level <= 2 { 9 } else { 99 }
}

fn questions(level: u32) -> u128 {
    (largest(level) as u128).pow(level + 1) * 3u128.pow(level) * 10 * u128::from(level)
}

fn item(level: u32, number: u128) -> Item {
    let mut digits = Digits(number);
    let mut value = digits.within(1, largest(level));
    let mut text = value.to_string();
    for _ in 0..level {
        let sign = digits.choose(&['+', '-', '*']);
        let next = digits.within(1, largest(level));
        value = apply(sign, value, next);
        text = format!("({text} {sign} {next})");
    }
    let modulus = digits.within(2, 10 * i128::from(level) + 1);
    Item {
        question: format!("What is {text} mod {modulus}? The answer is from 0 to {}.", modulus - 1),
        answer: value.rem_euclid(modulus).to_string(),
        difficulty: fields([("num_operations", level.into()), ("max_modulus", (10 * level + 1).into())]),
        details: fields([("modulus", (modulus as i64).into())]),
    }
}

fn apply(sign: char, a: i128, b: i128) -> i128 {
    match sign {
        '+' => a + b,
        '-' => a - b,
        _ => a * b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remainders_are_not_negative() {
        let items: Vec<Item> = (0..questions(1)).map(|number| item(1, number)).collect();
        let asked = |text: &str| items.iter().find(|i| i.question.starts_with(text)).map(|i| i.answer.as_str());
        assert_eq!(asked("What is (2 - 5) mod 4?"), Some("1"));
        assert_eq!(asked("What is (7 * 8) mod 9?"), Some("2"));
        assert_eq!(asked("What is (7 + 8) mod 11?"), Some("4"));
    }
}

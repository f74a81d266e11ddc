//! Sums and differences of several numbers.

use super::{Digits, Family, Item, exact, fields};
use mta_sims::registry::Entry;
use serde_json::Map;

/// `level + 1` numbers of `1 + (level - 1) / 3` digits, added and subtracted.
pub(super) static CHAIN_SUM: Family = Family {
    entry: Entry {
        name: "chain_sum",
        aliases: &[],
        doc: "Several numbers added and subtracted; a level more is a number more, three levels more a digit more.",
        formula: "questions: (9 * 10^(k-1))^n * 2^(n-1), n = level + 1 numbers of k = 1 + (level - 1) / 3 digits",
        source: "reasoning-gym, chain_sum",
        elsewhere: &[("reasoning-gym", "chain_sum")],
    },
    levels: 8,
    questions,
    item,
    score: exact,
};

fn shape(level: u32) -> (u32, i128) {
    (level + 1, 10i128.pow((level - 1) / 3))
}

fn questions(level: u32) -> u128 {
    let (terms, least) = shape(level);
    (9 * least as u128).pow(terms) << (terms - 1)
}

fn item(level: u32, number: u128) -> Item {
    let (terms, least) = shape(level);
    let mut digits = Digits(number);
    let mut sum = digits.within(least, 10 * least - 1);
    let mut text = sum.to_string();
    for _ in 1..terms {
        let (sign, factor) = digits.choose(&[('+', 1), ('-', -1)]);
        let term = digits.within(least, 10 * least - 1);
        sum += factor * term;
        text += &format!(" {sign} {term}");
    }
    let difficulty = fields([("num_terms", terms.into()), ("num_digits", least.to_string().len().into())]);
    Item { question: format!("What is {text}?"), answer: sum.to_string(), difficulty, details: Map::new() }
}

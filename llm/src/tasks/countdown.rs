//! A target to reach with given numbers.

use super::{Family, Item, Row, fields};
use crate::math::lexer::{Token, tokens};
use crate::math::parser::parse;
use crate::permutation::slot;
use crate::rational::Rational;
use mta_sims::registry::Entry;
use mta_sims::stream::{Purpose, Seed, Stream};
use rand::Rng;
use rand::seq::SliceRandom;

/// Numbers to combine, each at most once, into a target.
pub(super) static COUNTDOWN: Family = Family {
    entry: Entry {
        name: "countdown",
        aliases: &[],
        doc: "Different numbers to combine by + - * / into a target, each at most once; a target is always reached by all of them. Any valid expression is right.",
        formula: "questions: C(m, n), n numbers up to m: 3 of 30, 4 of 50, 4 of 99, 5 of 99, 6 of 99; one target for each set of numbers",
        source: "reasoning-gym, countdown; TinyZero",
        elsewhere: &[("reasoning-gym", "countdown")],
    },
    levels: SHAPES.len() as u32,
    questions,
    item,
    score,
};

/// How many numbers, and the largest they can be, by level.
const SHAPES: [(u128, u128); 5] = [(3, 30), (4, 50), (4, 99), (5, 99), (6, 99)];

/// What a valid expression with another value earns.
const MISSED: f64 = 0.05;

/// Targets looked for, before the sum of all numbers is taken.
const ATTEMPTS: usize = 64;

fn questions(level: u32) -> u128 {
    let (n, largest) = SHAPES[level as usize - 1];
    choose(largest, n)
}

fn choose(n: u128, k: u128) -> u128 {
    (0..k).fold(1, |c, j| c * (n.saturating_sub(j)) / (j + 1))
}

/// The set of `n` numbers from 1 with this rank in colexicographic order, ascending.
fn unrank(mut rank: u128, n: u128, largest: u128) -> Vec<i128> {
    let mut numbers = Vec::new();
    let mut top = largest;
    for k in (1..=n).rev() {
        while choose(top - 1, k) > rank {
            top -= 1;
        }
        rank -= choose(top - 1, k);
        numbers.push(top as i128);
        top -= 1;
    }
    numbers.reverse();
    numbers
}

fn item(level: u32, number: u128) -> Item {
    let (n, largest) = SHAPES[level as usize - 1];
    let numbers = unrank(number, n, largest);
    // The target belongs to the numbers: its stream is at step 0, which no draw reads.
    let mut stream = Seed(number as u64).stream(Purpose::Question, 0, slot("countdown"));
    let (target, solution) = reachable(&numbers, &mut stream);
    let list = numbers.iter().map(i128::to_string).collect::<Vec<_>>().join(", ");
    let json: Vec<i64> = numbers.iter().map(|n| *n as i64).collect();
    Item {
        question: format!(
            "Write an expression with + - * / and brackets that equals {target}, using the numbers {list} each at most once."
        ),
        answer: solution,
        difficulty: fields([("num_numbers", (n as u32).into()), ("max_value", (largest as u32).into())]),
        details: fields([("numbers", json.into()), ("target", (target as i64).into())]),
    }
}

/// A target from 10 to 999 that is none of the numbers, with an expression for it.
fn reachable(numbers: &[i128], stream: &mut Stream) -> (i128, String) {
    let fits = |(target, _): &(i128, String)| (10..=999).contains(target) && !numbers.contains(target);
    let found = (0..ATTEMPTS).map(|_| combined(numbers, stream)).find(fits);
    let text = || numbers.iter().map(i128::to_string).collect::<Vec<_>>().join(" + ");
    found.unwrap_or_else(|| (numbers.iter().sum(), text()))
}

/// The numbers in a random order, combined by random operations from left to right; positive integers all along.
fn combined(numbers: &[i128], stream: &mut Stream) -> (i128, String) {
    let mut order = numbers.to_vec();
    order.shuffle(stream);
    order[1..].iter().fold((order[0], order[0].to_string()), |(value, text), next| {
        let (value, sign) = match stream.random_range(0..4) {
            0 if value > *next => (value - next, '-'),
            1 => (value * next, '*'),
            2 if value % next == 0 => (value / next, '/'),
            _ => (value + next, '+'),
        };
        (value, if text.len() > 2 { format!("({text}) {sign} {next}") } else { format!("{text} {sign} {next}") })
    })
}

/// 1 where the expression is valid and equals the target, [`MISSED`] where it is valid and does not, 0 where it is not valid.
fn score(answer: &str, row: &Row) -> f64 {
    let details = &row.metadata.details;
    let numbers: Option<Vec<i64>> = details.get("numbers").and_then(|n| serde_json::from_value(n.clone()).ok());
    let target = details.get("target").and_then(serde_json::Value::as_i64);
    match (target, numbers.and_then(|n| value(answer, &n))) {
        (Some(target), Some(value)) if value == Rational::integer(target.into()) => 1.0,
        (Some(_), Some(_)) => MISSED,
        _ => 0.0,
    }
}

/// The exact value of an expression that uses only `numbers`, each at most once; missing where it is none.
fn value(answer: &str, numbers: &[i64]) -> Option<Rational> {
    let plain = answer.len() <= crate::math::normalise::MAX_LENGTH && answer.chars().all(|c| c.is_ascii_digit() || " +-*/()".contains(c));
    let tokens = tokens(answer).filter(|_| plain)?;
    let mut left: Vec<i128> = numbers.iter().map(|n| i128::from(*n)).collect();
    let each_once =
        tokens.iter().filter_map(Token::whole).all(|n| left.iter().position(|m| *m == n).map(|i| left.swap_remove(i)).is_some());
    let explicit = tokens.windows(2).all(|pair| !(ends(&pair[0]) && begins(&pair[1])));
    (each_once && explicit && left.len() < numbers.len()).then(|| parse(answer)?.exact())?
}

fn ends(token: &Token) -> bool {
    matches!(token, Token::Number { .. } | Token::Sign(')'))
}

fn begins(token: &Token) -> bool {
    matches!(token, Token::Number { .. } | Token::Sign('('))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_set_of_numbers_has_one_rank() {
        let sets: HashSet<Vec<i128>> = (0..choose(9, 4)).map(|rank| unrank(rank, 4, 9)).collect();
        assert_eq!(sets.len(), 126);
        assert!(sets.iter().all(|s| s.is_sorted_by(|a, b| a < b) && s[0] >= 1 && s[3] <= 9));
    }

    #[test]
    fn values_are_exact_and_numbers_are_used_once() {
        let value = |text| value(text, &[3, 8, 8, 3]);
        assert_eq!(value("8 / (3 - 8 / 3)"), Some(Rational::integer(24)));
        assert_eq!(value("8 * 3 * 3"), Some(Rational::integer(72)));
        for wrong in ["3 * 3 * 3", "24", "8(3)", "8 3/3", "8 / (3 - 3)", "8 + 3 = 11", "8^3", "", "()", "8 +", "83", "8.0 + 3", "8e3"] {
            assert_eq!(value(wrong), None, "{wrong}");
        }
    }
}

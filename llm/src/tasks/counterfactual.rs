//! Arithmetic under rules that contradict common knowledge.

use super::{Digits, Family, Item, exact, fields};
use mta_sims::registry::Entry;

/// `level + 2` numbers under another precedence, with signs swapped, or in another base.
pub(super) static COUNTERFACTUAL: Family = Family {
    entry: Entry {
        name: "counterfactual",
        aliases: &[],
        doc: "Sums of products where addition comes first, or nothing does, or + and * are swapped, or numbers are in base 6 to 9; a level more is a number more, \
              from level 3 on numbers have two digits.",
        formula: "questions: 7 rules * 4^(k (level+2)) numbers of k digits from 2 to 5 * 2^(level-1) signs; the first two signs are + and *",
        source: "this crate, after Wu et al., \"Reasoning or Reciting?\", arXiv 2307.02477 (arithmetic in other bases)",
        elsewhere: &[],
    },
    levels: 6,
    questions,
    item,
    score: exact,
};

/// What holds instead of what everybody knows.
#[derive(Clone, Copy)]
enum Rule {
    AdditionFirst,
    LeftToRight,
    Swapped,
    Base(u32),
}

const RULES: [Rule; 7] =
    [Rule::AdditionFirst, Rule::LeftToRight, Rule::Swapped, Rule::Base(6), Rule::Base(7), Rule::Base(8), Rule::Base(9)];

impl Rule {
    fn text(self) -> String {
        match self {
            Rule::AdditionFirst => "Here addition is done before multiplication.".into(),
            Rule::LeftToRight => "Here all operations are done from left to right, none before another.".into(),
            Rule::Swapped => "Here + multiplies and * adds, and what multiplies is done first.".into(),
            Rule::Base(base) => format!("Here all numbers, the answer too, are written in base {base}."),
        }
    }

    fn base(self) -> u32 {
        if let Rule::Base(base) = self { base } else { 10 }
    }

    /// The value of the numbers with the signs between them.
    fn value(self, numbers: &[i128], signs: &[char]) -> i128 {
        match self {
            Rule::AdditionFirst => tight(numbers, signs, '+', |a, b| a + b, |a, b| a * b),
            Rule::LeftToRight => numbers[1..].iter().zip(signs).fold(numbers[0], |a, (b, sign)| if *sign == '+' { a + b } else { a * b }),
            Rule::Swapped => tight(numbers, signs, '+', |a, b| a * b, |a, b| a + b),
            Rule::Base(_) => tight(numbers, signs, '*', |a, b| a * b, |a, b| a + b),
        }
    }
}

/// The value where the operation of sign `first` binds and the other one joins what it bound.
fn tight(numbers: &[i128], signs: &[char], first: char, bind: fn(i128, i128) -> i128, join: fn(i128, i128) -> i128) -> i128 {
    let mut bound = vec![numbers[0]];
    for (sign, number) in signs.iter().zip(&numbers[1..]) {
        match bound.last_mut() {
            Some(last) if *sign == first => *last = bind(*last, *number),
            _ => bound.push(*number),
        }
    }
    bound.into_iter().reduce(join).unwrap_or_default()
}

fn width(level: u32) -> u32 {
    if level <= 2 { 1 } else { 2 }
}

fn questions(level: u32) -> u128 {
    (RULES.len() as u128 * 4u128.pow(width(level) * (level + 2))) << (level - 1)
}

fn item(level: u32, number: u128) -> Item {
    let mut digits = Digits(number);
    let rule = digits.choose(&RULES);
    let numerals: Vec<Vec<u32>> = (0..level + 2).map(|_| (0..width(level)).map(|_| digits.within(2, 5) as u32).collect()).collect();
    let signs: Vec<char> = ['+', '*'].into_iter().chain((1..level).map(|_| digits.choose(&['+', '*']))).collect();
    let values = |base| numerals.iter().map(|n| n.iter().fold(0, |v, d| v * i128::from(base) + i128::from(*d))).collect::<Vec<_>>();
    let value = rule.value(&values(rule.base()), &signs);
    Item {
        question: format!("{} What is {}?", rule.text(), written(&numerals, &signs)),
        answer: in_base(value, rule.base()),
        difficulty: fields([("num_terms", (level + 2).into()), ("num_digits", width(level).into())]),
        details: fields([("rule", rule.text().into()), ("ordinary_answer", Rule::Base(10).value(&values(10), &signs).to_string().into())]),
    }
}

fn written(numerals: &[Vec<u32>], signs: &[char]) -> String {
    let numeral = |n: &Vec<u32>| n.iter().map(u32::to_string).collect::<String>();
    let rest = signs.iter().zip(&numerals[1..]).map(|(sign, n)| format!(" {sign} {}", numeral(n)));
    numeral(&numerals[0]) + &rest.collect::<String>()
}

fn in_base(mut value: i128, base: u32) -> String {
    let mut digits = Vec::new();
    while value > 0 || digits.is_empty() {
        digits.push(char::from_digit((value % i128::from(base)) as u32, base).unwrap_or('?'));
        value /= i128::from(base);
    }
    digits.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_give_what_they_say() {
        let (numbers, signs) = ([2, 3, 4, 5], ['+', '*', '+']);
        assert_eq!(Rule::AdditionFirst.value(&numbers, &signs), 45);
        assert_eq!(Rule::LeftToRight.value(&numbers, &signs), 25);
        assert_eq!(Rule::Swapped.value(&numbers, &signs), 26);
        assert_eq!(Rule::Base(10).value(&numbers, &signs), 19);
        assert_eq!(in_base(19, 6), "31");
        assert_eq!(in_base(0, 6), "0");
    }
}

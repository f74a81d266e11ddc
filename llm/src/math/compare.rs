//! Whether two answers say the same. The rules and their tolerances are in the [parent](super).

use super::answer::{Answer, Single, shape};
use super::expression::{Expression, Function, Operation};
use super::normalise::{MAX_LENGTH, normalise};
use crate::rational::Rational;
use mta_sims::digest;
use mta_sims::stream::{Purpose, Seed};
use num_complex::Complex64;

/// Significant digits from which on a decimal may stand for a number that is not written as one.
pub const ROUNDING_DIGITS: u32 = 4;

/// Largest relative deviation of two values that are equal in exact arithmetic but were computed in doubles.
pub const RELATIVE_TOLERANCE: f64 = 1e-11;

/// Absolute values below this are 0 in expressions whose terms can cancel: sums, differences, and functions with zeros.
pub const ZERO: f64 = 1e-12;

/// Points an identity is tried at.
pub const POINTS: usize = 8;

/// Points at which both sides must have a value.
const NEEDED: usize = 4;

/// Whether `answer` says what `gold` says.
///
/// # Example
/// ```
/// use mta_llm::math::compare::equal;
/// assert!(equal(r"\frac{1}{2}", "0.5"));
/// assert!(equal(r"(a+5)(b+2)", "ab + 2a + 5b + 10"));
/// assert!(!equal("(3,4]", "[3,4]"));
/// ```
pub fn equal(gold: &str, answer: &str) -> bool {
    let (gold, answer) = (normalise(gold), normalise(answer));
    if gold.len().max(answer.len()) > MAX_LENGTH {
        return gold == answer;
    }
    !answer.is_empty() && same(&shape(&gold), &shape(&answer))
}

fn same(gold: &Answer, answer: &Answer) -> bool {
    match (gold, answer) {
        (Answer::Single(a), Answer::Single(b)) => same_single(a, b),
        (Answer::List(a), Answer::List(b)) | (Answer::Union(a), Answer::Union(b)) => same_in_any_order(a, b),
        (Answer::List(a), b) if a.len() == 1 => same(&a[0], b),
        (a, Answer::List(b)) if b.len() == 1 => same(a, &b[0]),
        (Answer::Tuple { open, close, members }, Answer::Tuple { open: o, close: c, members: m }) => {
            (open, close) == (o, c) && same_in_order(members, m)
        }
        (Answer::Matrix(a), Answer::Matrix(b)) => a.len() == b.len() && a.iter().zip(b).all(|(x, y)| same_in_order(x, y)),
        (Answer::Relation { signs, sides }, Answer::Relation { signs: s, sides: t }) => same_relation((signs, sides), (s, t)),
        (Answer::Relation { signs, sides }, other) => defined(signs, sides).is_some_and(|value| same(value, other)),
        (other, Answer::Relation { signs, sides }) => defined(signs, sides).is_some_and(|value| same(other, value)),
        _ => false,
    }
}

fn same_in_order(a: &[Answer], b: &[Answer]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| same(x, y))
}

/// Each member of `a` takes the first free member of `b` that is the same.
fn same_in_any_order(a: &[Answer], b: &[Answer]) -> bool {
    let mut free: Vec<&Answer> = b.iter().collect();
    a.len() == b.len() && a.iter().all(|x| free.iter().position(|y| same(x, y)).map(|i| free.swap_remove(i)).is_some())
}

/// The value that `name = value` or `value = name` gives.
fn defined<'a>(signs: &[char], sides: &'a [Answer]) -> Option<&'a Answer> {
    match (signs, sides) {
        (['='], [name, value]) if is_name(name) => Some(value),
        (['='], [value, name]) if is_name(name) => Some(value),
        _ => None,
    }
}

/// A variable, a function of variables such as f(x), or a tuple of variables.
fn is_name(side: &Answer) -> bool {
    let variable = |e: &Expression| matches!(e, Expression::Variable(_));
    match side {
        Answer::Single(Single { expression: Some(Expression::Binary(Operation::Times, f, x)), text }) => {
            variable(f) && variable(x) && text.ends_with(')')
        }
        Answer::Single(Single { expression: Some(e), .. }) => variable(e),
        Answer::Tuple { members, .. } => members.iter().all(is_name),
        _ => false,
    }
}

type Sides<'a> = (&'a [char], &'a [Answer]);

fn same_relation(gold: (&Vec<char>, &Vec<Answer>), answer: (&Vec<char>, &Vec<Answer>)) -> bool {
    let (signs, sides): (Vec<char>, Vec<&Answer>) =
        (answer.0.iter().rev().map(|c| mirrored(*c)).collect(), answer.1.iter().rev().collect());
    let forward = gold.0 == answer.0 && same_in_order(gold.1, answer.1);
    let backward = *gold.0 == signs && !signs.contains(&':') && gold.1.iter().zip(sides).all(|(x, y)| same(x, y));
    forward || backward || proportional((gold.0, gold.1), (answer.0, answer.1)).unwrap_or(false)
}

fn mirrored(sign: char) -> char {
    match sign {
        '<' => '>',
        '>' => '<',
        '≤' => '≥',
        '≥' => '≤',
        other => other,
    }
}

/// Whether two equations have left - right in a constant ratio.
fn proportional(a: Sides, b: Sides) -> Option<bool> {
    let (f, g) = (difference(a)?, difference(b)?);
    let ratios: Vec<Complex64> =
        values(&f, &g).into_iter().filter(|(x, y)| x.norm() > ZERO && y.norm() > ZERO).map(|(x, y)| x / y).collect();
    Some(ratios.len() >= NEEDED && ratios.iter().all(|r| close(*r, ratios[0])))
}

fn difference((signs, sides): Sides) -> Option<Expression> {
    let expression = |side: &Answer| match side {
        Answer::Single(single) => single.expression.clone(),
        _ => None,
    };
    match (signs, sides) {
        (['='], [left, right]) => Some(Expression::binary(Operation::Minus, expression(left)?, expression(right)?)),
        _ => None,
    }
}

fn same_single(gold: &Single, answer: &Single) -> bool {
    let same_text = gold.text == answer.text && gold.expression.is_some() == answer.expression.is_some();
    same_text || same_base(&gold.text, &answer.text) || same_expression(gold, answer) || same_words(gold, answer)
}

/// Numerals with a base: 52_8 is 52 where the other states no base.
fn same_base(gold: &str, answer: &str) -> bool {
    match (based(gold), based(answer)) {
        (Some(a), Some(b)) => a == b,
        (Some((digits, _)), None) => digits == answer,
        (None, Some((digits, _))) => digits == gold,
        (None, None) => false,
    }
}

/// Digits and base of `digits_base` or `digits_{base}`.
fn based(text: &str) -> Option<(&str, &str)> {
    let (digits, base) = text.split_once('_')?;
    let base = base.trim_start_matches('{').trim_end_matches('}');
    let numeral = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric());
    (numeral(digits) && digits.starts_with(|c: char| c.is_ascii_digit()) && numeral(base)).then_some((digits, base))
}

/// What spells no expression is compared by its letters and digits, in either case.
fn same_words(gold: &Single, answer: &Single) -> bool {
    let words = |s: &Single| s.text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let only_words = |s: &Single| {
        s.expression.is_none()
            && !s.text.starts_with('-')
            && s.text.chars().all(|c| c.is_alphanumeric() || matches!(c, '(' | ')' | '.' | '\'' | '-' | ','))
    };
    only_words(gold) && only_words(answer) && words(gold) == words(answer) && !words(gold).is_empty()
}

fn same_expression(gold: &Single, answer: &Single) -> bool {
    let (Some(a), Some(b)) = (&gold.expression, &answer.expression) else { return false };
    match (a, b) {
        (Expression::Percent(x), Expression::Percent(y)) => same_value(x, y),
        (Expression::Percent(x), _) => same_value(x, b) || same_value(a, b),
        (_, Expression::Percent(y)) => same_value(a, y) || same_value(a, b),
        _ => same_value(a, b),
    }
}

/// Exactly, where both are rational; else at sampled points.
fn same_value(a: &Expression, b: &Expression) -> bool {
    let equal = match (a.exact(), b.exact()) {
        (Some(x), Some(y)) => x == y,
        _ => identical(a, b),
    };
    equal || rounds_to(a, b) || rounds_to(b, a)
}

/// Whether `short` is a decimal of at least [`ROUNDING_DIGITS`] significant digits, less than one unit of its last place from `other`,
/// which is no decimal.
fn rounds_to(short: &Expression, other: &Expression) -> bool {
    let long_enough = |(digits, _): &(u32, Rational)| *digits >= ROUNDING_DIGITS && other.rounding().is_none();
    let Some((_, unit)) = short.rounding().filter(long_enough) else { return false };
    let within = |x: Rational, y: Rational| x.minus(y).is_some_and(|d| d.magnitude().value() < unit.value() * (1.0 - RELATIVE_TOLERANCE));
    match (short.exact(), other.exact()) {
        (Some(x), Some(y)) => within(x, y),
        (Some(x), None) if !has_variables(other) => (other.at(&|_| f64::NAN) - x.value()).norm() < unit.value(),
        _ => false,
    }
}

fn has_variables(e: &Expression) -> bool {
    e.any(&|part| matches!(part, Expression::Variable(_)))
}

/// Whether two expressions agree at all sampled points where both have a value.
fn identical(a: &Expression, b: &Expression) -> bool {
    let pairs = values(a, b);
    let needed = if has_variables(a) || has_variables(b) { NEEDED } else { 1 };
    let zero = if cancels(a) || cancels(b) { ZERO } else { 0.0 };
    pairs.len() >= needed && pairs.iter().all(|(x, y)| x.norm().max(y.norm()) < zero || close(*x, *y))
}

fn cancels(e: &Expression) -> bool {
    e.any(&|part| matches!(part, Expression::Binary(Operation::Plus | Operation::Minus, ..) | Expression::Call(..)))
}

fn close(x: Complex64, y: Complex64) -> bool {
    (x - y).norm() <= RELATIVE_TOLERANCE * x.norm().max(y.norm())
}

/// Values of both at the points where both are finite.
fn values(a: &Expression, b: &Expression) -> Vec<(Complex64, Complex64)> {
    let absolute = |e: &Expression| e.any(&|part| matches!(part, Expression::Call(Function::Abs, _)));
    let signed = absolute(a) || absolute(b);
    let both = |k| (a.at(&|name| coordinate(name, k, signed)), b.at(&|name| coordinate(name, k, signed)));
    (0..POINTS).map(both).filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
}

/// The variable `name` at point `k`: uniform in (0.3, 3.3), of either sign where `signed`. A function of its name and k alone.
fn coordinate(name: &str, k: usize, signed: bool) -> f64 {
    let stream = Seed(digest::number(name.as_bytes()) as u64).stream(Purpose::Evaluation, k, 0);
    let size = 0.3 + 3.0 * stream.uniform(0);
    if signed && stream.uniform(1) < 0.5 { -size } else { size }
}

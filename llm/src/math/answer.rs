//! The shape of an answer: a list, a tuple or interval, a union, a relation, a matrix, or a single expression.

use super::expression::Expression;
use super::parser::parse;

/// Deepest nesting of shapes.
const MAX_DEPTH: usize = 16;

/// Most members of a list; longer ones are compared as text.
const MAX_MEMBERS: usize = 64;

/// What an answer is.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Members in any order: a set in braces, or a list without brackets.
    List(Vec<Answer>),
    /// Members in order between brackets, which are part of it: a point, a vector, an interval.
    Tuple {
        /// The opening bracket.
        open: char,
        /// The closing bracket.
        close: char,
        /// What is between them.
        members: Vec<Answer>,
    },
    /// Intervals, in any order.
    Union(Vec<Answer>),
    /// `sides[0] signs[0] sides[1] ...`
    Relation {
        /// =, <, >, ≤, ≥, ≠ or a colon.
        signs: Vec<char>,
        /// One more than signs.
        sides: Vec<Answer>,
    },
    /// Rows of entries.
    Matrix(Vec<Vec<Answer>>),
    /// A single thing.
    Single(Single),
}

/// A single thing: its text without spaces, and the expression it spells, if it spells one.
#[derive(Clone, Debug, PartialEq)]
pub struct Single {
    /// The text without spaces.
    pub text: String,
    /// The expression.
    pub expression: Option<Expression>,
}

/// The shape of normalised `text`.
pub fn shape(text: &str) -> Answer {
    nested(text, 0)
}

fn nested(text: &str, depth: usize) -> Answer {
    let text = text.trim();
    let found = if depth > MAX_DEPTH { None } else { compound(text, depth + 1) };
    found.unwrap_or_else(|| single(text))
}

fn single(text: &str) -> Answer {
    Answer::Single(Single { text: text.chars().filter(|c| !c.is_whitespace()).collect(), expression: parse(text) })
}

fn compound(text: &str, depth: usize) -> Option<Answer> {
    let all = |parts: Vec<&str>| parts.into_iter().map(|part| nested(part, depth)).collect::<Vec<_>>();
    matrix(text, depth)
        .or_else(|| split(text, |c| c == ',').map(|(parts, _)| list(all(parts))))
        .or_else(|| split(text, |c| c == '∪').map(|(parts, _)| Answer::Union(all(parts))))
        .or_else(|| relation(text, depth))
        .or_else(|| bracketed(text, depth))
        .or_else(|| signs(text).map(|pair| list(all(pair.iter().map(String::as_str).collect()))))
}

/// A list with the members of its lists.
fn list(members: Vec<Answer>) -> Answer {
    let flat = |member| match member {
        Answer::List(inner) => inner,
        other => vec![other],
    };
    Answer::List(members.into_iter().flat_map(flat).collect())
}

/// The parts of `text` between separators outside all brackets, and the separators; missing where there is no separator, a part is empty, or there are too many.
fn split(text: &str, separator: impl Fn(char) -> bool) -> Option<(Vec<&str>, Vec<char>)> {
    let (mut parts, mut separators) = (Vec::new(), Vec::new());
    let (mut depth, mut start) = (0, 0);
    for (i, c) in text.char_indices() {
        depth += opens(c) - closes(c);
        if depth == 0 && separator(c) {
            parts.push(&text[start..i]);
            separators.push(c);
            start = i + c.len_utf8();
        }
    }
    parts.push(&text[start..]);
    let sound = (2..=MAX_MEMBERS).contains(&parts.len()) && parts.iter().all(|part| !part.trim().is_empty());
    sound.then_some((parts, separators))
}

fn opens(c: char) -> i32 {
    i32::from(matches!(c, '(' | '[' | '{' | '⦃'))
}

fn closes(c: char) -> i32 {
    i32::from(matches!(c, ')' | ']' | '}' | '⦄'))
}

fn relation(text: &str, depth: usize) -> Option<Answer> {
    let is_sign = |c| matches!(c, '=' | '<' | '>' | '≤' | '≥' | '≠' | ':' | '∈');
    let (parts, signs) = split(text, is_sign)?;
    if signs == ['∈'] {
        return Some(nested(parts[1], depth));
    }
    Some(Answer::Relation { signs, sides: parts.into_iter().map(|part| nested(part, depth)).collect() })
}

/// What is in one pair of brackets from end to end: a set, a tuple, or a group.
fn bracketed(text: &str, depth: usize) -> Option<Answer> {
    let (open, close) = (text.chars().next()?, text.chars().next_back()?);
    let whole =
        opens(open) == 1 && closes(close) == 1 && text.len() > open.len_utf8() && closing(text) == Some(text.len() - close.len_utf8());
    let inside = whole.then(|| &text[open.len_utf8()..text.len() - close.len_utf8()])?;
    match split(inside, |c| c == ',') {
        Some((parts, _)) if matches!(open, '(' | '[') => {
            Some(Answer::Tuple { open, close, members: parts.into_iter().map(|part| nested(part, depth)).collect() })
        }
        _ if open == '⦃' => Some(list(vec![nested(inside, depth)])),
        _ => Some(nested(inside, depth)),
    }
}

/// Where the bracket that `text` begins with closes.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    text.char_indices().find_map(|(i, c)| {
        depth += opens(c) - closes(c);
        (depth == 0).then_some(i)
    })
}

/// Both readings of an answer with ±; all of its signs go together, ∓ the other way.
fn signs(text: &str) -> Option<[String; 2]> {
    let reading = |plus, minus| text.replace('±', plus).replace('∓', minus);
    text.contains('±').then(|| [reading("+", "-"), reading("-", "+")])
}

fn matrix(text: &str, depth: usize) -> Option<Answer> {
    let (kind, rest) = text.strip_prefix("\\begin{")?.split_once('}')?;
    let body = rest.strip_suffix(&format!("\\end{{{kind}}}"))?;
    let known = matches!(kind, "pmatrix" | "bmatrix" | "Bmatrix" | "matrix" | "smallmatrix") && !body.contains("\\begin");
    let rows = || body.trim().trim_end_matches("\\\\").split("\\\\");
    known.then(|| Answer::Matrix(rows().map(|row| row.split('&').map(|entry| nested(entry, depth)).collect()).collect()))
}

//! One spelling for what LaTeX and English spell in many ways.
//!
//! Spacing, delimiters' sizes, dollar signs and units go; commands with a plain sign become that sign; `\{ \}` become `⦃ ⦄`, so that a brace always groups;
//! commas between thousands go; "and" and "or" become commas. Each step reads the text once or a fixed number of times.

use super::expression::Function;

/// Answers longer than this, in bytes, are compared as they stand: no answer of the benchmarks is half as long.
pub const MAX_LENGTH: usize = 512;

/// Commands whose argument is text.
const TEXT: &[&str] = &["text", "mbox", "textbf", "textit", "textrm", "textnormal", "mathrm", "mathit", "mathsf", "hbox", "textsf", "rm"];

/// Units shorter than a word.
const UNITS: &[&str] = &[
    "cm", "mm", "km", "kg", "mg", "lb", "lbs", "oz", "ft", "in", "yd", "hr", "hrs", "min", "sec", "mph", "deg", "sq", "cu", "per", "ml",
    "kJ", "eV", "Hz", "mi",
];

/// The canonical spelling of `raw`.
///
/// # Example
/// ```
/// use mta_llm::math::normalise::normalise;
/// assert_eq!(normalise(r"$\left(\dfrac12,\, 90^\circ\right)$."), r"(\frac{1}{2}, 90°)");
/// assert_eq!(normalise(r"\$58,\!500 \text{ dollars}"), "58500");
/// ```
pub fn normalise(raw: &str) -> String {
    let raw = raw.trim();
    if raw.len() > MAX_LENGTH {
        return raw.to_string();
    }
    let text = connectives(&join_thousands(&texts(&signs(raw))));
    let text = brace_fractions(&unit_free(&text));
    degree_free(&trim(&text).replace("^{°}", "°").replace("^°", "°"))
}

/// An angle in degrees is its number, but not inside a function.
fn degree_free(text: &str) -> String {
    let applied = Function::NAMED.iter().any(|(name, _)| text.contains(name));
    if applied { text.to_string() } else { text.trim_end_matches('°').trim().to_string() }
}

fn trim(text: &str) -> &str {
    text.trim().trim_end_matches(['.', ',', ';', ':']).trim_start_matches(':').trim()
}

/// Commands and signs to plain signs, and text to `⟪text⟫`.
fn signs(raw: &str) -> String {
    let chars: Vec<char> = raw.chars().collect();
    let (mut out, mut at) = (String::new(), 0);
    while let Some(c) = chars.get(at).copied() {
        at += 1;
        if c == '\\' {
            at = command(&chars, at, &mut out);
        } else {
            out.push_str(&plain(c));
        }
    }
    out
}

fn plain(c: char) -> String {
    match c {
        '$' | '\u{200b}' => "",
        '~' | '\u{a0}' | '\u{202f}' | '\n' | '\r' | '\t' => " ",
        '−' | '–' => "-",
        '×' | '·' | '⋅' | '∙' => "*",
        '÷' => "/",
        'π' => "\\pi ",
        'θ' => "\\theta ",
        '√' => "\\sqrt ",
        '∞' => "\\infty ",
        '²' => "^2",
        '³' => "^3",
        '≈' => "=",
        '⟪' | '⟫' | '⦃' | '⦄' => " ",
        _ => return c.to_string(),
    }
    .to_string()
}

/// What the command at `at`, its backslash passed, becomes; where the text goes on.
fn command(chars: &[char], at: usize, out: &mut String) -> usize {
    let name: String = chars[at..].iter().take_while(|c| c.is_ascii_alphabetic()).collect();
    let end = at + name.len();
    if name.is_empty() {
        return control(chars, at, out);
    }
    if TEXT.contains(&name.as_str()) {
        return quote(chars, end, out);
    }
    match spelled(&name) {
        Some(sign) => out.push_str(sign),
        None => out.extend(["\\", &name]),
    }
    end
}

fn control(chars: &[char], at: usize, out: &mut String) -> usize {
    let Some(c) = chars.get(at).copied() else { return at };
    let digit_follows = chars.get(at + 1).is_some_and(char::is_ascii_digit);
    match c {
        '{' => out.push('⦃'),
        '}' => out.push('⦄'),
        '%' => out.push('%'),
        '\\' => out.push_str("\\\\"),
        '|' => out.push('|'),
        '!' => return at + 1 + chars[at + 1..].iter().take_while(|c| **c == ' ').count(),
        ',' if digit_follows && out.ends_with(|c: char| c.is_ascii_digit()) => {}
        ',' | ';' | ':' | ' ' | '>' => out.push(' '),
        _ => {}
    }
    at + 1
}

fn spelled(name: &str) -> Option<&'static str> {
    Some(match name {
        "left" | "right" | "big" | "Big" | "bigl" | "bigr" | "Bigl" | "Bigr" | "bigg" | "Bigg" | "biggl" | "biggr" | "displaystyle"
        | "limits" | "boldsymbol" | "operatorname" | "pounds" => "",
        "quad" | "qquad" => " ",
        "dfrac" | "tfrac" | "cfrac" => "\\frac",
        "dbinom" | "tbinom" => "\\binom",
        "cdot" | "times" => "*",
        "div" => "/",
        "leq" | "le" | "leqslant" => "≤",
        "geq" | "ge" | "geqslant" => "≥",
        "lt" => "<",
        "gt" => ">",
        "neq" | "ne" => "≠",
        "approx" => "=",
        "in" => "∈",
        "cup" => "∪",
        "pm" => "±",
        "mp" => "∓",
        "circ" | "degree" => "°",
        "prime" => "'",
        "lvert" | "rvert" | "vert" | "mid" => "|",
        "lbrace" => "⦃",
        "rbrace" => "⦄",
        "dots" | "ldots" | "cdots" => "…",
        _ => return None,
    })
}

/// A text group as `⟪text⟫`; names of constants in upright type stay signs.
fn quote(chars: &[char], at: usize, out: &mut String) -> usize {
    let group = chars[at..].iter().position(|c| !c.is_whitespace()).filter(|skip| chars[at + skip] == '{');
    let close = chars[at..].iter().position(|c| *c == '}');
    let (Some(_), Some(close)) = (group, close) else { return at };
    let content: String = chars[at..at + close].iter().skip_while(|c| **c != '{').skip(1).collect();
    match content.trim() {
        "and" | "or" => out.push(','),
        "e" | "i" | "d" => out.push_str(content.trim()),
        _ => out.extend(["⟪", &signs(&content), "⟫"]),
    }
    at + close + 1
}

/// Drops text behind a quantity, which is its unit; keeps what else is text.
fn texts(text: &str) -> String {
    if let Some(start) = text.find('⟪') {
        let (head, tail) = text.split_at(start);
        let behind_a_quantity = head.trim_end().ends_with(|c: char| c.is_alphanumeric() || matches!(c, ')' | ']' | '}' | '%' | '°' | '.'));
        if behind_a_quantity && only_units(tail) {
            return head.trim_end().to_string();
        }
    }
    text.replace(['⟪', '⟫'], " ")
}

/// Whether `tail` is text, powers and slashes only.
fn only_units(tail: &str) -> bool {
    let mut quoted = false;
    tail.chars().all(|c| {
        quoted = (quoted || c == '⟪') && c != '⟫';
        quoted || c == '⟫' || c.is_ascii_digit() || matches!(c, ' ' | '^' | '{' | '}' | '/' | '-' | '*' | '.')
    }) && !tail.contains(',')
        && !["am", "pm"].contains(&letters(tail).as_str())
}

fn letters(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphabetic).flat_map(char::to_lowercase).collect()
}

/// 1,234,567 to 1234567, outside brackets, and wherever TeX says that the comma does not separate (`,\!` or `{,}`).
fn join_thousands(text: &str) -> String {
    let text = text.replace("{,}", ",");
    if text.contains(['(', '[', '⦃', '{']) {
        return text;
    }
    let parts: Vec<&str> = text.split(',').collect();
    let first_ends = |s: &str| (1..=3).contains(&s.chars().rev().take_while(char::is_ascii_digit).count()) && !s.contains('.');
    let group = |s: &str| s.chars().take_while(char::is_ascii_digit).count() == 3;
    let only = |s: &str| s.len() == 3 && group(s);
    let mut out = parts[0].to_string();
    let mut joined = first_ends(parts[0]);
    for part in &parts[1..] {
        let joins = joined && group(part);
        out.push_str(if joins { "" } else { "," });
        out.push_str(part);
        joined = if joins { only(part) } else { first_ends(part) };
    }
    out
}

fn connectives(text: &str) -> String {
    let text = text.replace(" and ", ",").replace(" or ", ",").replace("np.", "").replace("infinity", "\\infty ");
    let text = text.replace("p.m.", "pm").replace("a.m.", "am").replace("P.M.", "pm").replace("A.M.", "am");
    text.replace(",,", ",")
}

/// Plain words behind a number.
fn unit_free(text: &str) -> String {
    let text = trim(text);
    let mut head = text;
    while let Some((rest, word)) = head.rsplit_once(char::is_whitespace) {
        if !is_unit(word) {
            break;
        }
        head = rest.trim_end();
    }
    let quantity = head.ends_with(|c: char| c.is_ascii_digit() || matches!(c, '}' | ')' | '%' | '°'));
    if quantity { head.to_string() } else { text.to_string() }
}

fn is_unit(word: &str) -> bool {
    let stem =
        word.trim_end_matches("^2").trim_end_matches("^3").trim_end_matches("^{2}").trim_end_matches("^{3}").trim_end_matches(['.', '/']);
    let word =
        stem.len() >= 4 && stem.bytes().all(|b| b.is_ascii_alphabetic()) && !Function::NAMED.iter().any(|(name, _)| stem.starts_with(name));
    word || UNITS.contains(&stem)
}

/// `\frac12` and `\frac 1{2}` to `\frac{1}{2}`.
fn brace_fractions(text: &str) -> String {
    let mut pieces = text.split("\\frac");
    let mut out = pieces.next().unwrap_or_default().to_string();
    for piece in pieces {
        out.push_str("\\frac");
        let rest = brace_digit(piece, &mut out);
        let rest = match rest.strip_prefix('{').map(|_| group_length(rest)) {
            Some(length) => {
                out.push_str(&rest[..length]);
                brace_digit(&rest[length..], &mut out)
            }
            None => brace_digit(rest, &mut out),
        };
        out.push_str(rest);
    }
    out
}

/// Moves a leading digit, in braces, to `out`.
fn brace_digit<'a>(text: &'a str, out: &mut String) -> &'a str {
    let bare = text.trim_start();
    match bare.chars().next() {
        Some(digit) if digit.is_ascii_digit() => {
            out.extend(['{', digit, '}']);
            &bare[1..]
        }
        _ => bare,
    }
}

/// Bytes of the braced group `text` begins with; all of it where the group does not end.
pub(super) fn group_length(text: &str) -> usize {
    let mut depth = 0;
    for (i, c) in text.char_indices() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if depth == 0 {
            return i + c.len_utf8();
        }
    }
    text.len()
}

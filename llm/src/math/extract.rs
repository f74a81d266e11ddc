//! The final answer in a model's output.

use super::normalise::group_length;

/// How an answer was marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// `\boxed{...}`.
    Boxed,
    /// `#### ...`, GSM8K's mark.
    Hashes,
    /// "The answer is ...".
    Sentence,
    /// Nothing: the last number of the output.
    LastNumber,
}

/// The answer of `output` and how it was marked: the last whole `\boxed{...}`, else the line after the last `####`, else what follows the last "answer is" or
/// "answer:", else the last number with its sign, commas, point, fraction or percent sign; nothing where there is not even a number.
///
/// # Example
/// ```
/// use mta_llm::math::extract::{Mark, extract};
/// assert_eq!(extract(r"so \boxed{\frac{1}{2}}, not \boxed{2"), Some((Mark::Boxed, r"\frac{1}{2}")));
/// assert_eq!(extract("5 + 5 = 10\n#### 10"), Some((Mark::Hashes, "10")));
/// assert_eq!(extract("The answer is $x = 5$. Done."), Some((Mark::Sentence, "x = 5")));
/// assert_eq!(extract("It costs 1,250.50 dollars."), Some((Mark::LastNumber, "1,250.50")));
/// assert_eq!(extract("I do not know."), None);
/// ```
pub fn extract(output: &str) -> Option<(Mark, &str)> {
    let marked = boxed(output).map(|a| (Mark::Boxed, a));
    let marked = marked.or_else(|| hashes(output).map(|a| (Mark::Hashes, a)));
    let marked = marked.or_else(|| sentence(output).map(|a| (Mark::Sentence, a)));
    marked.or_else(|| last_number(output).map(|a| (Mark::LastNumber, a)))
}

/// The content of the last `\boxed{...}` or `\fbox{...}` whose braces balance.
pub fn boxed(output: &str) -> Option<&str> {
    let mut limit = output.len();
    // Tries a bounded number of boxes, so that a text of nothing but open boxes costs linear time.
    for _ in 0..8 {
        let at = output[..limit].rfind("\\boxed").max(output[..limit].rfind("\\fbox"))?;
        let rest = output[at + 1..].trim_start_matches(|c: char| c.is_ascii_alphabetic()).trim_start();
        let length = if rest.starts_with('{') { group_length(rest) } else { 0 };
        if length > 1 && rest[..length].ends_with('}') && balanced(&rest[..length]) {
            return Some(rest[1..length - 1].trim());
        }
        limit = at;
    }
    None
}

fn balanced(group: &str) -> bool {
    group.matches('{').count() == group.matches('}').count()
}

/// The rest of the line after the last `####`, GSM8K's mark.
pub fn hashes(output: &str) -> Option<&str> {
    let (_, rest) = output.rsplit_once("####")?;
    rest.lines().next().map(str::trim).filter(|answer| !answer.is_empty())
}

fn sentence(output: &str) -> Option<&str> {
    let (_, rest) = output.rsplit_once("answer is").or_else(|| output.rsplit_once("nswer:"))?;
    let rest = rest.trim_start_matches([':', ' ', '*', '\n']);
    let formula = delimited(rest, "$", "$").or_else(|| delimited(rest, "\\(", "\\)")).or_else(|| delimited(rest, "\\[", "\\]"));
    let answer = formula.unwrap_or_else(|| first_sentence(rest)).trim();
    (!answer.is_empty()).then_some(answer)
}

/// What `text` holds between an `open` it starts with and the next `close`.
fn delimited<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    text.strip_prefix(open)?.split_once(close).map(|(inside, _)| inside)
}

/// Up to a line's end, or a full stop with a space or nothing after it.
fn first_sentence(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    let line = line.split_once(". ").map_or(line, |(first, _)| first);
    line.trim_end_matches(['.', '*'])
}

fn last_number(output: &str) -> Option<&str> {
    let end = output.rfind(|c: char| c.is_ascii_digit())? + 1;
    let part = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '/');
    let start = output[..end].char_indices().rev().take_while(|(_, c)| part(*c)).last().map_or(end, |(i, _)| i);
    let skipped = output[start..end].find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(0);
    let start = start + skipped;
    let negative = output[..start].ends_with('-') && !output[..start - 1].ends_with(|c: char| c.is_alphanumeric() || c == ')');
    let percent = output[end..].starts_with('%');
    Some(&output[start - usize::from(negative)..end + usize::from(percent)])
}

//! Answers as tokens: numerals, names, functions, LaTeX commands and signs.

use super::expression::Function;
use crate::rational::{Rational, ten};

/// Letters in a row, function names left out, that make a word instead of a product of variables.
pub const WORD: usize = 4;

/// Commands that stand for a named quantity.
const GREEK: &[&str] = &[
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "varepsilon",
    "zeta",
    "eta",
    "theta",
    "vartheta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "rho",
    "sigma",
    "tau",
    "upsilon",
    "phi",
    "varphi",
    "chi",
    "psi",
    "omega",
    "Gamma",
    "Delta",
    "Theta",
    "Lambda",
    "Xi",
    "Sigma",
    "Phi",
    "Psi",
    "Omega",
    "hbar",
    "ell",
    "infty",
    "odot",
];

/// Commands that make one name of their argument.
const DECORATIONS: &[&str] = &["dot", "ddot", "bar", "hat", "vec", "tilde", "overline", "mathbf", "mathbb", "mathcal"];

/// One sign of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// An unsigned numeral.
    Number {
        /// What it stands for.
        value: Rational,
        /// Digits after its point, where it has one.
        places: Option<u32>,
        /// Significant digits as written.
        digits: u32,
    },
    /// A variable.
    Name(String),
    /// A function.
    Function(Function),
    /// A LaTeX command with arguments: frac, sqrt, binom.
    Command(&'static str),
    /// Pi.
    Pi,
    /// A single character: an operation, a bracket, a bar.
    Sign(char),
}

/// The tokens of `text`; missing where it holds words, or signs that no expression has.
pub fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut lexer = Lexer { chars: text.chars().collect(), at: 0 };
    let mut tokens = Vec::new();
    while let Some(c) = lexer.peek() {
        if c.is_whitespace() {
            lexer.at += 1;
        } else {
            lexer.next(c, &mut tokens)?;
        }
    }
    Some(tokens)
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
}

impl Lexer {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let start = self.at;
        while self.peek().is_some_and(&wanted) {
            self.at += 1;
        }
        self.chars[start..self.at].iter().collect()
    }

    fn next(&mut self, c: char, out: &mut Vec<Token>) -> Option<()> {
        match c {
            '0'..='9' | '.' => out.push(self.number()?),
            'a'..='z' | 'A'..='Z' => self.letters(out)?,
            '\\' => self.command(out)?,
            '+' | '-' | '*' | '/' | '^' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '!' | '%' | '°' | '_' => {
                out.push(Token::Sign(c));
                self.at += 1;
            }
            _ => return None,
        }
        Some(())
    }

    /// Digits, a point, digits, and perhaps an exponent as in 4.5e33.
    fn number(&mut self) -> Option<Token> {
        let numeral = self.take_while(|c| c.is_ascii_digit() || c == '.');
        let mantissa = Rational::decimal(&numeral)?;
        let places = numeral.split_once('.').map(|(_, fraction)| fraction.len()).filter(|n| *n > 0);
        let digits = numeral.chars().filter(char::is_ascii_digit).skip_while(|c| *c == '0').count() as u32;
        match self.exponent() {
            None => Some(Token::Number { value: mantissa, places: places.map(|n| n as u32), digits }),
            Some(exponent) => Some(Token::Number { value: mantissa.times(Rational::integer(10).power(exponent)?)?, places: None, digits }),
        }
    }

    fn exponent(&mut self) -> Option<i128> {
        let rest: String = self.chars[self.at..].iter().take(6).collect();
        let marked = rest.strip_prefix(['e', 'E'])?;
        let unsigned = marked.strip_prefix(['+', '-']).unwrap_or(marked);
        let size: String = unsigned.chars().take_while(char::is_ascii_digit).collect();
        let value: i128 = size.parse().ok()?;
        self.at += rest.len() - unsigned.len() + size.len();
        Some(if marked.starts_with('-') { -value } else { value })
    }

    /// A run of letters: function names and single-letter variables.
    fn letters(&mut self, out: &mut Vec<Token>) -> Option<()> {
        let end = self.at + self.chars[self.at..].iter().take_while(|c| c.is_ascii_alphabetic()).count();
        let mut loose = 0;
        while self.at < end {
            let run: String = self.chars[self.at..end].iter().collect();
            if let Some((token, length)) = named(&run) {
                out.push(token);
                self.at += length;
            } else {
                loose += 1;
                self.at += 1;
                let name = self.suffixed(run[..1].to_string())?;
                out.push(Token::Name(name));
            }
        }
        (loose < WORD).then_some(())
    }

    /// A name with the subscript and primes that follow it.
    fn suffixed(&mut self, mut name: String) -> Option<String> {
        if self.peek() == Some('_') {
            self.at += 1;
            name = format!("{name}_{}", self.raw_argument()?);
        }
        Some(name + &self.take_while(|c| c == '\''))
    }

    /// A braced group or a single sign, as letters and digits.
    fn raw_argument(&mut self) -> Option<String> {
        self.take_while(char::is_whitespace);
        if self.peek()? != '{' {
            let start = self.at;
            self.at += 1;
            if self.chars[start] == '\\' {
                self.take_while(|c| c.is_ascii_alphabetic());
            }
            return Some(plain(&self.chars[start..self.at]));
        }
        let start = self.at;
        let mut depth = 0;
        for (i, c) in self.chars[start..].iter().enumerate() {
            depth += i32::from(*c == '{') - i32::from(*c == '}');
            if depth == 0 {
                self.at = start + i + 1;
                return Some(plain(&self.chars[start..self.at]));
            }
        }
        None
    }

    fn command(&mut self, out: &mut Vec<Token>) -> Option<()> {
        self.at += 1;
        let name = self.take_while(|c| c.is_ascii_alphabetic());
        let token = match name.as_str() {
            "frac" => Token::Command("frac"),
            "sqrt" => Token::Command("sqrt"),
            "binom" => Token::Command("binom"),
            "pi" => Token::Pi,
            _ if GREEK.contains(&name.as_str()) => Token::Name(self.suffixed(name)?),
            _ if DECORATIONS.contains(&name.as_str()) => {
                let decorated = format!("{name} {}", self.raw_argument()?);
                Token::Name(self.suffixed(decorated)?)
            }
            _ => named(&name).filter(|(_, length)| *length == name.len())?.0,
        };
        out.push(token);
        Some(())
    }
}

fn plain(chars: &[char]) -> String {
    chars.iter().filter(|c| c.is_alphanumeric()).collect()
}

/// The function, or pi, that `run` begins with.
fn named(run: &str) -> Option<(Token, usize)> {
    let function = Function::NAMED.iter().find(|(name, _)| run.starts_with(name)).map(|(name, f)| (Token::Function(*f), name.len()));
    function.or_else(|| (run == "pi").then_some((Token::Pi, 2)))
}

impl Token {
    /// An integer token, for mixed numbers: its value.
    pub fn whole(&self) -> Option<i128> {
        match self {
            Token::Number { value, places: None, .. } => value.whole().filter(|n| *n < ten(18).unwrap_or(0)),
            _ => None,
        }
    }
}

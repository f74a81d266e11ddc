//! Tokens to expressions, by recursive descent: one pass, no going back, bounded depth.
//!
//! ```text
//! sum     = term (("+" | "-") term)*
//! term    = signed (("*" | "/" | nothing) signed)*       products without a sign bind like those with one: 1/2x = (1/2) x
//! signed  = ("+" | "-") signed | power
//! power   = postfix ("^" argument)?
//! postfix = atom ("!" | "%" | "°")*
//! atom    = number | number \frac{n}{n} | number n/n | name | function | "(" sum ")" | "|" sum "|" | \frac a a | \sqrt[n] a | \binom a a
//! ```
//!
//! An integer before a fraction of integers is a mixed number. A function without brackets takes the product that follows, up to a sign or another function:
//! `\sin 2t` is sin(2t). `log` is to base 10, `\log_b` to base b.

use super::expression::{Expression, Function, Operation};
use super::lexer::{Token, tokens};

/// Deepest nesting of an expression.
pub const MAX_DEPTH: usize = 48;

/// The expression `text` spells; missing where it spells none.
pub fn parse(text: &str) -> Option<Expression> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0, bars: 0 };
    let expression = parser.sum()?;
    (parser.at == tokens.len()).then_some(expression)
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    depth: usize,
    bars: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn sign(&self) -> Option<char> {
        match self.peek()? {
            Token::Sign(c) => Some(*c),
            _ => None,
        }
    }

    /// Steps over `wanted` if it is next.
    fn eat(&mut self, wanted: char) -> bool {
        let found = self.sign() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn deeper(&mut self, rule: impl FnOnce(&mut Self) -> Option<Expression>) -> Option<Expression> {
        self.depth += 1;
        let found = if self.depth > MAX_DEPTH { None } else { rule(self) };
        self.depth -= 1;
        found
    }

    fn sum(&mut self) -> Option<Expression> {
        self.deeper(|p| {
            let mut left = p.term()?;
            while let Some(operation) = p.one_of(&[('+', Operation::Plus), ('-', Operation::Minus)]) {
                left = Expression::binary(operation, left, p.term()?);
            }
            Some(left)
        })
    }

    fn one_of(&mut self, choices: &[(char, Operation)]) -> Option<Operation> {
        choices.iter().find(|(c, _)| self.eat(*c)).map(|(_, operation)| *operation)
    }

    fn term(&mut self) -> Option<Expression> {
        let mut left = self.signed()?;
        loop {
            if let Some(operation) = self.one_of(&[('*', Operation::Times), ('/', Operation::Over)]) {
                left = Expression::binary(operation, left, self.signed()?);
            } else if self.starts_factor() {
                left = Expression::binary(Operation::Times, left, self.power()?);
            } else {
                return Some(left);
            }
        }
    }

    /// Whether the next token can follow a factor without a sign: two numerals cannot.
    fn starts_factor(&self) -> bool {
        match self.peek() {
            Some(Token::Sign(c)) => matches!(c, '(' | '[' | '{') || (*c == '|' && self.bars == 0),
            Some(Token::Number { .. }) => !matches!(self.tokens[self.at - 1], Token::Number { .. }),
            Some(_) => true,
            None => false,
        }
    }

    fn signed(&mut self) -> Option<Expression> {
        self.deeper(|p| {
            if p.eat('-') {
                p.signed().map(|a| Expression::Negative(Box::new(a)))
            } else if p.eat('+') {
                p.signed()
            } else {
                p.power()
            }
        })
    }

    fn power(&mut self) -> Option<Expression> {
        let base = self.postfix()?;
        if !self.eat('^') {
            return Some(base);
        }
        let exponent = self.deeper(Self::exponent)?;
        Some(Expression::binary(Operation::Power, base, exponent))
    }

    fn exponent(&mut self) -> Option<Expression> {
        if self.eat('-') { self.deeper(Self::exponent).map(|a| Expression::Negative(Box::new(a))) } else { self.power() }
    }

    fn postfix(&mut self) -> Option<Expression> {
        let mut inner = self.atom()?;
        loop {
            inner = match self.sign() {
                Some('!') => Expression::call(Function::Factorial, inner),
                Some('%') => Expression::Percent(Box::new(inner)),
                Some('°') => Expression::binary(Operation::Times, inner, degree()),
                _ => return Some(inner),
            };
            self.at += 1;
        }
    }

    fn atom(&mut self) -> Option<Expression> {
        let token = self.peek()?.clone();
        self.at += 1;
        match token {
            Token::Number { value, places, digits } => {
                let whole = Expression::Number { value, places, digits };
                let part = token.whole().and_then(|_| self.fraction_of_integers());
                Some(part.map_or(whole.clone(), |part| Expression::binary(Operation::Plus, whole, part)))
            }
            Token::Name(name) => Some(quantity(name)),
            Token::Pi => Some(Expression::Pi),
            Token::Function(f) => self.application(f),
            Token::Command(name) => self.command(name),
            Token::Sign('(') => self.group(')'),
            Token::Sign('[') => self.group(']'),
            Token::Sign('{') => self.group('}'),
            Token::Sign('|') => self.absolute(),
            Token::Sign(_) => None,
        }
    }

    /// What turns an integer before it into a mixed number: `\frac{n}{n}`, `\frac nn` or `n/n`.
    fn fraction_of_integers(&mut self) -> Option<Expression> {
        let (n, d, length) = match &self.tokens[self.at..] {
            [a, Token::Sign('/'), b, ..] => (a.whole()?, b.whole()?, 3),
            [Token::Command("frac"), Token::Sign('{'), a, Token::Sign('}'), Token::Sign('{'), b, Token::Sign('}'), ..] => {
                (a.whole()?, b.whole()?, 7)
            }
            _ => return None,
        };
        self.at += length;
        Some(Expression::binary(Operation::Over, Expression::integer(n), Expression::integer(d)))
    }

    fn group(&mut self, close: char) -> Option<Expression> {
        let bars = std::mem::take(&mut self.bars);
        let inner = self.sum()?;
        self.bars = bars;
        self.eat(close).then_some(inner)
    }

    fn absolute(&mut self) -> Option<Expression> {
        self.bars += 1;
        let inner = self.sum()?;
        self.bars -= 1;
        self.eat('|').then(|| Expression::call(Function::Abs, inner))
    }

    /// The argument of a command: a group, or a single sign; digits come apart: `\frac12`.
    fn argument(&mut self) -> Option<Expression> {
        if self.eat('{') { self.group('}') } else { self.deeper(Self::atom) }
    }

    fn command(&mut self, name: &str) -> Option<Expression> {
        match name {
            "sqrt" => self.root(),
            "binom" => Some(Expression::binary(Operation::Choose, self.argument()?, self.argument()?)),
            _ => Some(Expression::binary(Operation::Over, self.argument()?, self.argument()?)),
        }
    }

    fn root(&mut self) -> Option<Expression> {
        if !self.eat('[') {
            return Some(Expression::call(Function::Sqrt, self.argument()?));
        }
        let index = Expression::binary(Operation::Over, Expression::integer(1), self.group(']')?);
        Some(Expression::binary(Operation::Power, self.argument()?, index))
    }

    /// `f^n_b argument`.
    fn application(&mut self, f: Function) -> Option<Expression> {
        let exponent = if self.eat('^') { Some(self.deeper(Self::argument_signed)?) } else { None };
        let base = if f == Function::Log && self.eat('_') { Some(self.argument()?) } else { None };
        let argument = self.deeper(Self::operand)?;
        let value = match base {
            None => Expression::call(f, argument),
            Some(base) => {
                Expression::binary(Operation::Over, Expression::call(Function::Ln, argument), Expression::call(Function::Ln, base))
            }
        };
        Some(match exponent {
            None => value,
            Some(e) if e.exact() == Some(crate::rational::Rational::integer(-1)) => inverse(f, value),
            Some(e) => Expression::binary(Operation::Power, value, e),
        })
    }

    fn argument_signed(&mut self) -> Option<Expression> {
        if self.eat('-') { self.argument().map(|a| Expression::Negative(Box::new(a))) } else { self.argument() }
    }

    fn operand(&mut self) -> Option<Expression> {
        if matches!(self.sign(), Some('(' | '[' | '{')) {
            return self.atom();
        }
        let mut product = self.signed()?;
        while self.starts_factor() && !matches!(self.peek(), Some(Token::Function(_) | Token::Sign(_))) {
            product = Expression::binary(Operation::Times, product, self.power()?);
        }
        Some(product)
    }
}

/// Radians of one degree.
fn degree() -> Expression {
    Expression::binary(Operation::Over, Expression::Pi, Expression::integer(180))
}

/// `\sin^{-1}` is the inverse function, not the reciprocal.
fn inverse(f: Function, value: Expression) -> Expression {
    let inverse = match f {
        Function::Sin => Function::Arcsin,
        Function::Cos => Function::Arccos,
        Function::Tan => Function::Arctan,
        _ => return Expression::binary(Operation::Power, value, Expression::integer(-1)),
    };
    match value {
        Expression::Call(_, argument) => Expression::Call(inverse, argument),
        other => other,
    }
}

fn quantity(name: String) -> Expression {
    match name.as_str() {
        "e" => Expression::E,
        "i" => Expression::I,
        _ => Expression::Variable(name),
    }
}

//! What a knob is: a named, documented, range-checked setting that the command line and the configuration file share.

use std::fmt;

/// A setting's value, as text, flag or number.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A real or whole number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
    /// One of a list of names.
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(x) => write!(f, "{x}"),
            Value::Flag(b) => write!(f, "{b}"),
            Value::Text(s) => write!(f, "{s}"),
        }
    }
}

/// Allowed numbers: from `low` to `high`, each end included or not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    low: f64,
    high: f64,
    low_open: bool,
    high_open: bool,
}

/// `low <= x <= high`.
pub const fn between(low: f64, high: f64) -> Range {
    Range { low, high, low_open: false, high_open: false }
}

/// `low < x <= high`.
pub const fn above_to(low: f64, high: f64) -> Range {
    Range { low, high, low_open: true, high_open: false }
}

/// `low < x < high`.
pub const fn inside(low: f64, high: f64) -> Range {
    Range { low, high, low_open: true, high_open: true }
}

/// `low <= x <= high < infinity`.
pub const fn at_least(low: f64) -> Range {
    Range { low, high: f64::MAX, low_open: false, high_open: false }
}

/// `low < x < infinity`.
pub const fn above(low: f64) -> Range {
    Range { low, high: f64::MAX, low_open: true, high_open: false }
}

/// Any finite number.
pub const fn finite() -> Range {
    between(f64::MIN, f64::MAX)
}

impl Range {
    /// Whether `x` lies inside; NaN and infinities never do.
    pub fn holds(&self, x: f64) -> bool {
        let low = if self.low_open { x > self.low } else { x >= self.low };
        let high = if self.high_open { x < self.high } else { x <= self.high };
        x.is_finite() && low && high
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = (if self.low_open { '(' } else { '[' }, if self.high_open { ')' } else { ']' });
        match (self.low > f64::MIN, self.high < f64::MAX) {
            (true, true) => write!(f, "in {open}{}, {}{close}", self.low, self.high),
            (true, false) => write!(f, "{} {}", if self.low_open { ">" } else { ">=" }, self.low),
            _ => write!(f, "any finite number"),
        }
    }
}

/// What kind of value a knob takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A real number in a range.
    Real(Range),
    /// A whole number in a range.
    Whole(Range),
    /// `true` or `false`.
    Flag,
    /// One of these names.
    Choice(&'static [&'static str]),
}

impl Kind {
    /// Whether a grid of numbers makes sense for it.
    pub fn is_numeric(&self) -> bool {
        matches!(self, Kind::Real(_) | Kind::Whole(_))
    }

    /// Checks `value` against the kind and its range.
    pub fn check(&self, value: &Value) -> bool {
        match (self, value) {
            (Kind::Real(range), Value::Number(x)) => range.holds(*x),
            (Kind::Whole(range), Value::Number(x)) => range.holds(*x) && x.fract() == 0.0 && x.abs() <= 2f64.powi(53),
            (Kind::Flag, Value::Flag(_)) => true,
            (Kind::Choice(names), Value::Text(s)) => names.contains(&s.as_str()),
            _ => false,
        }
    }

    /// Reads `text` as a value of this kind, without checking the range.
    pub fn parse(&self, text: &str) -> Value {
        match self {
            Kind::Real(_) | Kind::Whole(_) => text.trim().parse().map_or_else(|_| Value::Text(text.into()), Value::Number),
            Kind::Flag => text.trim().parse().map_or_else(|_| Value::Text(text.into()), Value::Flag),
            Kind::Choice(_) => Value::Text(text.trim().into()),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Real(range) => write!(f, "a number {range}"),
            Kind::Whole(range) => write!(f, "a whole number {range}"),
            Kind::Flag => write!(f, "true or false"),
            Kind::Choice(names) => write!(f, "one of {}", names.join(", ")),
        }
    }
}

/// A wrong setting: which knob, what it was given, what is allowed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{knob} = {value}: {allowed}")]
pub struct KnobError {
    /// The knob's name.
    pub knob: String,
    /// What it was given.
    pub value: String,
    /// What is allowed, or which other knob it clashes with.
    pub allowed: String,
}

impl KnobError {
    /// An error about `knob` given `value`.
    pub fn new(knob: &str, value: impl fmt::Display, allowed: impl Into<String>) -> Self {
        KnobError { knob: knob.into(), value: value.to_string(), allowed: allowed.into() }
    }
}

/// A type a knob can have.
pub trait Setting: Sized {
    /// The kind, with `range` for numbers.
    fn kind(range: Range) -> Kind;
    /// The value written out.
    fn value(&self) -> Value;
    /// The setting of a value that [`Kind::check`] accepted.
    fn of(value: &Value) -> Option<Self>;
}

impl Setting for f64 {
    fn kind(range: Range) -> Kind {
        Kind::Real(range)
    }
    fn value(&self) -> Value {
        Value::Number(*self)
    }
    fn of(value: &Value) -> Option<Self> {
        if let Value::Number(x) = value { Some(*x) } else { None }
    }
}

impl Setting for usize {
    fn kind(range: Range) -> Kind {
        Kind::Whole(range)
    }
    fn value(&self) -> Value {
        Value::Number(*self as f64)
    }
    fn of(value: &Value) -> Option<Self> {
        if let Value::Number(x) = value { Some(*x as usize) } else { None }
    }
}

impl Setting for bool {
    fn kind(_: Range) -> Kind {
        Kind::Flag
    }
    fn value(&self) -> Value {
        Value::Flag(*self)
    }
    fn of(value: &Value) -> Option<Self> {
        if let Value::Flag(b) = value { Some(*b) } else { None }
    }
}

/// Declares an enum whose variants have names on the command line.
#[macro_export]
macro_rules! choices {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every variant, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Every name, in order.
            pub const NAMES: &'static [&'static str] = &[$($text),+];

            /// The name on the command line.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl $crate::knob::Setting for $name {
            fn kind(_: $crate::knob::Range) -> $crate::knob::Kind { $crate::knob::Kind::Choice(Self::NAMES) }
            fn value(&self) -> $crate::knob::Value { $crate::knob::Value::Text(self.name().into()) }
            fn of(value: &$crate::knob::Value) -> Option<Self> {
                match value { $($crate::knob::Value::Text(s) if s == $text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

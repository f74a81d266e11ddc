//! What a proposition is: a statement with its assumptions, and functions of numbers that anyone can evaluate.

/// A proposition of the theory, as the command line and the documentation see it.
///
/// The mathematics lives in ordinary functions of the proposition's module; `evaluate` only names their inputs and outputs.
#[derive(Clone, Copy, Debug)]
pub struct Proposition {
    /// Number on the theory sheet: `P2`.
    pub id: &'static str,
    /// A name: `four-clocks`.
    pub name: &'static str,
    /// What holds, in one or two sentences.
    pub statement: &'static str,
    /// Under what assumptions.
    pub assumptions: &'static str,
    /// The formulas.
    pub formula: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// What it is evaluated at.
    pub inputs: &'static [Input],
    /// What comes out.
    pub outputs: &'static [Output],
    /// Inputs in order to outputs in order; `None` where an output does not exist there (no equilibrium, no crossing).
    pub evaluate: fn(&[f64]) -> Vec<Option<f64>>,
}

/// A number a proposition is evaluated at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Input {
    /// Its name on the command line: `p0`.
    pub name: &'static str,
    /// What it means, with its unit.
    pub doc: &'static str,
    /// Its value unless told otherwise.
    pub default: f64,
    /// Smallest and largest allowed value, both included.
    pub range: (f64, f64),
    /// Whether it must be a whole number.
    pub whole: bool,
}

/// A number that comes out of a proposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its name: `time_npg`.
    pub name: &'static str,
    /// What it means, with its unit.
    pub doc: &'static str,
}

/// An input that may be any real number in a range.
pub const fn real(name: &'static str, doc: &'static str, default: f64, range: (f64, f64)) -> Input {
    Input { name, doc, default, range, whole: false }
}

/// An input that must be a whole number.
pub const fn whole(name: &'static str, doc: &'static str, default: f64, range: (f64, f64)) -> Input {
    Input { name, doc, default, range, whole: true }
}

/// An output.
pub const fn output(name: &'static str, doc: &'static str) -> Output {
    Output { name, doc }
}

/// A number that exists; nothing for infinities and NaN.
pub fn finite(x: f64) -> Option<f64> {
    x.is_finite().then_some(x)
}

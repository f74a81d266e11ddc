//! Expressions as trees, and their values: exact where they are rational, else numbers at given points.

use crate::rational::Rational;
use num_complex::Complex64;

/// A function of one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Principal square root.
    Sqrt,
    /// e to the argument.
    Exp,
    /// Natural logarithm, principal branch.
    Ln,
    /// Logarithm to base 10.
    Log,
    /// Sine of radians.
    Sin,
    /// Cosine of radians.
    Cos,
    /// Tangent of radians.
    Tan,
    /// 1 / tan.
    Cot,
    /// 1 / cos.
    Sec,
    /// 1 / sin.
    Csc,
    /// Inverse sine, principal branch.
    Arcsin,
    /// Inverse cosine, principal branch.
    Arccos,
    /// Inverse tangent, principal branch.
    Arctan,
    /// Hyperbolic sine.
    Sinh,
    /// Hyperbolic cosine.
    Cosh,
    /// Hyperbolic tangent.
    Tanh,
    /// Absolute value.
    Abs,
    /// n!, for integers from 0 to 170.
    Factorial,
}

impl Function {
    /// Every function that has a name in answers, longest first where one begins another.
    pub const NAMED: &[(&str, Function)] = &[
        ("arcsin", Function::Arcsin),
        ("arccos", Function::Arccos),
        ("arctan", Function::Arctan),
        ("sinh", Function::Sinh),
        ("cosh", Function::Cosh),
        ("tanh", Function::Tanh),
        ("sqrt", Function::Sqrt),
        ("exp", Function::Exp),
        ("log", Function::Log),
        ("sin", Function::Sin),
        ("cos", Function::Cos),
        ("tan", Function::Tan),
        ("cot", Function::Cot),
        ("sec", Function::Sec),
        ("csc", Function::Csc),
        ("abs", Function::Abs),
        ("ln", Function::Ln),
    ];

    fn exact(self, x: Rational) -> Option<Rational> {
        match self {
            Function::Sqrt => x.square_root(),
            Function::Abs => Some(x.magnitude()),
            Function::Factorial => {
                (1..=x.whole().filter(|n| (0..=33).contains(n))?).try_fold(Rational::integer(1), |p, k| p.times(Rational::integer(k)))
            }
            _ => None,
        }
    }

    fn at(self, x: Complex64) -> Complex64 {
        match self {
            Function::Sqrt => x.sqrt(),
            Function::Exp => x.exp(),
            Function::Ln => x.ln(),
            Function::Log => x.ln() / std::f64::consts::LN_10,
            Function::Sin => x.sin(),
            Function::Cos => x.cos(),
            Function::Tan => x.tan(),
            Function::Cot => x.tan().inv(),
            Function::Sec => x.cos().inv(),
            Function::Csc => x.sin().inv(),
            Function::Arcsin => x.asin(),
            Function::Arccos => x.acos(),
            Function::Arctan => x.atan(),
            Function::Sinh => x.sinh(),
            Function::Cosh => x.cosh(),
            Function::Tanh => x.tanh(),
            Function::Abs => x.norm().into(),
            Function::Factorial => factorial(x).into(),
        }
    }
}

fn factorial(x: Complex64) -> f64 {
    let whole = x.im == 0.0 && x.re.fract() == 0.0 && (0.0..=170.0).contains(&x.re);
    if whole { (1..=x.re as u32).map(f64::from).product() } else { f64::NAN }
}

/// An operation on two expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// a + b.
    Plus,
    /// a - b.
    Minus,
    /// a b.
    Times,
    /// a / b.
    Over,
    /// a^b, principal branch.
    Power,
    /// a choose b, for integers.
    Choose,
}

impl Operation {
    fn exact(self, a: Rational, b: Rational) -> Option<Rational> {
        match self {
            Operation::Plus => a.plus(b),
            Operation::Minus => a.minus(b),
            Operation::Times => a.times(b),
            Operation::Over => a.over(b),
            Operation::Power => a.power(b.whole()?),
            Operation::Choose => choose(a.whole()?, b.whole()?),
        }
    }

    fn at(self, a: Complex64, b: Complex64) -> Complex64 {
        match self {
            Operation::Plus => a + b,
            Operation::Minus => a - b,
            Operation::Times => a * b,
            Operation::Over => a / b,
            Operation::Power => power(a, b),
            Operation::Choose => f64::NAN.into(),
        }
    }
}

fn choose(n: i128, k: i128) -> Option<Rational> {
    let shorter = (0..=n).contains(&k).then(|| k.min(n - k)).filter(|k| *k <= 128)?;
    (1..=shorter).try_fold(Rational::integer(1), |c, j| c.times(Rational::new(n - shorter + j, j)?))
}

/// Integer powers by multiplication, so that real numbers stay real.
fn power(a: Complex64, b: Complex64) -> Complex64 {
    if b.im == 0.0 && b.re.fract() == 0.0 && b.re.abs() <= 1024.0 { a.powi(b.re as i32) } else { a.powc(b) }
}

/// What an answer says, as a tree.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// A numeral. `places`: digits after the point where it has a point, and `digits` its significant ones.
    Number {
        /// What it stands for.
        value: Rational,
        /// Digits after the point, where it was written with one.
        places: Option<u32>,
        /// Significant digits as written.
        digits: u32,
    },
    /// Pi.
    Pi,
    /// Euler's number.
    E,
    /// The imaginary unit.
    I,
    /// Anything else with a name, subscript included.
    Variable(String),
    /// -a.
    Negative(Box<Expression>),
    /// a %, that is a / 100.
    Percent(Box<Expression>),
    /// f(a).
    Call(Function, Box<Expression>),
    /// Two operands.
    Binary(Operation, Box<Expression>, Box<Expression>),
}

impl Expression {
    /// `a operation b`.
    pub fn binary(operation: Operation, a: Expression, b: Expression) -> Expression {
        Expression::Binary(operation, Box::new(a), Box::new(b))
    }

    /// `function(a)`.
    pub fn call(function: Function, a: Expression) -> Expression {
        Expression::Call(function, Box::new(a))
    }

    /// An integer.
    pub fn integer(n: i128) -> Expression {
        Expression::Number { value: Rational::integer(n), places: None, digits: 1 }
    }

    /// Its exact value, where it is rational, has no variables, and fits.
    pub fn exact(&self) -> Option<Rational> {
        match self {
            Expression::Number { value, .. } => Some(*value),
            Expression::Negative(a) => a.exact().map(Rational::negated),
            Expression::Percent(a) => a.exact()?.over(Rational::integer(100)),
            Expression::Call(f, a) => f.exact(a.exact()?),
            Expression::Binary(operation, a, b) => operation.exact(a.exact()?, b.exact()?),
            _ => None,
        }
    }

    /// Its value with the variables at `point`; not finite where it has none.
    pub fn at(&self, point: &dyn Fn(&str) -> f64) -> Complex64 {
        match self {
            Expression::Number { value, .. } => value.value().into(),
            Expression::Pi => std::f64::consts::PI.into(),
            Expression::E => std::f64::consts::E.into(),
            Expression::I => Complex64::I,
            Expression::Variable(name) => point(name).into(),
            Expression::Negative(a) => -a.at(point),
            Expression::Percent(a) => a.at(point) / 100.0,
            Expression::Call(f, a) => f.at(a.at(point)),
            Expression::Binary(Operation::Choose, ..) => self.exact().map_or(f64::NAN, Rational::value).into(),
            Expression::Binary(operation, a, b) => operation.at(a.at(point), b.at(point)),
        }
    }

    /// Whether `wanted` holds of it or of a part of it.
    pub fn any(&self, wanted: &dyn Fn(&Expression) -> bool) -> bool {
        wanted(self) || self.parts().into_iter().any(|part| part.any(wanted))
    }

    fn parts(&self) -> Vec<&Expression> {
        match self {
            Expression::Negative(a) | Expression::Percent(a) | Expression::Call(_, a) => vec![a],
            Expression::Binary(_, a, b) => vec![a, b],
            _ => Vec::new(),
        }
    }

    /// Where it is a decimal numeral, signed or times a power of ten: its significant digits, and the unit of the last one.
    pub fn rounding(&self) -> Option<(u32, Rational)> {
        match self {
            Expression::Number { places: Some(places), digits, .. } => Some((*digits, Rational::integer(10).power(-i128::from(*places))?)),
            Expression::Negative(a) => a.rounding(),
            Expression::Binary(Operation::Times, a, b) if b.is_power_of_ten() => {
                let (digits, unit) = a.rounding()?;
                Some((digits, unit.times(b.exact()?)?))
            }
            _ => None,
        }
    }

    fn is_power_of_ten(&self) -> bool {
        matches!(self, Expression::Binary(Operation::Power, base, _) if base.exact() == Some(Rational::integer(10)))
    }
}

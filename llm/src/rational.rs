//! Exact rational numbers of 128 bits; a result that does not fit is missing.

/// Largest absolute exponent [`Rational::power`] takes.
pub const MAX_EXPONENT: i128 = 4096;

/// `numerator / denominator`, reduced, the denominator positive.
///
/// # Example
/// ```
/// use mta_llm::rational::Rational;
/// let third = Rational::new(1, 3).unwrap();
/// assert_eq!(third.plus(third).unwrap().plus(third), Some(Rational::integer(1)));
/// assert_eq!(Rational::decimal("0.125"), Rational::new(1, 8));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rational {
    numerator: i128,
    denominator: i128,
}

impl Rational {
    /// `n / d`; missing where d = 0.
    pub fn new(n: i128, d: i128) -> Option<Rational> {
        let divisor = i128::try_from(gcd(n.unsigned_abs(), d.unsigned_abs())).ok().filter(|g| *g > 0 && d != 0)?;
        let sign = d.signum();
        Some(Rational { numerator: (n / divisor).checked_mul(sign)?, denominator: (d / divisor).checked_mul(sign)? })
    }

    /// The integer `n`, which is not the least of its type.
    pub fn integer(n: i128) -> Rational {
        Rational { numerator: n.max(-i128::MAX), denominator: 1 }
    }

    /// An unsigned decimal numeral: digits with at most one point. Missing where it is none, or does not fit.
    pub fn decimal(text: &str) -> Option<Rational> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = format!("{whole}{fraction}");
        let numeral = digits.bytes().all(|b| b.is_ascii_digit());
        let value = numeral.then(|| digits.parse().ok())??;
        Rational::new(value, ten(fraction.len())?)
    }

    /// The sum.
    pub fn plus(self, other: Rational) -> Option<Rational> {
        let left = self.numerator.checked_mul(other.denominator)?;
        let right = other.numerator.checked_mul(self.denominator)?;
        Rational::new(left.checked_add(right)?, self.denominator.checked_mul(other.denominator)?)
    }

    /// The difference.
    pub fn minus(self, other: Rational) -> Option<Rational> {
        self.plus(other.negated())
    }

    /// The product.
    pub fn times(self, other: Rational) -> Option<Rational> {
        let left = Rational::new(self.numerator, other.denominator)?;
        let right = Rational::new(other.numerator, self.denominator)?;
        Rational::new(left.numerator.checked_mul(right.numerator)?, left.denominator.checked_mul(right.denominator)?)
    }

    /// The quotient; missing where `other` is 0.
    pub fn over(self, other: Rational) -> Option<Rational> {
        self.times(Rational::new(other.denominator, other.numerator)?)
    }

    /// `-self`.
    pub fn negated(self) -> Rational {
        Rational { numerator: -self.numerator, ..self }
    }

    /// `|self|`.
    pub fn magnitude(self) -> Rational {
        Rational { numerator: self.numerator.abs(), ..self }
    }

    /// `self^exponent`; missing beyond [`MAX_EXPONENT`], and for 0 to a negative power. 0^0 = 1.
    pub fn power(self, exponent: i128) -> Option<Rational> {
        let base = if exponent < 0 { Rational::integer(1).over(self)? } else { self };
        let size = u32::try_from(exponent.unsigned_abs()).ok().filter(|e| i128::from(*e) <= MAX_EXPONENT)?;
        Rational::new(base.numerator.checked_pow(size)?, base.denominator.checked_pow(size)?)
    }

    /// The non-negative root, where it is rational.
    pub fn square_root(self) -> Option<Rational> {
        Rational::new(exact_root(self.numerator)?, exact_root(self.denominator)?)
    }

    /// The integer it is, if it is one.
    pub fn whole(self) -> Option<i128> {
        (self.denominator == 1).then_some(self.numerator)
    }

    /// The nearest double, up to rounding of numerator and denominator.
    pub fn value(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }
}

/// 10^n, where it fits.
pub fn ten(n: usize) -> Option<i128> {
    10i128.checked_pow(u32::try_from(n).ok()?)
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn exact_root(n: i128) -> Option<i128> {
    let root = n.checked_isqrt()?;
    (root * root == n).then_some(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_missing() {
        let huge = Rational::integer(i128::MAX);
        assert_eq!(huge.plus(huge), None);
        assert_eq!(huge.times(huge), None);
        assert_eq!(huge.power(2), None);
        assert_eq!(Rational::integer(i128::MIN).negated().whole(), Some(i128::MAX));
        assert_eq!(Rational::new(1, 0), None);
        assert_eq!(Rational::new(i128::MIN, -1), None);
        assert_eq!(Rational::new(i128::MIN, i128::MIN), None);
        assert_eq!(Rational::integer(0).power(-1), None);
        assert_eq!(Rational::integer(1).power(MAX_EXPONENT + 1), None);
        assert_eq!(Rational::decimal(&"9".repeat(60)), None);
        assert_eq!(Rational::decimal("1.2.3"), None);
        assert_eq!(Rational::decimal("."), None);
    }

    #[test]
    fn arithmetic_is_exact() {
        let q = |n, d| Rational::new(n, d).unwrap();
        assert_eq!(q(1, 6).plus(q(1, 10)), Some(q(4, 15)));
        assert_eq!(q(3, -4).over(q(-9, 8)), Some(q(2, 3)));
        assert_eq!(q(-2, 3).power(-3), Some(q(-27, 8)));
        assert_eq!(q(9, 16).square_root(), Some(q(3, 4)));
        assert_eq!(q(2, 1).square_root(), None);
        assert_eq!(Rational::decimal(".5"), Some(q(1, 2)));
    }
}

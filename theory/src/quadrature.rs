//! Integrals of smooth functions: the trapezoidal rule where it converges exponentially.

/// Integral over the whole line of an analytic function that is negligible outside (`left`, `right`).
///
/// ```text
/// h sum f(left + i h)
/// ```
/// The error falls like `exp(-2 pi d / h)` when f is analytic and bounded in the strip |Im| < d around the line.
///
/// # Source
/// Trefethen and Weideman, "The exponentially convergent trapezoidal rule", SIAM Review 56 (2014) 385, theorem 5.1.
///
/// # Example
/// A Gaussian bell has area sqrt(pi), with 40 points already:
/// ```
/// let area = mta_theory::quadrature::line(|x| (-x * x).exp(), -10.0, 10.0, 0.5);
/// assert!((area / std::f64::consts::PI.sqrt() - 1.0).abs() < 1e-14);
/// ```
pub fn line(f: impl Fn(f64) -> f64, left: f64, right: f64, step: f64) -> f64 {
    let points = ((right - left) / step).ceil() as usize;
    (0..=points).map(|i| f(left + i as f64 * step)).sum::<f64>() * step
}

/// Integral over [`a`, `b`] of a function that is analytic inside; the ends may be singular but integrable. Tanh-sinh rule with 513 points.
///
/// # Source
/// Takahasi and Mori, "Double exponential formulas for numerical integration", Publ. RIMS 9 (1974) 721.
///
/// # Example
/// ```
/// assert!((mta_theory::quadrature::interval(|x| x.sqrt(), 0.0, 1.0) - 2.0 / 3.0).abs() < 1e-14);
/// ```
pub fn interval(f: impl Fn(f64) -> f64, a: f64, b: f64) -> f64 {
    let node = |s: f64| {
        let y = std::f64::consts::PI * s.sinh();
        let (share, rest) = (1.0 / (1.0 + (-y).exp()), 1.0 / (1.0 + y.exp()));
        let x = if share < rest { a + (b - a) * share } else { b - (b - a) * rest };
        let weight = share * rest * std::f64::consts::PI * s.cosh();
        if weight > 0.0 { f(x) * weight } else { 0.0 }
    };
    line(node, -4.0, 4.0, 1.0 / 64.0) * (b - a)
}

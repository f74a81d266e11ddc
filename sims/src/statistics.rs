//! Intervals over seeds: the mean, and the ratio of two means measured on the same seeds; and of a share of trials.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// A point estimate with a two-sided confidence interval.
///
/// `low` and `high` are missing where the data cannot bound the quantity (one seed, or a ratio whose denominator may be zero).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The estimate.
    pub value: f64,
    /// Lower end.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

impl Interval {
    /// Half the width, where both ends exist.
    pub fn half_width(&self) -> Option<f64> {
        Some((self.high? - self.low?) / 2.0)
    }
}

/// Arithmetic mean; missing for no data.
pub fn mean(xs: &[f64]) -> Option<f64> {
    (!xs.is_empty()).then(|| xs.iter().sum::<f64>() / xs.len() as f64)
}

/// Quantile at `level` in [0, 1]: linear between the order statistics, the i-th of n being the quantile at (i - 1) / (n - 1); missing for no data.
///
/// # Source
/// Definition 7 of Hyndman and Fan, "Sample quantiles in statistical packages", Am. Stat. 50 (1996) 361-365: NumPy's and R's default.
///
/// # Example
/// ```
/// assert_eq!(mta_sims::statistics::quantile(&[4.0, 1.0, 2.0], 0.75), Some(3.0));
/// ```
pub fn quantile(xs: &[f64], level: f64) -> Option<f64> {
    let mut sorted = xs.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = level * xs.len().checked_sub(1)? as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(below + place.fract() * (above - below))
}

/// Wilson's 95 % interval for a share; missing for no trials.
///
/// centre = (p + z²/2n) / (1 + z²/n), half width = z sqrt(p (1 - p) / n + z²/4n²) / (1 + z²/n), z = 1.96.
///
/// # Source
/// Wilson, "Probable inference, the law of succession, and statistical inference", J. Am. Stat. Assoc. 22 (1927) 209-212.
///
/// # Example
/// ```
/// let i = mta_sims::statistics::wilson(0, 25).unwrap();
/// assert_eq!(i.low, Some(0.0));
/// assert!((i.high.unwrap() - 0.1332).abs() < 1e-4);
/// assert_eq!(mta_sims::statistics::wilson(0, 0), None);
/// ```
pub fn wilson(hits: usize, trials: usize) -> Option<Interval> {
    const Z: f64 = 1.959963984540054;
    let (n, share) = (trials as f64, hits as f64 / trials as f64);
    let scale = 1.0 + Z * Z / n;
    let centre = (share + Z * Z / (2.0 * n)) / scale;
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt() / scale;
    let (low, high) = (if hits == 0 { 0.0 } else { centre - half }, if hits == trials { 1.0 } else { centre + half });
    (trials > 0).then_some(Interval { value: share, low: Some(low), high: Some(high) })
}

/// Sample covariance of paired data (divisor n - 1); missing for fewer than two pairs.
pub fn covariance(xs: &[f64], ys: &[f64]) -> Option<f64> {
    let (mx, my, n) = (mean(xs)?, mean(ys)?, xs.len());
    let sum: f64 = xs.iter().zip(ys).map(|(x, y)| (x - mx) * (y - my)).sum();
    (n > 1).then(|| sum / (n - 1) as f64)
}

/// Standard error of the mean; missing for fewer than two values.
pub fn standard_error(xs: &[f64]) -> Option<f64> {
    covariance(xs, xs).map(|v| (v / xs.len() as f64).sqrt())
}

/// Student-t interval of a mean at confidence `level` in (0, 1).
///
/// # Example
/// ```
/// let i = mta_sims::statistics::mean_interval(&[1.0, 2.0, 3.0], 0.95).unwrap();
/// assert_eq!(i.value, 2.0);
/// assert!((i.half_width().unwrap() - 4.302652729911275 / 3f64.sqrt()).abs() < 1e-9);
/// ```
pub fn mean_interval(xs: &[f64], level: f64) -> Option<Interval> {
    let value = mean(xs)?;
    let half = standard_error(xs).map(|se| se * t_quantile(xs.len(), level));
    Some(Interval { value, low: half.map(|h| value - h), high: half.map(|h| value + h) })
}

/// Fieller's interval for mean(`numerator`) / mean(`denominator`), paired by seed, at confidence `level`.
///
/// The ends are the roots of `(x̄ − θ ȳ)² = t² (s_xx − 2 θ s_xy + θ² s_yy) / n`. Where the denominator's own interval reaches zero the set is not an
/// interval, and both ends are missing: a gain kept of a gain that may be zero has no meaning. Missing altogether when the denominator is zero or not
/// positive evidence exists (no data, unequal lengths).
///
/// # Source
/// Fieller, "Some problems in interval estimation", J. R. Stat. Soc. B 16 (1954) 175-185.
///
/// # Example
/// A recipe that gains exactly half as much on every seed:
/// ```
/// let i = mta_sims::statistics::ratio_interval(&[0.1, 0.2, 0.3], &[0.2, 0.4, 0.6], 0.95).unwrap();
/// assert!((i.value - 0.5).abs() < 1e-12);
/// ```
pub fn ratio_interval(numerator: &[f64], denominator: &[f64], level: f64) -> Option<Interval> {
    let (x, y, n) = (mean(numerator)?, mean(denominator)?, numerator.len());
    if n != denominator.len() || y == 0.0 {
        return None;
    }
    let value = x / y;
    let ends = || {
        let t2 = t_quantile(n, level).powi(2) / n as f64;
        let a = y * y - t2 * covariance(denominator, denominator)?;
        let b = x * y - t2 * covariance(numerator, denominator)?;
        let c = x * x - t2 * covariance(numerator, numerator)?;
        let root = (b * b - a * c).max(0.0).sqrt();
        (a > 0.0).then(|| ((b - root) / a, (b + root) / a))
    };
    let ends = ends();
    Some(Interval { value, low: ends.map(|e| e.0), high: ends.map(|e| e.1) })
}

/// Two-sided Student-t quantile for `n` observations.
fn t_quantile(n: usize, level: f64) -> f64 {
    let law = StudentsT::new(0.0, 1.0, n.saturating_sub(1).max(1) as f64).expect("degrees of freedom are positive");
    law.inverse_cdf(0.5 + level / 2.0)
}

//! Bounds on a mean that hold at every sample size at once, whatever the law of the data inside its range.
//!
//! A gambler who believes the mean exceeds m stakes a part gamma of her capital on each value x, measured from the bottom of its range:
//!
//! ```text
//! K_n(m) = average over gamma of prod_i (1 + gamma (x_i / m - 1)),   gamma = 1, 1/2, 1/4, ...
//! ```
//! If the mean is at most m, no factor is expected to exceed 1, so K_n is a non-negative supermartingale and passes 1/alpha at *any* n with probability at
//! most alpha (Ville). The lower bound is the largest m at which she has not yet multiplied her stake by 1/alpha; the upper bound is the same game on the
//! mirrored data. Nothing is assumed about the shape of the law, so one may look after every seed, and stop when the answer is clear. The bound does not depend
//! on the order of the data.
//!
//! # Source
//! Ville 1939; Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86 (2024); here with a fixed mixture of stakes.

use crate::statistics::{Interval, mean};

/// Stakes: 1, 1/2, ..., 2^-11. Each pays the price ln 12 of not knowing the best one beforehand.
const STAKES: usize = 12;

/// Halvings of a bisection: bounds are exact to 2^-50 of the range.
const HALVINGS: usize = 50;

/// Between which values every datum lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Smallest possible value.
    pub low: f64,
    /// Largest possible value.
    pub high: f64,
}

impl Range {
    /// The part of the range below `x`, as a share; rounding at the ends is forgiven.
    fn share(self, x: f64) -> f64 {
        let share = (x - self.low) / (self.high - self.low);
        debug_assert!((-1e-9..=1.0 + 1e-9).contains(&share), "{x} is outside [{}, {}]", self.low, self.high);
        share.clamp(0.0, 1.0)
    }
}

/// ln K_n(m) for shares `xs` in [0, 1] against a mean of at most `m` in (0, 1].
fn log_capital(xs: &[f64], m: f64) -> f64 {
    let mut capital = Capital::default();
    xs.iter().for_each(|x| capital.add(x / m - 1.0));
    capital.log()
}

/// What each stake has made of its part.
#[derive(Clone, Debug, Default)]
struct Capital {
    logs: [f64; STAKES],
}

impl Capital {
    /// After a value that exceeds the refuted mean by this share of it.
    fn add(&mut self, excess: f64) {
        self.logs.iter_mut().enumerate().for_each(|(j, log)| *log += (0.5f64.powi(j as i32) * excess).ln_1p());
    }

    /// ln K_n.
    fn log(&self) -> f64 {
        let top = self.logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        top + (self.logs.iter().map(|l| (l - top).exp()).sum::<f64>() / STAKES as f64).ln()
    }
}

/// Which side of a number a mean lies on, found out value by value: the game of a lower bound on it and that of an upper bound, both against the number.
///
/// # Example
/// ```
/// use mta_sims::betting::{Range, Side, Sides};
/// let mut sides = Sides::new(Range { low: -1.0, high: 1.0 }, 0.0, 0.05);
/// (0..40).for_each(|i| sides.add(if i % 4 == 0 { -0.5 } else { 0.5 }));
/// assert_eq!(sides.decided().unwrap().0, Side::Above);
/// ```
#[derive(Clone, Debug)]
pub struct Sides {
    share: f64,
    range: Range,
    alpha: f64,
    values: usize,
    above: Capital,
    below: Capital,
    decided: Option<(Side, usize)>,
}

/// A side of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Below it, or at it.
    Below,
    /// Above it, or at it.
    Above,
}

impl Sides {
    /// No values yet, of a law in `range`, against `number` inside it; the side is named wrongly with probability at most `alpha` in (0, 1): a mean has one
    /// wrong side only.
    pub fn new(range: Range, number: f64, alpha: f64) -> Self {
        let (above, below) = (Capital::default(), Capital::default());
        Sides { share: range.share(number), range, alpha, values: 0, above, below, decided: None }
    }

    /// One more value. What was decided stays so.
    pub fn add(&mut self, x: f64) {
        let share = self.range.share(x);
        self.values += 1;
        self.above.add(share / self.share - 1.0);
        self.below.add((1.0 - share) / (1.0 - self.share) - 1.0);
        let passes = |capital: &Capital| capital.log() >= -self.alpha.ln();
        if self.decided.is_none() && (passes(&self.above) || passes(&self.below)) {
            let side = if passes(&self.above) { Side::Above } else { Side::Below };
            self.decided = Some((side, self.values));
        }
    }

    /// The side, and how many values it took to tell.
    pub fn decided(&self) -> Option<(Side, usize)> {
        self.decided
    }
}

/// About how many values it takes to tell the side of a mean `signal` standard deviations away from the number, at error `alpha`.
///
/// n = 2 ln(12 / alpha) / signal²: the best stake multiplies the capital by exp(signal² / 2) per value, and is one in twelve.
pub fn values_needed(signal: f64, alpha: f64) -> f64 {
    2.0 * (STAKES as f64 / alpha).ln() / (signal * signal)
}

/// The largest share that `xs` refute as an upper limit of their mean, at error `alpha`.
fn lower_share(xs: &[f64], alpha: f64) -> f64 {
    let refuted = |m: f64| log_capital(xs, m) >= -alpha.ln();
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if refuted(middle) { low = middle } else { high = middle }
    }
    low
}

/// A lower bound on the mean of values in `range`, wrong with probability at most `alpha` in (0, 1), at all sample sizes together.
///
/// # Example
/// Two hundred ones among values in [0, 1] leave little room for a mean below 0.96:
/// ```
/// use mta_sims::betting::{Range, lower_bound};
/// let bound = lower_bound(&[1.0; 200], Range { low: 0.0, high: 1.0 }, 0.01);
/// // the stake 1 alone gives (1/m)^200 / 12 = 100; the others add a little
/// assert!((bound - (1200f64).powf(-1.0 / 200.0)).abs() < 1e-3);
/// ```
pub fn lower_bound(xs: &[f64], range: Range, alpha: f64) -> f64 {
    let shares: Vec<f64> = xs.iter().map(|x| range.share(*x)).collect();
    range.low + (range.high - range.low) * lower_share(&shares, alpha)
}

/// An upper bound on the mean of values in `range`, wrong with probability at most `alpha` in (0, 1), at all sample sizes together.
pub fn upper_bound(xs: &[f64], range: Range, alpha: f64) -> f64 {
    let shares: Vec<f64> = xs.iter().map(|x| 1.0 - range.share(*x)).collect();
    range.high - (range.high - range.low) * lower_share(&shares, alpha)
}

/// Mean with both bounds, each wrong with probability at most its own error; missing for no data.
pub fn interval(xs: &[f64], range: Range, errors: (f64, f64)) -> Option<Interval> {
    let value = mean(xs)?;
    Some(Interval { value, low: Some(lower_bound(xs, range, errors.0)), high: Some(upper_bound(xs, range, errors.1)) })
}

//! A group with its rewards, and the weighted moments every rule is made of.

use crate::rollout::Group;

/// A group and what its rollouts earned.
#[derive(Clone, Debug, PartialEq)]
pub struct Paid {
    /// The rollouts.
    pub group: Group,
    /// One reward per rollout.
    pub rewards: Vec<f64>,
}

impl Paid {
    /// Weighted mean of the rewards of the rollouts trained on.
    pub fn mean(&self) -> f64 {
        weighted_mean(self.trained())
    }

    /// Weighted variance of the rewards with divisor G - `ddof`.
    pub fn variance(&self, ddof: usize) -> f64 {
        let mean = self.mean();
        let variance: f64 = self.trained().map(|(w, r)| w * (r - mean).powi(2)).sum();
        self.group.size.map_or(variance, |g| variance * g as f64 / (g - ddof.min(g - 1)) as f64)
    }

    /// Whether all rollouts trained on earned the same.
    pub fn is_flat(&self) -> bool {
        let first = self.trained().next().map_or(0.0, |(_, r)| r);
        self.trained().all(|(_, r)| (r - first).abs() <= FLAT * (1.0 + r.abs()))
    }

    /// (weight, reward) of the rollouts trained on.
    pub fn trained(&self) -> impl Iterator<Item = (f64, f64)> + Clone {
        let pairs = self.group.rollouts.iter().zip(&self.rewards);
        pairs.filter(|(r, _)| r.weight > 0.0).map(|(r, reward)| (r.weight, *reward))
    }
}

/// Relative difference below which two rewards count as equal, and variance below which pass rates do.
pub(crate) const FLAT: f64 = 1e-12;

/// Mean of (weight, value) pairs; exact where all values are equal.
pub(crate) fn weighted_mean(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let first = pairs.clone().next().map_or(0.0, |p| p.1);
    let (total, sum) = pairs.fold((0.0, 0.0), |(total, sum), (w, r)| (total + w, sum + w * (r - first)));
    first + sum / total
}

/// Weighted mean of squared deviations from `mean`, square root.
pub(crate) fn weighted_std(pairs: impl Iterator<Item = (f64, f64)> + Clone, mean: f64) -> f64 {
    weighted_mean(pairs.map(|(w, r)| (w, (r - mean).powi(2)))).sqrt()
}

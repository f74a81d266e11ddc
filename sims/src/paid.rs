//! A group with its rewards, and the weighted moments every rule is made of.

use crate::real::{Real, Truth};
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
        self.columns().earned().mean()
    }

    /// Whether all rollouts trained on earned the same.
    pub fn is_flat(&self) -> bool {
        self.columns().earned().is_flat()
    }

    /// (weight, reward) of the rollouts trained on.
    pub fn trained(&self) -> impl Iterator<Item = (f64, f64)> + Clone {
        let pairs = self.group.rollouts.iter().zip(&self.rewards);
        pairs.filter(|(r, _)| r.weight > 0.0).map(|(r, reward)| (r.weight, *reward))
    }

    /// Weights and rewards of the rollouts trained on.
    pub(crate) fn columns(&self) -> Columns {
        Columns::of(self.trained(), self.group.size)
    }
}

/// Weights and values, owned.
pub(crate) struct Columns {
    weights: Vec<f64>,
    values: Vec<f64>,
    size: Option<usize>,
}

impl Columns {
    /// The (weight, value) pairs of a sample of `size`, or of a population.
    pub(crate) fn of(pairs: impl Iterator<Item = (f64, f64)>, size: Option<usize>) -> Self {
        let (weights, values) = pairs.unzip();
        Columns { weights, values, size }
    }

    /// As what its moments are defined on.
    pub(crate) fn earned(&self) -> Earned<'_, f64> {
        Earned { weights: &self.weights, rewards: &self.values, size: self.size }
    }
}

/// Rewards with weights, of any kind of number.
#[derive(Clone, Copy)]
pub struct Earned<'a, N> {
    /// Shares of the expectation.
    pub weights: &'a [N],
    /// One reward for each.
    pub rewards: &'a [N],
    /// Number G of sampled rollouts; `None` for a population.
    pub size: Option<usize>,
}

impl<N: Real> Earned<'_, N> {
    /// Weighted mean; exact where all rewards are equal.
    #[inline(always)]
    pub fn mean(&self) -> N {
        self.mean_of(&Itself)
    }

    /// Square root of the weighted mean of squared deviations.
    #[inline(always)]
    pub fn std(&self) -> N {
        self.mean_of(&SquaredDeviation(self.mean())).sqrt()
    }

    /// Share of rewards that are not zero.
    #[inline(always)]
    pub fn nonzero_share(&self) -> N {
        self.mean_of(&NotZero)
    }

    #[inline(always)]
    fn mean_of(&self, what: &impl Each<N>) -> N {
        let first = what.of(self.rewards[0]);
        let (mut total, mut sum) = (first.like(0.0), first.like(0.0));
        for (weight, reward) in self.weights.iter().zip(self.rewards) {
            total = total + *weight;
            sum = sum + *weight * (what.of(*reward) - first);
        }
        first + sum / total
    }

    /// Weighted variance with divisor G - `ddof`.
    #[inline(always)]
    pub fn variance(&self, ddof: usize) -> N {
        self.variance_about(self.mean(), ddof)
    }

    /// The same, given the mean.
    #[inline(always)]
    pub fn variance_about(&self, mean: N, ddof: usize) -> N {
        let mut variance = mean.like(0.0);
        for (weight, reward) in self.weights.iter().zip(self.rewards) {
            let deviation = *reward - mean;
            variance = variance + *weight * (deviation * deviation);
        }
        self.size.map_or(variance, |g| variance * mean.like(g as f64) / mean.like((g - ddof.min(g - 1)) as f64))
    }

    /// Whether all rewards are equal.
    #[inline(always)]
    pub fn is_flat(&self) -> N::Truth {
        let first = self.rewards[0];
        let one = first.like(1.0);
        let mut flat = one.above(first.like(0.0));
        for r in self.rewards {
            flat = flat.and((*r - first).abs().above(first.like(N::SAME) * (one + r.abs())).not());
        }
        flat
    }

    /// The best reward's lead over the second best, for the first of the best; 0 for the others, and in the population, where the best response is drawn more
    /// than once.
    #[inline(always)]
    pub fn leads(&self, leads: &mut [N]) {
        let zero = self.rewards[0].like(0.0);
        let (mut best, mut second) = (self.rewards[0], self.rewards[0].like(f64::NEG_INFINITY));
        for &r in &self.rewards[1..] {
            second = N::choose(r.above(best), best, N::choose(r.above(second), r, second));
            best = N::choose(r.above(best), r, best);
        }
        let mut free = zero.like(1.0).above(zero);
        for (i, lead) in leads.iter_mut().enumerate() {
            let first = free.and(best.above(self.rewards[i]).not());
            *lead = if self.size.is_some() && self.rewards.len() > 1 { N::choose(first, best - second, zero) } else { zero };
            free = free.and(first.not());
        }
    }
}

/// What a mean is taken of; a trait and not a closure, so that it is compiled with the instructions of its caller.
trait Each<N> {
    fn of(&self, reward: N) -> N;
}

struct Itself;
struct SquaredDeviation<N>(N);
struct NotZero;

impl<N: Real> Each<N> for Itself {
    #[inline(always)]
    fn of(&self, reward: N) -> N {
        reward
    }
}

impl<N: Real> Each<N> for SquaredDeviation<N> {
    #[inline(always)]
    fn of(&self, reward: N) -> N {
        (reward - self.0) * (reward - self.0)
    }
}

impl<N: Real> Each<N> for NotZero {
    #[inline(always)]
    fn of(&self, reward: N) -> N {
        N::choose(reward.abs().above(reward.like(0.0)), reward.like(1.0), reward.like(0.0))
    }
}

/// Variance below which pass rates count as equal.
pub(crate) const FLAT: f64 = 1e-12;

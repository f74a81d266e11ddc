//! A group with its rewards, and the weighted moments every rule is made of.

use crate::real::{Real, Truth, Turn};
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
        pairs.filter(|(r, _)| r.is_trained_on()).map(|(r, reward)| (r.weight, *reward))
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
        Earned { weights: &self.weights, rewards: &self.values, size: self.size.map(|g| g as f64) }
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
    pub size: Option<N>,
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

    /// Weighted mean of what rewards are above `of`: where that is their mean, what its rounding took off.
    #[inline(always)]
    pub fn mean_above(&self, of: N) -> N {
        self.mean_of(&Above(of))
    }

    #[inline(always)]
    fn mean_of(&self, what: &impl Each<N>) -> N {
        let first = what.of(self.rewards[0]);
        let zero = first.like(0.0);
        let [total, sum] = N::fold(self.weights, self.rewards, [zero; 2], &Shifted { what, first });
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
        let [variance] = N::fold(self.weights, self.rewards, [mean.like(0.0)], &Squared { mean });
        let Some(g) = self.size else { return variance };
        let (one, rest) = (g.like(1.0), g - g.like(ddof as f64));
        variance * g / N::choose(rest.above(one), rest, one)
    }

    /// Whether all rewards are equal.
    #[inline(always)]
    pub fn is_flat(&self) -> N::Truth {
        let first = self.rewards[0];
        let [differ] = N::fold(self.weights, self.rewards, [first.like(0.0)], &Differ { first });
        first.like(1.0).above(differ)
    }

    /// The best reward's lead over the second best, for the first of the best; 0 for the others, where there is no second, and in the population, where the
    /// best response is drawn more than once.
    #[inline(always)]
    pub fn leads(&self, leads: &mut [N]) {
        let two = self.best_two();
        let mut led = self.rewards[0].like(0.0);
        for (lead, reward) in leads.iter_mut().zip(self.rewards) {
            [*lead, led] = self.lead(two, led, *reward);
        }
    }

    /// The best reward and the second best, minus infinity where there is none.
    #[inline(always)]
    pub fn best_two(&self) -> [N; 2] {
        N::fold(self.weights, self.rewards, [self.rewards[0].like(f64::NEG_INFINITY); 2], &BestTwo)
    }

    /// The lead of the next rollout, and whether one has been in the lead, as 0 or 1; `led` says whether one before it has.
    #[inline(always)]
    pub fn lead(&self, [best, second]: [N; 2], led: N, reward: N) -> [N; 2] {
        let (zero, one) = (reward.like(0.0), reward.like(1.0));
        let leads = one.above(led).and(best.above(reward).not());
        let alone = second.above(reward.like(f64::NEG_INFINITY)).not();
        let margin = if self.size.is_some() { N::choose(alone, zero, best - second) } else { zero };
        [N::choose(leads, margin, zero), N::choose(leads, one, led)]
    }
}

/// Sums of weights, and of weighted differences from the first.
struct Shifted<'w, W, N> {
    what: &'w W,
    first: N,
}

/// Weighted sum of squared deviations.
struct Squared<N> {
    mean: N,
}

/// 1 once a reward differs from the first.
struct Differ<N> {
    first: N,
}

/// The best and the second best so far.
struct BestTwo;

impl<N: Real, W: Each<N>> Turn<N, 2> for Shifted<'_, W, N> {
    #[inline(always)]
    fn turn(&self, [total, sum]: [N; 2], weight: N, reward: N) -> [N; 2] {
        [total + weight, sum + weight * (self.what.of(reward) - self.first)]
    }
}

impl<N: Real> Turn<N, 1> for Squared<N> {
    #[inline(always)]
    fn turn(&self, [sum]: [N; 1], weight: N, reward: N) -> [N; 1] {
        let deviation = reward - self.mean;
        [sum + weight * (deviation * deviation)]
    }
}

impl<N: Real> Turn<N, 1> for Differ<N> {
    #[inline(always)]
    fn turn(&self, [differ]: [N; 1], _: N, reward: N) -> [N; 1] {
        let one = reward.like(1.0);
        let apart = (reward - self.first).abs().above(reward.like(N::SAME) * (one + reward.abs()));
        [N::choose(apart, one, differ)]
    }
}

impl<N: Real> Turn<N, 2> for BestTwo {
    #[inline(always)]
    fn turn(&self, [best, second]: [N; 2], _: N, reward: N) -> [N; 2] {
        let behind = N::choose(reward.above(second), reward, second);
        [N::choose(reward.above(best), reward, best), N::choose(reward.above(best), best, behind)]
    }
}

/// What a mean is taken of; a trait and not a closure, so that it is compiled with the instructions of its caller.
trait Each<N> {
    fn of(&self, reward: N) -> N;
}

struct Itself;
struct Above<N>(N);
struct SquaredDeviation<N>(N);
struct NotZero;

impl<N: Real> Each<N> for Itself {
    #[inline(always)]
    fn of(&self, reward: N) -> N {
        reward
    }
}

impl<N: Real> Each<N> for Above<N> {
    #[inline(always)]
    fn of(&self, reward: N) -> N {
        reward - self.0
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

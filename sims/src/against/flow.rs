//! Flows: expected updates in small steps, extrapolated to steps of size zero.

use super::setting::{UNUSED, recipe};
use crate::cell::train_in;
use crate::config::{Config, Mode};
use crate::policy::{Policy, SoftmaxPolicy};
use crate::recipe::Ready;
use crate::run::{Training, train};
use crate::signals::Signal;
use crate::world::World;

/// What is read of a policy on the way.
pub(super) type Read<'r> = &'r dyn Fn(&SoftmaxPolicy) -> f64;

/// Training in one world by the expected update; the learning rate is the flow time of a step.
pub(super) struct Flow<'w> {
    world: &'w World,
    recipe: Ready,
    teacher: Option<&'w World>,
}

/// Responses that one measurement may enumerate, about a second.
const BUDGET: f64 = 2e6;

/// Steps without which nothing is measured.
const LEAST_STEPS: usize = 1000;

/// Relative change of the extrapolated value at which steps are small enough, and the largest with which a value is given at all.
const GOOD: f64 = 1e-9;
const POOR: f64 = 1e-4;

/// Values below this are known to so many digits only.
const SMALL: f64 = 1e-5;

/// Levels of step size from which a value is extrapolated.
const LEVELS: usize = 5;

impl<'w> Flow<'w> {
    /// The flow of a rule under a signal.
    pub(super) fn new(world: &'w World, signal: &str, rule: &str) -> Self {
        Flow { world, recipe: recipe(signal, rule, |c| c.train.mode = Mode::Exact), teacher: None }
    }

    /// With other knobs.
    pub(super) fn with(mut self, set: impl FnOnce(&mut Config)) -> Self {
        set(&mut self.recipe.config);
        self
    }

    /// Paid by a signal that is not in the registry.
    pub(super) fn paid_by(mut self, signal: &'static Signal) -> Self {
        self.recipe.signal = signal;
        self
    }

    /// With rollouts of the base model of another world.
    pub(super) fn taught_by(mut self, teacher: &'w World) -> Self {
        self.teacher = Some(teacher);
        self
    }

    /// `read` of the base model and after each of `steps` steps.
    fn path(&self, steps: usize, step: f64, read: Read) -> Vec<f64> {
        let mut recipe = self.recipe.clone();
        (recipe.config.train.steps, recipe.config.train.learning_rate) = (steps, step);
        let mut values = Vec::with_capacity(steps + 1);
        match self.teacher {
            None => drop(train_in(self.world, &recipe, &mut |_, policy, _| values.push(read(policy)))),
            Some(teacher) => self.taught_path(&recipe, teacher, &mut |policy| values.push(read(policy))),
        }
        values
    }

    fn taught_path(&self, recipe: &Ready, teacher: &World, observe: &mut dyn FnMut(&SoftmaxPolicy)) {
        let teacher = SoftmaxPolicy::new(&teacher.task, &teacher.base, 0.0);
        let mut policy = SoftmaxPolicy::new(&self.world.task, &self.world.base, recipe.config.policy.sharing);
        let prompts: Vec<usize> = self.world.training().collect();
        let training = Training {
            config: &recipe.config,
            signal: recipe.signal,
            environment: &self.world.task,
            prompts: &prompts,
            teacher: Some(&teacher as &dyn Policy),
            seed: UNUSED,
        };
        observe(&policy);
        train(&mut policy, &training, &mut |_, policy, _| observe(policy));
    }

    /// Steps the budget allows.
    fn most_steps(&self) -> usize {
        (BUDGET / (self.world.training().len() as f64 * self.world.task.settings.responses().max(4.0))) as usize
    }

    /// Rate of `read` at the start, per unit of flow time.
    pub(super) fn slope(&self, read: Read) -> Option<f64> {
        (self.most_steps() >= LEAST_STEPS).then_some(())?;
        let rate = |step: f64| {
            let path = self.path(1, step, read);
            Some((path[1] - path[0]) / step)
        };
        refine(0.05, 24, rate)
    }

    /// `read` after `time` in so many steps, without extrapolation: for what steps of any size do exactly.
    pub(super) fn in_steps(&self, steps: usize, time: f64, read: Read) -> Option<f64> {
        self.path(steps, time / steps as f64, read).last().copied()
    }

    /// `read` after `time`, where no rate exceeds `fastest` by much.
    pub(super) fn after(&self, time: f64, fastest: f64, read: Read) -> Option<f64> {
        let steps = (time * fastest / 0.2).ceil().max(8.0);
        let at = |step: f64| {
            let steps = (time / step).round() as usize;
            self.path(steps, step, read).last().copied()
        };
        if time == 0.0 { Some(self.path(0, 0.0, read)[0]) } else { refine(time / steps, self.halvings(steps)?, at) }
    }

    /// How often `steps` may double within the budget; `None` unless often enough to extrapolate.
    fn halvings(&self, steps: f64) -> Option<usize> {
        let doublings = (self.most_steps() as f64 / steps).log2();
        (doublings >= 3.0).then_some((doublings - 1.0) as usize)
    }

    /// Where `read` settles with steps of `step`: fixed points do not depend on the size of steps.
    pub(super) fn limit(&self, step: f64, read: Read) -> Option<f64> {
        let mut steps = 64;
        while steps <= self.most_steps() {
            let path = self.path(steps, step, read);
            let (middle, end) = (path[steps / 2], path[steps]);
            if !end.is_finite() {
                return None;
            }
            if (end - middle).abs() <= 1e-12 * end.abs() {
                return Some(end);
            }
            steps *= 4;
        }
        None
    }

    /// Flow time at which `read` first reaches `target`.
    pub(super) fn time_until(&self, target: f64, read: Read) -> Option<f64> {
        let start = self.path(0, 0.0, read)[0];
        let rate = self.slope(read)?;
        if start == target || rate * (target - start) <= 0.0 {
            return (start == target).then_some(0.0);
        }
        let coarse = (0.2f64).min(0.2 / rate.abs());
        let pilot = self.crossing(coarse, 64, target, read)?;
        let step = coarse.min(pilot / 16.0);
        refine(step, self.halvings(pilot / step)?, |step| self.crossing(step, (1.25 * pilot / step) as usize + 8, target, read))
    }

    /// The same at one size of steps, between steps by a cubic through four points.
    fn crossing(&self, step: f64, mut steps: usize, target: f64, read: Read) -> Option<f64> {
        while steps <= self.most_steps() / 2 {
            let path = self.path(steps, step, read);
            let rises = target > path[0];
            let beyond = path.iter().position(|v| if rises { *v >= target } else { *v <= target });
            match beyond {
                Some(i) if i < steps => return Some(step * inverse_cubic(&path, i, target)),
                _ => steps *= 2,
            }
        }
        None
    }
}

/// The position at which a path, first at or beyond `target` at `i`, takes that value.
fn inverse_cubic(path: &[f64], i: usize, target: f64) -> f64 {
    let first = (i + 1).min(path.len() - 1).saturating_sub(3);
    let points: Vec<(f64, f64)> = path.iter().enumerate().skip(first).take(4).map(|(t, v)| (t as f64, *v)).collect();
    let weight = |(t, v): &(f64, f64)| {
        let others = points.iter().filter(|(s, _)| s != t);
        t * others.map(|(_, w)| (target - w) / (v - w)).product::<f64>()
    };
    points.iter().map(weight).sum()
}

/// The value at step 0 of a quantity with an expansion in powers of the step: steps are halved until the extrapolated value stands still.
pub(super) fn refine(first: f64, halvings: usize, value: impl Fn(f64) -> Option<f64>) -> Option<f64> {
    let (mut row, mut best): (Vec<f64>, Option<(f64, f64)>) = (Vec::new(), None);
    for level in 0..=halvings {
        let next = neville(&row, value(first / 2f64.powi(level as i32))?);
        if let (Some(old), Some(new)) = (row.last(), next.last()) {
            let moved = (new - old).abs() / new.abs().max(SMALL);
            best = best.filter(|(least, _)| *least <= moved).or(Some((moved, *new)));
            if moved <= GOOD || new == old {
                return Some(*new);
            }
        }
        row = next;
    }
    best.filter(|(moved, _)| *moved <= POOR).map(|(_, value)| value)
}

/// Aitken's limit of three values whose distances from it fall geometrically.
pub(super) fn aitken([first, second, third]: [f64; 3]) -> f64 {
    let (early, late) = (second - first, third - second);
    if late == 0.0 { third } else { third + late * late / (early - late) }
}

/// The next row of Richardson's tableau, at most [`LEVELS`] long.
fn neville(row: &[f64], value: f64) -> Vec<f64> {
    let mut next = vec![value];
    for (order, old) in row.iter().enumerate().take(LEVELS - 1) {
        let last = next[order];
        next.push(last + (last - old) / (2f64.powi(order as i32 + 1) - 1.0));
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extrapolation_removes_powers_of_the_step() {
        let value = refine(0.5, 20, |h| Some(2.0 + h - 3.0 * h * h + h.powi(3))).unwrap();
        assert!((value - 2.0).abs() < 1e-12, "{value}");
        assert_eq!(refine(0.5, 20, |h| Some((1.0 / h).sin())), None);
    }

    #[test]
    fn aitken_sums_geometric_series() {
        assert_eq!(aitken([1.0, 1.5, 1.75]), 2.0);
        assert_eq!(aitken([3.0, 3.0, 3.0]), 3.0);
    }

    #[test]
    fn a_cubic_is_inverted_between_its_points() {
        let path: Vec<f64> = (0..8).map(|t| f64::from(t).cbrt()).collect();
        assert!((inverse_cubic(&path, 5, 1.65) - 1.65f64.powi(3)).abs() < 1e-12);
    }
}

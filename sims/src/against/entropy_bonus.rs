//! P38: an entropy bonus.

use super::flow::Flow;
use super::leash::{leash, log_odds, settled};
use super::setting::{UNUSED, bandit_with, small};
use super::{Simulation, exact};
use crate::world::World;
use mta_theory::simplex::sigmoid;

/// Equal right and equal wrong arms.
pub(super) static P38: Simulation = Simulation {
    proposition: "P38",
    setup: "exact mode, ground_truth, C right and W wrong arms, npg with entropy_coeff: at the time given, extrapolated to step 0, and where it settles; leash: KL \
            k1 taken off the reward; stable: npg_std",
    tolerance: 1e-6,
    measures: &[
        exact("accuracy", |x| {
            let world = world(x)?;
            bonus(&world, "npg", x).after(x[4], 1.0 + x[2], &|policy| log_odds(&world, policy)).map(sigmoid)
        }),
        exact("ceiling", |x| settles(&world(x)?, "npg", x)),
        exact("leash", |x| {
            let world = world(x)?;
            settled(&Flow::new(&world, "ground_truth", "npg").with(|c| leash(c, x[2])), &world, x[2])
        }),
        exact("stable", |x| settles(&world(x)?, "npg_std", x)),
    ],
};

fn world(x: &[f64]) -> Option<World> {
    let (right, wrong) = (small(x[0], 512.0)?, small(x[1], 512.0)?);
    let arms = (0..right + wrong).map(|v| v < right);
    let probs: Vec<f64> = arms.clone().map(|is_right| if is_right { x[3] / x[0] } else { (1.0 - x[3]) / x[1] }).collect();
    bandit_with(&probs, &arms.collect::<Vec<_>>(), UNUSED)
}

fn bonus<'w>(world: &'w World, rule: &str, x: &[f64]) -> Flow<'w> {
    Flow::new(world, "ground_truth", rule).with(|c| c.objective.entropy_coeff = x[2])
}

fn settles(world: &World, rule: &str, x: &[f64]) -> Option<f64> {
    settled(&bonus(world, rule, x), world, x[2])
}

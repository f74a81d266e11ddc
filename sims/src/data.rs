//! Data regimes: which prompts are trained on.

use crate::config::{Regime, SelectBy};
use crate::measure::summary;
use crate::policy::SoftmaxPolicy;
use crate::recipe::Ready;
use crate::run::{Training, train};
use crate::statistics::covariance;
use crate::stream::Purpose;
use crate::world::World;
use rand::Rng;

/// The prompts `recipe` trains on in `world`.
pub fn choose(world: &World, recipe: &Ready) -> Vec<usize> {
    match recipe.config.data.regime {
        Regime::Full => world.training().collect(),
        Regime::TestTime => world.held_out().collect(),
        Regime::OneShot => best(world, recipe, 1),
        Regime::Few => best(world, recipe, recipe.config.data.few),
    }
}

/// The `count` training prompts of lowest rank; of equals, the first.
fn best(world: &World, recipe: &Ready, count: usize) -> Vec<usize> {
    let ranks = match recipe.config.data.select_by {
        SelectBy::Half => distance_from_half(world),
        SelectBy::Variance => minus_pilot_variance(world, recipe),
        SelectBy::Random => luck(world),
    };
    let mut order: Vec<usize> = world.training().collect();
    order.sort_by(|&x, &y| ranks[x].total_cmp(&ranks[y]));
    order.truncate(count);
    order
}

fn distance_from_half(world: &World) -> Vec<f64> {
    let base = SoftmaxPolicy::new(&world.task, &world.base, 0.0);
    world.training().map(|x| (summary(&base, &world.task, x).success - 0.5).abs()).collect()
}

fn luck(world: &World) -> Vec<f64> {
    let mut stream = world.seed.stream(Purpose::Selection, 0, 0);
    world.training().map(|_| stream.random()).collect()
}

/// Minus the variance of each prompt's pass rate over a pilot run of the same recipe on all prompts ("historical variance", arXiv 2504.20571).
fn minus_pilot_variance(world: &World, recipe: &Ready) -> Vec<f64> {
    let mut policy = SoftmaxPolicy::new(&world.task, &world.base, recipe.config.policy.sharing);
    let prompts: Vec<usize> = world.training().collect();
    let mut history: Vec<Vec<f64>> = vec![Vec::new(); prompts.len()];
    let pilot = Training {
        config: &recipe.config,
        signal: recipe.signal,
        environment: &world.task,
        prompts: &prompts,
        teacher: None,
        seed: world.seed,
    };
    train(&mut policy, &pilot, &mut |_, policy, _| {
        history.iter_mut().enumerate().for_each(|(x, rates)| rates.push(summary(policy, &world.task, x).success));
    });
    history.iter().map(|rates| -covariance(rates, rates).unwrap_or(0.0)).collect()
}

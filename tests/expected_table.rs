//! The default world against an independent implementation of it: held-out pass@1 within three standard errors, cell by cell.

use mta_sim::sims::cell::Cell;
use mta_sim::sims::recipe::{RECIPES, Ready};
use mta_sim::sims::registry::find;
use mta_sim::sims::statistics::{mean, standard_error};
use mta_sim::sims::stream::Seed;
use rayon::prelude::*;

/// Seeds of either implementation.
const SEEDS: u64 = 16;

const SHORT: [&str; 8] = ["standard", "one-shot", "random", "incorrect", "majority", "self-sharpen", "negative-only", "positive-only"];

/// Alignment, base pass@1, and pass@1 after 40 steps by recipe, from the independent implementation (NumPy, other random numbers).
const AFTER_40: [(f64, f64, [f64; 8]); 4] = [
    (0.1, 0.140, [0.810, 0.184, 0.138, 0.054, 0.193, 0.143, 0.427, 0.653]),
    (0.3, 0.214, [0.817, 0.368, 0.212, 0.060, 0.645, 0.596, 0.690, 0.677]),
    (0.5, 0.321, [0.819, 0.485, 0.319, 0.067, 0.833, 0.794, 0.798, 0.693]),
    (0.9, 0.585, [0.825, 0.698, 0.585, 0.101, 0.840, 0.839, 0.823, 0.727]),
];

const LONG: [&str; 3] = ["standard", "one-shot", "negative-only"];

const AFTER_300: [(f64, [f64; 3]); 4] =
    [(0.1, [0.841, 0.193, 0.841]), (0.3, [0.843, 0.420, 0.841]), (0.5, [0.846, 0.531, 0.841]), (0.9, [0.848, 0.731, 0.847])];

/// Held-out pass@1 before and after, per seed.
fn pass_at_1(name: &str, alignment: f64, steps: usize) -> Vec<(f64, f64)> {
    let mut recipe = Ready::named(find("recipe", RECIPES, name).unwrap());
    (recipe.config.world.alignment, recipe.config.train.steps, recipe.config.train.eval_every) = (alignment, steps, steps);
    let run = |seed| {
        let curve = Cell { recipe: recipe.clone(), seed: Seed(seed) }.run().unwrap().values.swap_remove(0);
        (curve[0].unwrap(), curve[1].unwrap())
    };
    (0..SEEDS).into_par_iter().map(run).collect()
}

/// Three standard errors of the difference of two means over as many seeds; the other implementation prints three decimals.
fn check(what: &str, ours: &[f64], theirs: f64) {
    let (value, error) = (mean(ours).unwrap(), standard_error(ours).unwrap());
    let allowed = 3.0 * 2f64.sqrt() * error + 5e-4;
    assert!((value - theirs).abs() <= allowed, "{what}: {value:.3} ± {error:.3}, the other implementation {theirs:.3}");
}

#[test]
fn forty_steps_give_the_table() {
    for (alignment, base, expected) in AFTER_40 {
        for (name, theirs) in SHORT.iter().zip(expected) {
            let (before, after): (Vec<f64>, Vec<f64>) = pass_at_1(name, alignment, 40).into_iter().unzip();
            check(&format!("base at {alignment}"), &before, base);
            check(&format!("{name} at {alignment}"), &after, theirs);
        }
    }
}

#[test]
fn three_hundred_steps_give_the_table() {
    for (alignment, expected) in AFTER_300 {
        for (name, theirs) in LONG.iter().zip(expected) {
            let after: Vec<f64> = pass_at_1(name, alignment, 300).into_iter().map(|p| p.1).collect();
            check(&format!("{name} at {alignment}, 300 steps"), &after, theirs);
        }
    }
}

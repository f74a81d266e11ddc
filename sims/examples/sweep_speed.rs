//! Processor-bound wall time of a default sweep (nine alignments, the default recipes, some seeds) on the reference loop and on the batched engine.
//!
//! `sweep_speed [seeds] [depth]` prints seconds of both, their ratio, and the largest difference of a mean gain in held-out pass@1.

use mta_sims::batch::{self, Options};
use mta_sims::cell::Cell;
use mta_sims::recipe::{RECIPES, Ready};
use mta_sims::record::Curves;
use mta_sims::stream::Seed;
use rayon::prelude::*;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seeds: u64 = std::env::args().nth(1).map_or(Ok(4), |a| a.parse())?;
    let depth: usize = std::env::args().nth(2).map_or(Ok(1), |a| a.parse())?;
    let recipes: Vec<Ready> = RECIPES.iter().filter(|r| r.by_default).map(|r| Ready::named(r)).collect();
    let mut cells = Vec::new();
    for (recipe, tenth) in recipes.iter().flat_map(|r| (1..10).map(move |a| (r, a))) {
        for seed in 0..seeds {
            let mut recipe = recipe.clone();
            (recipe.config.world.alignment, recipe.config.world.depth) = (f64::from(tenth) / 10.0, depth);
            cells.push(Cell { recipe, seed: Seed(seed) });
        }
    }
    let start = Instant::now();
    let fast: Vec<Curves> = batch::run(&cells, Options::default()).into_iter().collect::<Result<_, _>>()?;
    let fast_time = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let slow: Vec<Curves> = cells.par_iter().map(Cell::run).collect::<Result<_, _>>()?;
    let slow_time = start.elapsed().as_secs_f64();
    let gain = |curves: &Curves| curves.values[0].last().copied().flatten().unwrap_or(f64::NAN) - curves.values[0][0].unwrap_or(f64::NAN);
    let same = fast.iter().zip(&slow).filter(|(f, s)| (gain(f) - gain(s)).abs() < 1e-4).count();
    let group = seeds as usize;
    let mean = |all: &[Curves]| all.iter().map(gain).sum::<f64>() / group as f64;
    let apart = fast.chunks(group).zip(slow.chunks(group)).map(|(f, s)| (mean(f) - mean(s)).abs()).fold(0.0, f64::max);
    println!("{} cells: reference {slow_time:.2} s, batched {fast_time:.3} s, ratio {:.1}", cells.len(), slow_time / fast_time);
    println!("{same} cells end within 1e-4 of the reference; mean gains over seeds differ by at most {apart:.4}");
    Ok(())
}

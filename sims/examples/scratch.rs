use mta_sims::{
    cell::Cell,
    recipe::{RECIPES, Ready},
    statistics::*,
    stream::Seed,
};
use rayon::prelude::*;
fn main() {
    let steps: usize = std::env::args().nth(1).map_or(40, |s| s.parse().unwrap());
    for a in [0.5] {
        for r in RECIPES.iter().filter(|r| r.by_default) {
            let mut ready = Ready::named(r);
            ready.config.world.alignment = a;
            ready.config.train.steps = steps;
            ready.config.train.eval_every = 1;
            let t = std::time::Instant::now();
            let v: Vec<_> = (0..16u64)
                .into_par_iter()
                .map(|s| {
                    let c = Cell { recipe: ready.clone(), seed: Seed(s) }.run().unwrap();
                    (c.values[0][0].unwrap(), c.values[0].last().unwrap().unwrap())
                })
                .collect();
            let b: Vec<f64> = v.iter().map(|x| x.0).collect();
            let f: Vec<f64> = v.iter().map(|x| x.1).collect();
            println!(
                "{a} {:14} base {:.3} ({:.3}) final {:.3} ({:.3}) {:?}",
                ready.name,
                mean(&b).unwrap(),
                standard_error(&b).unwrap(),
                mean(&f).unwrap(),
                standard_error(&f).unwrap(),
                t.elapsed()
            );
        }
    }
}

//! What cells cost: random recipes, the pieces of work of each, and the processor time it took.
//!
//! `cost COUNT reference|batched [FIRST]` prints a CSV line per random recipe, from number `FIRST` on: its kind, seconds of a cell as measured and as predicted,
//! and the count of every piece of [`mta_sims::cost`]. `cost memory NUMBER` runs many cells of one of them at once and prints the bytes they took, those predicted,
//! and the ratio. `cost curves` goes along one size after another.

use mta_sims::batch::{self, Options};
use mta_sims::cell::Cell;
use mta_sims::config::{KNOBS, Mode, Regime};
use mta_sims::cost::{Engine, PIECES, Sizes, Together, bytes, kind, seconds, slowness};
use mta_sims::knob::Value;
use mta_sims::recipe::{RECIPES, Ready};
use mta_sims::stream::{Purpose, Seed};
use rand::Rng;
use std::hint::black_box;
use std::time::Instant;

/// Cells of a recipe that the batched engine is given: four vectors.
const TOGETHER: u64 = 64;
/// Cells whose memory is told from that of the program.
const MANY: u64 = 1024;
/// Seconds that are told from none.
const LONG_ENOUGH: f64 = 0.04;

/// The least processor time of a run, in three times as many as take long enough to be told, in seconds.
fn timed(run: impl Fn()) -> std::io::Result<f64> {
    let mut least = f64::INFINITY;
    let mut runs = 1;
    for _ in 0..3 {
        let mut elapsed = 0.0;
        while elapsed < LONG_ENOUGH {
            let start = processor_time()?;
            (0..runs).for_each(|_| run());
            elapsed = processor_time()? - start;
            runs *= if elapsed < LONG_ENOUGH { 2 } else { 1 };
        }
        least = least.min(elapsed / f64::from(runs));
    }
    Ok(least)
}

/// Processor time of this thread so far, in seconds, as Linux counts it.
fn processor_time() -> std::io::Result<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or_default() * 1e-9)
}

/// A random recipe, none where its knobs clash.
fn random(number: u64) -> Option<Ready> {
    let mut dice = Seed(number).stream(Purpose::Population, 1, 0);
    let mut log = |low: f64, high: f64| (low.ln() + dice.random::<f64>() * (high / low).ln()).exp().round() as usize;
    let recipe = &RECIPES[log(1.0, 1e6) % RECIPES.len()];
    let mut ready = Ready::named(recipe);
    let pick = |n: usize, of: usize| n % of;
    let c = &mut ready.config;
    let tree = pick(log(1.0, 1e6), 3) == 0;
    c.world.depth = if tree { log(2.0, 5.0) } else { 1 };
    c.world.vocab = if tree { log(3.0, 24.0) } else { log(8.0, 256.0) };
    c.world.prompts = if pick(log(1.0, 1e6), 4) == 0 { 1 } else { log(2.0, 64.0) };
    c.world.held_out = log(1.0, 32.0);
    c.train.train_batch_size = log(1.0, 32.0);
    c.train.group_size = log(4.0, 64.0);
    c.train.steps = log(10.0, 200.0);
    c.train.eval_every = [1, 5, c.train.steps][pick(log(1.0, 1e6), 3)];
    c.train.num_iterations = 1 + usize::from(pick(log(1.0, 1e6), 5) == 0);
    c.train.minibatches = if c.train.train_batch_size > 1 { 1 + usize::from(pick(log(1.0, 1e6), 5) == 0) } else { 1 };
    c.policy.sharing = [0.0, 0.5, 0.5, 1.0][pick(log(1.0, 1e6), 4)];
    if !tree && pick(log(1.0, 1e6), 5) == 0 {
        c.train.mode = Mode::Exact;
        c.world.prompts = c.world.prompts.min(8);
    }
    if c.data.regime == Regime::Few {
        c.data.few = c.data.few.min(c.world.prompts);
    }
    c.world.good_tokens = (c.world.vocab / [8, 3][pick(log(1.0, 1e6), 2)]).max(1);
    ready.validate().is_ok().then_some(ready)
}

/// The most memory that this process has held, in bytes, as Linux counts it.
fn peak() -> std::io::Result<f64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(line.and_then(|kib| kib.trim_end_matches("kB").trim().parse::<f64>().ok()).unwrap_or_default() * 1024.0)
}

/// Runs many cells of random recipe `number` at once on one thread; prints the memory they took, and what is predicted.
fn memory(number: u64) -> Result<(), Box<dyn std::error::Error>> {
    let Some(ready) = random(number).filter(|ready| batch::supports(ready).is_ok()) else { return Ok(()) };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let cells: Vec<Cell> = (0..MANY).map(|seed| Cell { recipe: ready.clone(), seed: Seed(seed) }).collect();
    let before = peak()?;
    drop(black_box(pool.install(|| batch::run(&cells, Options::default()))));
    let (took, predicted) =
        (peak()? - before, bytes(&ready, Engine::Batched, Together { cells: cells.len(), worlds: cells.len(), threads: 1 }));
    println!("{number},{},{},{took:e},{predicted:e},{:.3}", ready.name, ready.config.world.depth, predicted / took);
    Ok(())
}

/// Values that one size takes while the others stay at their defaults.
const CURVES: [(&str, &[usize]); 6] = [
    ("cells", &[1, 4, 16, 64, 256, 1024]),
    ("vocab", &[8, 16, 32, 64, 128, 256]),
    ("depth", &[1, 2, 3, 4, 6]),
    ("group_size", &[4, 8, 16, 32, 64]),
    ("train_batch_size", &[4, 8, 16, 32, 64]),
    ("threads", &[1, 2]),
];

/// Prints seconds of the clock that default cells take, as measured and as predicted for this machine, along every curve.
fn curves() -> Result<(), Box<dyn std::error::Error>> {
    println!("size,value,measured,predicted");
    let slowness = slowness(Engine::Batched);
    for (size, value) in CURVES.iter().flat_map(|(size, values)| values.iter().map(move |value| (*size, *value))) {
        let mut ready = Ready::named(RECIPES[0]);
        if size == "depth" {
            ready.config.world.vocab = 8;
        }
        if let Some(knob) = KNOBS.iter().find(|knob| knob.name == size) {
            knob.set(&mut ready.config, &Value::Number(value as f64))?;
        }
        let (count, threads) = (if size == "cells" { value } else { 64 }, if size == "threads" { value } else { 1 });
        let cells: Vec<Cell> = (0..count as u64).map(|seed| Cell { recipe: ready.clone(), seed: Seed(seed) }).collect();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        let run = || {
            let clock = Instant::now();
            drop(black_box(batch::run(&cells, Options::default())));
            clock.elapsed().as_secs_f64()
        };
        let measured = pool.install(|| (0..5).map(|_| run()).fold(f64::INFINITY, f64::min));
        let each = seconds(&ready, Engine::Batched, count) * slowness;
        println!("{size},{value},{measured:.5},{:.5}", each * count as f64 / threads as f64);
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|name| name == "memory") {
        return memory(arguments.get(1).map_or(Ok(0), |n| n.parse())?);
    }
    if arguments.first().is_some_and(|name| name == "curves") {
        return curves();
    }
    let wanted: usize = arguments.first().map_or(Ok(20), |n| n.parse())?;
    let engine = if arguments.get(1).is_some_and(|name| name == "reference") { Engine::Reference } else { Engine::Batched };
    let first: u64 = arguments.get(2).map_or(Ok(0), |n| n.parse())?;
    let names: Vec<&str> = PIECES.iter().map(|piece| piece.name).collect();
    println!("number,recipe,kind,measured,predicted,{}", names.join(","));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let runs = (first..).filter_map(|number| random(number).map(|ready| (number, ready)));
    let runs = runs.filter(|(_, ready)| engine == Engine::Reference || batch::supports(ready).is_ok());
    for (number, ready) in runs.take(wanted) {
        let cells: Vec<Cell> = (0..TOGETHER).map(|seed| Cell { recipe: ready.clone(), seed: Seed(seed) }).collect();
        let cells = if engine == Engine::Reference { &cells[..2] } else { &cells[..] };
        let run = || match engine {
            Engine::Reference => cells.iter().for_each(|cell| drop(black_box(cell.run()))),
            Engine::Batched => drop(black_box(batch::run(cells, Options::default()))),
        };
        let time = pool.install(|| timed(run)).map_err(|e| e.to_string())? / cells.len() as f64;
        let sizes = Sizes::of(&ready);
        let counts: Vec<String> = PIECES.iter().map(|piece| format!("{:e}", (piece.count)(&sizes))).collect();
        println!(
            "{number},{},{},{time:e},{:e},{}",
            ready.name,
            kind(&ready, engine),
            seconds(&ready, engine, cells.len()),
            counts.join(",")
        );
    }
    Ok(())
}

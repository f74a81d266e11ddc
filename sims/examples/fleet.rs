//! Speed of the batched engine on the first of the three workloads that other simulators were timed on: bandits of 64 arms, four of them right, trained for 200
//! steps by GRPO on 16 rewards that err (true positives 0.8, false positives 0.1), step size 0.25.
//!
//! `fleet [replicas] [repeats]` prints nanoseconds of processor time of one thread per replica and step, and the mean success it measured. `fleet replicas repeats
//! cuda`, built with the feature `cuda`, does so on the first GPU, and the time is that on the clock: tables made, copied and read back included.

use mta_sims::batch::{Options, Replica, Trail, follow};
use mta_sims::recipe::Ready;
use mta_sims::registry::find;
use mta_sims::rules::RULES;
use mta_sims::signals::SIGNALS;
use mta_sims::stream::Seed;
use mta_sims::world::World;
use ndarray::Array3;
use std::time::Instant;

const ARMS: usize = 64;

fn recipe() -> Result<Ready, Box<dyn std::error::Error>> {
    let mut recipe = Ready::new("w1", find("signal", SIGNALS, "noisy")?, find("rule", RULES, "grpo")?);
    let c = &mut recipe.config;
    (c.world.vocab, c.world.prompts, c.world.held_out) = (ARMS, 1, 0);
    (c.train.steps, c.train.train_batch_size, c.train.group_size, c.train.learning_rate) = (200, 1, 16, 0.25);
    (c.policy.sharing, c.signal.tpr, c.signal.fpr) = (1.0, 0.8, 0.1);
    Ok(recipe)
}

/// The 16 worlds: arm a is right where a mod 16 is the number of the world.
fn worlds() -> Vec<World> {
    let truth = |k: usize| Array3::from_shape_fn((1, 1, ARMS), |(_, _, a)| a % 16 == k);
    (0..16).map(|k| World::explicit(Array3::zeros((1, 1, ARMS)), truth(k), 1, Seed(0))).collect()
}

/// Processor time of all threads so far, in nanoseconds, as Linux counts it.
fn processor_time() -> Result<f64, Box<dyn std::error::Error>> {
    let mut total = 0.0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        total += text.split(' ').next().unwrap_or_default().parse::<f64>()?;
    }
    Ok(total)
}

/// Runs a fleet.
type Engine = Box<dyn Fn(&[Replica]) -> Result<Trail, Box<dyn std::error::Error>>>;

#[cfg(feature = "cuda")]
fn device() -> Result<Engine, Box<dyn std::error::Error>> {
    let device = mta_sims::batch::cuda::Device::open()?;
    println!("{}", device.name()?);
    Ok(Box::new(move |fleet| Ok(device.follow(fleet)?)))
}

#[cfg(not(feature = "cuda"))]
fn device() -> Result<Engine, Box<dyn std::error::Error>> {
    Err("build this example with --features cuda".into())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<usize> = std::env::args().skip(1).take(2).map(|a| a.parse()).collect::<Result<_, _>>()?;
    let (replicas, repeats) = (arguments.first().copied().unwrap_or(4096), arguments.get(1).copied().unwrap_or(5));
    let (recipe, worlds) = (recipe()?, worlds());
    let fleet: Vec<Replica> = (0..replicas as u64)
        .map(|i| {
            let world = &worlds[(i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 60) as usize];
            Replica { world, recipe: &recipe, prompts: &[0], dice: Seed(i) }
        })
        .collect();
    let on_gpu = std::env::args().nth(3).is_some_and(|engine| engine == "cuda");
    let engine = if on_gpu { device()? } else { Box::new(|fleet: &[Replica]| Ok(follow(fleet, Options::default()))) };
    for _ in 0..repeats {
        let (start, clock) = (processor_time()?, Instant::now());
        let trail = engine(&fleet)?;
        let elapsed = if on_gpu { clock.elapsed().as_secs_f64() * 1e9 } else { processor_time()? - start };
        let ns = elapsed / (replicas * recipe.config.train.steps) as f64;
        let [first, last] = [trail[0], trail[trail.len() - 1]];
        println!("{ns:.2} ns per replica-step; success {:.4} -> {:.4}, entropy {:.4} -> {:.4}", first[0], last[0], first[1], last[1]);
    }
    Ok(())
}

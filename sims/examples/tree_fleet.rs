//! Speed of the batched engine on the second of the three workloads that other simulators were timed on: trees of six tokens out of eight whose right responses
//! are listed, trained for 100 steps by GRPO on 16 true rewards, step size 1.5, with the exact chance of a right response after every tenth step.
//!
//! `tree_fleet [replicas] [repeats] [width]` prints nanoseconds of processor time of one thread per replica and step, and the mean success at the end; `width` is
//! `v4`, `v3` or `scalar`.

use mta_sims::batch::lanes::Vectors;
use mta_sims::batch::{Options, Replica, success};
use mta_sims::config::LossAgg;
use mta_sims::recipe::Ready;
use mta_sims::registry::find;
use mta_sims::rules::RULES;
use mta_sims::signals::SIGNALS;
use mta_sims::stream::Seed;
use mta_sims::world::World;
use ndarray::Array2;

const TOKENS: u32 = 8;
const DEPTH: u32 = 6;

fn recipe() -> Result<Ready, Box<dyn std::error::Error>> {
    let mut recipe = Ready::new("w2", find("signal", SIGNALS, "ground_truth")?, find("rule", RULES, "grpo")?);
    let c = &mut recipe.config;
    (c.world.vocab, c.world.depth, c.world.prompts, c.world.held_out) = (TOKENS as usize, DEPTH as usize, 1, 0);
    (c.train.steps, c.train.train_batch_size, c.train.group_size, c.train.learning_rate) = (100, 1, 16, 1.5);
    (c.policy.sharing, c.train.eval_every) = (0.0, 10);
    c.objective.loss_agg_mode = LossAgg::SeqMeanTokenSum;
    Ok(recipe)
}

/// Mixes 32 bits.
fn hash(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7FEB_352D);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846C_A68B);
    x ^ x >> 16
}

/// Half of the prefixes of two tokens, half of those of four below them, and half of the responses below those.
fn world() -> World {
    let bit = |code: u32, salt: u32| hash(code ^ salt) >> 31 == 1;
    let right = |code: u32| {
        // the hashes name a path with the first token least significant
        let mirrored = (0..DEPTH).fold((code, 0), |(rest, m), _| (rest / TOKENS, m * TOKENS + rest % TOKENS)).1;
        bit(mirrored % TOKENS.pow(2), 0x1B87_3593) && bit(mirrored % TOKENS.pow(4), 0x85EB_CA6B) && bit(mirrored, 0xC2B2_AE35)
    };
    let right: Vec<bool> = (0..TOKENS.pow(DEPTH)).map(right).collect();
    World::listed(Array2::zeros((DEPTH as usize, TOKENS as usize)), &right, Seed(0))
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

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, other: usize| arguments.get(i).map_or(Ok(other), |a| a.parse());
    let (replicas, repeats) = (number(0, 64)?, number(1, 5)?);
    let vectors = match arguments.get(2).map(String::as_str) {
        Some("v4") => Vectors::V4,
        Some("v3") => Vectors::V3,
        Some("scalar") => Vectors::Scalar,
        _ => Vectors::Widest,
    };
    let (recipe, world) = (recipe()?, world());
    for repeat in 0..repeats as u64 {
        let seed = |i: u64| Seed((i + repeat * replicas as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let fleet: Vec<Replica> =
            (0..replicas as u64).map(|i| Replica { world: &world, recipe: &recipe, prompts: &[0], dice: seed(i) }).collect();
        let start = processor_time()?;
        let trails = success(&fleet, Options { vectors });
        let ns = (processor_time()? - start) / (replicas * recipe.config.train.steps) as f64;
        let mean = |at: usize| trails.iter().map(|trail| trail[at]).sum::<f64>() / replicas as f64;
        println!("{ns:.1} ns per replica-step; success {:.4} -> {:.4}", mean(0), mean(trails[0].len() - 1));
    }
    Ok(())
}

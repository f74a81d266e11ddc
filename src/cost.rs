//! What a cell is expected to cost.

use mta_sims::config::{Config, Mode};

/// Nanoseconds per action looked at when sampling or updating, and when measuring (measured on one 2.9 GHz server core).
const NS_PER_ACTION: f64 = 30.0;

/// Seconds that a cell takes one thread: actions looked at while training and while measuring.
pub fn seconds(config: &Config) -> f64 {
    let (world, train) = (&config.world, &config.train);
    let nodes = match train.mode {
        Mode::Sampled => train.train_batch_size as f64 * (train.group_size * world.depth) as f64 * 0.5,
        Mode::Exact => world.prompts as f64 * world.responses() * world.depth as f64,
    };
    let updates = (train.num_iterations * train.minibatches) as f64;
    let evaluations = 1.0 + train.steps as f64 / train.eval_every as f64;
    let measured = (world.all_prompts() * world.depth) as f64;
    1e-9 * NS_PER_ACTION * world.vocab as f64 * (train.steps as f64 * nodes * (1.0 + updates) / 4.0 + evaluations * measured)
}

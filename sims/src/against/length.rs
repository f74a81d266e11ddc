//! P21: sequences that may stop after every token.

use super::flow::{aitken, refine};
use super::setting::{recipe, small};
use super::{Simulation, exact, sampled};
use crate::cell::train_in;
use crate::config::{Baseline, World as Settings};
use crate::measure::summary;
use crate::policy::SoftmaxPolicy;
use crate::prior::Prior;
use crate::stream::Seed;
use crate::task::Task;
use crate::world::World;
use ndarray::{Array2, Array3};

/// A tree with an end token and one stop probability, cut at the longest response that has a name.
pub(super) static P21: Simulation = Simulation {
    proposition: "P21",
    setup: "a tree with an end token; entropies from its last three depths, extrapolated to infinite depth; drift: one sampled group of 16, log_policy, \
            rloo, sharing 1, moves of the end logit summed over depths, where fewer than 1e-4 of the responses are cut; no drift per token, because the \
            engine also counts the first token",
    tolerance: 1e-4,
    measures: &[
        exact("entropy", |x| entropy(x[0], x[1])),
        exact("entropy_slope", |x| {
            let reach = 0.25 * x[0].min(1.0 - x[0]);
            refine(reach, 12, |step| Some((entropy(x[0] + step, x[1])? - entropy(x[0] - step, x[1])?) / (2.0 * step)))
        }),
        sampled("summed_drift", summed_drift),
    ],
};

/// The longest responses that can be told apart with one more token than `vocab` and the end.
fn longest(vocab: usize) -> usize {
    (126.0 / ((vocab + 2) as f64).log2()) as usize
}

/// Depth 0 has one certain token, so that a response is what follows it.
fn world(stop: f64, vocab: usize, depth: usize, seed: Seed) -> Option<World> {
    let settings = Settings { vocab, depth, end_token: true, prompts: 1, held_out: 1, good_tokens: 1, ..Settings::DEFAULT };
    let task = Task::new(&settings, seed).ok()?;
    let logprob = |h: usize, v: usize| match (h, v) {
        (0, 0) => 0.0,
        (0, _) => f64::NEG_INFINITY,
        _ if v == vocab => stop.ln(),
        _ => ((1.0 - stop) / vocab as f64).ln(),
    };
    let logprobs = Array3::from_shape_fn((2, depth, vocab + 1), |(_, h, v)| logprob(h, v));
    let base = Prior { shared: Array2::zeros((depth, vocab)), logprobs };
    Some(World { task, base, alignment: f64::NAN, seed })
}

/// Aitken's limit of the entropies at three depths: what is cut off falls geometrically.
fn entropy(stop: f64, vocab: f64) -> Option<f64> {
    let vocab = small(vocab, 256.0).filter(|v| *v > 1)?;
    let at = |depth: usize| {
        let world = world(stop, vocab, depth, super::setting::UNUSED)?;
        let base = SoftmaxPolicy::new(&world.task, &world.base, 0.0);
        Some(summary(&base, &world.task, 0).entropy)
    };
    let last = longest(vocab);
    let third = (last - 1) / 3;
    Some(aitken([at(last - 2 * third)?, at(last - third)?, at(last)?]))
}

fn summed_drift(x: &[f64], seed: Seed) -> Option<f64> {
    let vocab = small(x[1], 256.0).filter(|v| *v > 1)?;
    let depth = longest(vocab);
    ((1.0 - x[0]).powi(depth as i32 - 1) < 1e-4).then_some(())?;
    let world = world(x[0], vocab, depth, seed)?;
    let recipe = recipe("log_policy", "reinforce", |c| {
        c.objective.baseline = Baseline::LeaveOneOut;
        c.policy.sharing = 1.0;
    });
    let mut drift = 0.0;
    train_in(&world, &recipe, &mut |_, policy, _| drift = policy.skill().column(vocab).sum());
    Some(drift)
}

//! Small worlds whose probabilities and right answers are written out.

use crate::stream::Seed;
use crate::world::World;
use ndarray::Array3;

/// One prompt, arms of given probabilities, some of them right. Nothing in it is drawn, so its seed matters to the dice of sampled runs only.
pub(super) fn bandit(probs: &[f64], right: &[bool]) -> World {
    tree(&[probs], &[right])
}

/// One prompt, the tokens of each depth with given probabilities, some of them right.
pub(super) fn tree(probs: &[&[f64]], right: &[&[bool]]) -> World {
    seeded(probs, right, Seed(0))
}

/// The same for sampled runs, with their dice.
pub(super) fn seeded(probs: &[&[f64]], right: &[&[bool]], seed: Seed) -> World {
    let shape = (1, probs.len(), probs[0].len());
    let logits = Array3::from_shape_fn(shape, |(_, h, v)| probs[h][v].ln());
    World::explicit(logits, Array3::from_shape_fn(shape, |(_, h, v)| right[h][v]), 1, seed)
}

//! Recipes whose limit is the base mode: when they work, by P35 in the default world and by training.

use super::Part;
use super::settings::{Ground, as_it_is};
use crate::config::World;
use mta_theory::alignment::{bulk_pass_at_1, mode_accuracy};

/// Share of right arms of a prompt in the default world: three good ones of quality .85, the rest of quality .04.
fn right_share() -> f64 {
    let w = World::DEFAULT;
    let good = w.good_tokens as f64;
    (good * w.good_quality + (w.vocab as f64 - good) * w.bad_quality) / w.vocab as f64
}

/// Gain of the mode over the base model, as a share of the distance to certainty.
fn kept(alignment: f64, idiosyncrasy: f64) -> f64 {
    let w = World::DEFAULT;
    let base = bulk_pass_at_1(right_share(), w.confidence, alignment);
    (mode_accuracy(w.vocab, right_share(), w.confidence, idiosyncrasy, alignment) - base) / (1.0 - base)
}

/// Most of the gain at .9, little at .1.
pub(super) fn mode_divide() -> Vec<Part> {
    let own = World::DEFAULT.idiosyncrasy;
    vec![
        Part::exact("mode keeps 0.8 at alignment 0.9", kept(0.9, own) - 0.8),
        Part::exact("mode keeps at most 0.3 at alignment 0.1", 0.3 - kept(0.1, own)),
    ]
}

/// At .9 with priors that differ from prompt to prompt.
pub(super) fn no_mode() -> Vec<Part> {
    vec![Part::exact("mode keeps 0.8 at alignment 0.9", kept(0.9, 3.0) - 0.8)]
}

/// What the counterexample of such a recipe drops.
pub(super) const DROPPED: &str = "the prior is shared by the prompts: idiosyncrasy 3";

/// The recipe keeps most of the gain at .9, little at .1.
pub(super) fn divide(ground: Ground, recipe: &'static str) -> Vec<Part> {
    vec![ground.keeps(recipe, 0.8, 0.9, as_it_is), ground.loses(recipe, 0.3, 0.1, as_it_is)]
}

/// The recipe at .9 with priors that differ from prompt to prompt.
pub(super) fn own_priors(ground: Ground, recipe: &'static str) -> Vec<Part> {
    vec![ground.keeps(recipe, 0.8, 0.9, |c| c.world.idiosyncrasy = 3.0)]
}

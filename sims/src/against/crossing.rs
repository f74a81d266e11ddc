//! P30: training that adds to success logits, and training that multiplies them.

use super::difficulty::{base_pass_at_k, prompt};
use super::flow::Flow;
use super::setting::accuracy;
use super::sharpening::sharpened;
use super::{Simulation, sampled};
use mta_theory::pass_at_k::pass_at_k;

/// One prompt per replicate.
pub(super) static P30: Simulation = Simulation {
    proposition: "P30",
    setup: "one prompt of a random population: base pass@k; after npg on ground_truth for a time of shift; after tempered with prior_power = power; tails \
            are limits and not measured",
    tolerance: 0.0,
    measures: &[
        sampled("pass_at_k", |x, seed| base_pass_at_k(&prompt(x[0], x[1], seed)?, x[5])),
        sampled("pass_at_k_tilted", |x, seed| {
            let world = prompt(x[0], x[1], seed)?;
            let success = Flow::new(&world, "ground_truth", "npg").in_steps(8, x[2], &|policy| accuracy(&world, policy))?;
            Some(pass_at_k(success, x[5]))
        }),
        sampled("pass_at_k_sharpened", |x, seed| {
            let world = prompt(x[0], x[1], seed)?;
            Some(pass_at_k(sharpened(&world, x[3], &|policy| accuracy(&world, policy))?, x[5]))
        }),
    ],
};

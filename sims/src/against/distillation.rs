//! P32: learning from a teacher, and from reward.

use super::clocks::logit_of_first;
use super::flow::Flow;
use super::setting::{UNUSED, two_arms};
use super::{Simulation, exact};
use mta_theory::simplex::logit;

/// Expected updates on a teacher's responses.
pub(super) static P32: Simulation = Simulation {
    proposition: "P32",
    setup: "exact mode: constant reward on a teacher's rollouts (reinforce), and ground_truth on one's own (pg): flow time to the target; the bound of the \
            mixture is not measured",
    tolerance: 1e-6,
    measures: &[
        exact("distillation_time", |x| {
            let (world, teacher) = (two_arms(x[0], UNUSED)?, two_arms(x[2], UNUSED)?);
            Flow::new(&world, "constant", "reinforce").taught_by(&teacher).time_until(logit(x[1]), &logit_of_first)
        }),
        exact("policy_gradient_time", |x| {
            let world = two_arms(x[0], UNUSED)?;
            Flow::new(&world, "ground_truth", "pg").time_until(logit(x[1]), &logit_of_first)
        }),
    ],
};

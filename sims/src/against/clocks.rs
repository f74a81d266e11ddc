//! P2: how long a true reward takes.

use super::flow::Flow;
use super::setting::{UNUSED, bandit, first_and_equal_others, prob};
use super::{Simulation, exact};
use crate::policy::SoftmaxPolicy;
use mta_theory::simplex::logit;

/// Training until accuracy is reached.
pub(super) static P2: Simulation = Simulation {
    proposition: "P2",
    setup: "exact mode, ground_truth: flow time until accuracy reaches p, extrapolated to step 0",
    tolerance: 1e-6,
    measures: &[
        exact("time_pg", |x| time(x, "pg")),
        exact("time_pg_std", |x| time(x, "pg_std")),
        exact("time_npg", |x| time(x, "npg")),
        exact("time_npg_std", |x| time(x, "npg_std")),
    ],
};

fn time(x: &[f64], rule: &str) -> Option<f64> {
    let world = bandit(&first_and_equal_others(x[0], x[2])?, UNUSED)?;
    Flow::new(&world, "ground_truth", rule).time_until(logit(x[1]), &logit_of_first)
}

/// Log-odds of the first arm, nats.
pub(super) fn logit_of_first(policy: &SoftmaxPolicy) -> f64 {
    logit(prob(policy, 0))
}

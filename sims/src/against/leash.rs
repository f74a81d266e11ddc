//! P8, P9: KL to the start, without and with group std.

use super::clocks::logit_of_first;
use super::flow::Flow;
use super::setting::{UNUSED, two_arms};
use super::verifier::accept;
use super::{Simulation, exact};
use crate::config::{Config, KlForm, KlPlace};
use crate::world::World;
use mta_theory::simplex::sigmoid;

/// Natural gradient of a noisy reward less KL.
pub(super) static P8: Simulation = Simulation {
    proposition: "P8",
    setup: "exact mode, noisy, npg, KL k1 taken off the reward: at the time given, extrapolated to step 0, and where it settles",
    tolerance: 1e-6,
    measures: &[
        exact("accuracy", |x| noisy(&two_arms(x[0], UNUSED)?, x).after(x[3], 1.0 + x[2], &logit_of_first).map(sigmoid)),
        exact("fixed_point", |x| noisy(&two_arms(x[0], UNUSED)?, x).limit(0.25 / x[2], &logit_of_first).map(sigmoid)),
    ],
};

fn noisy<'w>(world: &'w World, x: &[f64]) -> Flow<'w> {
    Flow::new(world, "noisy", "npg").with(|c| {
        accept(c, 0.5 + 0.5 * x[1], 0.5 - 0.5 * x[1]);
        leash(c, x[2]);
    })
}

/// KL to the start as part of the reward.
pub(super) fn leash(config: &mut Config, beta: f64) {
    let rule = &mut config.objective;
    (rule.kl_beta, rule.kl_form, rule.kl_place) = (beta, KlForm::K1, KlPlace::Reward);
}

/// Natural gradient with group std, and KL outside it.
pub(super) static P9: Simulation = Simulation {
    proposition: "P9",
    setup: "exact mode, ground_truth, npg_std, KL k2 in the loss: where it settles, and by bisection the smallest beta at which it does; the unstable point \
            is not visited",
    tolerance: 1e-3,
    measures: &[
        exact("critical_beta", |x| critical_beta(&two_arms(x[0], UNUSED)?)),
        exact("stable", |x| settles(&two_arms(x[0], UNUSED)?, "npg_std", x[1])),
        exact("without_std", |x| settles(&two_arms(x[0], UNUSED)?, "npg", x[1])),
    ],
};

fn settles(world: &World, rule: &str, beta: f64) -> Option<f64> {
    let flow = Flow::new(world, "ground_truth", rule).with(|c| {
        let rule = &mut c.objective;
        (rule.kl_beta, rule.kl_form, rule.kl_place) = (beta, KlForm::K2, KlPlace::Loss);
    });
    flow.limit(0.25 / (1.0 + beta), &logit_of_first).map(sigmoid).filter(|p| *p < ESCAPED)
}

/// Accuracy beyond which a policy has left: no leash considered holds it there.
const ESCAPED: f64 = 1.0 - 1e-9;

/// Bisection in ln beta: held at one end, free at the other.
fn critical_beta(world: &World) -> Option<f64> {
    let holds = |log_beta: f64| settles(world, "npg_std", log_beta.exp()).is_some();
    let (mut free, mut held) = (0.1f64.ln(), 100f64.ln());
    if holds(free) || !holds(held) {
        return None;
    }
    for _ in 0..13 {
        let middle = 0.5 * (free + held);
        if holds(middle) { held = middle } else { free = middle }
    }
    Some((0.5 * (free + held)).exp())
}

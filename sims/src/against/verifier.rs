//! P6, P7: verifiers that err by chance and by arm.

use super::clocks::logit_of_first;
use super::flow::Flow;
use super::setting::{UNUSED, accuracy, bandit, first_and_equal_others, gradient_weight, recipe, three_arms};
use super::{Simulation, exact, sampled};
use crate::config::Config;
use crate::real::Choice;
use crate::registry::Entry;
use crate::seen::Seen;
use crate::signals::{Chance, Coin, Rates, Signal};
use crate::world::World;
use mta_theory::simplex::logit;

/// A verifier with one error rate for right and one for wrong arms.
pub(super) static P6: Simulation = Simulation {
    proposition: "P6",
    setup: "exact mode, noisy: change of accuracy over a small step and flow time to p; amplification: one sampled group under grpo",
    tolerance: 1e-6,
    measures: &[
        exact("rate_pg", |x| rate(x, "pg")),
        exact("rate_pg_std", |x| rate(x, "pg_std")),
        exact("rate_npg", |x| rate(x, "npg")),
        exact("rate_npg_std", |x| rate(x, "npg_std")),
        sampled("amplification", |x, seed| {
            let world = bandit(&first_and_equal_others(x[0], x[4])?, seed)?;
            gradient_weight(&world, recipe("noisy", "grpo", |c| accept(c, x[2], x[3])), x[5])
        }),
        exact("time_npg_std", |x| noisy(&world(x)?, x, "npg_std").time_until(logit(x[1]), &logit_of_first)),
    ],
};

fn world(x: &[f64]) -> Option<World> {
    bandit(&first_and_equal_others(x[0], x[4])?, UNUSED)
}

fn noisy<'w>(world: &'w World, x: &[f64], rule: &str) -> Flow<'w> {
    Flow::new(world, "noisy", rule).with(|c| accept(c, x[2], x[3]))
}

fn rate(x: &[f64], rule: &str) -> Option<f64> {
    let world = world(x)?;
    noisy(&world, x, rule).slope(&|policy| accuracy(&world, policy))
}

/// Sets what is accepted how often: right and wrong arms, or the first and the second.
pub(super) fn accept(config: &mut Config, first: f64, second: f64) {
    (config.signal.tpr, config.signal.fpr) = (first, second);
}

/// A verifier that errs by arm. The registry has none, as its signals know right from wrong but not one wrong arm from another.
pub(super) static ARM_ACCEPTANCE: Signal = Signal {
    entry: Entry {
        name: "arm_acceptance",
        aliases: &[],
        doc: "A verifier that accepts the first arm with one chance, the second with another, and no other.",
        formula: "P(r = 1 | first token 0) = tpr, P(r = 1 | first token 1) = fpr, else 0",
        source: "theory sheet P7",
        elsewhere: &[],
    },
    label_free: false,
    params: &["tpr", "fpr"],
    shuffles: false,
    formula: &Coin(ByArm),
};

struct ByArm;

impl Chance for ByArm {
    #[inline(always)]
    fn chance<R: Seen, C: Choice<R::Truth>>(r: &R, p: &Rates<C>) -> C {
        C::choose(r.opens_with(0), p.tpr, C::choose(r.opens_with(1), p.fpr, p.never))
    }
}

/// A verifier that accepts a wrong arm more often than the right one.
pub(super) static P7: Simulation = Simulation {
    proposition: "P7",
    setup: "exact mode, npg, acceptance by arm: a natural step of any size is exact, so eight of them; the end is a flow time of 1e9; no policy gradient",
    tolerance: 1e-6,
    measures: &[exact("accuracy", |x| accuracy_at(x, x[4])), exact("fate_npg", |x| accuracy_at(x, 1e9))],
};

fn accuracy_at(x: &[f64], time: f64) -> Option<f64> {
    let world = bandit(&three_arms(x[0], x[1]), UNUSED)?;
    let flow = Flow::new(&world, "noisy", "npg").paid_by(&ARM_ACCEPTANCE).with(|c| accept(c, x[2], x[3]));
    flow.in_steps(8, time, &|policy| accuracy(&world, policy))
}

//! How long sequences take.

use super::explicit::seeded;
use super::settings::{alone, flow};
use super::{Claim, Part, Rung, Trial, Verdict};
use crate::cell::train_in;
use crate::measure::summary;
use crate::stream::Seed;
use crate::world::World;
use mta_theory::tree::{expected_groups, npg_time, pg_time};

/// Tokens to choose from.
const BRANCHING: usize = 3;

/// Runs averaged for one seed's waiting time.
const REPLICATES: u64 = 64;

pub(super) static CLAIM: Claim = Claim {
    id: "exploration-tree",
    paper: "Reward barriers of long horizons: arXiv 2603.06957 (policy gradient); the linear law and P33, P34 are our own",
    statement: "Time to learn grows as V^H for the policy gradient and linearly in H for the natural gradient; the first success comes after V^H / G groups.",
    prediction: "log of the time to accuracy 1/2 grows by at least .6 ln V from H = 3 to 4 for pg; npg's time at H = 4 is at most 1.4 times that at H = 3; the \
                 mean number of groups to the first success is within 20 % of 1/(1 - (1 - V^-H)^G)",
    finding: "",
    trials: &[
        Trial {
            rung: Rung::Theory,
            expected: Verdict::Holds,
            parts: || laws(|h| pg_time(BRANCHING as f64, h, 0.5), |h| npg_time(BRANCHING as f64, h, 0.5)),
            dropped: "the policy gradient's geometry: natural gradient in its place",
            counterexample: || vec![exponential(|h| npg_time(BRANCHING as f64, h, 0.5))],
        },
        Trial {
            rung: Rung::Tree,
            expected: Verdict::Holds,
            parts: || laws(|h| time("pg", h), |h| time("npg", h)).into_iter().chain(waits(1.0)).collect(),
            dropped: "a base model that knows nothing: one in which the right token leads",
            counterexample: || waits(3.0),
        },
    ],
};

fn laws(pg: fn(f64) -> f64, npg: fn(f64) -> f64) -> Vec<Part> {
    vec![exponential(pg), Part::exact("npg: linear in depth", 1.4 - npg(4.0) / npg(3.0))]
}

fn exponential(time: fn(f64) -> f64) -> Part {
    Part::exact("exponential in depth", (time(4.0) / time(3.0)).ln() - 0.6 * (BRANCHING as f64).ln())
}

/// Groups after which waiting ends: ten times the mean wait.
const LONGEST_WAIT: usize = 100;

/// A base model whose only right token is `lead` times as likely as each other one.
fn world(depth: usize, lead: f64, seed: Seed) -> World {
    let total = lead + BRANCHING as f64 - 1.0;
    let probs: Vec<f64> = (0..BRANCHING).map(|v| if v == 0 { lead / total } else { 1.0 / total }).collect();
    let right: Vec<bool> = (0..BRANCHING).map(|v| v == 0).collect();
    seeded(&vec![probs.as_slice(); depth], &vec![right.as_slice(); depth], seed)
}

/// Time of the flow to accuracy 1/2 from the uniform policy; missing (NaN) where it is not reached.
fn time(rule: &str, depth: f64) -> f64 {
    let (world, ready) = (world(depth as usize, 1.0, Seed(0)), flow(rule, "ground_truth", 0.05, 60.0, |_| {}));
    let mut reached = None;
    train_in(&world, &ready, &mut |step, policy, _| {
        if reached.is_none() && summary(policy, &world.task, 0).success >= 0.5 {
            reached = Some(step as f64 * ready.config.train.learning_rate);
        }
    });
    reached.unwrap_or(f64::NAN)
}

/// The mean number of groups until one has a success, against the geometric law of a uniform policy.
fn waits(lead: f64) -> Vec<Part> {
    let (depth, group) = (4, 8);
    let predicted = expected_groups(BRANCHING as f64, depth as f64, group as f64);
    let waited = move |seed: Seed, i: u64| first_success(depth, group, lead, Seed(seed.0 * REPLICATES + i)) as f64;
    let ratio = move |seed: Seed| (0..REPLICATES).map(|i| waited(seed, i)).sum::<f64>() / (REPLICATES as f64 * predicted);
    vec![
        Part::per_seed("groups to the first success: not fewer", (-0.8, 2.2), move |lab| ratio(lab.seed) - 0.8),
        Part::per_seed("groups to the first success: not more", (-1.8, 1.2), move |lab| 1.2 - ratio(lab.seed)),
    ]
}

fn first_success(depth: usize, group: usize, lead: f64, seed: Seed) -> usize {
    let ready = alone("standard", |c| (c.train.group_size, c.train.steps) = (group, LONGEST_WAIT));
    let mut first = None;
    train_in(&world(depth, lead, seed), &ready, &mut |step, _, stats| {
        if first.is_none() && stats.is_some_and(|s| s.reward > 0.0) {
            first = Some(step);
        }
    });
    first.unwrap_or(LONGEST_WAIT)
}

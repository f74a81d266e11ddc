//! Clipping gives a coin a direction.

use super::explicit::seeded;
use super::lab::{Lab, responses};
use super::settings::alone;
use super::{Claim, Part, Rung, Trial, Verdict};
use crate::config::Config;
use crate::recipe::Ready;
use crate::stream::Seed;
use mta_theory::clipping::chance_to_win;
use mta_theory::random_reward::drift;

pub(super) static CLAIM: Claim = Claim {
    id: "random-clip",
    paper: "Spurious Rewards, arXiv 2506.10947",
    statement: "Clipping turns a random reward into a drift to the mode.",
    prediction: "mean probability of the base mode rises over 200 batches of 16 fresh minibatches; in theory its chance to win, I_p(7,7), exceeds p",
    finding: "True for one pass over fresh minibatches whose noise leaves the clip range (P13). Without clipping the second-order drift is toward 1/2, away \
              from the mode (P11); and where the same batch is reused for several epochs, clipping stops losses of the mode less than its gains and the mode \
              loses (P14). The paper's version holds for fresh minibatches and steps as large as the clip range.",
    trials: &[
        Trial {
            rung: Rung::Theory,
            expected: Verdict::Holds,
            parts: || [0.55, 0.65, 0.8].map(|p| Part::exact(format!("p = {p}"), chance_to_win(p) - p)).into(),
            dropped: "clipping",
            counterexample: || vec![Part::exact("p = .65", drift(&[0.65, 0.35], 0.1)[0])],
        },
        Trial::holds(
            Rung::Bandit,
            DROPPED,
            || vec![mode_rises("fresh minibatches", arms, fresh)],
            || vec![mode_rises("no clipping", arms, unclipped)],
        ),
        Trial::holds(
            Rung::Tree,
            DROPPED,
            || vec![mode_rises("fresh minibatches", paths, fresh)],
            || vec![mode_rises("16 passes over one batch", paths, reused)],
        ),
    ],
};

const DROPPED: &str = "clipping on fresh minibatches";

/// Runs averaged into one value per seed.
const REPLICATES: u64 = 8;

/// Token probabilities at each depth, the mode first.
type Base = (&'static [&'static [f64]], &'static [&'static [bool]]);

fn arms() -> Base {
    (&[&[0.65, 0.35]], &[&[true, false]])
}

fn paths() -> Base {
    (&[&[0.7, 0.3], &[0.7, 0.3]], &[&[true, false], &[true, false]])
}

fn coin(set: fn(&mut Config)) -> Ready {
    alone("random-clip", |c| {
        (c.train.train_batch_size, c.train.minibatches, c.train.group_size) = (16, 16, 8);
        (c.train.steps, c.train.learning_rate) = (200, 1.0);
        set(c);
    })
}

fn fresh(_: &mut Config) {}

fn unclipped(c: &mut Config) {
    (c.objective.clip_low, c.objective.clip_high) = (1.0, 1e9);
}

fn reused(c: &mut Config) {
    (c.train.train_batch_size, c.train.minibatches, c.train.num_iterations, c.train.steps) = (1, 1, 16, 100);
}

/// Mean over replicates of the probability of the base model's most likely response, in the end less at the start.
fn mode_rises(place: &str, base: fn() -> Base, set: fn(&mut Config)) -> Part {
    let start: f64 = base().0.iter().map(|probs| probs[0]).product();
    Part::per_seed(place, (-start, 1.0 - start), move |lab: &Lab| {
        let (probs, right) = base();
        let end = |i: u64| responses(&seeded(probs, right, Seed(lab.seed.0 * REPLICATES + i)), &coin(set))[0];
        (0..REPLICATES).map(end).sum::<f64>() / REPLICATES as f64 - start
    })
}

//! Self-reward needs a leash heavier than itself.

use super::explicit::{bandit, tree};
use super::lab::responses;
use super::settings::flow;
use super::{Claim, Part, Rung, SHARPENING, Trial, Verdict};
use crate::config::{Config, KlForm, KlPlace};
use crate::recipe::Ready;
use crate::world::World;
use mta_theory::self_reward::{gain, leashed_optimum};
use mta_theory::stability::{Objective, condition, total_variation};

/// Total variation by which the ends of two runs from nearly tied base models count as apart, and as together.
const APART: f64 = 0.8;
const TOGETHER: f64 = 0.2;

pub(super) static CLAIM: Claim = Claim {
    id: "sharpen-unstable",
    paper: SHARPENING,
    statement: "Sharpening by the policy's own log-probability has a smooth optimum only above a KL weight of 1; the true reward has one at every weight.",
    prediction: "two base models that differ in a near tie end >= .8 apart in total variation at kl_beta .5, and <= .2 apart at 2; with the true reward <= .2 at .5",
    finding: "",
    trials: &[
        Trial {
            rung: Rung::Theory,
            expected: Verdict::Holds,
            parts: theory,
            dropped: "a reward of one's own: the true reward has a finite condition number at every weight",
            counterexample: || vec![Part::exact("condition number at .5 above 100", condition(Objective::Task, 0.5) - 100.0)],
        },
        Trial::holds(Rung::Bandit, DROPPED, || divide(&arms()), || vec![apart("true reward, kl_beta .5", &arms(), "ground_truth", 0.5)]),
        Trial::holds(Rung::Tree, DROPPED, || divide(&paths()), || vec![apart("true reward, kl_beta .5", &paths(), "ground_truth", 0.5)]),
    ],
};

const DROPPED: &str = "a reward of one's own: the true reward instead";

fn theory() -> Vec<Part> {
    let none = |beta: f64| f64::from(leashed_optimum(&[0.5f64.ln(), 0.5f64.ln()], beta).is_none()) - 0.5;
    vec![
        Part::exact("no interior optimum at .5", none(0.5)),
        Part::exact("none at 1", none(1.0)),
        Part::exact("one at 1.01", -none(1.01)),
        Part::exact("whose gain exceeds 100", gain(1.01).unwrap_or(0.0) - 100.0),
    ]
}

/// Two base models that differ by which of two responses leads by a hair.
type Twins = [World; 2];

fn arms() -> Twins {
    [[0.36, 0.34, 0.3], [0.34, 0.36, 0.3]].map(|p| bandit(&p, &[false, true, false]))
}

fn paths() -> Twins {
    [[0.51, 0.49], [0.49, 0.51]].map(|p| tree(&[&p, &[0.6, 0.4]], &[&[false, true], &[true, true]]))
}

fn divide(twins: &Twins) -> Vec<Part> {
    vec![
        apart("self-reward, kl_beta .5", twins, "log_policy", 0.5),
        together("self-reward, kl_beta 2", twins, "log_policy", 2.0),
        together("true reward, kl_beta .5", twins, "ground_truth", 0.5),
    ]
}

fn leashed(signal: &str, beta: f64) -> Ready {
    let leash = |c: &mut Config| (c.objective.kl_beta, c.objective.kl_place, c.objective.kl_form) = (beta, KlPlace::Reward, KlForm::K1);
    flow("npg", signal, 0.02, 14.0, leash)
}

fn distance(twins: &Twins, signal: &str, beta: f64) -> f64 {
    let [one, other] = [0, 1].map(|i: usize| responses(&twins[i], &leashed(signal, beta)));
    total_variation(&one, &other)
}

fn apart(place: &str, twins: &Twins, signal: &str, beta: f64) -> Part {
    Part::exact(place, distance(twins, signal, beta) - APART)
}

fn together(place: &str, twins: &Twins, signal: &str, beta: f64) -> Part {
    Part::exact(place, TOGETHER - distance(twins, signal, beta))
}

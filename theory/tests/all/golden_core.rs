//! P1 to P10 against numbers of 17 and more digits computed with arbitrary precision elsewhere.

use approx::assert_relative_eq;
use mta_theory::clocks::{Clock, Collision, time};
use mta_theory::conservation::{invariant, limit_logit};
use mta_theory::fixation::chance;
use mta_theory::group_gradient::{amplification, amplification_of_kept_groups, informative_probability, objective};
use mta_theory::leash::{critical_beta, equilibria};
use mta_theory::price::{gradient_rate, natural_rate};
use mta_theory::push_back::{arm_rate, gradient_norm};
use mta_theory::simplex::{logit, sigmoid};
use mta_theory::verifier::Verifier;

/// The rows of a file, without comments and names.
fn rows<const N: usize>(file: &str) -> Vec<[f64; N]> {
    let lines = file.lines().filter(|line| !line.starts_with('#')).skip(1);
    lines.map(|line| line.split(',').map(|x| x.parse().unwrap()).collect::<Vec<f64>>().try_into().unwrap()).collect()
}

fn close(ours: f64, golden: f64) {
    assert_relative_eq!(ours, golden, max_relative = 1e-10, epsilon = 0.0);
}

#[test]
fn clocks() {
    for [p0, p, arms, times @ ..] in rows::<7>(include_str!("../../golden/clocks.csv")) {
        for (clock, golden) in Clock::ALL.into_iter().zip::<[f64; 4]>(times) {
            close(time(clock, p0, p, arms), golden);
        }
    }
}

#[test]
fn conservation() {
    for [theta, largest, i, limit, gain] in rows(include_str!("../../golden/conservation.csv")) {
        close(invariant(theta, largest), i);
        close(limit_logit(theta, largest).unwrap(), limit);
        close((mta_theory::conservation::P3.evaluate)(&[theta, largest])[2].unwrap(), gain);
    }
}

/// The general sum loses digits where two common arms almost cancel; the rate of one arm does not.
#[test]
fn price_and_push_back() {
    for [p1, p2, r2, natural, gradient, mean_reward, norm] in rows(include_str!("../../golden/push_back.csv")) {
        let (p, r, first) = ([p1, p2, 1.0 - p1 - p2], [1.0, r2, 0.0], [1.0, 0.0, 0.0]);
        close(natural_rate(&p, &first, &r), natural);
        assert_relative_eq!(gradient_rate(&p, &first, &r), gradient, max_relative = 1e-7, epsilon = 0.0);
        close(arm_rate(&p, &r, 0), gradient);
        close(gradient_rate(&p, &r, &r), mean_reward);
        close(gradient_norm(&p, &r), norm);
    }
}

#[test]
fn group_gradient() {
    for [p, group, c, kept, informative, h] in rows(include_str!("../../golden/group_gradient.csv")) {
        close(amplification(p, group as u64), c);
        close(amplification_of_kept_groups(p, group as u64).unwrap(), kept);
        close(informative_probability(p, group as u64), informative);
        close(objective(p, group as u64), h);
    }
}

#[test]
fn verifier() {
    for [tpr, fpr, p0, p, rate, c, time] in rows(include_str!("../../golden/verifier.csv")) {
        let verifier = Verifier { tpr, fpr };
        close(verifier.rate(Clock::NpgStd, p0, Collision::symmetric(2.0)), rate);
        close(verifier.amplification(p0, 8), c);
        close(verifier.npg_std_time(p0, p), time);
    }
}

#[test]
fn leash() {
    for [p0, beta, critical, stable, unstable] in rows(include_str!("../../golden/leash.csv")) {
        close(critical_beta(p0), critical);
        let found = equilibria(logit(p0), beta).unwrap();
        close(sigmoid(found.stable), stable);
        close(found.unstable, unstable);
    }
}

#[test]
fn fixation() {
    for [p0, selection, golden] in rows(include_str!("../../golden/fixation.csv")) {
        close(chance(p0, selection), golden);
    }
}

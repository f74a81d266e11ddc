//! Laws of signals and advantages, over the whole registry of signals x rules, on random batches.
//!
//! Every formula here is written again from the papers, on plain lists of rewards; none is taken from the code under test.

mod common;

use common::{Batch, all_pairs, batch, close, mean, reordered, rule, signal, std};
use mta_sim::sims::config::{Baseline, Config, Objective};
use mta_sim::sims::critic::Critic;
use mta_sim::sims::objective::{Advantages, advantages, shape};
use mta_sim::sims::paid::Paid;
use mta_sim::sims::registry::Named;
use mta_sim::sims::rollout::{Group, Rollout, Token};
use mta_sim::sims::rules::{RULES, Rule};
use mta_sim::sims::signals::{Pay, SIGNALS, Signal};
use proptest::prelude::*;

fn fresh(rule: &Rule, batch: &[Paid]) -> Advantages {
    advantages(&rule.objective, batch, &Critic::default())
}

fn shaped(rule: &Rule, batch: &Batch) -> Vec<Paid> {
    batch.rewarded(rule).into_iter().map(|paid| shape(&rule.objective, paid)).collect()
}

fn flat(advantages: &Advantages) -> Vec<f64> {
    advantages.iter().flatten().flatten().copied().collect()
}

/// Panics unless the two sets of advantages agree; `weight` 0 rollouts (the greedy baseline) are not trained on and not compared.
fn assert_agree(batch: &[Paid], got: &Advantages, expected: &Advantages, tolerance: f64, what: &str) {
    for ((paid, got), expected) in batch.iter().zip(got).zip(expected) {
        for ((rollout, got), expected) in paid.group.rollouts.iter().zip(got).zip(expected) {
            let same = got.len() == expected.len() && got.iter().zip(expected).all(|(x, y)| close(*x, *y, tolerance));
            assert!(same || rollout.weight == 0.0, "{what}: {got:?} is not {expected:?}");
        }
    }
}

// ---- order -------------------------------------------------------------------------------------------------------------------------------

fn reordered_group(group: &Group, order: &[usize]) -> Group {
    Group { rollouts: reordered(&group.rollouts, order), ..group.clone() }
}

fn reordered_paid(paid: &Paid, order: &[usize]) -> Paid {
    Paid { group: reordered_group(&paid.group, order), rewards: reordered(&paid.rewards, order) }
}

/// Whether two answers share the most votes, so that the first seen is chosen.
fn is_tied(group: &Group) -> bool {
    let votes = |answer| group.rollouts.iter().filter(|r| r.answer == answer).count();
    let counts = [votes(0), votes(1), votes(2)];
    counts.iter().filter(|c| *c == counts.iter().max().unwrap()).count() > 1
}

/// Signals that choose the answer seen first among equals.
fn breaks_ties_by_order(signal: &Signal) -> bool {
    ["majority", "incorrect_label"].contains(&signal.name())
}

fn same_pay(x: &Pay, y: &Pay) -> bool {
    match (x, y) {
        (Pay::Value(x), Pay::Value(y)) | (Pay::Coin(x), Pay::Coin(y)) => close(*x, *y, 1e-12),
        _ => false,
    }
}

proptest! {
    /// Once paid, no rule knows the order of a group: rewards move with their rollouts (so coins and shuffles are tossed before), the greedy baseline stays
    /// last. For every signal and rule.
    #[test]
    fn advantages_move_with_their_rollouts(batch in batch()) {
        for (signal, rule) in all_pairs() {
            let paid = batch.paid(signal, rule);
            let moved: Vec<Paid> = paid.iter().map(|p| reordered_paid(p, &batch.order)).collect();
            let expected = fresh(rule, &paid).iter().map(|group| reordered(group, &batch.order)).collect();
            assert_agree(&moved, &fresh(rule, &moved), &expected, 1e-7, &format!("{} x {}", signal.name(), rule.name()));
        }
    }

    /// What a signal offers (a number, or the chance of a coin not yet tossed) moves with the rollout; ties in the vote aside.
    #[test]
    fn pay_moves_with_its_rollout(batch in batch()) {
        for (signal, group) in SIGNALS.iter().flat_map(|s| batch.groups.iter().map(move |g| (s, g))) {
            if breaks_ties_by_order(signal) && is_tied(group) {
                continue;
            }
            let (plain, moved) = (pay_of(signal, group), pay_of(signal, &reordered_group(group, &batch.order)));
            let same = reordered(&plain, &batch.order).iter().zip(&moved).all(|(x, y)| same_pay(x, y));
            prop_assert!(same, "{}: {plain:?} became {moved:?}", signal.name());
        }
    }

    /// Of equally many votes, the answer seen first wins.
    #[test]
    fn ties_go_to_the_first_seen(batch in batch()) {
        for group in batch.groups.iter().filter(|g| is_tied(g)) {
            let votes = |answer| group.rollouts.iter().filter(|r| r.answer == answer).count();
            let most = (0..3).map(votes).max().unwrap();
            let first = group.rollouts.iter().find(|r| votes(r.answer) == most).unwrap().answer;
            prop_assert_eq!(group.majority(), Some(first));
        }
    }
}

fn pay_of(signal: &Signal, group: &Group) -> Vec<Pay> {
    signal.pay(group, &Config::DEFAULT.signal)
}

// ---- labels ------------------------------------------------------------------------------------------------------------------------------

fn with_other_labels(group: &Group) -> Group {
    let mut other = group.clone();
    other.rollouts.iter_mut().for_each(|r| r.correct = !r.correct);
    other.label.luck = 1.0 - other.label.luck;
    other.label.wrong = other.label.wrong.map_or(Some(0), |_| None);
    other
}

proptest! {
    /// A label-free signal pays the same whatever is correct and whatever the label says.
    #[test]
    fn label_free_signals_do_not_see_the_truth(batch in batch()) {
        for signal in SIGNALS.iter().filter(|s| s.label_free) {
            for group in &batch.groups {
                prop_assert_eq!(pay_of(signal, group), pay_of(signal, &with_other_labels(group)), "{}", signal.name());
            }
        }
    }
}

fn with_other_reference(group: &Group) -> Group {
    let mut other = group.clone();
    other.rollouts.iter_mut().enumerate().for_each(|(i, r)| r.tokens.iter_mut().for_each(|t| t.ref_logprob -= 0.3 + i as f64));
    other
}

proptest! {
    /// A signal pays otherwise under another base model if and only if it says that it reads the base model's log-probabilities.
    #[test]
    fn signals_that_read_the_reference_say_so(batch in batch()) {
        for signal in SIGNALS {
            let same = batch.groups.iter().all(|group| pay_of(signal, group) == pay_of(signal, &with_other_reference(group)));
            prop_assert_eq!(same, !signal.reads_reference(), "{}", signal.name());
        }
    }
}

/// And the others do see it: each pays differently once the truth is turned over, in a group with one right rollout of three.
#[test]
fn the_other_signals_see_the_truth() {
    let token = Token { id: 0, logprob: -1.0, ref_logprob: -1.5, entropy: 0.7, certainty: 2.0 };
    let rollout =
        |answer: u128| Rollout { tokens: vec![token], weight: 1.0 / 3.0, vote: 1.0 / 3.0, answer, correct: answer == 0, formatted: true };
    let label = mta_sim::sims::rollout::Label { luck: 0.5, wrong: Some(1) };
    let group = Group { prompt: 0, rollouts: vec![rollout(0), rollout(1), rollout(1)], size: Some(3), label };
    for signal in SIGNALS.iter().filter(|s| !s.label_free) {
        let mut params = Config::DEFAULT.signal;
        params.pass_k = 2;
        let pay = |group: &Group| signal.pay(group, &params);
        assert_ne!(pay(&group), pay(&with_other_labels(&group)), "{}", signal.name());
    }
}

// ---- equal rewards -----------------------------------------------------------------------------------------------------------------------

fn with_equal_rewards(rule: &Rule, batch: &Batch) -> Vec<Paid> {
    let mut paid = batch.rewarded(rule);
    for (g, paid) in paid.iter_mut().enumerate() {
        paid.rewards.fill(batch.rewards[g]);
    }
    paid
}

/// Rules that compare rollouts of one prompt.
fn compares_within_groups(o: &Objective) -> bool {
    matches!(o.baseline, Baseline::GroupMean | Baseline::LeaveOneOut | Baseline::LengthWeighted | Baseline::SecondBest | Baseline::Greedy)
}

/// Advantages of a batch whose groups all earn their `rewards`, for the rules that do not compare within groups.
fn without_comparison(name: &str, r: f64, rewards: &[f64], lengths: &[f64]) -> f64 {
    let total: f64 = lengths.iter().sum();
    let token_mean = rewards.iter().zip(lengths).map(|(r, t)| r * t).sum::<f64>() / total;
    let token_variance = rewards.iter().zip(lengths).map(|(r, t)| t * (r - token_mean).powi(2)).sum::<f64>() / total;
    match name {
        "reinforce" | "ppo" => r,
        "reinforce++" => (r - token_mean) / (token_variance.sqrt() + 1e-8),
        "psr" => f64::from(r > 0.0),
        "nsr" => -f64::from(r <= 0.0),
        "w_reinforce" => {
            if r > 0.0 {
                0.1
            } else {
                -1.0
            }
        }
        other => panic!("{other} is new: say what it does where all rewards are equal"),
    }
}

proptest! {
    /// Groups whose (shaped) rewards are all equal push nothing under any rule that compares rollouts of one prompt. The others do as documented: the reward
    /// itself, its sign, or its distance from the batch.
    #[test]
    fn equal_rewards_push_nothing(batch in batch()) {
        for rule in RULES {
            let paid = with_equal_rewards(rule, &batch);
            let ready: Vec<Paid> = if rule.objective.kl_beta > 0.0 { paid.clone() } else { shape_all(rule, paid.clone()) };
            let rewards: Vec<f64> = paid.iter().map(|p| p.rewards[0]).collect();
            let lengths: Vec<f64> = paid.iter().map(|p| p.group.rollouts.iter().map(|r| r.length() as f64).sum()).collect();
            for (g, group) in fresh(rule, &ready).iter().enumerate() {
                let zero = compares_within_groups(&rule.objective);
                let (expected, tolerance) =
                    if zero { (0.0, 1e-12) } else { (without_comparison(rule.name(), rewards[g], &rewards, &lengths), 1e-7) };
                let agrees = group.iter().flatten().all(|a| close(*a, expected, tolerance));
                prop_assert!(agrees, "{}: {group:?} is not {expected}", rule.name());
            }
        }
    }
}

fn shape_all(rule: &Rule, batch: Vec<Paid>) -> Vec<Paid> {
    batch.into_iter().map(|paid| shape(&rule.objective, paid)).collect()
}

// ---- formulas ----------------------------------------------------------------------------------------------------------------------------

/// Rewards less any KL penalty, of the rollouts trained on: `R_i`, per group.
fn earned(name: &str, batch: &[Paid]) -> Vec<Vec<f64>> {
    let penalty = |r: &Rollout| if name == "rloo_trl" { 0.05 * (r.logprob() - r.ref_logprob()) } else { 0.0 };
    let trained = |p: &Paid| {
        let pairs = p.group.rollouts.iter().zip(&p.rewards).filter(|(r, _)| r.weight > 0.0);
        pairs.map(|(r, reward)| reward - penalty(r)).collect()
    };
    batch.iter().map(trained).collect()
}

fn lengths(paid: &Paid) -> Vec<f64> {
    paid.group.rollouts.iter().filter(|r| r.weight > 0.0).map(|r| r.length() as f64).collect()
}

/// The advantage of every rollout by the formula of the rule's paper, from rewards alone; whitening is over tokens and comes after.
fn by_the_paper(name: &str, batch: &[Paid]) -> Vec<Vec<f64>> {
    let rewards = earned(name, batch);
    let everything = rewards.concat();
    let greedy = |g: usize| *batch[g].rewards.last().unwrap();
    let of_group = |g: usize, r: &[f64]| -> Vec<f64> {
        match name {
            "grpo" | "dapo" | "gspo" | "cispo_trl" | "cispo_verl" | "cispo_open_instruct" | "pg_std" | "npg_std" => scored(r, 0, 1e-6),
            "grpo_verl" | "dapo_mta" => scored(r, 1, 1e-6),
            "grpo_trl" | "bnpo_trl" => scored(r, 1, 1e-4),
            "dr_grpo" | "pg" | "npg" | "reinforce++-baseline" => less(r, mean(r)),
            "lite_ppo" => over(less(r, mean(r)), std(&everything, 0) + 1e-6),
            "reinforce" | "reinforce++" | "ppo" => r.to_vec(),
            "rloo" | "rloo_trl" => less_the_others(r),
            "remax" => less(r, greedy(g)),
            "gpg" => over(less(r, mean(r)), share_paid(&everything) + 1e-6),
            "opo" => less(r, weighted(r, &lengths(&batch[g]))),
            "grpo_passk" => lead(r),
            "maxrl" => over(less(r, mean(r)), mean(r) + 1e-6),
            "bnpo_beta" => over(less(r, mean(r)), beta_fit(&rewards, mean(r)) + 1e-6),
            "psr" => r.iter().map(|r| f64::from(*r > 0.0)).collect(),
            "nsr" => r.iter().map(|r| -f64::from(*r <= 0.0)).collect(),
            "w_reinforce" => r.iter().map(|r| if *r > 0.0 { 0.1 } else { -1.0 }).collect(),
            "psr_mta" => gated(r, 1.0, 0.0),
            "nsr_mta" => gated(r, 0.0, 1.0),
            "w_reinforce_mta" => gated(r, 0.1, 1.0),
            other => panic!("{other} is new: write its formula here"),
        }
    };
    rewards.iter().enumerate().map(|(g, r)| of_group(g, r)).collect()
}

fn less(r: &[f64], baseline: f64) -> Vec<f64> {
    r.iter().map(|x| x - baseline).collect()
}

fn over(r: Vec<f64>, scale: f64) -> Vec<f64> {
    r.into_iter().map(|x| if x == 0.0 { 0.0 } else { x / scale }).collect()
}

fn scored(r: &[f64], ddof: usize, floor: f64) -> Vec<f64> {
    over(less(r, mean(r)), std(r, ddof) + floor)
}

fn less_the_others(r: &[f64]) -> Vec<f64> {
    let others = |i: usize| r.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, x)| x).sum::<f64>() / (r.len() - 1) as f64;
    r.iter().enumerate().map(|(i, x)| x - others(i)).collect()
}

fn share_paid(r: &[f64]) -> f64 {
    r.iter().filter(|x| **x != 0.0).count() as f64 / r.len() as f64
}

fn weighted(r: &[f64], weights: &[f64]) -> f64 {
    r.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>() / weights.iter().sum::<f64>()
}

fn gated(r: &[f64], positive: f64, negative: f64) -> Vec<f64> {
    scored(r, 0, 1e-6).iter().zip(r).map(|(a, x)| a * if *x > 0.0 { positive } else { negative }).collect()
}

/// Only the single best gets anything: its lead over the second.
fn lead(r: &[f64]) -> Vec<f64> {
    let mut sorted = r.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (best, second) = (sorted[r.len() - 1], sorted[r.len() - 2]);
    let size = (best - second) / (std(r, 1) + 1e-6);
    r.iter().map(|x| if *x == best { size } else { 0.0 }).collect()
}

/// Density at `m` of Beta(1 + a/3, 1 + b/3), with a and b matching mean and variance of the groups' means; by quadrature, 1 where they fit no Beta law.
fn beta_fit(rewards: &[Vec<f64>], m: f64) -> f64 {
    let rates: Vec<f64> = rewards.iter().map(|r| mean(r)).collect();
    let (centre, variance) = (mean(&rates), std(&rates, 0).powi(2));
    let size = centre * (1.0 - centre) / variance - 1.0;
    if variance < 1e-12 || size <= 0.0 || !(0.0..=1.0).contains(&m) {
        return 1.0;
    }
    beta_by_quadrature(centre * size / 3.0, (1.0 - centre) * size / 3.0, m)
}

/// Density at `m` of Beta(1 + a, 1 + b): the power law over its area, which lies within 25 standard deviations of the mean.
fn beta_by_quadrature(a: f64, b: f64, m: f64) -> f64 {
    let (peak, middle) = (a / (a + b), (1.0 + a) / (2.0 + a + b));
    let spread = (middle * (1.0 - middle) / (3.0 + a + b)).sqrt();
    let (low, high) = (f64::max(0.0, middle - 25.0 * spread), f64::min(1.0, middle + 25.0 * spread));
    let log = |x: f64| a * x.ln() + b * (1.0 - x).ln();
    let relative = |x: f64| (log(x) - log(peak)).exp();
    let h = (high - low) / 20_000.0;
    let area: f64 = (0..20_000).map(|i| h * relative(low + (f64::from(i) + 0.5) * h)).sum();
    relative(m) / area
}

/// Spreads a rollout's advantage over its tokens and whitens over all tokens where the rule does.
fn over_tokens(name: &str, batch: &[Paid], of_rollouts: &[Vec<f64>]) -> Advantages {
    let spread = |(paid, a): (&Paid, &Vec<f64>)| a.iter().zip(lengths(paid)).map(|(a, t)| vec![*a; t as usize]).collect();
    let mut all: Advantages = batch.iter().zip(of_rollouts).map(spread).collect();
    if name.starts_with("reinforce++") {
        let tokens = flat(&all);
        let (m, s) = (mean(&tokens), std(&tokens, 0) + 1e-8);
        all.iter_mut().flatten().flatten().for_each(|a| *a = (*a - m) / s);
    }
    all
}

proptest! {
    /// Every rule of the registry gives the advantages of its paper, on 0/1 and on real rewards.
    #[test]
    fn advantages_are_those_of_the_papers(batch in batch()) {
        for rule in RULES {
            let raw = batch.rewarded(rule);
            let expected = over_tokens(rule.name(), &raw, &by_the_paper(rule.name(), &raw));
            assert_agree(&raw, &fresh(rule, &shaped(rule, &batch)), &expected, 1e-5, rule.name());
        }
    }

    /// rloo is G/(G-1) times dr_grpo; their sum over a group is zero.
    #[test]
    fn rloo_is_dr_grpo_stretched(batch in batch()) {
        let size = batch.order.len() as f64;
        let (rloo, dr) = (rule("rloo"), rule("dr_grpo"));
        let (rloo, dr) = (fresh(rloo, &shaped(rloo, &batch)), fresh(dr, &shaped(dr, &batch)));
        for (x, y) in flat(&rloo).iter().zip(flat(&dr)) {
            prop_assert!(close(*x, size / (size - 1.0) * y, 1e-12));
        }
        prop_assert!(dr.iter().all(|group| group.iter().map(|tokens| tokens[0]).sum::<f64>().abs() < 1e-9));
    }

    /// Positive and negative parts add up, exactly: Zhu's to the signed reward, MTA's to GRPO.
    #[test]
    fn positive_and_negative_parts_add_up(batch in batch()) {
        let of = |name: &str| flat(&fresh(rule(name), &shaped(rule(name), &batch)));
        let signs: Vec<f64> = batch.rewarded(rule("psr")).iter().flat_map(signs).collect();
        let sum = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x + y).collect::<Vec<_>>();
        prop_assert_eq!(sum(&of("psr"), &of("nsr")), signs);
        prop_assert_eq!(sum(&of("psr_mta"), &of("nsr_mta")), of("grpo"));
    }

    /// The weighted forms are the positive part times 0.1 plus the negative part.
    #[test]
    fn weighted_reinforce_is_a_weighted_sum(batch in batch()) {
        let of = |name: &str| flat(&fresh(rule(name), &shaped(rule(name), &batch)));
        for suffix in ["", "_mta"] {
            let (positive, negative) = (of(&format!("psr{suffix}")), of(&format!("nsr{suffix}")));
            for ((p, n), w) in positive.iter().zip(negative).zip(of(&format!("w_reinforce{suffix}"))) {
                prop_assert!(close(0.1 * p + n, w, 1e-12));
            }
        }
    }

    /// GRPO does not feel a positive affine map of the rewards, once the floor is zero.
    #[test]
    fn grpo_is_invariant_under_affine_maps(batch in batch(), slope in 0.1..10.0f64, offset in -5.0..5.0f64) {
        let grpo = rule("grpo");
        let objective = Objective { std_floor: 0.0, ..grpo.objective.clone() };
        let plain = batch.rewarded(grpo);
        let mut mapped = plain.clone();
        mapped.iter_mut().for_each(|p| p.rewards.iter_mut().for_each(|r| *r = slope * *r + offset));
        let of = |batch: &[Paid]| advantages(&objective, batch, &Critic::default());
        assert_agree(&plain, &of(&mapped), &of(&plain), 1e-8, "grpo");
    }

    /// GRPO's advantages have mean 0 and variance 1 in every group that is not flat.
    #[test]
    fn grpo_standardises(batch in batch()) {
        let grpo = rule("grpo");
        for (paid, group) in batch.rewarded(grpo).iter().zip(fresh(grpo, &batch.rewarded(grpo))) {
            let of_rollouts: Vec<f64> = group.iter().map(|tokens| tokens[0]).collect();
            prop_assert!(mean(&of_rollouts).abs() < 1e-9);
            let spread = std(&paid.rewards, 0);
            prop_assert!(close(std(&of_rollouts, 0), spread / (spread + 1e-6), 1e-9));
        }
    }

    /// With a discount, a token's advantage is the discounted reward-to-go of a reward paid at the end.
    #[test]
    fn discounting_is_reward_to_go(batch in batch(), gamma in 0.1..1.0f64) {
        let objective = Objective { gamma, ..rule("reinforce").objective.clone() };
        let paid = batch.rewarded(rule("reinforce"));
        for (paid, group) in paid.iter().zip(advantages(&objective, &paid, &Critic::default())) {
            for (reward, tokens) in paid.rewards.iter().zip(group) {
                let mut to_go = *reward;
                for a in tokens.iter().rev() {
                    prop_assert!(close(*a, to_go, 1e-12));
                    to_go *= gamma;
                }
            }
        }
    }

    /// PPO: the advantages of a trained critic equal the sum of discounted temporal differences, with values learned as plain running means of returns.
    #[test]
    fn ppo_sums_temporal_differences(batch in batch(), gamma in 0.5..1.0f64, gae_lambda in 0.0..1.0f64, rate in 0.0..1.0f64) {
        let objective = Objective { gamma, gae_lambda, critic_learning_rate: rate, ..rule("ppo").objective.clone() };
        let paid = batch.rewarded(rule("ppo"));
        let mut critic = Critic::default();
        critic.learn(&objective, &paid);
        critic.learn(&objective, &paid);
        for (paid, group) in paid.iter().zip(advantages(&objective, &paid, &critic)) {
            let values: Vec<f64> = (0..5).map(|t| value(paid, t, gamma) * (1.0 - (1.0 - rate).powi(2))).collect();
            for (reward, tokens) in paid.rewards.iter().zip(&group) {
                let deltas = temporal_differences(&values, tokens.len(), *reward, gamma);
                for (t, a) in tokens.iter().enumerate() {
                    let ahead = deltas[t..].iter().enumerate().map(|(l, d)| (gamma * gae_lambda).powi(l as i32) * d).sum();
                    prop_assert!(close(*a, ahead, 1e-9));
                }
            }
        }
    }
}

fn signs(paid: &Paid) -> Vec<f64> {
    let tokens = paid.group.rollouts.iter().zip(&paid.rewards);
    tokens.flat_map(|(rollout, r)| vec![if *r > 0.0 { 1.0 } else { -1.0 }; rollout.length()]).collect()
}

/// Mean discounted return at position `t`, over the rollouts that reach it.
fn value(paid: &Paid, t: usize, gamma: f64) -> f64 {
    let reach = paid.group.rollouts.iter().zip(&paid.rewards).filter(|(r, _)| r.length() > t);
    let returns: Vec<f64> = reach.map(|(r, reward)| reward * gamma.powi((r.length() - 1 - t) as i32)).collect();
    if returns.is_empty() { 0.0 } else { mean(&returns) }
}

fn temporal_differences(values: &[f64], length: usize, reward: f64, gamma: f64) -> Vec<f64> {
    let last = length - 1;
    let next = |t: usize| if t == last { 0.0 } else { values[t + 1] };
    (0..length).map(|t| if t == last { reward } else { 0.0 } + gamma * next(t) - values[t]).collect()
}

// ---- formulas of signals -----------------------------------------------------------------------------------------------------------------

/// What a rollout earns (or the chance of its coin) by the definition of the signal's paper; with two votes more than rollouts nothing changes here.
fn pay_by_the_paper(name: &str, group: &Group, i: usize) -> f64 {
    let r = &group.rollouts[i];
    let (truth, format, t) = (f64::from(r.correct), f64::from(r.formatted), r.tokens.len() as f64);
    let sum = |f: fn(&Token) -> f64| r.tokens.iter().map(f).sum::<f64>();
    let (own, prior) = (sum(|t| t.logprob), sum(|t| t.ref_logprob));
    let right = group.rollouts.iter().filter(|r| r.correct).count();
    let mode = || group.majority().unwrap();
    let mode_is_wrong = || group.rollouts.iter().any(|r| r.answer == mode() && !r.correct);
    match name {
        "ground_truth" | "shuffled" => truth,
        "noisy" => {
            if r.correct {
                0.9
            } else {
                0.1
            }
        }
        "label_noise" if group.label.luck < 0.2 => f64::from(group.label.wrong == Some(r.answer)),
        "label_noise" => truth,
        "pass_at_k" => 2.0 * if r.correct { 1.0 } else { right as f64 / (group.rollouts.len() - 1) as f64 },
        "tilted" => truth + (2.0 - 1.0) / 100.0 * prior + (prior - own) / 100.0,
        "task_plus_prior" => truth + 2.0 / 100.0 * prior,
        "incorrect" => 1.0 - truth,
        "incorrect_format" => format * (1.0 - truth),
        "incorrect_label" => f64::from(mode_is_wrong() && r.answer == mode()),
        "random" => 0.5,
        "random_format" => 0.5 * format,
        "format" => format,
        "majority" => f64::from(r.answer == mode()),
        "empo" => vote_share(group, r.answer),
        "self_certainty" => sum(|t| t.certainty) / t,
        "rent" => -sum(|t| t.entropy) / t,
        "entropy_min_tok" => -sum(|t| t.entropy),
        "log_policy" => own,
        "logprob_mean" => own / t,
        "log_prior" => prior,
        "log_prior_mean" => prior / t,
        "tempered" => (2.0 - 1.0) * prior + (prior - own),
        "constant" => 1.0,
        "none" => 0.0,
        other => panic!("{other} is new: write its formula here"),
    }
}

/// Share of the votes for `answer`, or 0 where every vote is for another answer.
fn vote_share(group: &Group, answer: u128) -> f64 {
    let votes = |answer| group.rollouts.iter().filter(|r| r.answer == answer).count();
    let all_differ = group.rollouts.iter().all(|r| votes(r.answer) == 1);
    if all_differ { 0.0 } else { votes(answer) as f64 / group.rollouts.len() as f64 }
}

proptest! {
    /// Every signal of the registry pays by the definition of its paper (pass@2 for pass@k).
    #[test]
    fn signals_pay_as_in_the_papers(batch in batch()) {
        let mut params = Config::DEFAULT.signal;
        params.pass_k = 2;
        for (signal, group) in SIGNALS.iter().flat_map(|s| batch.groups.iter().map(move |g| (s, g))) {
            for (i, pay) in signal.pay(group, &params).iter().enumerate() {
                let (Pay::Value(got) | Pay::Coin(got)) = *pay;
                let expected = pay_by_the_paper(signal.name(), group, i);
                prop_assert!(close(got, expected, 1e-12), "{}: {got} is not {expected}", signal.name());
            }
        }
    }

    /// A shuffle keeps the rewards of a group and only deals them anew.
    #[test]
    fn a_shuffle_keeps_the_rewards(batch in batch()) {
        let (shuffled, truth) = (batch.paid(signal("shuffled"), rule("grpo")), batch.paid(signal("ground_truth"), rule("grpo")));
        for (x, y) in shuffled.iter().zip(&truth) {
            prop_assert_eq!(x.rewards.iter().sum::<f64>(), y.rewards.iter().sum::<f64>());
        }
    }
}

/// Coins fall heads as often as they say: the mean of 20 000 tosses is within 4 standard errors.
#[test]
fn coins_are_fair() {
    let token = Token { id: 0, logprob: -1.0, ref_logprob: -1.0, entropy: 0.7, certainty: 2.0 };
    let rollout = Rollout { tokens: vec![token], weight: 5e-5, vote: 5e-5, answer: 0, correct: true, formatted: true };
    let label = mta_sim::sims::rollout::Label { luck: 0.5, wrong: None };
    let group = Group { prompt: 0, rollouts: vec![rollout; 20_000], size: Some(20_000), label };
    for (name, chance) in [("noisy", 0.9), ("random", 0.5), ("random_format", 0.5)] {
        let paid = mta_sim::sims::reward::pay(signal(name), &Config::DEFAULT.signal, group.clone(), &mut common::dice(1, 0));
        let error = (chance * (1.0 - chance) / 20_000.0f64).sqrt();
        assert!((mean(&paid.rewards) - chance).abs() < 4.0 * error, "{name}: {}", mean(&paid.rewards));
    }
}

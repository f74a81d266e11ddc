//! Propositions beyond separate trees against the simulator: shared token trees (P40), phases of sharpening (P41), few right tokens (P35) and sampled votes (P17).

mod common;

use common::{mean, rule, signal, std};
use mta_sim::sims::config::{Config, Mode, World as WorldSettings};
use mta_sim::sims::measure::{Summary, summary};
use mta_sim::sims::policy::SoftmaxPolicy;
use mta_sim::sims::run::{Training, train};
use mta_sim::sims::stream::Seed;
use mta_sim::sims::world::World;
use mta_sim::theory::alignment::{bulk_pass_at_1, few_token_log_odds};
use mta_sim::theory::majority::SampledVote;
use mta_sim::theory::shared_tree::{Levels, carried_speed, shared_part};
use mta_sim::theory::sharpening_phase::Tokens;
use mta_sim::theory::simplex::logit;
use mta_sim::theory::tree::{npg_time, pg_time};
use rayon::prelude::*;

/// A world whose good tokens are right with chance `quality` and whose others are all wrong.
fn settings(vocab: usize, depth: usize, good_tokens: usize, quality: f64) -> WorldSettings {
    WorldSettings { vocab, depth, good_tokens, good_quality: quality, bad_quality: 0.0, idiosyncrasy: 0.0, ..WorldSettings::DEFAULT }
}

/// The same with a uniform base model.
fn uniform(vocab: usize, depth: usize, good_tokens: usize, quality: f64, prompts: usize) -> World {
    World::new(&WorldSettings { confidence: 0.0, prompts, held_out: prompts, ..settings(vocab, depth, good_tokens, quality) }, Seed(40))
        .unwrap()
}

/// Mean pass@1 over `measured` after flow time `time` of `rule` on all training prompts: expected updates of two step sizes, extrapolated to zero.
fn flow(world: &World, rule_name: &str, sharing: f64, time: f64, measured: &[usize]) -> f64 {
    let after = |steps: usize| {
        let mut config = Config { world: world.task.settings.clone(), objective: rule(rule_name).objective.clone(), ..Config::DEFAULT };
        (config.train.mode, config.train.steps, config.train.learning_rate) = (Mode::Exact, steps, time / steps as f64);
        config.train.train_batch_size = world.training().len();
        let prompts: Vec<usize> = world.training().collect();
        let mut policy = SoftmaxPolicy::new(&world.task, &world.base, sharing);
        let training = Training {
            config: &config,
            signal: signal("ground_truth"),
            environment: &world.task,
            prompts: &prompts,
            teacher: None,
            seed: Seed(0),
        };
        train(&mut policy, &training, &mut |_, _, _| {});
        mean(&measured.iter().map(|&x| summary(&policy, &world.task, x).success).collect::<Vec<_>>())
    };
    2.0 * after(1600) - after(800)
}

#[test]
fn sharing_over_prefixes_leaves_the_barrier_of_policy_gradient() {
    let world = uniform(3, 3, 1, 1.0, 1);
    for sharing in [0.0, 0.5, 1.0] {
        let p = flow(&world, "pg", sharing, pg_time(3.0, 3.0, 0.5), &[0]);
        assert!((p - 0.5).abs() < 1e-4, "{sharing}: {p}");
    }
    let levels = Levels { branching: 6.0, right: 2.0, depth: 2.0 };
    let world = uniform(6, 2, 2, 1.0, 1);
    for (sharing, time) in [(1.0, levels.shared_pg_time(0.5)), (0.0, levels.separate_pg_time(0.5))] {
        let p = flow(&world, "pg", sharing, time, &[0]);
        assert!((p - 0.5).abs() < 1e-4, "{sharing}: {p}");
    }
}

/// The simulator's `npg` preconditions node by node before it sums into skill; the natural gradient of shared skill would take longer (here 16.4, not 4.4).
#[test]
fn node_wise_natural_gradient_keeps_its_time_when_shared() {
    let world = uniform(3, 4, 1, 1.0, 1);
    let p = flow(&world, "npg", 1.0, npg_time(3.0, 4.0, 0.5), &[0]);
    assert!((p - 0.5).abs() < 1e-4, "{p}");
    assert!(Levels { branching: 3.0, right: 1.0, depth: 4.0 }.shared_npg_time(0.5) > 2.0 * npg_time(3.0, 4.0, 0.5));
}

/// All prompts whose right tokens are the common ones move alike; the others have no right path and stay out of it.
#[test]
fn skill_carries_the_prompts_with_common_tokens() {
    let world = uniform(3, 2, 1, 0.7, 40);
    let carried = |range: std::ops::Range<usize>| range.filter(|&x| (0..2).all(|h| world.task.is_right(x, h, 0))).collect::<Vec<_>>();
    let (trained, held_out) = (carried(world.training()), carried(world.held_out()));
    let share = trained.len() as f64 / 40.0;
    assert!((0.3..0.7).contains(&share), "{share}");
    let levels = Levels { branching: 3.0, right: 1.0, depth: 2.0 };
    for sharing in [0.3, 0.8, 1.0] {
        let time = levels.shared_pg_time(0.9) / carried_speed(sharing, share);
        let expected = levels.held_out(0.9, shared_part(sharing, share));
        for (prompts, p) in [(&trained, 0.9), (&held_out, expected)] {
            let reached = flow(&world, "pg", sharing, time, prompts);
            assert!((reached - p).abs() < 2e-4, "{sharing}: {reached} {p}");
        }
    }
}

/// The base model's answers to the first prompt of many worlds.
fn base_summaries(settings: &WorldSettings, worlds: u64) -> Vec<Summary> {
    let first = |seed| {
        let world = World::new(&WorldSettings { prompts: 1, held_out: 1, ..settings.clone() }, Seed(seed)).unwrap();
        summary(&SoftmaxPolicy::new(&world.task, &world.base, 0.0), &world.task, 0)
    };
    (0..worlds).into_par_iter().map(first).collect()
}

fn standard_error(xs: &[f64]) -> f64 {
    std(xs, 1) / (xs.len() as f64).sqrt()
}

/// To four standard errors and the stated rest; the bulk formula is off by far more.
#[test]
fn few_right_tokens_lower_the_base_model() {
    for (vocab, good, confidence, alignment, rest) in
        [(64, 3, 0.6, 0.1, 2e-3), (64, 1, 0.6, -0.2, 2e-3), (64, 3, 1.0, 0.3, 0.03), (16, 2, 1.0, 0.0, 0.03), (64, 6, 1.0, 0.1, 0.03)]
    {
        let world = WorldSettings { confidence, alignment, ..settings(vocab, 1, good, 1.0) };
        let odds: Vec<f64> = base_summaries(&world, 4000).iter().map(|s| logit(s.success)).collect();
        let found = mean(&odds);
        let expected = few_token_log_odds(good as f64, (vocab - good) as f64, confidence, alignment);
        assert!((found - expected).abs() < 4.0 * standard_error(&odds) + rest, "{vocab} {good} {confidence}: {found} {expected}");
        let bulk = logit(bulk_pass_at_1(good as f64 / vocab as f64, confidence, alignment));
        assert!(bulk - found > 10.0 * standard_error(&odds), "{vocab} {good} {confidence}: {found} {bulk}");
    }
}

/// A prompt's own noise is independent of the task: with alignment 1 it is the only noise.
#[test]
fn pass_at_1_is_a_maximum_with_gumbel_noise() {
    for (vocab, good, gap, noise) in [(64, 3, 0.5, 1.0), (64, 3, 2.0, 4.0), (8, 1, -0.5, 2.0), (256, 13, 1.0, 9.0)] {
        let tokens = Tokens { right: good as f64, wrong: (vocab - good) as f64 };
        let (along, across) = (gap * (tokens.share() * (1.0 - tokens.share())).sqrt(), noise);
        let confidence = f64::hypot(along, across);
        let expected = tokens.expected_pass_at_1(confidence, along / confidence);
        let world = WorldSettings {
            confidence: along.abs(),
            alignment: along.signum(),
            idiosyncrasy: noise,
            prompts: 1,
            held_out: 20_000,
            ..settings(vocab, 1, good, 1.0)
        };
        let world = World::new(&world, Seed(41)).unwrap();
        let policy = SoftmaxPolicy::new(&world.task, &world.base, 0.0);
        let chances: Vec<f64> = world.held_out().map(|x| summary(&policy, &world.task, x).success).collect();
        let found = mean(&chances);
        assert!((found - expected).abs() < 4.0 * standard_error(&chances), "{vocab} {noise}: {found} {expected}");
    }
}

/// Gain of full sharpening over the base model, mean and standard error over worlds.
fn gain_of_the_mode(confidence: f64, alignment: f64, good: usize) -> (f64, f64) {
    let world = WorldSettings { confidence, alignment, ..settings(64, 1, good, 1.0) };
    let gains: Vec<f64> = base_summaries(&world, 6000).iter().map(|s| f64::from(s.mode_is_correct()) - s.success).collect();
    (mean(&gains), standard_error(&gains))
}

/// In the world's own, orthogonal noise sharpening hurts below a positive alignment and helps above it, though the knob has the right sign on either side.
#[test]
fn sharpening_is_neutral_above_alignment_zero() {
    for (good, confidence) in [(1, 1.0), (3, 1.0), (3, 0.5), (6, 1.0)] {
        let tokens = Tokens { right: good as f64, wrong: (64 - good) as f64 };
        let neutral = tokens.neutral_alignment(confidence).unwrap();
        let (below, error_below) = gain_of_the_mode(confidence, neutral - 0.06, good);
        let (above, error_above) = gain_of_the_mode(confidence, neutral + 0.06, good);
        assert!(below < -4.0 * error_below && above > 4.0 * error_above, "{good} {confidence} at {neutral}: {below} {above}");
    }
}

#[test]
fn modes_are_right_as_often_as_centred_maxima_say() {
    for (good, alignment) in [(1, 0.3), (3, 0.1), (3, 0.3), (3, 0.5), (6, 0.2)] {
        let world = WorldSettings { alignment, ..settings(64, 1, good, 1.0) };
        let right: Vec<f64> = base_summaries(&world, 6000).iter().map(|s| f64::from(s.mode_is_correct())).collect();
        let expected = Tokens { right: good as f64, wrong: (64 - good) as f64 }.orthogonal_mode_accuracy(alignment);
        assert!((mean(&right) - expected).abs() < 4.0 * standard_error(&right) + 0.015, "{good} {alignment}: {} {expected}", mean(&right));
    }
}

/// Whether GRPO on majority votes ends right, with two answers: the third has no chance.
fn vote_ends_right(p0: f64, seed: u64) -> bool {
    let mut world = World::new(&WorldSettings { prompts: 1, held_out: 1, ..settings(3, 1, 1, 1.0) }, Seed(seed)).unwrap();
    world
        .base
        .logprobs
        .lanes_mut(ndarray::Axis(2))
        .into_iter()
        .for_each(|mut row| row.assign(&ndarray::arr1(&[p0.ln(), (1.0 - p0).ln(), -800.0])));
    let mut config = Config { world: world.task.settings.clone(), objective: rule("grpo").objective.clone(), ..Config::DEFAULT };
    (config.train.steps, config.train.learning_rate, config.train.train_batch_size, config.train.group_size) = (150, 0.3, 1, 8);
    let mut policy = SoftmaxPolicy::new(&world.task, &world.base, 0.5);
    let training =
        Training { config: &config, signal: signal("majority"), environment: &world.task, prompts: &[0], teacher: None, seed: Seed(seed) };
    train(&mut policy, &training, &mut |_, _, _| {});
    summary(&policy, &world.task, 0).success > 0.5
}

#[test]
fn sampled_votes_end_where_the_equation_says() {
    for p0 in [0.3, 0.45, 0.55] {
        let runs = 4000;
        let share = (0..runs).into_par_iter().filter(|&seed| vote_ends_right(p0, seed)).count() as f64 / runs as f64;
        let chance = SampledVote { group: 8, learning_rate: 0.3 }.chance(p0);
        assert!((share - chance).abs() < 4.0 * (chance * (1.0 - chance) / runs as f64).sqrt(), "{p0}: {share} {chance}");
    }
}

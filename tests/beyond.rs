//! P36 to P39 against simulation: many arms under a clip, sequence clips, entropy bonus, Adam.

mod common;

use common::{mean, rule, signal, small_world, std as deviation_of};
use mta_sim::sims::config::{Config, LossAgg, Mode, Objective, RatioLevel, World as Settings};
use mta_sim::sims::measure::summary;
use mta_sim::sims::policy::{Policy, SoftmaxPolicy};
use mta_sim::sims::run::{StepStats, Training, train};
use mta_sim::sims::stream::{Purpose, Seed, Stream};
use mta_sim::sims::world::World;
use mta_theory::random_reward::{drift, noise_rate, second_moment_group_std};
use mta_theory::sequence_clip::{self, clipped_shares, matched_ranges, token_deviation};
use mta_theory::simplex::{logit, power_sum, sigmoid};
use mta_theory::{adam, clip_arms, entropy_bonus};
use rayon::prelude::*;

/// Mean and its standard error.
fn estimate(xs: &[f64]) -> (f64, f64) {
    (mean(xs), deviation_of(xs, 1) / (xs.len() as f64).sqrt())
}

/// Panics unless the mean of `xs` is within 4 standard errors, and a share `slack` of the prediction for its higher orders, of `predicted`.
fn assert_predicts(predicted: f64, xs: &[f64], slack: f64, what: &str) {
    let (found, error) = estimate(xs);
    assert!((found - predicted).abs() < 4.0 * error + slack * predicted.abs(), "{what}: {found} +- {error}, predicted {predicted}");
}

fn words(seed: u64, slot: usize) -> Stream {
    Seed(seed).stream(Purpose::Rollout, 0, slot)
}

// ---- the training loop -------------------------------------------------------------------------------------------------------------------

/// A world whose prompts all have the same base policy.
fn alike(settings: &Settings) -> World {
    World::new(&Settings { idiosyncrasy: 0.0, ..settings.clone() }, Seed(0)).unwrap()
}

/// The policy after training with `config`, and its last statistics.
fn trained<'w>(world: &'w World, config: &Config, pays: &str, seed: u64) -> (SoftmaxPolicy<'w>, StepStats) {
    let mut policy = SoftmaxPolicy::new(&world.task, &world.base, config.policy.sharing);
    let prompts: Vec<usize> = world.training().collect();
    let training = Training { config, signal: signal(pays), environment: &world.task, prompts: &prompts, teacher: None, seed: Seed(seed) };
    let mut last = StepStats::default();
    train(&mut policy, &training, &mut |_, _, stats| last = *stats);
    (policy, last)
}

/// One rollout batch for skill only, of so many minibatches of so many groups of so many rollouts.
fn batch_of(world: &World, objective: Objective, [minibatches, groups, size]: [usize; 3], learning_rate: f64) -> Config {
    let mut config = Config { world: world.task.settings.clone(), objective, ..Config::DEFAULT };
    config.policy.sharing = 1.0;
    let train = &mut config.train;
    (train.steps, train.minibatches, train.train_batch_size) = (1, minibatches, minibatches * groups);
    (train.group_size, train.learning_rate) = (size, learning_rate);
    config
}

/// Probabilities of the first token for prompt 0.
fn first_tokens(policy: &SoftmaxPolicy) -> Vec<f64> {
    policy.enumerate(0).iter().map(|y| y[0].logprob.exp()).collect()
}

// ---- P36 ---------------------------------------------------------------------------------------------------------------------------------

/// A world of `arms` tokens whose base policy has a clear mode, the most likely token, and its probabilities.
fn moded(arms: usize, confidence: f64) -> (World, usize, Vec<f64>) {
    let world = alike(&Settings { alignment: 1.0, bad_quality: 0.04, confidence, ..small_world(arms, 1, false) });
    let p = first_tokens(&SoftmaxPolicy::new(&world.task, &world.base, 1.0));
    let mode = (0..arms).max_by(|&i, &j| p[i].total_cmp(&p[j])).unwrap();
    (world, mode, p)
}

/// GRPO on random rewards, four minibatches of one group of eight, twenty arms. The mode is far above S2, so the sheet's rule has it gain, and so has the noise
/// alone (P11); with the clip it loses.
#[test]
fn the_clip_lowers_a_mode_among_many_arms() {
    let (world, mode, p) = moded(20, 0.44);
    assert!(p[mode] > 2.0 * power_sum(&p, 2) && p[mode] < 0.3, "{p:?}");
    let changes = |clip: f64| -> Vec<f64> {
        let objective = Objective { clip_low: clip.min(1.0), clip_high: clip, ..rule("grpo").objective.clone() };
        let config = batch_of(&world, objective, [4, 1, 8], 2.0);
        (0..20_000).into_par_iter().map(|seed| first_tokens(&trained(&world, &config, "random", seed).0)[mode] - p[mode]).collect()
    };
    let ((clipped, error), (free, free_error)) = (estimate(&changes(0.2)), estimate(&changes(1e9)));
    println!("P36 mode {} S2 {}: clipped {clipped} +- {error}, free {free} +- {free_error}", p[mode], power_sum(&p, 2));
    assert!(clipped < -4.0 * error && free > 4.0 * free_error, "{clipped} +- {error}, {free} +- {free_error}");
}

/// The mean force of a clip of 0.2 on policies that the loop displaced by one minibatch of 512 rollouts: on the probabilities, and on the logits.
#[test]
fn the_clip_pushes_displaced_policies_as_predicted() {
    let (world, mode, p) = moded(10, 0.45);
    let (groups, size, step, clip) = (16, 32, 9.0, 0.2);
    let config = batch_of(&world, rule("grpo").objective.clone(), [1, groups, size], step);
    let forces: Vec<[f64; 2]> = (0..6000)
        .into_par_iter()
        .map(|seed| {
            let now = first_tokens(&trained(&world, &config, "random", seed).0);
            let cut = |i: usize| 0.5 * (f64::from(now[i] / p[i] < 1.0 - clip) - f64::from(now[i] / p[i] > 1.0 + clip));
            let common: f64 = (0..10).map(|k| now[k] * cut(k)).sum();
            let force: Vec<f64> = (0..10).map(|i| now[i] * (cut(i) - common)).collect();
            let drag: f64 = now.iter().zip(&force).map(|(p, f)| p * f).sum();
            [now[mode] * (force[mode] - drag), force[mode]]
        })
        .collect();
    let variance = noise_rate(step, second_moment_group_std(0.5, size as f64), (groups * size) as f64);
    let predicted = [clip_arms::force(&p, variance, clip, clip)[mode], clip_arms::logit_force(&p, variance, clip, clip)[mode]];
    for (i, predicted) in predicted.into_iter().enumerate() {
        let found: Vec<f64> = forces.iter().map(|f| f[i]).collect();
        println!("P36 mode {}: force {:?} predicted {predicted}", p[mode], estimate(&found));
        assert_predicts(predicted, &found, 0.15, "force");
    }
    assert!(predicted[0] < 0.0 && p[mode] > power_sum(&p, 2));
}

/// Over random policies of 3 to 11 arms at noise equal to the clip range: the clip's force has the sign that P11's drift has not, more often than that of
/// p_i - S2.
#[test]
fn the_clip_opposes_the_drift_of_noise() {
    let (mut arms, mut against_noise, mut by_rule, mut cosines) = (0.0, 0.0, 0.0, Vec::new());
    for slot in 0..1000 {
        let dice = words(36, slot);
        let k = 3 + (dice.uniform(0) * 9.0) as usize;
        let weights: Vec<f64> = (1..=k as u64).map(|i| -dice.uniform(i).ln()).collect();
        let sum: f64 = weights.iter().sum();
        let p: Vec<f64> = weights.iter().map(|w| w / sum).collect();
        let (clip, noise, square) = (clip_arms::force(&p, 1e-6, 1e-3, 1e-3), drift(&p, 1.0), power_sum(&p, 2));
        for i in 0..k {
            arms += 1.0;
            against_noise += f64::from(clip[i] * noise[i] < 0.0);
            by_rule += f64::from(clip[i] * (p[i] - square) > 0.0);
        }
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        cosines.push(-dot(&clip, &noise) / (dot(&clip, &clip) * dot(&noise, &noise)).sqrt());
    }
    cosines.sort_by(f64::total_cmp);
    println!("P36 signs: against noise {}, by p_i > S2 {}, median cosine {}", against_noise / arms, by_rule / arms, cosines[500]);
    assert!(against_noise / arms > 0.85 && by_rule / arms < 0.6 && cosines[500] > 0.9);
}

// ---- P37 ---------------------------------------------------------------------------------------------------------------------------------

/// Shares of clipped tokens in the loop's own statistics, at token and at sequence level with matched ranges, over 16 positions of four tokens.
#[test]
fn sequences_are_clipped_as_often_as_predicted() {
    let length = 16;
    let world = alike(&Settings { confidence: 0.0, ..small_world(4, length, false) });
    let (groups, size, step) = (16, 32, 7.0);
    let n = (groups * size) as f64;
    let d = token_deviation(&[0.25; 4], noise_rate(step, second_moment_group_std(0.5, size as f64), n));
    let [low, high] = matched_ranges(d, length as f64, 0.2, 0.2).map(Option::unwrap);
    for (level, tokens, range) in [
        (RatioLevel::Token, 1.0, [0.2, 0.2]),
        (RatioLevel::Sequence, length as f64, [low, high]),
        (RatioLevel::Sequence, length as f64, [0.08, 0.08]),
    ] {
        let objective = Objective {
            importance_sampling_level: level,
            clip_low: range[0],
            clip_high: range[1],
            loss_agg_mode: LossAgg::SeqMeanTokenSum,
            ..rule("grpo").objective.clone()
        };
        let config = batch_of(&world, objective, [2, groups, size], step);
        let counts: Vec<_> = (0..400).into_par_iter().map(|seed| trained(&world, &config, "random", seed).1.clipped).collect();
        // the first of two minibatches is on-policy, and a clip stops the half of the advantages that has its sign
        let share = |f: &dyn Fn(usize) -> f64| (0..counts.len()).map(|i| 4.0 * f(i) / counts[i].tokens).collect::<Vec<f64>>();
        let [below, above] = clipped_shares(d, tokens, range[0], range[1]);
        println!(
            "P37 {level:?} {range:?}: low {:?} predicted {below}, high {:?} predicted {above}",
            estimate(&share(&|i| counts[i].low)),
            estimate(&share(&|i| counts[i].high))
        );
        assert_predicts(below, &share(&|i| counts[i].low), 0.05, "below");
        assert_predicts(above, &share(&|i| counts[i].high), 0.05, "above");
    }
}

/// Two independent standard normal draws.
fn normals(words: &Stream, index: u64) -> [f64; 2] {
    let (radius, angle) = ((-2.0 * words.uniform(2 * index).ln()).sqrt(), std::f64::consts::TAU * words.uniform(2 * index + 1));
    [radius * angle.cos(), radius * angle.sin()]
}

/// Mean change of the first token's probability, over positions, by the clip on one response to a displaced policy, and to its mirror image.
fn clipped_response(p: f64, length: usize, variance: f64, clip: f64, words: &Stream) -> f64 {
    let deviation = 2.0 * (variance * p * (1.0 - p)).sqrt();
    let gaps: Vec<f64> = (0..length).map(|h| deviation * normals(words, h as u64)[0]).collect();
    let first: Vec<bool> = (0..length).map(|h| words.uniform((2 * length + h) as u64) < p).collect();
    let change = |side: f64| {
        let now: Vec<f64> = gaps.iter().map(|x| sigmoid(logit(p) + side * x)).collect();
        let log = |h: usize| if first[h] { (now[h] / p).ln() } else { ((1.0 - now[h]) / (1.0 - p)).ln() };
        let ratio = ((0..length).map(log).sum::<f64>() / length as f64).exp();
        let force = ratio * 0.5 * (f64::from(ratio < 1.0 - clip) - f64::from(ratio > 1.0 + clip));
        (0..length).map(|h| 2.0 * now[h] * (1.0 - now[h]) * force * (f64::from(first[h]) - now[h])).sum::<f64>() / length as f64
    };
    0.5 * (change(1.0) + change(-1.0))
}

/// At equal shares the drift from sequence clips is the spring's, and falls as 1/sqrt(H) from that of token clips; the mode still gains.
#[test]
fn sequence_clips_pull_like_a_weak_spring() {
    let (p, variance) = (0.8, 0.01);
    for (length, slack) in [(16, 0.06), (36, 0.06)] {
        let clip = 0.03 / (length as f64).sqrt();
        let changes: Vec<f64> = (0..2000)
            .into_par_iter()
            .map(|i| mean(&(0..400).map(|j| clipped_response(p, length, variance, clip, &words(37, 400 * i + j))).collect::<Vec<_>>()))
            .collect();
        let predicted = sequence_clip::force(&[p, 1.0 - p], variance, length as f64, clip, clip)[0];
        let tokens = clip_arms::force(&[p, 1.0 - p], variance, 0.03, 0.03)[0];
        println!("P37 H = {length}: {:?}, predicted {predicted}, token level {tokens}", estimate(&changes));
        assert_predicts(predicted, &changes, slack, "spring");
        assert!(predicted > 0.0 && predicted * (length as f64).sqrt() < 0.8 * tokens);
    }
}

// ---- P38 ---------------------------------------------------------------------------------------------------------------------------------

/// A bandit with memory only, some prompts of which have several right arms, and how many each has.
fn bandit() -> (World, Vec<usize>) {
    let settings = Settings { bad_quality: 0.4, ..small_world(6, 1, false) };
    let world =
        (0..).map(|seed| World::new(&settings, Seed(seed)).unwrap()).find(|w| rights(w).iter().all(|&c| (2..5).contains(&c))).unwrap();
    let counts = rights(&world);
    (world, counts)
}

fn rights(world: &World) -> Vec<usize> {
    world.training().map(|x| (0..6).filter(|&v| world.task.judge(x, std::iter::once(v)).correct).count()).collect()
}

fn exactly(world: &World, name: &str, bonus: f64, steps: usize, learning_rate: f64) -> Config {
    let objective = Objective { entropy_coeff: bonus, std_floor: 0.0, ..rule(name).objective.clone() };
    let mut config = Config { world: world.task.settings.clone(), objective, ..Config::DEFAULT };
    (config.train.mode, config.train.steps, config.train.learning_rate, config.train.train_batch_size) =
        (Mode::Exact, steps, learning_rate, world.task.settings.prompts);
    config.policy.sharing = 0.0;
    config
}

/// Exact policy gradient with a bonus ends at the ceiling of each prompt, whatever the base model knew, with its right arms equal.
#[test]
fn the_bonus_caps_accuracy_and_equalises_solutions() {
    let (world, counts) = bandit();
    for bonus in [0.5, 1.0] {
        let (policy, _) = trained(&world, &exactly(&world, "pg", bonus, 4000, 1.0), "ground_truth", 0);
        for (x, &c) in counts.iter().enumerate() {
            let predicted = entropy_bonus::ceiling(c as f64, (6 - c) as f64, bonus);
            let found = summary(&policy, &world.task, x).success;
            assert!((found - predicted).abs() < 1e-6, "{bonus} {x}: {found}, predicted {predicted}");
            let right = policy.enumerate(x).into_iter().filter(|y| world.task.judge(x, y.iter().map(|t| t.id)).correct);
            assert!(right.into_iter().all(|y| (y[0].logprob - (predicted / c as f64).ln()).abs() < 1e-6));
        }
    }
}

/// With the group standard deviation a bonus below the critical one holds nothing, and one above holds at the stable equilibrium.
#[test]
fn group_std_outruns_a_small_bonus() {
    let (world, counts) = bandit();
    let most = counts.iter().map(|&c| entropy_bonus::critical_bonus(c as f64, (6 - c) as f64)).fold(0.0, f64::max);
    let end = |bonus: f64, steps: usize| trained(&world, &exactly(&world, "pg_std", bonus, steps, 0.1), "ground_truth", 0).0;
    let (held, loose) = (end(1.2 * most, 3000), end(0.2, 20_000));
    for (x, &c) in counts.iter().enumerate() {
        let (right, wrong) = (c as f64, (6 - c) as f64);
        let stable = entropy_bonus::group_std_equilibria(right, wrong, 1.2 * most).unwrap().stable;
        let (above, below) = (summary(&held, &world.task, x).success, summary(&loose, &world.task, x).success);
        println!(
            "P38 C = {c}: held {above} predicted {}, loose {below}, without std {}",
            sigmoid(stable),
            entropy_bonus::ceiling(right, wrong, 0.2)
        );
        assert!((above - sigmoid(stable)).abs() < 1e-6, "{x}: {above}");
        assert!(below > 0.9999, "{x}: {below}");
    }
}

/// Sampled policy gradient settles at the ceiling of a reward that the group-mean baseline has weighed by 1 - 1/G (P5).
#[test]
fn sampled_training_settles_at_the_ceiling() {
    let (world, counts) = bandit();
    let mut config = exactly(&world, "pg", 1.0, 3000, 0.04);
    (config.train.mode, config.train.group_size) = (Mode::Sampled, 16);
    let ends: Vec<Vec<f64>> = (0..40)
        .into_par_iter()
        .map(|seed| {
            let (policy, _) = trained(&world, &config, "ground_truth", seed);
            (0..3).map(|x| summary(&policy, &world.task, x).success).collect()
        })
        .collect();
    for (x, &c) in counts.iter().enumerate() {
        let found: Vec<f64> = ends.iter().map(|end| end[x]).collect();
        let predicted = entropy_bonus::ceiling(c as f64, (6 - c) as f64, 1.0 / (1.0 - 1.0 / 16.0));
        println!("P38 sampled C = {c}: {:?} predicted {predicted}", estimate(&found));
        assert_predicts(predicted, &found, 0.003, "ceiling");
    }
}

// ---- P39 ---------------------------------------------------------------------------------------------------------------------------------

/// Adam on one number.
struct Adam {
    beta: [f64; 2],
    moments: [f64; 2],
    steps: i32,
}

impl Adam {
    fn new(beta: [f64; 2]) -> Self {
        Adam { beta, moments: [0.0; 2], steps: 0 }
    }

    /// Step over the learning rate.
    fn step(&mut self, gradient: f64) -> f64 {
        self.steps += 1;
        let corrected = [gradient, gradient * gradient].map(f64::from);
        let [m, v] = [0, 1].map(|i| {
            self.moments[i] += (1.0 - self.beta[i]) * (corrected[i] - self.moments[i]);
            self.moments[i] / (1.0 - self.beta[i].powi(self.steps))
        });
        if v == 0.0 { 0.0 } else { m / v.sqrt() }
    }
}

/// Which samples count, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Psr,
    Nsr,
    Grpo,
    Positives,
    Negatives,
}

/// Gradient in the right arm's logit of a batch of `size` samples, `right` of them right.
fn batch_gradient(kind: Kind, p: f64, size: f64, right: f64) -> f64 {
    let (h, q) = (right / size, 1.0 - p);
    let std = (h * (1.0 - h)).sqrt();
    match kind {
        Kind::Psr => h * q,
        Kind::Nsr => (1.0 - h) * p,
        Kind::Grpo => std,
        Kind::Positives => std * q,
        Kind::Negatives => std * p,
    }
}

fn right_samples(p: f64, size: usize, dice: &Stream, step: usize) -> f64 {
    (0..size).filter(|i| dice.uniform((step * size + i) as u64) < p).count() as f64
}

/// At a policy that stands still Adam moves at the predicted speeds, with averages and without.
#[test]
fn adam_moves_at_the_predicted_speeds() {
    let (p, size) = (0.1, 8);
    let speeds = adam::grpo_speeds(p, size as u32, 0.0);
    let expected = [adam::psr_speed(p, 8.0), adam::nsr_speed(p, 8.0), speeds[0], speeds[1], speeds[2]];
    let [psr, nsr, grpo] = adam::sign_speeds(p, 8.0);
    let kinds = [Kind::Psr, Kind::Nsr, Kind::Grpo, Kind::Positives, Kind::Negatives];
    for ((kind, settled), signed) in kinds.into_iter().zip(expected).zip([psr, nsr, grpo, grpo, grpo]) {
        for (beta, predicted) in [([0.9, 0.999], settled), ([0.0, 0.0], signed)] {
            let runs: Vec<f64> = (0..40)
                .map(|slot| {
                    let (dice, mut adam) = (words(39, slot), Adam::new(beta));
                    let steps: Vec<f64> =
                        (0..12_000).map(|t| adam.step(batch_gradient(kind, p, 8.0, right_samples(p, size, &dice, t)))).collect();
                    mean(&steps[4000..])
                })
                .collect();
            println!("P39 {kind:?} {beta:?}: {:?} predicted {predicted}", estimate(&runs));
            assert_predicts(predicted, &runs, 0.005, "speed");
        }
    }
}

/// Learning rate times steps until p reaches 1/2.
fn time_to_half(kind: Kind, p0: f64, size: usize, rate: f64, slot: usize) -> f64 {
    let (mut u, mut adam, dice, mut t) = (logit(p0), Adam::new([0.9, 0.999]), words(40, slot), 0);
    while u < 0.0 {
        u += 2.0 * rate * adam.step(batch_gradient(kind, sigmoid(u), size as f64, right_samples(sigmoid(u), size, &dice, t)));
        t += 1;
    }
    rate * t as f64
}

/// From a weak model at a small learning rate negatives arrive first; plain REINFORCE moves both alike and GRPO's parts the other way round.
#[test]
fn a_weak_model_learns_from_negatives_under_adam() {
    let times = adam::hitting_times(0.1, 0.5, 8.0);
    for (kind, predicted) in [(Kind::Psr, times[0]), (Kind::Nsr, times[1])] {
        let runs: Vec<f64> = (0..8).into_par_iter().map(|slot| time_to_half(kind, 0.1, 8, 1e-5, slot)).collect();
        println!("P39 time {kind:?}: {:?} predicted {predicted}", estimate(&runs));
        assert_predicts(predicted, &runs, 0.02, "time");
    }
    assert!(times[0] > 1.15 * times[1]);
}

/// Counterexample where the policy outruns the average of squares (large batches, learning rate 0.1): the parts of GRPO take different numbers of steps.
#[test]
fn a_fast_policy_tells_the_parts_apart_under_adam() {
    let steps = |kind: Kind| {
        let (mut u, mut adam, mut t) = (logit(1e-3), Adam::new([0.9, 0.999]), 0);
        while u < 0.0 {
            u += 0.2 * adam.step(batch_gradient(kind, sigmoid(u), 1.0, sigmoid(u)));
            t += 1;
        }
        t
    };
    let counts = [Kind::Positives, Kind::Negatives, Kind::Grpo].map(steps);
    assert_eq!(counts, [31, 34, 31]);
}

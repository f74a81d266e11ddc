//! Worlds: the task never depends on the base model, the alignment knob is exact, and everything measured equals brute force over all responses.

mod common;

use common::{close, mean, rule, signal, small_world, std};
use mta_sim::sims::config::{AlignBy, Config, Mode, Sampler, World as Settings};
use mta_sim::sims::measure::{PASS_KS, Summary, measure, summary};
use mta_sim::sims::policy::{Policy, SoftmaxPolicy};
use mta_sim::sims::prior::{Prior, correlation};
use mta_sim::sims::rollout::Token;
use mta_sim::sims::run::{Training, train};
use mta_sim::sims::stream::{Purpose, Seed, Stream};
use mta_sim::sims::world::World;
use mta_sim::theory::alignment::{bulk_pass_at_1, mode_accuracy};
use mta_sim::theory::pass_at_k::{best_at_k, mean_pass_at_k, others_pass_at_k, pass_at_k, unbiased_pass_at_k};
use ndarray::{ArrayView2, Axis};
use proptest::prelude::*;
use rayon::prelude::*;

/// Random small worlds, with and without an end token.
fn settings() -> impl Strategy<Value = Settings> {
    let shape = (3..6usize, 1..4usize, any::<bool>());
    let prior = (-1.0..1.0f64, 0.0..3.0f64, 0.0..1.5f64, -2.0..2.0f64);
    let task = (0.0..1.5f64, 0.3..1.0f64);
    (shape, prior, task).prop_map(|((vocab, depth, end_token), (alignment, confidence, idiosyncrasy, end_logit), (spread, format_rate))| {
        Settings {
            alignment,
            confidence,
            idiosyncrasy,
            end_logit,
            difficulty_spread: spread,
            format_rate,
            ..small_world(vocab, depth, end_token)
        }
    })
}

fn world(settings: &Settings, seed: u64) -> World {
    World::new(settings, Seed(seed)).unwrap()
}

/// The truth table of one prompt and the base model's log-probabilities for it.
fn truth_and_belief(world: &World, prompt: usize) -> (ArrayView2<'_, bool>, ArrayView2<'_, f64>) {
    (world.task.truth().index_axis(Axis(0), prompt), world.base.logprobs.index_axis(Axis(0), prompt))
}

// ---- the task and the prior --------------------------------------------------------------------------------------------------------------

proptest! {
    /// The truth is the same bit for bit whatever the base model is.
    #[test]
    fn the_truth_does_not_know_the_base_model(one in settings(), other in settings(), seed in any::<u64>()) {
        let prior_of_other = Settings {
            alignment: other.alignment,
            confidence: other.confidence,
            idiosyncrasy: other.idiosyncrasy,
            end_logit: other.end_logit,
            ..one
        };
        let (a, mut b) = (world(&one, seed).task, world(&prior_of_other, seed).task);
        b.settings = a.settings.clone();
        prop_assert_eq!(a, b);
    }

    /// Nor does it know how alignment is measured.
    #[test]
    fn the_truth_does_not_know_the_target(target in 0.3..0.5f64, seed in 0..50u64) {
        let plain = small_world(4, 1, false);
        let aimed = Settings { alignment: target, align_by: AlignBy::PassAt(2), ..plain };
        if let Ok(aimed) = World::new(&aimed, Seed(seed)) {
            let plain = world(&plain, seed);
            prop_assert_eq!(aimed.task.truth(), plain.task.truth());
        }
    }

    /// More training prompts leave the held-out ones as they are: truth, labels, work, and the base model's beliefs.
    #[test]
    fn held_out_prompts_do_not_know_the_training_prompts(one in settings(), prompts in 1..9usize, seed in any::<u64>()) {
        let (a, b) = (world(&one, seed), world(&Settings { prompts, ..one.clone() }, seed));
        for (x, y) in a.held_out().zip(b.held_out()) {
            prop_assert_eq!(truth_and_belief(&a, x), truth_and_belief(&b, y));
            prop_assert_eq!(a.task.label(x), b.task.label(y));
            prop_assert!((0..=one.depth).all(|t| a.task.is_enough(x, t) == b.task.is_enough(y, t)));
        }
    }

    /// More held-out prompts leave the training prompts as they are.
    #[test]
    fn training_prompts_do_not_know_the_held_out_ones(one in settings(), held_out in 1..9usize, seed in any::<u64>()) {
        let (a, b) = (world(&one, seed), world(&Settings { held_out, ..one.clone() }, seed));
        prop_assert!(a.training().all(|x| truth_and_belief(&a, x) == truth_and_belief(&b, x)));
    }

    /// At each depth the shared log-prior correlates with quality exactly as the knob says, with mean 0 and standard deviation kappa.
    #[test]
    fn alignment_is_the_correlation(one in settings(), vocab in 3..40usize, seed in any::<u64>()) {
        let one = Settings { vocab, confidence: one.confidence + 0.1, ..one };
        let world = world(&one, seed);
        for (shared, quality) in world.base.shared.axis_iter(Axis(0)).zip(world.task.quality.axis_iter(Axis(0))) {
            let (shared, quality) = (shared.to_owned(), quality.to_owned());
            prop_assert!((pearson(&shared.to_vec(), &quality.to_vec()) - one.alignment).abs() < 1e-9);
            prop_assert!((correlation(&shared, &quality) - one.alignment).abs() < 1e-9);
            prop_assert!(shared.mean().unwrap().abs() < 1e-9 && close(std(&shared.to_vec(), 0), one.confidence, 1e-9));
        }
    }

    /// Base probabilities sum to 1 at every node, and the end token is there exactly where it may be taken.
    #[test]
    fn base_models_are_normalised(one in settings(), seed in any::<u64>()) {
        let world = world(&one, seed);
        for x in 0..one.all_prompts() {
            for h in 0..one.depth {
                let row = world.base.row(x, h);
                prop_assert!(close(row.iter().map(|l| l.exp()).sum(), 1.0, 1e-12));
                let ends = row.get(one.vocab).is_some_and(|l| l.is_finite());
                prop_assert_eq!(ends, one.end_token && h > 0);
            }
        }
    }

    /// The share of right tokens is the quality, the more so the more prompts: within 5 standard errors over 400 prompts.
    #[test]
    fn tokens_are_right_as_often_as_their_quality_says(seed in 0..20u64) {
        let world = world(&Settings { prompts: 200, held_out: 200, ..small_world(4, 2, false) }, seed);
        for ((h, v), q) in world.task.quality.indexed_iter() {
            let share = mean(&(0..400).map(|x| f64::from(world.task.is_right(x, h, v))).collect::<Vec<_>>());
            prop_assert!((share - q).abs() < 5.0 * (q * (1.0 - q) / 400.0).sqrt() + 1e-9, "{} is not {}", share, q);
        }
    }
}

fn pearson(x: &[f64], y: &[f64]) -> f64 {
    let (mx, my) = (mean(x), mean(y));
    let products: Vec<f64> = x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).collect();
    mean(&products) / std(x, 0) / std(y, 0)
}

/// With an end token a prompt needs 1 to H tokens, each number equally often: t tokens are enough for t/H of the prompts, within 5 standard errors over 2000.
/// Without one, every full response is long enough.
#[test]
fn prompts_need_one_to_all_tokens() {
    let count = 2000;
    let settings = Settings { prompts: count, ..small_world(3, 4, true) };
    let (ending, full) = (world(&settings, 1), world(&Settings { end_token: false, ..settings }, 1));
    for t in 0..=4 {
        let expected = t as f64 / 4.0;
        let share = (0..count).filter(|&x| ending.task.is_enough(x, t)).count() as f64 / count as f64;
        assert!((share - expected).abs() <= 5.0 * (expected * (1.0 - expected) / count as f64).sqrt(), "{share} is not {expected}");
        assert!((0..count).all(|x| full.task.is_enough(x, t)));
    }
}

/// The teacher, the sampler and the data regime live outside the world: a cell with a teacher has the truth of a cell without.
#[test]
fn the_truth_does_not_know_the_teacher() {
    let config = Config::DEFAULT;
    let mut taught = config.clone();
    (taught.data.sampler, taught.data.teacher_alignment) = (Sampler::Teacher, 0.2);
    assert_eq!(world(&config.world, 9), world(&taught.world, 9));
}

// ---- --align-by --------------------------------------------------------------------------------------------------------------------------

fn aimed(k: u64, target: f64) -> Settings {
    Settings { alignment: target, align_by: AlignBy::PassAt(k), vocab: 12, held_out: 40, ..Settings::DEFAULT }
}

fn base_pass_at(world: &World, k: u64) -> f64 {
    let base = SoftmaxPolicy::new(&world.task, &world.base, 0.0);
    let chances: Vec<f64> = world.held_out().map(|x| summary(&base, &world.task, x).success).collect();
    mean(&chances.iter().map(|p| 1.0 - (1.0 - p).powi(k as i32)).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// A base pass@k inside the reachable range is reached to 1e-6; outside it is an error that says the range.
    #[test]
    fn targets_are_reached_or_refused(k in prop_oneof![Just(1u64), Just(8), Just(64)], share in 0.001..0.999f64, seed in 0..1000u64) {
        let ends = [-1.0, 1.0].map(|alignment| base_pass_at(&world(&Settings { alignment, align_by: AlignBy::Knob, ..aimed(k, 0.5) }, seed), k));
        let target = ends[0] + share * (ends[1] - ends[0]);
        let reached = world(&aimed(k, target), seed);
        prop_assert!((base_pass_at(&reached, k) - target).abs() < 1e-6);
        let beyond = [(ends[0] * 0.99 - 1e-9, ends[0]), (0.5 * (ends[1] + 1.0), ends[1])];
        for (out, end) in beyond.into_iter().filter(|(out, end)| (out - end).abs() > 1e-10) {
            let error = World::new(&aimed(k, out), Seed(seed)).unwrap_err();
            prop_assert!(error.knob == "alignment" && error.allowed.contains(&format!("{end:.4}")), "{}", error);
        }
    }
}

// ---- measurements against brute force ----------------------------------------------------------------------------------------------------

/// A policy with skill, and with memory on the nodes that a few sampled steps happened to visit.
fn trained<'w>(world: &'w World, steps: usize) -> SoftmaxPolicy<'w> {
    let mut policy = SoftmaxPolicy::new(&world.task, &world.base, 0.4);
    let mut config = Config { world: world.task.settings.clone(), objective: rule("rloo").objective.clone(), ..Config::DEFAULT };
    (config.train.mode, config.train.steps, config.train.group_size) = (Mode::Sampled, steps, 4);
    (config.train.train_batch_size, config.train.learning_rate) = (2, 0.8);
    let prompts: Vec<usize> = world.training().collect();
    let training = Training {
        config: &config,
        signal: signal("random"),
        environment: &world.task,
        prompts: &prompts,
        teacher: None,
        seed: world.seed,
    };
    train(&mut policy, &training, &mut |_, _, _| {});
    policy
}

/// One response: its probability, log-probability, base log-probability, tokens without the end, and whether it is correct.
struct Response {
    p: f64,
    logprob: f64,
    ref_logprob: f64,
    length: f64,
    correct: bool,
}

fn all_responses(world: &World, policy: &SoftmaxPolicy, prompt: usize) -> Vec<Response> {
    let of = |tokens: Vec<Token>| {
        let logprob: f64 = tokens.iter().map(|t| t.logprob).sum();
        let ids: Vec<usize> = tokens.iter().map(|t| t.id as usize).filter(|v| *v < world.task.settings.vocab).collect();
        let right = ids.iter().enumerate().all(|(h, v)| world.task.is_right(prompt, h, *v));
        Response {
            p: logprob.exp(),
            logprob,
            ref_logprob: tokens.iter().map(|t| t.ref_logprob).sum(),
            length: ids.len() as f64,
            correct: right && world.task.is_enough(prompt, ids.len()),
        }
    };
    policy.enumerate(prompt).into_iter().map(of).collect()
}

fn expect(all: &[Response], f: impl Fn(&Response) -> f64) -> f64 {
    all.iter().map(|r| r.p * f(r)).sum()
}

/// Panics unless the summary by dynamic programming equals sums over all responses.
fn assert_matches(got: &Summary, all: &[Response]) {
    let truth = |r: &Response| f64::from(r.correct);
    let (success, entropy) = (expect(all, truth), -expect(all, |r| r.logprob));
    let covariance = expect(all, |r| (truth(r) - success) * (r.logprob + entropy));
    let mode = all.iter().max_by(|a, b| a.logprob.total_cmp(&b.logprob)).unwrap();
    let pairs = [
        ("total", expect(all, |_| 1.0), 1.0),
        ("success", got.success, success),
        ("entropy", got.entropy, entropy),
        ("kl", got.kl, expect(all, |r| r.logprob - r.ref_logprob)),
        ("length", got.length, expect(all, |r| r.length)),
        ("covariance", got.covariance(), covariance),
        ("mode", f64::from(got.mode_is_correct()), f64::from(mode.correct)),
    ];
    for (what, got, expected) in pairs {
        assert!(close(got, expected, 1e-10), "{what}: {got} is not {expected}");
    }
}

proptest! {
    /// Success, entropy, KL, length, covariance and mode equal sums over all responses, with memory on some nodes, with and without an end token.
    #[test]
    fn summaries_equal_sums_over_all_responses(one in settings(), steps in 0..4usize, seed in any::<u64>()) {
        let world = world(&one, seed);
        let policy = trained(&world, steps);
        for x in 0..one.all_prompts() {
            assert_matches(&summary(&policy, &world.task, x), &all_responses(&world, &policy, x));
        }
    }

    /// Means over prompts, and pass@k, which grows with k.
    #[test]
    fn measured_means_are_means(one in settings(), seed in any::<u64>()) {
        let world = world(&one, seed);
        let policy = trained(&world, 2);
        let measured = measure(&policy, &world.task, world.training());
        let all: Vec<Summary> = world.training().map(|x| summary(&policy, &world.task, x)).collect();
        let of = |f: &dyn Fn(&Summary) -> f64| mean(&all.iter().map(f).collect::<Vec<_>>());
        for (k, got) in PASS_KS.iter().zip(&measured.pass_at) {
            prop_assert!(close(*got, of(&|s| 1.0 - (1.0 - s.success).powi(*k as i32)), 1e-10));
        }
        prop_assert!(measured.pass_at.windows(2).all(|w| w[0] <= w[1] + 1e-15));
        prop_assert!(close(measured.entropy, of(&|s| s.entropy), 1e-12) && close(measured.kl, of(&|s| s.kl), 1e-12));
        prop_assert!(close(measured.mean_length, of(&|s| s.length), 1e-12) && close(measured.covariance, of(&Summary::covariance), 1e-12));
        prop_assert!(close(measured.mode_accuracy, of(&|s| f64::from(s.mode_is_correct())), 1e-12));
    }

    /// pass@k is the chance that some response of a k-tuple is right, by going through all tuples.
    #[test]
    fn pass_at_k_counts_tuples(one in settings(), k in 1..5u32, seed in any::<u64>()) {
        let world = world(&Settings { vocab: 3, depth: 1, ..one }, seed);
        let policy = trained(&world, 1);
        for x in world.training() {
            let all = all_responses(&world, &policy, x);
            let p = summary(&policy, &world.task, x).success;
            prop_assert!(close(pass_at_k(p, f64::from(k)), some_right(&all, k), 1e-12));
        }
    }

    /// The path code of a response names it: no two responses share one.
    #[test]
    fn codes_name_responses(one in settings(), seed in any::<u64>()) {
        let world = world(&one, seed);
        let policy = SoftmaxPolicy::new(&world.task, &world.base, 0.0);
        let codes: Vec<u128> = policy.enumerate(0).iter().map(|y| world.task.code(y.iter().map(|t| t.id))).collect();
        let different: std::collections::HashSet<_> = codes.iter().collect();
        prop_assert!(different.len() == codes.len() && codes.len() as f64 == one.responses());
    }
}

/// Chance that one of `k` independent responses is right: a sum over all k-tuples.
fn some_right(all: &[Response], k: u32) -> f64 {
    let tuples = all.len().pow(k);
    let member = |tuple: usize, i: u32| &all[tuple / all.len().pow(i) % all.len()];
    let chance = |tuple: usize| (0..k).map(|i| member(tuple, i).p).product::<f64>();
    (0..tuples).filter(|t| (0..k).any(|i| member(*t, i).correct)).map(chance).sum()
}

// ---- pass@k from samples -----------------------------------------------------------------------------------------------------------------

/// Share of the k-subsets of n samples, the first `correct` of them right, for which `f` holds of the number right inside.
fn share_of_subsets(n: u32, correct: u32, k: u32) -> f64 {
    let subsets: Vec<u32> = (0..1u32 << n).filter(|s| s.count_ones() == k).collect();
    let hits = subsets.iter().filter(|s| **s & ((1 << correct) - 1) != 0).count();
    hits as f64 / subsets.len() as f64
}

#[test]
fn the_unbiased_estimator_counts_subsets() {
    for n in 1..=9u32 {
        for (c, k) in (0..=n).flat_map(|c| (1..=n).map(move |k| (c, k))) {
            let got = unbiased_pass_at_k(n.into(), c.into(), k.into()).unwrap();
            assert!(close(got, share_of_subsets(n, c, k), 1e-12), "n {n}, c {c}, k {k}: {got}");
        }
        assert_eq!(unbiased_pass_at_k(n.into(), 0, u64::from(n) + 1), None);
    }
}

/// Credit of a wrong rollout: k - 1 of the n - 1 others hold a right one.
#[test]
fn the_credit_of_a_wrong_rollout_counts_subsets_of_the_others() {
    for n in 2..=9u32 {
        for (c, k) in (0..n).flat_map(|c| (1..=n).map(move |k| (c, k))) {
            let got = others_pass_at_k(n.into(), c.into(), k.into()).unwrap();
            assert!(close(got, share_of_subsets(n - 1, c, k - 1), 1e-12), "n {n}, c {c}, k {k}: {got}");
        }
    }
}

proptest! {
    /// Its mean over samples of a policy with success p is pass@k; that of verl's best@k is never larger.
    #[test]
    fn the_unbiased_estimator_is_unbiased(p in 0.05..0.95f64, (n, k) in (2..12u32).prop_flat_map(|n| (Just(n), 2..=n))) {
        let mean_of = |f: &dyn Fn(u64) -> f64| (0..=n).map(|c| binomial(n, c) * p.powi(c as i32) * (1.0 - p).powi((n - c) as i32) * f(c.into())).sum::<f64>();
        let exact = pass_at_k(p, k.into());
        prop_assert!(close(mean_of(&|c| unbiased_pass_at_k(n.into(), c, k.into()).unwrap()), exact, 1e-12));
        prop_assert!(mean_of(&|c| best_at_k(n.into(), c, k.into()).unwrap()) <= exact + 1e-12);
    }

    /// pass@k grows with k and with p, and its mean over prompts is a mean.
    #[test]
    fn pass_at_k_grows(p in 0.0..1.0f64, more in 0.0..1.0f64, k in 1..1000u32) {
        let at = |p: f64, k: u32| pass_at_k(p, f64::from(k));
        let larger = p + more * (1.0 - p);
        prop_assert!(at(p, k) <= at(p, k + 1) && at(p, k) <= at(larger, k) + 1e-15);
        prop_assert!(close(mean_pass_at_k(&[p, larger], k.into()), (at(p, k) + at(larger, k)) / 2.0, 1e-14));
    }
}

/// A prompt that cannot be failed: probabilities that add up to a little more than 1 are no reason for NaN.
#[test]
fn certain_success_stays_certain() {
    for p in [1.0, 1.0 + f64::EPSILON] {
        assert_eq!([0.0, 1.0, 2.5, 1e9].map(|k| pass_at_k(p, k)), [0.0, 1.0, 1.0, 1.0]);
    }
}

fn binomial(n: u32, c: u32) -> f64 {
    (0..c).map(|i| f64::from(n - i) / f64::from(i + 1)).product()
}

// ---- randomness --------------------------------------------------------------------------------------------------------------------------

proptest! {
    /// Streams at different addresses differ, and at equal addresses agree.
    #[test]
    fn streams_have_addresses(a in address(), b in address(), index in any::<u64>()) {
        let words = |(seed, purpose, step, slot): Address| {
            let stream = Seed(seed).stream(purpose, step, slot);
            [0, 1, 2, 3].map(|i| stream.word((index >> 2).wrapping_add(i)))
        };
        prop_assert_eq!(words(a), words(a));
        prop_assert_eq!(a == b, words(a) == words(b));
    }

    /// Every bit of an address counts.
    #[test]
    fn every_bit_of_an_address_counts(a in address()) {
        let (seed, purpose, step, slot) = a;
        let next = if purpose == Purpose::Rollout { Purpose::Reward } else { Purpose::Rollout };
        let block = |s: Stream| [0, 1, 2, 3].map(|i| s.word(i));
        let here = block(Seed(seed).stream(purpose, step, slot));
        let seeds = (0..64).map(|bit| Seed(seed ^ 1 << bit).stream(purpose, step, slot));
        let steps = (0..24).map(|bit| Seed(seed).stream(purpose, step ^ 1 << bit, slot));
        let slots = (0..32).map(|bit| Seed(seed).stream(purpose, step, slot ^ 1 << bit));
        for other in seeds.chain(steps).chain(slots).chain([Seed(seed).stream(next, step, slot)]) {
            prop_assert_ne!(here, block(other));
        }
    }

    /// The first rollouts of a prompt are the same however many are drawn, with memory on some nodes.
    #[test]
    fn rollouts_do_not_know_their_number(one in settings(), few in 1..8usize, more in 0..20usize, seed in any::<u64>()) {
        let world = world(&one, seed);
        let policy = trained(&world, 2);
        let words = Seed(seed).stream(Purpose::Rollout, 5, 1);
        for x in 0..one.all_prompts() {
            let rollouts = |count| policy.sample(&[(x, words.clone())], count).swap_remove(0);
            prop_assert_eq!(rollouts(few), rollouts(few + more)[..few].to_vec());
        }
    }

    /// Rollouts are scored as they are rescored, and as enumeration scores them.
    #[test]
    fn sampling_scoring_and_enumeration_agree(one in settings(), seed in any::<u64>()) {
        let world = world(&one, seed);
        let policy = trained(&world, 2);
        for x in 0..one.all_prompts() {
            let all = policy.enumerate(x);
            for tokens in policy.sample(&[(x, Seed(seed).stream(Purpose::Rollout, 0, x))], 6).swap_remove(0) {
                prop_assert_eq!(&policy.rescore(&[(x, &tokens)])[0], &tokens);
                prop_assert!(all.contains(&tokens));
            }
            let greedy = policy.greedy(&[x]).swap_remove(0);
            prop_assert!(all.iter().filter(|y| y[0].id == greedy[0].id).all(|y| y[0].logprob == greedy[0].logprob));
            prop_assert!(all.iter().all(|y| y[0].logprob <= greedy[0].logprob));
        }
    }
}

type Address = (u64, Purpose, usize, usize);

fn address() -> impl Strategy<Value = Address> {
    let purposes = vec![Purpose::Truth, Purpose::Noise, Purpose::Prompts, Purpose::Rollout, Purpose::Reward, Purpose::Shuffle];
    (any::<u64>(), proptest::sample::select(purposes), 0..(1usize << 24) - 1, 0..(1usize << 31))
}

/// Sampled frequencies are the probabilities: 40 000 rollouts of a tree with memory, every response within 5 standard errors.
#[test]
fn rollouts_follow_the_policy() {
    let world = world(&small_world(3, 2, true), 4);
    let policy = trained(&world, 3);
    let count = 40_000;
    let sampled = policy.sample(&[(0, Seed(8).stream(Purpose::Rollout, 0, 0))], count).swap_remove(0);
    for tokens in policy.enumerate(0) {
        let p = tokens.iter().map(|t| t.logprob).sum::<f64>().exp();
        let share = sampled.iter().filter(|y| **y == tokens).count() as f64 / count as f64;
        assert!((share - p).abs() < 5.0 * (p * (1.0 - p) / count as f64).sqrt(), "{share} is not {p}");
    }
}

// ---- P35: what alignment is worth --------------------------------------------------------------------------------------------------------

/// A world in which tokens are right or wrong for every prompt, and the base model's beliefs have no private part: one prompt says all.
fn right_or_wrong(vocab: usize, right: usize, confidence: f64, alignment: f64) -> Settings {
    Settings {
        vocab,
        good_tokens: right,
        good_quality: 1.0,
        bad_quality: 0.0,
        confidence,
        alignment,
        idiosyncrasy: 0.0,
        prompts: 1,
        held_out: 1,
        ..Settings::DEFAULT
    }
}

/// Base pass@1 and mode accuracy over `seeds` worlds, each with its standard error.
fn over_seeds(settings: &Settings, seeds: u64) -> [(f64, f64); 2] {
    let one = |seed| {
        let world = world(settings, seed);
        let base = SoftmaxPolicy::new(&world.task, &world.base, 0.0);
        let summary = summary(&base, &world.task, 1);
        (summary.success, f64::from(summary.mode_is_correct()))
    };
    let (pass, mode): (Vec<f64>, Vec<f64>) = (0..seeds).into_par_iter().map(one).unzip();
    [pass, mode].map(|xs| (mean(&xs), std(&xs, 1) / (seeds as f64).sqrt()))
}

const ALIGNMENTS: [f64; 9] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

#[test]
fn base_pass_at_1_is_the_bulk_formula() {
    for (kappa, a) in [0.5, 1.0].into_iter().flat_map(|k| ALIGNMENTS.map(|a| (k, a))) {
        let [(pass, error), _] = over_seeds(&right_or_wrong(1024, 51, kappa, a), 200);
        let predicted = bulk_pass_at_1(51.0 / 1024.0, kappa, a);
        assert!((pass - predicted).abs() < f64::min(0.02, 0.003 + 3.0 * error), "kappa {kappa}, a {a}: {pass} is not {predicted}");
    }
}

#[test]
fn base_mode_accuracy_is_the_extreme_value_formula() {
    for (kappa, a) in [0.5, 1.0].into_iter().flat_map(|k| ALIGNMENTS.map(|a| (k, a))) {
        let [_, (mode, error)] = over_seeds(&right_or_wrong(1024, 51, kappa, a), 1200);
        let predicted = mode_accuracy(1024, 51.0 / 1024.0, kappa, 0.0, a);
        assert!((mode - predicted).abs() < 0.02 + 3.0 * error, "kappa {kappa}, a {a}: {mode} is not {predicted}");
    }
}

/// Idiosyncrasy widens the noise of the mode as the formula says.
#[test]
fn base_mode_accuracy_knows_idiosyncrasy() {
    for a in ALIGNMENTS {
        let settings = Settings { idiosyncrasy: 1.5, ..right_or_wrong(256, 13, 1.0, a) };
        let [_, (mode, error)] = over_seeds(&settings, 2000);
        let predicted = mode_accuracy(256, 13.0 / 256.0, 1.0, 1.5, a);
        assert!((mode - predicted).abs() < 0.02 + 3.0 * error, "a {a}: {mode} is not {predicted}");
    }
}

/// Beyond the freezing confidence the prior sits on few tokens and the bulk formula promises too much (theory: `freezing_confidence`).
#[test]
fn the_bulk_formula_breaks_where_the_prior_freezes() {
    println!("{:>5} {:>5} {:>4}  {:>7} {:>7}  {:>7} {:>7}", "V", "kappa", "a", "pass@1", "bulk", "mode", "theory");
    for (vocab, right) in [(1024, 51), (64, 3), (16, 2)] {
        for (kappa, a) in [1.0, 2.0, 4.0].into_iter().flat_map(|k| [0.1, 0.3, 0.6, 0.9].map(|a| (k, a))) {
            let [(pass, error), (mode, _)] = over_seeds(&right_or_wrong(vocab, right, kappa, a), 300);
            let share = right as f64 / vocab as f64;
            let (bulk, theory) = (bulk_pass_at_1(share, kappa, a), mode_accuracy(vocab, share, kappa, 0.0, a));
            println!("{vocab:5} {kappa:5} {a:4}  {pass:7.3} {bulk:7.3}  {mode:7.3} {theory:7.3}");
            assert!(pass < bulk + 0.02 + 4.0 * error, "V {vocab}, kappa {kappa}, a {a}: the formula promised too little");
        }
    }
    let [(frozen, _), _] = over_seeds(&right_or_wrong(1024, 51, 4.0, 0.3), 300);
    assert!(frozen < bulk_pass_at_1(51.0 / 1024.0, 4.0, 0.3) - 0.1);
}

/// A prior made twice is the same, and at alignment 1 or -1 it is the quality itself.
#[test]
fn full_alignment_is_the_quality() {
    let settings = Settings { alignment: 1.0, confidence: 2.0, ..small_world(6, 2, false) };
    let world = world(&settings, 3);
    for sign in [1.0, -1.0] {
        let prior = Prior::new(&world.task, world.seed, sign, 2.0);
        for (shared, quality) in prior.shared.axis_iter(Axis(0)).zip(world.task.quality.axis_iter(Axis(0))) {
            let (m, s) = (quality.mean().unwrap(), std(&quality.to_vec(), 0));
            assert!(shared.iter().zip(quality).all(|(l, q)| close(*l, sign * 2.0 * (q - m) / s, 1e-9)));
        }
    }
}

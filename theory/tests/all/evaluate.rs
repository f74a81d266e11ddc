//! What a proposition's `evaluate` hands to which function: every output at one generic point, where no two inputs are equal and no input is a
//! special case. The functions themselves are tested in their own modules; here an input that is passed on in the wrong place is seen.

use mta_theory::clip_arms::ArmPass;
use mta_theory::clocks::{Clock, Collision};
use mta_theory::crossing::LogitMap;
use mta_theory::difficulty::Difficulty;
use mta_theory::price::Reward;
use mta_theory::proposition::Proposition;
use mta_theory::shared_tree::Levels;
use mta_theory::sharpening_phase::Tokens;
use mta_theory::simplex::{logit, sigmoid};
use mta_theory::stability::Objective;
use mta_theory::verifier::Verifier;
use mta_theory::{
    adam, alignment, best_of_n, ceiling, clip_arms, clipping, clocks, conservation, crossing, difficulty, distillation, entropy_bonus,
    fixation, group_gradient, leash, length, majority, pass_at_k, price, push_back, random_reward, self_reward, sequence_clip, shared_tree,
    sharpening, sharpening_phase, signed_samples, simplex, spurious, stability, transfer, tree, verifier,
};

const RIGHT: [f64; 3] = [1.0, 0.0, 0.0];
const FIRST: [bool; 3] = [true, false, false];

fn evaluates(proposition: &Proposition, inputs: &[f64], outputs: &[f64]) {
    assert_eq!(inputs.len(), proposition.inputs.len(), "{}", proposition.id);
    let found = (proposition.evaluate)(inputs);
    assert_eq!(found.len(), outputs.len(), "{}", proposition.id);
    for ((found, expected), output) in found.iter().zip(outputs).zip(proposition.outputs) {
        let found = found.unwrap_or(f64::NAN);
        assert!((found - expected).abs() <= 1e-13 * expected.abs(), "{} {}: {found:e}, not {expected:e}", proposition.id, output.name);
    }
}

#[test]
fn flows_of_a_true_reward() {
    let (p, own) = ([0.2, 0.5, 0.3], [0.2f64, 0.5, 0.3].map(f64::ln));
    let rates =
        [Reward::True, Reward::Noisy { youden: 0.4 }, Reward::Random, Reward::WrongLabel { mass: 0.5 }].map(|r| price::alignment(0.2, r));
    let log_p = [price::natural_rate(&p, &RIGHT, &own), price::gradient_rate(&p, &RIGHT, &own)];
    evaluates(&price::P1, &[0.2, 0.5, 0.4], &[&rates[..], &log_p].concat());
    evaluates(&clocks::P2, &[0.1, 0.7, 4.0], &Clock::ALL.map(|clock| clocks::time(clock, 0.1, 0.7, 4.0)));
    let end = conservation::limit_logit(0.3, 1.1).unwrap();
    evaluates(&conservation::P3, &[0.3, 1.1], &[conservation::invariant(0.3, 1.1), end, end - 0.3, (-0.8f64).exp()]);
    let (p, r) = ([0.15, 0.6, 0.25], [1.0, 0.7, 0.0]);
    let (bound, norm) = (push_back::gradient_lower_bound(&p, &r), push_back::gradient_norm(&p, &r));
    evaluates(&push_back::P4, &[0.15, 0.6, 0.7], &[push_back::arm_rate(&p, &r, 0), price::gradient_rate(&p, &r, &r), norm, bound]);
    let kept = group_gradient::amplification_of_kept_groups(0.3, 6).unwrap();
    let (c, informative) = (group_gradient::amplification(0.3, 6), group_gradient::informative_probability(0.3, 6));
    evaluates(&group_gradient::P5, &[0.3, 6.0], &[c, 5.0 / 6.0, kept, informative, group_gradient::objective(0.3, 6), 5f64.sqrt()]);
}

#[test]
fn noisy_verifiers_and_leashes() {
    let noisy = Verifier { tpr: 0.8, fpr: 0.15 };
    let rates = Clock::ALL.map(|clock| noisy.rate(clock, 0.2, Collision::symmetric(5.0)));
    let last = [noisy.amplification(0.2, 7), noisy.npg_std_time(0.2, 0.9)];
    evaluates(&verifier::P6, &[0.2, 0.9, 0.8, 0.15, 5.0, 7.0], &[&[noisy.youden()], &rates[..], &last].concat());
    // the hack is half as likely as the other wrong arm and accepted less often than the right one
    let plain = verifier::natural_policy(&[0.4, 0.2, 0.4], &[0.9, 0.6, 0.0], 3.0)[0];
    evaluates(&verifier::P7, &[0.4, 0.2, 0.9, 0.6, 3.0], &[0.7, plain, 1.0, 1.0]);
    let tied = verifier::natural_policy(&[0.1, 0.3, 0.6], &[0.5, 0.5, 0.0], 3.0)[0];
    evaluates(&verifier::P7, &[0.1, 0.3, 0.5, 0.5, 3.0], &[0.5 - 0.5 / 3.0, tied, 0.25, 0.0]);
    let end = leash::fixed_point(0.3, 0.7, 0.4);
    evaluates(&leash::P8, &[0.3, 0.7, 0.4, 2.5], &[sigmoid(leash::logit_at(logit(0.3), 0.7, 0.4, 2.5)), end]);
    let held = leash::equilibria(logit(0.3), 2.0).unwrap();
    let (roots, free) = ([sigmoid(held.stable), sigmoid(held.unstable), 1.0], leash::fixed_point(0.3, 1.0, 2.0));
    evaluates(&leash::P9, &[0.3, 2.0], &[&[leash::critical_beta(0.3)], &roots[..], &[free]].concat());
    let (snr, c) = (fixation::squared_snr(noisy, 0.3, 16), fixation::selection(noisy, 0.3, 16, 9.0));
    let drift = fixation::drift(noisy, 0.3, 16, 9.0);
    evaluates(&fixation::P10, &[0.3, 0.8, 0.15, 16.0, 9.0], &[drift, snr, 1.0 / snr, c, fixation::chance(0.3, c)]);
}

#[test]
fn random_and_spurious_rewards() {
    let kappa = random_reward::noise_rate(0.3, random_reward::second_moment_group_mean(0.4, 6.0), 6.0);
    let p = [0.4, 0.2, 0.2, 0.2];
    let (drift, log_drift) = (random_reward::drift(&p, kappa)[0], random_reward::log_drift(&p, kappa));
    evaluates(&random_reward::P11, &[0.4, 4.0, 0.3, 6.0, 0.4], &[kappa, drift, log_drift, random_reward::vanishing_arm_drift(&p, kappa)]);
    let exit = random_reward::mean_exit_time(logit(0.2), logit(0.2) - 3.0, logit(0.2) + 3.0, 0.01);
    let (left, spread) = (random_reward::heterozygosity(0.2, 0.01, 50.0), random_reward::logit_variance(0.2, 0.01));
    evaluates(&random_reward::P12, &[0.2, 0.01, 50.0, 3.0], &[0.2, left, spread, exit]);
    let pass = clipping::Pass { p: 0.7, clip: 0.25, step: 2.0, minibatches: 5, size: 30.0, second_moment: 1.0, mean_size: 1.0 };
    let saturated = [clipping::saturated_drift(0.7, 0.25), clipping::saturated_drift_leading(0.7, 0.25)];
    let ends = [clipping::chance_to_win(0.7), 1.0];
    evaluates(&clipping::P13, &[0.7, 0.25, 2.0, 5.0, 30.0], &[&[clipping::first_order_drift(&pass)], &saturated[..], &ends].concat());
    let reuse = clipping::Reuse { p: 0.85, clip: 0.1, step: 0.5, group: 5, epochs: 3 };
    let (clipped, free) = (clipping::reused_batch(&reuse), clipping::reused_batch(&clipping::Reuse { clip: f64::INFINITY, ..reuse }));
    evaluates(&clipping::P14, &[0.85, 0.1, 0.5, 5.0, 3.0], &[clipped.drift, free.drift, clipped.up, clipped.down]);
    let slopes = [spurious::two_mode_slope(0.3, 0.5, -0.2), spurious::wrong_arm_slope_npg(0.1, 0.25)];
    let pg = spurious::wrong_arm_slope_pg(&[0.1, 0.25, 0.65], 0, 1);
    evaluates(&spurious::P15, &[0.3, 0.5, -0.2, 0.1, 0.25], &[slopes[0], slopes[1], pg]);
}

#[test]
fn self_rewards() {
    evaluates(&majority::P16, &[0.4, 7.0, 4.0], &[majority::reward_gap(0.4, 7), majority::mode_chance(0.4, 4).unwrap(), 0.25]);
    let rounds = majority::rounds_to_leave_tie(0.02, 7);
    let sampled = majority::SampledVote { group: 7, learning_rate: 0.4 }.chance(0.6);
    evaluates(&majority::P17, &[0.6, 7.0, 0.02, 0.4], &[majority::maj_at(0.6, 7), majority::slope_at_tie(7), rounds, sampled]);
    evaluates(&self_reward::P18, &[0.3, 5.0, 6.0], &[self_reward::time_between(0.3, 5.0).unwrap(), (5.0f64 / 0.3).ln(), 1.0 / 6.0]);
    let now = self_reward::leashed_log_ratio(0.7, 1.6, 2.5);
    evaluates(&self_reward::P19, &[0.7, 1.6, 2.5], &[now, 0.7 * 1.6 / 0.6, 1.6 / 0.6, 1.625]);
    let (fixed, own) = (stability::condition(Objective::FixedLogPrior, 1.6), stability::condition(Objective::SelfReward, 1.6));
    evaluates(&stability::P20, &[0.5, 0.3, 1.6], &[stability::distance_bound(0.6875), fixed, own]);
    let (entropy, slope) = (length::sequence_entropy(0.3, 7.0), length::entropy_slope(0.3, 7.0));
    evaluates(&length::P21, &[0.3, 7.0], &[entropy, slope, length::summed_drift(0.3, 7.0), length::normalised_drift(0.3)]);
    let p = [0.5, 0.15, 0.35];
    let sharp = [sharpening::sharpened_accuracy(&p, &FIRST, 1.7), sharpening::accuracy_slope(&p, &FIRST, 1.7)];
    let entropy = simplex::entropy(&sharpening::sharpened(&p, 1.7));
    let rate = sharpening::task_reward_entropy_rate(&p, &FIRST);
    evaluates(&sharpening::P22, &[0.5, 0.15, 1.7], &[sharp[0], sharp[1], 1.0, entropy, rate]);
    let limit = alignment::sharpened_limit_accuracy(6.0, 1.2, 0.9);
    evaluates(&alignment::P23, &[6.0, 1.2, 0.9], &[limit, limit - 1.0 / 6.0]);
    let found = best_of_n::self_rewarded_accuracy(&p, &FIRST, 5.0);
    evaluates(&best_of_n::P24, &[0.5, 0.15, 5.0], &[found, pass_at_k::pass_at_k(0.5, 5.0), 2.0]);
}

#[test]
fn transfer_and_signed_samples() {
    let rates = [transfer::two_arm_transfer_rate(0.3, 0.6, 1.7), transfer::two_arm_transfer_rate(0.6, 0.6, 1.0)];
    evaluates(&transfer::P25, &[0.3, 0.6, 1.7], &rates);
    let trained = transfer::trained_logit(1.3, -0.8, 4.0);
    let other = |sign| transfer::transferred_logit(1.3, -0.8, trained + 0.8, sign);
    let ends = [0.7, transfer::one_shot_to_full_rate(1.3, 12.0)];
    evaluates(
        &transfer::P26,
        &[1.3, 12.0, 0.7, -0.8, 4.0],
        &[&[transfer::coupling(1.3), trained, other(1.0), other(-1.0)], &ends[..]].concat(),
    );
    let weights = [signed_samples::psr_norm_weight(0.2, 6.0), signed_samples::nsr_norm_weight(0.2, 6.0)];
    let (grpo, times) = (signed_samples::grpo_weights(0.2, 6), signed_samples::hitting_times(0.2, 0.7));
    evaluates(&signed_samples::P27, &[0.2, 6.0, 0.7], &[&weights[..], &grpo, &times].concat());
    let p = [0.1, 0.25, 0.65];
    let (squares, cubes) = (simplex::power_sum(&p, 2), simplex::power_sum(&p, 3));
    let dead = signed_samples::dead_prompt_drift(squares, cubes, 0.3, 5.0);
    evaluates(&signed_samples::P28, &[0.1, 0.25, squares, cubes, 0.3, 5.0], &[signed_samples::negative_sample(&p, 0, 0.3)[1], dead]);
}

#[test]
fn pass_at_k_and_its_limits() {
    let (before, after) = (Difficulty { a: 0.6, b: 1.4 }, Difficulty { a: 0.25, b: 0.35 });
    let passes = [difficulty::beta_pass_at_k(0.6, 1.4, 3.0), difficulty::beta_pass_at_k(0.25, 0.35, 3.0)];
    let crossings = [difficulty::crossover(before, after).unwrap(), difficulty::asymptotic_crossover(before, after).unwrap()];
    evaluates(&difficulty::P29, &[0.6, 1.4, 0.25, 0.35, 3.0], &[passes, crossings].concat());
    let mapped = |shift, power| crossing::mapped_pass_at_k(0.7, 1.2, LogitMap { shift, power }, 20.0);
    let passes = [difficulty::beta_pass_at_k(0.7, 1.2, 20.0), mapped(0.9, 1.0), mapped(0.0, 1.8)];
    let tails = [crossing::tilt_tail_ratio(0.9, 0.7), 0.7 / 1.8, crossing::negative_transfer_tail_ratio(0.3, 0.9, 0.7)];
    evaluates(
        &crossing::P30,
        &[0.7, 1.2, 0.9, 1.8, 0.3, 20.0],
        &[&passes[..], &tails, &[crossing::critical_harmed_share(0.9, 0.7)]].concat(),
    );
    let dead = ceiling::dead_share(0.6, 1.3, 30.0);
    let prompt = [ceiling::unhit(0.1, 30.0), ceiling::ceiling(0.1, 30.0), ceiling::never_updated(0.1, 6.0, 5.0)];
    let all =
        [dead, difficulty::beta_pass_at_k(0.6, 1.3, 31.0), ceiling::tail_crossing(0.6, 1.3, dead), ceiling::tail_miss(0.1, 0.02, 6.0)];
    evaluates(&ceiling::P31, &[0.1, 6.0, 5.0, 0.6, 1.3, 0.2], &[&prompt[..], &all].concat());
    let times = [distillation::distillation_time(0.05, 0.6, 0.8).unwrap(), distillation::policy_gradient_time(0.05, 0.6)];
    let bound = distillation::mixture_fail_bound(0.4, 0.15, 9.0);
    evaluates(&distillation::P32, &[0.05, 0.6, 0.8, 0.4, 0.15, 9.0], &[times[0], times[1], bound]);
    let times = [tree::pg_time(3.0, 4.0, 0.6), tree::pg_std_time(3.0, 4.0, 0.6), tree::npg_time(3.0, 4.0, 0.6)];
    evaluates(&tree::P33, &[3.0, 4.0, 0.6], &times);
    evaluates(&tree::P34, &[3.0, 2.0, 5.0, 4.0], &[tree::expected_groups(3.0, 2.0, 5.0), (8f64 / 9.0).powi(20)]);
    let (bulk, freezing) = (alignment::bulk_pass_at_1(0.1, 1.5, 0.4), alignment::freezing_confidence(128, 0.6, 0.4));
    evaluates(&alignment::P35, &[128.0, 0.1, 1.5, 0.6, 0.4], &[bulk, freezing, alignment::mode_accuracy(128, 0.1, 1.5, 0.6, 0.4)]);
}

#[test]
fn clips_of_many_arms_and_of_sequences() {
    let policy = [[0.28].as_slice(), &[0.12; 6]].concat();
    let pass = ArmPass { clip_low: 0.15, clip_high: 0.25, step: 6.0, minibatches: 3, size: 200.0, second_moment: 1.0, mean_size: 1.0 };
    let rate = random_reward::noise_rate(6.0, 1.0, 200.0);
    let drifts = [clip_arms::clip_drift(&policy, &pass)[0], 3.0 * random_reward::drift(&policy, rate)[0]];
    let turn = clip_arms::turning_point(7, rate.sqrt() / 0.2);
    evaluates(&clip_arms::P36, &[0.28, 7.0, 0.15, 0.25, 6.0, 3.0, 200.0], &[drifts[0], drifts[1], simplex::power_sum(&policy, 2), turn]);
    let shares = [sequence_clip::clipped_shares(0.02, 300.0, 0.002, 0.003), sequence_clip::clipped_shares(0.02, 1.0, 0.05, 0.07)].concat();
    let ranges = sequence_clip::matched_ranges(0.02, 300.0, 0.05, 0.07).map(Option::unwrap);
    let mean = sequence_clip::mean_ratio(0.02, 300.0);
    let single = [sequence_clip::matched_length(0.07, 0.003), sequence_clip::kl_that_cuts_all(0.002)];
    let expected = [&shares[..], &[mean], &ranges, &single, &[sequence_clip::spring(0.02, 300.0, 0.002, 0.003)]].concat();
    evaluates(&sequence_clip::P37, &[0.02, 300.0, 0.002, 0.003, 0.05, 0.07], &expected);
}

#[test]
fn bonuses_and_adam() {
    let (start, reward) = ([0.15, 0.15, 0.14, 0.14, 0.14, 0.14, 0.14], [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let accuracy: f64 = entropy_bonus::policy_at(&start, &reward, 2.5, 0.35)[..2].iter().sum();
    let [natural, plain] = entropy_bonus::equalising_rates(2.0, 5.0, 2.5);
    let ends = [accuracy, entropy_bonus::ceiling(2.0, 5.0, 2.5), leash::fixed_point(0.3, 1.0, 2.5)];
    let bonuses = [entropy_bonus::largest_bonus(0.45, 2.0, 5.0).unwrap(), natural, plain, entropy_bonus::critical_bonus(2.0, 5.0)];
    let stable = sigmoid(entropy_bonus::group_std_equilibria(2.0, 5.0, 2.5).unwrap().stable);
    evaluates(&entropy_bonus::P38, &[2.0, 5.0, 2.5, 0.3, 0.35, 0.45], &[&ends[..], &bonuses, &[stable]].concat());
    let raw = [adam::psr_speed(0.2, 6.0), adam::nsr_speed(0.2, 6.0)];
    let (signs, times) = (adam::sign_speeds(0.2, 6.0), adam::hitting_times(0.2, 0.6, 6.0));
    let expected = [&raw[..], &adam::grpo_speeds(0.2, 6, 0.3), &signs[..2], &times[..2]].concat();
    evaluates(&adam::P39, &[0.2, 6.0, 0.3, 0.6], &expected);
}

#[test]
fn shared_trees_and_phases_of_sharpening() {
    for right in [1.0, 2.0] {
        let levels = Levels { branching: 5.0, right, depth: 3.0 };
        let times = [levels.shared_pg_time(0.6), levels.shared_npg_time(0.6)];
        let full = times[0] / shared_tree::carried_speed(0.7, 0.4);
        let held = [0.7, shared_tree::shared_part(0.7, 0.4)].map(|part| 0.4 * levels.held_out(0.6, part));
        let found = (shared_tree::P40.evaluate)(&[5.0, right, 3.0, 0.6, 0.7, 0.4]);
        let node = (right == 1.0).then(|| tree::npg_time(5.0, 3.0, 0.6));
        let rest = [full, held[0], held[1], levels.transfer_failure(0.6, 0.7)].map(Some);
        assert_eq!(found, [&times.map(Some)[..], &[node], &rest].concat());
    }
    let tokens = Tokens { right: 3.0, wrong: 37.0 };
    let phases = [
        tokens.expected_pass_at_1(0.8, 0.35),
        alignment::bulk_pass_at_1(0.075, 0.8, 0.35),
        tokens.expected_pass_at_1(2.0, 0.35),
        alignment::mode_accuracy(40, 0.075, 0.8, 0.0, 0.35),
        tokens.freezing_confidence(0.35),
        tokens.mode_threshold(),
        tokens.neutral_alignment(0.8).unwrap(),
    ];
    evaluates(&sharpening_phase::P41, &[40.0, 3.0, 0.8, 0.35, 2.5], &phases);
}

fn exists(proposition: &Proposition, inputs: &[f64]) -> Vec<bool> {
    (proposition.evaluate)(inputs).iter().map(Option::is_some).collect()
}

/// A third arm may have little or no mass, and a target may be the start; beyond that there is no number.
#[test]
fn outputs_exist_up_to_the_edge() {
    for rest in [0.0, 0.0078125] {
        let p = 0.5 - rest;
        assert_eq!(exists(&price::P1, &[0.5, p, 0.4]), [true, true, true, true, rest > 0.0, rest > 0.0]);
        assert_eq!(exists(&push_back::P4, &[0.5, p, 0.7]), [true; 4]);
        assert_eq!(exists(&verifier::P7, &[0.5, p, 0.9, 0.6, 3.0]), [true; 4]);
        assert_eq!(exists(&spurious::P15, &[0.3, 0.5, 0.2, 0.5, p]), [true; 3]);
        assert_eq!(exists(&sharpening::P22, &[0.5, p, 2.0]), [true; 5]);
        assert_eq!(exists(&best_of_n::P24, &[0.5, p, 8.0]), [true; 3]);
    }
    let (arms, right) = ([0.5, 0.4921875, 0.0078125], (price::P1.evaluate)(&[0.5, 0.4921875, 0.4]));
    assert_eq!(right[4], Some(price::natural_rate(&arms, &RIGHT, &arms.map(f64::ln))));
    assert!((signed_samples::P27.evaluate)(&[0.3, 8.0, 0.3]).ends_with(&[Some(0.0); 3]));
    assert_eq!((distillation::P32.evaluate)(&[0.3, 0.3, 0.9, 0.5, 0.1, 9.0])[1], Some(0.0));
    assert_eq!(exists(&distillation::P32, &[0.6, 0.3, 0.9, 0.5, 0.1, 9.0]), [false, false, true]);
    assert_eq!(exists(&tree::P33, &[2.0, 3.0, 0.12]), [false; 3]);
    assert_eq!(exists(&tree::P33, &[2.0, 3.0, 0.125]), [false; 3]);
    assert_eq!(exists(&tree::P33, &[4.0, 8.0, 0.1]), [true; 3]);
    assert_eq!((clipping::P13.evaluate)(&[0.9, 0.25, 1.0, 2.0, 8.0])[4], Some(0.0));
    let limit = |loading| (transfer::P26.evaluate)(&[loading, 4.0, 0.8, -1.0, 3.0])[4];
    assert_eq!((limit(0.0), limit(0.005)), (None, Some(0.8)));
}

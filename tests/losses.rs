//! Losses: every push on a log-probability is the slope of a loss written here again, token by token, for every rule of the registry.
//!
//! A scripted policy hands the loop made-up rollouts, answers for their log-probabilities under the "current" policy, and writes down how it is pushed. The
//! loss of the same batch is then differentiated numerically.

mod common;

use common::{batch, close, rule, signal};
use mta_sim::sims::config::{Config, KlForm, KlPlace, LossAgg, Objective, PolicyLoss, RatioLevel};
use mta_sim::sims::objective::{Clipped, advantages, kl_slope, kl_value, pushes};
use mta_sim::sims::paid::Paid;
use mta_sim::sims::policy::{Nudge, Policy, Step};
use mta_sim::sims::registry::Named;
use mta_sim::sims::rollout::{Label, Rollout, Token};
use mta_sim::sims::rules::RULES;
use mta_sim::sims::run::{Environment, Training, train};
use mta_sim::sims::stream::{Purpose, Seed, Stream};
use mta_sim::sims::task::Verdict;
use proptest::prelude::*;

// ---- the scripted policy -----------------------------------------------------------------------------------------------------------------

/// Responses by prompt, and how far each of their tokens has drifted since they were sampled.
#[derive(Clone, Debug)]
struct Script {
    responses: Vec<Vec<Rollout>>,
    greedy: Vec<Rollout>,
    drift: f64,
    seen: Vec<Pushed>,
}

/// One rollout's pushes as the loop made them.
#[derive(Clone, Debug)]
struct Pushed {
    prompt: usize,
    tokens: Vec<Token>,
    push: Vec<f64>,
    entropy_push: Vec<f64>,
}

impl Script {
    /// The log-probability a token now has: its own drift, between -1 and 1 times `drift`, is a function of its scores.
    fn drifted(&self, token: &Token) -> Token {
        Token { logprob: token.logprob + self.drift * (token.certainty * 1e4).sin(), ..*token }
    }

    fn of(&self, prompt: usize, tokens: &[Token]) -> &Rollout {
        let mut known = self.responses[prompt].iter().chain([&self.greedy[prompt]]);
        known.find(|r| r.tokens == tokens).expect("the loop judges what the script said")
    }
}

impl Policy for Script {
    fn sample(&self, prompts: &[(usize, Stream)], count: usize) -> Vec<Vec<Vec<Token>>> {
        let responses = |prompt: usize| self.responses[prompt].iter().take(count).map(|r| r.tokens.clone()).collect();
        prompts.iter().map(|(prompt, _)| responses(*prompt)).collect()
    }

    fn greedy(&self, prompts: &[usize]) -> Vec<Vec<Token>> {
        prompts.iter().map(|prompt| self.greedy[*prompt].tokens.clone()).collect()
    }

    fn enumerate(&self, _: usize) -> Vec<Vec<Token>> {
        unreachable!("sampled mode never enumerates")
    }

    fn rescore(&self, responses: &[(usize, &[Token])]) -> Vec<Vec<Token>> {
        responses.iter().map(|(_, tokens)| tokens.iter().map(|t| self.drifted(t)).collect()).collect()
    }

    fn ascend(&mut self, nudges: &[Nudge], _: &Step) {
        let copy =
            |n: &Nudge| Pushed { prompt: n.prompt, tokens: n.tokens.to_vec(), push: n.push.clone(), entropy_push: n.entropy_push.clone() };
        self.seen.extend(nudges.iter().map(copy));
    }
}

/// Longest response of the scripted world.
const LONGEST: usize = 6;

impl Environment for Script {
    fn judge(&self, prompt: usize, tokens: &[Token]) -> Verdict {
        let r = self.of(prompt, tokens);
        Verdict { answer: r.answer, correct: r.correct, formatted: r.formatted }
    }

    fn label(&self, _: usize) -> Label {
        Label { luck: 0.5, wrong: None }
    }

    fn longest(&self) -> usize {
        LONGEST
    }
}

// ---- the loss, written again -------------------------------------------------------------------------------------------------------------

/// One rollout of the loss: its tokens as sampled, as they are now, and their advantages.
#[derive(Clone, Debug)]
struct Term {
    old: Vec<Token>,
    now: Vec<f64>,
    advantages: Vec<f64>,
}

impl Term {
    fn log_ratio(&self, t: usize) -> f64 {
        self.now[t] - self.old[t].logprob
    }

    /// The importance ratio of token `t` at the rule's level.
    fn ratio(&self, o: &Objective, t: usize) -> f64 {
        let all: f64 = (0..self.old.len()).map(|t| self.log_ratio(t)).sum();
        match o.importance_sampling_level {
            RatioLevel::Token => self.log_ratio(t).exp(),
            RatioLevel::Sequence => (all / self.old.len() as f64).exp(),
            RatioLevel::SequenceProduct => all.exp(),
        }
    }

    /// What token `t` adds to the objective. `frozen` is the term at which stop-gradients are evaluated.
    fn gain(&self, o: &Objective, frozen: &Term, t: usize) -> f64 {
        let a = self.advantages[t];
        let surrogate = match o.policy_loss {
            PolicyLoss::Score => a * self.now[t],
            PolicyLoss::Cispo => frozen.ratio(o, t).min(o.cispo_high).max(o.cispo_low) * a * self.now[t],
            PolicyLoss::Clip => clipped(o, self.ratio(o, t), a),
        };
        surrogate - self.penalty(o, t)
    }

    fn penalty(&self, o: &Objective, t: usize) -> f64 {
        let rho = self.old[t].ref_logprob - self.now[t];
        let value = match o.kl_form {
            KlForm::K1 => -rho,
            KlForm::K2 | KlForm::K3Plus => rho * rho / 2.0,
            KlForm::K3 => rho.exp() - rho - 1.0,
        };
        if o.kl_place == KlPlace::Loss { o.kl_beta * value } else { 0.0 }
    }

    /// The rollout's tokens added up. A ratio of the whole sequence belongs to the sequence once, however many tokens it is written on.
    fn sum(&self, o: &Objective, frozen: &Term) -> f64 {
        let length = self.old.len();
        let total: f64 = (0..length).map(|t| self.gain(o, frozen, t)).sum();
        if o.importance_sampling_level == RatioLevel::SequenceProduct { total / length as f64 } else { total }
    }
}

/// PPO's pessimistic bound, with the dual clip below it for negative advantages.
fn clipped(o: &Objective, ratio: f64, a: f64) -> f64 {
    let bounded = (ratio * a).min(ratio.clamp(1.0 - o.clip_low, 1.0 + o.clip_high) * a);
    if a < 0.0 && o.clip_ratio_c > 0.0 { bounded.max(o.clip_ratio_c * a) } else { bounded }
}

/// The objective of a minibatch: `[group][rollout]`, by the aggregation's definition. The local token mean is that of `parts` equal parts.
fn objective(o: &Objective, terms: &[Vec<Term>], frozen: &[Vec<Term>], parts: usize) -> f64 {
    let rollouts = || terms.iter().flatten().zip(frozen.iter().flatten());
    let count = rollouts().count() as f64;
    let tokens = |terms: &[Vec<Term>]| terms.iter().flatten().map(|t| t.old.len() as f64).sum::<f64>();
    let mean = |f: &dyn Fn(&Term) -> f64| rollouts().map(|(t, z)| t.sum(o, z) / f(t)).sum::<f64>() / count;
    match o.loss_agg_mode {
        LossAgg::TokenMean => mean(&|_| 1.0) * count / tokens(terms),
        LossAgg::SeqMeanTokenSum => mean(&|_| 1.0),
        LossAgg::SeqMeanTokenMean => mean(&|t| t.old.len() as f64),
        LossAgg::SeqMeanTokenSumNorm => mean(&|_| LONGEST as f64),
        LossAgg::TokenMeanLocal => {
            let global = Objective { loss_agg_mode: LossAgg::TokenMean, ..o.clone() };
            let size = terms.len() / parts;
            let local = |(t, z): (&[Vec<Term>], &[Vec<Term>])| objective(&global, t, z, 1);
            terms.chunks(size).zip(frozen.chunks(size)).map(local).sum::<f64>() / parts as f64
        }
    }
}

/// Central difference of the objective in the current log pi of one token.
fn slope(o: &Objective, terms: &[Vec<Term>], at: (usize, usize, usize), parts: usize) -> f64 {
    let h = 1e-6;
    let moved = |by: f64| {
        let mut other = terms.to_vec();
        other[at.0][at.1].now[at.2] += by;
        objective(o, &other, terms, parts)
    };
    (moved(h) - moved(-h)) / (2.0 * h)
}

/// Whether a ratio stands so near a corner of the clip that the loss has no slope there.
fn at_a_corner(o: &Objective, term: &Term) -> bool {
    let corners = [1.0 - o.clip_low, 1.0 + o.clip_high, o.clip_ratio_c, o.cispo_low, o.cispo_high];
    (0..term.old.len()).any(|t| corners.iter().any(|c| (term.ratio(o, t) - c).abs() < 1e-5))
}

// ---- the loop against the loss -----------------------------------------------------------------------------------------------------------

/// Four groups and a drift: small ones leave most ratios inside the clip range, large ones leave it.
fn scripts() -> impl Strategy<Value = Script> {
    (batch(), prop_oneof![Just(0.0), 0.0..0.6f64, 0.0..3.0f64]).prop_map(|(batch, drift)| Script {
        responses: batch.groups.iter().map(|g| g.rollouts.clone()).collect(),
        greedy: batch.greedy,
        drift,
        seen: Vec::new(),
    })
}

fn settings(script: &Script, o: &Objective, parts: usize) -> Config {
    let mut config = Config { objective: Objective { dynamic_sampling: false, ..o.clone() }, ..Config::DEFAULT };
    config.train.steps = 1;
    config.train.train_batch_size = 4;
    config.train.group_size = script.responses[0].len();
    config.train.micro_batches = parts;
    config
}

/// One step of the loop on the script; every rollout counts as off-policy, because a teacher (the script itself) samples.
fn run(script: &Script, config: &Config) -> Vec<Pushed> {
    let prompts: Vec<usize> = (0..script.responses.len()).collect();
    let mut policy = script.clone();
    let training =
        Training { config, signal: signal("ground_truth"), environment: script, prompts: &prompts, teacher: Some(script), seed: Seed(5) };
    train(&mut policy, &training, &mut |_, _, _| {});
    policy.seen
}

/// The batch behind the pushes, as paid groups: what the loop drew, told from what it pushed.
fn groups_of(script: &Script, o: &Objective, seen: &[Pushed], size: usize) -> Vec<Paid> {
    let group = |pushed: &[Pushed]| paid(script, o, pushed[0].prompt);
    seen.chunks(size).map(group).collect()
}

fn paid(script: &Script, o: &Objective, prompt: usize) -> Paid {
    let share = 1.0 / script.responses[prompt].len() as f64;
    let mut rollouts: Vec<Rollout> = script.responses[prompt].iter().map(|r| Rollout { weight: share, vote: share, ..r.clone() }).collect();
    let size = Some(rollouts.len());
    if o.baseline == mta_sim::sims::config::Baseline::Greedy {
        rollouts.push(script.greedy[prompt].clone());
    }
    let rewards = rollouts.iter().map(|r| f64::from(r.correct)).collect();
    let label = Label { luck: 0.5, wrong: None };
    let group = mta_sim::sims::rollout::Group { prompt, rollouts, size, label };
    mta_sim::sims::objective::shape(o, Paid { group, rewards })
}

fn terms_of(script: &Script, o: &Objective, groups: &[Paid]) -> Vec<Vec<Term>> {
    let all = advantages(o, groups, &Default::default());
    let term = |(r, a): (&Rollout, &Vec<f64>)| Term {
        old: r.tokens.clone(),
        now: r.tokens.iter().map(|t| script.drifted(t).logprob).collect(),
        advantages: a.clone(),
    };
    let terms = |(p, a): (&Paid, &Vec<Vec<f64>>)| {
        let trained = p.group.rollouts.iter().zip(a).filter(|(r, _)| r.weight > 0.0);
        trained.map(term).collect()
    };
    groups.iter().zip(&all).map(terms).collect()
}

/// Panics unless every push of the loop is the slope of the loss.
fn check(script: &Script, o: &Objective, parts: usize, what: &str) {
    let config = settings(script, o, parts);
    let seen = run(script, &config);
    let size = config.train.group_size;
    let terms = terms_of(script, o, &groups_of(script, o, &seen, size));
    if terms.iter().flatten().any(|t| at_a_corner(o, t)) {
        return;
    }
    for (n, pushed) in seen.iter().enumerate() {
        let (g, i) = (n / size, n % size);
        assert_eq!(pushed.tokens, terms[g][i].old, "{what}: order of rollouts");
        for (t, push) in pushed.push.iter().enumerate() {
            let expected = slope(o, &terms, (g, i, t), parts);
            assert!(close(*push, expected, 1e-6), "{what}: token {t} of rollout {i} is pushed by {push}, not {expected}");
        }
    }
}

proptest! {
    /// Every rule pushes along the slope of its own loss, inside and outside the clip range. (The natural-gradient rules differ in geometry, not in loss.)
    #[test]
    fn pushes_are_slopes_of_the_loss(script in scripts()) {
        for rule in RULES {
            check(&script, &rule.objective, 1, rule.name());
        }
    }

    /// Also under every aggregation, with micro-batches for the local one.
    #[test]
    fn every_aggregation_is_its_definition(script in scripts(), parts in prop_oneof![Just(1usize), Just(2), Just(4)]) {
        for mode in MODES {
            let o = Objective { loss_agg_mode: mode, ..rule("grpo").objective.clone() };
            check(&script, &o, parts, mode.name());
        }
    }

    /// Also with a KL term in the loss, in each form (k3+ pushes as k2), and with the dual clip.
    #[test]
    fn kl_terms_and_dual_clip_push_along_their_slopes(script in scripts()) {
        for kl_form in [KlForm::K1, KlForm::K2, KlForm::K3, KlForm::K3Plus] {
            let o = Objective { kl_form, kl_beta: 0.3, clip_ratio_c: 2.0, ..rule("grpo").objective.clone() };
            check(&script, &o, 1, kl_form.name());
        }
    }

    /// The entropy bonus weighs each token's entropy as the loss weighs the token.
    #[test]
    fn entropy_is_weighed_like_the_tokens(script in scripts()) {
        for mode in MODES {
            let o = Objective { loss_agg_mode: mode, entropy_coeff: 0.7, kl_beta: 0.0, ..rule("reinforce").objective.clone() };
            let seen = run(&script, &settings(&script, &o, 1));
            for pushed in &seen {
                let reward = f64::from(script.of(pushed.prompt, &pushed.tokens).correct);
                for (push, entropy) in pushed.push.iter().zip(&pushed.entropy_push) {
                    prop_assert!(close(*push, reward * entropy / 0.7, 1e-12));
                }
            }
        }
    }
}

const MODES: [LossAgg; 5] =
    [LossAgg::TokenMean, LossAgg::TokenMeanLocal, LossAgg::SeqMeanTokenSum, LossAgg::SeqMeanTokenMean, LossAgg::SeqMeanTokenSumNorm];

// ---- one token at a time -----------------------------------------------------------------------------------------------------------------

/// The push on a single token whose ratio is `ratio`, and whether it was counted as clipped (low, high).
fn push_at(o: &Objective, ratio: f64, advantage: f64) -> (f64, f64, f64) {
    let old = Token { id: 0, logprob: -2.0, ref_logprob: -2.0, entropy: 1.0, certainty: 2.0 };
    let now = Token { logprob: -2.0 + ratio.ln(), ..old };
    let mut counts = Clipped::default();
    let push = pushes(o, &[old], &[now], &[advantage], &mut counts)[0];
    (push, counts.low, counts.high)
}

#[test]
fn the_clip_stops_only_what_goes_too_far_the_way_it_is_pushed() {
    let o = &rule("dapo").objective;
    assert_eq!(push_at(o, 1.3, 1.0), (0.0, 0.0, 1.0));
    assert_eq!(push_at(o, 0.7, -1.0), (0.0, 1.0, 0.0));
    for (ratio, advantage) in [(1.27, 1.0), (0.5, 1.0), (0.81, -1.0), (3.0, -1.0)] {
        let (push, low, high) = push_at(o, ratio, advantage);
        assert!(close(push, ratio * advantage, 1e-12) && low + high == 0.0, "{ratio} {advantage}");
    }
}

#[test]
fn the_dual_clip_stops_runaway_negatives() {
    let o = &rule("dapo_mta").objective;
    assert_eq!(push_at(o, 10.5, -1.0).0, 0.0);
    assert!(close(push_at(o, 9.5, -1.0).0, -9.5, 1e-12));
    assert_eq!(push_at(o, 10.5, 1.0).0, 0.0);
}

#[test]
fn cispo_never_stops_but_caps() {
    for (name, low, high) in [("cispo_trl", 0.0, 5.0), ("cispo_verl", 0.8, 1.2), ("cispo_open_instruct", 0.0, 1.272)] {
        for (ratio, advantage) in [(0.01, 1.0), (0.7, -1.0), (1.0, 2.0), (1.25, 1.0), (4.0, -1.0), (9.0, 1.0)] {
            let expected = f64::max(low, f64::min(high, ratio)) * advantage;
            assert!(close(push_at(&rule(name).objective, ratio, advantage).0, expected, 1e-12), "{name} {ratio}");
        }
    }
}

#[test]
fn gspo_has_one_ratio_per_sequence_the_geometric_mean() {
    let o = Objective { clip_low: 0.9, clip_high: 9.0, ..rule("gspo").objective.clone() };
    let token = |logprob| Token { id: 0, logprob, ref_logprob: -1.0, entropy: 1.0, certainty: 2.0 };
    let (old, now) = ([token(-1.0), token(-2.0)], [token(-0.5), token(-1.7)]);
    let expected = (2.0f64 * (0.5f64.exp() * 0.3f64.exp()).sqrt(), 3.0 * 0.4f64.exp());
    let got = pushes(&o, &old, &now, &[2.0, 3.0], &mut Clipped::default());
    assert!(close(got[0], expected.0, 1e-12) && close(got[1], expected.1, 1e-12));
}

proptest! {
    /// The slope of each KL estimator is its derivative in log pi; k3+ reports k3 and pushes as k2.
    #[test]
    fn kl_slopes_are_derivatives(rho in -4.0..4.0f64) {
        let h = 1e-5;
        for form in [KlForm::K1, KlForm::K2, KlForm::K3] {
            let numeric = (kl_value(form, rho - h) - kl_value(form, rho + h)) / (2.0 * h);
            prop_assert!(close(kl_slope(form, rho), numeric, 1e-7), "{}", form.name());
        }
        prop_assert_eq!(kl_value(KlForm::K3Plus, rho), kl_value(KlForm::K3, rho));
        prop_assert_eq!(kl_slope(KlForm::K3Plus, rho), kl_slope(KlForm::K2, rho));
    }

    /// The estimators by their definitions; k3 is never negative.
    #[test]
    fn kl_values_are_their_definitions(rho in -4.0..4.0f64) {
        prop_assert_eq!(kl_value(KlForm::K1, rho), -rho);
        prop_assert!(close(kl_value(KlForm::K2, rho), rho * rho / 2.0, 1e-14));
        prop_assert!(close(kl_value(KlForm::K3, rho), rho.exp() - rho - 1.0, 1e-13));
        prop_assert!(kl_value(KlForm::K3, rho) >= 0.0);
    }

    /// k1 and k3 are unbiased: their mean under pi is KL(pi, pi_ref). So is the slope of k2 times the score, for its gradient; k1's has mean zero.
    #[test]
    fn kl_estimators_have_the_right_means(logits in proptest::collection::vec((-2.0..2.0f64, -2.0..2.0f64), 2..6)) {
        let (pi, reference): (Vec<f64>, Vec<f64>) = logits.iter().copied().unzip();
        let kl = |pi: &[f64]| softmax(pi).iter().zip(softmax(&reference)).map(|(p, q)| p * (p / q).ln()).sum::<f64>();
        let (p, q) = (softmax(&pi), softmax(&reference));
        let rho: Vec<f64> = p.iter().zip(&q).map(|(p, q)| (q / p).ln()).collect();
        let mean = |form| p.iter().zip(&rho).map(|(p, rho)| p * kl_value(form, *rho)).sum::<f64>();
        prop_assert!(close(mean(KlForm::K1), kl(&pi), 1e-12) && close(mean(KlForm::K3), kl(&pi), 1e-12));
        for v in 0..p.len() {
            let score = |form: KlForm| (0..p.len()).map(|u| p[u] * kl_slope(form, rho[u]) * (f64::from(u == v) - p[v])).sum::<f64>();
            let numeric = central(|h| { let mut other = pi.clone(); other[v] += h; kl(&other) });
            prop_assert!(close(score(KlForm::K2), numeric, 1e-7) && score(KlForm::K1).abs() < 1e-12);
        }
    }

    /// A KL penalty inside the reward is beta times the estimator, summed over the sampled tokens.
    #[test]
    fn kl_in_the_reward_is_taken_off(batch in batch(), beta in 0.01..1.0f64) {
        for kl_form in [KlForm::K1, KlForm::K2, KlForm::K3, KlForm::K3Plus] {
            let o = Objective { kl_beta: beta, kl_form, kl_place: KlPlace::Reward, ..Objective::DEFAULT };
            for paid in batch.rewarded(rule("grpo")) {
                let shaped = mta_sim::sims::objective::shape(&o, paid.clone());
                for ((r, before), after) in paid.group.rollouts.iter().zip(&paid.rewards).zip(&shaped.rewards) {
                    let kl: f64 = r.tokens.iter().map(|t| kl_value(kl_form, t.ref_logprob - t.logprob)).sum();
                    prop_assert!(close(before - beta * kl, *after, 1e-12));
                }
            }
        }
    }
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let total: f64 = logits.iter().map(|l| l.exp()).sum();
    logits.iter().map(|l| l.exp() / total).collect()
}

fn central(f: impl Fn(f64) -> f64) -> f64 {
    let h = 1e-5;
    (f(h) - f(-h)) / (2.0 * h)
}

/// The first pass of a batch is on-policy: ratios are 1 without asking the policy again, and nothing is clipped; the second pass does ask.
#[test]
fn only_the_first_minibatch_is_on_policy() {
    let words = Seed(3).stream(Purpose::Rollout, 0, 0);
    let token = |i: u64| Token { id: 0, logprob: -words.uniform(i), ref_logprob: -1.0, entropy: 1.0, certainty: words.uniform(i + 100) };
    let rollout =
        |i: u64| Rollout { tokens: vec![token(i)], weight: 0.5, vote: 0.5, answer: 0, correct: i.is_multiple_of(2), formatted: true };
    let greedy = vec![rollout(98)];
    let script = Script { responses: vec![vec![rollout(0), rollout(1)]], greedy, drift: 5.0, seen: Vec::new() };
    let mut config = settings(&script, &rule("grpo").objective, 1);
    (config.train.num_iterations, config.train.train_batch_size) = (2, 1);
    let training =
        Training { config: &config, signal: signal("ground_truth"), environment: &script, prompts: &[0], teacher: None, seed: Seed(1) };
    let mut policy = script.clone();
    train(&mut policy, &training, &mut |_, _, _| {});
    let pushes: Vec<f64> = policy.seen.iter().map(|p| p.push[0]).collect();
    assert!(close(pushes[0], 0.5, 1e-5) && close(pushes[1], -0.5, 1e-5));
    assert!(pushes[2..].iter().zip(&pushes).all(|(second, first)| (second - first).abs() > 1e-3));
}

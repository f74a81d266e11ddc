//! Rules through a real model: for every rule of the registry that can run on samples, the gradient of one update is that of the rule's loss, written here
//! again in candle's operations, token by token, and differentiated through the decoder.
//!
//! The loop decides nudges as it does for the simulator; the loss shares with it only the advantages, which the laws of the registry test. A teacher samples,
//! its weights a little away from the policy's, so that ratios leave 1 and some tokens are clipped; the reference is a third model. `npg` and `npg_std` are
//! left out: they need every response enumerated, which no language model can do.

use crate::common::{decoder, device, norm, values};
use candle_core::backprop::GradStore;
use candle_core::{D, DType, Tensor, Var};
use mta_llm::architecture::{Architecture, Family};
use mta_llm::model::Model;
use mta_llm::optimizer::AdamSettings;
use mta_llm::policy::LanguageModel;
use mta_llm::sample::Sampling;
use mta_llm::weights::Weights;
use mta_sims::config::{Baseline, Config, Geometry, KlForm, KlPlace, LossAgg, Objective, PolicyLoss, RatioLevel};
use mta_sims::objective::{Clipped, advantages, shape};
use mta_sims::paid::Paid;
use mta_sims::policy::{Nudge, Policy, Step};
use mta_sims::registry::{Named, find};
use mta_sims::rollout::{Group, Label, Rollout, Token};
use mta_sims::rules::RULES;
use mta_sims::run::{Environment, Progress, Training};
use mta_sims::signals::SIGNALS;
use mta_sims::stream::{Purpose, Seed, Stream};
use mta_sims::task::Verdict;

// ---- three models, an environment, a policy that is watched -------------------------------------------------------------------------------

/// Prompts of a batch, and rollouts of each.
const SHAPE: (usize, usize) = (4, 6);

/// Temperature of rollouts.
const TEMPERATURE: f64 = 0.9;

/// One layer, with every kind of parameter a Qwen3 has.
fn architecture() -> Architecture {
    Architecture {
        family: Family::Qwen3,
        vocab_size: 7,
        hidden_size: 12,
        intermediate_size: 10,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        num_key_value_heads: 1,
        head_dim: 6,
        rms_norm_eps: 1e-6,
        rope_theta: 100.0,
        rope_scaling: None,
        attention_bias: false,
        qk_norm: true,
        tie_word_embeddings: false,
        max_position_embeddings: 32,
    }
}

fn map(model: &Model, dtype: DType, f: impl Fn(usize, &Var) -> Tensor) -> Model {
    let named = model.weights.iter().enumerate().map(|(i, (name, var))| (name.to_string(), f(i, var).to_dtype(dtype).unwrap()));
    Model { architecture: model.architecture.clone(), weights: Weights::of(named.collect()).unwrap() }
}

/// `model` with every weight moved by up to `drift` either way, as numbers of 32 bits that either dtype holds.
fn moved(model: &Model, drift: f64, seed: u64) -> Model {
    map(model, model.weights.dtype(), |slot, var| {
        let words = Seed(seed).stream(Purpose::Weights, 1, slot);
        let shift =
            values(var.as_tensor()).into_iter().enumerate().map(|(i, x)| (x + drift * (2.0 * words.uniform(i as u64) - 1.0)) as f32);
        Tensor::from_vec(shift.collect::<Vec<f32>>(), var.shape(), &device()).unwrap()
    })
}

fn wide(model: &Model) -> Model {
    map(model, DType::F64, |_, var| var.as_tensor().clone())
}

/// The models of a check: what KL terms refer to, who samples, who is trained.
struct Trio {
    reference: Model,
    teacher: Model,
    policy: Model,
}

fn trio(dtype: DType, drift: f64) -> Trio {
    let fresh = Weights::new(&architecture(), Seed(11), dtype, &device()).unwrap();
    let reference = moved(&Model { architecture: architecture(), weights: fresh }, 0.5, 1);
    let teacher = moved(&reference, 0.1, 2);
    Trio { policy: moved(&teacher, drift, 3), reference, teacher }
}

/// Responses of up to six tokens end with token 0. A quarter of all responses are right, by the sum of their tokens.
struct Quarter;

impl Environment for Quarter {
    fn judge(&self, prompt: usize, tokens: &[Token]) -> Verdict {
        let sum = tokens.iter().map(|t| t.id as usize).sum::<usize>() + prompt + 3;
        Verdict { answer: sum as u128, correct: sum.is_multiple_of(4), formatted: true }
    }

    fn label(&self, _: usize) -> Label {
        Label { luck: 0.5, wrong: None }
    }

    fn longest(&self) -> usize {
        sampling().max_new_tokens
    }
}

fn sampling() -> Sampling {
    Sampling { temperature: TEMPERATURE, top_p: 1.0, max_new_tokens: 6, stop: vec![0] }
}

fn prompts() -> Vec<Vec<u32>> {
    vec![vec![1, 2], vec![3, 4, 5], vec![6], vec![2, 2]]
}

/// A language model that writes down how it is nudged and what gradient it would follow, and stays where it is.
struct Watched<'p> {
    model: LanguageModel<'p>,
    seen: Vec<(usize, Vec<Token>)>,
    gradients: Option<GradStore>,
}

impl Policy for Watched<'_> {
    fn sample(&self, prompts: &[(usize, Stream)], count: usize) -> Vec<Vec<Vec<Token>>> {
        self.model.sample(prompts, count)
    }

    fn greedy(&self, prompts: &[usize]) -> Vec<Vec<Token>> {
        self.model.greedy(prompts)
    }

    fn enumerate(&self, prompt: usize) -> Vec<Vec<Token>> {
        self.model.enumerate(prompt)
    }

    fn rescore(&self, responses: &[(usize, &[Token])]) -> Vec<Vec<Token>> {
        self.model.rescore(responses)
    }

    fn ascend(&mut self, nudges: &[Nudge], _: &Step) {
        self.seen = nudges.iter().map(|n| (n.prompt, n.tokens.to_vec())).collect();
        self.gradients = self.model.gradients(nudges).unwrap().map(|(_, gradients)| gradients);
    }
}

fn language_model(prompts: &[Vec<u32>], model: Model, reference: Option<Model>) -> LanguageModel<'_> {
    let keeps = reference.is_some();
    let mut policy =
        LanguageModel::new(reference.unwrap_or_else(|| model.clone()), prompts, sampling(), AdamSettings::DEFAULT, keeps).unwrap();
    policy.model = model;
    policy
}

fn settings(o: &Objective, parts: usize) -> Config {
    let mut config = Config { objective: Objective { dynamic_sampling: false, ..o.clone() }, ..Config::DEFAULT };
    (config.train.steps, config.train.train_batch_size, config.train.group_size) = (1, SHAPE.0, SHAPE.1);
    config.train.micro_batches = parts;
    config
}

// ---- the loss, written again --------------------------------------------------------------------------------------------------------------

/// One rollout of the loss: constants as sampled, and what the decoder now says, with gradients.
struct Term {
    now: Tensor,
    entropy: Tensor,
    old: Tensor,
    reference: Tensor,
    advantages: Tensor,
    length: f64,
}

impl Term {
    fn new(model: &Model, prompt: &[u32], tokens: &[Token], advantages: &[f64]) -> Self {
        let constant = |f: &dyn Fn(&Token) -> f64| Tensor::from_iter(tokens.iter().map(f), &device()).unwrap();
        let (now, entropy) = current(model, prompt, tokens);
        Term {
            now,
            entropy,
            old: constant(&|t| t.logprob),
            reference: constant(&|t| t.ref_logprob),
            advantages: Tensor::new(advantages, &device()).unwrap(),
            length: tokens.len() as f64,
        }
    }

    /// Importance ratio of every token, at the rule's level.
    fn ratio(&self, o: &Objective) -> Tensor {
        let logs = (&self.now - &self.old).unwrap();
        let whole = |log: Tensor| log.broadcast_as(logs.shape()).unwrap().exp().unwrap();
        match o.importance_sampling_level {
            RatioLevel::Token => logs.exp().unwrap(),
            RatioLevel::Sequence => whole(logs.mean_all().unwrap()),
            RatioLevel::SequenceProduct => whole(logs.sum_all().unwrap()),
        }
    }

    /// The surrogate's sum over tokens. A clipped ratio of the whole sequence belongs to it once, however many tokens it is written on.
    fn surrogate(&self, o: &Objective) -> Tensor {
        let (ratio, a) = (self.ratio(o), &self.advantages);
        let tokens = match o.policy_loss {
            PolicyLoss::Score => (a * &self.now).unwrap(),
            PolicyLoss::Cispo => ((ratio.detach().clamp(o.cispo_low, o.cispo_high).unwrap() * a).unwrap() * &self.now).unwrap(),
            PolicyLoss::Clip if o.importance_sampling_level == RatioLevel::SequenceProduct => {
                (self.clipped(o, &ratio) / self.length).unwrap()
            }
            PolicyLoss::Clip => self.clipped(o, &ratio),
        };
        tokens.sum_all().unwrap()
    }

    /// min(w A, clip(w) A), and no less than c A where A < 0 and there is a dual clip.
    fn clipped(&self, o: &Objective, ratio: &Tensor) -> Tensor {
        let a = &self.advantages;
        let inside = (ratio.clamp(1.0 - o.clip_low, 1.0 + o.clip_high).unwrap() * a).unwrap();
        let bounded = (ratio * a).unwrap().minimum(&inside).unwrap();
        if o.clip_ratio_c == 0.0 {
            return bounded;
        }
        let floored = bounded.maximum(&(a * o.clip_ratio_c).unwrap()).unwrap();
        a.lt(0.0).unwrap().where_cond(&floored, &bounded).unwrap()
    }

    /// The KL estimator's sum over tokens; k3+ has the value of k3 and the gradient of k2.
    fn kl(&self, o: &Objective) -> Tensor {
        let rho = (&self.reference - &self.now).unwrap();
        let k2 = (rho.sqr().unwrap() / 2.0).unwrap();
        let k3 = ((rho.exp().unwrap() - &rho).unwrap() - 1.0).unwrap();
        let value = match o.kl_form {
            KlForm::K1 => rho.neg().unwrap(),
            KlForm::K2 => k2,
            KlForm::K3 => k3,
            KlForm::K3Plus => ((&k2 - k2.detach()).unwrap() + k3.detach()).unwrap(),
        };
        value.sum_all().unwrap()
    }

    /// What the rollout adds to the objective, before aggregation.
    fn sum(&self, o: &Objective) -> Tensor {
        let beta = if o.kl_place == KlPlace::Loss { o.kl_beta } else { 0.0 };
        let gain = (self.surrogate(o) - (self.kl(o) * beta).unwrap()).unwrap();
        (gain + (self.entropy.sum_all().unwrap() * o.entropy_coeff).unwrap()).unwrap()
    }
}

/// log pi of each token and entropy before it, of one response alone, without padding.
fn current(model: &Model, prompt: &[u32], tokens: &[Token]) -> (Tensor, Tensor) {
    let ids: Vec<u32> = prompt.iter().copied().chain(tokens.iter().map(|t| t.id)).collect();
    let input = Tensor::new(&ids[..ids.len() - 1], &device()).unwrap().unsqueeze(0).unwrap();
    let hidden = decoder(model).hidden(&input, None).unwrap().squeeze(0).unwrap();
    let hidden = hidden.narrow(0, prompt.len() - 1, tokens.len()).unwrap();
    let logits = (decoder(model).logits(&hidden).unwrap() / TEMPERATURE).unwrap();
    let chances = (logits.exp().unwrap().broadcast_div(&logits.exp().unwrap().sum_keepdim(D::Minus1).unwrap())).unwrap();
    let targets = Tensor::new(&ids[prompt.len()..], &device()).unwrap().unsqueeze(1).unwrap();
    let now = chances.gather(&targets, 1).unwrap().squeeze(1).unwrap().log().unwrap();
    (now, (&chances * chances.log().unwrap()).unwrap().sum(1).unwrap().neg().unwrap())
}

/// The objective of a minibatch of `groups` of `terms`, by the aggregation's definition. The local token mean is that of `parts` equal parts.
fn objective(o: &Objective, groups: &[Vec<Term>], parts: usize) -> Tensor {
    let rollouts: Vec<&Term> = groups.iter().flatten().collect();
    let count = rollouts.len() as f64;
    let tokens: f64 = rollouts.iter().map(|t| t.length).sum();
    let total = |f: &dyn Fn(&Term) -> f64| rollouts.iter().map(|t| (t.sum(o) / f(t)).unwrap()).reduce(|a, b| (a + b).unwrap()).unwrap();
    match o.loss_agg_mode {
        LossAgg::TokenMean => total(&|_| tokens),
        LossAgg::SeqMeanTokenSum => total(&|_| count),
        LossAgg::SeqMeanTokenMean => total(&|t| count * t.length),
        LossAgg::SeqMeanTokenSumNorm => total(&|_| count * 6.0),
        LossAgg::TokenMeanLocal => {
            let global = Objective { loss_agg_mode: LossAgg::TokenMean, ..o.clone() };
            let local = groups.chunks(groups.len() / parts).map(|part| objective(&global, part, 1));
            (local.reduce(|a, b| (a + b).unwrap()).unwrap() / parts as f64).unwrap()
        }
    }
}

// ---- the loop against the loss ------------------------------------------------------------------------------------------------------------

/// The paid groups behind what the loop pushed.
fn paid(o: &Objective, seen: &[(usize, Vec<Token>)], sampler: &dyn Policy) -> Vec<Paid> {
    seen.chunks(SHAPE.1).map(|group| paid_group(o, group, sampler)).collect()
}

fn paid_group(o: &Objective, seen: &[(usize, Vec<Token>)], sampler: &dyn Policy) -> Paid {
    let prompt = seen[0].0;
    let rollout = |tokens: &[Token], weight: f64| {
        let verdict = Quarter.judge(prompt, tokens);
        Rollout { tokens: tokens.to_vec(), weight, vote: weight, answer: verdict.answer, correct: verdict.correct, formatted: true }
    };
    let mut rollouts: Vec<Rollout> = seen.iter().map(|(_, tokens)| rollout(tokens, 1.0 / SHAPE.1 as f64)).collect();
    if o.baseline == Baseline::Greedy {
        rollouts.push(rollout(&sampler.greedy(&[prompt])[0], 0.0));
    }
    let rewards = rollouts.iter().map(|r| f64::from(r.correct)).collect();
    let group = Group { prompt, rollouts, size: Some(SHAPE.1), label: Quarter.label(prompt) };
    shape(o, Paid { group, rewards })
}

/// Gradients of the loss, by candle, in the order of the weights of `model`.
fn expected(o: &Objective, model: &Model, prompts: &[Vec<u32>], groups: &[Paid], parts: usize) -> Vec<Vec<f64>> {
    let all = advantages(o, groups, &Default::default());
    let term = |prompt: usize, (r, a): (&Rollout, &Vec<f64>)| Term::new(model, &prompts[prompt], &r.tokens, a);
    let terms = |(p, a): (&Paid, &Vec<Vec<f64>>)| {
        let trained = p.group.rollouts.iter().zip(a).filter(|(r, _)| r.weight > 0.0);
        trained.map(|pair| term(p.group.prompt, pair)).collect::<Vec<_>>()
    };
    let terms: Vec<Vec<Term>> = groups.iter().zip(&all).map(terms).collect();
    let gradients = objective(o, &terms, parts).neg().unwrap().backward().unwrap();
    read(model, &gradients)
}

fn read(model: &Model, gradients: &GradStore) -> Vec<Vec<f64>> {
    model.weights.vars().iter().map(|v| values(gradients.get(v).expect("every parameter has a gradient"))).collect()
}

/// What one comparison saw: the largest distance of a parameter's gradient, relative to its norm, and the tokens whose ratio stopped counting.
struct Seen {
    gap: f64,
    clipped: Clipped,
}

fn compare(o: &Objective, dtype: DType, drift: f64, parts: usize) -> Seen {
    let (trio, prompts, config) = (trio(dtype, drift), prompts(), settings(o, parts));
    let exact = wide(&trio.policy);
    let teacher = language_model(&prompts, trio.teacher, Some(trio.reference));
    let mut policy = Watched { model: language_model(&prompts, trio.policy, None), seen: Vec::new(), gradients: None };
    let signal = find("signal", SIGNALS, "ground_truth").unwrap();
    let training =
        Training { config: &config, signal, environment: &Quarter, prompts: &[0, 1, 2, 3], teacher: Some(&teacher), seed: Seed(5) };
    let stats = training.step(&mut policy, &mut Progress::default());
    assert!(stats.reward.abs() > 0.1 && stats.reward.abs() < 0.9 && stats.frac_reward_zero_std < 1.0, "both right and wrong: {stats:?}");
    let found = read(&policy.model.model, policy.gradients.as_ref().expect("the loop pushed"));
    let groups = paid(&config.objective, &policy.seen, &teacher);
    let greedy_earns = groups.iter().any(|p| p.group.rollouts.last().is_some_and(|r| r.correct));
    assert!(o.baseline != Baseline::Greedy || greedy_earns, "the greedy baseline is not nothing");
    let expected = expected(&config.objective, &exact, &prompts, &groups, parts);
    assert!(expected.iter().all(|g| norm(g) > 1e-6), "no gradient vanishes");
    Seen { gap: found.iter().zip(&expected).map(|(f, e)| gap(f, e)).fold(0.0, f64::max), clipped: stats.clipped }
}

fn gap(found: &[f64], expected: &[f64]) -> f64 {
    norm(&found.iter().zip(expected).map(|(f, e)| f - e).collect::<Vec<_>>()) / norm(expected)
}

/// Small drifts leave most ratios inside the clip range, large ones leave it.
const DRIFTS: [f64; 3] = [0.0, 0.03, 0.3];

/// Largest relative distance allowed in the composite form, f64.
const WIDE: f64 = 1e-9;
/// In the fused form, f32.
const FUSED: f64 = 1e-5;

/// Compares in both forms at every drift; gives the larger gaps (f64, f32) and the share of tokens clipped.
fn check(what: &str, o: &Objective, parts: usize) -> (f64, f64, f64) {
    let (mut gaps, mut cut, mut tokens) = ((0.0f64, 0.0f64), 0.0, 0.0);
    for drift in DRIFTS {
        let wide = compare(o, DType::F64, drift, parts);
        let fused = compare(o, DType::F32, drift, parts);
        gaps = (gaps.0.max(wide.gap), gaps.1.max(fused.gap));
        cut += wide.clipped.low + wide.clipped.high;
        tokens += wide.clipped.tokens;
    }
    println!("{what}: {:.1e} in f64, {:.1e} fused, {cut} of {tokens} tokens clipped", gaps.0, gaps.1);
    assert!(gaps.0 < WIDE, "{what}: {:.1e} in f64", gaps.0);
    assert!(gaps.1 < FUSED, "{what}: {:.1e} in the fused form", gaps.1);
    (gaps.0, gaps.1, if tokens > 0.0 { cut / tokens } else { 0.0 })
}

fn grpo() -> Objective {
    find("rule", RULES, "grpo").unwrap().objective.clone()
}

#[test]
fn every_rule_moves_a_model_along_the_gradient_of_its_loss() {
    let sampled = RULES.iter().filter(|r| r.objective.geometry == Geometry::Euclidean);
    let seen: Vec<_> = sampled.map(|rule| (rule, check(rule.name(), &rule.objective, 1))).collect();
    assert_eq!(seen.len(), RULES.len() - 2, "npg and npg_std need exact mode");
    let clips = seen.iter().filter(|(rule, _)| rule.objective.policy_loss == PolicyLoss::Clip);
    assert!(clips.clone().count() > 10 && clips.clone().all(|(_, (_, _, cut))| *cut > 0.0), "every clip cuts something");
}

#[test]
fn every_aggregation_is_its_definition_with_entropy_and_kl() {
    for (mode, parts) in [
        (LossAgg::TokenMean, 1),
        (LossAgg::TokenMeanLocal, 1),
        (LossAgg::TokenMeanLocal, 2),
        (LossAgg::TokenMeanLocal, 4),
        (LossAgg::SeqMeanTokenSum, 1),
        (LossAgg::SeqMeanTokenMean, 1),
        (LossAgg::SeqMeanTokenSumNorm, 1),
    ] {
        let o = Objective { loss_agg_mode: mode, entropy_coeff: 0.2, kl_beta: 0.1, ..grpo() };
        check(&format!("{} in {parts}", mode.name()), &o, parts);
    }
}

#[test]
fn every_kl_form_is_differentiated_as_it_is_defined() {
    for kl_form in [KlForm::K1, KlForm::K2, KlForm::K3, KlForm::K3Plus] {
        for kl_place in [KlPlace::Loss, KlPlace::Reward] {
            check(&format!("{} in the {}", kl_form.name(), kl_place.name()), &Objective { kl_form, kl_place, kl_beta: 0.3, ..grpo() }, 1);
        }
    }
}

#[test]
fn every_level_of_the_ratio_clips_as_it_is_defined() {
    for importance_sampling_level in [RatioLevel::Token, RatioLevel::Sequence, RatioLevel::SequenceProduct] {
        for policy_loss in [PolicyLoss::Clip, PolicyLoss::Cispo, PolicyLoss::Score] {
            let o = Objective { importance_sampling_level, policy_loss, clip_ratio_c: 1.3, cispo_high: 1.1, kl_beta: 0.1, ..grpo() };
            check(&format!("{} of {}", policy_loss.name(), importance_sampling_level.name()), &o, 1);
        }
    }
}

// ---- a step -------------------------------------------------------------------------------------------------------------------------------

/// A small step of plain gradient descent makes rewarded responses likelier and punished ones less likely, and the objective grows by the step size times the
/// squared gradient.
#[test]
fn a_step_raises_what_was_rewarded_and_lowers_what_was_punished() {
    let prompts = prompts();
    let policy = language_model(&prompts, trio(DType::F64, 0.0).policy, None);
    let drawn = policy.sample(&[(0, Seed(2).stream(Purpose::Rollout, 0, 0))], 8).remove(0);
    let different = drawn.iter().find(|r| r[0].id != drawn[0][0].id).expect("eight responses begin differently");
    let pair = [&drawn[0], different];
    let nudge = |(tokens, push): (&&Vec<Token>, f64)| (tokens.to_vec(), vec![push; tokens.len()]);
    let pushed: Vec<_> = pair.iter().zip([1.0, -1.0]).map(nudge).collect();
    let nudges: Vec<Nudge> =
        pushed.iter().map(|(tokens, push)| Nudge { prompt: 0, tokens, push: push.clone(), entropy_push: vec![0.0; push.len()] }).collect();
    let likelihoods = || -> Vec<f64> {
        let scored = policy.rescore(&pair.map(|tokens| (0, &tokens[..])));
        scored.iter().map(|tokens| tokens.iter().map(|t| t.logprob).sum()).collect()
    };
    let before = likelihoods();
    let (_, gradients) = policy.gradients(&nudges).unwrap().unwrap();
    let (rate, vars) = (1e-5, policy.model.weights.vars());
    let square: f64 = vars.iter().map(|v| norm(&values(gradients.get(v).unwrap())).powi(2)).sum();
    for var in vars {
        var.set(&(var.as_tensor() - (gradients.get(var).unwrap() * rate).unwrap()).unwrap()).unwrap();
    }
    let after = likelihoods();
    let (up, down) = (after[0] - before[0], after[1] - before[1]);
    println!("{up:.2e} up, {down:.2e} down, {:.2e} expected together", rate * square);
    assert!(up > 0.0 && down < 0.0, "{up} {down}");
    assert!(((up - down) / (rate * square) - 1.0).abs() < 1e-2, "{up} {down} {}", rate * square);
}

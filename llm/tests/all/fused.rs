//! The fused decoder against the composite one in f64, against finite differences, and against itself in other company and on other threads.

use crate::common::device;
use candle_core::{DType, Device, Tensor, Var};
use mta_llm::architecture::{Architecture, Family, RopeScaling};
use mta_llm::lora::{Adapter, Lora, TARGETS};
use mta_llm::model::Model;
use mta_llm::sample::{Ask, Sampling};
use mta_llm::score::Sequence;
use mta_llm::weights::Weights;
use mta_sims::rollout::Token;
use mta_sims::stream::{Purpose, Seed, Stream};
use proptest::prelude::*;

/// A small architecture of each family.
fn shape(family: Family, layers: usize, heads: (usize, usize), head_dim: usize, tied: bool) -> Architecture {
    let scaling = RopeScaling { factor: 8.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_max_position_embeddings: 16 };
    Architecture {
        family,
        vocab_size: 23,
        hidden_size: 20,
        intermediate_size: 18,
        num_hidden_layers: layers,
        num_attention_heads: heads.0,
        num_key_value_heads: heads.1,
        head_dim,
        rms_norm_eps: 1e-2,
        rope_theta: 100.0,
        rope_scaling: (family == Family::Llama).then_some(scaling),
        attention_bias: family == Family::Qwen2,
        qk_norm: family == Family::Qwen3,
        tie_word_embeddings: tied,
        max_position_embeddings: 64,
    }
}

/// Weights of spread .3, with norms about one and biases about zero, none of them at rest.
fn model(architecture: &Architecture, seed: u64) -> Model {
    model_on(architecture, seed, &device())
}

fn model_on(architecture: &Architecture, seed: u64, device: &Device) -> Model {
    let noisy = |(slot, (name, var)): (usize, (&str, &Var))| {
        let stream = Seed(seed).stream(Purpose::Weights, 1, slot);
        let noise: Vec<f32> = (0..var.elem_count()).map(|i| stream.uniform(i as u64) as f32 - 0.5).collect();
        let noise = Tensor::from_vec(noise, var.shape(), device).unwrap();
        (name.to_string(), (var.as_tensor() + noise).unwrap())
    };
    let fresh = Weights::new(architecture, Seed(seed), DType::F32, device).unwrap();
    Model { architecture: architecture.clone(), weights: Weights::of(fresh.iter().enumerate().map(noisy).collect()).unwrap() }
}

/// The same model on the CPU in f64, which runs in the composite form.
fn wide(model: &Model) -> Model {
    let exact = |var: &Var| var.to_device(&Device::Cpu).unwrap().to_dtype(DType::F64).unwrap();
    let named = model.weights.iter().map(|(name, var)| (name.to_string(), exact(var)));
    Model { architecture: model.architecture.clone(), weights: Weights::of(named.collect()).unwrap() }
}

/// Sequences of these lengths of prompt and response.
fn tokens(lengths: &[(usize, usize)], seed: u64) -> Vec<(Vec<u32>, usize)> {
    let draw = |(i, (prompt, response)): (usize, &(usize, usize))| {
        let stream = Seed(seed).stream(Purpose::Question, 0, i);
        ((0..prompt + response).map(|t| stream.word(t as u64) % 23).collect(), *prompt)
    };
    lengths.iter().enumerate().map(draw).collect()
}

fn sequences(tokens: &[(Vec<u32>, usize)]) -> Vec<Sequence<'_>> {
    tokens.iter().map(|(tokens, from)| Sequence { tokens, from: *from }).collect()
}

/// Scores, and the gradient of a fixed mixture of them for every parameter.
fn scores_and_gradients(model: &Model, sequences: &[Sequence], temperature: f64) -> (Vec<f64>, Vec<Vec<f64>>) {
    let scores = model.score(sequences, temperature).unwrap();
    let (rows, _) = scores.dims2().unwrap();
    let mixture: Vec<f64> = (0..rows * 3).map(|i| Seed(5).stream(Purpose::Reward, 0, 0).uniform(i as u64) - 0.4).collect();
    let mixture = Tensor::from_vec(mixture, (rows, 3), scores.device()).unwrap().to_dtype(scores.dtype()).unwrap();
    let gradients = (&scores * mixture).unwrap().sum_all().unwrap().backward().unwrap();
    let flat = |t: &Tensor| t.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1().unwrap();
    (flat(&scores), model.weights.vars().iter().map(|v| flat(gradients.get(v).expect("every parameter has a gradient"))).collect())
}

/// Largest difference over largest value.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    let top = b.iter().map(|x| x.abs()).fold(1e-6, f64::max);
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, |m, x| if x > m || x.is_nan() { x } else { m }) / top
}

fn agrees(architecture: &Architecture, lengths: &[(usize, usize)], temperature: f64, seed: u64) -> f64 {
    let model = model(architecture, seed);
    let tokens = tokens(lengths, seed);
    let (scores, gradients) = scores_and_gradients(&model, &sequences(&tokens), temperature);
    let (exact, exact_gradients) = scores_and_gradients(&wide(&model), &sequences(&tokens), temperature);
    let worst = gradients.iter().zip(&exact_gradients).map(|(a, b)| distance(a, b)).fold(0.0, f64::max);
    assert!(distance(&scores, &exact) < 1e-4, "scores {}", distance(&scores, &exact));
    assert!(worst < 1e-3, "gradients {worst}");
    worst.max(distance(&scores, &exact))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_fused_form_equals_the_composite_form(
        family in prop_oneof![Just(Family::Qwen2), Just(Family::Qwen3), Just(Family::Llama)],
        layers in 1..3usize,
        (key_heads, shared) in (1..3usize, 1..4usize),
        head_dim in (1..9usize).prop_map(|half| 2 * half),
        tied: bool,
        lengths in prop::collection::vec((1..12usize, 0..9usize), 1..20),
        temperature in 0.5..2.0,
        seed in 0..1000u64,
    ) {
        prop_assume!(lengths.iter().any(|l| l.1 > 0));
        agrees(&shape(family, layers, (key_heads * shared, key_heads), head_dim, tied), &lengths, temperature, seed);
    }
}

const RAGGED: [(usize, usize); 10] = [(3, 4), (1, 1), (5, 0), (2, 20), (7, 3), (1, 12), (4, 4), (4, 4), (9, 2), (17, 16)];

/// A bias on attention's output is not fused: such a model must run in the composite form, and not without its bias.
#[test]
fn what_is_not_fused_is_not_left_out() {
    for family in [Family::Qwen3, Family::Llama] {
        agrees(&Architecture { attention_bias: true, ..shape(family, 2, (4, 2), 6, true) }, &RAGGED, 0.8, 1);
    }
}

#[test]
fn every_family_agrees_with_f64() {
    for family in [Family::Qwen2, Family::Qwen3, Family::Llama] {
        for tied in [false, true] {
            let worst = agrees(&shape(family, 2, (4, 2), 6, tied), &RAGGED, 0.8, 1);
            println!("{family:?}, tied {tied}: {worst:.1e}");
        }
    }
}

/// So many numbers that their gradients are summed in several pieces.
#[test]
fn a_wider_model_agrees_with_f64() {
    let wide = Architecture { hidden_size: 64, intermediate_size: 96, ..shape(Family::Qwen3, 1, (4, 2), 16, true) };
    assert!(wide.size() > 1 << 14);
    agrees(&wide, &RAGGED, 1.0, 10);
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let model = model(&shape(Family::Qwen3, 1, (2, 1), 4, true), 2);
    let tokens = tokens(&[(2, 3), (1, 5)], 2);
    let (_, gradients) = scores_and_gradients(&model, &sequences(&tokens), 1.0);
    let value = |model: &Model| -> f64 {
        let (scores, _) = scores_and_gradients(model, &sequences(&tokens), 1.0);
        scores.iter().enumerate().map(|(i, s)| s * (Seed(5).stream(Purpose::Reward, 0, 0).uniform(i as u64) - 0.4)).sum()
    };
    for (var, gradient) in model.weights.vars().iter().zip(&gradients) {
        let place = var.elem_count() / 2;
        let before: Vec<f32> = var.flatten_all().unwrap().to_vec1().unwrap();
        let moved = |by: f32| {
            let mut values = before.clone();
            values[place] += by;
            var.set(&Tensor::from_vec(values, var.shape(), var.device()).unwrap()).unwrap();
            value(&model)
        };
        let step = 4e-3;
        let slope = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
        moved(0.0);
        assert!((slope - gradient[place]).abs() < 2e-3 + 1e-2 * slope.abs(), "{slope} {}", gradient[place]);
    }
}

#[test]
fn results_do_not_depend_on_threads_to_the_last_bit() {
    let model = model_on(&shape(Family::Qwen3, 2, (4, 2), 6, true), 3, &Device::Cpu);
    let lengths: Vec<_> = RAGGED.iter().copied().cycle().take(45).collect();
    let tokens = tokens(&lengths, 3);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| scores_and_gradients(&model, &sequences(&tokens), 1.0))
    };
    let one = run(1);
    assert!(run(2) == one && run(5) == one);
}

#[test]
fn backward_may_be_asked_twice() {
    let model = model(&shape(Family::Llama, 1, (2, 2), 4, false), 4);
    let tokens = tokens(&RAGGED, 4);
    let total = model.score(&sequences(&tokens), 1.0).unwrap().sum_all().unwrap();
    let gradient = || -> Vec<Vec<f32>> {
        let gradients = total.backward().unwrap();
        model.weights.vars().iter().map(|v| gradients.get(v).unwrap().flatten_all().unwrap().to_vec1().unwrap()).collect()
    };
    assert_eq!(gradient(), gradient());
}

fn sampling(temperature: f64, top_p: f64, stop: &[u32]) -> Sampling {
    Sampling { temperature, top_p, max_new_tokens: 19, stop: stop.to_vec() }
}

fn streams(count: usize) -> Vec<Stream> {
    (0..count).map(|i| Seed(8).stream(Purpose::Rollout, 0, i / 4)).collect()
}

/// Asks of these prompts, four rollouts each.
fn asks<'a>(prompts: &'a [(Vec<u32>, usize)], words: &'a [Stream]) -> Vec<Ask<'a>> {
    let ask = |(i, words): (usize, &'a Stream)| Ask { prompt: &prompts[i / 4].0, words, rollout: i % 4 };
    words.iter().enumerate().map(ask).collect()
}

fn numbers(drawn: &[Vec<Token>]) -> Vec<Vec<(u32, f64, f64, f64)>> {
    drawn.iter().map(|r| r.iter().map(|t| (t.id, t.logprob, t.entropy, t.certainty)).collect()).collect()
}

const PROMPTS: [(usize, usize); 18] = [
    (3, 0),
    (1, 0),
    (5, 0),
    (2, 0),
    (17, 0),
    (1, 0),
    (4, 0),
    (9, 0),
    (7, 0),
    (3, 0),
    (1, 0),
    (5, 0),
    (2, 0),
    (16, 0),
    (1, 0),
    (4, 0),
    (9, 0),
    (7, 0),
];

/// Largest distance between what samplers and scorers say of the tokens sampled, and how many tokens.
fn disagreement(sampler: &Model, scorer: &Model, sampling: &Sampling) -> (f64, usize) {
    let (prompts, words) = (tokens(&PROMPTS, 6), streams(4 * PROMPTS.len()));
    let asks = asks(&prompts, &words);
    let drawn = sampler.generate(&asks, sampling).unwrap();
    let whole: Vec<(Vec<u32>, usize)> =
        asks.iter().zip(&drawn).map(|(a, d)| (a.prompt.iter().copied().chain(d.iter().map(|t| t.id)).collect(), a.prompt.len())).collect();
    let scores = scorer.score(&sequences(&whole), sampling.temperature).unwrap();
    let scores: Vec<f64> = scores.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1().unwrap();
    let said: Vec<f64> = drawn.iter().flatten().flat_map(|t| [t.logprob, t.entropy, t.certainty]).collect();
    assert_eq!(said.len(), scores.len());
    (said.iter().zip(&scores).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max), said.len() / 3)
}

#[test]
fn sampler_and_scorer_agree_over_a_thousand_tokens_in_both_forms() {
    for family in [Family::Qwen2, Family::Qwen3, Family::Llama] {
        let fused = model(&shape(family, 2, (4, 2), 6, family == Family::Qwen3), 6);
        let (exact, composite) = (wide(&fused), composite(&fused));
        for (temperature, top_p) in [(0.7, 1.0), (1.0, 0.9), (1.6, 0.5)] {
            for (form, sampler, scorer) in [
                ("fused", &fused, &fused),
                ("f64", &exact, &exact),
                ("f64, scored fused", &exact, &fused),
                ("composite", &composite, &composite),
                ("composite, scored fused", &composite, &fused),
            ] {
                let (worst, tokens) = disagreement(sampler, scorer, &sampling(temperature, top_p, &[]));
                println!("{family:?}, {form}, temperature {temperature}, top-p {top_p}: {tokens} tokens, {worst:.1e}");
                assert!(tokens >= 1000 && worst < 1e-4, "{form} {worst}");
            }
        }
    }
}

/// The same model in the same type in the composite form, as a GPU runs it: the fused form takes no adapter, not even one that adds nothing.
fn composite(model: &Model) -> Model {
    let (weights, lora) = (&model.weights, Lora::new(1, 1.0, &TARGETS).unwrap());
    let adapter = Adapter::new(&model.architecture, lora, Seed(0), weights.dtype(), weights.device()).unwrap();
    model.clone().adapted(adapter)
}

#[test]
fn both_forms_draw_the_same_tokens() {
    let fused = model(&shape(Family::Qwen3, 2, (4, 2), 6, true), 7);
    let (prompts, words) = (tokens(&PROMPTS, 7), streams(4 * PROMPTS.len()));
    let ids = |model: &Model, sampling: &Sampling| -> Vec<Vec<u32>> {
        let drawn = model.generate(&asks(&prompts, &words), sampling).unwrap();
        drawn.iter().map(|r| r.iter().map(|t| t.id).collect()).collect()
    };
    for sampling in [sampling(1.0, 1.0, &[]), sampling(0.6, 0.8, &[1, 2]), sampling(0.0, 1.0, &[5])] {
        assert_eq!(ids(&fused, &sampling), ids(&wide(&fused), &sampling));
        assert_eq!(ids(&fused, &sampling), ids(&composite(&fused), &sampling));
    }
}

#[test]
fn responses_depend_neither_on_their_company_nor_on_threads() {
    let wide_shape =
        Architecture { hidden_size: 96, intermediate_size: 200, vocab_size: 300, ..shape(Family::Qwen2, 2, (4, 2), 24, false) };
    for architecture in [shape(Family::Qwen3, 2, (4, 2), 6, true), wide_shape] {
        let model = model_on(&architecture, 8, &Device::Cpu);
        let (prompts, words) = (tokens(&PROMPTS, 8), streams(4 * PROMPTS.len()));
        let all = asks(&prompts, &words);
        let sampling = sampling(1.0, 0.95, &[3]);
        let run = |threads: usize, asks: &[Ask]| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            numbers(&pool.install(|| model.generate(asks, &sampling)).unwrap())
        };
        let together = run(1, &all);
        for threads in [2, 3, 5] {
            assert_eq!(run(threads, &all), together, "{threads} threads");
        }
        let backwards: Vec<Ask> = all.iter().rev().copied().collect();
        assert!(run(2, &backwards).iter().rev().eq(&together));
        for (i, ask) in all.iter().enumerate().step_by(5) {
            assert_eq!(run(1, &[*ask])[0], together[i]);
        }
    }
}

#[test]
fn nothing_is_drawn_where_nothing_is_asked() {
    let model = model(&shape(Family::Llama, 1, (2, 1), 4, true), 9);
    let (prompts, words) = (tokens(&PROMPTS, 9), streams(4));
    assert!(model.generate(&[], &sampling(1.0, 1.0, &[])).unwrap().is_empty());
    let none = Sampling { max_new_tokens: 0, ..sampling(1.0, 1.0, &[]) };
    assert!(model.generate(&asks(&prompts, &words), &none).unwrap().iter().all(Vec::is_empty));
}

#[test]
fn tokens_outside_the_vocabulary_and_empty_prompts_are_errors() {
    let fused = model(&shape(Family::Llama, 1, (2, 1), 4, true), 9);
    for model in [&fused, &composite(&fused)] {
        let error = |tokens: &[u32], from: usize| model.score(&[Sequence { tokens, from }], 1.0).unwrap_err().to_string();
        assert!(error(&[1, 23], 1).contains("token 23 is not in the vocabulary: 0 to 22"));
        assert!(error(&[1, 2], 0).contains("begins at token 0 of 2: 1 to 2"));
        let words = streams(1);
        let ask = Ask { prompt: &[], words: &words[0], rollout: 0 };
        assert!(model.generate(&[ask], &sampling(1.0, 1.0, &[])).is_err());
    }
}

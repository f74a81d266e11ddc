//! Logits and gradients against Hugging Face transformers: see `../fixtures/README.md`.

use crate::common::{GRADIENTS, LOGITS, MODELS, case, decode, device, gaps, largest, loss, norm, prefill, values};
use candle_core::{DType, IndexOp, Tensor};
use mta_llm::error::Result;
use mta_llm::model::Model;
use mta_llm::sample::{Ask, Sampling};
use mta_llm::score::{LOGPROB, Sequence};
use mta_sims::stream::{Purpose, Seed};

/// A way to differentiate a model: mean cross-entropy of each token of `[batch, tokens]` but the first, with gradients.
struct Form {
    name: &'static str,
    loss: fn(&Model, &Tensor) -> Result<Tensor>,
}

/// The decoder in candle's operations, and whichever form [`Model::score`] chooses (on the CPU in f32, the fused one).
const FORMS: [Form; 2] = [Form { name: "composite", loss }, Form { name: "scored", loss: scored }];

fn scored(model: &Model, tokens: &Tensor) -> Result<Tensor> {
    let rows: Vec<Vec<u32>> = tokens.to_vec2()?;
    let sequences: Vec<Sequence> = rows.iter().map(|tokens| Sequence { tokens, from: 1 }).collect();
    Ok(model.score(&sequences, 1.0)?.i((.., LOGPROB))?.mean_all()?.neg()?)
}

#[test]
fn logits_are_those_of_transformers() {
    for name in MODELS {
        let case = case(name, DType::F32);
        let (at_once, in_turn) = (prefill(&case.model, &case.tokens("long")).unwrap(), decode(&case.model, &case.tokens("long")).unwrap());
        let (at_once, in_turn) = (case.deviation(&at_once), case.deviation(&in_turn));
        println!("{name}: prefill {at_once:.1e}, cached {in_turn:.1e}");
        assert!(at_once < LOGITS, "{name}: prefill is off by {at_once}");
        assert!(in_turn < LOGITS, "{name}: cached decoding is off by {in_turn}");
    }
}

/// Log-probability of `target`, entropy and certainty of one row of logits.
fn judged(logits: &[f64], target: u32) -> [f64; 3] {
    let log_sum = logits.iter().map(|l| l.exp()).sum::<f64>().ln();
    let logs: Vec<f64> = logits.iter().map(|l| l - log_sum).collect();
    [logs[target as usize], -logs.iter().map(|l| l.exp() * l).sum::<f64>(), -logs.iter().sum::<f64>() / logs.len() as f64]
}

#[test]
fn scores_are_those_of_the_logits_of_transformers() {
    for name in MODELS {
        let case = case(name, DType::F32);
        let tokens = &case.tokens("long").to_vec2::<u32>().unwrap()[0];
        let scores =
            case.model.score(&[Sequence { tokens, from: 1 }], 1.0).unwrap().to_dtype(DType::F64).unwrap().to_vec2::<f64>().unwrap();
        let logits = case.expected["logits"].to_dtype(DType::F64).unwrap().to_vec2::<f64>().unwrap();
        let rows = case.tokens("rows").to_vec1::<u32>().unwrap();
        for (row, logits) in rows.iter().map(|r| *r as usize).zip(logits).filter(|(row, _)| row + 1 < tokens.len()) {
            let expected = judged(&logits, tokens[row + 1]);
            let off = scores[row].iter().zip(expected).map(|(s, e)| (s - e).abs()).fold(0.0, f64::max);
            assert!(off < LOGITS, "{name}: row {row} is scored {:?}, not {expected:?}", scores[row]);
        }
    }
}

/// Cached decoding in whichever form [`Model::generate`] chooses: its tokens, scored by the decoder that is checked against transformers.
#[test]
fn samples_are_scored_as_the_decoder_scores_them() {
    let sampling = Sampling { temperature: 1.0, top_p: 1.0, max_new_tokens: 40, stop: Vec::new() };
    for name in MODELS {
        let case = case(name, DType::F32);
        let (words, mut tokens) = (Seed(3).stream(Purpose::Rollout, 0, 0), vec![1, 2, 3]);
        let ask = [Ask { prompt: &tokens, words: &words, rollout: 0 }];
        let drawn = case.model.generate(&ask, &sampling).unwrap().remove(0);
        tokens.extend(drawn.iter().map(|t| t.id));
        let whole = Tensor::new(&tokens[..], &device()).and_then(|t| t.unsqueeze(0)).unwrap();
        let logits = prefill(&case.model, &whole).unwrap();
        let rows = logits.i(0).unwrap().to_dtype(DType::F64).unwrap().to_vec2::<f64>().unwrap();
        assert_eq!(drawn.len(), 40);
        for (token, row) in drawn.iter().zip(&rows[2..]) {
            let expected = judged(row, token.id);
            let off = [token.logprob, token.entropy, token.certainty].iter().zip(expected).map(|(s, e)| (s - e).abs()).fold(0.0, f64::max);
            assert!(off < LOGITS, "{name}: {token:?} is not scored {expected:?}");
        }
    }
}

#[test]
fn gradients_are_those_of_transformers() {
    for name in MODELS {
        let case = case(name, DType::F32);
        for form in FORMS {
            let loss = (form.loss)(&case.model, &case.tokens("batch")).unwrap();
            assert!(largest(&(&loss - &case.expected["loss"]).unwrap()) < 1e-5, "{name}, {}: the loss is off", form.name);
            let gradients = loss.backward().unwrap();
            let mut worst = (0.0_f64, 0.0_f64);
            for (parameter, var) in case.model.weights.iter() {
                let found = gradients.get(var).unwrap_or_else(|| panic!("{name}, {}: {parameter} has no gradient", form.name));
                let (found, expected) = (values(found), values(&case.expected[&format!("gradient.{parameter}")]));
                assert!(norm(&found) > 0.0, "{name}, {}: the gradient of {parameter} is zero", form.name);
                let (whole, element) = gaps(&found, &expected);
                assert!(whole < GRADIENTS && element < GRADIENTS, "{name}, {}: {parameter} is off by {whole}, {element}", form.name);
                worst = (worst.0.max(whole), worst.1.max(element));
            }
            println!("{name}, {}: gradients {:.1e} of the norm, {:.1e} of an element", form.name, worst.0, worst.1);
        }
    }
}

/// No parameter goes unchecked: the fixtures hold a gradient for each, and no more.
#[test]
fn fixtures_name_every_parameter() {
    for name in MODELS {
        let case = case(name, DType::F32);
        let gradients = case.expected.keys().filter(|k| k.starts_with("gradient.")).count();
        assert_eq!(gradients, case.model.architecture.parameters().len(), "{name}");
    }
}

/// Largest deviation of a logit in bf16, whose steps near one are 1/128, against logits that spread by one.
const HALF_LOGITS: f64 = 0.25;
/// Smallest cosine between a gradient in bf16 and in f32.
const HALF_COSINE: f64 = 0.95;

#[test]
fn half_precision_follows() {
    for name in MODELS {
        let case = case(name, DType::BF16);
        for run in [prefill, decode] {
            let logits = run(&case.model, &case.tokens("long")).unwrap();
            let deviation = case.deviation(&logits);
            println!("{name}: bf16 logits off by {deviation:.3}");
            assert!(deviation < HALF_LOGITS, "{name}: {deviation}");
        }
        let gradients = loss(&case.model, &case.tokens("batch")).unwrap().backward().unwrap();
        let mut worst = 1.0_f64;
        for (parameter, var) in case.model.weights.iter() {
            let found = values(gradients.get(var).unwrap_or_else(|| panic!("{name}: {parameter} has no gradient in bf16")));
            let expected = values(&case.expected[&format!("gradient.{parameter}")]);
            let product: f64 = found.iter().zip(&expected).map(|(f, e)| f * e).sum();
            let cosine = product / (norm(&found) * norm(&expected));
            assert!(cosine > HALF_COSINE, "{name}: {parameter} points elsewhere in bf16, cosine {cosine}");
            worst = worst.min(cosine);
        }
        println!("{name}: smallest cosine of a gradient {worst:.4}");
    }
}

//! Logits and gradients against Hugging Face transformers: see `fixtures/README.md`.

use candle_core::{D, DType, Device, IndexOp, Tensor};
use mta_llm::decoder::{Cache, Decoder};
use mta_llm::error::Result;
use mta_llm::folder;
use mta_llm::model::Model;
use std::collections::HashMap;
use std::path::PathBuf;

/// A way to run a model. Tokens are `[batch, tokens]`, logits `[batch, tokens, vocabulary]`.
struct Form {
    name: &'static str,
    /// All logits at once.
    prefill: fn(&Model, &Tensor) -> Result<Tensor>,
    /// Logits token by token, through the cache.
    decode: fn(&Model, &Tensor) -> Result<Tensor>,
    /// Mean cross-entropy of each token but the first, with gradients.
    loss: fn(&Model, &Tensor) -> Result<Tensor>,
}

/// Every form there is.
const FORMS: [Form; 1] = [Form { name: "composite", prefill, decode, loss }];

/// Largest deviation of a logit.
const LOGITS: f64 = 2e-4;
/// Largest deviation of a gradient, relative to its parameter's norm, and of each element that is not tiny.
const GRADIENTS: f64 = 1e-3;
/// An element of a gradient is tiny below this share of the largest.
const TINY: f64 = 1e-2;

#[rustfmt::skip]
const MODELS: [&str; 6] = ["qwen2-tied", "qwen2-untied", "qwen3-tied", "qwen3-untied", "llama-scaled", "llama-untied"];

fn decoder(model: &Model) -> Decoder<'_> {
    Decoder { architecture: &model.architecture, weights: &model.weights }
}

fn prefill(model: &Model, tokens: &Tensor) -> Result<Tensor> {
    let hidden = decoder(model).hidden(tokens, None)?;
    decoder(model).logits(&hidden)
}

fn decode(model: &Model, tokens: &Tensor) -> Result<Tensor> {
    let mut cache = Cache::default();
    let mut step = |t: usize| decoder(model).logits(&decoder(model).hidden(&tokens.i((.., t..t + 1))?, Some(&mut cache))?);
    let logits = (0..tokens.dims()[1]).map(&mut step).collect::<Result<Vec<_>>>()?;
    Ok(Tensor::cat(&logits, 1)?)
}

fn loss(model: &Model, tokens: &Tensor) -> Result<Tensor> {
    let logits = prefill(model, tokens)?;
    let length = tokens.dims()[1];
    let (before, after) = (logits.i((.., ..length - 1))?, tokens.i((.., 1..))?);
    let logs = before.broadcast_sub(&before.log_sum_exp(D::Minus1)?.unsqueeze(2)?)?;
    Ok(logs.gather(&after.contiguous()?.unsqueeze(2)?, 2)?.mean_all()?.neg()?)
}

/// A fixture: the model, and what transformers says about it.
struct Case {
    model: Model,
    expected: HashMap<String, Tensor>,
}

fn case(name: &str, dtype: DType) -> Case {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    let model = folder::load(&folder, dtype, &Device::Cpu).expect("the fixture loads");
    let expected =
        candle_core::safetensors::load(folder.join("expected.safetensors"), &Device::Cpu).expect("the fixture has its expected values");
    Case { model, expected }
}

impl Case {
    fn tokens(&self, name: &str) -> Tensor {
        self.expected[name].to_dtype(DType::U32).expect("tokens are whole numbers")
    }

    fn deviation(&self, logits: &Tensor) -> f64 {
        let rows = logits.i(0).and_then(|l| l.index_select(&self.tokens("rows"), 0)).expect("logits have rows");
        largest(&(rows - &self.expected["logits"]).expect("logits have the expected shape"))
    }
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).and_then(|t| t.flatten_all()?.to_vec1()).expect("a tensor has values")
}

fn largest(tensor: &Tensor) -> f64 {
    values(tensor).into_iter().fold(0.0, |top, x| if x.is_nan() { f64::INFINITY } else { top.max(x.abs()) })
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum::<f64>().sqrt()
}

#[test]
fn logits_are_those_of_transformers() {
    for name in MODELS {
        let case = case(name, DType::F32);
        for form in FORMS {
            let at_once = case.deviation(&(form.prefill)(&case.model, &case.tokens("long")).unwrap());
            let in_turn = case.deviation(&(form.decode)(&case.model, &case.tokens("long")).unwrap());
            println!("{name}, {}: prefill {at_once:.1e}, cached {in_turn:.1e}", form.name);
            assert!(at_once < LOGITS, "{name}, {}: prefill is off by {at_once}", form.name);
            assert!(in_turn < LOGITS, "{name}, {}: cached decoding is off by {in_turn}", form.name);
        }
    }
}

/// Largest deviations of a gradient: of the whole relative to its norm, and of the elements that are not tiny relative to themselves.
fn gaps(found: &[f64], expected: &[f64]) -> (f64, f64) {
    let top = expected.iter().fold(0.0_f64, |top, x| top.max(x.abs()));
    let differences: Vec<f64> = found.iter().zip(expected).map(|(f, e)| f - e).collect();
    let relative = differences.iter().zip(expected).filter(|(_, e)| e.abs() > TINY * top).map(|(d, e)| (d / e).abs());
    (norm(&differences) / norm(expected), relative.fold(0.0, f64::max))
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

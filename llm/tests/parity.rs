//! Logits and gradients against Hugging Face transformers: see `fixtures/README.md`.

mod common;

use candle_core::{DType, Tensor};
use common::{GRADIENTS, LOGITS, MODELS, case, decode, gaps, largest, loss, norm, prefill, values};
use mta_llm::error::Result;
use mta_llm::model::Model;

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

//! Fixtures and how they are compared: see `../fixtures/README.md`.

use candle_core::{D, DType, Device, IndexOp, Tensor};
use mta_llm::decoder::{Cache, Decoder};
use mta_llm::device;
use mta_llm::error::Result;
use mta_llm::folder;
use mta_llm::model::Model;
use std::collections::HashMap;
use std::path::PathBuf;

/// Largest deviation of a logit.
pub const LOGITS: f64 = 2e-4;
/// Largest deviation of a gradient, relative to its parameter's norm, and of each element that is not tiny.
pub const GRADIENTS: f64 = 1e-3;
/// An element of a gradient is tiny below this share of the largest.
pub const TINY: f64 = 1e-2;

#[rustfmt::skip]
pub const MODELS: [&str; 6] = ["qwen2-tied", "qwen2-untied", "qwen3-tied", "qwen3-untied", "llama-scaled", "llama-untied"];

pub fn decoder(model: &Model) -> Decoder<'_> {
    Decoder { architecture: &model.architecture, weights: &model.weights }
}

pub fn prefill(model: &Model, tokens: &Tensor) -> Result<Tensor> {
    let hidden = decoder(model).hidden(tokens, None)?;
    decoder(model).logits(&hidden)
}

pub fn decode(model: &Model, tokens: &Tensor) -> Result<Tensor> {
    let mut cache = Cache::default();
    let mut step = |t: usize| decoder(model).logits(&decoder(model).hidden(&tokens.i((.., t..t + 1))?, Some(&mut cache))?);
    let logits = (0..tokens.dims()[1]).map(&mut step).collect::<Result<Vec<_>>>()?;
    Ok(Tensor::cat(&logits, 1)?)
}

pub fn loss(model: &Model, tokens: &Tensor) -> Result<Tensor> {
    let logits = prefill(model, tokens)?;
    let length = tokens.dims()[1];
    let (before, after) = (logits.i((.., ..length - 1))?, tokens.i((.., 1..))?);
    let logs = before.broadcast_sub(&before.log_sum_exp(D::Minus1)?.unsqueeze(2)?)?;
    Ok(logs.gather(&after.contiguous()?.unsqueeze(2)?, 2)?.mean_all()?.neg()?)
}

/// Names the device of tests that are true on any: see `llm/bench/device.sh`.
const DEVICE: &str = "MTA_DEVICE";

/// The device of tests that are true on any. Those that speak of bits, bytes or the fused form name the CPU.
pub fn device() -> Device {
    let name = std::env::var(DEVICE).unwrap_or_else(|_| device::NAMES[0].into());
    device::named(&name).unwrap_or_else(|why| panic!("{DEVICE}={name}: {why}"))
}

/// A file or folder beside the tests. Cargo names the crate's folder when it runs a test, too: a test may be built on one machine and run on another.
pub fn fixture(name: &str) -> PathBuf {
    let root = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests, or who runs them names the crate's folder");
    PathBuf::from(root).join("tests/fixtures").join(name)
}

/// Tensors that a fixture holds.
pub fn tensors(path: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(fixture(path), &device()).expect("the fixture has its expected values")
}

/// A fixture: the model, and what transformers says about it.
pub struct Case {
    pub model: Model,
    pub expected: HashMap<String, Tensor>,
}

pub fn case(name: &str, dtype: DType) -> Case {
    let folder = fixture(name);
    let model = folder::load(&folder, dtype, &device()).expect("the fixture loads");
    let expected =
        candle_core::safetensors::load(folder.join("expected.safetensors"), &device()).expect("the fixture has its expected values");
    Case { model, expected }
}

impl Case {
    pub fn tokens(&self, name: &str) -> Tensor {
        self.expected[name].to_dtype(DType::U32).expect("tokens are whole numbers")
    }

    pub fn deviation(&self, logits: &Tensor) -> f64 {
        let rows = logits.i(0).and_then(|l| l.index_select(&self.tokens("rows"), 0)).expect("logits have rows");
        largest(&(rows - &self.expected["logits"]).expect("logits have the expected shape"))
    }
}

pub fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).and_then(|t| t.flatten_all()?.to_vec1()).expect("a tensor has values")
}

pub fn largest(tensor: &Tensor) -> f64 {
    values(tensor).into_iter().fold(0.0, |top, x| if x.is_nan() { f64::INFINITY } else { top.max(x.abs()) })
}

pub fn norm(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// Largest deviations of a gradient: of the whole relative to its norm, and of the elements that are not tiny relative to themselves.
pub fn gaps(found: &[f64], expected: &[f64]) -> (f64, f64) {
    let top = expected.iter().fold(0.0_f64, |top, x| top.max(x.abs()));
    let differences: Vec<f64> = found.iter().zip(expected).map(|(f, e)| f - e).collect();
    let relative = differences.iter().zip(expected).filter(|(_, e)| e.abs() > TINY * top).map(|(d, e)| (d / e).abs());
    (norm(&differences) / norm(expected), relative.fold(0.0, f64::max))
}

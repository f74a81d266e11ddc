//! The memory estimate against tensors that are really there.

use crate::common::{MODELS, fixture};
use candle_core::{CpuStorage, DType, Device, Storage, Tensor};
use mta_llm::architecture::Architecture;
use mta_llm::decoder::{Cache, Decoder};
use mta_llm::folder;
use mta_llm::lora::{Adapter, Lora, TARGETS};
use mta_llm::memory::{Footprint, Plan};
use mta_llm::model::Model;
use mta_llm::score::Sequence;
use mta_sims::stream::Seed;
use std::collections::BTreeMap;

const TOKENS: usize = 24;
const SEQUENCES: usize = 3;

fn plan(dtype: DType, lora: Option<Lora>) -> Plan {
    Plan { dtype, lora, reference: true, sampled: SEQUENCES, differentiated: SEQUENCES, tokens: TOKENS, response: TOKENS - 1 }
}

fn model(name: &str, dtype: DType) -> Model {
    folder::load(&fixture(name), dtype, &Device::Cpu).unwrap()
}

fn bytes<'a>(tensors: impl Iterator<Item = &'a Tensor>) -> usize {
    tensors.map(|t| t.elem_count() * t.dtype().size_in_bytes()).sum()
}

/// Bytes of what a tensor's backward pass holds on to, each piece of memory counted once, without the variables and views of them.
fn held(tensor: &Tensor) -> usize {
    let piece = |node: &Tensor| {
        let (storage, _) = node.storage_and_layout();
        (std::ptr::from_ref(&*storage) as usize, size(&storage))
    };
    let nodes = tensor.sorted_nodes();
    let mut pieces: BTreeMap<usize, usize> = nodes.iter().map(|n| piece(n)).collect();
    nodes.iter().filter(|n| n.is_variable()).for_each(|n| _ = pieces.remove(&piece(n).0));
    pieces.values().sum()
}

fn size(storage: &Storage) -> usize {
    match storage {
        Storage::Cpu(CpuStorage::F32(numbers)) => numbers.len() * 4,
        Storage::Cpu(CpuStorage::F64(numbers)) => numbers.len() * 8,
        Storage::Cpu(CpuStorage::BF16(numbers)) => numbers.len() * 2,
        _ => panic!("activations are floating point numbers"),
    }
}

#[test]
fn parameters_and_gradients_are_those_of_the_tensors() {
    for name in MODELS {
        for dtype in [DType::F32, DType::BF16] {
            let model = model(name, dtype);
            let estimate = Footprint::of(&model.architecture, &plan(dtype, None));
            let there = bytes(model.weights.iter().map(|(_, v)| v.as_tensor()));
            assert_eq!([estimate.parameters, estimate.reference, estimate.gradients, estimate.moments], [there, there, there, 2 * there]);
        }
    }
}

#[test]
fn adapters_are_counted_where_they_train() {
    let lora = Lora::new(3, 6.0, &TARGETS).unwrap();
    let base = model("qwen3-tied", DType::BF16);
    let estimate = Footprint::of(&base.architecture, &plan(DType::BF16, Some(lora.clone())));
    let adapter = Adapter::new(&base.architecture, lora, Seed(0), DType::BF16, &Device::Cpu).unwrap();
    let (frozen, trained) =
        (bytes(base.weights.iter().map(|(_, v)| v.as_tensor())), bytes(adapter.weights().iter().map(|(_, v)| v.as_tensor())));
    assert_eq!([estimate.parameters, estimate.gradients, estimate.moments], [frozen + trained, trained, 2 * trained]);
}

/// Scores of the sequences. In f64 and bf16 `Model::score` takes the composite form.
fn scores(model: &Model) -> Tensor {
    let tokens: Vec<u32> = (0..TOKENS as u32).map(|i| i * 7 % 40).collect();
    model.score(&[Sequence { tokens: &tokens, from: 1 }; SEQUENCES], 0.9).unwrap()
}

/// What scoring the sequences holds, and what was estimated.
fn activations(model: &Model, dtype: DType, lora: Option<Lora>) -> (usize, usize) {
    (held(&scores(model)), Footprint::of(&model.architecture, &plan(dtype, lora)).activations)
}

/// To the byte.
#[test]
fn activations_are_those_that_the_graph_holds() {
    for name in MODELS {
        for dtype in [DType::F64, DType::BF16] {
            let (held, estimate) = activations(&model(name, dtype), dtype, None);
            assert_eq!(held, estimate, "{name}, {dtype:?}");
        }
    }
}

/// Beside an adapter nothing before the first block's first product has a gradient: of two blocks that is a part, of many it is none.
#[test]
fn adapters_hold_activations_of_their_own() {
    for (dtype, targets) in [(DType::F64, &TARGETS[..]), (DType::BF16, &TARGETS[..]), (DType::BF16, &TARGETS[..4])] {
        let (base, lora) = (model("qwen3-tied", dtype), Lora::new(3, 6.0, targets).unwrap());
        let adapter = Adapter::new(&base.architecture, lora.clone(), Seed(0), dtype, &Device::Cpu).unwrap();
        let (held, estimate) = activations(&base.adapted(adapter), dtype, Some(lora));
        let ratio = held as f64 / estimate as f64;
        println!("{dtype:?}, {} targets: {held} bytes held, {estimate} estimated, ratio {ratio:.3}", targets.len());
        assert!((0.93..=1.0).contains(&ratio), "{dtype:?}: {held} bytes are held, {estimate} estimated");
    }
}

#[test]
fn the_cache_is_that_of_the_tensors() {
    let tokens = Tensor::zeros((SEQUENCES, TOKENS), DType::U32, &Device::Cpu).unwrap();
    for name in MODELS {
        let (model, mut cache) = (model(name, DType::BF16), Cache::default());
        Decoder { architecture: &model.architecture, weights: &model.weights }.hidden(&tokens, Some(&mut cache)).unwrap();
        assert_eq!(Footprint::of(&model.architecture, &plan(DType::BF16, None)).cache, cache.bytes());
    }
}

/// candle leaves a gradient of everything an operation reads: a backward pass ends with those of the variables, and with these.
#[test]
fn gradients_of_constants_are_those_that_are_left_over() {
    for name in MODELS {
        for dtype in [DType::F64, DType::BF16] {
            let model = model(name, dtype);
            let gradients = scores(&model).sum_all().unwrap().backward().unwrap();
            let left = bytes(gradients.get_ids().map(|id| gradients.get_id(*id).unwrap()));
            let estimate = Footprint::of(&model.architecture, &plan(dtype, None));
            assert_eq!(left, estimate.gradients + estimate.constants, "{name}, {dtype:?}");
        }
    }
}

/// Qwen2.5-0.5B, whose published size is 494 million.
#[test]
fn a_published_model_has_its_published_size() {
    let config = r#"{"model_type": "qwen2", "vocab_size": 151936, "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24,
        "num_attention_heads": 14, "num_key_value_heads": 2, "tie_word_embeddings": true, "rope_theta": 1000000.0}"#;
    let a = Architecture::parse(config, "config.json".as_ref()).unwrap();
    assert_eq!(a.size(), 494_032_768);
    let full = Footprint::of(&a, &plan(DType::F32, None));
    let thin = Footprint::of(&a, &plan(DType::F32, Some(Lora::new(8, 16.0, &TARGETS).unwrap())));
    assert!(thin.peak() < full.peak() - 2 * full.moments / 3 && full.peak() > 4 * full.parameters);
}

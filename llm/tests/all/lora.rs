//! LoRA against `peft`: logits, gradients, files. See `../fixtures/README.md`.

use crate::common;
use crate::common::{GRADIENTS, LOGITS, device, fixture, gaps, largest, loss, norm, prefill, tensors, values};
use candle_core::{DType, IndexOp, Tensor};
use mta_llm::error::Error;
use mta_llm::folder;
use mta_llm::lora::{Adapter, Lora, TARGETS};
use mta_llm::model::Model;
use mta_llm::sample::{Ask, Sampling};
use mta_llm::score::Sequence;
use mta_sims::stream::{Purpose, Seed};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs;

const BASE: &str = "qwen3-tied";

fn base(dtype: DType) -> Model {
    folder::load(&fixture(BASE), dtype, &device()).unwrap()
}

/// The base with the adapter that `peft` saved, and what `peft` says of it.
fn adapted(dtype: DType) -> (Model, HashMap<String, Tensor>) {
    let model = base(dtype);
    let adapter = Adapter::load(&fixture(BASE).join("adapter"), &model.architecture, dtype, &device()).unwrap();
    (model.adapted(adapter), tensors(&format!("{BASE}/adapter/expected.safetensors")))
}

fn fresh(lora: &Lora) -> Adapter {
    Adapter::new(&base(DType::F32).architecture, lora.clone(), Seed(1), DType::F32, &device()).unwrap()
}

fn batch(expected: &HashMap<String, Tensor>) -> Tensor {
    expected["batch"].to_dtype(DType::U32).unwrap()
}

fn distance(a: &Tensor, b: &Tensor) -> f64 {
    largest(&(a - b).unwrap())
}

#[test]
fn logits_are_those_of_peft_beside_the_model_and_merged_into_it() {
    let (model, expected) = adapted(DType::F32);
    let logits = |m: &Model| prefill(m, &batch(&expected)).unwrap();
    let (beside, inside) =
        (distance(&logits(&model), &expected["logits"]), distance(&logits(&model.merged().unwrap()), &expected["logits"]));
    println!("beside {beside:.1e}, merged {inside:.1e}");
    assert!(beside < LOGITS && inside < LOGITS, "{beside}, {inside}");
    assert!(model.merged().unwrap().weights.adapter().is_none());
    assert!(distance(&logits(&base(DType::F32)), &expected["logits"]) > 0.5, "the adapter does something");
}

#[test]
fn gradients_are_those_of_peft_and_the_model_has_none() {
    let (model, expected) = adapted(DType::F32);
    let gradients = loss(&model, &batch(&expected)).unwrap().backward().unwrap();
    let mut worst = (0.0_f64, 0.0_f64);
    assert_eq!(model.trainable().vars().len(), 28);
    for (name, var) in model.trainable().iter() {
        let found = values(gradients.get(var).unwrap_or_else(|| panic!("{name} has no gradient")));
        let (whole, element) = gaps(&found, &values(&expected[&format!("gradient.{name}")]));
        assert!(norm(&found) > 0.0 && whole < GRADIENTS && element < GRADIENTS, "{name} is off by {whole}, {element}");
        worst = (worst.0.max(whole), worst.1.max(element));
    }
    println!("gradients {:.1e} of the norm, {:.1e} of an element", worst.0, worst.1);
    assert!(model.weights.vars().iter().all(|v| gradients.get(v).is_none()));
}

/// candle computes gradients for frozen operands too, unless told not to: no gradient has the shape of a matrix of the MLP, and the head's is not there.
#[test]
fn frozen_matrices_cost_no_gradient() {
    let shapes = |model: &Model| {
        let gradients = loss(model, &Tensor::new(&[[1u32, 2, 3, 4]], &device()).unwrap()).unwrap().backward().unwrap();
        gradients.get_ids().map(|id| gradients.get_id(*id).unwrap().dims().to_vec()).collect::<Vec<_>>()
    };
    let matrices = [vec![24, 16], vec![16, 24], vec![40, 16], vec![16, 40], vec![32, 16], vec![16, 32]];
    let held = |model: &Model| shapes(model).iter().filter(|s| matrices.contains(s)).count();
    assert!(held(&base(DType::F32)) > 10);
    assert_eq!(held(&adapted(DType::F32).0), 0);
}

#[test]
fn a_fresh_adapter_changes_nothing_and_can_learn() {
    let lora = Lora::new(2, 4.0, &["o_proj", "q_proj"]).unwrap();
    let tokens = Tensor::new(&[[1u32, 2, 3, 4, 5]], &device()).unwrap();
    let model = base(DType::F32).adapted(fresh(&lora));
    assert_eq!(distance(&prefill(&model, &tokens).unwrap(), &prefill(&base(DType::F32), &tokens).unwrap()), 0.0);
    let names: Vec<&str> = model.trainable().iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 8);
    assert_eq!(names[0], "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight");
    let gradients = loss(&model, &tokens).unwrap().backward().unwrap();
    for (name, var) in model.trainable().iter() {
        let (size, gradient) = (norm(&values(var)), norm(&values(gradients.get(var).unwrap())));
        let is_a = name.contains("lora_A");
        assert_eq!((size > 0.0, gradient > 0.0), (is_a, !is_a), "{name}: A is drawn, and B moves first");
        assert!(!is_a || largest(var) <= 1.0 / (var.dims()[1] as f64).sqrt());
    }
    assert_eq!(
        values(fresh(&lora).weights().vars()[0].as_tensor()),
        values(model.trainable().vars()[0].as_tensor()),
        "one seed, one adapter"
    );
}

/// A reference model must not move with the model it was copied from.
#[test]
fn copies_and_merged_models_stay_when_the_model_moves() {
    let tokens = Tensor::new(&[[1u32, 2, 3, 4, 5]], &device()).unwrap();
    let model = base(DType::F32);
    let (copy, merged, before) = (model.copy().unwrap(), model.merged().unwrap(), prefill(&model, &tokens).unwrap());
    for var in model.trainable().vars() {
        var.set(&var.affine(1.1, 0.01).unwrap()).unwrap();
    }
    assert!(distance(&prefill(&model, &tokens).unwrap(), &before) > 1e-2);
    assert_eq!(distance(&prefill(&copy, &tokens).unwrap(), &before), 0.0);
    assert_eq!(distance(&prefill(&merged, &tokens).unwrap(), &before), 0.0);
}

/// Training moves what computations see; a copy stays.
#[test]
fn a_copy_has_variables_of_its_own() {
    let (model, expected) = adapted(DType::F32);
    let copy = model.copy().unwrap();
    let before = prefill(&model, &batch(&expected)).unwrap();
    model.trainable().vars()[1].set(&model.trainable().vars()[1].zeros_like().unwrap()).unwrap();
    model.weights.vars()[1].set(&model.weights.vars()[1].zeros_like().unwrap()).unwrap();
    assert!(distance(&prefill(&model, &batch(&expected)).unwrap(), &before) > 1e-2);
    assert_eq!(distance(&prefill(&copy, &batch(&expected)).unwrap(), &before), 0.0);
}

#[test]
fn a_half_precision_model_trains_a_full_precision_adapter() {
    let (model, expected) = adapted(DType::BF16);
    assert_eq!((model.weights.dtype(), model.trainable().dtype()), (DType::BF16, DType::F32));
    let deviation = distance(&prefill(&model, &batch(&expected)).unwrap(), &expected["logits"]);
    assert!(deviation < 0.25, "{deviation}");
    let gradients = loss(&model, &batch(&expected)).unwrap().backward().unwrap();
    assert!(model.trainable().vars().iter().all(|v| norm(&values(gradients.get(v).unwrap())) > 0.0));
}

#[test]
fn saved_adapters_come_back_and_give_the_same_bytes() {
    let (model, _) = adapted(DType::F32);
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let save = |folder: &tempfile::TempDir| {
        model.weights.adapter().unwrap().save(folder.path()).unwrap();
        ["adapter_config.json", "adapter_model.safetensors"].map(|f| fs::read(folder.path().join(f)).unwrap())
    };
    assert_eq!(save(&folders[0]), save(&folders[1]));
    let again = Adapter::load(folders[0].path(), &model.architecture, DType::F32, &device()).unwrap();
    assert_eq!(again.lora(), &Lora::new(3, 6.0, &TARGETS).unwrap());
    for ((name, x), (other, y)) in again.weights().iter().zip(model.trainable().iter()) {
        assert_eq!((name, values(x)), (other, values(y)));
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let text = |result: Result<Lora, Error>| result.unwrap_err().to_string();
    assert_eq!(text(Lora::new(0, 1.0, &TARGETS)), "LoRA's rank is 0; allowed: at least 1");
    assert_eq!(text(Lora::new(1, 0.0, &TARGETS)), "LoRA's alpha is 0; allowed: a number above 0");
    assert!(text(Lora::new(1, 1.0, &["lm_head"])).starts_with("LoRA's target is \"lm_head\"; allowed: q_proj, k_proj, "));
    assert!(text(Lora::new(1, 1.0, &[""; 0])).starts_with("LoRA's target is \"\"; allowed: q_proj, "));
}

#[test]
fn adapters_that_mean_something_else_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let from = fixture(BASE).join("adapter");
    fs::copy(from.join("adapter_model.safetensors"), folder.path().join("adapter_model.safetensors")).unwrap();
    let config: Value = serde_json::from_str(&fs::read_to_string(from.join("adapter_config.json")).unwrap()).unwrap();
    let error = |name: &str, value: Value| {
        let mut changed = config.clone();
        changed[name] = value;
        fs::write(folder.path().join("adapter_config.json"), changed.to_string()).unwrap();
        let loaded = Adapter::load(folder.path(), &base(DType::F32).architecture, DType::F32, &device());
        loaded.err().map(|e| e.to_string()).unwrap_or_else(|| panic!("{name} is refused"))
    };
    let cases = [
        ("peft_type", json!("IA3"), "adapter_config.json: peft_type is \"IA3\"; allowed: \"LORA\""),
        ("r", json!(0), "adapter_config.json: r is 0; allowed: a whole number of at least 1"),
        ("lora_alpha", json!("8"), "adapter_config.json: lora_alpha is \"8\"; allowed: a number above 0"),
        ("use_dora", json!(true), "adapter_config.json: use_dora is true; allowed: false"),
        ("use_rslora", json!(true), "adapter_config.json: use_rslora is true; allowed: false"),
        ("bias", json!("all"), "adapter_config.json: bias is \"all\"; allowed: \"none\""),
        ("rank_pattern", json!({"q_proj": 4}), "adapter_config.json: rank_pattern is {\"q_proj\":4}; allowed: none"),
        ("modules_to_save", json!(["lm_head"]), "adapter_config.json: modules_to_save is [\"lm_head\"]; allowed: none"),
        ("target_modules", json!("all-linear"), "target_modules is \"all-linear\"; allowed: a list of strings"),
        ("target_modules", json!(["lm_head"]), "target_modules is [\"lm_head\"]; allowed: a list of some of q_proj, k_proj, "),
        ("r", json!(4), "lora_A.weight has shape [3, 24]; adapter_config.json asks for [4, 24]"),
        ("target_modules", json!(["q_proj"]), "is none of those that adapter_config.json asks for"),
    ];
    for (name, value, text) in cases {
        let message = error(name, value);
        assert!(message.contains(text), "{message}");
    }
    fs::remove_file(folder.path().join("adapter_model.safetensors")).unwrap();
    assert!(error("r", json!(3)).contains("adapter_model.safetensors: cannot be read: "));
}

/// Sampling reads the same logits as scoring, adapter or not.
#[test]
fn cached_decoding_sees_the_adapter() {
    let (model, expected) = adapted(DType::F32);
    let logits = common::decode(&model, &batch(&expected).i(..1).unwrap()).unwrap();
    assert!(distance(&logits, &expected["logits"].i(..1).unwrap()) < LOGITS);
}

/// Whichever form [`Model::score`] and [`Model::generate`] choose, they see the adapter: as the merged model does, which any form computes.
#[test]
fn scoring_and_sampling_see_the_adapter() {
    let model = adapted(DType::F32).0;
    let (merged, base) = (model.merged().unwrap(), base(DType::F32));
    let tokens: Vec<u32> = (0..12).map(|i| i * 7 % 40).collect();
    let scores = |m: &Model| m.score(&[Sequence { tokens: &tokens, from: 3 }], 0.8).unwrap();
    assert!(distance(&scores(&model), &scores(&merged)) < LOGITS && distance(&scores(&model), &scores(&base)) > 0.1);
    let sampling = Sampling { temperature: 0.0, top_p: 1.0, max_new_tokens: 8, stop: Vec::new() };
    let words = Seed(0).stream(Purpose::Rollout, 0, 0);
    let ask = [Ask { prompt: &tokens, words: &words, rollout: 0 }];
    let drawn = |m: &Model| m.generate(&ask, &sampling).unwrap().remove(0).into_iter().map(|t| (t.id, t.logprob)).collect::<Vec<_>>();
    let (beside, inside) = (drawn(&model), drawn(&merged));
    assert!(beside.iter().zip(&inside).all(|(b, i)| b.0 == i.0 && (b.1 - i.1).abs() < LOGITS), "{beside:?}, {inside:?}");
    assert_ne!(beside, drawn(&base));
}

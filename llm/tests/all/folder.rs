//! Model folders: what comes back is what was saved, and what is damaged is named.

use crate::common::{device, fixture};
use candle_core::{DType, Tensor};
use mta_llm::folder::{self, Generation};
use mta_llm::model::Model;
use mta_llm::{atomic, error::Error};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn load(folder: &Path) -> Result<Model, Error> {
    folder::load(folder, DType::F32, &device())
}

/// A copy of a fixture that a test may damage.
fn copy(name: &str) -> (TempDir, PathBuf) {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("model");
    fs::create_dir(&folder).unwrap();
    for file in ["config.json", "model.safetensors", "generation_config.json"] {
        fs::copy(fixture(name).join(file), folder.join(file)).unwrap();
    }
    (temporary, folder)
}

/// A copy in shards of at most 8 kB.
fn sharded(name: &str) -> (TempDir, PathBuf) {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("model");
    folder::save_in_shards(&folder, &load(&fixture(name)).unwrap(), &Generation::default(), None, 8000).unwrap();
    (temporary, folder)
}

fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap());
    entries.map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap())).collect()
}

fn assert_same(a: &Model, b: &Model) {
    assert_eq!(a.architecture, b.architecture);
    for ((name, x), (other, y)) in a.weights.iter().zip(b.weights.iter()) {
        let values = |t: &Tensor| t.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!((name, x.dims(), values(x)), (other, y.dims(), values(y)));
    }
}

#[test]
fn saved_models_come_back_in_one_file_and_in_shards() {
    for name in ["qwen2-tied", "qwen3-untied", "llama-scaled"] {
        let model = load(&fixture(name)).unwrap();
        for limit in [folder::SHARD_BYTES, 8000, 1] {
            let target = tempfile::tempdir().unwrap();
            folder::save_in_shards(target.path(), &model, &Generation::default(), None, limit).unwrap();
            assert_eq!(target.path().join(folder::INDEX).exists(), limit < folder::SHARD_BYTES);
            let shards = bytes(target.path()).keys().filter(|name| name.ends_with(".safetensors")).count();
            assert!(limit > 1 || shards == model.weights.vars().len(), "a tensor larger than the limit has a shard of its own");
            assert_same(&load(target.path()).unwrap(), &model);
        }
    }
}

#[test]
fn the_same_model_gives_the_same_bytes() {
    let model = load(&fixture("qwen3-tied")).unwrap();
    for limit in [folder::SHARD_BYTES, 8000] {
        let save = |target: &Path| {
            folder::save_in_shards(target, &model, &Generation::default(), None, limit).unwrap();
            bytes(target)
        };
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_eq!(save(a.path()), save(b.path()));
    }
}

#[test]
fn numbers_are_rounded_to_the_type_asked_for() {
    let (full, half) = (load(&fixture("qwen2-tied")).unwrap(), folder::load(&fixture("qwen2-tied"), DType::BF16, &device()).unwrap());
    assert_eq!(half.weights.dtype(), DType::BF16);
    let target = tempfile::tempdir().unwrap();
    folder::save(target.path(), &half, &Generation::default(), None).unwrap();
    assert_same(&folder::load(target.path(), DType::BF16, &device()).unwrap(), &half);
    let sizes = [fixture("qwen2-tied").as_path(), target.path()].map(|f| fs::metadata(f.join(folder::WHOLE)).unwrap().len());
    assert!(sizes[1] * 2 < sizes[0] + 4096, "{sizes:?}");
    let rounded = full.weights.vars()[0].to_dtype(DType::BF16).unwrap().to_dtype(DType::F32).unwrap();
    assert_eq!(rounded.to_vec2::<f32>().unwrap(), half.weights.vars()[0].to_dtype(DType::F32).unwrap().to_vec2::<f32>().unwrap());
}

#[test]
fn a_save_replaces_the_folder_and_takes_the_tokenizer_along() {
    let (_keep, from) = copy("qwen2-tied");
    fs::write(from.join("tokenizer.json"), "{}").unwrap();
    let target = tempfile::tempdir().unwrap();
    let folder = target.path().join("model");
    folder::save(&folder, &load(&fixture("llama-untied")).unwrap(), &Generation::default(), None).unwrap();
    let sampling = Generation { eos: vec![3, 4], pad: Some(5), temperature: Some(0.7), top_p: Some(0.8) };
    folder::save(&folder, &load(&from).unwrap(), &sampling, Some(&from)).unwrap();
    assert_same(&load(&folder).unwrap(), &load(&from).unwrap());
    assert_eq!(fs::read_to_string(folder.join("tokenizer.json")).unwrap(), "{}");
    assert_eq!(Generation::read(&folder).unwrap(), sampling);
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 1, "nothing is left beside the folder");
}

#[test]
fn a_save_that_fails_or_is_cut_short_leaves_a_whole_folder() {
    let (keep, folder) = copy("qwen2-tied");
    let before = bytes(&folder);
    let failed = atomic::folder(&folder, |partial| {
        fs::write(partial.join("config.json"), "half").unwrap();
        Err(Error::damaged(partial, "the disk is full"))
    });
    assert!(failed.is_err());
    assert_eq!(bytes(&folder), before);
    // A crash between the two renames: the new folder is complete beside the place, the old one has stepped aside.
    fs::rename(&folder, keep.path().join(".model.former")).unwrap();
    assert!(load(&folder).is_ok());
    assert_eq!(bytes(&folder), before);
    // A crash after them: only the former folder is left to be cleared.
    fs::create_dir(keep.path().join(".model.former")).unwrap();
    assert!(load(&folder).is_ok() && !keep.path().join(".model.former").exists());
}

#[test]
fn a_file_is_replaced_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    for text in ["one", "two"] {
        atomic::file(&path, text.as_bytes()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_generation_config_leaves_open_config_json_says() {
    let (_keep, folder) = copy("llama-scaled");
    assert_eq!(Generation::read(&folder).unwrap(), Generation { eos: vec![2], ..Generation::default() });
    let set = |fields: Value| fs::write(folder.join("generation_config.json"), fields.to_string()).unwrap();
    set(json!({"eos_token_id": [7, 8], "pad_token_id": 7, "temperature": 0.6, "top_p": 0.95, "top_k": 20}));
    assert_eq!(Generation::read(&folder).unwrap(), Generation { eos: vec![7, 8], pad: Some(7), temperature: Some(0.6), top_p: Some(0.95) });
    set(json!({"top_p": 2}));
    assert!(text(Generation::read(&folder)).ends_with("top_p is 2; allowed: a number above 0 and at most 1"));
    set(json!({"eos_token_id": "</s>"}));
    assert!(text(Generation::read(&folder)).ends_with("eos_token_id is \"</s>\"; allowed: a token's number, or a list of them"));
}

fn text<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.expect_err("it is damaged").to_string()
}

/// The error on loading a fixture whose tensors `change` has changed.
fn altered(change: impl FnOnce(&mut BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>)) -> Option<String> {
    let (_keep, folder) = copy("qwen2-tied");
    let path = folder.join("model.safetensors");
    let read = fs::read(&path).unwrap();
    let whole = safetensors::SafeTensors::deserialize(&read).unwrap();
    let mut tensors = whole.iter().map(|(name, v)| (name.to_string(), (v.dtype(), v.shape().to_vec(), v.data().to_vec()))).collect();
    change(&mut tensors);
    let views = tensors.iter().map(|(name, (dtype, shape, data))| (name, TensorView::new(*dtype, shape.clone(), data).unwrap()));
    safetensors::serialize_to_file(views, None, &path).unwrap();
    load(&folder).err().map(|e| e.to_string())
}

#[test]
fn damaged_tensors_are_named() {
    let name = "model.layers.1.mlp.up_proj.weight";
    let missing = altered(|all| drop(all.remove(name))).unwrap();
    assert!(missing.ends_with("model.safetensors: tensor model.layers.1.mlp.up_proj.weight is missing"), "{missing}");
    let turned = altered(|all| all.get_mut(name).unwrap().1.reverse()).unwrap();
    assert!(turned.ends_with("tensor model.layers.1.mlp.up_proj.weight has shape [16, 24]; config.json asks for [24, 16]"), "{turned}");
    let whole = altered(|all| all.get_mut(name).unwrap().0 = Dtype::I32).unwrap();
    assert!(whole.ends_with("tensor model.layers.1.mlp.up_proj.weight has dtype I32; allowed: F64, F32, BF16, F16"), "{whole}");
    let more = altered(|all| drop(all.insert("model.layers.2.mlp.up_proj.weight".into(), (Dtype::F32, vec![1], vec![0; 4])))).unwrap();
    assert!(more.ends_with("tensor model.layers.2.mlp.up_proj.weight is none of those that config.json asks for"), "{more}");
}

#[test]
fn tensors_that_change_nothing_are_passed_over() {
    let more = ["model.layers.0.self_attn.rotary_emb.inv_freq", "lm_head.weight", "v_head.summary.weight"];
    assert_eq!(altered(|all| all.extend(more.map(|name| (name.into(), (Dtype::F32, vec![1], vec![0; 4]))))), None);
}

#[test]
fn damaged_folders_are_named() {
    let (_keep, folder) = copy("qwen2-tied");
    let weights = folder.join("model.safetensors");
    let whole = fs::read(&weights).unwrap();
    for length in [0, 5, 200, whole.len() / 2, whole.len() - 1] {
        fs::write(&weights, &whole[..length]).unwrap();
        assert!(text(load(&folder)).contains("model.safetensors: not a whole safetensors file: "), "{length} bytes");
    }
    fs::remove_file(&weights).unwrap();
    let message = text(load(&folder));
    assert!(
        message.ends_with("model: neither model.safetensors nor model.safetensors.index.json is there; other formats are not read"),
        "{message}"
    );
    fs::remove_file(folder.join("config.json")).unwrap();
    assert!(text(load(&folder)).contains("config.json: cannot be read: "));
}

#[test]
fn damaged_shards_are_named() {
    let (_keep, folder) = sharded("llama-scaled");
    let shard =
        fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).find(|n| n.contains("-00002-of-")).unwrap();
    let whole = fs::read(folder.join(&shard)).unwrap();
    fs::write(folder.join(&shard), &whole[..whole.len() - 10]).unwrap();
    assert!(text(load(&folder)).contains(&format!("{shard}: not a whole safetensors file: ")));
    fs::remove_file(folder.join(&shard)).unwrap();
    let message = text(load(&folder));
    assert!(message.ends_with(&format!("model.safetensors.index.json: names the shard {shard}, which is not in the folder")), "{message}");
    fs::write(folder.join(folder::INDEX), r#"{"metadata": {}}"#).unwrap();
    assert!(text(load(&folder)).ends_with("model.safetensors.index.json: weight_map is missing"));
    fs::write(folder.join(folder::INDEX), r#"{"weight_map": {"model.norm.weight": 1}}"#).unwrap();
    assert!(text(load(&folder)).ends_with("model.norm.weight is 1; allowed: a string"));
}

#[test]
fn an_unknown_architecture_is_named() {
    let (_keep, folder) = copy("qwen2-tied");
    let config = fs::read_to_string(folder.join("config.json")).unwrap().replace("\"qwen2\"", "\"gemma\"");
    fs::write(folder.join("config.json"), config).unwrap();
    assert!(text(load(&folder)).ends_with("config.json: model_type is \"gemma\"; allowed: qwen2, qwen3, llama"));
}

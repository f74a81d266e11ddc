//! A grown model's folder: the model as Hugging Face has it, the words of its vocabulary as a tokenizer, and its world in `world.json`.

use super::corpus::{EOS, Vocabulary};
use super::world::{MethodSettings, MethodWorld};
use crate::atomic;
use crate::error::{Error, Result};
use crate::folder::{self, Generation};
use crate::json::{self, Fields};
use crate::model::Model;
use mta_sims::config::{Config, KNOBS, Knob, World as Settings};
use mta_sims::knob::Value as Setting;
use mta_sims::stream::Seed;
use serde_json::{Map, Value, json};
use std::path::Path;

/// The file that tells a grown model's world.
pub const WORLD: &str = "world.json";

/// A world as its file tells it.
#[derive(Debug)]
pub struct Told {
    /// The world.
    pub world: MethodWorld,
    /// Documents of its corpus that the base model has read: numbers 0 to this, less one.
    pub documents: usize,
}

/// Puts `model`, grown in `world` on its first `documents` documents, at `folder`; what stood there is gone.
///
/// # Errors
/// When the folder cannot be written.
pub fn save(folder: &Path, model: &Model, world: &MethodWorld, documents: usize) -> Result<()> {
    atomic::folder(folder, |partial| {
        folder::save(partial, model, &Generation { eos: vec![EOS], ..Generation::default() }, None)?;
        folder::write(&partial.join("tokenizer.json"), &tokenizer(Vocabulary::of(world)))?;
        folder::write(&partial.join("tokenizer_config.json"), &names(model))?;
        folder::write(&partial.join(WORLD), &described(world, documents))
    })
}

/// Whether `folder` tells a world.
pub fn is_grown(folder: &Path) -> bool {
    folder.join(WORLD).is_file()
}

/// The world that `world.json` of `folder` tells.
///
/// # Errors
/// A missing or damaged file, an unknown knob, a value out of its range, or a world that cannot be.
pub fn read(folder: &Path) -> Result<Told> {
    let path = folder.join(WORLD);
    let value = json::read(&path)?;
    let fields = Fields::new(&value, &path)?;
    let whole = |name| fields.need(name, fields.count(name)?);
    let seed = fields.get("seed").and_then(Value::as_u64).ok_or_else(|| fields.refuse("seed", "a whole number of at least 0"))?;
    let settings = MethodSettings {
        world: knobs(fields.get("world"), &path)?,
        terms: whole("terms")?,
        modulus: whole("modulus")?,
        leak: fields.need("leak", fields.number("leak")?)?,
    };
    let world = MethodWorld::new(&settings, Seed(seed)).map_err(|e| Error::damaged(&path, e.to_string()))?;
    Ok(Told { world, documents: whole("documents")? })
}

/// Knobs of the world by name; those that are not named have their defaults.
fn knobs(named: Option<&Value>, path: &Path) -> Result<Settings> {
    let mut config = Config::DEFAULT;
    let named =
        named.and_then(Value::as_object).ok_or_else(|| Error::damaged(path, "field world is missing; allowed: an object of knobs"))?;
    for (name, value) in named {
        let knob = Knob::find(name).filter(|k| k.section == "world");
        let knob = knob.ok_or_else(|| Error::damaged(path, format!("field world.{name} is no knob of a world")))?;
        knob.set(&mut config, &setting(value)).map_err(|e| Error::damaged(path, format!("field world.{e}")))?;
    }
    Ok(config.world)
}

fn setting(value: &Value) -> Setting {
    match value {
        Value::Bool(flag) => Setting::Flag(*flag),
        Value::String(text) => Setting::Text(text.clone()),
        other => other.as_f64().map_or_else(|| Setting::Text(other.to_string()), Setting::Number),
    }
}

fn described(world: &MethodWorld, documents: usize) -> Value {
    let config = Config { world: world.settings.world.clone(), ..Config::DEFAULT };
    let value = |setting| match setting {
        Setting::Number(x) => json!(x),
        Setting::Flag(flag) => json!(flag),
        Setting::Text(text) => json!(text),
    };
    let knobs = KNOBS.iter().filter(|k| k.section == "world").map(|k| (k.name.to_string(), value((k.get)(&config))));
    let MethodSettings { terms, modulus, leak, .. } = world.settings;
    let knobs: Map<String, Value> = knobs.collect();
    json!({"seed": world.seed.0, "terms": terms, "modulus": modulus, "leak": leak, "documents": documents, "world": knobs})
}

/// A tokenizer of whole words between blanks.
fn tokenizer(vocabulary: Vocabulary) -> Value {
    let words = vocabulary.words();
    let special = words.iter().enumerate().take(EOS as usize + 1).map(|(id, word)| {
        json!({"id": id, "content": word, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true})
    });
    let vocab: Map<String, Value> = words.iter().enumerate().map(|(id, word)| (word.clone(), id.into())).collect();
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": special.collect::<Vec<_>>(), "normalizer": null,
        "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "<unk>"},
    })
}

fn names(model: &Model) -> Value {
    json!({
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<bos>", "eos_token": "<eos>",
        "model_max_length": model.architecture.max_position_embeddings,
    })
}

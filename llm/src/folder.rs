//! Hugging Face model folders: `config.json`, `model.safetensors` or its shards, `generation_config.json`.
//!
//! Loading reads one shard at a time and converts as it goes. Saving is atomic (see [`atomic`]) and gives the same bytes for the same model.

use crate::architecture::{Architecture, Parameter};
use crate::atomic;
use crate::error::{Error, Result};
use crate::json::{self, Fields};
use crate::model::Model;
use crate::weights::Weights;
use candle_core::safetensors::Load;
use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// Weights of a folder that is not sharded.
pub const WHOLE: &str = "model.safetensors";
/// Which shard holds which tensor.
pub const INDEX: &str = "model.safetensors.index.json";
/// Largest shard that is written, in bytes, unless one tensor alone is larger: transformers' default.
pub const SHARD_BYTES: usize = 5_000_000_000;
/// Files that are not ours to change: a trained model takes them along.
#[rustfmt::skip]
const COMPANIONS: [&str; 8] = [
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja", "vocab.json", "merges.txt",
    "world.json",
];

/// The model in `folder`, its numbers converted to `dtype`.
///
/// # Errors
/// A missing file or shard, a damaged one, a tensor that is missing, misshapen, of a type that is no floating point number, or inside the decoder without
/// being one of its parameters. Rotary tables, a second copy of a tied head and tensors outside the decoder are passed over.
pub fn load(folder: &Path, dtype: DType, device: &Device) -> Result<Model> {
    atomic::settle(folder)?;
    let architecture = Architecture::read(&folder.join("config.json"))?;
    let (source, shards) = shards(folder)?;
    let wanted = Wanted { parameters: architecture.parameters(), config: "config.json", passed_over };
    let weights = wanted.read(&source, &shards, dtype, device)?;
    Ok(Model { architecture, weights })
}

/// The file that says where tensors are, and the files they are in.
fn shards(folder: &Path) -> Result<(PathBuf, Vec<PathBuf>)> {
    let (whole, index) = (folder.join(WHOLE), folder.join(INDEX));
    if whole.exists() {
        return Ok((whole.clone(), vec![whole]));
    }
    if !index.exists() {
        return Err(Error::damaged(folder, format!("neither {WHOLE} nor {INDEX} is there; other formats are not read")));
    }
    let value = json::read(&index)?;
    let fields = Fields::new(&value, &index)?;
    let map = fields.need("weight_map", fields.object("weight_map")?)?;
    let mut names = map.iter().map(|(tensor, _)| map.need(tensor, map.text(tensor)?)).collect::<Result<Vec<_>>>()?;
    names.sort_unstable();
    names.dedup();
    names.iter().map(|name| shard(folder, &index, name)).collect::<Result<Vec<_>>>().map(|shards| (index.clone(), shards))
}

fn shard(folder: &Path, index: &Path, name: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    if path.is_file() { Ok(path) } else { Err(Error::damaged(index, format!("names the shard {name}, which is not in the folder"))) }
}

/// What a folder's files must hold.
pub(crate) struct Wanted {
    /// All of them, in order.
    pub parameters: Vec<Parameter>,
    /// The file that says so.
    pub config: &'static str,
    /// Names of other tensors that may be there.
    pub passed_over: fn(&str) -> bool,
}

impl Wanted {
    /// The parameters, from `shards`; `source` is to blame when one is missing.
    pub fn read(self, source: &Path, shards: &[PathBuf], dtype: DType, device: &Device) -> Result<Weights> {
        let mut found = HashMap::new();
        for shard in shards {
            self.gather(shard, dtype, device, &mut found)?;
        }
        let mut take = |p: Parameter| {
            let tensor = found.remove(&p.name).ok_or_else(|| Error::damaged(source, format!("tensor {} is missing", p.name)))?;
            Ok((p.name, tensor))
        };
        Weights::of(self.parameters.into_iter().map(&mut take).collect::<Result<_>>()?)
    }

    /// Puts the parameters that lie in one shard into `found`.
    fn gather(&self, path: &Path, dtype: DType, device: &Device, found: &mut HashMap<String, Tensor>) -> Result<()> {
        let bytes = std::fs::read(path).map_err(Error::file(path, "cannot be read"))?;
        let whole = SafeTensors::deserialize(&bytes).map_err(|e| Error::damaged(path, format!("not a whole safetensors file: {e}")))?;
        let shapes: HashMap<&str, &[usize]> = self.parameters.iter().map(|p| (p.name.as_str(), &p.shape[..])).collect();
        let mut tensors = whole.tensors();
        tensors.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        for (name, view) in tensors {
            match shapes.get(name.as_str()) {
                Some(shape) => {
                    self.fits(path, &name, &view, shape)?;
                    found.insert(name, view.load(device)?.to_dtype(dtype)?);
                }
                None if (self.passed_over)(&name) => {}
                None => return Err(Error::damaged(path, format!("tensor {name} is none of those that {} asks for", self.config))),
            }
        }
        Ok(())
    }

    fn fits(&self, path: &Path, name: &str, view: &TensorView, shape: &[usize]) -> Result<()> {
        if ![Dtype::F64, Dtype::F32, Dtype::BF16, Dtype::F16].contains(&view.dtype()) {
            return Err(Error::damaged(path, format!("tensor {name} has dtype {:?}; allowed: F64, F32, BF16, F16", view.dtype())));
        }
        if view.shape() != shape {
            return Err(Error::damaged(path, format!("tensor {name} has shape {:?}; {} asks for {shape:?}", view.shape(), self.config)));
        }
        Ok(())
    }
}

/// Tensors that change nothing: outside the decoder, or tables that are computed anew.
fn passed_over(name: &str) -> bool {
    !name.starts_with("model.") || name.ends_with("rotary_emb.inv_freq")
}

/// Puts a folder at `folder` with `model` and how to sample from it, and with the tokenizer's files of the folder `from` it came from, if any.
/// What stood at `folder` is gone. `model`'s adapter is not saved: merge it first, or save it by itself, see [`crate::lora`].
///
/// # Errors
/// When the disk refuses.
pub fn save(folder: &Path, model: &Model, generation: &Generation, from: Option<&Path>) -> Result<()> {
    save_in_shards(folder, model, generation, from, SHARD_BYTES)
}

/// [`save`], with shards of at most `limit` bytes.
///
/// # Errors
/// When the disk refuses.
pub fn save_in_shards(folder: &Path, model: &Model, generation: &Generation, from: Option<&Path>, limit: usize) -> Result<()> {
    atomic::folder(folder, |partial| {
        if let Some(from) = from {
            companions(from, partial)?;
        }
        write(&partial.join("config.json"), &model.architecture.config(model.weights.dtype()))?;
        write(&partial.join("generation_config.json"), &generation.config())?;
        weights(partial, &model.weights, limit)
    })
}

fn companions(from: &Path, to: &Path) -> Result<()> {
    for path in COMPANIONS.map(|name| from.join(name)).iter().filter(|p| p.is_file()) {
        std::fs::copy(path, to.join(path.file_name().expect("a companion has a name"))).map_err(Error::file(path, "cannot be copied"))?;
    }
    Ok(())
}

fn weights(folder: &Path, weights: &Weights, limit: usize) -> Result<()> {
    let tensors: Vec<(&str, &Tensor)> = weights.iter().map(|(name, var)| (name, var.as_tensor())).collect();
    let shards = split(&tensors, limit);
    if let [all] = &shards[..] {
        return tensors_to(&folder.join(WHOLE), all);
    }
    let mut map = BTreeMap::new();
    for (i, shard) in shards.iter().enumerate() {
        let name = format!("model-{:05}-of-{:05}.safetensors", i + 1, shards.len());
        tensors_to(&folder.join(&name), shard)?;
        map.extend(shard.iter().map(|(tensor, _)| (tensor.to_string(), name.clone())));
    }
    let total: usize = tensors.iter().map(|(_, t)| bytes(t)).sum();
    write(&folder.join(INDEX), &json!({"metadata": {"total_size": total}, "weight_map": map}))
}

/// Tensors in order, cut where the next would exceed `limit` bytes.
fn split<'a>(tensors: &[(&'a str, &'a Tensor)], limit: usize) -> Vec<Vec<(&'a str, &'a Tensor)>> {
    let mut shards: Vec<Vec<_>> = vec![Vec::new()];
    let mut filled = 0;
    for &(name, tensor) in tensors {
        if filled > 0 && filled + bytes(tensor) > limit {
            shards.push(Vec::new());
            filled = 0;
        }
        filled += bytes(tensor);
        shards.last_mut().expect("there is a shard").push((name, tensor));
    }
    shards
}

fn bytes(tensor: &Tensor) -> usize {
    tensor.elem_count() * tensor.dtype().size_in_bytes()
}

/// Writes a safetensors file as PyTorch's libraries expect it. Not atomic: meant for a folder that is.
pub(crate) fn tensors_to(path: &Path, tensors: &[(&str, &Tensor)]) -> Result<()> {
    let about = HashMap::from([("format".to_string(), "pt".to_string())]);
    safetensors::serialize_to_file(tensors.iter().copied(), Some(about), path)
        .map_err(|e| Error::file(path, "cannot be written")(std::io::Error::other(e)))
}

/// Writes a JSON file, two spaces deep. Not atomic: meant for a folder that is.
pub(crate) fn write(path: &Path, value: &Value) -> Result<()> {
    std::fs::write(path, format!("{value:#}\n")).map_err(Error::file(path, "cannot be written"))
}

/// How a folder asks to be sampled from: the defaults of `generation_config.json`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Generation {
    /// Tokens that end a response.
    pub eos: Vec<u32>,
    /// The token that fills batches, if named.
    pub pad: Option<u32>,
    /// Temperature, if named.
    pub temperature: Option<f64>,
    /// Mass of the most likely tokens that may be drawn, if named.
    pub top_p: Option<f64>,
}

impl Generation {
    /// What `generation_config.json` of `folder` says, and `config.json` where it is silent on the tokens.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, or holds a value out of its range.
    pub fn read(folder: &Path) -> Result<Self> {
        let own = folder.join("generation_config.json");
        let stated = if own.is_file() { Generation::parse(&own)? } else { Generation::default() };
        let fallback = Generation::parse(&folder.join("config.json"))?;
        let eos = if stated.eos.is_empty() { fallback.eos } else { stated.eos };
        Ok(Generation { eos, pad: stated.pad.or(fallback.pad), temperature: stated.temperature, top_p: stated.top_p })
    }

    fn parse(path: &Path) -> Result<Self> {
        let value = json::read(path)?;
        let fields = Fields::new(&value, path)?;
        let top_p = fields.positive("top_p")?;
        if top_p.is_some_and(|p| p > 1.0) {
            return Err(fields.refuse("top_p", "a number above 0 and at most 1"));
        }
        let pad = fields.tokens("pad_token_id")?.and_then(|pads| pads.first().copied());
        Ok(Generation { eos: fields.tokens("eos_token_id")?.unwrap_or_default(), pad, temperature: fields.number("temperature")?, top_p })
    }

    fn config(&self) -> Value {
        let mut config = json!({"do_sample": self.temperature != Some(0.0), "eos_token_id": self.eos});
        let settings = [("pad_token_id", self.pad.map(Value::from)), ("temperature", self.temperature.map(Value::from))];
        for (name, value) in settings.into_iter().chain([("top_p", self.top_p.map(Value::from))]) {
            value.into_iter().for_each(|value| config[name] = value);
        }
        config
    }
}

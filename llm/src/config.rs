//! Hugging Face's `config.json`, read and written.
//!
//! Absent keys take the defaults of transformers 5; the rotary settings are read under their older names (`rope_theta`, `rope_scaling`) and their newer one
//! (`rope_parameters`), and written under both. What this crate cannot compute is refused: other families, other rotary types, sliding windows in use,
//! biases in the MLP, quantised weights.

use crate::architecture::{Architecture, Family, RopeScaling};
use crate::error::{Error, Result};
use crate::json::{self, Fields};
use candle_core::DType;
use serde_json::{Value, json};
use std::path::Path;

/// Base of the rotary frequencies where a file names none.
const ROPE_THETA: f64 = 10_000.0;

/// What a family's files call it, and its defaults for absent keys.
struct Convention {
    family: Family,
    model_type: &'static str,
    class: &'static str,
    /// Key heads; none is as many as query heads.
    key_heads: Option<usize>,
    /// Width of a head; none is the model's width over the query heads.
    head_dim: Option<usize>,
    longest: usize,
}

#[rustfmt::skip]
const CONVENTIONS: [Convention; 3] = [
    Convention { family: Family::Qwen2, model_type: "qwen2", class: "Qwen2ForCausalLM", key_heads: Some(32), head_dim: None, longest: 32_768 },
    Convention { family: Family::Qwen3, model_type: "qwen3", class: "Qwen3ForCausalLM", key_heads: Some(32), head_dim: Some(128), longest: 32_768 },
    Convention { family: Family::Llama, model_type: "llama", class: "LlamaForCausalLM", key_heads: None, head_dim: None, longest: 2048 },
];

impl Architecture {
    /// The architecture that the `config.json` at `path` describes.
    ///
    /// # Errors
    /// When it cannot be read or is refused: see [`Architecture::parse`].
    pub fn read(path: &Path) -> Result<Self> {
        Architecture::parse(&std::fs::read_to_string(path).map_err(Error::file(path, "cannot be read"))?, path)
    }

    /// The architecture that `text`, the contents of the `config.json` at `path`, describes.
    ///
    /// # Errors
    /// A field that is missing, of the wrong type, out of range, or asks for what this crate cannot compute: the error names the file, the field, its value
    /// and what is allowed.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let value = json::parse(text, path)?;
        let fields = Fields::new(&value, path)?;
        let convention = convention(&fields)?;
        refuse(&fields)?;
        let architecture = sized(&fields, convention)?;
        divides(&fields, &architecture)?;
        Ok(architecture)
    }

    /// A `config.json` from which transformers 4 and 5, and [`Architecture::parse`], read this architecture, with weights of `dtype`.
    pub fn config(&self, dtype: DType) -> Value {
        let convention = CONVENTIONS.iter().find(|c| c.family == self.family).expect("every family has a convention");
        let mut config = json!({
            "architectures": [convention.class], "model_type": convention.model_type, "hidden_act": "silu", "dtype": name(dtype), "torch_dtype": name(dtype),
            "vocab_size": self.vocab_size, "hidden_size": self.hidden_size, "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.num_hidden_layers, "num_attention_heads": self.num_attention_heads,
            "num_key_value_heads": self.num_key_value_heads, "head_dim": self.head_dim, "rms_norm_eps": self.rms_norm_eps,
            "max_position_embeddings": self.max_position_embeddings, "tie_word_embeddings": self.tie_word_embeddings, "attention_dropout": 0.0,
            "rope_theta": self.rope_theta, "rope_scaling": self.rope_scaling.map(RopeScaling::config), "rope_parameters": self.rope(),
            "bos_token_id": null, "eos_token_id": null, "use_cache": true,
        });
        if self.family != Family::Qwen2 {
            config["attention_bias"] = self.attention_bias.into();
        }
        config
    }

    fn rope(&self) -> Value {
        let mut rope = self.rope_scaling.map_or(json!({"rope_type": "default"}), RopeScaling::config);
        rope["rope_theta"] = self.rope_theta.into();
        rope
    }
}

impl RopeScaling {
    fn config(self) -> Value {
        json!({
            "rope_type": "llama3", "factor": self.factor, "low_freq_factor": self.low_freq_factor, "high_freq_factor": self.high_freq_factor,
            "original_max_position_embeddings": self.original_max_position_embeddings,
        })
    }
}

/// PyTorch's name of a type of numbers.
fn name(dtype: DType) -> &'static str {
    match dtype {
        DType::BF16 => "bfloat16",
        DType::F64 => "float64",
        _ => "float32",
    }
}

fn convention(fields: &Fields) -> Result<&'static Convention> {
    let model_type = fields.need("model_type", fields.text("model_type")?)?;
    CONVENTIONS.iter().find(|c| c.model_type == model_type).ok_or_else(|| fields.refuse("model_type", "qwen2, qwen3, llama"))
}

/// Settings under which the decoder would compute something else.
fn refuse(fields: &Fields) -> Result<()> {
    if fields.text("hidden_act")?.is_some_and(|act| act != "silu") {
        return Err(fields.refuse("hidden_act", "\"silu\""));
    }
    if fields.flag("mlp_bias")? == Some(true) {
        return Err(fields.refuse("mlp_bias", "false"));
    }
    if fields.get("quantization_config").is_some() {
        return Err(fields.refuse("quantization_config", "none, as quantised weights cannot be trained"));
    }
    whole_heads(fields)?;
    windows(fields)
}

/// Every pair of dimensions of a head turns.
fn whole_heads(fields: &Fields) -> Result<()> {
    let part = fields.number("partial_rotary_factor")?;
    if part.is_some_and(|part| part != 1.0) { Err(fields.refuse("partial_rotary_factor", "1")) } else { Ok(()) }
}

/// Sliding windows are refused where a layer uses one: by its type, or by its number where types are absent.
fn windows(fields: &Fields) -> Result<()> {
    if let Some(types) = fields.texts("layer_types")? {
        let full = types.iter().all(|t| t == "full_attention");
        return if full { Ok(()) } else { Err(fields.refuse("layer_types", "\"full_attention\" everywhere")) };
    }
    let (layers, first) = (fields.count("num_hidden_layers")?, fields.get("max_window_layers").map_or(Some(28), Value::as_u64));
    let first = first.ok_or_else(|| fields.refuse("max_window_layers", "a whole number"))?;
    let reaches = layers.is_some_and(|layers| layers as u64 > first);
    if fields.flag("use_sliding_window")? == Some(true) && fields.get("sliding_window").is_some() && reaches {
        return Err(fields.refuse("use_sliding_window", "false, or max_window_layers of at least num_hidden_layers"));
    }
    Ok(())
}

fn sized(fields: &Fields, convention: &Convention) -> Result<Architecture> {
    let need = |name| fields.need(name, fields.count(name)?);
    let (hidden_size, num_attention_heads) = (need("hidden_size")?, need("num_attention_heads")?);
    let max_position_embeddings = fields.count("max_position_embeddings")?.unwrap_or(convention.longest);
    let (rope_theta, rope_scaling) = rope(fields, max_position_embeddings)?;
    let asked = fields.flag("attention_bias")?.unwrap_or(false);
    Ok(Architecture {
        family: convention.family,
        vocab_size: need("vocab_size")?,
        hidden_size,
        intermediate_size: need("intermediate_size")?,
        num_hidden_layers: need("num_hidden_layers")?,
        num_attention_heads,
        num_key_value_heads: key_heads(fields, convention)?.unwrap_or(num_attention_heads),
        head_dim: fields.count("head_dim")?.or(convention.head_dim).unwrap_or(hidden_size / num_attention_heads),
        rms_norm_eps: fields.number("rms_norm_eps")?.unwrap_or(1e-6),
        rope_theta,
        rope_scaling,
        attention_bias: convention.family == Family::Qwen2 || asked,
        qk_norm: convention.family == Family::Qwen3,
        tie_word_embeddings: fields.flag("tie_word_embeddings")?.unwrap_or(false),
        max_position_embeddings,
    })
}

/// Key heads: null is as many as query heads, absent is the family's default.
fn key_heads(fields: &Fields, convention: &Convention) -> Result<Option<usize>> {
    let absent = fields.iter().all(|(name, _)| name != "num_key_value_heads");
    if absent { Ok(convention.key_heads) } else { fields.count("num_key_value_heads") }
}

/// Base and scaling of the rotary frequencies.
fn rope(fields: &Fields, longest: usize) -> Result<(f64, Option<RopeScaling>)> {
    let outer = fields.positive("rope_theta")?.unwrap_or(ROPE_THETA);
    let inner = match fields.object("rope_scaling")? {
        Some(scaling) => Some(scaling),
        None => fields.object("rope_parameters")?,
    };
    let Some(inner) = inner else { return Ok((outer, None)) };
    whole_heads(&inner)?;
    let theta = inner.positive("rope_theta")?.unwrap_or(outer);
    let key = if inner.get("rope_type").is_some() { "rope_type" } else { "type" };
    match inner.text(key)? {
        Some("llama3") => Ok((theta, Some(scaling(fields, &inner, longest)?))),
        Some("default") => Ok((theta, None)),
        None if inner.iter().all(|(_, value)| !value.is_object()) => Ok((theta, None)),
        _ => Err(inner.refuse(key, "\"default\", \"llama3\"")),
    }
}

fn scaling(fields: &Fields, inner: &Fields, longest: usize) -> Result<RopeScaling> {
    let need = |name| inner.need(name, inner.positive(name)?);
    let original = match fields.count("original_max_position_embeddings")? {
        Some(original) => Some(original),
        None => inner.count("original_max_position_embeddings")?,
    };
    let (low_freq_factor, high_freq_factor) = (need("low_freq_factor")?, need("high_freq_factor")?);
    if high_freq_factor <= low_freq_factor {
        return Err(inner.refuse("high_freq_factor", &format!("more than low_freq_factor, {low_freq_factor}")));
    }
    let original_max_position_embeddings = original.unwrap_or(longest);
    Ok(RopeScaling { factor: need("factor")?, low_freq_factor, high_freq_factor, original_max_position_embeddings })
}

fn divides(fields: &Fields, a: &Architecture) -> Result<()> {
    let given = fields.get("head_dim").is_some() || a.family == Family::Qwen3;
    if !given && a.hidden_size % a.num_attention_heads != 0 {
        return Err(fields.refuse("num_attention_heads", &format!("a divisor of hidden_size, {}", a.hidden_size)));
    }
    if a.num_attention_heads % a.num_key_value_heads != 0 {
        let allowed = format!("a divisor of num_attention_heads, {}", a.num_attention_heads);
        return Err(Error::damaged(fields.path, format!("num_key_value_heads is {}; allowed: {allowed}", a.num_key_value_heads)));
    }
    if a.head_dim % 2 != 0 {
        return Err(Error::damaged(fields.path, format!("head_dim is {}; allowed: an even number", a.head_dim)));
    }
    Ok(())
}

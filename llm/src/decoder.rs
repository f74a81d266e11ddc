//! The decoder, once, in candle's own operations: for every device and dtype, with gradients for every parameter.
//!
//! ```text
//! x = embed(tokens)
//! x += attention(norm(x)) ; x += down(silu(gate(norm(x))) * up(norm(x)))      per block
//! logits = head(norm(x))
//! ```
//! Scoring and sampling run the same blocks: [`Decoder::hidden`] takes the tokens that are new and a [`Cache`] of the keys and values before them.
//!
//! Only operations whose gradient candle carries are used: its `softmax_last_dim`, `rms_norm` and `rope` return values without one.

use crate::architecture::Architecture;
use crate::error::Result;
use crate::weights::Weights;
use candle_core::{D, DType, IndexOp, Tensor};

/// A model's shape and numbers, ready to run.
#[derive(Clone, Copy)]
pub struct Decoder<'m> {
    /// Its shape.
    pub architecture: &'m Architecture,
    /// Its numbers.
    pub weights: &'m Weights,
}

/// Keys and values of the tokens so far, per block `[batch, key heads, tokens, head width]`.
#[derive(Clone, Default)]
pub struct Cache {
    blocks: Vec<(Tensor, Tensor)>,
}

impl Cache {
    /// Tokens held.
    pub fn length(&self) -> usize {
        self.blocks.first().map_or(0, |(keys, _)| keys.dims()[2])
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let size = |t: &Tensor| t.elem_count() * t.dtype().size_in_bytes();
        self.blocks.iter().map(|(keys, values)| size(keys) + size(values)).sum()
    }
}

/// Where each query may look: angles of its position and the mask of its keys.
struct Frame {
    cos: Tensor,
    sin: Tensor,
    mask: Tensor,
}

impl Decoder<'_> {
    /// The last block's output after the final norm, `[batch, new tokens, width]`, of `tokens` `[batch, new tokens]` that follow those in `cache`.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn hidden(&self, tokens: &Tensor, mut cache: Option<&mut Cache>) -> Result<Tensor> {
        let (batch, new) = tokens.dims2()?;
        let past = cache.as_ref().map_or(0, |c| c.length());
        let frame = self.frame(past, new)?;
        let embedding = self.weights.get("model.embed_tokens.weight");
        let mut x = embedding.index_select(&tokens.flatten_all()?, 0)?.reshape((batch, new, self.architecture.hidden_size))?;
        for layer in 0..self.architecture.num_hidden_layers {
            x = self.block(layer, &x, &frame, cache.as_deref_mut())?;
        }
        self.norm("model.norm.weight", &x)
    }

    /// Logits `[.., vocabulary]` of hidden states `[.., width]`, in f32.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        let head = if self.architecture.tie_word_embeddings { "model.embed_tokens" } else { "lm_head" };
        Ok(self.linear(head, hidden)?.to_dtype(wide(hidden))?)
    }

    fn block(&self, layer: usize, x: &Tensor, frame: &Frame, cache: Option<&mut Cache>) -> Result<Tensor> {
        let name = |part: &str| format!("model.layers.{layer}.{part}");
        let attended = self.attention(layer, &self.norm(&name("input_layernorm.weight"), x)?, frame, cache)?;
        let x = (x + attended)?;
        let inside = self.norm(&name("post_attention_layernorm.weight"), &x)?;
        let gate = self.linear(&name("mlp.gate_proj"), &inside)?.silu()?;
        let gated = (gate * self.linear(&name("mlp.up_proj"), &inside)?)?;
        Ok((x + self.linear(&name("mlp.down_proj"), &gated)?)?)
    }

    fn attention(&self, layer: usize, x: &Tensor, frame: &Frame, cache: Option<&mut Cache>) -> Result<Tensor> {
        let (batch, new, _) = x.dims3()?;
        let shape = self.architecture;
        let name = |part: &str| format!("model.layers.{layer}.self_attn.{part}");
        let heads = |part: &str, count: usize| -> Result<Tensor> {
            let split = self.linear(&name(part), x)?.reshape((batch, new, count, shape.head_dim))?;
            Ok(split.transpose(1, 2)?.contiguous()?)
        };
        let queries = self.turn(&name("q_norm.weight"), &heads("q_proj", shape.num_attention_heads)?, frame)?;
        let keys = self.turn(&name("k_norm.weight"), &heads("k_proj", shape.num_key_value_heads)?, frame)?;
        let (keys, values) = extend(cache, layer, keys, heads("v_proj", shape.num_key_value_heads)?)?;
        let repeat = shape.num_attention_heads / shape.num_key_value_heads;
        let (keys, values) = (repeated(&keys, repeat)?, repeated(&values, repeat)?);
        let scores = (queries.matmul(&keys.transpose(2, 3)?.contiguous()?)? / (shape.head_dim as f64).sqrt())?;
        let chances = softmax(&scores.to_dtype(wide(x))?.broadcast_add(&frame.mask)?)?.to_dtype(x.dtype())?;
        let mixed = chances.matmul(&values)?.transpose(1, 2)?.reshape((batch, new, shape.query_width()))?;
        self.linear(&name("o_proj"), &mixed)
    }

    /// Queries or keys, normalised where the family does so, and turned to their positions.
    fn turn(&self, norm: &str, x: &Tensor, frame: &Frame) -> Result<Tensor> {
        let x = if self.architecture.qk_norm { self.norm(norm, x)? } else { x.clone() };
        let half = self.architecture.head_dim / 2;
        let (left, right) = (x.i((.., .., .., ..half))?, x.i((.., .., .., half..))?);
        let swapped = Tensor::cat(&[&right.neg()?, &left], D::Minus1)?;
        Ok((x.broadcast_mul(&frame.cos)? + swapped.broadcast_mul(&frame.sin)?)?)
    }

    /// `x / sqrt(mean(x^2) + eps) * weight`, in f32 at least.
    fn norm(&self, weight: &str, x: &Tensor) -> Result<Tensor> {
        let wide = x.to_dtype(wide(x))?;
        let scale = (wide.sqr()?.mean_keepdim(D::Minus1)? + self.architecture.rms_norm_eps)?.sqrt()?;
        Ok(wide.broadcast_div(&scale)?.to_dtype(x.dtype())?.broadcast_mul(self.weights.get(weight))?)
    }

    /// `x W^T + b`, and what the adapter adds.
    fn linear(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let weight = self.weights.get(&format!("{name}.weight"));
        let rows: usize = x.dims()[..x.rank() - 1].iter().product();
        let flat = x.reshape((rows, x.dim(D::Minus1)?))?;
        let flat = match self.weights.adapter() {
            Some(adapter) => adapter.linear(name, &flat, weight)?,
            None => flat.matmul(&weight.t()?)?,
        };
        let flat = match self.weights.find(&format!("{name}.bias")) {
            Some(bias) => flat.broadcast_add(bias)?,
            None => flat,
        };
        let mut shape = x.dims().to_vec();
        *shape.last_mut().expect("activations have dimensions") = weight.dims()[0];
        Ok(flat.reshape(shape)?)
    }

    /// Angles of positions `past..past + new`, and minus infinity where a key comes after the query.
    fn frame(&self, past: usize, new: usize) -> Result<Frame> {
        let (device, dtype) = (self.weights.device(), self.weights.dtype());
        let frequencies = self.architecture.rope_frequencies();
        let angles: Vec<f64> = (past..past + new).flat_map(|p| frequencies.iter().chain(&frequencies).map(move |f| p as f64 * f)).collect();
        let table = |f: fn(f64) -> f64| -> Result<Tensor> {
            let values: Vec<f64> = angles.iter().map(|a| f(*a)).collect();
            Ok(Tensor::from_vec(values, (new, self.architecture.head_dim), device)?.to_dtype(dtype)?)
        };
        let mask: Vec<f32> =
            (0..new).flat_map(|q| (0..past + new).map(move |k| if k > past + q { f32::NEG_INFINITY } else { 0.0 })).collect();
        let widest = if dtype == DType::F64 { DType::F64 } else { DType::F32 };
        let mask = Tensor::from_vec(mask, (new, past + new), device)?.to_dtype(widest)?;
        Ok(Frame { cos: table(f64::cos)?, sin: table(f64::sin)?, mask })
    }
}

/// f32, or f64 where the numbers are f64.
fn wide(x: &Tensor) -> DType {
    if x.dtype() == DType::F64 { DType::F64 } else { DType::F32 }
}

/// Keys and values with those of the cache before them.
fn extend(cache: Option<&mut Cache>, layer: usize, keys: Tensor, values: Tensor) -> Result<(Tensor, Tensor)> {
    let Some(cache) = cache else { return Ok((keys, values)) };
    if let Some((old_keys, old_values)) = cache.blocks.get_mut(layer) {
        *old_keys = Tensor::cat(&[&*old_keys, &keys], 2)?.detach();
        *old_values = Tensor::cat(&[&*old_values, &values], 2)?.detach();
    } else {
        cache.blocks.push((keys.detach(), values.detach()));
    }
    Ok(cache.blocks[layer].clone())
}

/// Every key head `times` over, next to each other: grouped queries.
fn repeated(x: &Tensor, times: usize) -> Result<Tensor> {
    let (batch, heads, tokens, width) = x.dims4()?;
    let wide = x.unsqueeze(2)?.expand((batch, heads, times, tokens, width))?;
    Ok(wide.reshape((batch, heads * times, tokens, width))?)
}

/// Softmax over the last dimension; the maximum is a constant to the gradient.
fn softmax(x: &Tensor) -> Result<Tensor> {
    let top = x.max_keepdim(D::Minus1)?.detach();
    let raised = x.broadcast_sub(&top)?.exp()?;
    Ok(raised.broadcast_div(&raised.sum_keepdim(D::Minus1)?)?)
}

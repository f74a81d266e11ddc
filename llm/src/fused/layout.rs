//! Where each parameter lies in the flat vector of all of them.

use crate::architecture::Architecture;
use std::collections::HashMap;
use std::ops::Range;

/// Places of one block's parameters; queries, keys and values are one matrix, and so are gate and up.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub attention_norm: Range<usize>,
    pub qkv: Range<usize>,
    pub qkv_bias: Option<Range<usize>>,
    pub q_norm: Option<Range<usize>>,
    pub k_norm: Option<Range<usize>>,
    pub out: Range<usize>,
    pub mlp_norm: Range<usize>,
    pub gate_up: Range<usize>,
    pub down: Range<usize>,
}

/// Sizes and places.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub vocab: usize,
    pub width: usize,
    pub inside: usize,
    pub heads: usize,
    pub key_heads: usize,
    pub head: usize,
    pub floor: f32,
    pub embedding: Range<usize>,
    pub blocks: Vec<Block>,
    pub norm: Range<usize>,
    pub unembedding: Range<usize>,
    pub size: usize,
    frequencies: Vec<f64>,
}

impl Layout {
    pub fn new(shape: &Architecture) -> Self {
        let places = Places::new(shape);
        let embedding = places.get("model.embed_tokens.weight");
        let unembedding = if shape.tie_word_embeddings { embedding.clone() } else { places.get("lm_head.weight") };
        Layout {
            vocab: shape.vocab_size,
            width: shape.hidden_size,
            inside: shape.intermediate_size,
            heads: shape.num_attention_heads,
            key_heads: shape.num_key_value_heads,
            head: shape.head_dim,
            floor: shape.rms_norm_eps as f32,
            blocks: (0..shape.num_hidden_layers).map(|layer| places.block(layer)).collect(),
            norm: places.get("model.norm.weight"),
            size: shape.size(),
            frequencies: shape.rope_frequencies(),
            embedding,
            unembedding,
        }
    }

    /// Width of all query heads together.
    pub fn queries(&self) -> usize {
        self.heads * self.head
    }

    /// Width of all key heads together.
    pub fn keys(&self) -> usize {
        self.key_heads * self.head
    }

    /// Width of queries, keys and values together.
    pub fn qkv(&self) -> usize {
        self.queries() + 2 * self.keys()
    }

    /// Query heads that share a key head.
    pub fn shared(&self) -> usize {
        self.heads / self.key_heads
    }

    /// Factor of the attention scores.
    pub fn attention_scale(&self) -> f32 {
        (1.0 / (self.head as f64).sqrt()) as f32
    }

    /// Cosines, then sines, of all angles at each of the first `positions` positions: `[positions, head]`.
    pub fn turns(&self, positions: usize) -> Vec<f32> {
        let angles = move |p: usize| self.frequencies.iter().map(move |f| p as f64 * f);
        (0..positions).flat_map(|p| angles(p).map(f64::cos).chain(angles(p).map(f64::sin))).map(|x| x as f32).collect()
    }

    /// Every matrix that multiplies activations: place, outputs, inputs.
    pub fn matrices(&self) -> Vec<(Range<usize>, usize, usize)> {
        let (d, f, q) = (self.width, self.inside, self.queries());
        let of_block =
            |b: &Block| [(b.qkv.clone(), self.qkv(), d), (b.out.clone(), d, q), (b.gate_up.clone(), 2 * f, d), (b.down.clone(), d, f)];
        let head = (self.unembedding.clone(), self.vocab, d);
        self.blocks.iter().flat_map(of_block).chain([head]).collect()
    }
}

/// Where each parameter lies, by name.
struct Places(HashMap<String, Range<usize>>);

impl Places {
    fn new(shape: &Architecture) -> Self {
        let mut end = 0;
        let place = |p: crate::architecture::Parameter| {
            let start = end;
            end += p.shape.iter().product::<usize>();
            (p.name, start..end)
        };
        Places(shape.parameters().into_iter().map(place).collect())
    }

    fn get(&self, name: &str) -> Range<usize> {
        self.0[name].clone()
    }

    fn find(&self, name: &str) -> Option<Range<usize>> {
        self.0.get(name).cloned()
    }

    fn block(&self, layer: usize) -> Block {
        let name = |part: &str| format!("model.layers.{layer}.{part}.weight");
        let get = |part: &str| self.get(&name(part));
        let bias = |part: &str| self.find(&format!("model.layers.{layer}.self_attn.{part}.bias"));
        Block {
            attention_norm: get("input_layernorm"),
            qkv: joined(&[get("self_attn.q_proj"), get("self_attn.k_proj"), get("self_attn.v_proj")]),
            qkv_bias: bias("q_proj").zip(bias("k_proj")).zip(bias("v_proj")).map(|((q, k), v)| joined(&[q, k, v])),
            q_norm: self.find(&name("self_attn.q_norm")),
            k_norm: self.find(&name("self_attn.k_norm")),
            out: get("self_attn.o_proj"),
            mlp_norm: get("post_attention_layernorm"),
            gate_up: joined(&[get("mlp.gate_proj"), get("mlp.up_proj")]),
            down: get("mlp.down_proj"),
        }
    }
}

/// Neighbours as one.
fn joined<const N: usize>(parts: &[Range<usize>; N]) -> Range<usize> {
    assert!(parts.windows(2).all(|w| w[0].end == w[1].start), "parameters that form one matrix are neighbours");
    parts[0].start..parts[N - 1].end
}

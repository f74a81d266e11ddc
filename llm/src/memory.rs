//! How much memory training takes, from shapes alone: what a dry run says before anything is loaded.
//!
//! ```text
//! parameters   size x bytes                                   and once more where a reference is kept
//! gradients    trained x bytes
//! moments      2 x trained x bytes                            AdamW's
//! activations  what the composite form keeps for its backward pass, of the sequences differentiated at once
//! constants    gradients of what has none, which candle computes and keeps until the backward pass ends
//! cache        2 x blocks x sequences x tokens x key width x bytes    while sampling
//! ```
//! Sampling and training take turns, so the peak is parameters, reference and moments, plus the larger of the cache and the rest. Not counted: buffers of
//! single operations, the file being loaded, the allocator's slack.

use crate::architecture::Architecture;
use crate::lora::Lora;
use candle_core::DType;

/// What a run trains, and how much of it at once.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Type of the model's numbers.
    pub dtype: DType,
    /// The adapter that is trained, or none for all parameters.
    pub lora: Option<Lora>,
    /// Whether a frozen copy of the model is kept, as the reference of a KL penalty.
    pub reference: bool,
    /// Sequences sampled at once: prompts of a step times the group.
    pub sampled: usize,
    /// Sequences differentiated at once: of a micro-batch.
    pub differentiated: usize,
    /// Tokens of a sequence, prompt and response together.
    pub tokens: usize,
    /// Tokens of its response.
    pub response: usize,
}

/// Memory by use, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// The model, with its adapter if any.
    pub parameters: usize,
    /// The frozen copy.
    pub reference: usize,
    /// One number for each that is trained.
    pub gradients: usize,
    /// Two numbers for each that is trained.
    pub moments: usize,
    /// What the backward pass of the composite form needs of the forward pass.
    pub activations: usize,
    /// Gradients of angles, masks and maxima in the composite form.
    pub constants: usize,
    /// Keys and values of all sequences that are sampled.
    pub cache: usize,
}

impl Footprint {
    /// Memory of training `architecture` as planned.
    pub fn of(architecture: &Architecture, plan: &Plan) -> Self {
        let (own, wide) = (plan.dtype.size_in_bytes(), plan.dtype.size_in_bytes().max(DType::F32.size_in_bytes()));
        let model = architecture.size() * own;
        let adapter = plan.lora.as_ref().map(|lora| lora.size(architecture) * wide);
        let trained = adapter.unwrap_or(model);
        let kept = Kept { architecture, lora: plan.lora.as_ref(), own, wide };
        Footprint {
            parameters: model + adapter.unwrap_or(0),
            reference: if plan.reference { model + adapter.unwrap_or(0) } else { 0 },
            gradients: trained,
            moments: 2 * trained,
            activations: kept.bytes(plan),
            constants: kept.constants(plan),
            cache: 2 * architecture.num_hidden_layers * plan.sampled * plan.tokens * architecture.key_width() * own,
        }
    }

    /// Most that is held at one time: sampling fills the cache, training the gradients and activations.
    pub fn peak(&self) -> usize {
        self.parameters + self.reference + self.moments + self.cache.max(self.gradients + self.activations + self.constants)
    }
}

/// Single numbers kept for each scored token: maximum, sum and logarithm of the softmax, and the three scores on their way.
const COLUMNS: usize = 13;

/// Tensors that the composite form keeps, operation by operation: see [`decoder`](crate::decoder) and [`score`](crate::score).
struct Kept<'a> {
    architecture: &'a Architecture,
    lora: Option<&'a Lora>,
    /// Bytes of a number of the model.
    own: usize,
    /// Bytes of a number where f32 is the least.
    wide: usize,
}

impl Kept<'_> {
    fn bytes(&self, plan: &Plan) -> usize {
        let a = self.architecture;
        let rows = plan.differentiated * plan.tokens;
        let pairs = rows * plan.tokens * a.num_attention_heads;
        let sums = rows * a.num_attention_heads * self.wide;
        let block = rows * (self.attention() + self.mlp()) + pairs * self.softmax() + sums;
        let ends = rows * (self.own * a.hidden_size + self.norm(1, a.hidden_size));
        let scores = plan.differentiated * plan.response * (self.own * a.hidden_size + self.head() * a.vocab_size + COLUMNS * self.wide);
        a.num_hidden_layers * block + ends + scores
    }

    /// Gradients of the cosines and sines that queries and keys are multiplied by, and of each pair's mask and maximum.
    fn constants(&self, plan: &Plan) -> usize {
        let a = self.architecture;
        let angles = 2 * self.own * (a.query_width() + a.key_width());
        let pairs = 2 * self.wide * plan.tokens * a.num_attention_heads;
        a.num_hidden_layers * plan.differentiated * plan.tokens * (angles + pairs)
    }

    fn halved(&self) -> bool {
        self.own < self.wide
    }

    /// `groups` norms of `width` numbers in all: square, quotient, product; sum, mean, shift and root of each; in half precision conversions to and fro.
    fn norm(&self, groups: usize, width: usize) -> usize {
        let converted = if self.halved() { self.wide + self.own } else { 0 };
        width * (2 * self.wide + self.own + converted) + groups * 4 * self.wide
    }

    /// A projection from `input` to `output` numbers, its bias, and its adapter.
    fn linear(&self, name: &str, input: usize, output: usize, bias: bool) -> usize {
        let plain = self.own * output * (1 + usize::from(bias));
        plain + self.lora.filter(|lora| lora.targets().contains(&name)).map_or(0, |lora| self.adapter(lora, input, output))
    }

    /// An adapter: the thin product, the full one, scaled, and the sum; in half precision also the conversions to and fro.
    fn adapter(&self, lora: &Lora, input: usize, output: usize) -> usize {
        let converted = if self.halved() { self.wide * input + self.own * output } else { 0 };
        self.wide * (lora.rank() + 2 * output) + self.own * output + converted
    }

    /// Numbers split in `heads`: copied into their order, unless there is one head.
    fn split(&self, heads: usize) -> usize {
        if heads > 1 { self.own * heads * self.architecture.head_dim } else { 0 }
    }

    /// Queries or keys: projected, split in heads, normalised, and turned: half of them negated, swapped, twice multiplied, added.
    fn turned(&self, name: &str, heads: usize) -> usize {
        let (a, width) = (self.architecture, heads * self.architecture.head_dim);
        let norm = if a.qk_norm { self.norm(heads, width) } else { 0 };
        self.linear(name, a.hidden_size, width, a.attention_bias) + self.split(heads) + norm + self.own * (width / 2 + 4 * width)
    }

    /// Per row, all of attention but its table of pairs: with the values, the heads repeated, the keys transposed, the mixture in two layouts.
    fn attention(&self) -> usize {
        let a = self.architecture;
        let (q, kv, d) = (a.query_width(), a.key_width(), a.hidden_size);
        let values = self.linear("v_proj", d, kv, a.attention_bias) + self.split(a.num_key_value_heads);
        let repeated = if q > kv { 2 * self.own * q } else { 0 };
        let output = self.linear("o_proj", q, d, a.output_bias()) + self.own * d;
        self.norm(1, d)
            + self.turned("q_proj", a.num_attention_heads)
            + self.turned("k_proj", a.num_key_value_heads)
            + values
            + repeated
            + self.own * 3 * q
            + output
    }

    /// Per pair of query and key: product, quotient; sum with the mask, difference, exponential, quotient; and conversions.
    fn softmax(&self) -> usize {
        let converted = if self.halved() { self.wide + self.own } else { 0 };
        2 * self.own + 4 * self.wide + converted
    }

    /// Per row: a norm, gate, its activation, up, their product, down, the sum.
    fn mlp(&self) -> usize {
        let (d, f) = (self.architecture.hidden_size, self.architecture.intermediate_size);
        let wide = ["gate_proj", "up_proj"].map(|name| self.linear(name, d, f, false)).iter().sum::<usize>();
        self.norm(1, d) + wide + 2 * self.own * f + self.linear("down_proj", f, d, false) + self.own * d
    }

    /// Per number of the vocabulary: logits; divided, shifted, raised, log-probabilities, raised, weighted; and a conversion.
    fn head(&self) -> usize {
        self.own + 6 * self.wide + if self.halved() { self.wide } else { 0 }
    }
}

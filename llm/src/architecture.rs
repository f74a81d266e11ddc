//! The shape of a decoder: what a `config.json` says, for the three families this crate knows.

/// Which family's conventions a model follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Qwen2 and Qwen2.5: biases on queries, keys and values.
    Qwen2,
    /// Qwen3: queries and keys are normalised per head.
    Qwen3,
    /// Llama 3: neither; rotary frequencies may be scaled.
    Llama,
}

/// How Llama 3 stretches its rotary frequencies for long contexts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RopeScaling {
    /// Factor by which the lowest frequencies shrink.
    pub factor: f64,
    /// Wavelengths above the original context over this shrink by the whole factor.
    pub low_freq_factor: f64,
    /// Wavelengths below the original context over this are left alone.
    pub high_freq_factor: f64,
    /// Context length before scaling, in tokens.
    pub original_max_position_embeddings: usize,
}

/// The shape of a decoder, under the names of Hugging Face's `config.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    /// Whose conventions it follows.
    pub family: Family,
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width inside the gated MLP.
    pub intermediate_size: usize,
    /// Blocks.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads; divides the number of query heads.
    pub num_key_value_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Added to the mean square in RMS norms.
    pub rms_norm_eps: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Llama 3's scaling of them, if any.
    pub rope_scaling: Option<RopeScaling>,
    /// Whether queries, keys and values have biases; see also [`Architecture::output_bias`].
    pub attention_bias: bool,
    /// Whether queries and keys are normalised per head.
    pub qk_norm: bool,
    /// Whether the head is the transposed embedding.
    pub tie_word_embeddings: bool,
    /// Longest sequence, in tokens.
    pub max_position_embeddings: usize,
}

/// A parameter: Hugging Face's name and its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// `model.layers.0.self_attn.q_proj.weight`
    pub name: String,
    /// `[out, in]` for a matrix, `[width]` for a vector.
    pub shape: Vec<usize>,
}

impl Architecture {
    /// Every parameter, in the order in which they lie in memory: queries, keys and values are neighbours, and so are gate and up.
    pub fn parameters(&self) -> Vec<Parameter> {
        let embedding = vec![self.vocab_size, self.hidden_size];
        let mut all = vec![parameter("model.embed_tokens.weight", embedding.clone())];
        (0..self.num_hidden_layers).for_each(|layer| all.extend(self.block(layer)));
        all.push(parameter("model.norm.weight", vec![self.hidden_size]));
        if !self.tie_word_embeddings {
            all.push(parameter("lm_head.weight", embedding));
        }
        all
    }

    fn block(&self, layer: usize) -> Vec<Parameter> {
        let (d, f, q, kv) = (self.hidden_size, self.intermediate_size, self.query_width(), self.key_width());
        let projections = [("q_proj", q), ("k_proj", kv), ("v_proj", kv)];
        let mut block = vec![("input_layernorm.weight".to_string(), vec![d])];
        block.extend(projections.map(|(name, out)| (format!("self_attn.{name}.weight"), vec![out, d])));
        if self.attention_bias {
            block.extend(projections.map(|(name, out)| (format!("self_attn.{name}.bias"), vec![out])));
        }
        if self.qk_norm {
            block.extend(["q_norm", "k_norm"].map(|name| (format!("self_attn.{name}.weight"), vec![self.head_dim])));
        }
        block.push(("self_attn.o_proj.weight".into(), vec![d, q]));
        if self.output_bias() {
            block.push(("self_attn.o_proj.bias".into(), vec![d]));
        }
        block.push(("post_attention_layernorm.weight".into(), vec![d]));
        block.extend(["gate_proj", "up_proj"].map(|name| (format!("mlp.{name}.weight"), vec![f, d])));
        block.push(("mlp.down_proj.weight".into(), vec![d, f]));
        block.into_iter().map(|(name, shape)| parameter(&format!("model.layers.{layer}.{name}"), shape)).collect()
    }

    /// Whether attention's output has a bias as well: `attention_bias` means so for Qwen3 and Llama, whose published models leave it off.
    pub fn output_bias(&self) -> bool {
        self.attention_bias && self.family != Family::Qwen2
    }

    /// Width of all query heads together.
    pub fn query_width(&self) -> usize {
        self.num_attention_heads * self.head_dim
    }

    /// Width of all key heads together, and of all value heads.
    pub fn key_width(&self) -> usize {
        self.num_key_value_heads * self.head_dim
    }

    /// Number of parameters.
    pub fn size(&self) -> usize {
        self.parameters().iter().map(|p| p.shape.iter().product::<usize>()).sum()
    }

    /// Rotary frequency of each pair of dimensions of a head, in radians per position.
    ///
    /// ```text
    /// f_i = theta^(-2 i / head_dim),   i = 0 .. head_dim / 2
    /// ```
    /// With Llama 3's scaling, frequencies whose wavelength exceeds the original context over `low_freq_factor` are divided by `factor`, those below the
    /// context over `high_freq_factor` stay, and those between are interpolated.
    ///
    /// # Source
    /// Su et al., arXiv 2104.09864; Llama 3, arXiv 2407.21783.
    pub fn rope_frequencies(&self) -> Vec<f64> {
        let frequency = |i: usize| self.rope_theta.powf(-2.0 * i as f64 / self.head_dim as f64);
        let scaled = |f: f64| self.rope_scaling.map_or(f, |s| s.scale(f));
        (0..self.head_dim / 2).map(frequency).map(scaled).collect()
    }
}

impl RopeScaling {
    fn scale(&self, frequency: f64) -> f64 {
        let turns = self.original_max_position_embeddings as f64 * frequency / std::f64::consts::TAU;
        let kept = ((turns - self.low_freq_factor) / (self.high_freq_factor - self.low_freq_factor)).clamp(0.0, 1.0);
        kept * frequency + (1.0 - kept) * frequency / self.factor
    }
}

fn parameter(name: &str, shape: Vec<usize>) -> Parameter {
    Parameter { name: name.into(), shape }
}

//! LoRA: a frozen model, and beside some of its matrices a trained product of two thin ones.
//!
//! ```text
//! y = x W^T + b + (alpha / r) x A^T B^T,   A [r, in],  B [out, r]
//! ```
//! Saved as `peft` does, and trained in f32 whatever the model's own type (f64 beside f64).
//!
//! # Source
//! Hu et al., arXiv 2106.09685.

use crate::architecture::{Architecture, Parameter};
use crate::atomic;
use crate::error::{Error, Result};
use crate::folder::{self, Wanted};
use crate::json::{self, Fields};
use crate::model::Model;
use crate::weights::Weights;
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CudaStorage, CustomOp1, DType, Device, Layout, Shape, Storage, Tensor};
use mta_sims::stream::{Purpose, Seed};
use rand_distr::{Distribution, Uniform};
use serde_json::{Value, json};
use std::path::Path;

/// Matrices that can have an adapter.
pub const TARGETS: [&str; 7] = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";
/// What `peft` puts before the names of the model.
const PREFIX: &str = "base_model.model.";
/// Step of the stream that draws fresh adapters; fresh models take step 0.
const STEP: usize = 1;

/// Size and place of an adapter.
#[derive(Clone, Debug, PartialEq)]
pub struct Lora {
    rank: usize,
    alpha: f64,
    targets: Vec<&'static str>,
}

impl Lora {
    /// Rank r (at least 1), alpha (above 0), and which of [`TARGETS`] have an adapter (at least one).
    ///
    /// # Errors
    /// A setting out of its range.
    pub fn new(rank: usize, alpha: f64, targets: &[impl AsRef<str>]) -> Result<Self> {
        if rank == 0 {
            return Err(Error::Setting("LoRA's rank is 0; allowed: at least 1".into()));
        }
        if !(alpha > 0.0 && alpha.is_finite()) {
            return Err(Error::Setting(format!("LoRA's alpha is {alpha}; allowed: a number above 0")));
        }
        let unknown = targets.iter().map(AsRef::as_ref).find(|t| !TARGETS.contains(t));
        if unknown.is_some() || targets.is_empty() {
            return Err(Error::Setting(format!("LoRA's target is {:?}; allowed: {}", unknown.unwrap_or(""), TARGETS.join(", "))));
        }
        let targets = TARGETS.into_iter().filter(|known| targets.iter().any(|t| t.as_ref() == *known)).collect();
        Ok(Lora { rank, alpha, targets })
    }

    /// Every parameter of such an adapter of `architecture`, under `peft`'s names: A and B of each target, block by block.
    pub fn parameters(&self, architecture: &Architecture) -> Vec<Parameter> {
        let all = architecture.parameters();
        all.iter()
            .filter_map(|p| Some((p.name.strip_suffix(".weight")?, p)))
            .filter(|(n, _)| self.hits(n))
            .flat_map(|(n, p)| self.pair(n, p))
            .collect()
    }

    /// Rows of A, columns of B.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Which of [`TARGETS`] have an adapter.
    pub fn targets(&self) -> &[&'static str] {
        &self.targets
    }

    /// Number of its parameters beside `architecture`.
    pub fn size(&self, architecture: &Architecture) -> usize {
        self.parameters(architecture).iter().map(|p| p.shape.iter().product::<usize>()).sum()
    }

    fn hits(&self, module: &str) -> bool {
        self.targets.iter().any(|t| module.rsplit('.').next() == Some(t))
    }

    fn pair(&self, module: &str, base: &Parameter) -> [Parameter; 2] {
        let [a, b] = names(module);
        [Parameter { name: a, shape: vec![self.rank, base.shape[1]] }, Parameter { name: b, shape: vec![base.shape[0], self.rank] }]
    }

    fn config(&self) -> Value {
        json!({
            "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": self.rank, "lora_alpha": self.alpha, "target_modules": self.targets,
            "lora_dropout": 0.0, "bias": "none", "fan_in_fan_out": false, "use_rslora": false, "use_dora": false, "init_lora_weights": true,
            "inference_mode": true, "modules_to_save": null, "base_model_name_or_path": null,
        })
    }

    fn read(path: &Path) -> Result<Self> {
        let value = json::read(path)?;
        let fields = Fields::new(&value, path)?;
        refuse(&fields)?;
        let targets = fields.need("target_modules", fields.texts("target_modules")?)?;
        let (rank, alpha) = (fields.need("r", fields.count("r")?)?, fields.need("lora_alpha", fields.positive("lora_alpha")?)?);
        Lora::new(rank, alpha, &targets).map_err(|_| fields.refuse("target_modules", &format!("a list of some of {}", TARGETS.join(", "))))
    }
}

/// Variants of the method under which the same numbers mean something else.
fn refuse(fields: &Fields) -> Result<()> {
    if fields.text("peft_type")? != Some("LORA") {
        return Err(fields.refuse("peft_type", "\"LORA\""));
    }
    if fields.text("bias")?.is_some_and(|bias| bias != "none") {
        return Err(fields.refuse("bias", "\"none\""));
    }
    for name in ["fan_in_fan_out", "use_rslora", "use_dora", "use_qalora", "lora_bias"] {
        if fields.flag(name)? == Some(true) {
            return Err(fields.refuse(name, "false"));
        }
    }
    let lists = ["rank_pattern", "alpha_pattern", "modules_to_save", "layers_to_transform", "layer_replication", "exclude_modules"];
    let more = lists.into_iter().chain(["target_parameters", "trainable_token_indices"]).find(|name| filled(fields.get(name)));
    more.map_or(Ok(()), |name| Err(fields.refuse(name, "none")))
}

fn filled(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Object(map)) => !map.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        other => other.is_some(),
    }
}

/// `peft`'s names of A and B beside `module`.
fn names(module: &str) -> [String; 2] {
    ["A", "B"].map(|side| format!("{PREFIX}{module}.lora_{side}.weight"))
}

/// The trained part of an adapted model.
#[derive(Clone, Debug)]
pub struct Adapter {
    lora: Lora,
    weights: Weights,
}

impl Adapter {
    /// A fresh adapter, which changes nothing yet: A uniform within 1 / sqrt(in), as `peft` draws it, and B zero.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn new(architecture: &Architecture, lora: Lora, seed: Seed, dtype: DType, device: &Device) -> Result<Self> {
        let mut named = Vec::new();
        for (slot, p) in lora.parameters(architecture).into_iter().enumerate() {
            let bound = if p.name.ends_with("lora_A.weight") { 1.0 / (p.shape[1] as f64).sqrt() } else { 0.0 };
            let law = Uniform::new_inclusive(-bound, bound).expect("the bound is finite");
            let size: usize = p.shape.iter().product();
            let fresh: Vec<f32> = law.sample_iter(seed.stream(Purpose::Weights, STEP, slot)).take(size).map(|x| x as f32).collect();
            named.push((p.name, Tensor::from_vec(fresh, p.shape, device)?.to_dtype(own(dtype))?));
        }
        Ok(Adapter { lora, weights: Weights::of(named)? })
    }

    /// The adapter of `architecture` that `peft` or [`Adapter::save`] left in `folder`, for a model of `dtype`.
    ///
    /// # Errors
    /// A missing or damaged file, a variant of LoRA other than the one above, a tensor that is missing, misshapen or too many.
    pub fn load(folder: &Path, architecture: &Architecture, dtype: DType, device: &Device) -> Result<Self> {
        atomic::settle(folder)?;
        let (lora, path) = (Lora::read(&folder.join(CONFIG))?, folder.join(WEIGHTS));
        let wanted = Wanted { parameters: lora.parameters(architecture), config: CONFIG, passed_over: |_| false };
        let weights = wanted.read(&path, std::slice::from_ref(&path), own(dtype), device)?;
        Ok(Adapter { lora, weights })
    }

    /// Puts a folder in `peft`'s layout at `folder`; what stood there is gone.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let tensors: Vec<(&str, &Tensor)> = self.weights.iter().map(|(name, var)| (name, var.as_tensor())).collect();
        atomic::folder(folder, |partial| {
            folder::write(&partial.join(CONFIG), &self.lora.config())?;
            folder::tensors_to(&partial.join(WEIGHTS), &tensors)
        })
    }

    /// Its size and place.
    pub fn lora(&self) -> &Lora {
        &self.lora
    }

    /// Its variables, under `peft`'s names.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Independent variables of the same values.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn copy(&self) -> Result<Self> {
        Ok(Adapter { lora: self.lora.clone(), weights: self.weights.copy()? })
    }

    /// `x W^T + (alpha / r) x A^T B^T` for `x` `[rows, in]`, with gradients for `x`, A and B, and none for W.
    pub(crate) fn linear(&self, module: &str, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
        let frozen = x.apply_op1(Frozen { weight: weight.clone() })?;
        let Some((a, b)) = self.find(module) else { return Ok(frozen) };
        let thin = x.to_dtype(a.dtype())?.matmul(&a.t()?)?;
        let added = (thin.matmul(&b.t()?)? * self.scale())?;
        Ok((frozen + added.to_dtype(x.dtype())?)?)
    }

    /// W + (alpha / r) B A, under the type of W; W itself where there is no adapter.
    fn merged(&self, name: &str, weight: &Tensor) -> Result<Tensor> {
        let pair = name.strip_suffix(".weight").and_then(|module| self.find(module));
        let Some((a, b)) = pair else { return Ok(weight.clone()) };
        let added = (b.matmul(a)? * self.scale())?;
        Ok((weight.to_dtype(a.dtype())? + added)?.detach().to_dtype(weight.dtype())?)
    }

    fn find(&self, module: &str) -> Option<(&Tensor, &Tensor)> {
        let [a, b] = names(module);
        self.weights.find(&a).zip(self.weights.find(&b))
    }

    fn scale(&self) -> f64 {
        self.lora.alpha / self.lora.rank as f64
    }
}

/// Type of an adapter beside a model of `dtype`.
fn own(dtype: DType) -> DType {
    if dtype == DType::F64 { DType::F64 } else { DType::F32 }
}

impl Model {
    /// The model with its own parameters frozen and `adapter` beside them.
    pub fn adapted(self, adapter: Adapter) -> Self {
        Model { weights: self.weights.adapted(adapter), ..self }
    }

    /// Names and variables that training changes: the adapter's where there is one, or all.
    pub fn trainable(&self) -> &Weights {
        self.weights.trainable()
    }

    /// The same function without an adapter: what it adds is added to the parameters of a copy.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn merged(&self) -> Result<Self> {
        let Some(adapter) = self.weights.adapter() else { return self.copy() };
        let sum = |(name, var): (&str, &candle_core::Var)| Ok((name.to_string(), adapter.merged(name, var.as_tensor())?));
        let named = self.weights.iter().map(sum).collect::<Result<_>>()?;
        Ok(Model { architecture: self.architecture.clone(), weights: Weights::of(named)? })
    }
}

/// `x W^T` with a gradient for `x` only: candle's own product would compute and keep one for W as well.
struct Frozen {
    weight: Tensor,
}

impl Frozen {
    fn product<S: BackendStorage>(&self, x: &S, layout: &Layout, weight: &S, turned: &Layout) -> candle_core::Result<(S, Shape)> {
        let ((rows, width), out) = (layout.shape().dims2()?, self.weight.dim(0)?);
        Ok((x.matmul(weight, (1, rows, out, width), layout, turned)?, Shape::from((rows, out))))
    }
}

impl CustomOp1 for Frozen {
    fn name(&self) -> &'static str {
        "frozen-linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let turned = self.weight.t()?;
        let (storage, turned) = turned.storage_and_layout();
        let Storage::Cpu(weight) = &*storage else { candle_core::bail!("the frozen matrix is on another device") };
        self.product(x, layout, weight, turned)
    }

    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> candle_core::Result<(CudaStorage, Shape)> {
        let turned = self.weight.t()?;
        let (storage, turned) = turned.storage_and_layout();
        let Storage::Cuda(weight) = &*storage else { candle_core::bail!("the frozen matrix is on another device") };
        self.product(x, layout, weight, turned)
    }

    fn bwd(&self, _x: &Tensor, _y: &Tensor, gradient: &Tensor) -> candle_core::Result<Option<Tensor>> {
        gradient.matmul(&self.weight).map(Some)
    }
}

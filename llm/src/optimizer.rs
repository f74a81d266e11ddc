//! AdamW with warm-up and clipping by the global norm, and moments that can be saved.

use crate::error::Result;
use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};

/// Settings of the optimiser.
#[derive(Clone, Debug, PartialEq)]
pub struct AdamSettings {
    /// Step size after warm-up.
    pub learning_rate: f64,
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    pub beta2: f64,
    /// Added to the root of the mean square.
    pub adam_floor: f64,
    /// Decoupled weight decay, per step and unit of learning rate.
    pub weight_decay: f64,
    /// Largest norm of the gradient of all parameters together; 0 is no limit.
    pub max_grad_norm: f64,
    /// Steps over which the learning rate grows linearly from 0.
    pub warmup_steps: usize,
}

impl AdamSettings {
    /// TRL's defaults for fine-tuning, with a learning rate that fits small models.
    pub const DEFAULT: Self = AdamSettings {
        learning_rate: 1e-3,
        beta1: 0.9,
        beta2: 0.999,
        adam_floor: 1e-8,
        weight_decay: 0.0,
        max_grad_norm: 1.0,
        warmup_steps: 0,
    };
}

/// AdamW.
///
/// ```text
/// m = b1 m + (1 - b1) g      v = b2 v + (1 - b2) g^2      w -= eta (m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + floor) + decay w)
/// ```
///
/// # Source
/// Loshchilov and Hutter, arXiv 1711.05101.
#[derive(Clone, Debug)]
pub struct AdamW {
    /// Settings.
    pub settings: AdamSettings,
    /// Updates made.
    pub steps: usize,
    moments: Vec<(Tensor, Tensor)>,
}

impl AdamW {
    /// An optimiser of `vars`, at rest.
    pub fn new(settings: AdamSettings, vars: &[Var]) -> Result<Self> {
        let zeros = |v: &Var| Ok((v.zeros_like()?, v.zeros_like()?));
        Ok(AdamW { settings, steps: 0, moments: vars.iter().map(zeros).collect::<candle_core::Result<_>>()? })
    }

    /// Moves `vars`, the ones the optimiser was made for, against `gradients`; gives the norm of the gradient before clipping.
    pub fn descend(&mut self, vars: &[Var], gradients: &GradStore) -> Result<f64> {
        let norm = global_norm(vars, gradients)?;
        let limit = self.settings.max_grad_norm;
        let scale = if limit > 0.0 && norm > limit { limit / norm } else { 1.0 };
        self.steps += 1;
        for (var, moments) in vars.iter().zip(&mut self.moments) {
            if let Some(gradient) = gradients.get(var) {
                moments.0 = ((&moments.0 * self.settings.beta1)? + (gradient * (scale * (1.0 - self.settings.beta1)))?)?.detach();
                moments.1 =
                    ((&moments.1 * self.settings.beta2)? + (gradient.sqr()? * (scale * scale * (1.0 - self.settings.beta2)))?)?.detach();
                var.set(&moved(&self.settings, self.steps, var, moments)?)?;
            }
        }
        Ok(norm)
    }

    /// Mean and mean square of the gradients of each variable, in order.
    pub fn moments(&self) -> &[(Tensor, Tensor)] {
        &self.moments
    }

    /// Goes on from saved moments.
    pub fn restore(&mut self, steps: usize, moments: Vec<(Tensor, Tensor)>) {
        (self.steps, self.moments) = (steps, moments);
    }
}

/// Where a variable goes.
fn moved(settings: &AdamSettings, steps: usize, var: &Var, (mean, square): &(Tensor, Tensor)) -> Result<Tensor> {
    let rate = settings.rate(steps);
    let unbias = |beta: f64| 1.0 / (1.0 - beta.powi(steps as i32));
    let direction = ((mean * unbias(settings.beta1))? / ((square * unbias(settings.beta2))?.sqrt()? + settings.adam_floor)?)?;
    Ok(((var.as_tensor() * (1.0 - rate * settings.weight_decay))? - (direction * rate)?)?)
}

impl AdamSettings {
    /// The step size of update `steps` (from 1).
    pub fn rate(&self, steps: usize) -> f64 {
        let warmed = if self.warmup_steps == 0 { 1.0 } else { (steps as f64 / self.warmup_steps as f64).min(1.0) };
        self.learning_rate * warmed
    }
}

fn global_norm(vars: &[Var], gradients: &GradStore) -> Result<f64> {
    let mut sum = 0.0;
    for gradient in vars.iter().filter_map(|v| gradients.get(v)) {
        sum += f64::from(gradient.sqr()?.sum_all()?.to_dtype(candle_core::DType::F32)?.to_scalar::<f32>()?);
    }
    Ok(sum.sqrt())
}

//! AdamW with warm-up and clipping by the global norm, and moments that can be saved.
//!
//! On CPUs in f32 each parameter is moved where it lies, in one pass; elsewhere by candle's operations. Sums over all parameters run in a fixed order, so
//! nothing depends on threads. A GPU is driven by the caller's thread alone: candle gives every thread a CUDA stream of its own, and work on one does not wait
//! for what another left unfinished.

use crate::error::Result;
use crate::vectors::vectorised;
use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, DType, Device, InplaceOp2, Layout, Tensor, Var};
use rayon::prelude::*;
use std::sync::Mutex;

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
    /// Step at which it has fallen linearly to 0, from the end of warm-up; 0: it never falls.
    pub decay_steps: usize,
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
        decay_steps: 0,
    };

    /// The step size of update `steps` (from 1).
    pub fn rate(&self, steps: usize) -> f64 {
        let (warmup, end) = (self.warmup_steps as f64, self.decay_steps as f64);
        let warmed = if self.warmup_steps == 0 { 1.0 } else { (steps as f64 / warmup).min(1.0) };
        let left = if self.decay_steps == 0 { 1.0 } else { ((end - steps as f64) / (end - warmup)).clamp(0.0, 1.0) };
        self.learning_rate * warmed * left
    }

    fn factors(&self, steps: usize, scale: f64) -> Factors {
        let rate = self.rate(steps);
        let unbias = |beta: f64| 1.0 / (1.0 - beta.powi(steps as i32));
        Factors {
            kept: [self.beta1, self.beta2],
            new: [(1.0 - self.beta1) * scale, (1.0 - self.beta2) * scale * scale],
            unbias: [unbias(self.beta1), unbias(self.beta2)],
            rate,
            floor: self.adam_floor,
            shrink: 1.0 - rate * self.weight_decay,
        }
    }
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
    moments: Vec<Moments>,
}

/// Mean and mean square of a parameter's gradients.
#[derive(Clone, Debug)]
enum Moments {
    /// Plain numbers: CPU and f32.
    Plain(Vec<f32>, Vec<f32>),
    /// Tensors: anything else.
    Tensors(Tensor, Tensor),
}

/// The numbers of one update.
#[derive(Clone, Copy)]
struct Factors {
    kept: [f64; 2],
    new: [f64; 2],
    unbias: [f64; 2],
    rate: f64,
    floor: f64,
    shrink: f64,
}

impl AdamW {
    /// An optimiser of `vars`, at rest.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn new(settings: AdamSettings, vars: &[Var]) -> Result<Self> {
        let rest = |v: &Var| Moments::of(&v.zeros_like()?, &v.zeros_like()?);
        Ok(AdamW { settings, steps: 0, moments: vars.iter().map(rest).collect::<Result<_>>()? })
    }

    /// Moves `vars`, the ones the optimiser was made for, against `gradients`; gives the norm of the gradient before clipping.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn descend(&mut self, vars: &[Var], gradients: &GradStore) -> Result<f64> {
        let gradients: Vec<Option<&Tensor>> = vars.iter().map(|v| gradients.get(v)).collect();
        let spread = vars.iter().all(|v| v.device().is_cpu());
        let squares = each(spread, gradients.clone(), |g| g.map_or(Ok(0.0), square_sum))?;
        let norm = squares.iter().sum::<f64>().sqrt();
        let limit = self.settings.max_grad_norm;
        let scale = if limit > 0.0 && norm > limit { limit / norm } else { 1.0 };
        self.steps += 1;
        let factors = self.settings.factors(self.steps, scale);
        let jobs = vars.iter().zip(&mut self.moments).zip(gradients).collect();
        each(spread, jobs, |((var, moments), gradient)| gradient.map_or(Ok(()), |g| moments.update(&factors, var, g)))?;
        Ok(norm)
    }

    /// Mean and mean square of the gradients of each of `vars`, in order, with their shapes.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn moments(&self, vars: &[Var]) -> Result<Vec<(Tensor, Tensor)>> {
        self.moments.iter().zip(vars).map(|(moments, var)| moments.tensors(var)).collect()
    }

    /// Goes on from saved moments.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn restore(&mut self, steps: usize, moments: &[(Tensor, Tensor)]) -> Result<()> {
        self.moments = moments.iter().map(|(mean, square)| Moments::of(mean, square)).collect::<Result<_>>()?;
        self.steps = steps;
        Ok(())
    }
}

/// `f` of every item, in order: `spread` over all threads, or one after the other on this one.
fn each<T: Send, R: Send>(spread: bool, items: Vec<T>, f: impl Fn(T) -> Result<R> + Sync + Send) -> Result<Vec<R>> {
    if spread { items.into_par_iter().map(f).collect() } else { items.into_iter().map(f).collect() }
}

/// Whether a tensor is plain numbers.
fn is_plain(x: &Tensor) -> bool {
    x.device().is_cpu() && x.dtype() == DType::F32
}

impl Moments {
    fn of(mean: &Tensor, square: &Tensor) -> Result<Self> {
        if !is_plain(mean) {
            return Ok(Moments::Tensors(mean.clone(), square.clone()));
        }
        let numbers = |x: &Tensor| x.flatten_all()?.to_vec1::<f32>();
        Ok(Moments::Plain(numbers(mean)?, numbers(square)?))
    }

    fn tensors(&self, var: &Var) -> Result<(Tensor, Tensor)> {
        Ok(match self {
            Moments::Plain(mean, square) => {
                let tensor = |x: &[f32]| Tensor::from_slice(x, var.shape(), &Device::Cpu);
                (tensor(mean)?, tensor(square)?)
            }
            Moments::Tensors(mean, square) => (mean.clone(), square.clone()),
        })
    }

    /// Moves a parameter.
    fn update(&mut self, factors: &Factors, var: &Var, gradient: &Tensor) -> Result<()> {
        match self {
            Moments::Plain(mean, square) => {
                let moments = Mutex::new((&mut mean[..], &mut square[..]));
                Ok(var.inplace_op2(&gradient.contiguous()?, &InPlace { factors, moments })?)
            }
            Moments::Tensors(mean, square) => {
                *mean = ((&*mean * factors.kept[0])? + (gradient * factors.new[0])?)?.detach();
                *square = ((&*square * factors.kept[1])? + (gradient.sqr()? * factors.new[1])?)?.detach();
                let step = ((&*mean * factors.unbias[0])? / ((&*square * factors.unbias[1])?.sqrt()? + factors.floor)?)?;
                Ok(var.set(&((var.as_tensor() * factors.shrink)? - (step * factors.rate)?)?)?)
            }
        }
    }
}

/// The update of one parameter as a candle operation on its memory.
struct InPlace<'a> {
    factors: &'a Factors,
    moments: Mutex<(&'a mut [f32], &'a mut [f32])>,
}

impl InplaceOp2 for InPlace<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(&self, var: &mut CpuStorage, at: &Layout, gradient: &CpuStorage, from: &Layout) -> candle_core::Result<()> {
        let (Some(at), Some(from)) = (at.contiguous_offsets(), from.contiguous_offsets()) else {
            candle_core::bail!("a parameter or its gradient is not contiguous")
        };
        let CpuStorage::F32(var) = var else { candle_core::bail!("a parameter is not f32") };
        let mut moments = self.moments.lock().expect("one thread updates one parameter");
        let (mean, square) = &mut *moments;
        walk(self.factors, &mut var[at.0..at.1], mean, square, &gradient.as_slice::<f32>()?[from.0..from.1]);
        Ok(())
    }
}

/// Numbers that one thread updates at a time.
const PIECE: usize = 1 << 14;

/// One pass over a parameter, its moments and its gradient.
fn walk(factors: &Factors, var: &mut [f32], mean: &mut [f32], square: &mut [f32], gradient: &[f32]) {
    let pieces = var.par_chunks_mut(PIECE).zip(mean.par_chunks_mut(PIECE)).zip(square.par_chunks_mut(PIECE));
    pieces.zip(gradient.par_chunks(PIECE)).for_each(|(((w, m), v), g)| step(factors, w, m, v, g));
}

fn step(factors: &Factors, var: &mut [f32], mean: &mut [f32], square: &mut [f32], gradient: &[f32]) {
    let pair = |x: [f64; 2]| [x[0] as f32, x[1] as f32];
    let (kept, new, unbias) = (pair(factors.kept), pair(factors.new), pair(factors.unbias));
    let (rate, floor, shrink) = (factors.rate as f32, factors.floor as f32, factors.shrink as f32);
    vectorised(
        #[inline(always)]
        || {
            for (((w, m), v), g) in var.iter_mut().zip(mean).zip(square).zip(gradient) {
                *m = kept[0] * *m + new[0] * g;
                *v = kept[1] * *v + new[1] * (g * g);
                *w = *w * shrink - rate * (*m * unbias[0] / ((*v * unbias[1]).sqrt() + floor));
            }
        },
    );
}

/// Sum of squares.
fn square_sum(x: &Tensor) -> Result<f64> {
    if !is_plain(x) {
        return Ok(x.to_dtype(DType::F32)?.sqr()?.sum_all()?.to_scalar::<f32>()?.into());
    }
    let x = x.contiguous()?;
    let (storage, layout) = x.storage_and_layout();
    let (start, end) = layout.contiguous_offsets().expect("made contiguous above");
    let candle_core::Storage::Cpu(storage) = &*storage else { unreachable!("plain tensors are on the CPU") };
    Ok(squares(&storage.as_slice::<f32>()?[start..end]))
}

/// Sum of squares in 8 fixed lanes of f64.
fn squares(x: &[f32]) -> f64 {
    let mut lanes = [0.0f64; 8];
    vectorised(
        #[inline(always)]
        || {
            let (chunks, rest) = x.as_chunks::<8>();
            for chunk in chunks {
                lanes.iter_mut().zip(chunk).for_each(|(lane, x)| *lane += f64::from(*x) * f64::from(*x));
            }
            lanes.iter_mut().zip(rest).for_each(|(lane, x)| *lane += f64::from(*x) * f64::from(*x));
        },
    );
    lanes.iter().sum()
}

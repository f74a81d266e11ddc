//! The base model: a log-prior over tokens whose correlation with the task is a knob.

use crate::stream::{Purpose, Seed};
use crate::task::{Task, slot};
use ndarray::{Array1, Array2, Array3, Axis};
use ndarray_rand::RandomExt;
use ndarray_rand::rand_distr::{Distribution, StandardNormal};

/// Base log-probabilities of every prompt, depth and token.
///
/// ```text
/// l0[x,h,v] = kappa (a z[h,v] + sqrt(1 - a^2) xi[h,v]) + tau eps[x,h,v]
/// ```
/// `z`: the qualities `q[h,.]` standardised over the V tokens; `xi`: normal noise made orthogonal to `z` and standardised; `eps ~ N(0, 1)`.
/// So `a` is exactly the correlation, at each depth, between the shared log-prior and what the task rewards.
#[derive(Clone, Debug, PartialEq)]
pub struct Prior {
    /// The shared part `kappa (a z + sqrt(1 - a^2) xi)`, `[H, V]`, in nats.
    pub shared: Array2<f64>,
    /// Normalised log-probabilities, `[P + P', H, A]`; the end token comes last and is absent (minus infinity) at depth 0.
    pub logprobs: Array3<f64>,
}

impl Prior {
    /// The prior of `task` with correlation `alignment` and spread `confidence` (nats). Noise and idiosyncrasy are those of `seed`, whatever the knobs.
    pub fn new(task: &Task, seed: Seed, alignment: f64, confidence: f64) -> Self {
        let shared = shared_part(task, seed, alignment, confidence);
        let set = &task.settings;
        let mut logprobs = Array3::from_elem((set.all_prompts(), set.depth, set.widest()), f64::NEG_INFINITY);
        for (i, mut row) in logprobs.lanes_mut(Axis(2)).into_iter().enumerate() {
            let (x, h) = (i / set.depth, i % set.depth);
            let mut stream = seed.stream(Purpose::Idiosyncrasy, h, slot(set, x));
            let own = StandardNormal.sample_iter(&mut stream).map(|eps: f64| set.idiosyncrasy * eps);
            row.iter_mut().zip(shared.row(h).iter().zip(own)).for_each(|(l, (s, own))| *l = s + own);
            row.iter_mut().take(set.actions(h)).skip(set.vocab).for_each(|end| *end = set.end_logit);
            let log_sum = log_sum_exp(row.as_slice().expect("rows are contiguous"));
            row -= log_sum;
        }
        Prior { shared, logprobs }
    }

    /// A prior whose logits are given, `[P + P', H, V]`, in nats up to a constant per row. Nothing is said to be shared.
    pub fn explicit(mut logits: Array3<f64>) -> Self {
        for mut row in logits.lanes_mut(Axis(2)) {
            let log_sum = log_sum_exp(&row.to_vec());
            row -= log_sum;
        }
        let (_, depth, vocab) = logits.dim();
        Prior { shared: Array2::zeros((depth, vocab)), logprobs: logits.as_standard_layout().to_owned() }
    }

    /// Log-probabilities of `prompt` at `depth`, `[A]`.
    pub fn row(&self, prompt: usize, depth: usize) -> &[f64] {
        let (_, depths, actions) = self.logprobs.dim();
        let start = (prompt * depths + depth) * actions;
        &self.logprobs.as_slice().expect("the table is contiguous")[start..start + actions]
    }
}

/// log sum exp, without overflow.
fn log_sum_exp(xs: &[f64]) -> f64 {
    let top = xs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + xs.iter().map(|x| (x - top).exp()).sum::<f64>().ln()
}

fn shared_part(task: &Task, seed: Seed, alignment: f64, confidence: f64) -> Array2<f64> {
    let mut shared = Array2::zeros(task.quality.raw_dim());
    for (h, mut row) in shared.axis_iter_mut(Axis(0)).enumerate() {
        let z = standardised(&task.quality.row(h).to_owned());
        let xi = noise_orthogonal_to(&z, seed, h);
        row.assign(&((z * alignment + xi * (1.0 - alignment * alignment).sqrt()) * confidence));
    }
    shared
}

/// Standard normal noise with mean 0, variance 1 and no correlation with `z`. Projected twice, so that rounding leaves nothing behind.
fn noise_orthogonal_to(z: &Array1<f64>, seed: Seed, depth: usize) -> Array1<f64> {
    let mut stream = seed.stream(Purpose::Noise, depth, 0);
    let raw = Array1::random_using(z.len(), StandardNormal, &mut stream);
    let once = without(&standardised(&raw), z);
    standardised(&without(&standardised(&once), z))
}

/// `x` less its projection on the standardised `z`.
fn without(x: &Array1<f64>, z: &Array1<f64>) -> Array1<f64> {
    let along = x.dot(z) / z.dot(z);
    x - z * along
}

/// Mean 0, population variance 1.
fn standardised(x: &Array1<f64>) -> Array1<f64> {
    let centred = x - x.mean().unwrap_or(0.0);
    let spread = (centred.dot(&centred) / centred.len() as f64).sqrt();
    centred / spread
}

/// Pearson correlation.
pub fn correlation(x: &Array1<f64>, y: &Array1<f64>) -> f64 {
    standardised(x).dot(&standardised(y)) / x.len() as f64
}

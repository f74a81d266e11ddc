//! Points of the probability simplex and the sums every flow is made of.

/// `exp(theta) / sum exp(theta)`, without overflow; `theta` in nats.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::simplex::softmax(&[1000.0, 1000.0]), [0.5, 0.5]);
/// ```
pub fn softmax(theta: &[f64]) -> Vec<f64> {
    let top = theta.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = theta.iter().map(|t| (t - top).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|w| w / sum).collect()
}

/// `sum p_i f_i`.
pub fn expectation(p: &[f64], f: &[f64]) -> f64 {
    p.iter().zip(f).map(|(p, f)| p * f).sum()
}

/// `Cov_p(f, g) = sum p_i (f_i - mean f)(g_i - mean g)`.
pub fn covariance(p: &[f64], f: &[f64], g: &[f64]) -> f64 {
    let (mf, mg) = (expectation(p, f), expectation(p, g));
    p.iter().zip(f.iter().zip(g)).map(|(p, (f, g))| p * (f - mf) * (g - mg)).sum()
}

/// `S_n = sum p_i^n`.
pub fn power_sum(p: &[f64], n: i32) -> f64 {
    p.iter().map(|p| p.powi(n)).sum()
}

/// Entropy `-sum p_i log p_i`, nats.
pub fn entropy(p: &[f64]) -> f64 {
    -p.iter().map(|&p| if p > 0.0 { p * p.ln() } else { 0.0 }).sum::<f64>()
}

/// `log(p / (1 - p))`, nats.
pub fn logit(p: f64) -> f64 {
    p.ln() - (-p).ln_1p()
}

/// `1 / (1 + exp(-u))`, the inverse of [`logit`].
pub fn sigmoid(u: f64) -> f64 {
    if u >= 0.0 { 1.0 / (1.0 + (-u).exp()) } else { u.exp() / (1.0 + u.exp()) }
}

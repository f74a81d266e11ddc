//! What the property tests share.

use mta_theory::flow::integrate;
use mta_theory::price::policy_gradient;
use mta_theory::simplex::softmax;
use proptest::prelude::ProptestConfig;

/// A thousand cases, or as many as the environment variable `PROPTEST_CASES` says.
pub fn cases() -> ProptestConfig {
    ProptestConfig { cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(1000), ..ProptestConfig::default() }
}

/// Logits at time `end` of the policy gradient of reward `r` from the logits `theta`.
pub fn gradient_flow(theta: &[f64], r: &[f64], end: f64) -> Vec<f64> {
    integrate(|theta, d| d.copy_from_slice(&policy_gradient(&softmax(theta), r)), theta, end, 1e-12).unwrap()
}

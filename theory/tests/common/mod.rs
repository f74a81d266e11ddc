//! What the property tests share.

use proptest::prelude::ProptestConfig;

/// A thousand cases, or as many as the environment variable `PROPTEST_CASES` says.
pub fn cases() -> ProptestConfig {
    ProptestConfig { cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(1000), ..ProptestConfig::default() }
}

//! pass@k: the chance that at least one of k attempts is right, exactly and from samples.

/// Chance that at least one of `k` independent attempts succeeds.
///
/// ```text
/// pass@k = 1 - (1 - p)^k
/// ```
/// `p` in [0, 1]: chance of one attempt, where a sum of probabilities that rounding put above 1 counts as 1; `k >= 0`: attempts, not necessarily whole.
/// Accurate for p down to the smallest float and any k.
///
/// # Example
/// Two fair coins show at least one head three times in four:
/// ```
/// assert_eq!(mta_theory::pass_at_k::pass_at_k(0.5, 2.0), 0.75);
/// assert!((mta_theory::pass_at_k::pass_at_k(1e-300, 1e12) / 1e-288 - 1.0).abs() < 1e-12);
/// ```
pub fn pass_at_k(p: f64, k: f64) -> f64 {
    if k == 0.0 {
        0.0
    } else if p >= 1.0 {
        1.0
    } else {
        -(k * (-p).ln_1p()).exp_m1()
    }
}

/// pass@2k from pass@k, without cancellation: `1 - (1 - p)^2 = p (2 - p)`.
///
/// # Example
/// ```
/// use mta_theory::pass_at_k::{pass_at_k, twice_the_attempts};
/// assert!((twice_the_attempts(pass_at_k(1e-20, 4.0)) / 8e-20 - 1.0).abs() < 1e-12);
/// ```
pub fn twice_the_attempts(pass_at_k: f64) -> f64 {
    pass_at_k * (2.0 - pass_at_k)
}

/// Mean over prompts of [`pass_at_k`]; NaN for no prompts.
pub fn mean_pass_at_k(chances: &[f64], k: f64) -> f64 {
    chances.iter().map(|&p| pass_at_k(p, k)).sum::<f64>() / chances.len() as f64
}

/// Unbiased estimate of pass@k from `correct` successes among `samples` attempts; `None` when `k > samples`, where no unbiased estimate exists.
///
/// ```text
/// 1 - C(n - c, k) / C(n, k)
/// ```
///
/// # Source
/// Chen et al., "Evaluating large language models trained on code", arXiv 2107.03374, equation 1.
///
/// # Example
/// One right of four, two attempts: three of the six pairs contain it.
/// ```
/// assert_eq!(mta_theory::pass_at_k::unbiased_pass_at_k(4, 1, 2), Some(0.5));
/// assert_eq!(mta_theory::pass_at_k::unbiased_pass_at_k(4, 1, 5), None);
/// ```
pub fn unbiased_pass_at_k(samples: u64, correct: u64, k: u64) -> Option<f64> {
    if k > samples || correct > samples {
        return None;
    }
    let wrong = samples - correct;
    if wrong < k {
        return Some(1.0);
    }
    let log_miss: f64 = (0..k).map(|i| (-(correct as f64) / (samples - i) as f64).ln_1p()).sum();
    Some(-log_miss.exp_m1())
}

/// verl's `best@k` for 0/1 rewards: the best of `k` draws *with replacement* from the samples. Not pass@k.
///
/// ```text
/// 1 - (1 - c/n)^k
/// ```
///
/// # Example
/// One right of four: best@4 is 0.684, while pass@4 is 1.
/// ```
/// use mta_theory::pass_at_k::{best_at_k, unbiased_pass_at_k};
/// assert!((best_at_k(4, 1, 4).unwrap() - 0.68359375).abs() < 1e-15);
/// assert_eq!(unbiased_pass_at_k(4, 1, 4), Some(1.0));
/// ```
pub fn best_at_k(samples: u64, correct: u64, k: u64) -> Option<f64> {
    (samples > 0 && correct <= samples).then(|| pass_at_k(correct as f64 / samples as f64, k as f64))
}

/// Unbiased chance that `k - 1` of the *other* rollouts contain a correct one, seen from a wrong rollout among `samples` with `correct` right ones: its
/// credit in pass@k training.
///
/// # Example
/// Of the two other rollouts one is right; one attempt finds it half the time:
/// ```
/// assert_eq!(mta_theory::pass_at_k::others_pass_at_k(3, 1, 2), Some(0.5));
/// ```
pub fn others_pass_at_k(samples: u64, correct: u64, k: u64) -> Option<f64> {
    unbiased_pass_at_k(samples.checked_sub(1)?, correct, k.checked_sub(1)?)
}

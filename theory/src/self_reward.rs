//! Rewarding the policy's own confidence, r = log p: which way it flows and when a leash holds it (propositions P18, P19).

use crate::proposition::{Proposition, output, real};
use crate::simplex::{entropy, softmax};

/// Policy gradient of the self-reward: the gradient of negative entropy in the logits, nats.
///
/// ```text
/// d theta_i / dt = p_i (log p_i + H) = d(-H) / d theta_i
/// ```
/// `p`: probabilities that add up to 1. An arm of probability 0 gets 0.
///
/// Proof: differentiate -H; the derivative of log p inside the reward drops out because E grad log p = 0.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::self_reward::policy_gradient(&[0.5, 0.5]), [0.0, 0.0]);
/// ```
pub fn policy_gradient(p: &[f64]) -> Vec<f64> {
    let h = entropy(p);
    p.iter().map(|&p| if p > 0.0 { p * (p.ln() + h) } else { 0.0 }).collect()
}

/// Rate of change of entropy under the policy gradient of the self-reward: `-|| p (log p + H) ||^2`, never positive.
///
/// # Example
/// ```
/// assert!(mta_theory::self_reward::entropy_rate(&[0.7, 0.3]) < 0.0);
/// ```
pub fn entropy_rate(p: &[f64]) -> f64 {
    -policy_gradient(p).iter().map(|g| g * g).sum::<f64>()
}

/// The positive eigenvalue of the policy-gradient flow at the uniform policy over `arms` arms, (m - 1)-fold: a tie is unstable.
///
/// ```text
/// 1 / m
/// ```
/// Proof: at the tie the bracket log p_i + H vanishes and has derivative (identity - 1/m), times p_i = 1/m.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::self_reward::tie_eigenvalue(8.0), 0.125);
/// ```
pub fn tie_eigenvalue(arms: f64) -> f64 {
    1.0 / arms
}

/// The policy at time `t` of the natural-gradient flow of the self-reward.
///
/// ```text
/// p_i(t) ∝ p_i(0)^{e^t}
/// ```
/// `log_prior`: log p(0) up to a constant, nats. Log-odds grow exponentially, where a task reward makes them grow linearly.
///
/// Proof: log-ratios obey d l / dt = l.
///
/// # Example
/// After ln 2 the odds are squared:
/// ```
/// let p = mta_theory::self_reward::natural_flow(&[3f64.ln(), 0.0], 2f64.ln());
/// assert!((p[0] - 0.9).abs() < 1e-15);
/// ```
pub fn natural_flow(log_prior: &[f64], t: f64) -> Vec<f64> {
    sharpened(log_prior, t.exp())
}

/// `p_i ∝ p0_i^power` from log p0; the differences to the top are taken first.
fn sharpened(log_prior: &[f64], power: f64) -> Vec<f64> {
    let top = log_prior.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    softmax(&log_prior.iter().map(|l| if *l == top { 0.0 } else { (l - top) * power }).collect::<Vec<_>>())
}

/// Time the policy gradient of the self-reward needs between two logits of a two-armed bandit.
///
/// ```text
/// T = ln(u / u0) + Chi(u) - Chi(u0) = 2 ln(u / u0) + sum_{n >= 1} (u^{2n} - u0^{2n}) / (2n (2n)!)
/// ```
/// `from` u0 and `to` u = logit p, nats, of one sign and at most 690 in size; negative if u is nearer to 0. The tail is 1 - p ~ 1 / (2 t ln t). `None` for
/// logits of different sign or 0, which the flow does not connect.
///
/// Proof: du/dt = 2 p (1 - p) u = u / (1 + cosh u), and Chi(x) = gamma + ln x + sum x^{2n} / (2n (2n)!).
///
/// # Example
/// ```
/// let time = mta_theory::self_reward::time_between(1e-3, 8.0).unwrap();
/// assert!((time - 235.507667119).abs() < 5e-10);
/// assert_eq!(mta_theory::self_reward::time_between(-1.0, 1.0), None);
/// ```
pub fn time_between(from: f64, to: f64) -> Option<f64> {
    if from * to.signum() <= 0.0 || to == 0.0 {
        return None;
    }
    let (u0, u) = (from.abs(), to.abs());
    if u < u0 {
        return time_between(to, from).map(|t| -t);
    }
    let growth = log_ratio(u0, u);
    // (power, factor) = u^{2n} / (2n)!, built step by step so that neither overflows alone
    let (mut power, mut sum, mut n) = (1.0, 0.0, 0.0);
    loop {
        n += 2.0;
        power *= u / (n - 1.0) * (u / n);
        let term = power / n * -(-n * growth).exp_m1();
        sum += term;
        if n > u && term <= 1e-18 * sum {
            return Some(2.0 * growth + sum);
        }
    }
}

/// `ln(to / from)`, accurate for neighbours.
fn log_ratio(from: f64, to: f64) -> f64 {
    if to < 2.0 * from { ((to - from) / from).ln_1p() } else { to.ln() - from.ln() }
}

/// Log-ratio of two arms at time `t` of the natural-gradient flow of self-reward with a leash to the start.
///
/// ```text
/// l(t) = l0 (e^{(1 - beta) t} - beta) / (1 - beta);   beta = 1: l0 (1 + t)
/// ```
/// `log_ratio` l0: log-ratio at time 0 and in the reference, nats; `beta` >= 0: weight of the KL; `t` >= 0. Accurate through beta = 1.
///
/// Proof: d l / dt = (1 - beta) l + beta l0.
///
/// # Example
/// ```
/// use mta_theory::self_reward::leashed_log_ratio;
/// assert_eq!(leashed_log_ratio(2.0, 1.0, 3.0), 8.0);
/// assert!((leashed_log_ratio(1.0, 2.0, 1e3) - 2.0).abs() < 1e-15);
/// ```
pub fn leashed_log_ratio(log_ratio: f64, beta: f64, t: f64) -> f64 {
    let a = 1.0 - beta;
    let growth = if a == 0.0 { t } else { (a * t).exp_m1() / a };
    log_ratio * (1.0 + growth)
}

/// How much the optimum's log-odds are those of the prior, self-reward with KL: `beta / (beta - 1)`; `None` for beta <= 1, where every vertex is a local
/// maximum and the flow jumps between them.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::self_reward::gain(2.0), Some(2.0));
/// assert_eq!(mta_theory::self_reward::gain(1.0), None);
/// ```
pub fn gain(beta: f64) -> Option<f64> {
    (beta > 1.0).then(|| beta / (beta - 1.0))
}

/// The only optimum of `E log p - beta KL(p || p0)` for beta > 1, and `None` otherwise.
///
/// ```text
/// p_i ∝ p0_i^{beta / (beta - 1)}
/// ```
/// `log_prior`: log p0 up to a constant, nats. Proof: the objective is (1 - beta) sum p log p + beta sum p log p0, concave iff beta > 1; first-order
/// condition. For beta < 1 it is convex: at a vertex the slope of (1 - beta) x log x is -inf, so every vertex is a strict local maximum.
///
/// Source: own algebra; sharpening objective of arXiv 2412.01951.
///
/// # Example
/// ```
/// let p = mta_theory::self_reward::leashed_optimum(&[3f64.ln(), 0.0], 2.0).unwrap();
/// assert!((p[0] - 0.9).abs() < 1e-15);
/// ```
pub fn leashed_optimum(log_prior: &[f64], beta: f64) -> Option<Vec<f64>> {
    gain(beta).map(|power| sharpened(log_prior, power))
}

/// The optimum when the reward is log p0 of the fixed prior: `p_i ∝ p0_i^{1 + 1/beta}`, stable for every beta > 0.
///
/// # Example
/// ```
/// let p = mta_theory::self_reward::fixed_reward_optimum(&[3f64.ln(), 0.0], 1.0);
/// assert!((p[0] - 0.9).abs() < 1e-15);
/// ```
pub fn fixed_reward_optimum(log_prior: &[f64], beta: f64) -> Vec<f64> {
    sharpened(log_prior, 1.0 + 1.0 / beta)
}

/// The leashed self-reward objective `(1 - beta) sum p log p + beta sum p log p0`, nats.
///
/// `p`: a policy; `log_prior`: normalised log p0. At vertex i it is `beta log p0_i`.
///
/// # Example
/// ```
/// let value = mta_theory::self_reward::objective(&[1.0, 0.0], &[0.5f64.ln(), 0.5f64.ln()], 0.5);
/// assert_eq!(value, 0.5 * 0.5f64.ln());
/// ```
pub fn objective(p: &[f64], log_prior: &[f64], beta: f64) -> f64 {
    let cross: f64 = p.iter().zip(log_prior).filter(|(p, _)| **p > 0.0).map(|(p, l)| p * l).sum();
    -(1.0 - beta) * entropy(p) + beta * cross
}

/// P18: self-reward lowers entropy until the initial mode has everything.
pub const P18: Proposition = Proposition {
    id: "P18",
    name: "self-reward-flow",
    statement: "Rewarding log p is gradient ascent on negative entropy: ties are unstable, vertices attract, the initial mode wins; under natural gradient \
                log-odds grow exponentially.",
    assumptions: "Exact gradient; tabular softmax.",
    formula: "PG dtheta_i = p_i (log p_i + H);  NPG p_i(t) ∝ p_i(0)^(e^t);  two arms, PG: T = ln(u/u0) + Chi(u) - Chi(u0)",
    source: "own; entropy-minimisation view: arXiv 2505.22660, 2603.08660",
    inputs: &[
        real("u0", "initial logit of the mode, nats", 0.1, (1e-300, 690.0)),
        real("u", "final logit of the mode, nats", 8.0, (1e-300, 690.0)),
        real("arms", "arms in a tie", 4.0, (1.0, 1e6)),
    ],
    outputs: &[
        output("time_pg", "time of the policy-gradient flow, two arms"),
        output("time_npg", "time of the natural-gradient flow, ln(u / u0)"),
        output("tie_eigenvalue", "rate at which a tie is left under policy gradient"),
    ],
    evaluate: |x| vec![time_between(x[0], x[1]), Some(x[1].ln() - x[0].ln()), Some(tie_eigenvalue(x[2]))],
};

/// P19: a leash holds self-reward only for beta > 1.
pub const P19: Proposition = Proposition {
    id: "P19",
    name: "self-reward-leash",
    statement: "Self-reward with KL weight beta has the unique optimum p0^(beta/(beta-1)) for beta > 1; for beta < 1 every vertex is a local maximum and the \
                flow jumps to the initial mode.",
    assumptions: "Reward log p of the current policy, reverse KL to p0, natural gradient from p0.",
    formula: "l(t) = l0 (e^((1-beta) t) - beta)/(1 - beta);  gain beta/(beta-1);  fixed reward log p0: gain 1 + 1/beta",
    source: "own algebra; sharpening objective: arXiv 2412.01951",
    inputs: &[
        real("l0", "initial log-ratio of two arms, nats", 1.0, (-1e6, 1e6)),
        real("beta", "weight of the KL to the prior", 1.5, (1e-9, 1e9)),
        real("t", "flow time", 5.0, (0.0, 1e9)),
    ],
    outputs: &[
        output("log_ratio", "log-ratio at time t, nats; none where it exceeds the floats"),
        output("limit", "log-ratio of the optimum, nats; none for beta <= 1"),
        output("gain", "log-odds of the optimum per log-odds of the prior; none for beta <= 1"),
        output("gain_fixed", "the same when the reward is log p0 of the prior"),
    ],
    evaluate: |x| {
        let now = leashed_log_ratio(x[0], x[1], x[2]);
        vec![now.is_finite().then_some(now), gain(x[1]).map(|g| g * x[0]), gain(x[1]), Some(1.0 + 1.0 / x[1])]
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn golden_numbers() {
        crate::golden::agree(include_str!("../golden/self_reward.csv"), |name, x| match name {
            "time" => time_between(x[0], x[1]).unwrap_or(f64::NAN),
            "leashed" => leashed_log_ratio(x[0], x[1], x[2]),
            "gradient" => policy_gradient(&[x[0], 1.0 - x[0]])[0],
            "natural" => natural_flow(&[x[0], 0.0], x[1])[0],
            _ => unreachable!("{name}"),
        });
    }

    #[test]
    fn the_tail_is_one_over_two_t_log_t() {
        let t = time_between(1.0, 300.0).unwrap_or(0.0);
        assert_relative_eq!(2.0 * t * t.ln() * (-300f64).exp(), 1.0, max_relative = 0.03);
        assert_eq!(time_between(8.0, 1e-3), time_between(1e-3, 8.0).map(|t| -t));
    }
}

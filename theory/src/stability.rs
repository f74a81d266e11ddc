//! How much the optimum of a leashed reward moves when prior and reward move (proposition P20).

use crate::proposition::{Proposition, output, real};
use crate::simplex::softmax;

/// The optimum of `E r - beta KL(p || p0)`.
///
/// ```text
/// p_i ∝ p0_i exp(r_i / beta)
/// ```
/// `log_prior`: log p0 up to a constant, nats; `reward`: r; `beta` > 0.
///
/// # Example
/// ```
/// let p = mta_theory::stability::tilt(&[0.0, 0.0], &[3f64.ln(), 0.0], 1.0);
/// assert!((p[0] - 0.75).abs() < 1e-15);
/// ```
pub fn tilt(log_prior: &[f64], reward: &[f64], beta: f64) -> Vec<f64> {
    softmax(&log_prior.iter().zip(reward).map(|(l, r)| l + r / beta).collect::<Vec<_>>())
}

/// Total variation distance `sum |p_i - q_i| / 2`.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::stability::total_variation(&[1.0, 0.0], &[0.5, 0.5]), 0.5);
/// ```
pub fn total_variation(p: &[f64], q: &[f64]) -> f64 {
    0.5 * p.iter().zip(q).map(|(p, q)| (p - q).abs()).sum::<f64>()
}

/// Range `max - min` of the change of log-odds `d0 + dr / beta`, nats; 0 for no arms.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::stability::span(&[0.0, 1.0], &[0.0, -2.0], 2.0), 0.0);
/// ```
pub fn span(log_prior_change: &[f64], reward_change: &[f64], beta: f64) -> f64 {
    let change = || log_prior_change.iter().zip(reward_change).map(|(d, r)| d + r / beta);
    let (low, high) = (change().fold(f64::INFINITY, f64::min), change().fold(f64::NEG_INFINITY, f64::max));
    (high - low).max(0.0)
}

/// Largest total variation between two distributions whose log-ratio spans `span` nats: `tanh(span / 4)`.
///
/// Proof: for a density ratio with log-range D the extremal case has two points, and max over x of |x - x e^D / (x e^D + 1 - x)| is tanh(D / 4), at
/// x = 1 / (1 + e^{D/2}).
///
/// Assumptions: finite arms, full-support prior.
///
/// Source: own (two-point extremal argument).
///
/// # Example
/// ```
/// use mta_theory::stability::*;
/// let x = extremal_share(2.0);
/// let moved = tilt(&[x.ln(), (1.0 - x).ln()], &[2.0, 0.0], 1.0);
/// assert!((moved[0] - x - distance_bound(2.0)).abs() < 1e-15);
/// ```
pub fn distance_bound(span: f64) -> f64 {
    (0.25 * span).tanh()
}

/// The share that a tilt of `span` nats moves furthest: `1 / (1 + e^{span/2})`.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::stability::extremal_share(0.0), 0.5);
/// ```
pub fn extremal_share(span: f64) -> f64 {
    crate::simplex::sigmoid(-0.5 * span)
}

/// What a regularised optimum maximises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objective {
    /// A reward that does not depend on the policy.
    Task,
    /// The log-probability under the fixed prior.
    FixedLogPrior,
    /// The log-probability under the policy itself.
    SelfReward,
}

/// How many nats the log-odds of the optimum move per nat of the prior's log-odds; infinite where the optimum jumps.
///
/// ```text
/// task: 1;   fixed log p0: 1 + 1/beta;   self-reward: beta / (beta - 1) for beta > 1, infinite otherwise
/// ```
/// `beta` > 0: weight of the KL to the prior.
///
/// # Example
/// ```
/// use mta_theory::stability::{Objective, condition};
/// assert_eq!(condition(Objective::SelfReward, 2.0), 2.0);
/// assert_eq!(condition(Objective::FixedLogPrior, 2.0), 1.5);
/// assert_eq!(condition(Objective::SelfReward, 1.0), f64::INFINITY);
/// ```
pub fn condition(objective: Objective, beta: f64) -> f64 {
    match objective {
        Objective::Task => 1.0,
        Objective::FixedLogPrior => 1.0 + 1.0 / beta,
        Objective::SelfReward if beta > 1.0 => beta / (beta - 1.0),
        Objective::SelfReward => f64::INFINITY,
    }
}

/// P20: the optimum of a task reward is Lipschitz in prior and reward for every beta > 0.
pub const P20: Proposition = Proposition {
    id: "P20",
    name: "lipschitz-optimum",
    statement: "If the log-prior changes by d0 and the reward by dr, the leashed optimum moves by at most tanh(span(d0 + dr/beta)/4) in total variation; \
                self-reward has no such bound for beta <= 1.",
    assumptions: "Finitely many arms, full-support prior, reverse KL.",
    formula: "TV <= tanh((max - min)(d0 + dr/beta) / 4);  condition numbers 1, 1 + 1/beta, beta/(beta - 1)",
    source: "own",
    inputs: &[
        real("prior_span", "span of the change of the log-prior, nats", 0.5, (0.0, 1e6)),
        real("reward_span", "span of the change of the reward", 0.1, (0.0, 1e6)),
        real("beta", "weight of the KL to the prior", 2.0, (1e-9, 1e9)),
    ],
    outputs: &[
        output("distance", "largest total variation between the two optima"),
        output("condition_fixed", "condition number in the log-prior, reward log p0"),
        output("condition_self", "the same, reward log p of the policy itself; none for beta <= 1"),
    ],
    evaluate: |x| {
        let own = condition(Objective::SelfReward, x[2]);
        let fixed = condition(Objective::FixedLogPrior, x[2]);
        vec![Some(distance_bound(x[0] + x[1] / x[2])), Some(fixed), own.is_finite().then_some(own)]
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_numbers() {
        crate::golden::agree(include_str!("../golden/stability.csv"), |name, x| match name {
            "bound" => distance_bound(x[0]),
            "share" => extremal_share(x[0]),
            "tilt" => tilt(&x[..2], &x[2..4], x[4])[0],
            _ => unreachable!("{name}"),
        });
    }

    #[test]
    fn spans_ignore_constants() {
        assert_eq!(span(&[1.0, 2.0, 1.5], &[3.0, 3.0, 3.0], 0.5), 1.0);
        assert_eq!(span(&[0.0, 0.0], &[0.0, 1.0], 0.25), 4.0);
        assert_eq!(span(&[], &[], 1.0), 0.0);
        assert_eq!(total_variation(&[0.2, 0.8], &[0.8, 0.2]), 0.6000000000000001);
    }
}

//! How far a KL penalty lets the policy go, without group normalisation (proposition P8) and with it (P9).

use crate::proposition::{Proposition, output, real};
use crate::simplex::{logit, sigmoid, softmax};
use crate::verifier::Verifier;

/// Log-odds of the correct arms, nats, a time `t >= 0` after the start at the reference `u0` under NPG of reward minus `beta` KL(policy || reference).
///
/// ```text
/// du/dt = J - beta (u - u0),   u(t) = u0 + (J/beta)(1 - exp(-beta t))
/// ```
/// `youden` J in [-1, 1]; `beta` >= 0, where 0 means no leash: `u0 + J t`.
///
/// Proof: NPG adds `-beta (log p_i - log p0_i)` to the advantage, so each log-ratio obeys a linear equation.
///
/// Assumptions: reverse KL to the start, exact gradient, tabular softmax, the same error rates for all arms of a kind.
///
/// # Source
/// Standard exponential tilt; "KL rescue" for J < 0: Rad et al., arXiv 2601.04411.
///
/// # Example
/// ```
/// use mta_theory::leash::logit_at;
/// assert!((logit_at(-2.0, -0.5, 0.25, 7.0) + 3.652452113099).abs() < 1e-12);
/// assert_eq!(logit_at(-2.0, 0.5, 0.0, 4.0), 0.0);
/// ```
pub fn logit_at(u0: f64, youden: f64, beta: f64, t: f64) -> f64 {
    let x = beta * t;
    u0 + youden * if x == 0.0 { t } else { -(-x).exp_m1() / beta }
}

/// Accuracy at which reward and leash balance: `sigma(logit p0 + J/beta)`; above 0 even for J < 0. The same for PG.
///
/// `p0` in (0, 1); `youden` J in [-1, 1]; `beta` > 0.
///
/// # Example
/// ```
/// assert!((mta_theory::leash::fixed_point(0.5, 1.0, 1.0 / 3f64.ln()) - 0.75).abs() < 1e-15);
/// ```
pub fn fixed_point(p0: f64, youden: f64, beta: f64) -> f64 {
    sigmoid(logit(p0) + youden / beta)
}

/// The policy at which reward and leash balance, arm by arm.
///
/// ```text
/// p*_i = p0_i exp(r_i / beta) / Z
/// ```
/// `p0`: reference with full support; `r`: one reward per arm; `beta` > 0 in units of reward per nat.
///
/// Proof: the penalised advantage `r_i - beta log(p_i/p0_i)` is the same for every arm exactly there; PG multiplies it by p_i > 0, so its stationary
/// points are the same.
///
/// # Example
/// ```
/// let p = mta_theory::leash::tilt(&[0.5, 0.5], &[3f64.ln(), 0.0], 1.0);
/// assert!((p[0] - 0.75).abs() < 1e-15);
/// ```
pub fn tilt(p0: &[f64], r: &[f64], beta: f64) -> Vec<f64> {
    let logits: Vec<f64> = p0.iter().zip(r).map(|(p, r)| p.ln() + r / beta).collect();
    softmax(&logits)
}

/// Drift of the log-odds `u` under NPG with group std of a true reward and a leash to `u0`: `2 cosh(u/2) - beta (u - u0)`, nats per unit of time.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::leash::group_std_drift(0.0, 0.0, 1.0), 2.0);
/// ```
pub fn group_std_drift(u: f64, u0: f64, beta: f64) -> f64 {
    2.0 * (u / 2.0).cosh() - beta * (u - u0)
}

/// Largest reference log-odds, nats, that a leash `beta` > 0 can hold against a group-std-normalised true reward.
///
/// ```text
/// u0_max = 2 asinh(beta) - (2/beta) sqrt(1 + beta^2)
/// ```
/// Proof: an equilibrium is a root of `u - (2/beta) cosh(u/2) = u0`; the left side is largest at `sinh(u/2) = beta`.
///
/// # Example
/// ```
/// let u0 = mta_theory::leash::largest_held_logit(1.0);
/// assert!((u0 - 2.0 * 1f64.asinh() + 8f64.sqrt()).abs() < 1e-15);
/// ```
pub fn largest_held_logit(beta: f64) -> f64 {
    2.0 * beta.asinh() - 2.0 * beta.recip().hypot(1.0)
}

/// Critical leash: below it group-std-normalised NPG has no interior equilibrium and accuracy runs to 1. The inverse of [`largest_held_logit`].
///
/// `p0` in (0, 1): accuracy of the reference.
///
/// Proof of the method: in `s = log beta` the function has slope `2 sqrt(1 + beta^-2)`, falling in s, so Newton's method stays left of the root.
///
/// Assumptions: binary true reward, population std, large groups, KL outside the std.
///
/// # Source
/// The recursion: Mroueh, arXiv 2503.06639; the threshold is our own. With a smoothing constant in the std a fixed point near 1 always exists.
///
/// # Example
/// ```
/// assert!((mta_theory::leash::critical_beta(0.5) - 1.5089).abs() < 5e-5);
/// ```
pub fn critical_beta(p0: f64) -> f64 {
    let u0 = logit(p0);
    let mut s = if u0 < -1.0 { (-2.0 / u0).ln() } else { u0 / 2.0 };
    for _ in 0..200 {
        let beta = s.exp();
        let step = (largest_held_logit(beta) - u0) / (2.0 * beta.recip().hypot(1.0));
        s -= step;
        if step.abs() < 1e-15 {
            break;
        }
    }
    s.exp()
}

/// The two equilibria of [`group_std_drift`], nats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Equilibria {
    /// The lower one, which the flow reaches from the reference.
    pub stable: f64,
    /// The upper one, beyond which accuracy runs to 1.
    pub unstable: f64,
}

/// Equilibria under a leash `beta` > 0 to the log-odds `u0`; `None` below the critical leash, where there is none. They coincide at the threshold.
///
/// Method: the drift is convex with its minimum at `2 asinh(beta)`; Newton's method from outside the roots is monotone.
///
/// # Example
/// A leash of 3 holds one half at 0.67:
/// ```
/// use mta_theory::{leash::equilibria, simplex::sigmoid};
/// assert!((sigmoid(equilibria(0.0, 3.0).unwrap().stable) - 0.6702).abs() < 5e-5);
/// assert!(equilibria(0.0, 1.4).is_none());
/// ```
pub fn equilibria(u0: f64, beta: f64) -> Option<Equilibria> {
    let turn = 2.0 * beta.asinh();
    let mut right = turn + 1.0;
    while group_std_drift(right, u0, beta) < 0.0 {
        right += right - turn;
    }
    (u0 <= largest_held_logit(beta)).then(|| Equilibria { stable: root(u0, u0, beta), unstable: root(right, u0, beta) })
}

/// Newton's method for a root of the drift, from `u` where the drift is positive.
fn root(mut u: f64, u0: f64, beta: f64) -> f64 {
    for _ in 0..2000 {
        let slope = (u / 2.0).sinh() - beta;
        let step = group_std_drift(u, u0, beta) / slope;
        if slope == 0.0 || step.abs() <= 1e-15 * u.abs().max(1e-3) {
            break;
        }
        u -= step;
    }
    u
}

/// One round of the recursion with the std of the old policy: `u' = u_ref + (2/beta) cosh(u/2)`, nats; the same equilibria.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::leash::recursion(0.0, 0.0, 2.0), 1.0);
/// ```
pub fn recursion(u: f64, u_ref: f64, beta: f64) -> f64 {
    u_ref + 2.0 / beta * (u / 2.0).cosh()
}

/// Whether the recursion settles at an equilibrium `u` if it starts close: `|sinh(u/2)| < beta`.
///
/// # Example
/// ```
/// assert!(mta_theory::leash::recursion_is_stable(0.0, 0.1));
/// ```
pub fn recursion_is_stable(u: f64, beta: f64) -> bool {
    (u / 2.0).sinh().abs() < beta
}

/// Log-odds at which a group-std-normalised reward from a verifier that errs balances the leash, nats.
///
/// ```text
/// J / sqrt(q (1-q)) = beta (u - u0),   q = f + J sigma(u)
/// ```
/// With 0 < f, t < 1 the push is bounded by `|J| / sqrt(min over t, f of x(1-x))`, so an equilibrium exists for every `beta` > 0; `None` where the
/// verifier may be certain. Found by bisection between `u0` and where the leash beats the bound: a root, the only one for strong leashes.
///
/// # Example
/// ```
/// use mta_theory::{leash::noisy_equilibrium, verifier::Verifier};
/// assert!(noisy_equilibrium(Verifier { tpr: 0.9, fpr: 0.1 }, 0.0, 0.1).is_some());
/// assert!(noisy_equilibrium(Verifier { tpr: 1.0, fpr: 0.1 }, 0.0, 0.1).is_none());
/// ```
pub fn noisy_equilibrium(verifier: Verifier, u0: f64, beta: f64) -> Option<f64> {
    let push = |u: f64| verifier.youden() / verifier.deviation(sigmoid(u));
    let slowest = verifier.deviation(0.0).min(verifier.deviation(1.0));
    let (mut near, mut far) = (u0, u0 + 1.001 * verifier.youden() / slowest / beta);
    for _ in 0..200 {
        let middle = near + (far - near) / 2.0;
        let still_pushed = (push(middle) - beta * (middle - u0)) * verifier.youden() > 0.0;
        *(if still_pushed { &mut near } else { &mut far }) = middle;
    }
    (slowest > 0.0).then_some(near)
}

/// P8: KL leash.
pub const P8: Proposition = Proposition {
    id: "P8",
    name: "kl-leash",
    statement: "With a KL penalty to the start, accuracy settles at sigma(logit p0 + J/beta): bounded gain for J > 0, bounded loss for J < 0.",
    assumptions: "Reverse KL to the start, exact gradient, tabular softmax, beta > 0, no std.",
    formula: "u(t) = u0 + (J/beta)(1 - exp(-beta t)); p* = p0 exp(r/beta) / Z.",
    source: "Standard tilt; Rad et al. arXiv 2601.04411.",
    inputs: &[
        real("p0", "accuracy of the reference and start", 0.1, (1e-300, 1.0 - 1e-16)),
        real("youden", "Youden's J of the verifier", -0.5, (-1.0, 1.0)),
        real("beta", "KL coefficient, reward per nat", 0.25, (1e-6, 1e6)),
        real("time", "time", 7.0, (0.0, 1e9)),
    ],
    outputs: &[output("accuracy", "accuracy under NPG at that time"), output("fixed_point", "accuracy in the end, NPG and PG")],
    evaluate: |x| vec![Some(sigmoid(logit_at(logit(x[0]), x[1], x[2], x[3]))), Some(fixed_point(x[0], x[1], x[2]))],
};

/// P9: group std against the leash.
pub const P9: Proposition = Proposition {
    id: "P9",
    name: "group-std-leash",
    statement: "With group std the push grows without bound near accuracy 1: below a critical KL coefficient no interior equilibrium exists.",
    assumptions: "Binary true reward, population std, large groups, KL outside the std.",
    formula: "du/dt = 2 cosh(u/2) - beta (u - u0); interior equilibrium iff u0 <= 2 asinh beta - (2/beta) sqrt(1 + beta^2).",
    source: "Recursion: Mroueh arXiv 2503.06639; threshold our own.",
    inputs: &[
        real("p0", "accuracy of the reference and start", 0.5, (1e-300, 1.0 - 1e-16)),
        real("beta", "KL coefficient, std-normalised reward per nat", 1.6, (1e-6, 1e6)),
    ],
    outputs: &[
        output("critical_beta", "smallest KL coefficient that holds the policy"),
        output("stable", "accuracy of the stable equilibrium"),
        output("unstable", "accuracy beyond which the policy runs to 1"),
        output("recursion_stable", "1 if the recursion with the std of the old policy settles at the stable equilibrium, else 0"),
        output("without_std", "accuracy in the end without std"),
    ],
    evaluate: |x| {
        let found = equilibria(logit(x[0]), x[1]);
        vec![
            Some(critical_beta(x[0])),
            found.map(|e| sigmoid(e.stable)),
            found.map(|e| sigmoid(e.unstable)),
            found.map(|e| f64::from(recursion_is_stable(e.stable, x[1]))),
            Some(fixed_point(x[0], 1.0, x[1])),
        ]
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use approx::{assert_abs_diff_eq, assert_relative_eq};

    #[test]
    fn a_bad_verifier_on_a_leash_leaves_something() {
        assert!(fixed_point(0.1, -1.0, 0.25) > 0.0);
        assert_relative_eq!(fixed_point(1e-300, -1.0, 1.0), 1e-300 / 1f64.exp(), max_relative = 1e-11);
        assert_relative_eq!(logit_at(0.0, 1.0, 1e-20, 3.0), 3.0, max_relative = 1e-15);
    }

    #[test]
    fn the_critical_leash_separates() {
        for p0 in [0.01, 0.1, 0.3, 0.5, 0.9] {
            assert!(equilibria(logit(p0), 0.98 * critical_beta(p0)).is_none());
            assert!(equilibria(logit(p0), 1.02 * critical_beta(p0)).is_some());
        }
    }

    #[test]
    fn the_recursion_settles_at_the_stable_equilibrium() {
        for beta in [1.6, 3.0] {
            let stable = equilibria(0.0, beta).unwrap().stable;
            assert!(recursion_is_stable(stable, beta));
            assert_relative_eq!((0..5000).fold(0.0, |u, _| recursion(u, 0.0, beta)), stable, max_relative = 1e-10);
        }
    }

    /// F5: at p0 = 0.5 a leash of 1.5 leaves a positive drift everywhere, so accuracy runs to 1; without std the same leash holds it at 0.66.
    #[test]
    fn flag_f5_a_leash_below_the_critical_one_holds_nothing() {
        let drifts = (0..2000).map(|i| group_std_drift(f64::from(i) * 0.01, 0.0, 1.5));
        assert!(drifts.fold(f64::INFINITY, f64::min) > 0.0);
        assert!(equilibria(0.0, 1.5).is_none() && equilibria(0.0, 1.51).is_some());
        assert_abs_diff_eq!(fixed_point(0.5, 1.0, 1.5), 0.6608, epsilon = 5e-5);
    }

    #[test]
    fn the_recursion_can_miss_an_equilibrium_of_the_flow() {
        let beta = 0.5;
        let stable = equilibria(logit(1e-9), beta).unwrap().stable;
        assert!(stable < 2.0 * beta.asinh() && !recursion_is_stable(stable, beta));
    }

    #[test]
    fn extreme_references_have_thresholds() {
        for p0 in [1e-300, 1e-12, 0.5, 1.0 - 1e-15] {
            assert_relative_eq!(largest_held_logit(critical_beta(p0)), logit(p0), max_relative = 1e-12, epsilon = 1e-12);
        }
        assert_relative_eq!(critical_beta(1e-300), 2.0 / 690.775527898, max_relative = 2e-5);
    }

    #[test]
    fn evaluates() {
        for x in [[1e-300, 1e-6], [1e-300, 1e6], [1.0 - 1e-16, 1e6], [0.5, 1e6], [1.0 - 1e-16, 1e-6], [0.5, 1.4]] {
            let out = (P9.evaluate)(&x);
            assert!(out.len() == P9.outputs.len() && out.iter().flatten().all(|v| v.is_finite()), "{x:?} {out:?}");
        }
        assert_eq!((P8.evaluate)(&[0.1, 0.5, 0.25, 0.0])[0], Some(sigmoid(logit(0.1))));
    }
}

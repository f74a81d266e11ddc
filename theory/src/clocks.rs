//! How long a binary true reward takes to raise accuracy under four learning rules (proposition P2).

use crate::proposition::{Proposition, output, real, whole};
use crate::simplex::{logit, sigmoid};

/// A learning rule in continuous time; its clock is how fast accuracy moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Policy gradient.
    Pg,
    /// Policy gradient with advantages divided by the standard deviation of the reward.
    PgStd,
    /// Natural policy gradient: replicator dynamics.
    Npg,
    /// Natural policy gradient with advantages divided by the standard deviation of the reward.
    NpgStd,
}

impl Clock {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Pg, Self::PgStd, Self::Npg, Self::NpgStd];
}

/// Inner collision probabilities: the chance that two samples of one kind are the same arm.
///
/// ```text
/// s_C = sum_C (p_i / p)^2,   s_W = sum_W (p_i / (1-p))^2
/// ```
/// Each is 1 for a single arm and 1/m for m equal arms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Collision {
    /// Among correct arms, in (0, 1].
    pub right: f64,
    /// Among wrong arms, in (0, 1].
    pub wrong: f64,
}

impl Collision {
    /// Collision probabilities of the policy `p`; `right[i]` says whether arm i is correct. `None` unless both kinds have mass.
    ///
    /// # Example
    /// ```
    /// use mta_theory::clocks::Collision;
    /// let c = Collision::of(&[0.5, 0.25, 0.25], &[true, false, false]).unwrap();
    /// assert_eq!((c.right, c.wrong), (1.0, 0.5));
    /// ```
    pub fn of(p: &[f64], right: &[bool]) -> Option<Self> {
        let kind = |kind: bool| {
            let arms = || p.iter().zip(right).filter(move |&(_, &r)| r == kind).map(|(p, _)| p);
            let mass: f64 = arms().sum();
            (mass > 0.0).then(|| arms().map(|p| (p / mass).powi(2)).sum())
        };
        Some(Self { right: kind(true)?, wrong: kind(false)? })
    }

    /// One correct and `arms - 1` equally likely wrong arms; `arms >= 2`.
    pub fn symmetric(arms: f64) -> Self {
        Self { right: 1.0, wrong: 1.0 / (arms - 1.0) }
    }

    /// `s_C + s_W` in (0, 2].
    pub fn sum(self) -> f64 {
        self.right + self.wrong
    }
}

/// Rate of accuracy `p` in [0, 1] under a true reward, per unit of time.
///
/// ```text
/// PG [p(1-p)]^2 (s_C+s_W)    PG+std [p(1-p)]^{3/2} (s_C+s_W)    NPG p(1-p)    NPG+std sqrt(p(1-p))
/// ```
/// Any number of arms and correct arms; the natural rules do not see the collision probabilities.
///
/// Proof: sum `dp_i` over the correct arms in P1 with A = 1 - p there and -p elsewhere: `sum_C p_i^2 (1-p)^2 + sum_W p_i^2 p^2`.
///
/// Assumptions: binary true reward, tabular softmax, exact expected gradient.
///
/// # Source
/// O(1/t) of the policy gradient: Mei et al., arXiv 2005.06392; the form with collision probabilities is our own.
///
/// # Example
/// ```
/// use mta_theory::clocks::{Clock, Collision, rate};
/// assert_eq!(rate(Clock::Pg, 0.5, Collision::symmetric(2.0)), 0.125);
/// assert_eq!(rate(Clock::NpgStd, 0.5, Collision::symmetric(2.0)), 0.5);
/// ```
pub fn rate(clock: Clock, p: f64, collision: Collision) -> f64 {
    let v = p * (1.0 - p);
    match clock {
        Clock::Pg => v * v * collision.sum(),
        Clock::PgStd => v * v.sqrt() * collision.sum(),
        Clock::Npg => v,
        Clock::NpgStd => v.sqrt(),
    }
}

/// Time from accuracy `p0` to `p` with one correct and `arms - 1` equally likely wrong arms.
///
/// ```text
/// PG       k [2u + 2 sinh u]             k = (K-1)/K, u = logit p, 2 sinh u = (2p-1)/(p(1-p))
/// PG+std   4k [sinh(u/2)]
/// NPG      [u]                           each bracket at p minus at p0
/// NPG+std  2 [arcsin sqrt p]             reaches p = 1 in the finite time 2 arccos sqrt(p0) <= pi
/// ```
/// `p0` in (0, 1), `p` in (0, 1], `arms` K >= 2. Infinite for p = 1 except NPG+std; negative for p < p0. Differences are taken as products of
/// hyperbolic functions, so that near times keep their digits.
///
/// Proof: integrate 1 / [`rate`]; symmetry of the wrong arms is preserved by the flow, so s_C + s_W = 1 + 1/(K-1) = 1/k throughout.
///
/// Assumptions: those of [`rate`], one correct arm, equal wrong arms.
///
/// # Source
/// Our own; arcsin: Davis and Recht, arXiv 2510.13651.
///
/// # Example
/// NPG doubles the odds in ln 2; NPG+std finishes from one half in pi/2:
/// ```
/// use mta_theory::clocks::{Clock, time};
/// assert!((time(Clock::Npg, 0.5, 2.0 / 3.0, 2.0) - 2f64.ln()).abs() < 1e-15);
/// assert!((time(Clock::NpgStd, 0.5, 1.0, 2.0) - std::f64::consts::FRAC_PI_2).abs() < 1e-15);
/// ```
pub fn time(clock: Clock, p0: f64, p: f64, arms: f64) -> f64 {
    let k = (arms - 1.0) / arms;
    let (du, sum) = (logit_change(p0, p), logit(p0) + logit(p));
    match clock {
        Clock::Pg => k * (2.0 * du + 4.0 * (sum / 2.0).cosh() * (du / 2.0).sinh()),
        Clock::PgStd => 8.0 * k * (sum / 4.0).cosh() * (du / 4.0).sinh(),
        Clock::Npg => du,
        Clock::NpgStd => 2.0 * arc_change((p0, 1.0 - p0), (p, 1.0 - p), p - p0),
    }
}

/// `logit p - logit p0` without cancellation when p is close to p0.
pub(crate) fn logit_change(p0: f64, p: f64) -> f64 {
    let excess = (p - p0) / (p0 * (1.0 - p));
    if excess.abs() < 0.5 { excess.ln_1p() } else { logit(p) - logit(p0) }
}

/// `arcsin sqrt(q1) - arcsin sqrt(q0)` from `(q, 1 - q)` and `q1 - q0`.
pub(crate) fn arc_change((q0, n0): (f64, f64), (q1, n1): (f64, f64), change: f64) -> f64 {
    let sine = change / ((q1 * n0).sqrt() + (q0 * n1).sqrt());
    sine.atan2((q0 * q1).sqrt() + (n0 * n1).sqrt())
}

/// Accuracy a time `t >= 0` after it was `p0`: the inverse of [`time`].
///
/// ```text
/// PG: root of 2u + 2 sinh u = 2u0 + 2 sinh u0 + t/k    PG+std: sinh(u/2) = sinh(u0/2) + t/(4k)
/// NPG: sigma(u0 + t)                                   NPG+std: sin^2(min(arcsin sqrt p0 + t/2, pi/2))
/// ```
///
/// # Example
/// ```
/// use mta_theory::clocks::{Clock, accuracy_at, time};
/// let t = time(Clock::Pg, 0.02, 0.97, 5.0);
/// assert!((accuracy_at(Clock::Pg, 0.02, t, 5.0) - 0.97).abs() < 1e-12);
/// ```
pub fn accuracy_at(clock: Clock, p0: f64, t: f64, arms: f64) -> f64 {
    let (k, u) = ((arms - 1.0) / arms, logit(p0));
    match clock {
        Clock::Pg => sigmoid(identity_plus_sinh_inverse(u + u.sinh() + t / (2.0 * k))),
        Clock::PgStd => sigmoid(2.0 * ((u / 2.0).sinh() + t / (4.0 * k)).asinh()),
        Clock::Npg => sigmoid(u + t),
        Clock::NpgStd => (p0.sqrt().asin() + t / 2.0).min(std::f64::consts::FRAC_PI_2).sin().powi(2),
    }
}

/// The w with `w + sinh w = y`, by Newton's method from `asinh y`, which lies beyond the root on the convex side.
fn identity_plus_sinh_inverse(y: f64) -> f64 {
    let mut w = y.asinh();
    for _ in 0..100 {
        let step = (w + w.sinh() - y) / (1.0 + w.cosh());
        w -= step;
        if step.abs() <= 1e-16 * w.abs() {
            break;
        }
    }
    w
}

/// Leading time to leave a small accuracy `p0`: `k/p0`, `2k/sqrt(p0)`, `ln(1/p0)`, and pi for NPG+std, with k = 1/(s_C+s_W).
///
/// # Example
/// ```
/// use mta_theory::clocks::{Clock, Collision, start_up};
/// assert_eq!(start_up(Clock::Pg, 0.01, Collision::symmetric(2.0)), 50.0);
/// ```
pub fn start_up(clock: Clock, p0: f64, collision: Collision) -> f64 {
    match clock {
        Clock::Pg => 1.0 / (collision.sum() * p0),
        Clock::PgStd => 2.0 / (collision.sum() * p0.sqrt()),
        Clock::Npg => -p0.ln(),
        Clock::NpgStd => std::f64::consts::PI,
    }
}

/// Leading error `1 - p` a long time `t` after accuracy was `p0`: `1/(s t)`, `4/(s t)^2`, `exp(-t)/odds0`, 0, with s = s_C + s_W in the limit.
///
/// # Example
/// ```
/// use mta_theory::clocks::{Clock, Collision, late_error};
/// assert_eq!(late_error(Clock::Pg, 0.5, 50.0, Collision::symmetric(2.0)), 0.01);
/// ```
pub fn late_error(clock: Clock, p0: f64, t: f64, collision: Collision) -> f64 {
    match clock {
        Clock::Pg => 1.0 / (collision.sum() * t),
        Clock::PgStd => 4.0 / (collision.sum() * t).powi(2),
        Clock::Npg => (-t - logit(p0)).exp(),
        Clock::NpgStd => 0.0,
    }
}

/// P2: four clocks.
pub const P2: Proposition = Proposition {
    id: "P2",
    name: "four-clocks",
    statement: "From a rare success, the policy gradient needs time 1/p0, with group std 1/sqrt(p0), the natural gradient log 1/p0, with group std at most pi.",
    assumptions: "Binary true reward, tabular softmax, exact expected gradient; closed times need one correct and equal wrong arms.",
    formula: "PG (K-1)/K [2u + 2 sinh u]; PG+std 4 (K-1)/K [sinh(u/2)]; NPG [u]; NPG+std 2 [arcsin sqrt p]; u = logit p, end minus start.",
    source: "Mei et al. arXiv 2005.06392; Davis and Recht arXiv 2510.13651; collision form our own.",
    inputs: &[
        real("p0", "accuracy at the start", 0.02, (1e-300, 1.0 - 1e-16)),
        real("p", "accuracy at the end", 0.97, (1e-300, 1.0)),
        whole("arms", "number of arms K", 2.0, (2.0, 1e6)),
    ],
    outputs: &[
        output("time_pg", "time of the policy gradient"),
        output("time_pg_std", "time of the policy gradient with group std"),
        output("time_npg", "time of the natural policy gradient"),
        output("time_npg_std", "time of the natural policy gradient with group std"),
    ],
    evaluate: |x| Clock::ALL.map(|clock| Some(time(clock, x[0], x[1], x[2])).filter(|t| t.is_finite())).to_vec(),
};

#[cfg(test)]
mod tests {
    use super::*;
    use approx::{assert_abs_diff_eq, assert_relative_eq};

    /// `[2 logit p + (2p-1)/(p(1-p))]`, as the sheet writes F.
    #[test]
    fn the_hyperbolic_form_is_the_algebraic_one() {
        let f = |p: f64| 2.0 * logit(p) + (2.0 * p - 1.0) / (p * (1.0 - p));
        assert_relative_eq!(time(Clock::Pg, 0.1, 0.8, 4.0), 0.75 * (f(0.8) - f(0.1)), max_relative = 1e-14);
        let g = |p: f64| 2.0 * (2.0 * p - 1.0) / (p * (1.0 - p)).sqrt();
        assert_relative_eq!(time(Clock::PgStd, 0.1, 0.8, 4.0), 0.75 * (g(0.8) - g(0.1)), max_relative = 1e-14);
    }

    /// The sheet's invariant: u + sinh u grows by 40 in a time of 40, and 2 sinh(u/2) under PG+std.
    #[test]
    fn two_arms_have_a_linear_clock() {
        let u = |clock| logit(accuracy_at(clock, 0.02, 40.0, 2.0));
        let (u0, u1) = (logit(0.02), u(Clock::Pg));
        assert_abs_diff_eq!(u1 + u1.sinh() - u0 - u0.sinh(), 40.0, epsilon = 1e-11);
        let u1 = u(Clock::PgStd);
        assert_abs_diff_eq!(2.0 * (u1 / 2.0).sinh() - 2.0 * (u0 / 2.0).sinh(), 40.0, epsilon = 1e-11);
    }

    /// The sheet's (1-p) t = 0.7971 against 0.7980 at t = 1e5 is for an unstated start with unequal wrong arms; with equal ones the limit is (K-1)/K.
    #[test]
    fn the_error_falls_as_promised() {
        let end = Collision::symmetric(5.0);
        for (clock, t, tolerance) in [(Clock::Pg, 1e9, 1e-6), (Clock::PgStd, 1e5, 2e-3), (Clock::Npg, 20.0, 1e-6)] {
            let error = 1.0 - accuracy_at(clock, 0.02, t, 5.0);
            assert_relative_eq!(error, late_error(clock, 0.02, t, end), max_relative = tolerance);
        }
        assert_eq!(accuracy_at(Clock::NpgStd, 0.02, 4.0, 5.0), 1.0);
    }

    #[test]
    fn rare_successes_take_their_time() {
        for clock in [Clock::Pg, Clock::PgStd, Clock::Npg] {
            let (exact, leading) = (time(clock, 1e-200, 0.5, 3.0), start_up(clock, 1e-200, Collision::symmetric(3.0)));
            assert_relative_eq!(exact, leading, max_relative = 1e-12);
        }
        assert!(time(Clock::NpgStd, 1e-200, 1.0, 3.0) <= start_up(Clock::NpgStd, 1e-200, Collision::symmetric(3.0)));
    }

    #[test]
    fn only_the_last_clock_reaches_the_vertex() {
        let out = (P2.evaluate)(&[0.02, 1.0, 2.0]);
        assert_eq!(out.iter().map(Option::is_some).collect::<Vec<_>>(), [false, false, false, true]);
        assert_relative_eq!(out[3].unwrap(), 2.0 * 0.02f64.sqrt().acos(), max_relative = 1e-14);
    }

    #[test]
    fn no_time_between_equal_accuracies() {
        for clock in Clock::ALL {
            assert_eq!(time(clock, 0.3, 0.3, 4.0), 0.0);
        }
    }

    #[test]
    fn collisions_need_both_kinds() {
        assert_eq!(Collision::of(&[1.0, 0.0], &[true, false]), None);
    }
}

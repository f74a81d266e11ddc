//! Learning from a verifier that errs: the same for every arm (proposition P6) or arm by arm (P7).

use crate::clocks::{Clock, Collision, arc_change, rate};
use crate::group_gradient::amplification;
use crate::proposition::{Proposition, output, real, whole};
use crate::simplex::softmax;

/// A verifier that accepts every correct arm with one chance and every wrong arm with another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verifier {
    /// True positive rate t in [0, 1].
    pub tpr: f64,
    /// False positive rate f in [0, 1].
    pub fpr: f64,
}

impl Verifier {
    /// Youden's index `J = t - f` in [-1, 1]: what is left of the reward.
    ///
    /// # Example
    /// ```
    /// assert_eq!(mta_theory::verifier::Verifier { tpr: 0.75, fpr: 0.25 }.youden(), 0.5);
    /// ```
    pub fn youden(self) -> f64 {
        self.tpr - self.fpr
    }

    /// Chance `q = f + J p` that a sample is accepted at accuracy `p`, as the mixture `t p + f (1-p)`.
    ///
    /// # Example
    /// ```
    /// assert_eq!(mta_theory::verifier::Verifier { tpr: 0.75, fpr: 0.25 }.acceptance(0.5), 0.5);
    /// ```
    pub fn acceptance(self, p: f64) -> f64 {
        self.tpr * p + self.fpr * (1.0 - p)
    }

    /// Chance `1 - q` that a sample is rejected, without cancellation.
    pub fn rejection(self, p: f64) -> f64 {
        (1.0 - self.tpr) * p + (1.0 - self.fpr) * (1.0 - p)
    }

    /// Standard deviation `sqrt(q (1-q))` of the reward.
    pub fn deviation(self, p: f64) -> f64 {
        (self.acceptance(p) * self.rejection(p)).sqrt()
    }

    /// Rate of accuracy `p` in [0, 1].
    ///
    /// ```text
    /// PG      J [p(1-p)]^2 (s_C + s_W)         PG+std   J / sqrt(q(1-q)) [p(1-p)]^2 (s_C + s_W)
    /// NPG     J p(1-p)                         NPG+std  J / sqrt(q(1-q)) p(1-p)
    /// ```
    /// Without std this is a pure change of time, theta(t; J) = theta(J t; 1), reversed for J < 0. 0 at the vertices.
    ///
    /// Proof: advantages are J times the clean ones and the std sees q instead of p.
    ///
    /// Assumptions: homogeneous errors, tabular softmax, exact expected gradient.
    ///
    /// # Source
    /// Rad et al., arXiv 2601.04411, whose page and notebooks state three other equations, see flag F4.
    ///
    /// # Example
    /// ```
    /// use mta_theory::{clocks::{Clock, Collision}, verifier::Verifier};
    /// let coin = Verifier { tpr: 0.75, fpr: 0.25 };
    /// assert_eq!(coin.rate(Clock::NpgStd, 0.5, Collision::symmetric(2.0)), 0.25);
    /// ```
    pub fn rate(self, clock: Clock, p: f64, collision: Collision) -> f64 {
        let (plain, std) = match clock {
            Clock::Pg | Clock::PgStd => (Clock::Pg, clock == Clock::PgStd),
            Clock::Npg | Clock::NpgStd => (Clock::Npg, clock == Clock::NpgStd),
        };
        let speed = self.youden() * rate(plain, p, collision);
        if std && speed != 0.0 { speed / self.deviation(p) } else { speed }
    }

    /// Factor on the gradient of accuracy in the expected GRPO step: `J c_G(q)`, see [`amplification`].
    ///
    /// # Example
    /// ```
    /// let coin = mta_theory::verifier::Verifier { tpr: 0.75, fpr: 0.25 };
    /// assert_eq!(coin.amplification(0.1, 2), 0.5);
    /// ```
    pub fn amplification(self, p: f64, group: u64) -> f64 {
        self.youden() * amplification(self.acceptance(p), group)
    }

    /// Time of NPG with group std from accuracy `p0` to `p`, both in (0, 1).
    ///
    /// ```text
    /// T = 2 [phi] + (1/J) { w_f [ln sin|phi - a_f| / sin(phi + a_f)] - w_t [ln sin|a_t - phi| / sin(phi + a_t)] }
    /// ```
    /// `phi = arcsin sqrt q`, `a_x = arcsin sqrt x`, `w_x = sqrt(x (1-x))`, brackets at p minus at p0. Infinite for J = 0; negative where p lies against
    /// the drift. All three terms have one sign, and `sin|phi - a_f| sin(phi + a_f) = |J| p`, so rare successes keep their digits.
    ///
    /// Proof: substitute `q = sin^2 phi` in `T = integral dp sqrt(q(1-q)) / (J p(1-p))` and split `1/((q-f)(t-q))` into partial fractions;
    /// `2q(1-q)/(q-f) = -2q + 2(1-f) + 2f(1-f)/(q-f)` leaves elementary integrals.
    ///
    /// # Example
    /// Without errors the time of NPG+std from one half to three quarters is pi/6:
    /// ```
    /// let t = mta_theory::verifier::Verifier { tpr: 1.0, fpr: 0.0 }.npg_std_time(0.5, 0.75);
    /// assert!((t - std::f64::consts::FRAC_PI_6).abs() < 1e-15);
    /// ```
    pub fn npg_std_time(self, p0: f64, p: f64) -> f64 {
        let j = self.youden();
        if j == 0.0 {
            return f64::INFINITY;
        }
        let ends = [p0, p].map(|p| (self.acceptance(p), self.rejection(p)));
        let turn = arc_change(ends[0], ends[1], j * (p - p0));
        let start = boundary_term(self.fpr, ends, turn, log_ratio(p0, p, p - p0));
        let finish = boundary_term(self.tpr, ends, turn, log_ratio(1.0 - p0, 1.0 - p, p0 - p));
        2.0 * turn + (start - finish) / j
    }
}

/// `w_x [ln sin|phi - a_x| / sin(phi + a_x)]` from the change `turn` of phi and the change `mass` of `ln sin|phi - a_x| sin(phi + a_x)`.
fn boundary_term(x: f64, [start, end]: [(f64, f64); 2], turn: f64, mass: f64) -> f64 {
    let weight = (x * (1.0 - x)).sqrt();
    if weight == 0.0 {
        return 0.0;
    }
    let (a, phi) = (angle((x, 1.0 - x)), angle(start));
    let sine = |(q, n): (f64, f64)| ((1.0 - x) * q).sqrt() + (x * n).sqrt();
    let change = 2.0 * (phi + turn / 2.0 + a).cos() * (turn / 2.0).sin();
    weight * (mass - 2.0 * log_ratio(sine(start), sine(end), change))
}

/// `arcsin sqrt q` from `(q, 1 - q)`.
fn angle((q, n): (f64, f64)) -> f64 {
    q.sqrt().atan2(n.sqrt())
}

/// `ln(b / a)`, through the difference `change = b - a` when that is small.
fn log_ratio(a: f64, b: f64, change: f64) -> f64 {
    if change.abs() < 0.5 * a { (change / a).ln_1p() } else { (b / a).ln() }
}

/// Policy a time `t` after it was `p0` under the natural gradient when arm i is accepted with chance `r_i`, always the same.
///
/// ```text
/// p_i(t) = p_i(0) exp(r_i t) / Z
/// ```
/// `p0`: probabilities, zeros allowed; `r`: acceptance of each arm in [0, 1]; `t` any time. The fate is the arm of largest r in the support, whatever
/// the average of Youden's index.
///
/// Proof: log-ratios of a replicator grow at `r_i - r_j`; ties freeze them.
///
/// Assumptions: acceptance depends on the arm only, tabular softmax, exact gradient, no std (it only rescales time).
///
/// # Source
/// Replicator algebra; delay, plateau and collapse: arXiv 2605.02909.
///
/// # Example
/// ```
/// let p = mta_theory::verifier::natural_policy(&[0.5, 0.5], &[1.0, 0.0], 3f64.ln());
/// assert!((p[0] - 0.75).abs() < 1e-15);
/// ```
pub fn natural_policy(p0: &[f64], r: &[f64], t: f64) -> Vec<f64> {
    let logits: Vec<f64> = p0.iter().zip(r).map(|(p, r)| p.ln() + r * t).collect();
    softmax(&logits)
}

/// Where the natural gradient ends: the arms of largest acceptance in the support share everything in their initial ratio.
///
/// # Example
/// A wrong arm accepted as often as the right one keeps its lead for ever:
/// ```
/// let p = mta_theory::verifier::natural_fate(&[0.1, 0.2, 0.7], &[1.0, 1.0, 0.0]);
/// assert!((p[1] - 2.0 / 3.0).abs() < 1e-15 && p[2] == 0.0);
/// ```
pub fn natural_fate(p0: &[f64], r: &[f64]) -> Vec<f64> {
    share_among(p0, |i| r[i] == best_acceptance(p0, r))
}

/// Where the policy gradient ends: among the arms of largest acceptance in the support the initially largest takes all (P3); exact ties share.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::verifier::gradient_fate(&[0.1, 0.2, 0.7], &[1.0, 1.0, 0.0]), [0.0, 1.0, 0.0]);
/// ```
pub fn gradient_fate(p0: &[f64], r: &[f64]) -> Vec<f64> {
    let best = best_acceptance(p0, r);
    let largest = p0.iter().zip(r).filter(|&(_, &r)| r == best).map(|(&p, _)| p).fold(0.0, f64::max);
    share_among(p0, |i| r[i] == best && p0[i] == largest)
}

fn best_acceptance(p0: &[f64], r: &[f64]) -> f64 {
    p0.iter().zip(r).filter(|&(&p, _)| p > 0.0).map(|(_, &r)| r).fold(f64::NEG_INFINITY, f64::max)
}

/// The policy `p0` restricted to the arms that are `kept`.
fn share_among(p0: &[f64], kept: impl Fn(usize) -> bool) -> Vec<f64> {
    let weights: Vec<f64> = p0.iter().enumerate().map(|(i, &p)| if kept(i) { p } else { 0.0 }).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|w| w / sum).collect()
}

/// P6: homogeneous verifier noise.
pub const P6: Proposition = Proposition {
    id: "P6",
    name: "noisy-verifier",
    statement: "A verifier with the same error rates for every arm only slows learning by Youden's J (reverses it for J < 0); with std it also removes both boosts.",
    assumptions: "Every correct arm accepted with chance t, every wrong one with f; tabular softmax, exact expected gradient.",
    formula: "PG: theta(tau; J) = theta(J tau; 1). With std: dp/dt = J/sqrt(q(1-q)) times [p(1-p)]^2 (s_C+s_W) or p(1-p), q = f + J p.",
    source: "Rad et al. arXiv 2601.04411.",
    inputs: &[
        real("p0", "accuracy at the start", 0.1, (1e-300, 1.0 - 1e-16)),
        real("p", "accuracy at the end", 0.95, (1e-300, 1.0 - 1e-16)),
        real("tpr", "true positive rate", 0.8, (0.0, 1.0)),
        real("fpr", "false positive rate", 0.0, (0.0, 1.0)),
        whole("arms", "number of arms, wrong ones equally likely", 2.0, (2.0, 1e6)),
        whole("group", "samples per group", 8.0, (1.0, 1e6)),
    ],
    outputs: &[
        output("youden", "J = tpr - fpr"),
        output("rate_pg", "rate of accuracy p0 under PG"),
        output("rate_pg_std", "the same with std"),
        output("rate_npg", "the same under NPG"),
        output("rate_npg_std", "the same under NPG with std"),
        output("amplification", "factor on the gradient in the expected GRPO step at p0"),
        output("time_npg_std", "time of NPG with std from p0 to p, where the drift leads there"),
    ],
    evaluate: |x| {
        let verifier = Verifier { tpr: x[2], fpr: x[3] };
        let rates = Clock::ALL.map(|clock| Some(verifier.rate(clock, x[0], Collision::symmetric(x[4]))));
        let time = verifier.npg_std_time(x[0], x[1]);
        let last = [Some(verifier.amplification(x[0], x[5] as u64)), Some(time).filter(|t| t.is_finite() && *t >= 0.0)];
        [Some(verifier.youden())].into_iter().chain(rates).chain(last).collect()
    },
};

/// P7: arm-specific acceptance.
pub const P7: Proposition = Proposition {
    id: "P7",
    name: "systematic-acceptance",
    statement: "Only the acceptance of each arm matters: the arm accepted most often wins, however good the verifier is on average.",
    assumptions: "Acceptance depends on the arm only; tabular softmax; exact gradient; no std.",
    formula: "NPG: p_i(t) = p_i(0) exp(r_i t) / Z. Ties: NPG keeps their ratio, PG collapses onto the initially larger.",
    source: "Replicator algebra; arXiv 2605.02909.",
    inputs: &[
        real("p_right", "initial mass of the correct arm", 0.5, (0.0, 1.0)),
        real("p_hack", "initial mass of the wrong arm that is often accepted; the rest is never accepted", 0.02, (0.0, 1.0)),
        real("r_right", "acceptance of the correct arm", 0.9, (0.0, 1.0)),
        real("r_hack", "acceptance of the hack", 1.0, (0.0, 1.0)),
        real("time", "time", 20.0, (0.0, 1e6)),
    ],
    outputs: &[
        output("youden", "true minus false positive rate at the start, averaged over the wrong arms"),
        output("accuracy", "accuracy under NPG at that time"),
        output("fate_npg", "accuracy under NPG in the end"),
        output("fate_pg", "accuracy under PG in the end"),
    ],
    evaluate: |x| {
        let (p, r) = ([x[0], x[1], 1.0 - x[0] - x[1]], [x[2], x[3], 0.0]);
        let wrong = p[1] + p[2];
        let valid = |value: f64| Some(value).filter(|v| p[2] >= 0.0 && v.is_finite());
        let fates = [natural_fate(&p, &r)[0], gradient_fate(&p, &r)[0]];
        vec![valid(x[2] - p[1] * x[3] / wrong), valid(natural_policy(&p, &r, x[4])[0]), valid(fates[0]), valid(fates[1])]
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use approx::{assert_abs_diff_eq, assert_relative_eq};

    /// `(1/J) {[I_f] - [I_t]}` with I_x as the sheet writes it.
    #[test]
    fn the_sine_form_is_the_tangent_form() {
        let (f, t) = (0.2, 0.9);
        let i = |x: f64, q: f64| {
            let phi = q.sqrt().asin();
            let (a, b) = ((1.0 - x).sqrt() * phi.tan(), x.sqrt());
            (1.0 - 2.0 * x) * phi + 0.5 * (2.0 * phi).sin() + (x * (1.0 - x)).sqrt() * ((a - b) / (a + b)).abs().ln()
        };
        let verifier = Verifier { tpr: t, fpr: f };
        let (q0, q1) = (verifier.acceptance(0.1), verifier.acceptance(0.8));
        let sheet = (i(f, q1) - i(f, q0) - i(t, q1) + i(t, q0)) / verifier.youden();
        assert_relative_eq!(verifier.npg_std_time(0.1, 0.8), sheet, max_relative = 1e-13);
    }

    #[test]
    fn without_errors_the_clocks_are_the_clean_ones() {
        let clean = Verifier { tpr: 1.0, fpr: 0.0 };
        for clock in Clock::ALL {
            let c = Collision::symmetric(4.0);
            assert_relative_eq!(clean.rate(clock, 0.2, c), rate(clock, 0.2, c), max_relative = 1e-14);
            assert_eq!(clean.rate(clock, 0.0, c), 0.0);
        }
    }

    #[test]
    fn noise_removes_both_boosts() {
        let noisy = Verifier { tpr: 0.9, fpr: 0.2 };
        let two = Collision::symmetric(2.0);
        assert_relative_eq!(noisy.rate(Clock::NpgStd, 1e-100, two) / 1e-100, 0.7 / (0.2f64 * 0.8).sqrt(), max_relative = 1e-12);
        let end = 1.0 - 1e-12;
        assert_relative_eq!(noisy.rate(Clock::NpgStd, end, two) / (1.0 - end), 0.7 / (0.9f64 * 0.1).sqrt(), max_relative = 1e-10);
    }

    /// F4: the released material of arXiv 2601.04411 has three equations for the bad mass b = 1 - p; none has the collision factor.
    #[test]
    fn flag_f4_three_published_equations_miss_the_collision_factor() {
        let (p, two, many) = (0.3, Collision::symmetric(2.0), Collision { right: 0.25, wrong: 0.1 });
        let (v, page) = (0.21f64, |j: f64| j * 0.21f64.powf(1.5));
        let notebook_1 = |verifier: Verifier| verifier.youden() / verifier.deviation(p) * v * v;
        let clean = Verifier { tpr: 1.0, fpr: 0.0 };
        let noisy = Verifier { tpr: 0.8, fpr: 0.2 };
        assert_relative_eq!(page(1.0), notebook_1(clean), max_relative = 1e-14);
        assert!((page(0.6) / notebook_1(noisy) - 1.0).abs() > 0.05);
        assert_relative_eq!(noisy.rate(Clock::PgStd, p, two), 2.0 * notebook_1(noisy), max_relative = 1e-14);
        assert_relative_eq!(noisy.rate(Clock::PgStd, p, many), 0.35 * notebook_1(noisy), max_relative = 1e-14);
        let notebook_2 = 0.6 * v;
        assert_relative_eq!(noisy.rate(Clock::Npg, p, many), notebook_2, max_relative = 1e-14);
        assert!((notebook_2 / noisy.rate(Clock::PgStd, p, two) - 1.0).abs() > 0.1);
    }

    /// F3: TPR 0.9 and mean FPR 0.04, an average J of 0.86, yet accuracy rises and then collapses. The sheet does not give the initial accuracy;
    /// 0.5 reproduces its four numbers.
    #[test]
    fn flag_f3_one_hack_flips_the_fate() {
        let (p, r) = ([0.5, 0.02, 0.48], [0.9, 1.0, 0.0]);
        for (t, accuracy, digit) in [(5.0, 0.929, 1e-3), (20.0, 0.772, 1e-3), (60.0, 0.058, 1e-3), (120.0, 0.0002, 1e-4)] {
            assert_abs_diff_eq!(natural_policy(&p, &r, t)[0], accuracy, epsilon = digit * 0.51);
        }
        assert_abs_diff_eq!((P7.evaluate)(&[0.5, 0.02, 0.9, 1.0, 20.0])[0].unwrap(), 0.86, epsilon = 1e-12);
        assert_eq!(natural_fate(&p, &r), [0.0, 1.0, 0.0]);
        assert_eq!(gradient_fate(&p, &r), [0.0, 1.0, 0.0]);
    }

    #[test]
    fn a_tied_hack_is_a_plateau_or_a_coup() {
        let (p, r) = ([0.1, 0.2, 0.7], [1.0, 1.0, 0.0]);
        let late = natural_policy(&p, &r, 100.0);
        assert_abs_diff_eq!(late[0], 0.3333, epsilon = 5e-5);
        assert_abs_diff_eq!(late[1], 0.6667, epsilon = 5e-5);
        assert_eq!(gradient_fate(&p, &r), [0.0, 1.0, 0.0]);
        assert_eq!(gradient_fate(&[0.2, 0.1, 0.7], &r), [1.0, 0.0, 0.0]);
        assert_eq!(gradient_fate(&[0.2, 0.2, 0.6], &r), [0.5, 0.5, 0.0]);
    }

    #[test]
    fn arms_outside_the_support_stay_there() {
        assert_eq!(natural_fate(&[0.0, 0.4, 0.6], &[1.0, 0.5, 0.2]), [0.0, 1.0, 0.0]);
        assert_eq!(natural_policy(&[0.0, 1.0], &[1.0, 0.0], 100.0), [0.0, 1.0]);
    }

    #[test]
    fn evaluates() {
        let out = (P6.evaluate)(&[0.1, 0.95, 0.5, 0.5, 2.0, 8.0]);
        assert_eq!((out.len(), out[6]), (P6.outputs.len(), None));
        assert_eq!((P6.evaluate)(&[0.1, 0.95, 0.2, 0.8, 2.0, 8.0])[6], None);
        assert_eq!((P7.evaluate)(&[0.9, 0.2, 0.5, 0.5, 1.0]), vec![None; 4]);
    }
}

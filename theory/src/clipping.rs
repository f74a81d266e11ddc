//! What PPO's ratio clip does to rewards that know nothing of the action (propositions P13, P14).
//!
//! Two arms with softmax logits, p the probability of the first, u = logit p, advantages independent of actions. A sample of arm i stops pushing once its
//! ratio to the sampling policy exceeds 1 + eps (if it pushes up) or falls below 1 - eps (if it pushes down).

use crate::proposition::{Proposition, output, real, whole};
use crate::simplex::{logit, sigmoid};
use std::f64::consts::PI;

/// One pass over fresh minibatches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pass {
    /// Probability of the first arm under the sampling policy, in (0, 1).
    pub p: f64,
    /// Clip range eps in (0, 1).
    pub clip: f64,
    /// Step size eta >= 0.
    pub step: f64,
    /// Minibatches B >= 1, one update each.
    pub minibatches: u32,
    /// Samples per minibatch n >= 1.
    pub size: f64,
    /// Mean squared advantage v.
    pub second_moment: f64,
    /// Mean absolute advantage E|A|.
    pub mean_size: f64,
}

/// Mean change of u = logit p over a pass, first order in the clip's force; nats.
///
/// ```text
/// E[d u] = eta sum_{b=1}^{B-1} E g(u_old + s_b Z),   s_b^2 = 4 eta^2 v p (1 - p) b / n
/// g = 2 p_u (1 - p_u) (b_1 - b_2),   b_i = (E|A| / 2) [ 1(rho_i < 1 - eps) - 1(rho_i > 1 + eps) ]
/// ```
/// Its sign is the sign of p - 1/2: the minority arm's upper clip is nearer in u than its lower one.
///
/// Proof: where rho_i > 1 + eps the positive half of the advantages of arm i is cut, where rho_i < 1 - eps the negative half, which leaves the mean force
/// b_i p_i (e_i - p); average it over the Gaussian displacement that the earlier minibatches made.
///
/// Assumptions: advantages symmetric and independent of actions; small steps; the clip's own force does not alter the displacement.
///
/// Source: own; the bias is that of arXiv 2506.10947.
///
/// # Example
/// The majority gains, and a fair coin does not move:
/// ```
/// use mta_theory::clipping::{Pass, first_order_drift};
/// let pass = Pass { p: 0.8, clip: 0.2, step: 4.0, minibatches: 2, size: 400.0, second_moment: 1.0, mean_size: 1.0 };
/// assert!((first_order_drift(&pass) - 0.03162).abs() < 5e-6);
/// assert!(first_order_drift(&Pass { p: 0.5, ..pass }).abs() < 1e-16);
/// ```
pub fn first_order_drift(pass: &Pass) -> f64 {
    let spread = 4.0 * pass.step * pass.step * pass.second_moment * pass.p * (1.0 - pass.p) / pass.size;
    let force = |b: u32| mean_force(pass.p, pass.clip, (spread * f64::from(b)).sqrt());
    pass.step * pass.mean_size * (1..pass.minibatches).map(force).sum::<f64>()
}

/// `E g / E|A|` at displacement `s Z`.
fn mean_force(p: f64, clip: f64, s: f64) -> f64 {
    if s == 0.0 {
        return 0.0;
    }
    let (u, q) = (logit(p), 1.0 - p);
    let beyond = |u: f64, x: f64| if x < 1.0 { mass_above(u, s, logit(x)) } else { 0.0 };
    let unless = |u: f64, x: f64| mass_above(u, s, -logit(x));
    // up: arm 1 above 1 + eps, arm 2 below 1 - eps; down: the mirror images
    let up = beyond(u, (1.0 + clip) * p) + unless(u, (1.0 - clip) * q);
    let down = beyond(-u, (1.0 + clip) * q) + unless(-u, (1.0 - clip) * p);
    down - up
}

/// `E[ sigma(x) (1 - sigma(x)); x > from ]` for x normal with mean `u` and deviation `s`, `from >= u`.
fn mass_above(u: f64, s: f64, from: f64) -> f64 {
    let length = (12.0 * s + s * s).min((-from).max(0.0) + 40.0);
    let panels = (4.0 * length / s.min(1.0)).ceil().max(1.0);
    let density = |x: f64| {
        let z = (x - u) / s;
        sigmoid(x) * sigmoid(-x) * (-0.5 * z * z).exp()
    };
    integral(density, from, from + length, panels as usize) / (s * (2.0 * PI).sqrt())
}

/// Integral by eight-point Gauss-Legendre on equal panels.
fn integral(f: impl Fn(f64) -> f64, from: f64, to: f64, panels: usize) -> f64 {
    let half = 0.5 * (to - from) / panels as f64;
    let panel = |i: usize| {
        let middle = from + half * (2 * i + 1) as f64;
        GAUSS.iter().map(|(x, w)| w * (f(middle - half * x) + f(middle + half * x))).sum::<f64>()
    };
    half * (0..panels).map(panel).sum::<f64>()
}

/// Positive nodes and weights of the eight-point rule.
const GAUSS: [(f64, f64); 4] = [
    (0.1834346424956498, 0.362683783378362),
    (0.525532409916329, 0.31370664587788727),
    (0.7966664774136267, 0.22238103445337448),
    (0.9602898564975362, 0.10122853629037624),
];

/// Mean change of p over a rollout batch whose noise is much larger than the clip range: leading order in eps.
///
/// ```text
/// E[d p] = (2p - 1) eps^2 min(p, 1-p) / max(p, 1-p)
/// ```
/// `p` in (0, 1); `clip` eps in (0, 1). Independent of step size, batch sizes and reward noise.
///
/// # Example
/// ```
/// assert!((mta_theory::clipping::saturated_drift_leading(0.8, 0.2) - 0.006).abs() < 1e-15);
/// ```
pub fn saturated_drift_leading(p: f64, clip: f64) -> f64 {
    (2.0 * p - 1.0) * clip * clip * p.min(1.0 - p) / p.max(1.0 - p)
}

/// Mean change of p over a rollout batch whose noise is much larger than the clip range, to all orders in eps.
///
/// ```text
/// E[d p] = mean of x over the density ∝ [(p + x)(1 - p - x)]^{-3},   |x| < eps min(p, 1 - p)
/// ```
/// `p` in (0, 1); `clip` eps in (0, 0.9]. [`saturated_drift_leading`] is its first term.
///
/// Proof: importance weights make the variance rate of u proportional to `[p_u (1 - p_u)]^2`, without drift between the walls, so the density in u is its
/// inverse, and du/dp = 1 / (p (1 - p)). The walls are where the minority arm's ratio is 1 ± eps. With t = x / min and r = min / max the density is
/// `(1 - t^2 r ± t (1 - r))^{-3}`; the difference of its two branches is taken in closed form, so that small eps keep their digits.
///
/// # Example
/// ```
/// use mta_theory::clipping::{saturated_drift, saturated_drift_leading};
/// assert!((saturated_drift(0.8, 1e-4) / saturated_drift_leading(0.8, 1e-4) - 1.0).abs() < 1e-7);
/// ```
pub fn saturated_drift(p: f64, clip: f64) -> f64 {
    let (small, large) = (p.min(1.0 - p), p.max(1.0 - p));
    let r = small / large;
    // a^3 times the half sum and half difference of the two branches (a ± b)^{-3}, b = a y
    let branches = |t: f64| {
        let a = 1.0 - t * t * r;
        let y = t * (1.0 - r) / a;
        (y, (a * (1.0 - y * y)).powi(-3))
    };
    let odd = |t: f64| {
        let (y, scale) = branches(t);
        scale * y * (3.0 + y * y)
    };
    let even = |t: f64| {
        let (y, scale) = branches(t);
        scale * (1.0 + 3.0 * y * y)
    };
    let mean = integral(|t| t * odd(t), 0.0, clip, PANELS) / integral(even, 0.0, clip, PANELS);
    (2.0 * p - 1.0).signum() * small * mean
}

/// Panels of the saturated density.
const PANELS: usize = 64;

/// Chance that the first arm wins when saturated batches are iterated: `I_p(7, 7)`, the regularised incomplete beta function.
///
/// Proof: drift [`saturated_drift_leading`] and variance (eps min)^2 / 3 give the scale density `exp(-int 2 drift / variance) = [p (1 - p)]^6`. As a sum of
/// positive terms, the chance of seven successes in thirteen.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::clipping::chance_to_win(0.5), 0.5);
/// assert!((mta_theory::clipping::chance_to_win(0.6) - 0.771).abs() < 5e-4);
/// ```
pub fn chance_to_win(p: f64) -> f64 {
    crate::majority::maj_at(p, 13)
}

/// Largest sampling probability from which the upper clip can be reached at all: `1 / (1 + eps)`.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::clipping::reachable_up_to(0.25), 0.8);
/// ```
pub fn reachable_up_to(clip: f64) -> f64 {
    1.0 / (1.0 + clip)
}

/// One group whose batch is reused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reuse {
    /// Probability of the first arm under the sampling policy, in (0, 1).
    pub p: f64,
    /// Clip range eps > 0; infinite for no clip.
    pub clip: f64,
    /// Step size eta >= 0.
    pub step: f64,
    /// Samples per group G.
    pub group: u32,
    /// Full-batch epochs E.
    pub epochs: u32,
}

/// What reuse does to p on average, and to the median.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reused {
    /// E[d p].
    pub drift: f64,
    /// P(d p > 0).
    pub up: f64,
    /// P(d p < 0).
    pub down: f64,
}

/// Mean change of p when one group of random fair rewards is used for several epochs, exactly.
///
/// ```text
/// E[d p] = sum over (n, x, y) of Bin(G, p)(n) Bin(n, 1/2)(x) Bin(G - n, 1/2)(y) d p(n, x, y)
/// ```
/// n samples of the first arm, x of them and y of the others rewarded; given the counts the epochs are deterministic. Advantages are standardised by the
/// group's mean and population standard deviation. Cost: G^3 / 6 runs of E epochs.
///
/// Pushes are symmetric in u, ups of p are capped at min(eps p, 1 - p) and downs near eps p, and the curvature of the logistic lowers the mean of p above
/// 1/2: E[d p] < 0 for a majority arm near or above 1 / (1 + eps), although the clip adds a positive amount, while the median hardly moves.
///
/// Validity of that sign: seen for p in [0.8, 0.9], eps in [0.2, 0.3], eta <= 0.4, E >= 16. It is no theorem: steps that overshoot a narrow clip can raise a
/// smaller majority (p = 0.75, eps = 0.1, eta = 0.43, G = 6, E = 17: +0.0021).
///
/// Assumptions: two arms, one group, rewards fair and independent of actions.
///
/// Source: own; restricts arXiv 2506.10947.
///
/// # Example
/// Without epochs nothing moves; with 16 the majority loses a percent:
/// ```
/// use mta_theory::clipping::{Reuse, reused_batch};
/// let reuse = Reuse { p: 0.8, clip: 0.2, step: 0.3, group: 8, epochs: 16 };
/// assert_eq!(reused_batch(&Reuse { epochs: 0, ..reuse }).drift, 0.0);
/// assert!((reused_batch(&reuse).drift + 0.0097).abs() < 3e-4);
/// ```
pub fn reused_batch(reuse: &Reuse) -> Reused {
    let mut total = Reused { drift: 0.0, up: 0.0, down: 0.0 };
    for n in 0..=reuse.group {
        for x in 0..=n {
            for y in 0..=reuse.group - n {
                let chance = binomial(reuse.group, n, reuse.p) * binomial(n, x, 0.5) * binomial(reuse.group - n, y, 0.5);
                let change = after_epochs(reuse, n, x, y) - reuse.p;
                total.drift += chance * change;
                total.up += if change > STILL { chance } else { 0.0 };
                total.down += if change < -STILL { chance } else { 0.0 };
            }
        }
    }
    total
}

/// Change of p that counts as none: rounding.
const STILL: f64 = 1e-13;

fn binomial(n: u32, k: u32, p: f64) -> f64 {
    let choose = statrs::function::factorial::ln_binomial(u64::from(n), u64::from(k)).exp().round();
    choose * p.powi(k as i32) * (1.0 - p).powi((n - k) as i32)
}

/// p after the epochs, given `n` samples of the first arm and `x`, `y` rewarded ones of the first and second arm.
fn after_epochs(reuse: &Reuse, n: u32, x: u32, y: u32) -> f64 {
    let (g, rewarded) = (f64::from(reuse.group), f64::from(x + y));
    if rewarded == 0.0 || rewarded == g {
        return reuse.p;
    }
    let (good, bad) = (((g - rewarded) / rewarded).sqrt(), -(rewarded / (g - rewarded)).sqrt());
    let push = |ratio: f64, winners: u32, losers: u32| {
        let up = if ratio > 1.0 + reuse.clip { 0.0 } else { f64::from(winners) * good };
        let down = if ratio < 1.0 - reuse.clip { 0.0 } else { f64::from(losers) * bad };
        ratio * (up + down)
    };
    let epoch = |u: f64| {
        let (p, q) = (sigmoid(u), sigmoid(-u));
        let first = push(p / reuse.p, x, n - x) * q;
        let second = push(q / (1.0 - reuse.p), y, reuse.group - n - y) * p;
        u + 2.0 * reuse.step / g * (first - second)
    };
    sigmoid((0..reuse.epochs).fold(logit(reuse.p), |u, _| epoch(u)))
}

/// P13: over fresh minibatches the clip amplifies the prior mode.
pub const P13: Proposition = Proposition {
    id: "P13",
    name: "clip-drift",
    statement: "In one pass over fresh minibatches, random rewards and a ratio clip move mass to the arm that starts as the mode, once the noise exceeds the \
                clip range; below it accuracy drifts to 1/2 as without a clip.",
    assumptions: "Two arms; advantages symmetric, independent of actions, of size 1; one update per minibatch.",
    formula: "E[du] = eta sum_b E g(u + s_b Z);  saturated: E[dp] = (2p-1) eps^2 min/max;  iterated: P(win) = I_p(7,7)",
    source: "own; clip bias: arXiv 2506.10947, 2509.26114, 2512.16912",
    inputs: &[
        real("p", "probability of the first arm", 0.8, (1e-100, 0.9999999999999)),
        real("clip", "clip range", 0.2, (1e-6, 0.9)),
        real("eta", "step size", 1.0, (0.0, 100.0)),
        whole("minibatches", "minibatches per pass", 8.0, (1.0, 100.0)),
        whole("size", "samples per minibatch", 8.0, (1.0, 1e6)),
    ],
    outputs: &[
        output("first_order", "mean change of logit p over a pass, first order in the clip, nats"),
        output("saturated", "mean change of p, noise much larger than the clip range"),
        output("saturated_leading", "the same to leading order in the clip range"),
        output("win", "chance that the first arm wins in the end, saturated"),
        output("reachable", "1 if the first arm's upper clip can be reached, otherwise 0"),
    ],
    evaluate: |x| {
        let pass = Pass { p: x[0], clip: x[1], step: x[2], minibatches: x[3] as u32, size: x[4], second_moment: 1.0, mean_size: 1.0 };
        let reachable = f64::from(x[0] < reachable_up_to(x[1]));
        let saturated = [saturated_drift(x[0], x[1]), saturated_drift_leading(x[0], x[1])];
        vec![Some(first_order_drift(&pass)), Some(saturated[0]), Some(saturated[1]), Some(chance_to_win(x[0])), Some(reachable)]
    },
};

/// P14: reusing one batch reverses the sign.
pub const P14: Proposition = Proposition {
    id: "P14",
    name: "reused-batch",
    statement: "When one batch of random rewards is used for several epochs, the mean probability of a large majority (near or above 1/(1 + clip)) falls, \
                with a clip less than without; its median hardly moves. Small majorities can go either way.",
    assumptions: "Two arms, one group, fair rewards independent of actions, standardised advantages, full-batch epochs.",
    formula: "E[dp] = sum Bin(G,p)(n) Bin(n,1/2)(x) Bin(G-n,1/2)(y) dp(n,x,y)",
    source: "own; restricts arXiv 2506.10947",
    inputs: &[
        real("p", "probability of the first arm", 0.8, (1e-12, 0.999999999999)),
        real("clip", "clip range", 0.2, (1e-6, 1e6)),
        real("eta", "step size", 0.3, (0.0, 10.0)),
        whole("group", "samples per group", 8.0, (2.0, 24.0)),
        whole("epochs", "full-batch epochs", 16.0, (0.0, 256.0)),
    ],
    outputs: &[
        output("drift", "mean change of p with the clip"),
        output("drift_unclipped", "mean change of p without a clip"),
        output("up", "chance that p rises"),
        output("down", "chance that p falls"),
    ],
    evaluate: |x| {
        let reuse = Reuse { p: x[0], clip: x[1], step: x[2], group: x[3] as u32, epochs: x[4] as u32 };
        let (clipped, free) = (reused_batch(&reuse), reused_batch(&Reuse { clip: f64::INFINITY, ..reuse }));
        vec![Some(clipped.drift), Some(free.drift), Some(clipped.up), Some(clipped.down)]
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    #[test]
    fn golden_numbers() {
        crate::golden::agree(include_str!("../golden/clipping.csv"), |name, x| match name {
            "saturated" => saturated_drift(x[0], x[1]),
            "win" => chance_to_win(x[0]),
            "first" => first_order_drift(&Pass {
                p: x[0],
                clip: x[1],
                step: x[2],
                minibatches: x[3] as u32,
                size: x[4],
                second_moment: 1.0,
                mean_size: 1.0,
            }),
            _ => unreachable!("{name}"),
        });
    }

    #[test]
    fn the_upper_clip_ends_at_certainty() {
        assert_abs_diff_eq!((1.0 + 0.2) * reachable_up_to(0.2), 1.0, epsilon = 1e-15);
    }

    const GROUP: Reuse = Reuse { p: 0.8, clip: 0.2, step: 0.3, group: 8, epochs: 16 };

    /// The sheet's simulation has a standard error of 2e-4.
    #[test]
    fn flag_f2_a_reused_batch_lowers_the_mean_of_the_mode() {
        for (epochs, clipped, free) in [(1, -0.0004, -0.0004), (4, -0.0024, -0.0097), (16, -0.0097, -0.0998), (64, -0.0115, -0.2124)] {
            let reuse = Reuse { epochs, ..GROUP };
            assert_abs_diff_eq!(reused_batch(&reuse).drift, clipped, epsilon = 6e-4);
            assert_abs_diff_eq!(reused_batch(&Reuse { clip: f64::INFINITY, ..reuse }).drift, free, epsilon = 1e-3);
        }
        for (p, drift) in [(0.2, 0.0095), (0.6, -0.0008), (0.95, -0.0006)] {
            assert_abs_diff_eq!(reused_batch(&Reuse { p, ..GROUP }).drift, drift, epsilon = 6e-4);
        }
        let median = reused_batch(&GROUP);
        assert_abs_diff_eq!(median.up, median.down, epsilon = 0.003);
    }
}

//! When training on one prompt helps another: the gradient kernel (P25) and a skill shared up to sign (P26).

use crate::proposition::{Proposition, finite, output, real, whole};
use crate::simplex::{expectation, softmax};

/// A prompt of a log-linear policy: logits `z_a = features_a . theta` of its arms, and their rewards.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// One feature vector per arm, all of the length of theta.
    pub features: Vec<Vec<f64>>,
    /// One reward per arm.
    pub rewards: Vec<f64>,
}

impl Prompt {
    /// The policy `p = softmax(features theta)`.
    pub fn policy(&self, theta: &[f64]) -> Vec<f64> {
        softmax(&self.features.iter().map(|phi| dot(phi, theta)).collect::<Vec<_>>())
    }

    /// Mean reward `J = sum p_a r_a`.
    pub fn value(&self, theta: &[f64]) -> f64 {
        expectation(&self.policy(theta), &self.rewards)
    }

    /// Its gradient `sum p_a A_a phi_a`, with A_a = r_a - J.
    pub fn gradient(&self, theta: &[f64]) -> Vec<f64> {
        let (policy, value) = (self.policy(theta), self.value(theta));
        let pulls: Vec<f64> = policy.iter().zip(&self.rewards).map(|(p, r)| p * (r - value)).collect();
        (0..theta.len()).map(|d| self.features.iter().zip(&pulls).map(|(phi, pull)| pull * phi[d]).sum()).collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Rate at which the mean reward on prompt x rises while exact policy gradient trains on prompt x0.
///
/// ```text
/// dJ(x)/dt = sum_{a,b} p_a A_a(x) <phi(x,a), phi(x0,b)> p_b A_b(x0) = <grad J(x), grad J(x0)>
/// ```
/// Reward per unit of flow time. Proof: the chain rule. One-shot training helps x iff this is positive; it is symmetric in x and x0.
///
/// Assumptions: both prompts share theta, the policy is log-linear.
///
/// # Source
/// The neural tangent kernel argument; setting: Wang et al., arXiv 2504.20571.
///
/// # Example
/// A prompt with its features turned around is harmed:
/// ```
/// use mta_theory::transfer::{Prompt, transfer_rate};
/// let here = Prompt { features: vec![vec![1.0], vec![0.0]], rewards: vec![1.0, 0.0] };
/// let there = Prompt { features: vec![vec![0.0], vec![1.0]], rewards: vec![1.0, 0.0] };
/// assert_eq!(transfer_rate(&there, &here, &[0.0]), -0.0625);
/// ```
pub fn transfer_rate(tested: &Prompt, trained: &Prompt, theta: &[f64]) -> f64 {
    dot(&tested.gradient(theta), &trained.gradient(theta))
}

/// [`transfer_rate`] for prompts of two arms, one right: `p (1 - p) p0 (1 - p0) <d, d0>` with d the right minus the wrong feature vector.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::transfer::two_arm_transfer_rate(0.5, 0.5, -1.0), -0.0625);
/// ```
pub fn two_arm_transfer_rate(tested: f64, trained: f64, overlap: f64) -> f64 {
    tested * (1.0 - tested) * trained * (1.0 - trained) * overlap
}

/// Transfer between two prompts.
pub const P25: Proposition = Proposition {
    id: "P25",
    name: "transfer-kernel",
    statement: "Training on one prompt helps another iff their policy gradients have a positive inner product; the effect is symmetric.",
    assumptions: "Shared parameters, log-linear policy, exact policy gradient. Evaluated for two arms per prompt.",
    formula: "dJ(x)/dt = <grad J(x), grad J(x0)> = p (1 - p) p0 (1 - p0) <d, d0> for two arms",
    source: "neural tangent kernel argument; setting: Wang et al., arXiv 2504.20571",
    inputs: &[
        real("p_tested", "chance p of the right answer on the tested prompt", 0.3, (0.0, 1.0)),
        real("p_trained", "chance p0 of the right answer on the trained prompt", 0.5, (0.0, 1.0)),
        real("overlap", "inner product of the two right-minus-wrong feature vectors", 1.0, (-1e6, 1e6)),
    ],
    outputs: &[
        output("rate", "rate of mean reward on the tested prompt, per unit of flow time"),
        output("own_rate", "the same on the trained prompt if its features have unit length"),
    ],
    evaluate: |x| vec![finite(two_arm_transfer_rate(x[0], x[1], x[2])), finite(two_arm_transfer_rate(x[1], x[1], 1.0))],
};

/// Share of a trained prompt's logit gain that reaches the others: `rho = lambda^2 / (1 + lambda^2)`.
///
/// `loading` lambda: weight of the shared skill in a logit, relative to the prompt's own part.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::transfer::coupling(1.0), 0.5);
/// ```
pub fn coupling(loading: f64) -> f64 {
    let square = loading * loading;
    square / (1.0 + square)
}

/// Logit of the trained prompt after one-shot policy gradient for `time`.
///
/// ```text
/// 2 u + 2 sinh u = (1 + lambda^2) t + 2 u0 + 2 sinh u0
/// ```
/// `loading` lambda; `start` u0 in [-700, 700], nats; `time` t >= 0 of the flow. For large t the logit is log((1 + lambda^2) t).
///
/// World: u_x = lambda s_x w + v_x + c_x with a shared skill w, a sign s_x = +-1 and a private part v_x, two answers per prompt.
///
/// Proof: du0/dt = (1 + lambda^2) p (1 - p), and du / (p (1 - p)) = (2 + 2 cosh u) du.
///
/// # Example
/// From u = 0 with lambda = 1, time 1 + sinh 1 takes the logit to 1:
/// ```
/// let u = mta_theory::transfer::trained_logit(1.0, 0.0, 1.0 + 1f64.sinh());
/// assert!((u - 1.0).abs() < 1e-14);
/// ```
pub fn trained_logit(loading: f64, start: f64, time: f64) -> f64 {
    inverse_clock((1.0 + loading * loading) * time + 2.0 * (start + start.sinh()))
}

/// The root u of `2 u + 2 sinh u = y`: Newton from `asinh(y / 2)`, which lies beyond it where the left side is convex.
fn inverse_clock(y: f64) -> f64 {
    let half = y.abs() / 2.0;
    let step = |u: f64| u - (u + u.sinh() - half) / (1.0 + u.cosh());
    (0..60).fold(half.asinh(), |u, _| step(u)).copysign(y)
}

/// Logit of another prompt during one-shot training, at any time and for any scalar weighting of the gradient.
///
/// ```text
/// u_x(t) = u_x(0) + s_x s_0 rho (u_0(t) - u_0(0))
/// ```
/// `start` u_x(0); `trained_gain` u_0(t) - u_0(0), nats; `agreement` s_x s_0 = +1 or -1; rho: [`coupling`].
///
/// Proof: the gradient of u_0 in (w, v_0) is (lambda s_0, 1), so w gains lambda s_0 X and v_0 gains X; u_0 gains (1 + lambda^2) X, u_x gains lambda^2 s_x s_0 X.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::transfer::transferred_logit(1.0, -2.0, 4.0, 1.0), 0.0);
/// ```
pub fn transferred_logit(loading: f64, start: f64, trained_gain: f64, agreement: f64) -> f64 {
    start + agreement * coupling(loading) * trained_gain
}

/// Initial speed of one-shot training on the other prompts relative to full-data training, all prompts aligned and equal at the start.
///
/// ```text
/// lambda^2 / (lambda^2 + 1/n)
/// ```
/// `prompts` n >= 1. Proof: n prompts share the weight 1/n each; w receives all of it, v_x its own part only.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::transfer::one_shot_to_full_rate(1.0, 1.0), 0.5);
/// ```
pub fn one_shot_to_full_rate(loading: f64, prompts: f64) -> f64 {
    let square = loading * loading;
    square / (square + 1.0 / prompts)
}

/// Slopes of full-data policy gradient on (w, v of the aligned prompts, v of the misaligned ones), all logits starting equal.
///
/// ```text
/// dw/dt = lambda [f g(u_a) - (1 - f) g(u_m)],  dv_x/dt = g(u_x) / n,  g(u) = sigma(u) (1 - sigma(u))
/// ```
/// `state` (w, v_a, v_m); `aligned` f in [0, 1]; `prompts` n.
///
/// # Example
/// ```
/// let slope = mta_theory::transfer::full_data_slope(1.0, 0.75, 4.0, 0.0, &[0.0; 3]);
/// assert_eq!(slope, [0.125, 0.0625, 0.0625]);
/// ```
pub fn full_data_slope(loading: f64, aligned: f64, prompts: f64, start: f64, state: &[f64]) -> [f64; 3] {
    let weight = |u: f64| crate::simplex::sigmoid(u) * crate::simplex::sigmoid(-u);
    let a = weight(start + loading * state[0] + state[1]);
    let m = weight(start - loading * state[0] + state[2]);
    [loading * (aligned * a - (1.0 - aligned) * m), a / prompts, m / prompts]
}

/// One-shot training of a shared skill.
pub const P26: Proposition = Proposition {
    id: "P26",
    name: "one-shot-skill",
    statement: "One-shot training moves every prompt by s_x s_0 rho times the trained prompt's own gain, and ends at the share of prompts that agree with it. \
                Full-data training may end there too: equality does not prove alignment.",
    assumptions: "u_x = lambda s_x w + v_x + c_x, two answers per prompt, policy gradient (or any scalar reweighting of it) on w and v.",
    formula: "u_x(t) = u_x(0) + s_x s_0 rho [u_0(t) - u_0(0)], rho = lambda^2 / (1 + lambda^2); 2 u_0 + 2 sinh u_0 = (1 + lambda^2) t + const",
    source: "own; phenomenon: Wang et al., arXiv 2504.20571; interference: Schaul et al., arXiv 1904.11455",
    inputs: &[
        real("loading", "lambda, weight of the shared skill", 1.5, (0.0, 1e6)),
        whole("prompts", "training prompts n of the full-data run", 20.0, (1.0, 1e9)),
        real("aligned", "share of prompts with the sign of the trained one", 0.8, (0.0, 1.0)),
        real("start", "logit of every prompt at the start, nats", -2.0, (-300.0, 300.0)),
        real("time", "flow time of one-shot training", 100.0, (0.0, 1e200)),
    ],
    outputs: &[
        output("coupling", "rho, share of the gain that transfers"),
        output("trained_logit", "logit of the trained prompt, nats"),
        output("aligned_logit", "logit of the other prompts of its sign, nats"),
        output("misaligned_logit", "logit of the prompts of the other sign, nats"),
        output("limit_accuracy", "mean accuracy on the other prompts as time goes to infinity"),
        output("one_shot_to_full_rate", "initial test rate relative to full-data training, all prompts aligned"),
    ],
    evaluate: |x| {
        let trained = trained_logit(x[0], x[3], x[4]);
        let other = |sign: f64| transferred_logit(x[0], x[3], trained - x[3], sign);
        let limit = (x[0] > 0.0).then_some(x[2]);
        vec![
            finite(coupling(x[0])),
            finite(trained),
            finite(other(1.0)),
            finite(other(-1.0)),
            limit,
            finite(one_shot_to_full_rate(x[0], x[1])),
        ]
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::integrate;
    use crate::simplex::sigmoid;

    #[test]
    fn agrees_with_golden_numbers() {
        crate::golden::agree(include_str!("../golden/transfer.csv"), |name, x| match name {
            "trained_logit" => trained_logit(x[0], x[1], x[2]),
            "coupling" => coupling(x[0]),
            "one_shot_to_full_rate" => one_shot_to_full_rate(x[0], x[1]),
            _ => unreachable!("{name}"),
        });
    }

    /// Mean accuracy of full-data training of 20 prompts with the logit `start`, after flow time 2e6.
    fn full_data_accuracy_from(start: f64, aligned: f64) -> f64 {
        let slope = |x: &[f64], dx: &mut [f64]| dx.copy_from_slice(&full_data_slope(1.5, aligned, 20.0, start, x));
        let end = integrate(slope, &[0.0; 3], 2e6, 1e-10).unwrap();
        aligned * sigmoid(start + 1.5 * end[0] + end[1]) + (1.0 - aligned) * sigmoid(start + end[2] - 1.5 * end[0])
    }

    /// From the logit -3. The sheet does not say its start; from a hopeful start the minority escapes, see below.
    fn full_data_accuracy(aligned: f64) -> f64 {
        full_data_accuracy_from(-3.0, aligned)
    }

    /// What F10 leaves out: the minority is caught only while u_a + u_m < log(lambda^2 f / (lambda^2 (1 - f) + 1/n)), so a start at guessing escapes.
    #[test]
    fn the_minority_escapes_from_a_start_at_guessing() {
        approx::assert_abs_diff_eq!(full_data_accuracy_from(0.0, 0.7), 1.0, epsilon = 1e-4);
        approx::assert_abs_diff_eq!(full_data_accuracy_from(-1.0, 0.7), 0.70, epsilon = 5e-3);
    }

    /// Mean accuracy on the other prompts of one-shot training for as long.
    fn one_shot_accuracy(agreeing: f64) -> f64 {
        let gain = trained_logit(1.5, 0.0, 2e6);
        let other = |sign| sigmoid(transferred_logit(1.5, 0.0, gain, sign));
        agreeing * other(1.0) + (1.0 - agreeing) * other(-1.0)
    }

    /// F10: one-shot and full-data training agree at 0.70 although 30 % of the prompts are misaligned; a minority prompt gives 0.30.
    #[test]
    fn flag_f10_equal_accuracy_does_not_prove_alignment() {
        approx::assert_abs_diff_eq!(full_data_accuracy(0.7), 0.70, epsilon = 5e-3);
        approx::assert_abs_diff_eq!(one_shot_accuracy(0.7), 0.70, epsilon = 5e-3);
        approx::assert_abs_diff_eq!(one_shot_accuracy(0.3), 0.30, epsilon = 5e-3);
    }

    #[test]
    fn closed_form_agrees_with_the_flow() {
        for (loading, start, end) in [(1.5, -3.0, 10.0), (0.3, 1.0, 50.0), (0.0, -2.0, 5.0)] {
            let slope = |u: &[f64], du: &mut [f64]| du[0] = (1.0 + loading * loading) * sigmoid(u[0]) * sigmoid(-u[0]);
            let flow = integrate(slope, &[start], end, 1e-12).unwrap()[0];
            approx::assert_abs_diff_eq!(trained_logit(loading, start, end), flow, epsilon = 1e-9);
        }
    }

    /// Initial rates: lambda^2 + 1/n with all data, lambda^2 from one prompt, both per p (1 - p).
    #[test]
    fn ratio_of_rates_is_that_of_the_slopes() {
        let (loading, n) = (1.5, 20.0);
        let full = full_data_slope(loading, 1.0, n, 0.0, &[0.0; 3]);
        let one_shot = two_arm_transfer_rate(0.5, 0.5, loading * loading) / 0.25;
        approx::assert_relative_eq!(one_shot_to_full_rate(loading, n), one_shot / (loading * full[0] + full[1]), max_relative = 1e-14);
    }

    #[test]
    fn evaluates_the_formulas() {
        assert_eq!((P25.evaluate)(&[0.5, 0.25, 2.0]), [Some(0.09375), Some(0.03515625)]);
        let y = (P26.evaluate)(&[1.0, 4.0, 0.8, -1.0, 3.0]);
        let u = trained_logit(1.0, -1.0, 3.0);
        assert_eq!(y, [0.5, u, -1.0 + 0.5 * (u + 1.0), -1.0 - 0.5 * (u + 1.0), 0.8, 0.8].map(Some));
    }
}

//! Sequences as paths of a token tree: gradients per node, time to learn (P33) and time to the first success (P34).

use crate::ceiling::unhit;
use crate::proposition::{Proposition, finite, output, real, whole};
use crate::quadrature;
use crate::simplex::{expectation, logit, softmax};

/// A full tree: every inner node has `branching` tokens, every path `depth` of them, every leaf a reward.
///
/// Nodes are numbered by level, from the root 0; the children of node n are n * branching + 1 + token.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// Tokens V >= 1 per node.
    pub branching: usize,
    /// Levels H >= 1.
    pub depth: u32,
    /// One reward per leaf, V^H of them.
    pub rewards: Vec<f64>,
}

impl Tree {
    /// A tree whose first leaf alone is right.
    pub fn single(branching: usize, depth: u32) -> Tree {
        let mut rewards = vec![0.0; branching.pow(depth)];
        rewards[0] = 1.0;
        Tree { branching, depth, rewards }
    }

    /// Inner nodes, `(V^H - 1) / (V - 1)`.
    pub fn nodes(&self) -> usize {
        (0..self.depth).map(|level| self.branching.pow(level)).sum()
    }

    fn policy(&self, theta: &[f64]) -> Vec<Vec<f64>> {
        theta.chunks(self.branching).map(softmax).collect()
    }

    /// Value of every node, inner ones first, by backward induction.
    fn values(&self, policy: &[Vec<f64>]) -> Vec<f64> {
        let mut values = [vec![0.0; self.nodes()], self.rewards.clone()].concat();
        for n in (0..self.nodes()).rev() {
            let first = n * self.branching + 1;
            values[n] = expectation(&policy[n], &values[first..first + self.branching]);
        }
        values
    }

    /// Chance d(n) that a path visits each inner node.
    fn reach(&self, policy: &[Vec<f64>]) -> Vec<f64> {
        let mut reach = vec![1.0; self.nodes()];
        for n in 1..self.nodes() {
            let parent = (n - 1) / self.branching;
            reach[n] = reach[parent] * policy[parent][(n - 1) % self.branching];
        }
        reach
    }

    /// Mean reward J of the policy with one softmax per node; `theta` has V logits per inner node.
    pub fn value(&self, theta: &[f64]) -> f64 {
        self.values(&self.policy(theta))[0]
    }

    /// `Q - V` of every token of every inner node: the direction of node-wise natural gradient (the Fisher matrix of node n is d(n) (diag pi - pi pi^T)).
    pub fn advantages(&self, theta: &[f64]) -> Vec<f64> {
        let values = self.values(&self.policy(theta));
        (0..theta.len()).map(|i| values[i + 1] - values[i / self.branching]).collect()
    }

    /// Gradient of J: `d(n) pi(a|n) (Q - V)`, by the policy-gradient theorem.
    ///
    /// # Example
    /// A tree of one level is a bandit:
    /// ```
    /// assert_eq!(mta_theory::tree::Tree::single(2, 1).gradient(&[0.0, 0.0]), [0.25, -0.25]);
    /// ```
    pub fn gradient(&self, theta: &[f64]) -> Vec<f64> {
        let policy = self.policy(theta);
        let reach = self.reach(&policy);
        let advantages = self.advantages(theta);
        let weight = |i: usize| reach[i / self.branching] * policy[i / self.branching][i % self.branching];
        advantages.iter().enumerate().map(|(i, a)| weight(i) * a).collect()
    }
}

/// Flow time of policy gradient from the uniform tree to the chance `target` of its single right leaf.
///
/// ```text
/// dpi/dt = pi^(H+1) (1 - pi)^2 V/(V-1),   T ~ [V/(V-1)] V^H / H
/// T = (V-1)/V [ n logit pi + 1/(1-pi) - sum_{i<n} (n-i) / (i pi^i) ] from 1/V to target^(1/H),   n = H + 1
/// ```
/// `branching` V >= 2, `depth` H >= 1 with V^H < 1e300; `target` in (V^-H, 1).
///
/// Proof: every token on the right path moves alike, d pi_h / dt = p pi_h (1 - pi_h)^2 (1 + 1/(V-1)) with p = pi^H; partial fractions. Source: own.
///
/// # Example
/// ```
/// assert!((mta_theory::tree::pg_time(4.0, 1.0, 0.5) - 3.65).abs() < 5e-3);
/// ```
pub fn pg_time(branching: f64, depth: f64, target: f64) -> f64 {
    (1.0 - 1.0 / branching) * (pg_clock(target.powf(1.0 / depth), depth) - pg_clock(1.0 / branching, depth))
}

/// Antiderivative of `1 / (pi^(H+1) (1 - pi)^2)`.
pub(crate) fn pg_clock(pi: f64, depth: f64) -> f64 {
    let n = depth + 1.0;
    let terms = (1..=depth as u32).map(|i| (n - f64::from(i)) / f64::from(i) * pi.powi(-(i as i32))).sum::<f64>();
    n * logit(pi) + 1.0 / (1.0 - pi) - terms
}

/// Flow time as in [`pg_time`] when the gradient is divided by the reward's standard deviation sqrt(p (1 - p)): about `[V/(V-1)] 2 V^(H/2) / H`.
///
/// ```text
/// T = (V-1)/V integral sqrt(pi^H (1 - pi^H)) / (pi^(H+1) (1 - pi)^2) dpi
/// ```
/// # Example
/// ```
/// assert!((mta_theory::tree::pg_std_time(4.0, 1.0, 0.5) - 1.73).abs() < 5e-3);
/// ```
pub fn pg_std_time(branching: f64, depth: f64, target: f64) -> f64 {
    let per_log_pi = |y: f64| (-0.5 * depth * y).exp() * (-(depth * y).exp_m1()).sqrt() / y.exp_m1().powi(2);
    (1.0 - 1.0 / branching) * quadrature::interval(per_log_pi, -branching.ln(), target.ln() / depth)
}

/// Flow time as in [`pg_time`] of node-wise natural gradient, linear in the depth.
///
/// ```text
/// T = logit p + log(V^H - 1)
/// ```
/// Proof: d logit pi_h / dt = prod_{j>h} pi_j telescopes to d log p / dt = sum_h p_{>h} (1 - pi_h) = 1 - p, the leaf replicator.
///
/// # Example
/// ```
/// assert!((mta_theory::tree::npg_time(4.0, 16.0, 0.5) - 22.18).abs() < 5e-3);
/// ```
pub fn npg_time(branching: f64, depth: f64, target: f64) -> f64 {
    let ln_leaves = depth * branching.ln();
    logit(target) + ln_leaves + (-(-ln_leaves).exp()).ln_1p()
}

/// Expected groups of `group` draws until the first one with a success, at the uniform chance V^-H.
///
/// ```text
/// 1 / (1 - (1 - p0)^G) ~ V^H / G
/// ```
/// Proof: geometric waiting time; exact for GRPO, which stays at p0 until then because groups of equal rewards do not move it.
///
/// # Example
/// ```
/// assert!((mta_theory::tree::expected_groups(4.0, 4.0, 8.0) - 32.440).abs() < 5e-4);
/// ```
pub fn expected_groups(branching: f64, depth: f64, group: f64) -> f64 {
    1.0 / crate::pass_at_k::pass_at_k((-depth * branching.ln()).exp(), group)
}

/// Learning a token tree.
pub const P33: Proposition = Proposition {
    id: "P33",
    name: "token-tree",
    statement: "The gradient at a node is d(n) pi(a|n) (Q - V). Policy gradient needs time exponential in the depth, node-wise natural gradient linear in it.",
    assumptions: "One softmax per node, no sharing, a single right leaf, uniform start.",
    formula: "PG ~ [V/(V-1)] V^H / H; PG+std ~ [V/(V-1)] 2 V^(H/2) / H; NPG = logit p + log(V^H - 1)",
    source: "own; horizon barrier: arXiv 2603.06957; plateaus: arXiv 2602.14872",
    inputs: &[
        whole("branching", "tokens V per node", 4.0, (2.0, 100.0)),
        whole("depth", "tokens H per sequence", 8.0, (1.0, 100.0)),
        real("target", "chance of the right leaf to reach", 0.5, (1e-6, 0.999_999)),
    ],
    outputs: &[
        output("pg_time", "flow time of policy gradient"),
        output("pg_std_time", "flow time of policy gradient over the standard deviation"),
        output("npg_time", "flow time of node-wise natural gradient"),
    ],
    evaluate: |x| {
        if x[2] <= x[0].powf(-x[1]) {
            return vec![None; 3];
        }
        [pg_time, pg_std_time, npg_time].map(|time| finite(time(x[0], x[1], x[2]))).to_vec()
    },
};

/// Waiting for the first success.
pub const P34: Proposition = Proposition {
    id: "P34",
    name: "exploration-barrier",
    statement: "Until its first success GRPO stands still; from a uniform policy that takes about V^H / G groups.",
    assumptions: "Independent draws; groups of equal rewards give exactly zero update.",
    formula: "1 / (1 - (1 - V^-H)^G)",
    source: "geometric waiting time",
    inputs: &[
        whole("branching", "tokens V per node", 4.0, (1.0, 1e6)),
        whole("depth", "tokens H per sequence", 4.0, (1.0, 1e6)),
        whole("group", "draws G per group", 8.0, (1.0, 1e6)),
        whole("groups", "groups drawn", 32.0, (0.0, 1e12)),
    ],
    outputs: &[
        output("expected_groups", "mean number of groups until the first with a success"),
        output("still_waiting", "chance of no success in the groups drawn"),
    ],
    evaluate: |x| {
        let waiting = unhit((-x[1] * x[0].ln()).exp(), x[2] * x[3]);
        vec![finite(expected_groups(x[0], x[1], x[2])), finite(waiting)]
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_golden_numbers() {
        crate::golden::agree(include_str!("../golden/tree.csv"), |name, x| match name {
            "pg_time" => pg_time(x[0], x[1], x[2]),
            "pg_std_time" => pg_std_time(x[0], x[1], x[2]),
            "npg_time" => npg_time(x[0], x[1], x[2]),
            "expected_groups" => expected_groups(x[0], x[1], x[2]),
            _ => unreachable!("{name}"),
        });
    }

    #[test]
    fn evaluates_the_formulas() {
        assert!((P34.evaluate)(&[4.0, 4.0, 8.0, 32.0])[1].is_some_and(|w| (w - (255f64 / 256.0).powi(256)).abs() < 1e-12));
    }
}

//! Token trees whose nodes share parameters: one softmax per depth for all prefixes, and skill shared by all prompts (P40).
//!
//! A response is H tokens out of V; at each depth m of them are right, whatever the prefix. `pi_h` is the mass on right tokens at depth h, p = prod pi_h.

use crate::proposition::{Proposition, finite, output, real, whole};
use crate::quadrature;
use crate::simplex::{logit, sigmoid};
use crate::tree::{npg_time, pg_clock};

/// A uniform start on a tree with `right` of `branching` tokens right at every one of `depth` levels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Levels {
    /// Tokens V >= 2.
    pub branching: f64,
    /// Right tokens m per level, 1 <= m < V.
    pub right: f64,
    /// Levels H >= 1, whole.
    pub depth: f64,
}

impl Levels {
    /// Chance of a right token at the start, m/V.
    fn share(&self) -> f64 {
        self.right / self.branching
    }

    /// Chance of a correct response at the start, `(m/V)^H`.
    ///
    /// # Example
    /// ```
    /// let levels = mta_theory::shared_tree::Levels { branching: 4.0, right: 2.0, depth: 3.0 };
    /// assert_eq!(levels.start(), 0.125);
    /// ```
    pub fn start(&self) -> f64 {
        self.share().powf(self.depth)
    }

    /// Speed of the log-odds of a right token per unit of `p (1 - pi)`: `V / (m (V - m))`.
    fn speed(&self) -> f64 {
        self.branching / (self.right * (self.branching - self.right))
    }

    /// Flow time of policy gradient to the chance `target` of a correct response when all prefixes share one softmax per depth.
    ///
    /// ```text
    /// dpi/dt = V/(m (V-m)) pi^(H+1) (1 - pi)^2,   T ~ [m (V-m)/V] (V/m)^H / H
    /// ```
    /// `target` in (m/V)^H .. 1.
    ///
    /// Proof: summed over prefixes, reach times (Q - V) is `p/pi_h pi_hv (1[v right] - pi_h)`: reach adds up to the chance of a right prefix, and the whole
    /// response must still be right. A right logit moves by p (1 - pi)/m, a wrong one by -p (1 - pi)/(V - m). With m = 1 there is one right prefix, all other
    /// nodes have no gradient, and the flow is that of separate nodes (P33) to the last digit: sharing over prefixes does not touch the barrier 1/p0.
    ///
    /// # Example
    /// ```
    /// use mta_theory::{shared_tree::Levels, tree::pg_time};
    /// let levels = Levels { branching: 3.0, right: 1.0, depth: 3.0 };
    /// assert!((levels.shared_pg_time(0.5) / pg_time(3.0, 3.0, 0.5) - 1.0).abs() < 1e-12);
    /// ```
    pub fn shared_pg_time(&self, target: f64) -> f64 {
        (pg_clock(target.powf(1.0 / self.depth), self.depth) - pg_clock(self.share(), self.depth)) / self.speed()
    }

    /// The same time when every node has a softmax of its own: the node of depth h is reached through one of m^h right prefixes only, so it moves m^h times slower.
    ///
    /// ```text
    /// F(pi_h) - F(m/V) = m^-h X,   F(pi) = logit pi + 1/(1 - pi),   T = [m (V-m)/V] integral dX / prod_h pi_h(X)
    /// T / T_shared -> H / (1 + 1/m + ... + m^-(H-1)) as V/m -> infinity, less than H; at V = 11, m = 3, H = 3 it is 3.18
    /// ```
    /// Proof: `dF(pi_h)/dt = V/(m (V-m)) m^-h p`; all depths share the clock X = V/(m (V-m)) integral p dt.
    ///
    /// # Example
    /// ```
    /// let levels = mta_theory::shared_tree::Levels { branching: 4.0, right: 1.0, depth: 4.0 };
    /// assert!((levels.separate_pg_time(0.5) / levels.shared_pg_time(0.5) - 1.0).abs() < 1e-9);
    /// ```
    pub fn separate_pg_time(&self, target: f64) -> f64 {
        let reached = |x: f64| (0..self.depth as i32).map(|h| self.advanced(x * self.right.powi(-h))).product::<f64>();
        let end = root(|x| reached(x) - target, (0.0, self.farthest(target)));
        quadrature::interval(|x| 1.0 / reached(x), 0.0, end) / self.speed()
    }

    /// pi after the clock F has run `x` from the start.
    fn advanced(&self, x: f64) -> f64 {
        let clock = |u: f64| u + 1.0 + u.exp() - (logit(self.share()) + 1.0 + logit(self.share()).exp());
        sigmoid(root(|u| clock(u) - x, (logit(self.share()) - 1.0, logit(self.share()) + x + 1.0)))
    }

    /// A clock by which even the deepest level, moving like the slowest one, has reached `target`.
    fn farthest(&self, target: f64) -> f64 {
        let u = logit(target.powf(1.0 / self.depth));
        (u - logit(self.share()) + u.exp() - logit(self.share()).exp()) * self.right.powf(self.depth - 1.0)
    }

    /// Flow time of the natural gradient in shared parameters.
    ///
    /// ```text
    /// dpi/dt = pi^H (1 - pi),   T = logit pi - sum_{i < H} 1/(i pi^i) from m/V to target^(1/H) ~ (V/m)^(H-1) / (H - 1)
    /// ```
    /// Proof: the Fisher matrix of W[h, .] is the sum of reach over prefixes, which is 1, times diag pi - pi pi^T; so W[h, v] moves by p/pi_h (1[v right] - pi_h).
    /// Separate nodes divide by their own reach and learn in time linear in the depth (P33); shared ones cannot, and the barrier comes back.
    /// Node-wise natural gradient summed into shared skill, which the simulator's `npg` is, keeps the linear time for m = 1: only the right prefix has Q - V.
    ///
    /// # Example
    /// One level is a bandit:
    /// ```
    /// use mta_theory::{shared_tree::Levels, simplex::logit};
    /// let levels = Levels { branching: 4.0, right: 1.0, depth: 1.0 };
    /// assert!((levels.shared_npg_time(0.5) - 3f64.ln()).abs() < 1e-15);
    /// ```
    pub fn shared_npg_time(&self, target: f64) -> f64 {
        let clock = |pi: f64| logit(pi) - (1..self.depth as i32).map(|i| pi.powi(-i) / f64::from(i)).sum::<f64>();
        clock(target.powf(1.0 / self.depth)) - clock(self.share())
    }

    /// Chance of a correct response to a held-out prompt with the same right tokens when the trained prompts' is `trained` and a part `shared` of their logits'
    /// movement is skill (P26 level by level).
    ///
    /// ```text
    /// u_held = u_0 + shared (u - u_0),   u = logit pi;   p = sigma(u_held)^H
    /// ```
    /// # Example
    /// ```
    /// let levels = mta_theory::shared_tree::Levels { branching: 4.0, right: 1.0, depth: 2.0 };
    /// assert!((levels.held_out(0.9, 1.0) - 0.9).abs() < 1e-12);
    /// assert!((levels.held_out(0.9, 0.0) - 0.0625).abs() < 1e-12);
    /// ```
    pub fn held_out(&self, trained: f64, shared: f64) -> f64 {
        let start = logit(self.share());
        sigmoid(start + shared * (logit(trained.powf(1.0 / self.depth)) - start)).powf(self.depth)
    }

    /// Failure 1 - p that the trained prompts must get down to before held-out prompts reach `target`: the threshold of transfer in a tree.
    ///
    /// ```text
    /// u = [logit target^(1/H) - (1 - shared) u_0] / shared;   1 - p = 1 - sigma(u)^H ~ H exp(-u)
    /// ```
    /// `shared` in (0, 1]. Depth enters through ln H only, sharing through the power (V/m - 1)^-(1 - shared)/shared.
    ///
    /// # Example
    /// All shared: the same target.
    /// ```
    /// let levels = mta_theory::shared_tree::Levels { branching: 4.0, right: 1.0, depth: 2.0 };
    /// assert!((levels.transfer_failure(0.75, 1.0) - 0.25).abs() < 1e-12);
    /// ```
    pub fn transfer_failure(&self, target: f64, shared: f64) -> f64 {
        let u = (logit(target.powf(1.0 / self.depth)) - (1.0 - shared) * logit(self.share())) / shared;
        -(-self.depth * (-u).exp().ln_1p()).exp_m1()
    }
}

/// Speed of a carried prompt's logits, relative to training it alone: `1 - rho + rho q`.
///
/// `sharing` rho in [0, 1]; `carried` q in (0, 1]: share of the training prompts whose right tokens are the common ones; the rest cannot be solved (no right
/// path: no gradient). Skill moves by rho times the mean gradient over prompts, a prompt's memory by 1 - rho times its own. One-shot on a carried prompt: q = 1.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::shared_tree::carried_speed(0.5, 0.5), 0.75);
/// ```
pub fn carried_speed(sharing: f64, carried: f64) -> f64 {
    1.0 - sharing + sharing * carried
}

/// Part of a carried prompt's logit movement that is skill, `rho q / (1 - rho + rho q)`; one-shot on a carried prompt: rho, which is more.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::shared_tree::shared_part(0.5, 0.5), 1.0 / 3.0);
/// ```
pub fn shared_part(sharing: f64, carried: f64) -> f64 {
    sharing * carried / carried_speed(sharing, carried)
}

/// Root of a rising function in the bracket, by bisection to the last bit.
fn root(f: impl Fn(f64) -> f64, (mut low, mut high): (f64, f64)) -> f64 {
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return middle;
        }
        if f(middle) < 0.0 { low = middle } else { high = middle }
    }
}

/// What sharing parameters over prefixes and prompts changes.
pub const P40: Proposition = Proposition {
    id: "P40",
    name: "shared-tree",
    statement: "Sharing one softmax per depth over all prefixes leaves policy gradient's barrier of 1/p0 as it is (about H times faster at most, and not at all with one \
                right leaf), and gives natural gradient a barrier it did not have. Sharing over prompts carries the share q whose right tokens are common; full \
                data learn them q times as fast as one carried prompt alone does, when all is shared.",
    assumptions: "m of V tokens right at each depth whatever the prefix; uniform start; expected update; prompts without the common right tokens have no right path.",
    formula: "PG: dpi/dt = V/(m(V-m)) pi^(H+1) (1-pi)^2, T ~ [m(V-m)/V] (V/m)^H / H; NPG: dpi/dt = pi^H (1-pi), T ~ (V/m)^(H-1)/(H-1); \
              speed = 1 - rho + rho q; shared part = rho q / speed; u_held = u_0 + part (u - u_0)",
    source: "own",
    inputs: &[
        whole("branching", "tokens V per level", 4.0, (2.0, 100.0)),
        whole("right", "right tokens m per level, fewer than V", 1.0, (1.0, 99.0)),
        whole("depth", "tokens H per response", 3.0, (1.0, 100.0)),
        real("target", "chance of a correct response to reach", 0.5, (1e-6, 0.999_999)),
        real("sharing", "rho, part of the gradient that moves skill", 0.8, (0.0, 1.0)),
        real("carried", "q, share of training prompts whose right tokens are the common ones", 0.5, (1e-6, 1.0)),
    ],
    outputs: &[
        output("pg_time", "flow time of policy gradient with all sharing over prefixes and q = 1"),
        output("npg_time", "flow time of the natural gradient in shared parameters"),
        output("node_npg_time", "flow time of node-wise natural gradient; one right token only"),
        output("full_data_pg_time", "flow time of policy gradient on all prompts, for the carried ones"),
        output("one_shot_held_out", "share of held-out prompts solved when one carried prompt is trained to the target"),
        output("full_data_held_out", "the same when all prompts are trained until the carried ones reach it"),
        output("transfer_failure", "failure of the one trained prompt at which carried held-out prompts reach the target"),
    ],
    evaluate: |x| {
        let levels = Levels { branching: x[0], right: x[1], depth: x[2] };
        let (target, sharing, carried) = (x[3], x[4], x[5]);
        if levels.right >= levels.branching || target <= levels.start() {
            return vec![None; 7];
        }
        let time = levels.shared_pg_time(target);
        vec![
            finite(time),
            finite(levels.shared_npg_time(target)),
            (levels.right == 1.0).then(|| npg_time(x[0], x[2], target)),
            finite(time / carried_speed(sharing, carried)),
            finite(carried * levels.held_out(target, sharing)),
            finite(carried * levels.held_out(target, shared_part(sharing, carried))),
            (sharing > 0.0).then(|| levels.transfer_failure(target, sharing)),
        ]
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_golden_numbers() {
        crate::golden::agree(include_str!("../golden/shared_tree.csv"), |name, x| {
            let levels = Levels { branching: x[0], right: x[1], depth: x[2] };
            match name {
                "shared_pg_time" => levels.shared_pg_time(x[3]),
                "separate_pg_time" => levels.separate_pg_time(x[3]),
                "shared_npg_time" => levels.shared_npg_time(x[3]),
                "held_out" => levels.held_out(x[3], x[4]),
                "transfer_failure" => levels.transfer_failure(x[3], x[4]),
                _ => unreachable!("{name}"),
            }
        });
    }

    /// The gain of sharing over prefixes tends to H / (1 + 1/m + ...), here 3 / (1 + 1/4 + 1/16).
    #[test]
    fn sharing_over_prefixes_gains_less_than_the_depth() {
        let levels = Levels { branching: 4.0 * 500.0, right: 4.0, depth: 3.0 };
        approx::assert_relative_eq!(levels.separate_pg_time(0.5) / levels.shared_pg_time(0.5), 3.0 / 1.3125, max_relative = 0.01);
    }
}

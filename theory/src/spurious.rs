//! Rewards for the wrong thing: through a shared mode of answering, and for a wrong answer itself (proposition P15).

use crate::proposition::{Proposition, output, real};
use crate::simplex::{covariance, power_sum};

/// Rate at which accuracy changes when only the choice among modes of answering is trained, natural gradient, per unit of time.
///
/// ```text
/// d acc / dt = Cov_m(R, a) = sum m_i (R_i - mean R)(a_i - mean a)
/// ```
/// `mass` m: probabilities of the modes, adding up to 1; `reward` R_i: rate at which mode i earns the reward; `accuracy` a_i: chance that an answer in mode
/// i is right. A format reward or a reward for wrong answers helps iff reward and accuracy covary over modes.
///
/// Proof: the Price identity `d E[f] / dt = Cov(f, r)` with f the accuracy of the mode.
///
/// Assumptions: answers inside a mode are not trained; exact gradient.
///
/// Source: own; the phenomenon is that of arXiv 2506.10947.
///
/// # Example
/// Two modes: m (1 - m) (R_1 - R_2) (a_1 - a_2).
/// ```
/// let slope = mta_theory::spurious::mode_slope(&[0.5, 0.5], &[1.0, 0.0], &[0.75, 0.25]);
/// assert_eq!(slope, 0.125);
/// ```
pub fn mode_slope(mass: &[f64], reward: &[f64], accuracy: &[f64]) -> f64 {
    covariance(mass, reward, accuracy)
}

/// [`mode_slope`] for two modes, accurate for any mass: `m (1 - m) (R_1 - R_2) (a_1 - a_2)`.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::spurious::two_mode_slope(1e-300, 1.0, 1.0), 1e-300);
/// ```
pub fn two_mode_slope(mass: f64, reward_gap: f64, accuracy_gap: f64) -> f64 {
    mass * (1.0 - mass) * reward_gap * accuracy_gap
}

/// Rate at which the right arm changes when the wrong arm is rewarded, natural gradient: always down.
///
/// ```text
/// d p_c / dt = -p_c p_w
/// ```
/// Proof: Price identity with f = 1_c, r = 1_w.
///
/// # Example
/// ```
/// assert_eq!(mta_theory::spurious::wrong_arm_slope_npg(0.5, 0.25), -0.125);
/// ```
pub fn wrong_arm_slope_npg(right: f64, wrong: f64) -> f64 {
    -right * wrong
}

/// Rate at which arm `right` changes when arm `wrong` is rewarded, Euclidean policy gradient.
///
/// ```text
/// d p_c / dt = p_c p_w (S2 - p_c - p_w),   S2 = sum p_i^2
/// ```
/// `p`: probabilities that add up to 1; `right` != `wrong`: indices of arms. Positive while S2 > p_c + p_w: a third, dominant arm is being demolished and
/// all others inherit.
///
/// Proof: theta_i moves by p_i A_i with A = 1_w - p_w, so d p_c = p_c (p_c A_c - sum p_k^2 A_k), and sum p_k^2 A_k = p_w^2 - p_w S2.
///
/// Source: own.
///
/// # Example
/// ```
/// let slope = mta_theory::spurious::wrong_arm_slope_pg(&[0.25, 0.25, 0.5], 0, 1);
/// assert_eq!(slope, 0.0625 * (0.375 - 0.5));
/// ```
pub fn wrong_arm_slope_pg(p: &[f64], right: usize, wrong: usize) -> f64 {
    p[right] * p[wrong] * (power_sum(p, 2) - p[right] - p[wrong])
}

/// P15: spurious rewards act through what covaries with accuracy.
pub const P15: Proposition = Proposition {
    id: "P15",
    name: "spurious-reward",
    statement: "A reward unrelated to correctness moves accuracy by its covariance with accuracy over the modes that are trained; rewarding one wrong arm \
                lowers the right one under natural gradient always, under Euclidean gradient only once S2 < p_c + p_w.",
    assumptions: "Modes: answers inside a mode untrained. Arms: tabular softmax, exact gradient.",
    formula: "d acc/dt = m (1-m)(R1-R2)(a1-a2);  NPG dp_c/dt = -p_c p_w;  PG dp_c/dt = p_c p_w (S2 - p_c - p_w)",
    source: "own; phenomenon: arXiv 2506.10947",
    inputs: &[
        real("mass", "probability of the first mode", 0.3, (0.0, 1.0)),
        real("reward_gap", "reward rate of the first minus the second mode", 0.5, (-1.0, 1.0)),
        real("accuracy_gap", "accuracy of the first minus the second mode", 0.2, (-1.0, 1.0)),
        real("right", "probability of the right arm", 0.02, (0.0, 1.0)),
        real("wrong", "probability of the rewarded wrong arm", 0.02, (0.0, 1.0)),
    ],
    outputs: &[
        output("mode_slope", "rate of change of accuracy through the two modes"),
        output("npg_slope", "rate of change of the right arm, natural gradient"),
        output("pg_slope", "the same, Euclidean gradient, one further arm with the rest; none if right + wrong > 1"),
    ],
    evaluate: |x| {
        let rest = 1.0 - x[3] - x[4];
        let pg = (rest >= 0.0).then(|| wrong_arm_slope_pg(&[x[3], x[4], rest], 0, 1));
        vec![Some(two_mode_slope(x[0], x[1], x[2])), Some(wrong_arm_slope_npg(x[3], x[4])), pg]
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_numbers() {
        crate::golden::agree(include_str!("../golden/spurious.csv"), |name, x| match name {
            "two_modes" => two_mode_slope(x[0], x[1], x[2]),
            "pg" => wrong_arm_slope_pg(x, 0, 1),
            _ => unreachable!("{name}"),
        });
    }

    #[test]
    fn random_rewards_move_nothing() {
        assert_eq!(mode_slope(&[0.25, 0.75], &[0.5, 0.5], &[0.9, 0.1]), 0.0);
    }
}

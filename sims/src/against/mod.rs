//! Theory against simulation: for each proposition, what the engine itself measures of its outputs.
//!
//! A simulation builds a small world, trains in it by the ordinary loop and reads the policy; it never evaluates the formula it stands beside. Expected
//! updates (exact mode, small steps, extrapolated to step 0) give one number; sampled updates give a number per replicate, each replicate with a seed of its
//! own. One file per module of the theory; adding a simulation is a `static` in such a file and a line in [`SIMULATIONS`].
//!
//! Without a simulation is what the engine does not do: P10 updates the mean parameter instead of logits. Without a measurement are single outputs that are
//! bounds, asymptotes, properties of a curve as a whole, or beyond seconds of computing.

use crate::stream::{Purpose, Seed};
use mta_theory::proposition::Proposition;
use rayon::prelude::*;

mod alignment;
mod best_of_n;
mod ceiling;
mod clipping;
mod clocks;
mod conservation;
mod crossing;
mod difficulty;
mod distillation;
mod flow;
mod group_gradient;
mod leash;
mod length;
mod majority;
mod price;
mod push_back;
mod random_reward;
mod self_reward;
mod setting;
mod sharpening;
mod signed_samples;
mod spurious;
mod stability;
mod transfer;
mod tree;
mod verifier;

/// Every simulation, in the order of the theory sheet.
pub static SIMULATIONS: &[&Simulation] = &[
    &price::P1,
    &clocks::P2,
    &conservation::P3,
    &push_back::P4,
    &group_gradient::P5,
    &verifier::P6,
    &verifier::P7,
    &leash::P8,
    &leash::P9,
    &random_reward::P11,
    &random_reward::P12,
    &clipping::P13,
    &clipping::P14,
    &spurious::P15,
    &majority::P16,
    &majority::P17,
    &self_reward::P18,
    &self_reward::P19,
    &stability::P20,
    &length::P21,
    &sharpening::P22,
    &alignment::P23,
    &best_of_n::P24,
    &transfer::P25,
    &transfer::P26,
    &signed_samples::P27,
    &signed_samples::P28,
    &difficulty::P29,
    &crossing::P30,
    &ceiling::P31,
    &distillation::P32,
    &tree::P33,
    &tree::P34,
    &alignment::P35,
];

/// What the engine can measure of a proposition.
pub struct Simulation {
    /// Id of the proposition: `P2`.
    pub proposition: &'static str,
    /// What is run, and where it says less than the proposition.
    pub setup: &'static str,
    /// Relative error that finite steps leave in exact numbers.
    pub tolerance: f64,
    /// What is measured.
    pub measures: &'static [Measure],
}

/// How one output of a proposition is measured.
pub struct Measure {
    /// Name of the output.
    pub output: &'static str,
    run: Run,
}

/// From the proposition's inputs, in its order, to a number; `None` where the engine cannot be brought there, or not within seconds.
enum Run {
    /// By expected updates.
    Exact(fn(&[f64]) -> Option<f64>),
    /// One replicate, all of whose draws come from the seed.
    Sampled(fn(&[f64], Seed) -> Option<f64>),
}

/// Independent repetitions of what is sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replicates {
    /// Seed of all of them.
    pub seed: Seed,
    /// How many, at least 1.
    pub count: usize,
}

/// A measured output.
#[derive(Clone, Debug, PartialEq)]
pub enum Simulated {
    /// Without sampling.
    Exact(f64),
    /// One value per replicate, in order.
    Sampled(Vec<f64>),
}

const fn exact(output: &'static str, run: fn(&[f64]) -> Option<f64>) -> Measure {
    Measure { output, run: Run::Exact(run) }
}

const fn sampled(output: &'static str, run: fn(&[f64], Seed) -> Option<f64>) -> Measure {
    Measure { output, run: Run::Sampled(run) }
}

/// The simulation of a proposition, if there is one.
pub fn find(proposition: &Proposition) -> Option<&'static Simulation> {
    SIMULATIONS.iter().find(|s| s.proposition == proposition.id).copied()
}

impl Simulation {
    /// What the engine makes of `output` at the proposition's inputs `x`; `None` where it is not measured.
    ///
    /// # Example
    /// The natural gradient needs ln 9 from one half to nine tenths:
    /// ```
    /// use mta_sims::against::{Replicates, SIMULATIONS, Simulated};
    /// use mta_sims::stream::Seed;
    /// let clocks = SIMULATIONS.iter().find(|s| s.proposition == "P2").unwrap();
    /// let time = clocks.simulate("time_npg", &[0.5, 0.9, 2.0], Replicates { seed: Seed(0), count: 1 });
    /// assert!(matches!(time, Some(Simulated::Exact(t)) if (t - 9f64.ln()).abs() < 1e-6));
    /// ```
    pub fn simulate(&self, output: &str, x: &[f64], replicates: Replicates) -> Option<Simulated> {
        match self.measures.iter().find(|m| m.output == output)?.run {
            Run::Exact(run) => run(x).filter(|value| value.is_finite()).map(Simulated::Exact),
            Run::Sampled(run) => replicates.each(|seed| run(x, seed).filter(|value| value.is_finite())).map(Simulated::Sampled),
        }
    }
}

impl Replicates {
    /// One value per replicate, in order whatever the threads; `None` if the first has none, or any other.
    fn each(self, run: impl Fn(Seed) -> Option<f64> + Sync) -> Option<Vec<f64>> {
        let first = run(self.replicate(0))?;
        let rest: Option<Vec<f64>> = (1..self.count).into_par_iter().map(|i| run(self.replicate(i))).collect();
        Some(std::iter::once(first).chain(rest?).collect())
    }

    /// The seed of a replicate: two words of the master seed's own stream for it.
    fn replicate(self, i: usize) -> Seed {
        let stream = self.seed.stream(Purpose::Replicate, 0, i);
        Seed(u64::from(stream.word(0)) << 32 | u64::from(stream.word(1)))
    }
}

//! What happens: worlds, policies, signals, rules and the reference training loop.
//!
//! ```text
//! Seed -> Stream                       stream      every draw has an address
//! Config <- KNOBS                      config      every knob, once
//! World = Task + Prior                 world       what is right; what the base model believes
//!   Leaves                             leaves      trees whose right responses are listed
//! Policy: sample, rescore, ascend      policy      softmax table with shared skill and private memory
//! Group of Rollouts                    rollout     sampled (weight 1/G) or enumerated (weight pi(y))
//! Signal: Group -> Pay                 signals/    what pays
//! Real, Seen                           real, seen  kinds of numbers, and what a rollout shows: a formula is written once for all engines
//! Rule = choice of building blocks     rules/      how the update uses it
//!   Paid: group and rewards            paid        weighted moments
//!   advantages, pushes                 objective   each formula once
//! train(policy, ...)                   run         sample, pay, compare, push: the loop
//! text -> name                         digest      names of cells and answers: hashes of what they depend on
//! Recipe = signal + rule + data        recipe      under one name
//! Cell -> Curves                       cell        one recipe, one world, one seed
//! [Cell] -> [Curves]                   batch/      many cells at once, one per SIMD lane or thread of a GPU, in f32
//! Recipe -> seconds                    cost        what a cell is expected to take
//! Workload -> fleet of replicas        workloads   what engines are timed on
//! Proposition -> Simulated             against/    what the engine measures of the theory's outputs
//! ```
//!
//! Adding a signal or a rule is one file, a `mod` line and a line in the list of [`signals`] or [`rules`];
//! adding a simulation of a proposition is the same in [`against`].

pub mod against;
pub mod batch;
pub mod betting;
pub mod cell;
pub mod choices;
pub mod claims;
pub mod config;
pub mod cost;
pub mod critic;
pub mod data;
pub mod digest;
pub mod knob;
pub mod leaves;
pub mod measure;
pub mod memory;
pub mod objective;
pub mod paid;
pub mod policy;
pub mod prior;
pub mod real;
pub mod recipe;
pub mod record;
pub mod registry;
pub mod reward;
pub mod rollout;
pub mod rules;
pub mod run;
pub mod seen;
pub mod signals;
pub mod statistics;
pub mod stream;
pub mod table;
pub mod task;
pub mod workloads;
pub mod world;

//! Running blocks of replicas, and what is seen of them.

use super::block::{Block, Replica};
use super::evaluate::Means;
use super::lanes::{Job, Lanes, Vectors, dispatch, width};
use super::memory;
use super::number::Lane;
use super::update::Did;
use crate::measure::Measured;
use crate::objective::Clipped;
use crate::record::Snapshot;
use crate::run::StepStats;
use crate::signals::Signal;
use rayon::prelude::*;
use std::f64::consts::LN_2;

/// How replicas run; none of it changes a result.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Vector instructions.
    pub vectors: Vectors,
}

/// Sees a run of one replica: policy and statistics at every evaluated step, and the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// The policy after evaluated steps, the first being 0.
    pub snapshots: Vec<Snapshot>,
    /// Logits gained by all prompts, in nats, by arm.
    pub skill: Vec<f64>,
    /// Logits gained by each prompt of the domain alone, in nats, by prompt and arm.
    pub memory: Vec<f64>,
}

/// What many replicas did together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trail {
    /// Means over replicas of what every step sampled from: the chance of a right answer at the prompts of its batch, and the entropy in nats.
    pub steps: Vec<[f64; 2]>,
    /// Success at the training prompts after the last update, by replica.
    pub success: Vec<f64>,
    /// Mean entropy there, in nats.
    pub entropy: f64,
}

/// Runs replicas and gives what is seen of each, in their order.
///
/// # Panics
/// When recipes differ in more than real-valued knobs, or ask for what [`super::supports`] denies.
pub fn watch(replicas: &[Replica], options: Options) -> Vec<Observed> {
    let lanes = width(options.vectors);
    let blocks: Vec<Vec<Observed>> = replicas.par_chunks(lanes).map(|some| dispatch(options.vectors, Watch(some))).collect();
    blocks.into_iter().flatten().collect()
}

/// Runs replicas without looking at single ones until the end. Sums are in `f64`, block by block: with another vector width, only their last bits differ.
///
/// # Panics
/// As [`watch`].
pub fn follow(replicas: &[Replica], options: Options) -> Trail {
    let lanes = width(options.vectors);
    let blocks: Vec<Trail> = replicas.par_chunks(lanes).map(|some| dispatch(options.vectors, Follow(some))).collect();
    let mut all = Trail { steps: vec![[0.0; 2]; replicas[0].recipe.config.train.steps], ..Trail::default() };
    let share = 1.0 / replicas.len() as f64;
    for block in blocks {
        for (mean, sum) in all.steps.iter_mut().zip(block.steps) {
            *mean = [mean[0] + sum[0] * share, mean[1] + sum[1] * share];
        }
        all.entropy += block.entropy * share;
        all.success.extend(block.success);
    }
    all
}

/// As many replicas as there are lanes: the last ones once more where too few are left.
fn padded<'a, S: Lanes>(replicas: &[Replica<'a>]) -> Vec<Replica<'a>> {
    (0..S::LANES).map(|lane| replicas[lane.min(replicas.len() - 1)]).collect()
}

struct Watch<'a>(&'a [Replica<'a>]);

impl Job for Watch<'_> {
    type Output = Vec<Observed>;

    #[inline(always)]
    fn run<S: Lanes>(self, s: S) -> Vec<Observed> {
        let all = padded::<S>(self.0);
        let mut block = Block::new(s, &all);
        let train = &all[0].recipe.config.train;
        let nothing = block.nothing();
        let mut looks = vec![block.look(0, nothing)];
        for step in 0..train.steps {
            let did = block.step(step, if train.evaluates(step + 1) { Watched::All } else { Watched::Nothing });
            if train.evaluates(step + 1) {
                looks.push(block.look(step + 1, did));
            }
        }
        (0..self.0.len()).map(|lane| block.seen(&looks, lane)).collect()
    }
}

struct Follow<'a>(&'a [Replica<'a>]);

impl Job for Follow<'_> {
    type Output = Trail;

    /// Sums over its replicas.
    #[inline(always)]
    fn run<S: Lanes>(self, s: S) -> Trail {
        let all = padded::<S>(self.0);
        let mut block = Block::new(s, &all);
        let steps = all[0].recipe.config.train.steps;
        let mut did = Vec::with_capacity(steps);
        for step in 0..steps {
            did.push(block.step(step, Watched::Policy));
        }
        let last = block.measure(0..block.shape.held_out.start);
        let last: Vec<Measured> = (0..self.0.len()).map(|lane| last.lane(lane)).collect();
        Trail {
            steps: did.iter().map(|did| [did.success, did.entropy].map(|x| self.sum::<S>(x))).collect(),
            success: last.iter().map(|m| m.pass_at[0]).collect(),
            entropy: last.iter().map(|m| m.entropy).sum(),
        }
    }
}

impl Follow<'_> {
    /// Over its replicas.
    fn sum<S: Lanes>(&self, x: Lane<S>) -> f64 {
        (0..self.0.len()).map(|lane| memory::lane::<S>(x.x, lane)).sum()
    }
}

/// What is wanted of a step.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Watched {
    Nothing,
    /// Success and entropy of the policy it sampled from.
    Policy,
    /// Its rewards as well.
    All,
}

/// What an evaluated step shows.
pub(super) struct Look<S: Lanes> {
    pub(super) step: usize,
    pub(super) train: Means<S>,
    pub(super) held_out: Means<S>,
    pub(super) did: Did<S>,
}

impl<S: Lanes> Block<'_, S> {
    /// One step; says what it did where that is wanted.
    #[inline(always)]
    pub(super) fn step(&mut self, step: usize, watched: Watched) -> Did<S> {
        let mut did = self.nothing();
        let signal = self.replicas[0].recipe.signal;
        if self.shape.exact {
            self.enumerate(signal);
        } else {
            self.sample_batch(signal, step, watched != Watched::Nothing);
        }
        if watched != Watched::Nothing {
            self.describe_policy(&mut did);
        }
        if watched == Watched::All {
            self.describe(&mut did);
        }
        self.shape_rewards();
        self.find_advantages();
        if !self.shape.exact {
            self.fetch_coins(step + 1, 0);
        }
        self.update(&mut did);
        did
    }

    /// Samples and pays the groups of a step.
    #[inline(always)]
    fn sample_batch(&mut self, signal: &Signal, step: usize, watched: bool) {
        if step == 0 {
            self.fetch_words(0, 0);
            self.fetch_coins(0, 0);
        }
        self.draw_prompts(step);
        for slot in 0..self.shape.batch {
            self.sample(signal, step, slot, watched);
        }
    }

    #[inline(always)]
    fn look(&mut self, step: usize, did: Did<S>) -> Look<S> {
        let (train, held_out) = (0..self.shape.held_out.start, self.shape.held_out.clone());
        Look { step, train: self.measure(train), held_out: self.measure(held_out), did }
    }

    pub(super) fn seen(&self, looks: &[Look<S>], lane: usize) -> Observed {
        let snapshot = |look: &Look<S>| Snapshot {
            step: look.step,
            held_out: look.held_out.lane(lane),
            train: look.train.lane(lane),
            stats: (look.step > 0).then(|| self.stats(&look.did, lane)),
        };
        let column =
            |table: &[S::f32s]| memory::flat::<S>(table).iter().skip(lane).step_by(S::LANES).map(|x| f64::from(*x) * LN_2).collect();
        Observed { snapshots: looks.iter().map(snapshot).collect(), skill: column(&self.skill), memory: column(&self.memory) }
    }

    fn stats(&self, did: &Did<S>, lane: usize) -> StepStats {
        let rollouts = (self.shape.batch * self.shape.paid()) as f64;
        StepStats {
            reward: memory::lane::<S>(did.reward.x, lane),
            reward_std: memory::lane::<S>(did.reward_std.x, lane),
            frac_reward_zero_std: memory::lane::<S>(did.flat.x, lane),
            reward_accuracy: memory::lane::<S>(did.accuracy.x, lane),
            entropy: memory::lane::<S>(did.entropy.x, lane),
            mean_length: 1.0,
            clipped: Clipped {
                tokens: memory::lane::<S>(did.tokens.x, lane),
                low: memory::lane::<S>(did.low.x, lane),
                high: memory::lane::<S>(did.high.x, lane),
            },
            rollouts,
            wasted: rollouts * memory::lane::<S>(did.flat.x, lane),
        }
    }
}

//! Running blocks of replicas, and what is seen of them.

use super::block::{Block, Replica};
use super::evaluate::Means;
use super::lanes::{Job, Kernel, Lanes, Vectors, dispatch, width};
use super::memory;
use super::number::Lane;
use super::tree::Node;
use super::update::Did;
use crate::measure::Measured;
use crate::objective::Clipped;
use crate::record::Snapshot;
use crate::run::StepStats;
use rayon::prelude::*;
use std::f64::consts::LN_2;
use std::ops::Range;

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
    /// Logits gained by all prompts, in nats, by depth and action.
    pub skill: Vec<f64>,
    /// Logits gained by each prompt trained on alone, in nats, by prompt and arm; empty for trees.
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
    run(replicas, options, Wanted::Curves).into_iter().filter_map(|seen| seen.observed).collect()
}

/// Runs replicas and gives what each remembers of its trees in the end, depth by depth; nothing of bandits, whose memory [`watch`] shows.
///
/// # Panics
/// As [`watch`].
pub fn recall(replicas: &[Replica], options: Options) -> Vec<Vec<Node>> {
    run(replicas, options, Wanted::Nodes).into_iter().map(|seen| seen.nodes).collect()
}

/// Runs replicas and gives of each the mean chance of a right response, over the prompts its regime trains on, after evaluated steps, the first being 0.
///
/// Trees without shared skill compute only those nodes anew that have moved; worlds whose right responses are listed run only here, and only without shared
/// skill.
///
/// # Panics
/// As [`watch`].
pub fn success(replicas: &[Replica], options: Options) -> Vec<Vec<f64>> {
    run(replicas, options, Wanted::Success).into_iter().map(|seen| seen.success).collect()
}

/// What is wanted of a run.
#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    Curves,
    Nodes,
    Success,
}

/// What a run shows of a replica.
struct Seen {
    observed: Option<Observed>,
    nodes: Vec<Node>,
    success: Vec<f64>,
}

fn run(replicas: &[Replica], options: Options, wanted: Wanted) -> Vec<Seen> {
    let job = |replicas: &[Replica]| dispatch(narrowed(options.vectors, replicas.len()), Watch { replicas, wanted });
    let jobs: Vec<Vec<Seen>> = replicas.par_chunks(job_size(replicas, options)).map(job).collect();
    jobs.into_iter().flatten().collect()
}

/// Replicas of a job: a few blocks, one after the other, that share their scratch, where enough jobs for all threads remain.
fn job_size(replicas: &[Replica], options: Options) -> usize {
    const MOST_BLOCKS: usize = 8;
    const JOBS_OF_A_THREAD: usize = 4;
    let lanes = width(options.vectors);
    let blocks = replicas.len() / (lanes * JOBS_OF_A_THREAD * rayon::current_num_threads());
    lanes * blocks.clamp(1, MOST_BLOCKS)
}

/// The vector instructions for so few replicas that narrower vectors hold them all: what they give is the same, and fewer lanes repeat the last one.
fn narrowed(vectors: Vectors, replicas: usize) -> Vectors {
    if replicas <= width(Vectors::V3) && width(vectors) > width(Vectors::V3) { Vectors::V3 } else { vectors }
}

/// Runs replicas without looking at single ones until the end. Sums are in `f64`, block by block: with another vector width, only their last bits differ.
///
/// # Panics
/// As [`watch`]; and for trees, whose chance of a right answer is not known without measuring it.
pub fn follow(replicas: &[Replica], options: Options) -> Trail {
    assert!(!is_tree(replicas), "trees are watched, not followed");
    let job = |replicas: &[Replica]| dispatch(options.vectors, Follow { replicas });
    let jobs: Vec<Vec<Trail>> = replicas.par_chunks(job_size(replicas, options)).map(job).collect();
    let mut all = Trail { steps: vec![[0.0; 2]; replicas[0].recipe.config.train.steps], ..Trail::default() };
    let share = 1.0 / replicas.len() as f64;
    for block in jobs.into_iter().flatten() {
        for (mean, sum) in all.steps.iter_mut().zip(block.steps) {
            *mean = [mean[0] + sum[0] * share, mean[1] + sum[1] * share];
        }
        all.entropy += block.entropy * share;
        all.success.extend(block.success);
    }
    all
}

/// Whether responses have more than one token.
fn is_tree(replicas: &[Replica]) -> bool {
    replicas.first().is_some_and(|replica| replica.recipe.config.world.depth > 1)
}

/// Whole blocks of replicas: the last ones once more where too few are left.
fn padded<'a, S: Lanes>(replicas: &[Replica<'a>]) -> Vec<Replica<'a>> {
    (0..replicas.len().next_multiple_of(S::LANES)).map(|i| replicas[i.min(replicas.len() - 1)]).collect()
}

/// Does `what` with the blocks of a job, one after the other, and gives what it says of each; it is told how many replicas are no padding.
#[inline(always)]
fn block_by_block<S: Lanes, T>(s: S, replicas: &[Replica], mut what: impl FnMut(&mut Block<S>, usize) -> T) -> Vec<T> {
    let all = padded::<S>(replicas);
    let (mut scratch, mut made) = (None, Vec::new());
    for (lanes, some) in all.chunks(S::LANES).zip(replicas.chunks(S::LANES)) {
        let mut block = Block::new(s, lanes, scratch);
        made.push(what(&mut block, some.len()));
        scratch = Some(block.step);
    }
    made
}

/// Watches blocks of replicas.
struct Watch<'a> {
    replicas: &'a [Replica<'a>],
    wanted: Wanted,
}

impl Job for Watch<'_> {
    type Output = Vec<Seen>;

    #[inline(always)]
    fn run<S: Lanes>(self, s: S) -> Vec<Seen> {
        let watched = block_by_block(
            s,
            self.replicas,
            #[inline(always)]
            |block, replicas| self.watch(block, replicas),
        );
        watched.into_iter().flatten().collect()
    }
}

impl Watch<'_> {
    /// What is seen of the first `replicas` of a block.
    #[inline(always)]
    fn watch<S: Lanes>(&self, block: &mut Block<S>, replicas: usize) -> Vec<Seen> {
        let train = &self.replicas[0].recipe.config.train;
        let curves = self.wanted != Wanted::Success;
        let (mut looks, mut success) = (Vec::new(), Vec::new());
        if !curves {
            block.start_success();
        }
        let mut did = block.nothing();
        let mut made = 0;
        for step in (0..=train.steps).filter(|step| *step == 0 || train.evaluates(*step)) {
            block.train(made..step, if curves { Watched::All } else { Watched::Nothing }, &mut did);
            made = step;
            if curves {
                looks.push(block.look(step, did));
            } else {
                success.push(block.mean_success());
            }
        }
        let nodes = |lane| if self.wanted == Wanted::Nodes { block.recall(lane) } else { Vec::new() };
        let chances = |lane| success.iter().map(|x| memory::lane::<S>(*x, lane)).collect();
        let seen = |lane| Seen { observed: curves.then(|| block.seen(&looks, lane)), nodes: nodes(lane), success: chances(lane) };
        (0..replicas).map(seen).collect()
    }
}

/// Follows blocks of replicas.
struct Follow<'a> {
    replicas: &'a [Replica<'a>],
}

impl Job for Follow<'_> {
    type Output = Vec<Trail>;

    #[inline(always)]
    fn run<S: Lanes>(self, s: S) -> Vec<Trail> {
        let steps = self.replicas[0].recipe.config.train.steps;
        block_by_block(
            s,
            self.replicas,
            #[inline(always)]
            |block, replicas| follow_block(block, replicas, steps),
        )
    }
}

/// Sums over the first `replicas` of a block.
#[inline(always)]
fn follow_block<S: Lanes>(block: &mut Block<S>, replicas: usize, steps: usize) -> Trail {
    let (mut trail, mut did) = (Vec::with_capacity(steps), block.nothing());
    let sum = |x: Lane<S>| sum(&memory::flat::<S>(&[x.x])[..replicas]);
    for step in 0..steps {
        block.train(step..step + 1, Watched::Policy, &mut did);
        trail.push([sum(did.success), sum(did.entropy)]);
    }
    let last = block.measured(0..block.shape.held_out.start);
    let last: Vec<Measured> = (0..replicas).map(|lane| last.lane(lane)).collect();
    Trail { steps: trail, success: last.iter().map(|m| m.pass_at[0]).collect(), entropy: last.iter().map(|m| m.entropy).sum() }
}

/// The sum, by four parts. By itself, or a compiler would add up several sums crosswise.
#[inline(never)]
fn sum(all: &[f32]) -> f64 {
    let (some, rest) = all.as_chunks::<4>();
    let mut parts = [0.0; 4];
    for some in some {
        for (part, x) in parts.iter_mut().zip(some) {
            *part += f64::from(*x);
        }
    }
    parts.iter().sum::<f64>() + rest.iter().map(|x| f64::from(*x)).sum::<f64>()
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

/// One step, compiled by itself, once for all that step.
struct Step<'b, 'a, S: Lanes, const TREE: bool> {
    block: &'b mut Block<'a, S>,
    step: usize,
    watched: Watched,
    did: &'b mut Did<S>,
}

impl<S: Lanes, const TREE: bool> Kernel<S> for Step<'_, '_, S, TREE> {
    type Output = ();
    #[inline(always)]
    fn run(self, _: S) {
        let Step { block, step, watched, did } = self;
        let is_watched = watched != Watched::Nothing;
        if TREE {
            block.roll_out_trees(step, is_watched);
        } else {
            block.roll_out(step, is_watched);
        }
        block.assess(watched, did);
        if TREE { block.update_trees(did) } else { block.update(step, did) }
    }
}

struct Succeed<'b, 'a, S: Lanes>(&'b mut Block<'a, S>);

impl<S: Lanes> Kernel<S> for Succeed<'_, '_, S> {
    type Output = S::f32s;
    #[inline(always)]
    fn run(self, _: S) -> S::f32s {
        self.0.succeed()
    }
}

struct Measure<'b, 'a, S: Lanes> {
    block: &'b mut Block<'a, S>,
    prompts: Range<usize>,
}

impl<S: Lanes> Kernel<S> for Measure<'_, '_, S> {
    type Output = Means<S>;
    #[inline(always)]
    fn run(self, _: S) -> Means<S> {
        self.block.measure(self.prompts)
    }
}

/// What an evaluated step shows.
pub(super) struct Look<S: Lanes> {
    pub(super) step: usize,
    pub(super) train: Means<S>,
    pub(super) held_out: Means<S>,
    pub(super) did: Did<S>,
}

impl<S: Lanes> Block<'_, S> {
    /// These steps, of which the last is watched.
    fn train(&mut self, steps: Range<usize>, watched: Watched, did: &mut Did<S>) {
        let unwatched = if watched == Watched::Nothing { steps.end } else { steps.end.saturating_sub(1) };
        let mut step = steps.start;
        while step < steps.end {
            let (flows, watched) = (self.flows_freely(), if step < unwatched { Watched::Nothing } else { watched });
            // of what flows, a step by itself only looks at the policy
            if !flows || step == 0 || watched != Watched::Nothing {
                self.step(step, watched, did);
            }
            step += if flows { self.flow(step, unwatched.saturating_sub(step).max(1)) } else { 1 };
        }
    }

    /// One step; `did` says afterwards what it did, where that is wanted.
    pub(super) fn step(&mut self, step: usize, watched: Watched, did: &mut Did<S>) {
        let s = self.s;
        if self.shape.is_tree() {
            s.enter(Step::<S, true> { block: self, step, watched, did });
        } else {
            s.enter(Step::<S, false> { block: self, step, watched, did });
        }
    }

    /// From rewards to advantages; says what the step did where that is wanted.
    #[inline(always)]
    fn assess(&mut self, watched: Watched, did: &mut Did<S>) {
        *did = self.nothing();
        if watched != Watched::Nothing {
            self.describe_policy(did);
        }
        if watched == Watched::All {
            self.describe(did);
        }
        if !self.flows {
            self.shape_rewards();
            self.find_advantages();
        }
    }

    /// Means over prompts.
    pub(super) fn measured(&mut self, prompts: Range<usize>) -> Means<S> {
        self.s.enter(Measure { block: &mut *self, prompts })
    }

    fn look(&mut self, step: usize, did: Did<S>) -> Look<S> {
        let (train, held_out) = (0..self.shape.held_out.start, self.shape.held_out.clone());
        Look { step, train: self.measured(train), held_out: self.measured(held_out), did }
    }

    /// Keeps chances of right responses where that is less work than measuring them.
    fn start_success(&mut self) {
        if self.keeps_success() {
            self.keep_success();
        }
    }

    /// Mean chance of a right response over the prompts trained on.
    fn mean_success(&mut self) -> S::f32s {
        if self.keeps_success() { self.s.enter(Succeed(self)) } else { self.measured(self.shape.domain.clone()).success() }
    }

    fn keeps_success(&self) -> bool {
        self.shape.is_tree() && !self.uses.skill
    }

    pub(super) fn seen(&self, looks: &[Look<S>], lane: usize) -> Observed {
        let snapshot = |look: &Look<S>| Snapshot {
            step: look.step,
            held_out: look.held_out.lane(lane),
            train: look.train.lane(lane),
            stats: (look.step > 0).then(|| self.stats(&look.did, lane)),
        };
        let column = |table: &[S::f32s]| -> Vec<f64> {
            memory::flat::<S>(table).iter().skip(lane).step_by(S::LANES).map(|x| f64::from(*x) * LN_2).collect()
        };
        let skill = column(&self.skill).chunks(self.shape.stride).flat_map(|row| row[..self.shape.actions].to_vec()).collect();
        Observed { snapshots: looks.iter().map(snapshot).collect(), skill, memory: column(&self.memory) }
    }

    fn stats(&self, did: &Did<S>, lane: usize) -> StepStats {
        let rollouts = (self.shape.batch * self.shape.paid()) as f64;
        StepStats {
            reward: memory::lane::<S>(did.reward.x, lane),
            reward_std: memory::lane::<S>(did.reward_std.x, lane),
            frac_reward_zero_std: memory::lane::<S>(did.flat.x, lane),
            reward_accuracy: memory::lane::<S>(did.accuracy.x, lane),
            entropy: memory::lane::<S>(did.entropy.x, lane),
            mean_length: memory::lane::<S>(did.length.x, lane),
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

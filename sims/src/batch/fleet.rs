//! Running blocks of replicas, and what is seen of them.

use super::block::{Block, Replica};
use super::evaluate::Means;
use super::lanes::{Job, Kernel, Lanes, Vectors, dispatch, width};
use super::memory;
use super::number::Lane;
use super::tree::Node;
use super::update::Did;
use crate::objective::Clipped;
use crate::record::Snapshot;
use crate::run::StepStats;
use crate::signals::Signal;
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
    /// Logits gained by each prompt of the domain alone, in nats, by prompt and arm; empty for trees.
    pub memory: Vec<f64>,
}

/// Means of what every step sampled from: the chance of a right answer at the prompts of its batch, and the entropy in nats.
pub type Trail = Vec<[f64; 2]>;

/// Runs replicas and gives what is seen of each, in their order.
///
/// # Panics
/// When recipes differ in more than real-valued knobs, or ask for what [`super::supports`] denies.
pub fn watch(replicas: &[Replica], options: Options) -> Vec<Observed> {
    run(replicas, options, Wanted::Curves).into_iter().map(|seen| seen.observed).collect()
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
    observed: Observed,
    nodes: Vec<Node>,
    success: Vec<f64>,
}

fn run(replicas: &[Replica], options: Options, wanted: Wanted) -> Vec<Seen> {
    let lanes = width(options.vectors);
    let tree = is_tree(replicas);
    let block = |replicas| {
        if tree {
            dispatch(options.vectors, Watch::<true> { replicas, wanted })
        } else {
            dispatch(options.vectors, Watch::<false> { replicas, wanted })
        }
    };
    let blocks: Vec<Vec<Seen>> = replicas.par_chunks(lanes).map(block).collect();
    blocks.into_iter().flatten().collect()
}

/// Runs replicas without looking at single ones: means over replicas of what every step sampled from. Sums are in `f64`, block by block: with another vector
/// width, only their last bits differ.
///
/// # Panics
/// For trees, whose chance of a right answer is not known without measuring it.
pub fn follow(replicas: &[Replica], options: Options) -> Trail {
    assert!(!is_tree(replicas), "trees are watched, not followed");
    let lanes = width(options.vectors);
    let blocks: Vec<Trail> = replicas.par_chunks(lanes).map(|some| dispatch(options.vectors, Follow(some))).collect();
    let steps = replicas[0].recipe.config.train.steps;
    let mut sums = vec![[0.0; 2]; steps];
    for block in &blocks {
        for (sum, x) in sums.iter_mut().zip(block) {
            sum[0] += x[0];
            sum[1] += x[1];
        }
    }
    sums.iter().map(|sum| sum.map(|x| x / replicas.len() as f64)).collect()
}

/// Whether responses have more than one token.
fn is_tree(replicas: &[Replica]) -> bool {
    replicas.first().is_some_and(|replica| replica.recipe.config.world.depth > 1)
}

/// As many replicas as there are lanes: the last ones once more where too few are left.
fn padded<'a, S: Lanes>(replicas: &[Replica<'a>]) -> Vec<Replica<'a>> {
    (0..S::LANES).map(|lane| replicas[lane.min(replicas.len() - 1)]).collect()
}

/// Watches a block of bandits, or of trees.
struct Watch<'a, const TREE: bool> {
    replicas: &'a [Replica<'a>],
    wanted: Wanted,
}

impl<const TREE: bool> Job for Watch<'_, TREE> {
    type Output = Vec<Seen>;

    #[inline(always)]
    fn run<S: Lanes>(self, s: S) -> Vec<Seen> {
        let all = padded::<S>(self.replicas);
        let mut block = Block::new(s, &all);
        let train = &all[0].recipe.config.train;
        let curves = self.wanted != Wanted::Success;
        let (mut looks, mut success) = (Vec::new(), Vec::new());
        if !curves && TREE {
            block.start_success();
        }
        for step in 0..=train.steps {
            let shown = step == 0 || train.evaluates(step);
            let mut did = block.nothing();
            if step > 0 {
                did = block.step::<TREE>(step - 1, if shown && curves { Watched::All } else { Watched::Nothing });
            }
            if shown && curves {
                looks.push(block.look::<TREE>(step, did));
            } else if shown {
                success.push(block.mean_success::<TREE>());
            }
        }
        let nodes = |lane| if self.wanted == Wanted::Nodes { block.recall(lane) } else { Vec::new() };
        let chances = |lane| success.iter().map(|x| memory::lane::<S>(*x, lane)).collect();
        let seen = |lane| Seen { observed: block.seen(&looks, lane), nodes: nodes(lane), success: chances(lane) };
        (0..self.replicas.len()).map(seen).collect()
    }
}

struct Follow<'a>(&'a [Replica<'a>]);

impl Job for Follow<'_> {
    type Output = Trail;

    #[inline(always)]
    fn run<S: Lanes>(self, s: S) -> Self::Output {
        let all = padded::<S>(self.0);
        let mut block = Block::new(s, &all);
        let mut trail = Vec::with_capacity(all[0].recipe.config.train.steps);
        for step in 0..all[0].recipe.config.train.steps {
            let did = block.step::<false>(step, Watched::Policy);
            trail.push([did.success, did.entropy]);
        }
        trail
            .iter()
            .map(|did| {
                let sum = |x: Lane<S>| (0..self.0.len()).map(|lane| memory::lane::<S>(x.x, lane)).sum();
                did.map(sum)
            })
            .collect()
    }
}

/// What is wanted of a step.
#[derive(Clone, Copy, PartialEq)]
enum Watched {
    Nothing,
    /// Success and entropy of the policy it sampled from.
    Policy,
    /// Its rewards as well.
    All,
}

/// Parts of a step of trees, each compiled by itself: all in one they would take a compiler long.
struct RollOut<'b, 'a, S: Lanes> {
    block: &'b mut Block<'a, S>,
    signal: &'b Signal,
    step: usize,
    slot: usize,
    watched: bool,
}

impl<S: Lanes> Kernel<S> for RollOut<'_, '_, S> {
    type Output = ();
    #[inline(always)]
    fn run(self, _: S) {
        self.block.roll_out(self.signal, self.step, self.slot, self.watched);
    }
}

struct Update<'b, 'a, S: Lanes> {
    block: &'b mut Block<'a, S>,
    did: &'b mut Did<S>,
}

impl<S: Lanes> Kernel<S> for Update<'_, '_, S> {
    type Output = ();
    #[inline(always)]
    fn run(self, _: S) {
        self.block.update_tree(self.did);
    }
}

/// A measurement, of bandits or of trees.
struct Measure<'b, 'a, S: Lanes, const TREE: bool> {
    block: &'b mut Block<'a, S>,
    prompts: Range<usize>,
}

impl<S: Lanes, const TREE: bool> Kernel<S> for Measure<'_, '_, S, TREE> {
    type Output = Means<S>;
    #[inline(always)]
    fn run(self, _: S) -> Means<S> {
        self.block.measure::<TREE>(self.prompts)
    }
}

/// What an evaluated step shows.
struct Look<S: Lanes> {
    step: usize,
    train: Means<S>,
    held_out: Means<S>,
    did: Did<S>,
}

impl<S: Lanes> Block<'_, S> {
    /// One step; says what it did where that is wanted.
    #[inline(always)]
    fn step<const TREE: bool>(&mut self, step: usize, watched: Watched) -> Did<S> {
        let mut did = self.nothing();
        let signal = self.replicas[0].recipe.signal;
        if step == 0 && !TREE {
            self.fetch_words(0, 0);
            self.fetch_coins(0, 0);
        }
        self.draw_prompts(step);
        for slot in 0..self.shape.batch {
            if TREE {
                self.s.enter(RollOut { block: &mut *self, signal, step, slot, watched: watched != Watched::Nothing });
            } else {
                self.sample(signal, step, slot, watched != Watched::Nothing);
            }
        }
        if watched != Watched::Nothing {
            self.describe_policy(&mut did);
        }
        if watched == Watched::All {
            self.describe(&mut did);
        }
        self.shape_rewards();
        self.find_advantages();
        if TREE {
            self.spread_advantages();
            self.s.enter(Update { block: &mut *self, did: &mut did });
        } else {
            self.weigh_advantages();
            self.fetch_coins(step + 1, 0);
            self.update(&mut did);
        }
        did
    }

    #[inline(always)]
    fn look<const TREE: bool>(&mut self, step: usize, did: Did<S>) -> Look<S> {
        let (train, held_out) = (0..self.shape.held_out.start, self.shape.held_out.clone());
        Look {
            step,
            train: self.s.enter(Measure::<_, TREE> { block: &mut *self, prompts: train }),
            held_out: self.s.enter(Measure::<_, TREE> { block: &mut *self, prompts: held_out }),
            did,
        }
    }

    /// Keeps chances of right responses where that is less work than measuring them.
    fn start_success(&mut self) {
        if !self.uses.skill {
            self.keep_success();
        }
    }

    /// Mean chance of a right response over the prompts of the domain.
    #[inline(always)]
    fn mean_success<const TREE: bool>(&mut self) -> S::f32s {
        if TREE && !self.uses.skill {
            self.succeed()
        } else {
            self.s.enter(Measure::<_, TREE> { prompts: self.shape.domain.clone(), block: &mut *self }).success()
        }
    }

    fn seen(&self, looks: &[Look<S>], lane: usize) -> Observed {
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

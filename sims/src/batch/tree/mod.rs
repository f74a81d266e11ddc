//! Trees: responses of more than one token.
//!
//! A lane is a replica here too. Rollout i of a slot stands, in every lane, at some node of that replica's own tree, and a visit loads the rows of sixteen such
//! nodes together and transposes them. Nodes live in an arena and come into being when an update first moves them, so a replica costs memory for what it has
//! learned and not for `V^H`. The policy of a prompt at nodes of which nothing is remembered is the same for all nodes of a depth, and so is what lies below.
//!
//! ```text
//! Tree                                 mod         tables of a step
//! Level                                level       nodes of one depth, their private logits and children
//!   roll_out_trees                      rollout     policies at the nodes visited, draws, verdicts, what paths show
//!   update_trees                       ascent      pushes of tokens, ascent of the nodes visited
//!   measure_tree                       evaluate    exact measurements, deepest nodes first
//!   succeed                            success     the chance of a right response alone, by computing anew what has moved
//! ```

mod ascent;
mod evaluate;
mod level;
mod rollout;
mod success;

pub use level::Node;
pub(super) use success::fresh_chances;

use super::block::{Block, Replica};
use super::lanes::Lanes;
use super::memory::{self, Table};
use super::number::Lane;
use super::search::bit_rows;
use super::shape::Shape;
use super::shown::Path;
use level::Level;
use success::Success;

/// log2 of the weight of what is no action: rows are longer than the actions they hold. Finite, for its differences are taken.
pub(super) const PAD: f32 = -1e30;
/// Least log2 of a weight, where the largest is 1: far below what a sum of `f32` resolves, and its products are no slow subnormal numbers.
const FLOOR: f32 = -64.0;

/// What trees need besides what a block of bandits has. A place is where the policy at a node is kept: places `slot * H + h` are those of nodes of which nothing
/// is remembered (at depth 0, of the root), then every visit `(slot * paid + rollout) * H + h` has one. Empty in bandits.
pub(super) struct Tree<S: Lanes> {
    /// Nodes by depth.
    levels: Vec<Level>,
    /// Base log-probabilities by slot, depth and action.
    base: Table<S::f32s>,
    /// The same with the shared skill.
    rows: Table<S::f32s>,
    /// Whether a slot's base log-probabilities are there, and there to stay.
    loaded: Vec<bool>,
    /// Whether a place of nodes of which nothing is remembered holds their policy.
    ready: Vec<bool>,
    /// 2^(logit - largest) by place and action.
    weights: Table<S::f32s>,
    /// Logits by place and action, where scores are wanted.
    logits: Table<S::f32s>,
    places: Vec<Place<S>>,
    visits: Vec<Visit<S>>,
    /// The place of every visit.
    place: Vec<usize>,
    /// By rollout of the slot at hand, the lanes in which it pushes.
    moves: Vec<S::m32s>,
    /// By rollout: its number of tokens.
    length: Table<S::u32s>,
    /// Whether responses of the slot being sampled have ended.
    ended: Vec<S::m32s>,
    /// Right tokens of the slot's prompt, bits per depth.
    right: Table<S::u32s>,
    /// Tokens that a prompt needs.
    pub(super) work: Table<S::f32s>,
    /// What the paths of the slot show.
    pub(super) paths: Vec<Path<S>>,
    /// `token * LANES + lane` of their first tokens.
    pub(super) opening: Table<S::u32s>,
    /// By token of rollouts trained on: advantage, push, share of the batch.
    advantage: Vec<Lane<S>>,
    push: Vec<Lane<S>>,
    share: Vec<Lane<S>>,
    /// Entropy push, by rollout trained on.
    bonus: Vec<Lane<S>>,
    /// Weights times lengths of a group's rollouts.
    pub(super) by_length: Vec<Lane<S>>,
    /// Base log-probabilities with the skill, by depth and action, of the prompt being measured.
    measured: Table<S::f32s>,
    /// Where right responses are listed: their bits, and those of prefixes that they lie below, world after world; where a lane's begin; how many words further
    /// those of prefixes begin, by number of tokens; and the code of the prefix of every visit.
    listed: Vec<u32>,
    listed_from: S::u32s,
    opens_from: Vec<usize>,
    prefix: Table<S::u32s>,
    /// Chances of right responses, where they are kept.
    success: Option<Success>,
}

/// The policy at one node per lane, besides its weights.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Place<S: Lanes> {
    /// Sum of the weights, and its inverse.
    total: S::f32s,
    inverse: S::f32s,
    /// log2 of the sum of 2^logit, entropy and certainty in nats, where scores are wanted.
    log_sum: S::f32s,
    entropy: S::f32s,
    certainty: S::f32s,
}

/// One rollout at one depth.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Visit<S: Lanes> {
    /// The node; 0 where nothing is remembered of it, or the response has ended.
    node: S::u32s,
    /// The token drawn; 0 where the response has ended.
    token: S::u32s,
    /// log pi of the token when sampled, now, and under the base model, in nats, where scores are wanted.
    logprob: S::f32s,
    now: S::f32s,
    ref_logprob: S::f32s,
}

impl<S: Lanes> Tree<S> {
    /// The trees of a block at the base model, whose replicas number their prompts in this order.
    pub(super) fn new(s: S, shape: &Shape, replicas: &[Replica], order: &[Vec<usize>]) -> Self {
        let some = |count: usize| if shape.is_tree() { count } else { 0 };
        let Shape { batch, group, depth, stride, .. } = *shape;
        let (paid, places, by_slot) = (shape.paid(), some(shape.places()), some(batch * depth));
        let (visits, tokens) = (some(batch * paid * depth), some(batch * group * depth));
        let zero = Lane { s, x: s.splat_f32s(0.0) };
        let (nil, none, nan) = (zero.x, s.splat_u32s(0), s.splat_f32s(f32::NAN));
        let nothing = Path { length: nan, logprob: nan, ref_logprob: nan, entropy: nan, certainty: nan };
        let work = |prompt: usize| memory::vector::<S>(|lane| replicas[lane].world.task.needs(order[lane][prompt]) as f32);
        let mut tree = Tree {
            levels: if shape.is_tree() { level::levels(shape, S::LANES) } else { Vec::new() },
            base: memory::floats(s, by_slot * stride),
            rows: memory::floats(s, by_slot * stride),
            loaded: vec![false; some(batch)],
            ready: vec![false; by_slot],
            weights: memory::floats(s, places * stride),
            logits: memory::floats(s, places * stride),
            places: vec![Place { total: nil, inverse: nil, log_sum: nil, entropy: nil, certainty: nil }; places],
            visits: vec![Visit { node: none, token: none, logprob: nil, now: nil, ref_logprob: nil }; visits],
            place: vec![0; visits],
            moves: vec![s.less_than_u32s(none, none); some(group)],
            length: Table::new(some(batch * paid), s.splat_u32s(depth as u32)),
            ended: vec![s.less_than_u32s(s.splat_u32s(0), s.splat_u32s(0)); some(paid)],
            right: memory::words(s, some(depth * bit_rows(shape.arms))),
            work: memory::floats(s, some(shape.prompts)),
            paths: vec![nothing; some(paid)],
            opening: memory::words(s, some(paid)),
            advantage: vec![zero; tokens],
            push: vec![zero; tokens],
            share: vec![Lane { s, x: s.splat_f32s(1.0 / group as f32) }; tokens],
            bonus: vec![zero; some(batch * group)],
            by_length: vec![zero; some(group)],
            measured: memory::floats(s, some(depth * stride)),
            listed: Vec::new(),
            listed_from: s.splat_u32s(0),
            opens_from: Vec::new(),
            prefix: Table::default(),
            success: None,
        };
        if replicas.iter().any(|replica| replica.world.task.leaves().is_some()) {
            tree.list(replicas);
            tree.prefix = memory::words(s, visits);
        }
        tree.work.iter_mut().enumerate().for_each(|(prompt, vector)| *vector = work(prompt));
        tree
    }

    /// The words in which what is listed says something of these codes, where that begins at `from`.
    #[inline(always)]
    fn listed_word(&self, s: S, from: S::u32s, code: S::u32s) -> S::u32s {
        s.gather_words(&self.listed, s.add_u32s(from, s.shr::<5>(code)))
    }

    /// Loads the listed right responses, of every world once.
    fn list(&mut self, replicas: &[Replica]) {
        let mut from: Vec<u32> = Vec::new();
        for (lane, replica) in replicas.iter().enumerate() {
            let leaves = replica.world.task.leaves().expect("either all worlds of a fleet list right responses, or none");
            let known = replicas[..lane].iter().position(|other| std::ptr::eq(other.world, replica.world));
            from.push(known.map_or(self.listed.len() as u32, |known| from[known]));
            if known.is_none() {
                self.listed.extend(leaves.words());
                self.opens_from = vec![0];
                for open in leaves.open() {
                    self.opens_from.push(self.listed.len() - from[lane] as usize);
                    self.listed.extend(open);
                }
            }
        }
        self.listed_from = memory::word_vector::<S>(|lane| from[lane]);
    }
}

impl<S: Lanes> Block<'_, S> {
    /// Pushes of the tokens of the last batch.
    #[cfg(test)]
    pub(super) fn token_pushes(&self) -> &[Lane<S>] {
        &self.tree.push
    }

    /// Whether right responses are listed.
    pub(super) fn lists_right_responses(&self) -> bool {
        !self.tree.listed.is_empty()
    }
}

impl<S: Lanes> Drop for Tree<S> {
    fn drop(&mut self) {
        if !self.levels.is_empty() {
            level::keep(std::mem::take(&mut self.levels));
        }
    }
}

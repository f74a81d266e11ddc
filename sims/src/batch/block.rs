//! The state of one vector of replicas.

use super::flow::Pace;
use super::lanes::Lanes;
use super::memory::{self, MAX_LANES, Table};
use super::number::{Lane, Threshold};
use super::philox::{BLOCK, Keys, Streams};
use super::search::{bit_rows, padded};
use super::shape::Shape;
use super::tree::{PAD, Tree};
use super::update::Centre;
use crate::config::{Config, Geometry, KlPlace, Objective, PolicyLoss};
use crate::objective::{Blocks, Dials};
use crate::policy::SoftmaxPolicy;
use crate::recipe::Ready;
use crate::run::Training;
use crate::signals::{Params, Rates, Signal};
use crate::stream::Seed;
use crate::task::Task;
use crate::world::World;
use std::f64::consts::LOG2_E;

/// One replica: a world, a recipe and dice.
#[derive(Clone, Copy)]
pub struct Replica<'a> {
    /// Its world; replicas may share one.
    pub world: &'a World,
    /// Its recipe; recipes of one fleet may differ in real-valued knobs only.
    pub recipe: &'a Ready,
    /// The prompts it trains on, as many as its regime says.
    pub prompts: &'a [usize],
    /// The seed of all draws of the training.
    pub dice: Seed,
}

impl<'a> Replica<'a> {
    /// The prompts of its world in the order in which the engine numbers them: those chosen come first, so that a vector of replicas which have chosen other prompts
    /// trains on the same numbers.
    pub(super) fn order(&self) -> Vec<usize> {
        let chosen = self.recipe.config.data.regime.chosen(self.prompts.to_vec());
        let others = (0..self.recipe.config.world.all_prompts()).filter(|prompt| !chosen.contains(prompt));
        chosen.iter().copied().chain(others).collect()
    }

    /// The policy it starts with in the reference loop.
    pub fn policy(&self) -> SoftmaxPolicy<'a> {
        SoftmaxPolicy::new(&self.world.task, &self.world.base, self.recipe.config.policy.sharing)
    }

    /// How the reference loop trains it.
    pub fn training(&self) -> Training<'a, Task> {
        Training {
            config: &self.recipe.config,
            signal: self.recipe.signal,
            environment: &self.world.task,
            prompts: self.prompts,
            teacher: None,
            seed: self.dice,
        }
    }
}

/// One vector of replicas, bandits or trees. All logits and log-probabilities are in units of log 2; tables are `[row][lane]`.
pub(super) struct Block<'a, S: Lanes> {
    pub(super) s: S,
    pub(super) shape: Shape,
    pub(super) replicas: &'a [Replica<'a>],
    /// The prompts of every replica's world, in the order of their numbers.
    pub(super) order: Vec<Vec<usize>>,
    pub(super) rule: &'a Objective,
    pub(super) dials: Dials<Lane<S>>,
    pub(super) params: Params<Lane<S>>,
    /// Words of coins that pay.
    pub(super) rates: Rates<Threshold<S>>,
    /// Probabilities of coins.
    pub(super) chances: Rates<Lane<S>>,
    /// Step sizes of skill and memory, as [`Block::scaled`] needs them.
    pub(super) step_size: [S::f32s; 2],
    /// What some lane needs.
    pub(super) uses: Uses,
    /// Whether the expected gradient is found as [`Block::find_flow`] does.
    pub(super) flows: bool,
    /// Whether logits are looked at after the policy has been computed.
    pub(super) keeps_logits: bool,
    /// Lane numbers.
    pub(super) iota: S::u32s,
    pub(super) keys: Keys<S>,
    /// Streams of the slots of a batch.
    pub(super) streams: Vec<Streams<S>>,
    /// Base log-probabilities, a row per prompt, depth and action.
    pub(super) base: Table<S::f32s>,
    /// Bandits that train on a single prompt: what is taken off its logits, and its base log-probabilities less that, by arm.
    pub(super) shift: S::f32s,
    pub(super) anchor: Table<S::f32s>,
    /// Where a flow is that is made many steps at a time.
    pub(super) pace: Pace<S>,
    /// Right tokens, bits per prompt and depth.
    pub(super) right: Table<S::u32s>,
    /// Well-formed tokens, bits per depth.
    pub(super) formatted: Table<S::u32s>,
    /// What all prompts share, a row per depth and action.
    pub(super) skill: Table<S::f32s>,
    /// What the prompts of bandits remember, a row per prompt of the domain and arm.
    pub(super) memory: Table<S::f32s>,
    /// Chance that others succeed, by the number of right rollouts.
    pub(super) others: Vec<f32>,
    /// Scratch: whatever another block has left there changes nothing.
    pub(super) step: StepTables<S>,
    /// What only trees need.
    pub(super) tree: Tree<S>,
}

/// What some lane of a block needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Uses {
    pub(super) skill: bool,
    pub(super) memory: bool,
    pub(super) kl: bool,
    pub(super) entropy: bool,
    /// Tokens that are not well formed.
    pub(super) format: bool,
    /// A dual clip that cuts even a ratio of 1.
    pub(super) dual: bool,
    /// Whether advantages of a group do not sum to zero.
    pub(super) dense: bool,
    /// Weights by the sign of the reward.
    pub(super) signs: bool,
    /// A discount.
    pub(super) discount: bool,
    /// The votes of a group.
    pub(super) votes: bool,
    /// Log-probabilities, entropies or certainties of what is paid.
    pub(super) scores: bool,
    /// Labels that may be wrong.
    pub(super) labels: bool,
    /// The chance that others succeed.
    pub(super) others: bool,
    /// Rewards that are amounts, which may be large beside their differences.
    pub(super) amounts: bool,
}

/// What a step computes, a row per slot and whatever else.
pub(super) struct StepTables<S: Lanes> {
    /// The prompt of every slot.
    pub(super) prompt: Table<S::u32s>,
    /// Base log-probabilities and logits of the slot's prompt, by arm.
    pub(super) base: Table<S::f32s>,
    pub(super) logits: Table<S::f32s>,
    /// log2 of the sum of 2^logit, per slot.
    pub(super) log_sum: Table<S::f32s>,
    /// Entropy when sampled, in nats, and chance of a right answer, per slot.
    pub(super) entropy: Table<S::f32s>,
    pub(super) success: Table<S::f32s>,
    /// `arm * LANES + lane` of every paid rollout.
    pub(super) position: Table<S::u32s>,
    /// What it earned.
    pub(super) reward: Table<S::f32s>,
    /// log pi when sampled, in nats, of rollouts trained on.
    pub(super) logprob: Vec<Lane<S>>,
    /// The same under the base model, and under the policy as it is now, of the slot at hand.
    pub(super) ref_logprob: Vec<Lane<S>>,
    pub(super) now: Vec<Lane<S>>,
    /// Rewards of rollouts trained on, shaped in place.
    pub(super) shaped: Vec<Lane<S>>,
    /// What the rewards of every slot are centred and scaled by.
    pub(super) centre: Vec<Centre<S>>,
    /// Their advantages.
    pub(super) advantage: Vec<Lane<S>>,
    /// What they add to their log pi, before the step size.
    pub(super) push: Vec<Lane<S>>,
    /// By rollout of the slot at hand: where in a table it adds to its logit, and how much.
    pub(super) place: Table<S::u32s>,
    pub(super) gain: Table<S::f32s>,
    /// Whether a rollout trained on is right.
    pub(super) correct: Vec<S::m32s>,
    /// Weights of a whole batch: 1/G each where responses are sampled.
    pub(super) weight: Vec<Lane<S>>,
    /// Exact mode: probability of every arm of a slot as the policy now is, where the weight is another number; and of its coin.
    pub(super) chance: Vec<Lane<S>>,
    pub(super) coin: Table<S::f32s>,
    /// Scratch of one slot: slopes by arm.
    pub(super) slope: Table<S::f32s>,
    /// Weights by arm of a policy that flows.
    pub(super) flowing: Table<S::f32s>,
    /// Shaped reward of the greedy response, per slot.
    pub(super) greedy: Vec<Lane<S>>,
    /// Scratch of one slot: running sums, words, coins, facts, votes.
    pub(super) sums: Table<S::f32s>,
    pub(super) words: Table<S::u32s>,
    pub(super) coins: Table<S::u32s>,
    pub(super) right_bits: Table<S::u32s>,
    /// The same by arm.
    pub(super) is_right: Vec<S::m32s>,
    pub(super) right: Vec<S::m32s>,
    pub(super) formatted: Vec<S::m32s>,
    pub(super) share: Table<S::f32s>,
}

impl<S: Lanes> StepTables<S> {
    #[inline(always)]
    fn new(s: S, shape: &Shape) -> Self {
        let none = s.less_than_u32s(s.splat_u32s(0), s.splat_u32s(0));
        let (paid, words) = (shape.paid(), shape.words().next_multiple_of(BLOCK));
        let enumerated = if shape.exact { shape.arms } else { 0 };
        let by_arm = if shape.is_tree() { 0 } else { shape.batch * shape.arms };
        let by_group = shape.batch * shape.group;
        let zero = Lane { s, x: s.splat_f32s(0.0) };
        StepTables {
            prompt: memory::words(s, shape.batch.next_multiple_of(BLOCK)),
            base: memory::floats(s, by_arm),
            logits: memory::floats(s, by_arm),
            log_sum: memory::floats(s, shape.batch),
            entropy: memory::floats(s, shape.batch),
            success: memory::floats(s, shape.batch),
            position: memory::words(s, shape.batch * paid),
            reward: memory::floats(s, shape.batch * paid),
            logprob: vec![zero; by_group],
            ref_logprob: vec![zero; by_group],
            now: vec![zero; shape.group],
            shaped: vec![zero; by_group],
            centre: vec![Centre { factor: zero, baseline: zero, rounded_off: zero }; shape.batch],
            advantage: vec![zero; by_group],
            push: vec![zero; by_group],
            correct: vec![none; by_group],
            weight: vec![Lane { s, x: s.splat_f32s(1.0 / shape.group as f32) }; by_group],
            chance: vec![zero; if shape.weighs_apart() { shape.batch * shape.arms } else { 0 }],
            coin: memory::floats(s, if shape.is_split() { shape.batch * shape.arms } else { 0 }),
            slope: memory::floats(s, enumerated),
            flowing: memory::floats(s, enumerated),
            greedy: vec![zero; shape.batch],
            sums: Table::new(padded(shape.arms), s.splat_f32s(f32::INFINITY)),
            words: memory::words(s, words),
            coins: memory::words(s, paid.next_multiple_of(BLOCK)),
            right_bits: memory::words(s, bit_rows(shape.arms)),
            is_right: vec![none; shape.arms],
            place: memory::words(s, shape.group),
            gain: memory::floats(s, shape.group),
            right: vec![none; paid],
            formatted: vec![none; paid],
            share: memory::floats(s, paid),
        }
    }

    /// Writes what steps read and do not always write.
    #[inline(always)]
    fn start(&mut self, s: S) {
        self.formatted.fill(s.equal_u32s(s.splat_u32s(0), s.splat_u32s(0)));
    }
}

impl<'a, S: Lanes> Block<'a, S> {
    /// A block of as many replicas as there are lanes, at the base model; `scratch` is what a block of the same shape has left behind.
    #[inline(always)]
    pub(super) fn new(s: S, replicas: &'a [Replica<'a>], scratch: Option<StepTables<S>>) -> Self {
        let recipe = replicas[0].recipe;
        let shape = Shape::of(recipe);
        let as_many = |replica: &Replica| replica.prompts.len() == shape.domain.len();
        assert!(replicas.iter().all(as_many), "a replica trains on as many prompts as its regime says");
        let mut step = scratch.unwrap_or_else(|| StepTables::new(s, &shape));
        step.start(s);
        let order: Vec<Vec<usize>> = replicas.iter().map(Replica::order).collect();
        let number = |of: &dyn Fn(&Config) -> f64| memory::vector::<S>(|lane| of(&replicas[lane].recipe.config) as f32);
        let lane = |of: &dyn Fn(&Config) -> f64| Lane { s, x: number(of) };
        let threshold = |of: &dyn Fn(&Config) -> f64| {
            Threshold::<S>(memory::word_vector::<S>(|lane| Threshold::<S>::of(of(&replicas[lane].recipe.config))))
        };
        let knobs: Vec<Dials<f64>> = replicas.iter().map(|r| Dials::of(&r.recipe.config.objective)).collect();
        let seeds = [0, 32].map(|shift| memory::word_vector::<S>(|lane| (replicas[lane].dice.0 >> shift) as u32));
        let (keys, uses) = (Keys::new(s, seeds), Uses::of(replicas));
        let mut streams = Vec::with_capacity(shape.batch);
        for slot in 0..shape.batch {
            streams.push(Streams::new(s, &keys, slot as u32, shape.words().max(if slot == 0 { shape.batch } else { 0 })));
        }
        let mut block = Block {
            s,
            replicas,
            tree: Tree::new(s, &shape, replicas, &order),
            order,
            rule: &recipe.config.objective,
            dials: Dials::map(&knobs, |of| Lane { s, x: memory::vector::<S>(|lane| of(lane) as f32) }),
            params: Params {
                prior_power: lane(&|c| c.signal.prior_power),
                beta_inv: lane(&|c| c.signal.beta_inv),
                pass_k: lane(&|c| c.signal.pass_k as f64),
            },
            rates: Rates {
                tpr: threshold(&|c| c.signal.tpr),
                fpr: threshold(&|c| c.signal.fpr),
                random_rate: threshold(&|c| c.signal.random_rate),
                never: Threshold(s.splat_u32s(0)),
            },
            chances: Rates {
                tpr: lane(&|c| c.signal.tpr),
                fpr: lane(&|c| c.signal.fpr),
                random_rate: lane(&|c| c.signal.random_rate),
                never: lane(&|_| 0.0),
            },
            step_size: [
                number(&|c| c.train.learning_rate * c.policy.sharing * LOG2_E),
                number(&|c| c.train.learning_rate * (1.0 - c.policy.sharing) * c.train.prompts_per_update() * LOG2_E),
            ],
            keeps_logits: uses.dense
                || uses.kl
                || uses.scores
                || shape.greedy
                || shape.goes_off_policy
                || recipe.config.objective.geometry == Geometry::Natural,
            uses,
            flows: false,
            iota: memory::word_vector::<S>(|lane| lane as u32),
            keys,
            streams,
            base: Table::new(shape.prompts * shape.depth * shape.stride, s.splat_f32s(PAD)),
            shift: s.splat_f32s(0.0),
            anchor: memory::floats(s, if shape.is_tree() || shape.domain.len() > 1 { 0 } else { shape.arms }),
            pace: Pace { total: s.splat_f32s(0.0), largest: s.splat_f32s(0.0) },
            right: memory::words(s, shape.prompts * shape.depth * bit_rows(shape.arms)),
            formatted: memory::words(s, shape.depth * bit_rows(shape.arms)),
            skill: memory::floats(s, shape.depth * shape.stride),
            memory: memory::floats(s, if shape.is_tree() { 0 } else { shape.domain.len() * shape.arms }),
            others: if uses.others { others_succeed(&recipe.config) } else { Vec::new() },
            step,
            shape,
        };
        block.load_base();
        for (lane, replica) in replicas.iter().enumerate() {
            block.load(lane, replica.world);
        }
        block.shift_to(s.splat_f32s(0.0));
        block.flows = block.flows();
        if block.shape.exact {
            block.list_responses();
        }
        if block.flows_freely() {
            block.start_flow(s.equal_u32s(block.iota, block.iota));
        }
        block
    }

    /// Writes base log-probabilities, row by row: a store for every number of a row of another lane would be slow.
    #[inline(always)]
    fn load_base(&mut self) {
        let Shape { depth, stride, prompts, .. } = self.shape;
        for at in 0..prompts * depth {
            let mut all = [&[][..]; MAX_LANES];
            for ((row, replica), order) in all.iter_mut().zip(self.replicas).zip(&self.order) {
                *row = replica.world.base.row(order[at / depth], at % depth);
            }
            for (action, to) in self.base[at * stride..][..all[0].len()].iter_mut().enumerate() {
                *to = memory::vector::<S>(|lane| ((all[lane][action] * LOG2_E) as f32).max(PAD));
            }
        }
    }

    /// Writes what a world says of tokens into a lane.
    #[inline(always)]
    fn load(&mut self, lane: usize, world: &World) {
        let Shape { depth, arms, prompts, .. } = self.shape;
        let (rows, right) = (bit_rows(arms), memory::flat_words_mut::<S>(&mut self.right));
        for at in 0..prompts * depth {
            write_bits::<S>(&mut right[at * rows * S::LANES..], lane, world.task.right_row(self.order[lane][at / depth], at % depth));
        }
        let formatted = memory::flat_words_mut::<S>(&mut self.formatted);
        for (h, row) in world.task.formatted().rows().into_iter().enumerate() {
            write_bits::<S>(&mut formatted[h * rows * S::LANES..], lane, row.as_slice().expect("the table is contiguous"));
        }
    }

    /// The rule, in lanes.
    #[inline(always)]
    pub(super) fn blocks(&self) -> Blocks<'a, Lane<S>> {
        Blocks { choice: self.rule, dials: self.dials }
    }

    /// `x` in every lane.
    #[inline(always)]
    pub(super) fn splat(&self, x: f64) -> S::f32s {
        self.s.splat_f32s(x as f32)
    }
}

impl Uses {
    /// Whether rewards enter the gradient of such a rule as they are, and once, whatever their mean.
    pub(super) fn pass_rewards(self, rule: &Objective, signal: &Signal) -> bool {
        let cut = self.dual && rule.policy_loss != PolicyLoss::Score;
        let kl_in_loss = !self.kl || rule.kl_place == KlPlace::Loss;
        rule.takes_each_alone() && rule.takes_rewards_raw() && !self.signs && !cut && kl_in_loss && !signal.shuffles
    }

    /// What some of these need.
    pub(super) fn of(replicas: &[Replica]) -> Self {
        let recipes: Vec<&Ready> = replicas.iter().map(|r| r.recipe).collect();
        // all of a table at once, without a branch for each token
        let well_formed = |r: &Replica| r.world.task.formatted().iter().fold(true, |all, formatted| all & formatted);
        Uses { format: !replicas.iter().all(well_formed), ..Uses::asked_by(&recipes) }
    }

    /// What some of these, which have their signal in common, ask for in worlds without ill-formed tokens.
    pub(super) fn asked_by(recipes: &[&Ready]) -> Self {
        let any = |of: &dyn Fn(&Config) -> bool| recipes.iter().any(|r| of(&r.config));
        let signal = recipes[0].signal;
        let kl = any(&|c| c.objective.kl_beta > 0.0);
        Uses {
            skill: any(&|c| c.policy.sharing > 0.0),
            memory: any(&|c| c.policy.sharing < 1.0),
            kl,
            entropy: any(&|c| c.objective.entropy_coeff != 0.0),
            format: false,
            dual: any(&|c| c.objective.clip_ratio_c > 0.0 && c.objective.clip_ratio_c < 1.0),
            dense: any(&|c| !sums_to_zero(c)),
            signs: any(&|c| (c.objective.positive_weight, c.objective.negative_weight) != (1.0, 1.0)),
            discount: any(&|c| c.objective.gamma != 1.0),
            votes: signal.formula.looks_at_votes(),
            scores: signal.formula.looks_at_scores(),
            labels: signal.params.contains(&"label_noise"),
            others: signal.params.contains(&"pass_k"),
            amounts: signal.formula.looks_at_scores() || (kl && recipes[0].config.objective.kl_place == KlPlace::Reward),
        }
    }
}

/// Writes what is said of tokens into the bits of a lane.
fn write_bits<S: Lanes>(bits: &mut [u32], lane: usize, said: &[bool]) {
    for (row, said) in said.chunks(32).enumerate() {
        bits[row * S::LANES + lane] = said.iter().rev().fold(0, |bits, said| (bits << 1) | u32::from(*said));
    }
}

/// Whether the pushes of every group sum to zero, so that the part of the gradient in all arms, or in all tokens at the root, vanishes.
fn sums_to_zero(c: &Config) -> bool {
    use crate::config::{Baseline, KlPlace};
    let o = &c.objective;
    let centred = matches!(o.baseline, Baseline::GroupMean | Baseline::LeaveOneOut | Baseline::LengthWeighted);
    let on_policy = c.train.num_iterations == 1 && c.train.minibatches == 1;
    let kl_free = o.kl_beta == 0.0 || o.kl_place == KlPlace::Reward;
    let alike = c.world.widest() == c.world.vocab && o.gamma == 1.0;
    centred && alike && !o.whiten && o.positive_weight == o.negative_weight && on_policy && kl_free && o.entropy_coeff == 0.0
}

/// Chance that `pass_k - 1` other rollouts contain a right one, by the number of right ones in the group.
fn others_succeed(c: &Config) -> Vec<f32> {
    let (g, k) = (c.train.group_size as u64, c.signal.pass_k as u64);
    (0..=g).map(|right| mta_theory::pass_at_k::others_pass_at_k(g, right, k).unwrap_or(1.0) as f32).collect()
}

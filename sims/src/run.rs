//! The training loop: sample, pay, compare, push. It drives tables and language models alike.

use crate::config::{Baseline, Config, LossAgg, Mode};
use crate::critic::Critic;
use crate::objective::{Blocks, Clipped, advantages, pushes, shape};
use crate::paid::{Columns, Earned, Paid};
use crate::policy::{Nudge, Policy, Step};
use crate::reward::{Dice, pay};
use crate::rollout::{Group, Label, Rollout, Token};
use crate::signals::Signal;
use crate::stream::{Purpose, Seed, Stream};
use crate::task::{Task, Verdict};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What judges responses.
pub trait Environment {
    /// The verdict on a response.
    fn judge(&self, prompt: usize, tokens: &[Token]) -> Verdict;

    /// What the data set's label says about a prompt.
    fn label(&self, prompt: usize) -> Label;

    /// Tokens of the longest possible response.
    fn longest(&self) -> usize;
}

impl Environment for Task {
    fn judge(&self, prompt: usize, tokens: &[Token]) -> Verdict {
        Task::judge(self, prompt, tokens.iter().map(|t| t.id))
    }

    fn label(&self, prompt: usize) -> Label {
        Task::label(self, prompt)
    }

    fn longest(&self) -> usize {
        self.settings.depth
    }
}

/// All a training run needs besides the policy.
pub struct Training<'a, E: ?Sized> {
    /// Every knob.
    pub config: &'a Config,
    /// What pays.
    pub signal: &'static Signal,
    /// What judges.
    pub environment: &'a E,
    /// The prompts trained on.
    pub prompts: &'a [usize],
    /// Who samples, where it is not the policy itself.
    pub teacher: Option<&'a dyn Policy>,
    /// Master seed of all draws.
    pub seed: Seed,
}

/// What happened in one step, averaged over its rollouts (TRL's and verl's names where they have one).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepStats {
    /// Mean reward.
    pub reward: f64,
    /// Mean over groups of the standard deviation of rewards.
    pub reward_std: f64,
    /// Share of groups whose rewards are all equal.
    pub frac_reward_zero_std: f64,
    /// Share of rollouts whose reward (positive or not) agrees with the truth.
    pub reward_accuracy: f64,
    /// Mean token entropy of the sampling policy, in nats.
    pub entropy: f64,
    /// Mean number of tokens.
    pub mean_length: f64,
    /// Tokens whose ratio stopped counting.
    pub clipped: Clipped,
    /// Rollouts sampled.
    pub rollouts: f64,
    /// Rollouts sampled and not trained on, or without signal.
    pub wasted: f64,
}

/// Trains `policy` for the configured number of steps and shows it to `observe` after each (step counts from 1).
pub fn train<P: Policy, E: Environment + ?Sized>(policy: &mut P, training: &Training<E>, observe: &mut dyn FnMut(usize, &P, &StepStats)) {
    let mut progress = Progress::default();
    while progress.step < training.config.train.steps {
        let stats = training.step(policy, &mut progress);
        observe(progress.step, policy, &stats);
    }
}

/// What a training run remembers from step to step, besides the policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps done.
    pub step: usize,
    /// What PPO's critic has learned.
    pub critic: Critic,
}

impl<E: Environment + ?Sized> Training<'_, E> {
    /// One step: sample, pay, push.
    pub fn step<P: Policy>(&self, policy: &mut P, progress: &mut Progress) -> StepStats {
        let (batch, mut stats) = self.collect(&*policy, progress.step);
        let batch: Vec<Paid> = batch.into_iter().map(|paid| shape(&self.config.objective, paid)).collect();
        stats.clipped = self.update(policy, &batch, &progress.critic);
        if self.config.objective.baseline == Baseline::Critic {
            progress.critic.learn(&self.config.objective, &batch);
        }
        progress.step += 1;
        stats
    }

    /// The step's paid groups.
    fn collect(&self, policy: &dyn Policy, step: usize) -> (Vec<Paid>, StepStats) {
        if self.config.objective.dynamic_sampling {
            return self.collect_dynamically(policy, step);
        }
        let batch = self.generate(policy, step, 0);
        let stats = self.describe(&batch);
        (batch, stats)
    }

    /// Dynamic sampling: groups whose rewards are all equal are dropped, and fresh batches drawn until enough are left.
    fn collect_dynamically(&self, policy: &dyn Policy, step: usize) -> (Vec<Paid>, StepStats) {
        let mut drawn = self.generate(policy, step, 0);
        let wanted = drawn.len();
        let live = |drawn: &[Paid]| drawn.iter().filter(|paid| !paid.is_flat()).count();
        for generation in 1..self.generations() {
            if live(&drawn) >= wanted {
                break;
            }
            drawn.extend(self.generate(policy, step, generation));
        }
        let used = live(&drawn).min(wanted);
        let mut stats = self.describe(&drawn);
        stats.wasted = stats.rollouts * (1.0 - used as f64 / drawn.len() as f64);
        (self.fill(drawn, wanted), stats)
    }

    /// Exactly `wanted` groups with signal, repeated in turn where too few were found; groups without signal only where there is no other. In exact mode each
    /// group once, so that all count equally.
    fn fill(&self, drawn: Vec<Paid>, wanted: usize) -> Vec<Paid> {
        let (flat, live): (Vec<Paid>, Vec<Paid>) = drawn.into_iter().partition(Paid::is_flat);
        let source = if live.is_empty() { flat } else { live };
        let wanted = if self.config.train.mode == Mode::Exact { source.len() } else { wanted };
        source.iter().cycle().take(wanted).cloned().collect()
    }

    /// Batches a step may draw; more would change nothing in exact mode.
    fn generations(&self) -> usize {
        if self.config.train.mode == Mode::Sampled { self.config.objective.max_num_gen_batches } else { 1 }
    }

    /// One group per prompt of the batch, paid.
    fn generate(&self, policy: &dyn Policy, step: usize, generation: usize) -> Vec<Paid> {
        let prompts = self.batch_prompts(step, generation);
        let slots = generation * prompts.len()..;
        let words = prompts.iter().zip(slots.clone()).map(|(&prompt, slot)| (prompt, self.seed.stream(Purpose::Rollout, step, slot)));
        let groups = self.groups(self.teacher.unwrap_or(policy), &words.collect::<Vec<_>>());
        let paid = groups.into_iter().zip(slots).map(|(group, slot)| {
            let stream = |purpose| self.seed.stream(purpose, step, slot);
            let mut dice = Dice { coins: stream(Purpose::Reward), shuffle: stream(Purpose::Shuffle) };
            pay(self.signal, &self.config.signal, group, &mut dice)
        });
        paid.collect()
    }

    /// Prompts of a batch: drawn with replacement, or all of them in exact mode.
    fn batch_prompts(&self, step: usize, generation: usize) -> Vec<usize> {
        if self.config.train.mode == Mode::Exact {
            return self.prompts.to_vec();
        }
        let stream = self.seed.stream(Purpose::Prompts, step, generation);
        (0..self.config.train.train_batch_size as u64).map(|i| *stream.pick(i, self.prompts)).collect()
    }

    fn groups(&self, sampler: &dyn Policy, prompts: &[(usize, Stream)]) -> Vec<Group> {
        let (size, mut rollouts) = match self.config.train.mode {
            Mode::Exact => (None, prompts.iter().map(|(prompt, _)| self.population(sampler, *prompt)).collect()),
            Mode::Sampled => (Some(self.config.train.group_size), self.samples(sampler, prompts)),
        };
        let asked: Vec<usize> = prompts.iter().map(|(prompt, _)| *prompt).collect();
        if self.config.objective.baseline == Baseline::Greedy {
            let greedy = asked.iter().zip(sampler.greedy(&asked)).map(|(&prompt, tokens)| self.rollout(prompt, tokens, 0.0, 0.0));
            rollouts.iter_mut().zip(greedy).for_each(|(group, greedy)| group.push(greedy));
        }
        let group = |(prompt, rollouts)| Group { prompt, rollouts, size, label: self.environment.label(prompt) };
        asked.into_iter().zip(rollouts).map(group).collect()
    }

    /// For each prompt G rollouts to train on, then any that only vote.
    fn samples(&self, sampler: &dyn Policy, prompts: &[(usize, Stream)]) -> Vec<Vec<Rollout>> {
        let size = self.config.train.group_size;
        let votes = self.signal.voters(&self.config.signal, size);
        let share = |i: usize, of: usize| if i < of { 1.0 / of as f64 } else { 0.0 };
        let member = |prompt, (i, tokens)| self.rollout(prompt, tokens, share(i, size), share(i, votes));
        let groups = prompts.iter().zip(sampler.sample(prompts, size.max(votes)));
        groups.map(|((prompt, _), responses)| responses.into_iter().enumerate().map(|r| member(*prompt, r)).collect()).collect()
    }

    /// Every response, weighted by its probability.
    fn population(&self, sampler: &dyn Policy, prompt: usize) -> Vec<Rollout> {
        let weigh = |tokens: Vec<Token>| {
            let chance = tokens.iter().map(|t| t.logprob).sum::<f64>().exp();
            self.rollout(prompt, tokens, chance, chance)
        };
        sampler.enumerate(prompt).into_iter().map(weigh).collect()
    }

    fn rollout(&self, prompt: usize, tokens: Vec<Token>, weight: f64, vote: f64) -> Rollout {
        let Verdict { answer, correct, formatted } = self.environment.judge(prompt, &tokens);
        Rollout { tokens, weight, vote, answer, correct, formatted }
    }

    /// All updates of one rollout batch: passes over it, cut into minibatches.
    fn update<P: Policy>(&self, policy: &mut P, batch: &[Paid], critic: &Critic) -> Clipped {
        let train = &self.config.train;
        let advantages = advantages(&self.config.objective, batch, critic);
        let size = batch.len().div_ceil(train.minibatches).max(1);
        let mut clipped = Clipped::default();
        for pass in 0..train.num_iterations {
            for (i, (groups, advantages)) in batch.chunks(size).zip(advantages.chunks(size)).enumerate() {
                let on_policy = pass == 0 && i == 0 && self.teacher.is_none();
                let (nudges, counts) = self.nudges(policy, groups, advantages, on_policy);
                clipped = clipped.plus(counts);
                policy.ascend(&nudges, &self.stride());
            }
        }
        clipped
    }

    fn stride(&self) -> Step {
        let train = &self.config.train;
        Step { learning_rate: train.learning_rate, batch: train.prompts_per_update(), geometry: self.config.objective.geometry }
    }

    /// The minibatch's loss as coefficients on log pi and entropy.
    fn nudges<'b>(
        &self,
        policy: &impl Policy,
        groups: &'b [Paid],
        advantages: &[Vec<Vec<f64>>],
        on_policy: bool,
    ) -> (Vec<Nudge<'b>>, Clipped) {
        let rule = &self.config.objective;
        let blocks = Blocks::of(rule);
        let (mut nudges, mut clipped) = (Vec::new(), Clipped::default());
        let mut now = self.scores(policy, groups, on_policy).into_iter();
        let per_chunk = if rule.loss_agg_mode == LossAgg::TokenMeanLocal {
            groups.len().div_ceil(self.config.train.micro_batches)
        } else {
            groups.len()
        };
        for (groups_here, advantages_here) in groups.chunks(per_chunk.max(1)).zip(advantages.chunks(per_chunk.max(1))) {
            let mean_length = groups_here.iter().map(|p| p.group.mean(|r| r.length() as f64)).sum::<f64>() / groups_here.len() as f64;
            for (paid, advantages) in groups_here.iter().zip(advantages_here) {
                for (rollout, advantages) in paid.group.rollouts.iter().zip(advantages).filter(|(r, _)| r.counts()) {
                    let now = now.next().expect("every rollout that counts is scored");
                    let (length, longest) = (rollout.length() as f64, self.environment.longest() as f64);
                    let weight = blocks.token_weight(rollout.weight, length, mean_length, longest) / groups.len() as f64;
                    let push = pushes(rule, &rollout.tokens, &now, advantages, &mut clipped).iter().map(|p| p * weight).collect();
                    let entropy_push = vec![rule.entropy_coeff * weight; rollout.length()];
                    nudges.push(Nudge { prompt: paid.group.prompt, tokens: &rollout.tokens, push, entropy_push });
                }
            }
        }
        (nudges, clipped)
    }

    /// The tokens of all rollouts that count, as the policy now scores them: as they were sampled, if it has not moved since.
    fn scores<'b>(&self, policy: &impl Policy, groups: &'b [Paid], on_policy: bool) -> Vec<Cow<'b, [Token]>> {
        let rollouts = groups.iter().flat_map(|p| p.group.rollouts.iter().filter(|r| r.counts()).map(|r| (p.group.prompt, &r.tokens[..])));
        if on_policy {
            return rollouts.map(|(_, tokens)| Cow::Borrowed(tokens)).collect();
        }
        policy.rescore(&rollouts.collect::<Vec<_>>()).into_iter().map(Cow::Owned).collect()
    }

    /// Averages over the rollouts of the groups; without dynamic sampling a group without signal is wasted.
    fn describe(&self, drawn: &[Paid]) -> StepStats {
        let mean = |f: &dyn Fn(&Paid) -> f64| drawn.iter().map(f).sum::<f64>() / drawn.len() as f64;
        let per_group = |paid: &Paid| paid.group.rollouts.len() as f64;
        let agrees =
            |paid: &Paid| paid.group.rollouts.iter().zip(&paid.rewards).map(|(r, x)| r.weight * f64::from((*x > 0.0) == r.correct)).sum();
        let rollouts: f64 = drawn.iter().map(per_group).sum();
        let columns: Vec<Columns> = drawn.iter().map(Paid::columns).collect();
        let moment = |f: &dyn Fn(Earned<f64>) -> f64| columns.iter().map(|c| f(c.earned())).sum::<f64>() / drawn.len() as f64;
        let flat = moment(&|earned| f64::from(earned.is_flat()));
        StepStats {
            reward: moment(&|earned| earned.mean()),
            reward_std: moment(&|earned| earned.variance(0).sqrt()),
            frac_reward_zero_std: flat,
            reward_accuracy: mean(&agrees),
            entropy: mean(&|paid| paid.group.mean(|r| r.token_mean(|t| t.entropy))),
            mean_length: mean(&|paid| paid.group.mean(|r| r.length() as f64)),
            clipped: Clipped::default(),
            rollouts,
            wasted: rollouts * flat,
        }
    }
}

//! Recipes: a signal, a rule and a data regime under one name.

use crate::config::{Baseline, Config, Regime, RewardMap, Sampler, Scale};
use crate::knob::KnobError;
use crate::registry::{Entry, Named, find};
use crate::rules::{RULES, Rule};
use crate::signals::{SIGNALS, Signal};

/// A recipe of the registry.
pub struct Recipe {
    /// Name, meaning and source.
    pub entry: Entry,
    /// Name of its signal.
    pub signal: &'static str,
    /// Name of its rule.
    pub rule: &'static str,
    /// What makes it the recipe it is, on top of any rule it is run with.
    pub set: fn(&mut Config),
    /// Whether a sweep runs it unless told otherwise.
    pub by_default: bool,
}

impl Named for Recipe {
    fn entry(&self) -> &Entry {
        &self.entry
    }
}

/// A recipe ready to run: the part of a configuration that belongs to it, and what pays.
#[derive(Clone)]
pub struct Ready {
    /// Name in tables and figures.
    pub name: String,
    /// What pays.
    pub signal: &'static Signal,
    /// The rule its objective started from.
    pub rule: &'static Rule,
    /// Every knob.
    pub config: Config,
}

impl Ready {
    /// A recipe called `name` that pays by `signal` and updates by `rule`, with all other knobs at their defaults.
    pub fn new(name: &str, signal: &'static Signal, rule: &'static Rule) -> Self {
        let config = Config { objective: rule.objective.clone(), ..Config::DEFAULT };
        Ready { name: name.into(), signal, rule, config }
    }

    /// The recipe of the registry.
    pub fn named(recipe: &Recipe) -> Self {
        let signal = find("signal", SIGNALS, recipe.signal).expect("recipes name signals that exist: tested");
        let rule = find("rule", RULES, recipe.rule).expect("recipes name rules that exist: tested");
        let mut ready = Ready::new(recipe.name(), signal, rule);
        (recipe.set)(&mut ready.config);
        ready
    }

    /// Whether training needs the base model's log-probability of rollouts.
    pub fn reads_reference(&self) -> bool {
        reads_reference(self.signal, &self.config)
    }

    /// Checks the clashes that only signal and knobs together show.
    pub fn validate(&self) -> Result<(), KnobError> {
        self.config.validate()?;
        if self.config.data.regime == Regime::TestTime && !self.signal.label_free {
            let allowed = format!("needs a label-free signal, and recipe {} pays by {}", self.name, self.signal.name());
            return Err(KnobError::new("regime", Regime::TestTime.name(), allowed));
        }
        let (k, g) = (self.config.signal.pass_k, self.config.train.group_size);
        if self.signal.params.contains(&"pass_k") && k > g {
            return Err(KnobError::new("pass_k", k, format!("must be at most group_size = {g}")));
        }
        Ok(())
    }
}

/// Whether updates by `signal` under `config` ask for the base model's log-probability of rollouts: for a KL term, or for the signal itself.
pub fn reads_reference(signal: &Signal, config: &Config) -> bool {
    config.objective.kl_beta > 0.0 || signal.reads_reference()
}

/// Everything but the world: what a recipe may set.
pub const RECIPE_SECTIONS: &[&str] = &["policy", "train", "signal", "data", "objective"];

const fn entry(name: &'static str, doc: &'static str, source: &'static str) -> Entry {
    Entry { name, aliases: &[], doc, formula: "", source, elsewhere: &[] }
}

const fn recipe(
    name: &'static str,
    signal: &'static str,
    rule: &'static str,
    set: fn(&mut Config),
    doc: &'static str,
    source: &'static str,
) -> Recipe {
    Recipe { entry: entry(name, doc, source), signal, rule, set, by_default: false }
}

const fn default(recipe: Recipe) -> Recipe {
    Recipe { by_default: true, ..recipe }
}

/// -1 for every wrong rollout, whatever the rule's own baseline.
fn negative_only_raw(c: &mut Config) {
    raw_signs(c);
    c.objective.positive_weight = 0.0;
}

/// +1 for every correct rollout, whatever the rule's own baseline.
fn positive_only_raw(c: &mut Config) {
    raw_signs(c);
    c.objective.negative_weight = 0.0;
}

fn raw_signs(c: &mut Config) {
    c.objective.reward_map = RewardMap::Signed;
    (c.objective.baseline, c.objective.scale) = (Baseline::None, Scale::None);
}

/// Samples of the teacher, each with the same weight: a baseline would leave nothing of a constant reward.
fn imitate(c: &mut Config) {
    c.data.sampler = Sampler::Teacher;
    (c.objective.baseline, c.objective.scale) = (Baseline::None, Scale::None);
}

const MTA: &str = "MTA, arXiv 2508.21188";
const SHARPENING: &str = "Beyond Distribution Sharpening, arXiv 2604.16259";

/// Every recipe, in the order of tables and figures.
pub static RECIPES: &[&Recipe] = &[
    &default(recipe("standard", "ground_truth", "grpo", |_| {}, "GRPO on the true reward, all prompts.", MTA)),
    &default(recipe(
        "one-shot",
        "ground_truth",
        "grpo",
        |c| c.data.regime = Regime::OneShot,
        "GRPO on the true reward of a single prompt.",
        "One-Shot-RLVR, arXiv 2504.20571; MTA RQ2",
    )),
    &default(recipe("random", "random", "grpo", |_| {}, "GRPO on a coin.", "Spurious Rewards, arXiv 2506.10947; MTA RQ1")),
    &default(recipe(
        "incorrect",
        "incorrect",
        "grpo",
        |_| {},
        "GRPO on the opposite of the truth.",
        "Spurious Rewards, arXiv 2506.10947; MTA RQ1",
    )),
    &default(recipe(
        "majority",
        "majority",
        "grpo",
        |_| {},
        "GRPO on agreement with the group's majority.",
        "TTRL, arXiv 2504.16084; MTA RQ1",
    )),
    &default(recipe("self-sharpen", "log_policy", "grpo", |_| {}, "GRPO on the policy's own log-probability.", SHARPENING)),
    &default(recipe(
        "negative-only",
        "ground_truth",
        "grpo",
        |c| c.objective.positive_weight = 0.0,
        "GRPO without its correct rollouts.",
        "MTA RQ3, its form of NSR",
    )),
    &default(recipe(
        "positive-only",
        "ground_truth",
        "grpo",
        |c| c.objective.negative_weight = 0.0,
        "GRPO without its wrong rollouts.",
        "MTA RQ3, its form of PSR",
    )),
    &recipe(
        "random-clip",
        "random",
        "grpo",
        |c| c.train.minibatches = 8,
        "A coin with eight fresh minibatches per batch, so that clipping can act.",
        "Spurious Rewards, arXiv 2506.10947; theory sheet P13",
    ),
    &recipe("sharpen", "log_prior", "grpo", |_| {}, "GRPO on the base model's log-probability.", SHARPENING),
    &recipe("self-certainty", "self_certainty", "grpo", |_| {}, "GRPO on the policy's own certainty.", "Intuitor, arXiv 2505.19590"),
    &recipe("entropy-min", "log_policy", "rloo", |_| {}, "Minimises the entropy of responses.", "EM-RL, arXiv 2505.15134"),
    &recipe(
        "negative-only-zhu",
        "ground_truth",
        "nsr",
        negative_only_raw,
        "Pushes every wrong rollout down by 1, all-wrong groups too.",
        "Zhu et al., arXiv 2506.01347",
    ),
    &recipe(
        "positive-only-zhu",
        "ground_truth",
        "psr",
        positive_only_raw,
        "Pushes every correct rollout up by 1.",
        "Zhu et al., arXiv 2506.01347",
    ),
    &recipe("tilted", "tilted", "rloo", |_| {}, "The true reward plus a power of the prior.", SHARPENING),
    &recipe("noisy", "noisy", "grpo", |_| {}, "GRPO on a verifier that errs.", "Rate or Fate, arXiv 2601.04411"),
    &recipe(
        "test-time",
        "majority",
        "grpo",
        |c| c.data.regime = Regime::TestTime,
        "Majority vote on the held-out prompts themselves.",
        "TTRL, arXiv 2504.16084",
    ),
    &recipe("distill", "constant", "reinforce", imitate, "Imitates a stronger model of the same task.", "Yue et al., arXiv 2504.13837"),
    &recipe("control.none", "none", "grpo", |_| {}, "No reward at all: nothing may change.", "control"),
    &recipe("control.shuffled", "shuffled", "grpo", |_| {}, "The true rewards, dealt at random inside each group.", "control"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_is_ready_and_valid() {
        for recipe in RECIPES {
            Ready::named(recipe).validate().unwrap();
        }
    }
}

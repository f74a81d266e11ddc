//! The worlds that claims are judged in, and margins that several claims share.

use super::Part;
use super::lab::{Lab, recipe};
use crate::config::{Config, Mode};
use crate::recipe::Ready;
use crate::registry::find;
use crate::rules::RULES;
use crate::signals::SIGNALS;

/// Where margins of gain kept are cut off, so that no single world outweighs the others.
pub(super) const CUT: (f64, f64) = (-0.5, 0.5);

/// A family of worlds that differ in alignment only.
#[derive(Clone, Copy)]
pub struct Ground {
    /// What a policy that knows the good tokens and nothing of the prompt would reach.
    pub ceiling: f64,
    set: fn(&mut Config),
}

/// The default world: 32 arms, 3 of them good.
pub const BANDIT: Ground = Ground { ceiling: 0.85, set: |c| c.world.held_out = 128 };

/// Two tokens out of 16, 3 good ones each.
pub const TREE: Ground = Ground { ceiling: 0.95 * 0.95, set: two_tokens };

/// Grown transformers: 16 methods, 3 good ones; training can also mend a method's slips, so that everything may be reached.
pub const GROWN: Ground = Ground { ceiling: 1.0, set: methods };

fn methods(c: &mut Config) {
    (c.world.vocab, c.world.idiosyncrasy) = (16, 0.0);
    (c.world.prompts, c.world.held_out) = (64, 128);
    (c.train.steps, c.train.eval_every, c.train.learning_rate) = (GROWN_STEPS, GROWN_STEPS / 4, 3e-4);
}

/// Updates of a run on a grown transformer.
const GROWN_STEPS: usize = 80;

fn two_tokens(c: &mut Config) {
    (c.world.vocab, c.world.depth, c.world.good_quality) = (16, 2, 0.95);
    (c.world.prompts, c.world.held_out) = (32, 64);
    (c.policy.sharing, c.train.steps) = (0.98, 80);
}

impl Ground {
    /// A recipe in this world at `alignment`, with further knobs changed.
    pub fn recipe(self, name: &str, alignment: f64, set: impl FnOnce(&mut Config)) -> Ready {
        recipe(name, |c| {
            self.prepare(c);
            c.world.alignment = alignment;
            set(c);
        })
    }

    /// What all recipes of this family of worlds have in common.
    pub fn prepare(self, config: &mut Config) {
        (self.set)(config);
    }

    /// `name` keeps at least `share` of standard RL's progress.
    pub fn keeps(self, name: &'static str, share: f64, alignment: f64, set: fn(&mut Config)) -> Part {
        self.keeps_paid_by(name, None, share, alignment, set)
    }

    /// `name` keeps no more than `share`.
    pub fn loses(self, name: &'static str, share: f64, alignment: f64, set: fn(&mut Config)) -> Part {
        self.loses_paid_by(name, None, share, alignment, set)
    }

    /// The same of a recipe with another signal.
    pub fn keeps_paid_by(self, name: &'static str, signal: Option<&'static str>, share: f64, alignment: f64, set: fn(&mut Config)) -> Part {
        let place = format!("{} keeps {share} at alignment {alignment}", signal.unwrap_or(name));
        Part::per_seed(place, CUT, move |lab| self.lead(lab, (name, signal), share, alignment, set))
    }

    /// The same of a recipe with another signal.
    pub fn loses_paid_by(self, name: &'static str, signal: Option<&'static str>, share: f64, alignment: f64, set: fn(&mut Config)) -> Part {
        let place = format!("{} keeps at most {share} at alignment {alignment}", signal.unwrap_or(name));
        Part::per_seed(place, CUT, move |lab| -self.lead(lab, (name, signal), share, alignment, set))
    }

    /// Progress of a recipe less a share of standard RL's on the same seed: at least 0 where the recipe keeps that share.
    fn lead(self, lab: &Lab, (name, signal): (&str, Option<&str>), share: f64, alignment: f64, set: fn(&mut Config)) -> f64 {
        let ready = self.recipe(name, alignment, set);
        let ours = signal.map_or(ready.clone(), |signal| paid_by(ready, signal));
        lab.progress(&ours, self.ceiling) - share * lab.progress(&self.recipe("standard", alignment, set), self.ceiling)
    }
}

/// Nothing beyond what the recipe is.
pub fn as_it_is(_: &mut Config) {}

/// `ready` with another rule's update, keeping all that is not the rule's.
pub fn ruled_by(mut ready: Ready, rule: &str) -> Ready {
    let rule = find("rule", RULES, rule).expect("claims name rules that exist: tested");
    (ready.rule, ready.config.objective) = (rule, rule.objective.clone());
    ready
}

/// `ready` paid by another signal.
pub fn paid_by(mut ready: Ready, signal: &str) -> Ready {
    ready.signal = find("signal", SIGNALS, signal).expect("claims name signals that exist: tested");
    ready
}

/// A recipe alone on one prompt with its own parameters: the tabular policy of theory.
pub fn alone(name: &str, set: impl FnOnce(&mut Config)) -> Ready {
    recipe(name, |c| {
        (c.policy.sharing, c.world.prompts, c.train.train_batch_size) = (0.0, 1, 1);
        set(c);
    })
}

/// The flow of `rule` on `signal`, alone on one prompt: expected updates of size `step` until `time`.
pub fn flow(rule: &str, signal: &str, step: f64, time: f64, set: impl FnOnce(&mut Config)) -> Ready {
    let ready = paid_by(ruled_by(alone("standard", |_| {}), rule), signal);
    let mut ready = Ready { name: format!("{rule} on {signal}"), ..ready };
    (ready.config.train.mode, ready.config.train.learning_rate) = (Mode::Exact, step);
    ready.config.train.steps = (time / step).round() as usize;
    set(&mut ready.config);
    ready
}

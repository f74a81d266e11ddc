//! `mta-sim show rule grpo`: formula, defaults, source, and what other libraries call it.

use super::list::entries;
use crate::error::Error;
use mta_sims::config::{Config, KNOBS, Knob, Objective};
use mta_sims::recipe::{RECIPES, Ready};
use mta_sims::registry::{Entry, Named, UnknownName, find};
use mta_sims::rules::{RULES, Rule};
use mta_sims::signals::{SIGNALS, Signal};
use std::fmt::Write as _;

/// The description of the `kind` called `name`.
pub fn show(kind: &str, name: &str) -> Result<String, Error> {
    Ok(match kind {
        "rule" => rule(find("rule", RULES, name)?),
        "signal" => signal(find("signal", SIGNALS, name)?),
        "recipe" => recipe(&Ready::named(find("recipe", RECIPES, name)?), find("recipe", RECIPES, name)?.entry()),
        "knob" => knob(
            Knob::find(&name.replace('-', "_")).or(Knob::find(name)).ok_or_else(|| unknown(kind, name, KNOBS.iter().map(|k| k.name)))?,
        ),
        "claim" => claim(name)?,
        _ => plain(kind, name)?,
    })
}

fn unknown(kind: &str, name: &str, known: impl Iterator<Item = &'static str>) -> Error {
    UnknownName::new(kind, name, known.map(String::from).collect()).into()
}

fn entry(entry: &Entry) -> String {
    let mut text = format!("{}: {}\n", entry.name, entry.doc);
    let mut line = |what: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "  {what:10} {value}");
        }
    };
    line("formula", entry.formula);
    line("source", entry.source);
    line("also", &entry.aliases.join(", "));
    entry.elsewhere.iter().for_each(|(library, called)| line(library, called));
    text
}

fn rule(rule: &Rule) -> String {
    let config = Config { objective: rule.objective.clone(), ..Config::DEFAULT };
    entry(rule.entry()) + "defaults\n" + &knobs(&config, |k| k.section == "objective" && applies(k.name, &rule.objective))
}

/// Whether an objective knob does anything in this rule as it stands.
fn applies(knob: &str, rule: &Objective) -> bool {
    use mta_sims::config::{Baseline, PolicyLoss, Scale};
    match knob {
        "std_ddof" => rule.scale == Scale::GroupStd,
        "std_floor" => rule.scale != Scale::None || rule.whiten,
        "gae_lambda" | "critic_learning_rate" => rule.baseline == Baseline::Critic,
        "clip_low" | "clip_high" | "clip_ratio_c" => rule.policy_loss == PolicyLoss::Clip,
        "cispo_low" | "cispo_high" => rule.policy_loss == PolicyLoss::Cispo,
        "importance_sampling_level" => rule.policy_loss != PolicyLoss::Score,
        "max_num_gen_batches" => rule.dynamic_sampling,
        _ => true,
    }
}

fn knobs(config: &Config, shown: impl Fn(&Knob) -> bool) -> String {
    KNOBS.iter().filter(|k| shown(k)).map(|k| format!("  {:26} {}\n", k.name, (k.get)(config))).collect()
}

fn signal(signal: &Signal) -> String {
    let free = if signal.label_free { "never looks at the truth" } else { "needs the truth" };
    let head = entry(signal.entry()) + &format!("  {:10} {free}\n", "labels");
    if signal.params.is_empty() { head } else { head + "defaults\n" + &knobs(&Config::DEFAULT, |k| signal.params.contains(&k.name)) }
}

fn recipe(ready: &Ready, about: &Entry) -> String {
    let differs = |k: &Knob| (k.get)(&ready.config) != (k.get)(&Config { objective: ready.rule.objective.clone(), ..Config::DEFAULT });
    let params = |k: &Knob| ready.signal.params.contains(&k.name);
    let parts = format!("  {:10} {}\n  {:10} {}\n", "signal", ready.signal.name(), "rule", ready.rule.name());
    entry(about) + &parts + &knobs(&ready.config, |k| differs(k) || params(k))
}

fn knob(knob: &Knob) -> String {
    let mut text = format!(
        "{}: {}\n  {:10} {}\n  {:10} {}\n",
        knob.name,
        knob.doc.trim(),
        "value",
        (knob.kind)(),
        "default",
        (knob.get)(&Config::DEFAULT)
    );
    if !knob.aliases.is_empty() {
        let _ = writeln!(text, "  {:10} {}", "also", knob.aliases.join(", "));
    }
    text
}

fn claim(name: &str) -> Result<String, Error> {
    let claims = mta_sims::claims::CLAIMS;
    let claim = claims.iter().find(|c| c.id == name).ok_or_else(|| unknown("claim", name, claims.iter().map(|c| c.id)))?;
    let mut text = format!("{}: {}\n", claim.id, claim.statement);
    let mut line = |what: &str, value: &str| {
        let _ = writeln!(text, "  {what:10} {value}");
    };
    line("paper", claim.paper);
    line("decided by", claim.prediction);
    for trial in claim.trials {
        line(trial.rung.name(), &format!("expected: {}; counterexample without: {}", trial.expected, trial.dropped));
    }
    if !claim.finding.is_empty() {
        line("finding", claim.finding);
    }
    Ok(text)
}

/// Name and meaning, for kinds that have no more to say.
fn plain(kind: &str, name: &str) -> Result<String, Error> {
    let known = entries(&format!("{kind}s"));
    let found = known.iter().find(|(n, _)| n == name).map(|(name, doc)| format!("{name}: {doc}\n"));
    found.ok_or_else(|| UnknownName::new(kind, name, known.into_iter().map(|(n, _)| n).collect()).into())
}

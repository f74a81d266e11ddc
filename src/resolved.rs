//! The configuration as run: complete, so that it gives the same cells whatever the defaults become.

use crate::plan::Plan;
use mta_sims::config::{Config, KNOBS, Knob};
use mta_sims::knob::Value;
use mta_sims::recipe::{RECIPE_SECTIONS, Ready};
use mta_sims::registry::Named;
use std::fmt::Write as _;

/// The plan as a configuration file.
pub fn config(plan: &Plan) -> String {
    let mut text = String::from("# The settings of this run, complete. Run it again with: mta-sim sweep --config config.toml\n\n");
    let names: Vec<_> = plan.recipes.iter().map(|r| quoted(&r.name)).collect();
    let _ = writeln!(
        text,
        "recipes = [{}]\nseed = {}\nseeds = {}\nbackend = {}\n",
        names.join(", "),
        plan.seeds[0].0,
        plan.seeds.len(),
        quoted(plan.backend.name())
    );
    let shared = plan.recipes.first().map_or(Config::DEFAULT, |r| r.config.clone());
    for knob in KNOBS {
        match plan.axes.iter().find(|a| a.knob == knob.name) {
            Some(axis) => line(&mut text, knob.name, &list(&axis.values)),
            None if !RECIPE_SECTIONS.contains(&knob.section) => line(&mut text, knob.name, &value(&(knob.get)(&shared))),
            None => {}
        }
    }
    text += &seeds_of(plan);
    plan.recipes.iter().zip(&plan.fixed).for_each(|(recipe, fixed)| text += &table(plan, recipe, fixed));
    text
}

/// For each recipe, the number of seeds at every grid point; nothing where each has all.
fn seeds_of(plan: &Plan) -> String {
    if plan.is_even() {
        return String::new();
    }
    let counts = |recipe: usize| (0..plan.points()).map(move |point| plan.rows_of(point * plan.recipes.len() + recipe).len().to_string());
    let line = |recipe: usize| format!("{} = [{}]\n", key(&plan.recipes[recipe].name), counts(recipe).collect::<Vec<_>>().join(", "));
    format!("\n[seeds_of]\n{}", (0..plan.recipes.len()).map(line).collect::<String>())
}

fn line(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "{name} = {value}");
}

/// A recipe's table: every knob that is not an axis, or an axis that it fixes.
fn table(plan: &Plan, recipe: &Ready, fixed: &[&str]) -> String {
    let (name, signal, rule) = (key(&recipe.name), quoted(recipe.signal.name()), quoted(recipe.rule.name()));
    let mut text = format!("\n[recipe.{name}]\nsignal = {signal}\nrule = {rule}\n");
    let free = |k: &Knob| fixed.contains(&k.name) || plan.axes.iter().all(|a| a.knob != k.name);
    let own = |k: &&Knob| RECIPE_SECTIONS.contains(&k.section) && free(k);
    KNOBS.iter().filter(own).for_each(|k| line(&mut text, k.name, &value(&(k.get)(&recipe.config))));
    text
}

/// A key as TOML wants it.
fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if bare { name.into() } else { quoted(name) }
}

/// A text as TOML wants it, on one line.
fn quoted(text: &str) -> String {
    let escaped = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04X}", c as u32),
        c => c.to_string(),
    };
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}

/// A value as TOML and JSON want it.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::Number(x) if x.fract() == 0.0 && x.abs() < 1e15 => format!("{x}"),
        Value::Number(x) => format!("{x:?}"),
        Value::Flag(b) => b.to_string(),
        Value::Text(s) => quoted(s),
    }
}

fn list(values: &[Value]) -> String {
    format!("[{}]", values.iter().map(value).collect::<Vec<_>>().join(", "))
}

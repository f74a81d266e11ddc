//! The configuration as run: complete, so that it gives the same cells whatever the defaults become.

use crate::plan::Plan;
use mta_sims::config::{Config, KNOBS, Knob};
use mta_sims::knob::Value;
use mta_sims::recipe::RECIPE_SECTIONS;
use mta_sims::registry::Named;
use std::fmt::Write as _;

/// The plan as a configuration file.
pub fn config(plan: &Plan) -> String {
    let mut text = String::from("# The settings of this run, complete. Run it again with: mta-sim sweep --config config.toml\n\n");
    let names: Vec<_> = plan.recipes.iter().map(|r| format!("{:?}", r.name)).collect();
    let _ = writeln!(text, "recipes = [{}]\nseed = {}\nseeds = {}\n", names.join(", "), plan.seeds[0].0, plan.seeds.len());
    let shared = plan.recipes.first().map_or(Config::DEFAULT, |r| r.config.clone());
    for knob in KNOBS {
        match plan.axes.iter().find(|a| a.knob == knob.name) {
            Some(axis) => line(&mut text, knob.name, &list(&axis.values)),
            None if !RECIPE_SECTIONS.contains(&knob.section) => line(&mut text, knob.name, &value(&(knob.get)(&shared))),
            None => {}
        }
    }
    plan.recipes.iter().for_each(|recipe| text += &table(plan, recipe));
    text
}

fn line(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "{name} = {value}");
}

/// A recipe's table: every knob that is not an axis.
fn table(plan: &Plan, recipe: &mta_sims::recipe::Ready) -> String {
    let mut text = format!("\n[recipe.{}]\nsignal = {:?}\nrule = {:?}\n", quoted(&recipe.name), recipe.signal.name(), recipe.rule.name());
    let own = |k: &&Knob| RECIPE_SECTIONS.contains(&k.section) && plan.axes.iter().all(|a| a.knob != k.name);
    KNOBS.iter().filter(own).for_each(|k| line(&mut text, k.name, &value(&(k.get)(&recipe.config))));
    text
}

/// A key as TOML wants it.
fn quoted(name: &str) -> String {
    let bare = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if bare { name.into() } else { format!("{name:?}") }
}

fn value(value: &Value) -> String {
    match value {
        Value::Number(x) if x.fract() == 0.0 && x.abs() < 1e15 => format!("{x}"),
        Value::Number(x) => format!("{x:?}"),
        Value::Flag(b) => b.to_string(),
        Value::Text(s) => format!("{s:?}"),
    }
}

fn list(values: &[Value]) -> String {
    format!("[{}]", values.iter().map(value).collect::<Vec<_>>().join(", "))
}

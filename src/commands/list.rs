//! `mta-sim list rules|signals|recipes|knobs|columns|claims|figures`.

use crate::plan::Plan;
use crate::settings::Settings;
use crate::tables;
use mta_sims::config::{Config, KNOBS, Knob};
use mta_sims::recipe::{RECIPES, Recipe};
use mta_sims::registry::Named;
use mta_sims::rules::RULES;
use mta_sims::signals::SIGNALS;
use mta_sims::table::Table;

/// The list of `kind` as text, a line each.
pub fn list(kind: &str) -> String {
    let lines = entries(kind);
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    lines.iter().map(|(name, doc)| format!("{name:width$}  {doc}\n")).collect()
}

/// Name and meaning of everything of a kind.
pub fn entries(kind: &str) -> Vec<(String, String)> {
    match kind {
        "rules" => named(RULES),
        "signals" => named(SIGNALS),
        "recipes" => RECIPES.iter().map(|r| (r.name().into(), recipe(r))).collect(),
        "knobs" => KNOBS.iter().map(|k| (k.name.into(), knob(k))).collect(),
        "columns" => columns(),
        "claims" => mta_sims::claims::CLAIMS.iter().map(|c| (c.id.into(), c.statement.into())).collect(),
        _ => mta_figures::FIGURES.iter().map(|f| (f.name().into(), f.caption().into())).collect(),
    }
}

fn named<T: Named>(list: &[&T]) -> Vec<(String, String)> {
    list.iter().map(|t| (t.name().into(), t.entry().doc.into())).collect()
}

fn recipe(recipe: &Recipe) -> String {
    format!("{} ({} + {})", recipe.entry().doc, recipe.signal, recipe.rule)
}

fn knob(knob: &Knob) -> String {
    format!("{} ({}; default {})", knob.doc.trim(), (knob.kind)(), (knob.get)(&Config::DEFAULT))
}

/// The columns of results and history, as the tables of an empty run have them.
fn columns() -> Vec<(String, String)> {
    let plan = Plan::new(&Settings::default()).expect("the default plan is valid: tested");
    let (results, history) = (tables::results(&plan, &[]), tables::history(&plan, &[]));
    let describe = |table: &Table| table.columns().iter().map(|c| (c.name.clone(), c.doc.clone())).collect::<Vec<_>>();
    let mut all = describe(&results);
    let more: Vec<_> = describe(&history).into_iter().filter(|(name, _)| all.iter().all(|(known, _)| known != name)).collect();
    all.extend(more);
    all
}

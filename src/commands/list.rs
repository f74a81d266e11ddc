//! `mta-sim list rules|signals|recipes|knobs|claims|figures`.

use mta_sims::config::{Config, KNOBS};
use mta_sims::recipe::RECIPES;
use mta_sims::registry::Named;
use mta_sims::rules::RULES;
use mta_sims::signals::SIGNALS;

/// The list of `kind` as text, a line each.
pub fn list(kind: &str) -> String {
    let lines: Vec<(String, String)> = match kind {
        "rules" => named(RULES),
        "signals" => named(SIGNALS),
        "recipes" => RECIPES.iter().map(|r| (r.name().into(), format!("{} ({} + {})", r.entry().doc, r.signal, r.rule))).collect(),
        "knobs" => KNOBS
            .iter()
            .map(|k| (k.name.into(), format!("{} ({}; default {})", k.doc.trim(), (k.kind)(), (k.get)(&Config::DEFAULT))))
            .collect(),
        "claims" => mta_theory::claims::CLAIMS.iter().map(|c| (c.id.into(), c.statement.into())).collect(),
        _ => mta_figures::FIGURES.iter().map(|f| (f.name().into(), f.caption().into())).collect(),
    };
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    lines.iter().map(|(name, doc)| format!("{name:width$}  {doc}\n")).collect()
}

fn named<T: Named>(list: &[&T]) -> Vec<(String, String)> {
    list.iter().map(|t| (t.name().into(), t.entry().doc.into())).collect()
}

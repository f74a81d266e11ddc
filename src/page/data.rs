//! What the page knows: one JSON object, of which everything on it is made.

use super::numbers::{self, Curve, Measure, PassAtK};
use super::verdicts;
use crate::error::Error;
use crate::groups::Groups;
use crate::report::{self, Band, Summary};
use crate::store::run::{self, Run};
use mta_figures::style::{self, Dash, Look, Marker};
use mta_sims::config::Knob;
use mta_sims::recipe::{RECIPES, Ready};
use mta_sims::registry::Named;
use serde::Serialize;
use serde_json::Value;
use std::path::Path;

/// The whole page.
#[derive(Serialize)]
pub struct Page {
    program: String,
    made: String,
    /// Whether the page is served and should ask for news.
    live: bool,
    sections: Vec<Section>,
}

/// One folder: a run, a verification, or both.
#[derive(Serialize)]
pub struct Section {
    name: String,
    run: Option<RunData>,
    verdicts: Vec<Value>,
}

/// A run as the page shows it.
#[derive(Serialize)]
struct RunData {
    heading: String,
    sentence: Option<String>,
    done: usize,
    total: usize,
    table: GainTable,
    axes: Vec<AxisData>,
    /// Index of the axis that charts put on x.
    main: Option<usize>,
    recipes: Vec<RecipeData>,
    measures: Vec<Measure>,
    curves: Vec<Curve>,
    pass_at_k: PassAtK,
    /// The results as CSV; none where that would be too much for a page.
    results: Option<String>,
    config: String,
    commands: Vec<String>,
    facts: Vec<(&'static str, String)>,
}

/// The table as the terminal shows it.
#[derive(Serialize)]
struct GainTable {
    header: Vec<String>,
    rows: Vec<TableRow>,
}

#[derive(Serialize)]
struct TableRow {
    cells: Vec<String>,
    /// For each recipe.
    bands: Vec<Option<Band>>,
}

#[derive(Serialize)]
struct AxisData {
    name: String,
    label: String,
    doc: String,
    values: Vec<String>,
}

#[derive(Serialize)]
struct RecipeData {
    name: String,
    doc: String,
    colour: String,
    dash: &'static str,
    symbol: &'static str,
}

/// Longest text of results that a page carries, in bytes.
const MAX_RESULTS: usize = 3_000_000;

impl Page {
    /// A page of `sections`.
    pub fn new(sections: Vec<Section>, live: bool) -> Self {
        let program = format!("mta-sim {} ({})", env!("CARGO_PKG_VERSION"), &env!("MTA_GIT_REVISION")[..7]);
        Page { program, made: jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(), live, sections }
    }
}

impl Section {
    /// Reads a folder.
    ///
    /// # Errors
    /// When it does not exist, is neither a run's nor a verification's, or is damaged.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let verdicts = verdicts::read(folder)?;
        let run = if verdicts.is_empty() || run::is_run(folder) { Some(Run::open(folder)?) } else { None };
        Ok(Section { name: name(folder), run: run.as_ref().map(RunData::new), verdicts })
    }

    /// A run that was read already.
    pub fn of(run: &Run) -> Result<Self, Error> {
        Ok(Section { name: name(&run.folder), run: Some(RunData::new(run)), verdicts: verdicts::read(&run.folder)? })
    }

    /// Rows of the plan that are finished, and all of them; none where the folder holds no run.
    pub fn progress(&self) -> Option<(usize, usize)> {
        self.run.as_ref().map(|run| (run.done, run.total))
    }
}

/// Names sections so that no two are called the same.
pub fn distinguish(sections: &mut [Section], folders: &[impl AsRef<Path>]) {
    let names: Vec<String> = sections.iter().map(|s| s.name.clone()).collect();
    for (section, folder) in sections.iter_mut().zip(folders) {
        if names.iter().filter(|name| **name == section.name).count() > 1 {
            section.name = folder.as_ref().display().to_string();
        }
    }
}

/// Last part of the folder's path.
fn name(folder: &Path) -> String {
    let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.into());
    whole.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned()
}

impl RunData {
    fn new(run: &Run) -> Self {
        let (plan, (done, total)) = (&run.plan, run.progress());
        let groups = Groups::new(plan, &run.results, run.places.clone());
        let summaries = report::summarise(&groups);
        let names: Vec<String> = plan.recipes.iter().map(|r| r.name.clone()).collect();
        RunData {
            heading: report::heading(plan),
            sentence: report::sentence(plan, &summaries).filter(|_| done == total),
            done,
            total,
            table: GainTable::new(&groups, &summaries),
            axes: axes(run),
            main: plan.main_axis(),
            recipes: plan.recipes.iter().zip(style::looks(&names)).map(|(recipe, look)| RecipeData::new(recipe, look)).collect(),
            measures: numbers::measures(&groups, &run.results, &summaries),
            curves: numbers::curves(&groups, &run.history),
            pass_at_k: numbers::pass_at_k(&groups),
            results: Some(run.results.to_csv()).filter(|text| text.len() <= MAX_RESULTS),
            config: run.config.clone(),
            commands: commands(run),
            facts: facts(run),
        }
    }
}

impl GainTable {
    fn new(groups: &Groups, summaries: &[Summary]) -> Self {
        let all: Vec<usize> = (0..groups.plan.recipes.len()).collect();
        GainTable { header: report::header(groups.plan, &all), rows: summaries.iter().map(TableRow::new).collect() }
    }
}

impl TableRow {
    fn new(summary: &Summary) -> Self {
        let point = summary.point.iter().map(ToString::to_string);
        let base = summary.base.iter().map(|x| x.map_or(String::new(), report::share));
        let gains = summary.gains.iter().map(|(gain, _)| report::gain_text(*gain));
        let bands = summary.gains.iter().map(|(_, kept)| kept.map(|kept| Band::of(kept.value)));
        TableRow { cells: point.chain(base).chain(gains).collect(), bands: bands.collect() }
    }
}

fn axes(run: &Run) -> Vec<AxisData> {
    let axis = |a: &crate::settings::Assignment| {
        let name = run.plan.column(a.knob);
        let doc = Knob::find(a.knob).map_or(String::new(), |k| k.doc.trim().into());
        AxisData { label: style::knob_label(&name), name, doc, values: a.values.iter().map(ToString::to_string).collect() }
    };
    run.plan.axes.iter().map(axis).collect()
}

impl RecipeData {
    fn new(recipe: &Ready, look: Look) -> Self {
        let own = RECIPES.iter().find(|r| r.name() == recipe.name).map_or(String::new(), |r| format!("{} ", r.entry().doc));
        RecipeData {
            name: recipe.name.clone(),
            doc: format!("{own}({} + {})", recipe.signal.name(), recipe.rule.name()),
            colour: format!("#{:02x}{:02x}{:02x}", look.colour.0, look.colour.1, look.colour.2),
            dash: dash(look.dash),
            symbol: look.marker.map_or("circle", symbol),
        }
    }
}

/// A line's pattern as plotly.js calls it.
fn dash(dash: Dash) -> &'static str {
    match dash {
        Dash::Solid => "solid",
        Dash::Dashed => "dash",
        Dash::Dotted => "dot",
    }
}

/// A marker's shape as plotly.js calls it.
fn symbol(marker: Marker) -> &'static str {
    match marker {
        Marker::Circle => "circle",
        Marker::Square => "square",
        Marker::Plus => "cross",
        Marker::Cross => "x",
        Marker::Diamond => "diamond",
        Marker::Star => "star",
        Marker::Down => "triangle-down",
        Marker::Up => "triangle-up",
    }
}

/// A value without the quotes of a text.
fn words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), String::from)
}

/// What to type to have the run and this page again.
fn commands(run: &Run) -> Vec<String> {
    let typed = run.manifest.as_ref().and_then(|m| m["command"].as_str()).map(String::from);
    let again = format!("mta-sim sweep --config {}", run.folder.join("config.toml").display());
    typed.into_iter().chain([again, format!("mta-sim report {}", run.folder.display())]).collect()
}

/// Keys of the manifest that the page shows, and what it calls them.
const FACTS: [(&str, &str); 9] = [
    ("version", "version"),
    ("git_revision", "git revision"),
    ("semantics", "semantics of a cell"),
    ("rustc", "compiler"),
    ("target", "target"),
    ("threads", "threads"),
    ("started", "started"),
    ("finished", "finished"),
    ("seconds", "seconds"),
];

fn facts(run: &Run) -> Vec<(&'static str, String)> {
    let (first, seeds) = (run.plan.seeds[0].0, run.plan.seeds.len());
    let (done, total) = run.progress();
    let own = [("cells", format!("{done} of {total}")), ("seeds", format!("{}{seeds}, from {first}", run.plan.at_most()))];
    let text = |value: &Value| value.as_f64().filter(|x| x.fract() != 0.0).map_or_else(|| words(value), |x| format!("{x:.1}"));
    let noted = FACTS.iter().filter_map(|(key, label)| Some((*label, text(run.manifest.as_ref()?.get(key)?))));
    own.into_iter().chain(noted).collect()
}

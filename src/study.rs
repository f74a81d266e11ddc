//! The runs that figures need: a study is run where it is not finished, and any finished run can be read back.

use crate::error::Error;
use crate::plan::Plan;
use crate::settings::Settings;
use crate::store::{self, parquet};
use crate::sweep;
use mta_figures::{Data, Effort, Run, Study};
use mta_sims::cell::SEMANTICS;
use mta_sims::table::Table;
use std::path::Path;

/// A finished run, as a figure wants it.
pub struct Finished {
    results: Table,
    history: Table,
    knob: String,
    others: Vec<String>,
    command: String,
}

impl Finished {
    /// What a figure sees of it.
    pub fn run(&self) -> Run<'_> {
        Run { results: &self.results, history: &self.history, knob: &self.knob, others: &self.others, command: &self.command }
    }

    /// Reads a run folder; what a sweep has finished so far, where it is still running.
    ///
    /// # Errors
    /// As [`store::run::Run::open`].
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let run = store::run::Run::open(folder)?;
        let command = run.manifest.as_ref().and_then(|m| m["command"].as_str()).unwrap_or("mta-sim sweep --config config.toml");
        let (knob, others, command) = (run.plan.main_column(), run.plan.other_columns(), command.into());
        Ok(Finished { results: run.results, history: run.history, knob, others, command })
    }
}

/// Runs what is not finished of a study, in a folder of its own among `runs`; `command` is what will be said to have made it.
///
/// The folder of a sweep is named by its cells, so a study whose settings have changed since gets a new one.
///
/// # Errors
/// As the sweep's; a study's own settings are valid, which a test makes sure of.
pub fn finish(study: &Study, effort: Effort, runs: &Path, threads: usize, command: &str) -> Result<Finished, Error> {
    match study.data {
        Data::Sweep { settings, quick } => {
            let layers = [settings, effort.of("", quick, quick), effort.of("", "", "seeds = 2")];
            let plan = plan(study.name, &layers)?;
            let outcome = sweep::execute(&plan, plan.backend.engine(), &runs.join(format!("{}-{}", study.name, plan.id())), threads)?;
            let (knob, others) = (plan.main_column(), plan.other_columns());
            Ok(Finished { results: outcome.results()?, history: outcome.history()?, knob, others, command: command.into() })
        }
        Data::Computed(compute) => {
            let results = computed(study.name, compute, effort, &runs.join(format!("{}-{effort:?}", study.name).to_lowercase()))?;
            Ok(Finished { results, history: Table::new(), knob: String::new(), others: Vec::new(), command: command.into() })
        }
    }
}

/// The plan of a study from layers of settings, later ones over earlier ones.
fn plan(name: &str, layers: &[&str]) -> Result<Plan, Error> {
    let source = Path::new("study").join(name);
    let mut all = Settings::default();
    for layer in layers {
        let Settings { knobs, tables, run } = Settings::parse(layer, &source)?;
        all.knobs.extend(knobs);
        all.tables.extend(tables);
        all.run.seeds = run.seeds.or(all.run.seeds);
        all.run.recipes = if run.recipes.is_empty() { all.run.recipes } else { run.recipes };
    }
    Plan::new(&all)
}

/// The table of a computed study: read where this very program has computed it before.
fn computed(name: &str, compute: fn(Effort) -> Table, effort: Effort, folder: &Path) -> Result<Table, Error> {
    let (table, stamp) = (folder.join("results.parquet"), folder.join("computed.txt"));
    let key = format!("{name} {effort:?} semantics {SEMANTICS} mta-sim {} {}\n", env!("CARGO_PKG_VERSION"), env!("MTA_GIT_REVISION"));
    if std::fs::read_to_string(&stamp).is_ok_and(|found| found == key) {
        return parquet::read(&table);
    }
    store::prepare(folder)?;
    let results = compute(effort);
    parquet::write(&results, &table)?;
    store::write_whole(&stamp, key.as_bytes())?;
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_study_is_a_valid_plan_in_full_and_as_a_preview() {
        for study in mta_figures::FIGURES.iter().flat_map(|f| f.studies()) {
            if let Data::Sweep { settings, quick } = study.data {
                let [full, preview] = ["", quick].map(|changes| plan(study.name, &[settings, changes]).unwrap_or_else(|e| panic!("{e}")));
                assert!(preview.rows() <= full.rows(), "{}", study.name);
            }
        }
    }
}

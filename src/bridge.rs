//! The llm rung from nothing: grow base models, fit the simulator's kinetics on a world of its own, write forecasts, train, compare, judge.
//!
//! ```text
//! models/      base models, one Hugging Face folder each
//! kinetics.json    how far an update moves a transformer, fitted on the probe world
//! forecast/    what the simulator expects, written before any recipe is run
//! results.parquet, history.parquet    what the transformers did, as a sweep's
//! claims/      further cells that the claims ask for
//! ```

use crate::commands::sweep;
use crate::engine::Engine;
use crate::error::Error;
use crate::greenhouse::{self, Forecaster, Greenhouse};
use crate::plan::Plan;
use crate::runner::{self, Job};
use crate::settings::Settings;
use crate::store::{self, journal::Journal};
use crate::verify::{self, Judged, Request};
use mta_llm::forecast::{DICE, Kinetics, Simulator};
use mta_llm::grown::cell::GrownSettings;
use mta_sims::cell::Cell;
use mta_sims::claims::settings::GROWN;
use mta_sims::claims::{Lab, Rung, Runner};
use mta_sims::config::{Config, KNOBS};
use mta_sims::record::Curves;
use mta_sims::stream::Seed;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What to run.
pub struct Bridge {
    /// Everything goes here.
    pub folder: PathBuf,
    /// The base models.
    pub greenhouse: Greenhouse,
    /// The grid of alignments, recipes and seeds that figures show.
    pub settings: Settings,
    /// Threads, 0 for all.
    pub threads: usize,
}

/// What came out.
pub struct Compared {
    /// The grid.
    pub plan: Plan,
    /// The simulator's expectation.
    pub forecast: sweep::Outcome,
    /// What the transformers did.
    pub outcome: sweep::Outcome,
    /// How far an update moved them.
    pub kinetics: Kinetics,
}

/// The alignment of the probe world, between the ends that are judged, and how far its seed is from theirs.
const PROBE: (f64, u64) = (0.5, 1_000_000);

/// The settings of grown worlds as a configuration file: all that differs from the defaults.
pub fn grown_settings() -> String {
    let mut grown = Config::DEFAULT;
    GROWN.prepare(&mut grown);
    let differing = KNOBS.iter().filter(|k| (k.get)(&grown) != (k.get)(&Config::DEFAULT));
    differing.map(|k| format!("{} = {}\n", k.name, (k.get)(&grown))).collect()
}

/// Kinetics fitted before.
fn read_kinetics(path: &Path) -> Result<Kinetics, Error> {
    let text = std::fs::read_to_string(path).map_err(Error::file(path, "cannot be read; delete it to fit again"))?;
    let damaged = |what: String| Error::damaged(path, format!("is damaged ({what}); delete it to fit again"));
    let kinetics: Kinetics = serde_json::from_str(&text).map_err(|e| damaged(e.to_string()))?;
    kinetics.validate().map_err(|e| damaged(e.to_string()))?;
    Ok(kinetics)
}

impl Bridge {
    /// A bridge over `alignments` with `recipes` and `seeds` from `seed` on.
    ///
    /// # Errors
    /// When a recipe has no such name, or the numbers leave their range.
    pub fn new(folder: &Path, alignments: &str, recipes: &str, seeds: u64, seed: u64, threads: usize) -> Result<Self, Error> {
        let mut settings = Settings::parse(&grown_settings(), Path::new("grown worlds"))?;
        settings.flags([("alignment", alignments)].into_iter())?;
        settings.run.recipes = recipes.split(',').map(|name| name.trim().into()).collect();
        (settings.run.seeds, settings.run.seed) = (Some(seeds), Some(seed));
        let greenhouse = Greenhouse::new(GrownSettings::DEFAULT, &folder.join("models"));
        Ok(Bridge { folder: folder.into(), greenhouse, settings, threads })
    }

    /// Forecasts, then trains, every cell of the grid.
    ///
    /// # Errors
    /// As the sweep's.
    pub fn compare(&self) -> Result<Compared, Error> {
        let plan = Plan::with(&self.settings, &self.greenhouse)?;
        store::prepare(&self.folder)?;
        let kinetics = self.kinetics(&plan)?;
        let forecaster = Forecaster::new(&self.greenhouse, kinetics);
        let expected = Plan::with(&self.settings, &forecaster)?;
        let forecast = sweep::execute(&expected, &forecaster, &self.folder.join("forecast"), self.threads)?;
        let outcome = sweep::execute(&plan, &self.greenhouse, &self.folder, self.threads)?;
        Ok(Compared { plan, forecast, outcome, kinetics })
    }

    /// Read where they are known, else fitted to standard and one-shot training in the probe world.
    fn kinetics(&self, plan: &Plan) -> Result<Kinetics, Error> {
        let path = self.folder.join("kinetics.json");
        if path.exists() {
            return read_kinetics(&path);
        }
        let kinetics = self.probe(Seed(plan.seeds[0].0 + PROBE.1))?;
        let text = serde_json::to_string_pretty(&kinetics).expect("two numbers always serialise");
        store::write_whole(&path, (text + "\n").as_bytes())?;
        Ok(kinetics)
    }

    fn probe(&self, seed: Seed) -> Result<Kinetics, Error> {
        let cells = ["standard", "one-shot"]
            .map(|name| Cell { recipe: GROWN.recipe(name, PROBE.0, |c| c.train.eval_every = c.train.steps / 4), seed });
        let curves = self.run(&cells, "probe")?;
        let base = self.greenhouse.base(&cells[0].recipe.config.world, seed)?;
        let outcomes: Vec<_> = cells.into_iter().map(|cell| (cell.recipe.clone(), curves[&self.greenhouse.id(&cell)].clone())).collect();
        Ok(Simulator::new(&base, DICE / 4)?.fit(&outcomes))
    }

    /// Verdicts on the llm rung: runs what the claims ask for and is not finished, then judges.
    ///
    /// # Errors
    /// As the sweep's.
    pub fn judge(&self, request: &Request) -> Result<Vec<Judged>, Error> {
        store::prepare(&self.folder)?;
        let mut known = Journal::open(&self.folder)?.finished().clone();
        let cells = verify::cells(request, Rung::Llm);
        let missing: Vec<Cell> = cells.into_iter().filter(|cell| !known.contains_key(&self.greenhouse.id(cell))).collect();
        known.extend(self.run(&missing, "claims")?);
        let (known, settings) = (Arc::new(known), self.greenhouse.settings.clone());
        let runner: Arc<Runner> = Arc::new(move |cell: &Cell| known[&greenhouse::id(&settings, cell)].clone());
        let labs = move |seed| Lab::with(seed, Arc::clone(&runner));
        Ok(verify::judge_in(request, |rung| *rung == Rung::Llm, &labs))
    }

    /// Curves of `cells` by name, run where they are not finished, in a folder of their own.
    fn run(&self, cells: &[Cell], name: &str) -> Result<HashMap<String, Curves>, Error> {
        let folder = self.folder.join(name);
        store::prepare(&folder)?;
        let ids: Vec<String> = cells.iter().map(|cell| self.greenhouse.id(cell)).collect();
        let jobs: Vec<Job> = cells.iter().zip(&ids).map(|(cell, id)| Job { id, cell }).collect();
        let mut journal = Journal::open(&folder)?;
        runner::run(&jobs, &mut journal, &self.greenhouse, self.threads)?;
        Ok(journal.finished().clone())
    }
}

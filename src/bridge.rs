//! The llm rung from nothing: grow base models, fit the simulator's kinetics on a world of its own, write forecasts, train, compare, judge.
//!
//! ```text
//! models/      base models, one Hugging Face folder each
//! probe/       what updates did in worlds of their own
//! kinetics.json    how far an update moves a transformer, fitted to the probe worlds
//! forecast/    what the simulator expects, written before any recipe is run
//! results.parquet, history.parquet    what the transformers did, as a sweep's
//! claims/      further cells that the claims ask for
//! ```

use crate::engine::Engine;
use crate::error::Error;
use crate::greenhouse::{self, Forecaster, Greenhouse};
use crate::id::Id;
use crate::plan::Plan;
use crate::runner::Work;
use crate::settings::Settings;
use crate::shard::{self, Shard};
use crate::store::{self, cells::Cells, lock::Lock};
use crate::sweep;
use crate::verify::{self, Judged, Labs, Request};
use mta_llm::forecast::{DICE, Fit, Probe, Simulator};
use mta_llm::grown::cell::GrownSettings;
use mta_sims::cell::Cell;
use mta_sims::claims::settings::GROWN;
use mta_sims::claims::{Lab, Rung};
use mta_sims::config::{Config, KNOBS};
use mta_sims::record::Curves;
use mta_sims::stream::Seed;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
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
    /// How far an update moved them, and how well that is known.
    pub fit: Fit,
}

/// The alignment of the probe worlds, between the ends that are judged.
const PROBE_ALIGNMENT: f64 = 0.5;

/// How far the seeds of the probe worlds are from those that are judged.
const PROBE_SEEDS: [u64; 3] = [1_000_000, 1_000_001, 1_000_002];

/// What is run in each: a recipe that moves all questions, and one that shows how much of an update the others feel.
const PROBE_RECIPES: [&str; 2] = ["standard", "one-shot"];

/// `kinetics.json`.
#[derive(Serialize, Deserialize)]
struct Fitted {
    /// Names of the probes' results.
    probes: Vec<String>,
    #[serde(flatten)]
    fit: Fit,
}

/// The settings of grown worlds as a configuration file: all that differs from the defaults.
pub fn grown_settings() -> String {
    let mut grown = Config::DEFAULT;
    GROWN.prepare(&mut grown);
    let differing = KNOBS.iter().filter(|k| (k.get)(&grown) != (k.get)(&Config::DEFAULT));
    differing.map(|k| format!("{} = {}\n", k.name, (k.get)(&grown))).collect()
}

/// What was fitted before.
fn read_fitted(path: &Path) -> Result<Fitted, Error> {
    let text = std::fs::read_to_string(path).map_err(Error::file(path, "cannot be read; delete it to fit again"))?;
    let damaged = |what: String| Error::damaged(path, format!("is damaged ({what}); delete it to fit again"));
    let fitted: Fitted = serde_json::from_str(&text).map_err(|e| damaged(e.to_string()))?;
    fitted.fit.kinetics.validate().map_err(|e| damaged(e.to_string()))?;
    Ok(fitted)
}

/// The cells of the probe worlds, world by world.
fn probe_cells(first: Seed) -> Vec<Cell> {
    let quarterly = |c: &mut Config| c.train.eval_every = c.train.steps / 4;
    let cell = |seed, name| Cell { recipe: GROWN.recipe(name, PROBE_ALIGNMENT, quarterly), seed };
    PROBE_SEEDS.into_iter().flat_map(|apart| PROBE_RECIPES.map(|name| cell(Seed(first.0 + apart), name))).collect()
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
        let fit = self.fit(plan.seeds[0])?;
        let forecaster = Forecaster::new(&self.greenhouse, fit.kinetics);
        let expected = Plan::with(&self.settings, &forecaster)?;
        let forecast = sweep::execute(&expected, &forecaster, &self.folder.join("forecast"), self.threads)?;
        let outcome = sweep::execute(&plan, &self.greenhouse, &self.folder, self.threads)?;
        Ok(Compared { plan, forecast, outcome, fit })
    }

    /// Read where it is known, else made from standard and one-shot training in the probe worlds.
    fn fit(&self, first: Seed) -> Result<Fit, Error> {
        let (path, cells) = (self.folder.join("kinetics.json"), probe_cells(first));
        let probes: Vec<String> = cells.iter().map(|cell| self.greenhouse.id(&cell.description()).to_string()).collect();
        let known = if path.exists() { Some(read_fitted(&path)?) } else { None };
        if let Some(known) = known.filter(|known| known.probes == probes) {
            return Ok(known.fit);
        }
        let fit = Fit::of(&self.probes(&cells)?);
        let text = serde_json::to_string_pretty(&Fitted { probes, fit }).expect("names and numbers always serialise");
        store::write_whole(&path, (text + "\n").as_bytes())?;
        Ok(fit)
    }

    fn probes(&self, cells: &[Cell]) -> Result<Vec<Probe>, Error> {
        let curves = self.run(cells, "probe")?;
        let outcome = |cell: &Cell| (cell.recipe.clone(), curves[&self.greenhouse.id(&cell.description())].clone());
        let probe = |cells: &[Cell]| {
            let base = self.greenhouse.base(&cells[0].recipe.config.world, cells[0].seed)?;
            Ok(Probe { simulator: Simulator::new(&base, DICE / 4)?, outcomes: cells.iter().map(outcome).collect() })
        };
        cells.chunks(PROBE_RECIPES.len()).map(probe).collect()
    }

    /// Verdicts on the llm rung; what a look asks for and is not finished is run before it.
    ///
    /// # Errors
    /// As the sweep's.
    pub fn judge(&self, request: &Request) -> Result<Vec<Judged>, Error> {
        store::prepare(&self.folder)?;
        let finished = Cells::open(&self.folder)?.all()?;
        verify::judge_in(request, |rung| *rung == Rung::Llm, &mut Transformers { bridge: self, finished: Arc::new(finished) })
    }

    /// Curves of `cells` by name, run where they are not finished, in a folder of their own.
    fn run(&self, cells: &[Cell], name: &str) -> Result<HashMap<Id, Curves>, Error> {
        let folder = self.folder.join(name);
        store::prepare(&folder)?;
        let _alone = Lock::alone(&folder)?;
        let list = List(cells.iter().map(|cell| (self.greenhouse.id(&cell.description()), cell)).collect());
        let mut seen = HashSet::new();
        let rows: Vec<usize> = (0..cells.len()).filter(|at| seen.insert(list.id(*at))).collect();
        shard::run(&folder, Shard::WHOLE, &list, &rows, &self.greenhouse, self.threads)?;
        let mut finished = Cells::open(&folder)?;
        seen.into_iter().map(|id| Ok((id, finished.curves(&id)?.expect("it was run just now")))).collect()
    }
}

/// Cells with their names, to be run.
struct List<'c>(Vec<(Id, &'c Cell)>);

impl Work for List<'_> {
    fn id(&self, at: usize) -> Id {
        self.0[at].0
    }

    fn cell(&self, at: usize) -> Cell {
        self.0[at].1.clone()
    }
}

/// Labs whose cells are transformers'.
struct Transformers<'b> {
    bridge: &'b Bridge,
    finished: Arc<HashMap<Id, Curves>>,
}

impl Labs for Transformers<'_> {
    fn prepare(&mut self, cells: &dyn Fn() -> Vec<Cell>) -> Result<(), Error> {
        let missing: Vec<Cell> =
            cells().into_iter().filter(|cell| !self.finished.contains_key(&self.bridge.greenhouse.id(&cell.description()))).collect();
        Arc::make_mut(&mut self.finished).extend(self.bridge.run(&missing, "claims")?);
        Ok(())
    }

    fn lab(&self, seed: Seed) -> Lab {
        let finished = Arc::clone(&self.finished);
        let settings = self.bridge.greenhouse.settings.clone();
        Lab::with(seed, Arc::new(move |cell: &Cell| finished[&greenhouse::id(&settings, &cell.description())].clone()))
    }
}

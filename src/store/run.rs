//! A run folder read back, finished or while its sweep is running.

use crate::error::Error;
use crate::plan::Plan;
use crate::settings::Settings;
use crate::store::cells::{self, Cells};
use crate::store::{parquet, planned};
use crate::tables::{self, Lines};
use mta_sims::table::Table;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What a run folder holds at one moment.
pub struct Run {
    /// The folder.
    pub folder: PathBuf,
    /// Its `config.toml`.
    pub config: String,
    /// The plan which that gives.
    pub plan: Plan,
    /// Its `manifest.json`; none before the sweep has ended for the first time.
    pub manifest: Option<Value>,
    /// One row per finished row of the plan.
    pub results: Table,
    /// One row per evaluated step of each of these.
    pub history: Table,
    /// For each row of the results, its row of the plan.
    pub places: Vec<usize>,
}

/// Looks into a run folder, again and again where its sweep is running.
pub struct Watch {
    folder: PathBuf,
}

/// Files of which a run folder has one at least, beside its `config.toml`.
const CELLS: [&str; 2] = [planned::NAME, "results.parquet"];

/// Whether `folder` is one that a sweep made.
pub fn is_run(folder: &Path) -> bool {
    folder.join("config.toml").is_file() && CELLS.iter().any(|name| folder.join(name).is_file())
}

impl Run {
    /// Reads a run folder.
    ///
    /// # Errors
    /// When it does not exist, is no run folder, or one of its files cannot be read or is damaged.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        Watch::new(folder)?.look()
    }

    /// Rows of the plan that are finished, and all of them.
    pub fn progress(&self) -> (usize, usize) {
        (self.places.len(), self.plan.rows())
    }
}

impl Watch {
    /// Makes sure that `folder` is a run folder.
    pub fn new(folder: &Path) -> Result<Self, Error> {
        std::fs::read_dir(folder).map_err(Error::file(folder, "is no folder to read"))?;
        if !is_run(folder) {
            let what = format!("is not a run folder: it has no config.toml with a {} beside it", CELLS.join(" or a "));
            return Err(Error::damaged(folder, what));
        }
        Ok(Watch { folder: folder.into() })
    }

    /// The folder as it is now.
    ///
    /// # Errors
    /// When one of its files cannot be read or is damaged.
    pub fn look(&self) -> Result<Run, Error> {
        // A shard may publish its journal and clear it while we read.
        self.glance().or_else(|_| self.glance())
    }

    fn glance(&self) -> Result<Run, Error> {
        let path = self.folder.join(planned::SETTINGS);
        let config = std::fs::read_to_string(&path).map_err(Error::file(&path, "cannot be read"))?;
        let plan = self.plan()?;
        let (results, history, places) = self.tables(&plan)?;
        Ok(Run { folder: self.folder.clone(), config, plan, manifest: self.manifest()?, results, history, places })
    }

    /// The plan as written; made of the settings again where it is lost.
    fn plan(&self) -> Result<Plan, Error> {
        if self.folder.join(planned::NAME).is_file() {
            return planned::read(&self.folder);
        }
        Plan::new(&Settings::read(&self.folder.join(planned::SETTINGS))?)
    }

    /// Number of bytes by which a change of the folder is noticed.
    pub fn size(&self) -> u64 {
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |m| m.len());
        let own = [planned::NAME, planned::SETTINGS, "manifest.json"].map(|name| size(&self.folder.join(name)));
        let shards = [cells::JOURNAL, cells::PUBLISHED].map(|ending| cells::files(&self.folder.join(cells::FOLDER), ending));
        let shards: u64 = shards.into_iter().flatten().flatten().map(|path| size(&path)).sum();
        own.iter().sum::<u64>() + shards
    }

    /// Tables of what shards have finished; of the Parquet files where they hold the whole plan and the shards do not, being lost or of another version.
    fn tables(&self, plan: &Plan) -> Result<(Table, Table, Vec<usize>), Error> {
        let mut finished = Cells::open(&self.folder)?;
        let places: Vec<usize> = (0..plan.rows()).filter(|row| finished.contains(&plan.ids[*row])).collect();
        if places.len() < plan.rows() && self.folder.join(CELLS[1]).is_file() {
            let results = parquet::read(&self.folder.join(CELLS[1]))?;
            if results.rows() == plan.rows() {
                return Ok((results, parquet::read(&self.folder.join("history.parquet"))?, (0..plan.rows()).collect()));
            }
        }
        let mut lines = Lines::of(plan);
        let mut line = |row: &usize| Ok(lines.line(*row, finished.curves(&plan.ids[*row])?.expect("it is finished")));
        let lines = places.iter().map(&mut line).collect::<Result<Vec<_>, Error>>()?;
        Ok((tables::results(plan, &lines), tables::history(plan, &lines), places))
    }

    fn manifest(&self) -> Result<Option<Value>, Error> {
        let path = self.folder.join("manifest.json");
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path).map_err(Error::file(&path, "cannot be read"))?;
        serde_json::from_str(&text).map(Some).map_err(|e| Error::damaged(&path, format!("is damaged ({e})")))
    }
}

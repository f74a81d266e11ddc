//! A run folder read back, finished or while its sweep is running.

use crate::error::Error;
use crate::plan::Plan;
use crate::settings::Settings;
use crate::store::{journal, parquet};
use crate::tables;
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
    journal: journal::Reader,
}

/// Files of which a run folder has one at least, beside its `config.toml`.
const CELLS: [&str; 2] = [journal::NAME, "results.parquet"];

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
        (self.places.len(), self.plan.rows.len())
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
        Ok(Watch { folder: folder.into(), journal: journal::Reader::new(folder) })
    }

    /// The folder as it is now.
    pub fn look(&mut self) -> Result<Run, Error> {
        let path = self.folder.join("config.toml");
        let config = std::fs::read_to_string(&path).map_err(Error::file(&path, "cannot be read"))?;
        let plan = Plan::new(&Settings::parse(&config, &path)?)?;
        self.journal.refresh()?;
        let (results, history, places) = self.tables(&plan)?;
        Ok(Run { folder: self.folder.clone(), config, plan, manifest: self.manifest()?, results, history, places })
    }

    /// Number of bytes by which a change of the folder is noticed.
    pub fn size(&self) -> u64 {
        let size = |name: &str| std::fs::metadata(self.folder.join(name)).map_or(0, |m| m.len());
        size(journal::NAME) + size("config.toml") + size("manifest.json")
    }

    /// Tables of what the journal holds; of the Parquet files where they hold the whole plan and the journal does not, being lost or of another version.
    fn tables(&self, plan: &Plan) -> Result<(Table, Table, Vec<usize>), Error> {
        let finished = self.journal.finished();
        let places: Vec<usize> = (0..plan.rows.len()).filter(|row| finished.contains_key(&plan.rows[*row].id)).collect();
        if places.len() < plan.rows.len() && self.folder.join(CELLS[1]).is_file() {
            let results = parquet::read(&self.folder.join(CELLS[1]))?;
            if results.rows() == plan.rows.len() {
                return Ok((results, parquet::read(&self.folder.join("history.parquet"))?, (0..plan.rows.len()).collect()));
            }
        }
        Ok((tables::results(plan, finished), tables::history(plan, finished), places))
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

//! `plan.jsonl`: the cells of a plan, one per line, in the order of the results.
//!
//! ```text
//! {"id":"5a0c...","cost":0.0023,"recipe":"standard","seed":0,"point":{"alignment":0.1}}
//! ```
//!
//! `id` is the hash of everything the result depends on, `cost` the seconds a cell is expected to take one thread, `point` the grid values. The settings
//! behind them stand in `config.toml`; a plan is read from both, and they must agree. A reader needs `id`, `cost`, `recipe` and `seed`, and skips other keys.

use crate::error::Error;
use crate::id::Id;
use crate::plan::Plan;
use crate::resolved;
use crate::settings::Settings;
use crate::store::write_whole;
use mta_llm::atomic::Partial;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

/// Name of the plan in a run folder.
pub const NAME: &str = "plan.jsonl";

/// Name of its settings.
pub const SETTINGS: &str = "config.toml";

/// Lines that are read at once, by all threads.
const LINES: usize = 1 << 14;

/// What every line holds.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    id: Id,
    cost: f64,
    #[serde(borrow)]
    recipe: Cow<'a, str>,
    seed: u64,
}

/// Writes the plan and its settings into `folder`, each whole or not at all; the settings last, so that those of a folder always have a plan beside them.
///
/// # Errors
/// When they cannot be written.
pub fn write(plan: &Plan, folder: &Path) -> Result<(), Error> {
    let path = folder.join(NAME);
    let mut out = Partial::new(&path)?;
    for setting in 0..plan.settings() {
        lines(plan, setting, &mut out).map_err(Error::file(&path, "cannot be written"))?;
    }
    out.commit()?;
    write_whole(&folder.join(SETTINGS), resolved::config(plan).as_bytes())
}

/// The lines that differ in seed only.
fn lines(plan: &Plan, setting: usize, out: &mut impl Write) -> std::io::Result<()> {
    let (point, recipe) = (setting / plan.recipes.len(), setting % plan.recipes.len());
    let values = plan.axes.iter().zip(plan.point(point));
    let point = values.map(|(axis, value)| format!("\"{}\":{}", axis.knob, resolved::value(&value))).collect::<Vec<_>>().join(",");
    for (id, seed) in plan.ids[plan.rows_of(setting)].iter().zip(plan.seeds_of(setting)) {
        let line = Line { id: *id, cost: plan.costs[setting], recipe: (&plan.recipes[recipe].name).into(), seed: seed.0 };
        let text = serde_json::to_string(&line)?;
        writeln!(out, "{},\"point\":{{{point}}}}}", text.strip_suffix('}').unwrap_or(&text))?;
    }
    Ok(())
}

/// Makes sure that there is a plan in `folder`.
///
/// # Errors
/// When there is none.
pub fn require(folder: &Path) -> Result<(), Error> {
    if folder.join(NAME).is_file() {
        return Ok(());
    }
    Err(Error::damaged(folder, format!("is no run folder: it has no {NAME}; mta-sim sweep plan makes one")))
}

/// Reads the plan of a run folder. The cells are trusted to be what they are called; [`Plan::confirm`] makes sure of those that are run.
///
/// # Errors
/// When it cannot be read, is damaged, or is not what the settings beside it give.
pub fn read(folder: &Path) -> Result<Plan, Error> {
    require(folder)?;
    let settings = folder.join(SETTINGS);
    let mut plan = Plan::outline(&Settings::read(&settings)?)?;
    let path = folder.join(NAME);
    let mut reader = BufReader::new(File::open(&path).map_err(Error::file(&path, "cannot be read"))?);
    let rows = plan.rows();
    plan.ids.reserve_exact(rows);
    plan.costs = vec![0.0; plan.settings()];
    loop {
        let lines = some_lines(&mut reader).map_err(Error::file(&path, "cannot be read"))?;
        if lines.is_empty() {
            break;
        }
        let first = plan.ids.len();
        let cells: Vec<_> = lines.par_iter().enumerate().map(|(i, text)| cell(&plan, first + i, text)).collect();
        for (i, cell) in cells.into_iter().enumerate() {
            let (id, cost) = cell.map_err(|why| Error::damaged(&path, format!("line {} {why}; plan again", first + i + 1)))?;
            plan.ids.push(id);
            let (setting, seed) = plan.setting(first + i);
            if seed == 0 {
                plan.costs[setting] = cost;
            }
        }
    }
    if plan.ids.len() < rows {
        return Err(Error::damaged(&path, format!("has {} of the {rows} cells that {SETTINGS} asks for; plan again", plan.ids.len())));
    }
    Ok(plan)
}

/// The next lines, at most [`LINES`] of them; none at the end.
fn some_lines(reader: &mut impl BufRead) -> std::io::Result<Vec<Vec<u8>>> {
    reader.split(b'\n').take(LINES).collect()
}

/// The cell of line `at`, counted from 0: its name and its cost.
fn cell(plan: &Plan, at: usize, text: &[u8]) -> Result<(Id, f64), String> {
    let line: Line = serde_json::from_slice(text).map_err(|e| format!("is no cell ({e})"))?;
    if at >= plan.rows() {
        return Err(format!("is one more than {SETTINGS} asks for"));
    }
    let row = plan.row(at);
    if (line.recipe.as_ref(), line.seed) != (plan.recipes[row.recipe].name.as_str(), row.seed.0) {
        return Err(format!("is recipe '{}' with seed {}, which is not what {SETTINGS} asks for", line.recipe.escape_debug(), line.seed));
    }
    let cost = (line.cost.is_finite() && line.cost >= 0.0).then_some(line.cost).ok_or("has no cost >= 0")?;
    Ok((line.id, cost))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let text = "alignment = [0.1, 0.25]\nsteps = [1, 2]\nvocab = 8\nseeds = 3\nrecipes = ['standard', 'a \"q\" é']\n[recipe.'a \"q\" é']\nlr = 2\n";
        Plan::new(&Settings::parse(text, Path::new("c.toml")).unwrap()).unwrap()
    }

    #[test]
    fn a_plan_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let plan = plan();
        write(&plan, folder.path()).unwrap();
        let again = read(folder.path()).unwrap();
        assert_eq!((&plan.ids, &plan.costs, &plan.seeds), (&again.ids, &again.costs, &again.seeds));
        let text = std::fs::read_to_string(folder.path().join(NAME)).unwrap();
        let line: serde_json::Value = serde_json::from_str(text.lines().nth(15).unwrap()).unwrap();
        assert_eq!(line["point"], serde_json::json!({"alignment": 0.25, "steps": 1}));
        assert_eq!((&line["recipe"], &line["seed"]), (&"a \"q\" é".into(), &0.into()));
        (0..again.settings()).for_each(|at| again.confirm(at, again.backend.engine()).unwrap());
    }

    #[test]
    fn damage_is_said_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        write(&plan(), folder.path()).unwrap();
        let path = folder.path().join(NAME);
        let whole = std::fs::read_to_string(&path).unwrap();
        let refused = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read(folder.path()).err().expect("it is refused").to_string()
        };
        assert!(refused(&whole[..whole.len() / 2]).contains("is no cell ("));
        assert!(refused("").contains("has 0 of the 24 cells"));
        assert!(refused(&(whole.clone() + whole.lines().next().unwrap())).contains("line 25 is one more"));
        assert!(refused(&whole.replacen("\"seed\":1", "\"seed\":7", 1)).contains("line 2 is recipe 'standard' with seed 7"));
        assert!(refused(&whole.replacen("\"cost\":", "\"cost\":-", 1)).contains("line 1 has no cost"));
        let first = &whole[..whole.find(',').unwrap()];
        let other = whole.replacen(first, "{\"id\":\"00000000000000000000000000000000\"", 1);
        std::fs::write(&path, other).unwrap();
        let changed = read(folder.path()).unwrap();
        assert!(changed.confirm(0, changed.backend.engine()).unwrap_err().to_string().contains("plan again"));
        changed.confirm(1, changed.backend.engine()).unwrap();
    }
}

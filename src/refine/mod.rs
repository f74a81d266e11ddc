//! `mta-sim sweep --refine`: cells are spent where the answer changes.
//!
//! # What is looked for
//!
//! For each recipe the alignment T at which its mean margin over seeds changes sign,
//!
//! ```text
//! margin(a) = E[gain of the recipe - keeps * gain of standard RL],   both on the same world and seed
//! ```
//! With `keeps` .5, the share that [`crate::report`] calls working, T is where the recipe begins to keep half of standard RL's gain; with 0, where it begins to
//! gain at all. A margin lies in [-(1 + keeps), 1 + keeps].
//!
//! # What is promised
//!
//! Alignments lie on a lattice of K points, half a `precision` apart. At each that is looked at, the margins of seeds first, first + 1, ... are a game of
//! [`mta_sims::betting`] against a mean of zero at error (1 - level) / K, which may be looked at after every seed. So the probability that *any* sign on the
//! lattice is ever named wrongly is at most 1 - level, whichever points the search chooses, in whatever order, although all of them share their seeds. An
//! answer is an interval of at most two `precision`s, between neighbours (of known sign) with different signs: margin(a) being continuous, a threshold lies
//! inside. Nothing is assumed about its shape: with several thresholds each has its row, and one between two alignments of equal sign is not claimed to be
//! absent. A recipe with no change of sign has no threshold, and the alignments whose sign is known are the evidence.
//!
//! # How it is found ([`search`])
//!
//! First at the ends of the range and three alignments between, by few seeds. Then, where the sign changes, the margin's root on the chord between the two
//! alignments that tell it best says which two alignments next to it have the cheapest signs; these get seeds until both are known, and so on inwards. The
//! estimates only choose where to look.
//!
//! # How it is run
//!
//! In rounds: each asks every search what it wants, adds these cells to the plan ([`crate::settings::RunKeys::seeds_of`]), runs the plan as any other
//! and tells the searches. What they want is a function of the margins, so that a run that was killed asks for the same cells again and finds them finished; the
//! folder is an ordinary run folder at any time.
//!
//! # What it saves
//!
//! Counted against the coarsest uniform grid over the range that has both ends of the interval on it, with the seeds that the sign of the dearer end took, at
//! every point, for a grid does not know beforehand which points are dear. Both sides count the cells of standard RL where margins need them. Cells that the
//! search ran beyond what a sign took, and those of points that turned out not to be needed, are counted against it.

mod answer;
mod counts;
pub mod search;

pub use answer::{Found, Grid};

use crate::error::Error;
use crate::grid;
use crate::plan::Plan;
use crate::report::{LEVEL, STANDARD};
use crate::settings::{Assignment, Settings};
use crate::shard::{self, Ran, Shard};
use crate::store::cells::Cells;
use crate::sweep::{self, Begun, Outcome};
use crate::tables::gain;
use counts::Counts;
use mta_sims::betting::Range;
use mta_sims::knob::Value;
use search::{Rules, Search};
use std::collections::HashMap;
use std::path::Path;

/// Most seeds of an alignment unless told otherwise.
pub const MOST_SEEDS: u64 = 50_000;

/// Half the width of an interval unless told otherwise.
pub const PRECISION: f64 = 0.01;

/// Steps of the lattice in an interval of two precisions.
const WIDTH: usize = 4;

/// Parts of the range that a precision may be, at least and at most.
const PARTS: (f64, f64) = (8.0, 2000.0);

/// What is looked for, and how finely.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Half the width of an interval.
    pub precision: f64,
    /// Share of standard RL's gain that a recipe must keep, in [0, 1].
    pub keeps: f64,
}

/// A refinement, ready to run.
pub struct Refinement {
    settings: Settings,
    asked: Asked,
    /// The grid of alignments as given.
    axis: Assignment,
    lattice: Vec<f64>,
    recipes: Vec<String>,
    rules: Rules,
}

impl Refinement {
    /// Checks what is asked for.
    ///
    /// # Errors
    /// When alignment has no range or another knob has a grid, the precision does not suit the range, or there is no recipe to refine.
    pub fn new(settings: &Settings, asked: Asked) -> Result<Self, Error> {
        let axis = axis(settings)?;
        let lattice = lattice(&axis, asked.precision)?;
        let recipes = recipes(settings, asked.keeps)?;
        let bound = 1.0 + asked.keeps;
        let rules = Rules {
            points: lattice.len(),
            width: WIDTH,
            most: settings.run.seeds.unwrap_or(MOST_SEEDS) as usize,
            range: Range { low: -bound, high: bound },
            alpha: (1.0 - LEVEL) / lattice.len() as f64,
        };
        let settings = settings.clone();
        Ok(Refinement { settings, asked, axis, lattice, recipes, rules })
    }

    /// The cells of the first look.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn first(&self) -> Result<Plan, Error> {
        let searches = self.searches();
        let mut counts = Counts::default();
        self.add(&self.wants(&searches), &mut counts);
        self.plan(&counts)
    }

    /// Searches until every threshold has its interval; what is finished in `folder` is not run again.
    ///
    /// # Errors
    /// As [`sweep::execute`], and when the plan becomes too large.
    pub fn run(&self, folder: &Path, threads: usize) -> Result<(Plan, Outcome, Vec<Found>), Error> {
        let begun = Begun::now();
        let _alone = sweep::hold(folder)?;
        let mut searches = self.searches();
        let mut counts = Counts::finished(folder, self.settings.run.seed.unwrap_or(0))?;
        let reused = Cells::open(folder)?.len();
        while self.round(&mut searches, &mut counts, folder, threads)? {}
        let plan = self.plan(&counts)?;
        finish(&plan, folder, threads)?;
        let outcome = sweep::collect(&plan, Cells::open(folder)?, folder, Ran { cells: plan.distinct().len(), reused }, threads, &begun)?;
        let found = self.recipes.iter().zip(&searches).flat_map(|(recipe, search)| self.found(recipe, search)).collect::<Vec<_>>();
        answer::write(&found, self.asked, folder)?;
        Ok((plan, outcome, found))
    }

    /// Runs what the searches want and tells them; whether they wanted anything.
    fn round(&self, searches: &mut [Search], counts: &mut Counts, folder: &Path, threads: usize) -> Result<bool, Error> {
        let wants = self.wants(searches);
        if wants.iter().all(Vec::is_empty) {
            return Ok(false);
        }
        self.add(&wants, counts);
        let plan = self.plan(counts)?;
        if !is_finished(&plan, folder)? {
            finish(&plan, folder, threads)?;
        }
        self.tell(&wants, searches, &plan, folder)?;
        Ok(true)
    }

    /// The answer on the terminal.
    pub fn answer(&self, found: &[Found]) -> String {
        answer::text(found, self.asked)
    }

    /// What is known beforehand, in words.
    pub fn describe(&self, plan: &Plan, time: &str) -> String {
        let (points, low, high) = (self.lattice.len(), self.lattice[0], self.lattice[self.lattice.len() - 1]);
        let (first, most, share) = (plan.rows(), self.rules.most, self.asked.keeps);
        format!(
            "Thresholds of {} between alignment {low} and {high}, on a lattice of {points}, at keeps = {share}\n\
             {first} cells of the first look, about {time} of one thread; how many follow depends on what they show, at most {most} seeds at an alignment\n",
            self.recipes.join(", ")
        )
    }

    fn searches(&self) -> Vec<Search> {
        self.recipes.iter().map(|_| Search::new(self.rules)).collect()
    }

    fn wants(&self, searches: &[Search]) -> Vec<Wants> {
        searches.iter().map(Search::wants).collect()
    }

    /// Recipes whose cells a margin of this one is made of.
    fn needed<'a>(&self, recipe: &'a str) -> impl Iterator<Item = &'a str> {
        std::iter::once(recipe).chain((self.asked.keeps > 0.0).then_some(STANDARD))
    }

    fn add(&self, wants: &[Wants], counts: &mut Counts) {
        for (recipe, wants) in self.recipes.iter().zip(wants) {
            for (point, seeds) in wants {
                self.needed(recipe).for_each(|recipe| counts.add(recipe, self.lattice[*point], *seeds));
            }
        }
    }

    /// The plan of these cells.
    fn plan(&self, counts: &Counts) -> Result<Plan, Error> {
        let mut settings = self.settings.clone();
        let values = counts.alignments().map(Value::Number).collect();
        settings.knobs.retain(|assignment| assignment.knob != self.axis.knob);
        settings.knobs.push(Assignment { values, ..self.axis.clone() });
        settings.run.recipes = counts.recipes().map(String::from).collect();
        settings.run.seeds = Some(counts.most() as u64);
        settings.run.seeds_of = counts.table();
        Plan::new(&settings)
    }

    /// Tells the searches the margins that they wanted.
    fn tell(&self, wants: &[Wants], searches: &mut [Search], plan: &Plan, folder: &Path) -> Result<(), Error> {
        let mut gains = Gains::of(plan, folder)?;
        for ((recipe, search), wants) in self.recipes.iter().zip(searches).zip(wants) {
            for (point, seeds) in wants {
                let mut margins = vec![0.0; seeds - search.seen(*point)];
                for (recipe, weight) in self.needed(recipe).zip([1.0, -self.asked.keeps]) {
                    let gains = gains.some(recipe, self.lattice[*point], search.seen(*point)..*seeds)?;
                    margins.iter_mut().zip(gains).for_each(|(margin, gain)| *margin += weight * gain);
                }
                search.tell(*point, &margins);
            }
        }
        Ok(())
    }
}

/// Alignments and the seeds they should have.
type Wants = Vec<(usize, usize)>;

/// Whether a plan has nothing left to run. Rounds of a search that was killed are not written again: the folder holds cells of later rounds.
fn is_finished(plan: &Plan, folder: &Path) -> Result<bool, Error> {
    let cells = Cells::open(folder)?;
    Ok(plan.ids.iter().all(|id| cells.contains(id)))
}

/// Writes a plan, and runs what is not finished of it.
fn finish(plan: &Plan, folder: &Path, threads: usize) -> Result<(), Error> {
    sweep::fill(plan, folder)?;
    shard::run(folder, Shard::WHOLE, plan, &Shard::WHOLE.rows(plan), plan.backend.engine(), threads).map(drop)
}

/// Gains of finished cells.
struct Gains<'p> {
    plan: &'p Plan,
    cells: Cells,
    settings: HashMap<(String, u64), usize>,
}

impl<'p> Gains<'p> {
    fn of(plan: &'p Plan, folder: &Path) -> Result<Self, Error> {
        let place = |setting: usize| {
            let alignment = counts::alignment(plan, setting / plan.recipes.len()).to_bits();
            ((plan.recipes[setting % plan.recipes.len()].name.clone(), alignment), setting)
        };
        Ok(Gains { plan, cells: Cells::open(folder)?, settings: (0..plan.settings()).map(place).collect() })
    }

    /// Gains of some seeds, by index.
    fn some(&mut self, recipe: &str, alignment: f64, seeds: std::ops::Range<usize>) -> Result<Vec<f64>, Error> {
        let rows = self.plan.rows_of(self.settings[&(recipe.to_string(), alignment.to_bits())]);
        let ids = &self.plan.ids[rows][seeds];
        let missing =
            || Error::Usage(format!("recipe {recipe} at alignment {alignment}: a cell has no gain, so that no threshold can be found"));
        ids.iter().map(|id| self.cells.curves(id)?.as_ref().and_then(gain).ok_or_else(missing)).collect()
    }
}

/// The grid of alignments.
fn axis(settings: &Settings) -> Result<Assignment, Error> {
    let axes = settings.axes();
    if let Some(other) = axes.iter().find(|axis| axis.knob != "alignment") {
        let what = format!("{} has {} values; only alignment may have a range", other.knob, other.values.len());
        return Err(Error::Usage(format!("--refine: {what}")));
    }
    axes.into_iter().next().ok_or_else(|| Error::Usage("--refine needs a range of alignments to search: --alignment 0..1".into()))
}

/// Alignments half a precision apart, from the smallest that was given to the largest.
fn lattice(axis: &Assignment, precision: f64) -> Result<Vec<f64>, Error> {
    let numbers = axis.values.iter().filter_map(|value| if let Value::Number(x) = value { Some(*x) } else { None });
    let (low, high) = numbers.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    let (finest, coarsest) = ((high - low) / PARTS.1, (high - low) / PARTS.0);
    if !(finest..=coarsest).contains(&precision) {
        let allowed = format!("must lie between {finest} and {coarsest} for alignments from {low} to {high}");
        return Err(Error::Usage(format!("--precision {precision}: {allowed}")));
    }
    let mut lattice = grid::parse("alignment", &format!("{low}..{high}:{},{high}", precision / 2.0))
        .map_err(|e| Error::Grid(e.into(), axis.origin.clone()))?;
    lattice.sort_by(f64::total_cmp);
    Ok(lattice)
}

/// The recipes to refine: all that are asked for, but standard RL where it is the measure.
fn recipes(settings: &Settings, keeps: f64) -> Result<Vec<String>, Error> {
    if !(0.0..=1.0).contains(&keeps) {
        return Err(Error::Usage(format!("--keeps {keeps}: must lie between 0 and 1")));
    }
    let mut names: Vec<String> = settings.recipes()?.into_iter().map(|ready| ready.name).collect();
    names.retain(|name| keeps == 0.0 || name != STANDARD);
    if names.is_empty() {
        return Err(Error::Usage("--refine: standard is the measure of the others; name another recipe, or ask for --keeps 0".into()));
    }
    Ok(names)
}

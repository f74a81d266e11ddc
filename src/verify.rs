//! Verdicts on the papers' claims: seeds are drawn until every margin is decided or the budget is spent.
//!
//! Looking after each batch and stopping when the answer is clear costs nothing here: the bounds of [`mta_sims::betting`] hold at every number of seeds
//! at once. All parts of all claims share the runs of a seed.

use crate::error::Error;
use crate::{progress, runner};
use indicatif::ProgressBar;
use mta_sims::cell::Cell;
use mta_sims::claims::verdict::together;
use mta_sims::claims::{Claim, Lab, Margin, Part, Rung, Source, Trial, Verdict};
use mta_sims::record::{Curves, metrics};
use mta_sims::stream::Seed;
use rayon::prelude::*;
use std::sync::{Arc, Mutex, PoisonError};

/// How many seeds a part may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Its name on the command line.
    pub name: &'static str,
    /// Numbers of seeds after which to look; the last is the budget.
    pub looks: &'static [u64],
}

/// The budgets there are.
pub const BUDGETS: [Budget; 2] =
    [Budget { name: "quick", looks: &[12, 24, 48, 96] }, Budget { name: "full", looks: &[12, 24, 48, 96, 192, 384, 768] }];

/// The budgets on transformers, where a seed costs minutes.
pub const LLM_BUDGETS: [Budget; 2] = [Budget { name: "quick", looks: &[3] }, Budget { name: "full", looks: &[3, 6, 12] }];

/// What to judge, and how surely.
pub struct Request {
    /// The claims.
    pub claims: Vec<&'static Claim>,
    /// The rungs.
    pub rungs: Vec<Rung>,
    /// When to stop drawing seeds.
    pub budget: Budget,
    /// Whether counterexamples are judged too.
    pub counterexamples: bool,
    /// Largest probability of a wrong "holds", and of a wrong "fails", of each verdict.
    pub alpha: f64,
    /// The first seed.
    pub first_seed: u64,
}

/// A claim on one rung, judged.
pub struct Judged {
    /// The claim.
    pub claim: &'static Claim,
    /// How it was judged.
    pub trial: &'static Trial,
    /// What came out.
    pub ruling: Ruling,
    /// What came out with one assumption dropped; none where that was not asked for.
    pub counterexample: Option<Ruling>,
}

/// What came out of a list of parts.
pub struct Ruling {
    /// The verdict of all parts together.
    pub verdict: Verdict,
    /// Each part's place and margin.
    pub margins: Vec<(String, Margin)>,
    /// Index of the part with the smallest margin.
    pub worst: usize,
    /// Most seeds any part took; none where nothing is random.
    pub seeds: usize,
    /// Margins measured, over parts and seeds.
    pub worlds: usize,
}

impl Judged {
    /// Whether the claim turned out as expected and its counterexample fails; undecided contradicts nothing.
    pub fn is_expected(&self) -> bool {
        let reverse = if self.trial.expected == Verdict::Holds { Verdict::Fails } else { Verdict::Holds };
        self.ruling.verdict != reverse && self.counterexample.as_ref().is_none_or(|c| c.verdict != Verdict::Holds)
    }
}

/// Judges all that is asked for by theory and simulation, on `threads` threads (0: all).
///
/// # Errors
/// When there cannot be so many threads.
pub fn judge(request: &Request, threads: usize) -> Result<Vec<Judged>, Error> {
    let simulated = |rung: &Rung| *rung != Rung::Llm;
    runner::pool(threads)?.install(|| judge_in(request, simulated, &mut Simulated))
}

/// Judges all that is asked for on `rungs` in labs of one's own, on this thread's pool.
///
/// # Errors
/// When a lab cannot be prepared.
pub fn judge_in(request: &Request, rungs: impl Fn(&Rung) -> bool, labs: &mut dyn Labs) -> Result<Vec<Judged>, Error> {
    let (trials, mut cases) = opened(request, rungs);
    decide(&mut cases, request, labs)?;
    let mut rulings = cases.into_iter().map(Case::ruling);
    let mut next = || rulings.next().expect("every list of parts has its ruling");
    let mut judged = |(claim, trial)| Judged { claim, trial, ruling: next(), counterexample: request.counterexamples.then(&mut next) };
    Ok(trials.into_iter().map(&mut judged).collect())
}

/// Trials, and their cases: for each its parts, then those of its counterexample where that is asked for.
fn opened(request: &Request, rungs: impl Fn(&Rung) -> bool) -> (Vec<(&'static Claim, &'static Trial)>, Vec<Case>) {
    let trials: Vec<_> = trials(request).into_iter().filter(|(_, t)| rungs(&t.rung)).collect();
    let cases = trials.iter().flat_map(|(_, trial)| request.parts(trial)).map(Case::new).collect();
    (trials, cases)
}

impl Request {
    /// What is judged of a trial: its parts, and those of its counterexample.
    fn parts(&self, trial: &Trial) -> impl Iterator<Item = Vec<Part>> {
        let counterexample = self.counterexamples.then_some(trial.counterexample);
        std::iter::once(trial.parts).chain(counterexample).map(|parts| parts())
    }
}

/// Where margins are measured.
pub trait Labs: Sync {
    /// Told before each look, with the cells that its margins will ask for.
    ///
    /// # Errors
    /// When they cannot be run.
    fn prepare(&mut self, cells: &dyn Fn() -> Vec<Cell>) -> Result<(), Error>;

    /// The lab of a seed.
    fn lab(&self, seed: Seed) -> Lab;
}

/// Labs that simulate what they are asked.
struct Simulated;

impl Labs for Simulated {
    fn prepare(&mut self, _: &dyn Fn() -> Vec<Cell>) -> Result<(), Error> {
        Ok(())
    }

    fn lab(&self, seed: Seed) -> Lab {
        Lab::new(seed)
    }
}

/// A part: index of its case, and inside that.
type Place = (usize, usize);

/// Every cell that `places` ask for on `seeds`, each once: what they ask of a lab that only takes notes.
fn wanted(cases: &[Case], places: &[Place], seeds: std::ops::Range<u64>) -> Vec<Cell> {
    let notes: Arc<Mutex<Vec<Cell>>> = Arc::default();
    for seed in seeds {
        let taken = Arc::clone(&notes);
        let lab = Lab::with(Seed(seed), Arc::new(move |cell: &Cell| note(&taken, cell)));
        for (case, part) in places {
            cases[*case].measure(*part, &lab);
        }
    }
    let mut all = notes.lock().unwrap_or_else(PoisonError::into_inner).clone();
    all.sort_by_cached_key(Cell::id);
    all.dedup_by_key(|cell| cell.id());
    all
}

/// Writes a cell down, and gives curves that say nothing.
fn note(notes: &Mutex<Vec<Cell>>, cell: &Cell) -> Curves {
    notes.lock().unwrap_or_else(PoisonError::into_inner).push(cell.clone());
    Curves { alignment: 0.0, chosen: Vec::new(), steps: vec![0, 1], values: vec![vec![Some(0.5); 2]; metrics().len()] }
}

/// The ruling on `parts` alone, by simulation on this thread's pool.
pub fn rule(parts: Vec<Part>, budget: Budget, alpha: f64, first_seed: u64) -> Ruling {
    let mut cases = [Case::new(parts)];
    let request = Request { claims: Vec::new(), rungs: Vec::new(), budget, counterexamples: true, alpha, first_seed };
    decide(&mut cases, &request, &mut Simulated).expect("simulated labs need no preparation");
    let [case] = cases;
    case.ruling()
}

fn trials(request: &Request) -> Vec<(&'static Claim, &'static Trial)> {
    let of = |claim: &&'static Claim| claim.trials.iter().map(|t| (*claim, t)).collect::<Vec<_>>();
    request.claims.iter().flat_map(of).filter(|(_, t)| request.rungs.contains(&t.rung)).collect()
}

/// A list of parts on its way to a verdict.
struct Case {
    parts: Vec<Part>,
    values: Vec<Vec<f64>>,
    margins: Vec<Margin>,
}

impl Case {
    fn new(parts: Vec<Part>) -> Self {
        let unknown = Margin { value: f64::NAN, low: f64::NEG_INFINITY, high: f64::INFINITY };
        let known = |part: &Part| if let Source::Exact(margin) = part.margin { Margin::exact(margin) } else { unknown };
        Case { values: vec![Vec::new(); parts.len()], margins: parts.iter().map(known).collect(), parts }
    }

    fn verdict(&self) -> Verdict {
        together(&self.margins)
    }

    /// Parts that more seeds could decide; none once the verdict is known.
    fn open(&self) -> impl Iterator<Item = usize> {
        let open = self.verdict() == Verdict::Undecided;
        let undecided = move |i: &usize| {
            open && self.margins[*i].verdict() == Verdict::Undecided && matches!(self.parts[*i].margin, Source::PerSeed(..))
        };
        (0..self.parts.len()).filter(undecided)
    }

    fn measure(&self, part: usize, lab: &Lab) -> f64 {
        match &self.parts[part].margin {
            Source::Exact(margin) => *margin,
            Source::PerSeed(_, margin) => margin(lab),
        }
    }

    fn learn(&mut self, part: usize, values: impl Iterator<Item = f64>, alpha: f64) {
        self.values[part].extend(values);
        if let Source::PerSeed(range, _) = self.parts[part].margin {
            self.margins[part] = Margin::of(&self.values[part], range, alpha, self.parts.len());
        }
    }

    fn ruling(self) -> Ruling {
        let verdict = self.verdict();
        let smallest = self.margins.iter().enumerate().min_by(|a, b| a.1.value.total_cmp(&b.1.value));
        Ruling {
            verdict,
            worst: smallest.map_or(0, |(i, _)| i),
            seeds: self.values.iter().map(Vec::len).max().unwrap_or(0),
            worlds: self.values.iter().map(|v| v.len().max(1)).sum(),
            margins: self.parts.into_iter().map(|p| p.place).zip(self.margins).collect(),
        }
    }
}

/// Draws seeds, look by look, for the parts that are still open.
fn decide(cases: &mut [Case], request: &Request, labs: &mut dyn Labs) -> Result<(), Error> {
    let bar = progress::bar(0, "{pos}/{len} seeds  {msg}");
    let mut done = 0;
    for &look in request.budget.looks {
        let (open, seeds) = (all_open(cases), request.first_seed + done..request.first_seed + look);
        if open.is_empty() {
            break;
        }
        labs.prepare(&|| wanted(cases, &open, seeds.clone()))?;
        bar.set_length(look);
        bar.set_message(format!("{} margins open", open.len()));
        let values = measure(cases, &open, seeds.clone(), labs, &bar);
        for (i, &(case, part)) in open.iter().enumerate() {
            cases[case].learn(part, values.iter().map(|row| row[i]), request.alpha);
        }
        done = look;
    }
    bar.finish_and_clear();
    Ok(())
}

/// The parts that more seeds could decide.
fn all_open(cases: &[Case]) -> Vec<Place> {
    cases.iter().enumerate().flat_map(|(c, case)| case.open().map(move |part| (c, part))).collect()
}

/// One row per seed, one column per open part; each seed in a lab of its own.
fn measure(cases: &[Case], open: &[Place], seeds: std::ops::Range<u64>, labs: &dyn Labs, bar: &ProgressBar) -> Vec<Vec<f64>> {
    let row = |seed: u64| {
        let lab = labs.lab(Seed(seed));
        let row = open.iter().map(|(case, part)| cases[*case].measure(*part, &lab)).collect();
        bar.inc(1);
        row
    };
    seeds.into_par_iter().map(row).collect()
}

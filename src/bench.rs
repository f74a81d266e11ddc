//! How fast each engine is on fixed workloads, beside what this machine can do at most, all measured in the same minutes.

use crate::engine::Backend;
use crate::error::Error;
use crate::gpu;
use mta_sims::batch::Options;
use mta_sims::batch::ceiling::Ceilings;
use mta_sims::batch::lanes::Vectors;
use mta_sims::registry::Named;
use mta_sims::statistics::{mean, quantile, standard_error};
use mta_sims::workloads::{Fleet, Work, Workload, batched, reference};
use serde::Serialize;
use std::fmt::Write as _;
use std::time::Instant;

impl Backend {
    /// Replicas of `asked` it is given; few of them tell the speed of a slow one.
    fn share(self, asked: usize) -> usize {
        match self {
            Backend::Reference => asked.div_ceil(100),
            Backend::Cpu | Backend::Cuda => asked,
        }
    }

    /// Whether it runs a fleet: the kernel does not run all.
    fn runs(self, fleet: &Fleet) -> bool {
        self != Backend::Cuda || gpu::supports(&fleet.recipe).is_ok()
    }

    /// Runs a fleet; success at the end, by replica.
    fn run(self, fleet: &Fleet) -> Result<Vec<f64>, Error> {
        match self {
            Backend::Reference => Ok(reference(&fleet.replicas())),
            Backend::Cpu => Ok(batched(&fleet.replicas(), Options::default())),
            Backend::Cuda => gpu::success(&fleet.replicas()),
        }
    }
}

/// What is timed.
pub struct Request {
    /// The workloads.
    pub workloads: Vec<&'static Workload>,
    /// The engines.
    pub backends: Vec<Backend>,
    /// Replicas, instead of the workload's own number.
    pub replicas: Option<usize>,
    /// Timed runs of each, after one that is not timed; they alternate.
    pub repeats: usize,
}

/// The answer.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Threads used.
    pub threads: usize,
    /// What the machine can do at most.
    pub ceilings: Rates,
    /// One for every workload and engine.
    pub runs: Vec<Run>,
}

/// Things done per second.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Rates {
    /// Fused multiply-adds; empty for engines, which do not count them.
    pub fma: Option<f64>,
    /// Exponentials.
    pub exp: f64,
    /// Random words.
    pub words: f64,
    /// Bytes of memory; empty for engines, whose state stays in the caches.
    pub bytes: Option<f64>,
}

/// One engine on one workload.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Name of the workload.
    pub workload: &'static str,
    /// Name of the engine.
    pub backend: &'static str,
    /// Replicas.
    pub replicas: usize,
    /// Steps of each.
    pub steps: usize,
    /// Median of the times, in seconds.
    pub seconds: f64,
    /// All times.
    pub seconds_all: Vec<f64>,
    /// Replicas times steps, per second.
    pub replica_steps_per_s: f64,
    /// Tokens sampled per second.
    pub samples_per_s: f64,
    /// Logits brought up to date per second.
    pub updates_per_s: f64,
    /// Operations counted, per second.
    pub rates: Rates,
    /// The larger share that these operations have of the machine's own rate.
    pub share_of_ceiling: f64,
    /// Mean success after the last update.
    pub final_success_mean: Option<f64>,
    /// Its standard error.
    pub final_success_se: Option<f64>,
}

/// Times everything that is asked for, on the threads of the current pool.
///
/// # Errors
/// When a device fails.
pub fn measure(request: &Request) -> Result<Report, Error> {
    let ceilings = Ceilings::measure(Vectors::default());
    let runs: Vec<Vec<Run>> = request.workloads.iter().map(|workload| time(workload, request, &ceilings)).collect::<Result<_, _>>()?;
    let runs = runs.into_iter().flatten().collect();
    let ceilings = Rates { fma: Some(ceilings.fma), exp: ceilings.exp, words: ceilings.words, bytes: Some(ceilings.bytes) };
    Ok(Report { threads: rayon::current_num_threads(), ceilings, runs })
}

/// Alternating runs of all engines on one workload.
fn time(workload: &Workload, request: &Request, ceilings: &Ceilings) -> Result<Vec<Run>, Error> {
    let asked = request.replicas.unwrap_or(workload.replicas);
    let fleets = request.backends.iter().map(|b| (*b, workload.fleet(b.share(asked))));
    let fleets: Vec<(Backend, Fleet)> = fleets.filter(|(b, fleet)| b.runs(fleet)).collect();
    let mut times = vec![Vec::new(); fleets.len()];
    let mut success = vec![Vec::new(); fleets.len()];
    for repeat in 0..=request.repeats {
        for (i, (backend, fleet)) in fleets.iter().enumerate() {
            let clock = Instant::now();
            success[i] = backend.run(fleet)?;
            if repeat > 0 {
                times[i].push(clock.elapsed().as_secs_f64());
            }
        }
    }
    let timed = fleets.iter().zip(times.into_iter().zip(&success));
    Ok(timed.map(|((backend, fleet), (times, success))| Run::new(workload, *backend, fleet, times, success, ceilings)).collect())
}

impl Run {
    fn new(workload: &Workload, backend: Backend, fleet: &Fleet, times: Vec<f64>, success: &[f64], ceilings: &Ceilings) -> Self {
        let (seconds, steps, work) = (quantile(&times, 0.5).unwrap_or(f64::NAN), fleet.recipe.config.train.steps, Work::of(&fleet.recipe));
        let done = (success.len() * steps) as f64 / seconds;
        let rates = Rates { exp: done * work.exps, words: done * work.words, ..Rates::default() };
        Run {
            workload: workload.name(),
            backend: backend.name(),
            replicas: success.len(),
            steps,
            seconds,
            seconds_all: times,
            replica_steps_per_s: done,
            samples_per_s: done * work.samples,
            updates_per_s: done * work.updates,
            rates,
            share_of_ceiling: (rates.exp / ceilings.exp).max(rates.words / ceilings.words),
            final_success_mean: mean(success),
            final_success_se: standard_error(success),
        }
    }
}

/// The report as a table.
pub fn table(report: &Report) -> String {
    let c = &report.ceilings;
    let mut text = format!(
        "{} threads; at most {} multiply-adds, {} exponentials, {} random words and {} bytes a second\n\n",
        report.threads,
        short(c.fma.unwrap_or(f64::NAN)),
        short(c.exp),
        short(c.words),
        short(c.bytes.unwrap_or(f64::NAN))
    );
    let _ = writeln!(
        text,
        "{:10}{:10}{:>10}{:>9}{:>12}{:>10}{:>10}{:>9}  success",
        "workload", "engine", "replicas", "seconds", "ns a step", "samples/s", "updates/s", "ceiling"
    );
    for run in &report.runs {
        let _ = writeln!(
            text,
            "{:10}{:10}{:>10}{:>9.3}{:>12.1}{:>10}{:>10}{:>8.0}%  {:.4} ± {:.4}",
            run.workload,
            run.backend,
            run.replicas,
            run.seconds,
            1e9 / run.replica_steps_per_s,
            short(run.samples_per_s),
            short(run.updates_per_s),
            100.0 * run.share_of_ceiling,
            run.final_success_mean.unwrap_or(f64::NAN),
            1.96 * run.final_success_se.unwrap_or(f64::NAN)
        );
    }
    text
}

/// A large number in three digits: 1.23G.
fn short(x: f64) -> String {
    let (scaled, unit) = match x {
        x if x >= 1e12 => (x / 1e12, "T"),
        x if x >= 1e9 => (x / 1e9, "G"),
        x if x >= 1e6 => (x / 1e6, "M"),
        x if x >= 1e3 => (x / 1e3, "k"),
        x => (x, ""),
    };
    let decimals = if scaled >= 100.0 {
        0
    } else if scaled >= 10.0 {
        1
    } else {
        2
    };
    format!("{scaled:.decimals$}{unit}")
}

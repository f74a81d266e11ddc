//! Speed of the batched engine on the fixed workloads: `fleet [workload] [replicas] [repeats]` prints nanoseconds of processor time of one thread per replica and
//! step, and the mean success after the last update with its standard error. `fleet workload replicas repeats cuda`, built with the feature `cuda`, does so on the first GPU, and the time is that on
//! the clock: tables made, copied and read back included.

use mta_sims::batch::{Options, Replica};
use mta_sims::registry::find;
use mta_sims::statistics::{mean, standard_error};
use mta_sims::workloads::{WORKLOADS, batched};
use std::time::Instant;

/// Processor time of all threads so far, in nanoseconds, as Linux counts it.
fn processor_time() -> Result<f64, Box<dyn std::error::Error>> {
    let mut total = 0.0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        total += text.split(' ').next().unwrap_or_default().parse::<f64>()?;
    }
    Ok(total)
}

/// Runs a fleet; success at the end, by replica.
type Engine = Box<dyn Fn(&[Replica]) -> Result<Vec<f64>, Box<dyn std::error::Error>>>;

#[cfg(feature = "cuda")]
fn device() -> Result<Engine, Box<dyn std::error::Error>> {
    let device = mta_sims::batch::cuda::Device::open()?;
    println!("{}", device.name()?);
    Ok(Box::new(move |fleet| Ok(device.last_success(fleet)?)))
}

#[cfg(not(feature = "cuda"))]
fn device() -> Result<Engine, Box<dyn std::error::Error>> {
    Err("build this example with --features cuda".into())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let workload = find("workload", WORKLOADS, arguments.first().map_or("w1", String::as_str))?;
    let replicas = arguments.get(1).map_or(Ok(workload.replicas), |n| n.parse())?;
    let repeats = arguments.get(2).map_or(Ok(5), |n| n.parse())?;
    let on_gpu = arguments.get(3).is_some_and(|engine| engine == "cuda");
    let engine = if on_gpu { device()? } else { Box::new(|fleet: &[Replica]| Ok(batched(fleet, Options::default()))) };
    let fleet = workload.fleet(replicas);
    let all = fleet.replicas();
    for _ in 0..repeats {
        let (start, clock) = (processor_time()?, Instant::now());
        let success = engine(&all)?;
        let elapsed = if on_gpu { clock.elapsed().as_secs_f64() * 1e9 } else { processor_time()? - start };
        let ns = elapsed / (replicas * fleet.recipe.config.train.steps) as f64;
        let [mean, error] = [mean(&success), standard_error(&success)].map(|x| x.unwrap_or(f64::NAN));
        println!("{ns:.2} ns per replica-step; success {mean:.4} +- {error:.4}");
    }
    Ok(())
}

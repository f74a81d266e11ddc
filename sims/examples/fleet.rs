//! Speed of the batched engine on the fixed workloads: `fleet [workload] [replicas] [repeats]` prints nanoseconds of processor time of one thread per replica and
//! step, and the mean success it measured.

use mta_sims::batch::{Options, follow};
use mta_sims::registry::find;
use mta_sims::workloads::WORKLOADS;

/// Processor time of all threads so far, in nanoseconds, as Linux counts it.
fn processor_time() -> Result<f64, Box<dyn std::error::Error>> {
    let mut total = 0.0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        total += text.split(' ').next().unwrap_or_default().parse::<f64>()?;
    }
    Ok(total)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let workload = find("workload", WORKLOADS, arguments.first().map_or("w1", String::as_str))?;
    let replicas = arguments.get(1).map_or(Ok(workload.replicas), |n| n.parse())?;
    let repeats = arguments.get(2).map_or(Ok(5), |n| n.parse())?;
    let fleet = workload.fleet(replicas);
    let all = fleet.replicas();
    for _ in 0..repeats {
        let start = processor_time()?;
        let trail = follow(&all, Options::default());
        let ns = (processor_time()? - start) / (replicas * fleet.recipe.config.train.steps) as f64;
        let success = trail.success.iter().sum::<f64>() / replicas as f64;
        println!("{ns:.2} ns per replica-step; success {:.4} -> {success:.4}, entropy {:.4}", trail.steps[0][0], trail.entropy);
    }
    Ok(())
}

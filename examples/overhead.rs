//! What a shard adds to a cell: microseconds per cell of the simulation alone, and of `sweep run` on one thread.
//!
//! ```console
//! $ cargo run --release --example overhead -- 50000
//! ```

use mta_sim::engine::Reference;
use mta_sim::plan::Plan;
use mta_sim::runner::Work;
use mta_sim::settings::Settings;
use mta_sim::shard::{self, Shard};
use mta_sim::store::planned;
use std::path::Path;
use std::time::Instant;

/// About the least that a cell can be.
const TINY: &str =
    "vocab = 3\ngood_tokens = 1\nprompts = 1\nheld_out = 1\nsteps = 1\ntrain_batch_size = 1\ngroup_size = 2\nrecipes = ['standard']\n";

fn main() -> Result<(), mta_sim::error::Error> {
    let cells = std::env::args().nth(1).and_then(|n| n.parse::<usize>().ok()).unwrap_or(20_000);
    let plan = Plan::new(&Settings::parse(&format!("{TINY}backend = 'reference'\nseeds = {cells}\n"), Path::new("tiny"))?)?;
    let per_cell = |clock: Instant| clock.elapsed().as_secs_f64() * 1e6 / cells as f64;
    let clock = Instant::now();
    let sum: f64 = (0..cells).map(|row| plan.cell(row).run().map_or(0.0, |curves| curves.alignment)).sum();
    let alone = per_cell(clock);
    let folder = std::env::temp_dir().join(format!("mta-sim-overhead-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the folder for temporary files can be written to");
    planned::write(&plan, &folder)?;
    let clock = Instant::now();
    shard::run(&folder, Shard::WHOLE, &plan, &Shard::WHOLE.rows(&plan), &Reference, 1)?;
    let sharded = per_cell(clock);
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
    println!(
        "{cells} cells (alignment {}): {alone:.1} us alone, {sharded:.1} us in a shard, overhead {:.1} us",
        sum / cells as f64,
        sharded - alone
    );
    Ok(())
}

//! Launches: a fleet's run on whatever runs the kernel.

use super::carry::Inputs;
use super::tables::{Place, Plan, Wanted, layout};
use super::{LAUNCH, PARTS, carry};
use crate::batch::block::Replica;
use crate::batch::fleet::{Observed, Trail};
use std::ops::Range;

/// What runs kernels.
pub(super) trait Machine {
    /// Why it could not.
    type Failure;
    /// The tables of a fleet.
    type Memory;

    /// Whether kernels are compiled for one fleet, so that small tables may lie nearer than in memory.
    fn puts(&self) -> bool;

    /// Tables with these inputs, and zeros in all other rows.
    fn load(&self, plan: &Plan, inputs: &Inputs, replicas: usize) -> Result<Self::Memory, Self::Failure>;

    /// Runs some steps.
    fn launch(&self, plan: &Plan, memory: &mut Self::Memory, steps: Range<usize>) -> Result<(), Self::Failure>;

    /// Sums over replicas of some rows of numbers, each in [`PARTS`] parts.
    fn sums(&self, plan: &Plan, memory: &Self::Memory, rows: Range<usize>) -> Result<Vec<f64>, Self::Failure>;

    /// Some rows.
    fn read(&self, memory: &Self::Memory, rows: Range<usize>) -> Result<Vec<u32>, Self::Failure>;
}

/// The steps of a run, launch by launch; one launch where there are none, for what is seen of the base model.
fn launches(plan: &Plan) -> impl Iterator<Item = Range<usize>> {
    let steps = plan.constant("STEPS") as usize;
    (0..steps.max(1)).step_by(LAUNCH).map(move |first| first..steps.min(first + LAUNCH))
}

/// Runs replicas and gives what is seen of each, in their order; with the demands of [`super::watch`].
pub(super) fn watch<M: Machine>(machine: &M, replicas: &[Replica]) -> Result<Vec<Observed>, M::Failure> {
    let plan = Plan::new(replicas, Wanted::Curves, machine.puts());
    let memory = run(machine, &plan, replicas)?;
    Ok(carry::observed(&plan, &machine.read(&memory, plan.wanted())?, replicas))
}

/// Runs replicas and gives of each its chance of a right response after evaluated steps; with the demands of [`super::super::success`].
pub(super) fn success<M: Machine>(machine: &M, replicas: &[Replica]) -> Result<Vec<Vec<f64>>, M::Failure> {
    let plan = Plan::new(replicas, Wanted::Success, machine.puts());
    let memory = run(machine, &plan, replicas)?;
    Ok(carry::trails(&machine.read(&memory, plan.rows("looks"))?, replicas.len()))
}

/// All steps of a run.
pub(super) fn run<M: Machine>(machine: &M, plan: &Plan, replicas: &[Replica]) -> Result<M::Memory, M::Failure> {
    assert!(
        plan.constant("LISTS") == 0 || plan.constant("KEEPS_SUCCESS") == 1,
        "worlds whose right responses are listed show their success only, and only without shared skill"
    );
    let mut memory = machine.load(plan, &Inputs::of(plan, replicas), replicas.len())?;
    for steps in launches(plan) {
        machine.launch(plan, &mut memory, steps)?;
    }
    Ok(memory)
}

/// Runs replicas, at most `room` at a time, without looking at single ones until the end.
pub(super) fn follow<M: Machine>(machine: &M, replicas: &[Replica], room: usize) -> Result<Trail, M::Failure> {
    assert!(replicas.iter().all(|replica| replica.recipe.config.world.depth == 1), "trees are watched, not followed");
    let share = 1.0 / replicas.len() as f64;
    let mut trail = Trail { steps: vec![[0.0; 2]; replicas[0].recipe.config.train.steps], ..Trail::default() };
    for some in replicas.chunks(room) {
        let plan = Plan::new(some, Wanted::Trail, machine.puts());
        let mut memory = machine.load(&plan, &Inputs::of(&plan, some), some.len())?;
        for steps in launches(&plan).filter(|steps| !steps.is_empty()) {
            machine.launch(&plan, &mut memory, steps.clone())?;
            let start = plan.rows("trail").start;
            let parts = machine.sums(&plan, &memory, start..start + 2 * steps.len())?;
            let sums: Vec<f64> = parts.chunks(PARTS).map(|parts| parts.iter().sum()).collect();
            let means = trail.steps[steps].iter_mut().zip(sums.chunks(2));
            means.for_each(|(mean, sum)| *mean = [mean[0] + sum[0] * share, mean[1] + sum[1] * share]);
        }
        let last = carry::measured(&machine.read(&memory, plan.rows("last"))?, some.len());
        trail.success.extend(last.iter().map(|m| m.pass_at[0]));
        trail.entropy += last.iter().map(|m| m.entropy * share).sum::<f64>();
    }
    Ok(trail)
}

impl Plan {
    /// The rows of a table in memory among those of all.
    pub(super) fn rows(&self, name: &str) -> Range<usize> {
        let place = self.tables.iter().position(|table| table.name == name).expect("tables are asked for by their names");
        layout(&self.tables)[place].clone()
    }

    /// Rows of all tables in memory.
    pub(super) fn height(&self) -> usize {
        layout(&self.tables).last().map_or(0, |rows| rows.end)
    }

    /// Rows of all tables in shared memory.
    pub(super) fn shared(&self) -> usize {
        self.tables.iter().filter(|table| table.place == Place::Shared).map(|table| table.rows).sum()
    }

    /// The rows that are wanted in the end.
    pub(super) fn wanted(&self) -> Range<usize> {
        self.rows("skill").start..self.rows("last").end
    }

    /// The value of a constant.
    pub(super) fn constant(&self, name: &str) -> u32 {
        self.constants.iter().find(|(other, _)| other == name).expect("constants are asked for by their names").1
    }
}

//! Slurm: an array of shards, and a job that gathers them.
//!
//! The scripts stand in the run folder and speak of it as `.`, so that they can be read, changed and submitted by hand:
//! `cd DIR && sbatch submit.sbatch`. A task that was stopped exits with 75 and puts itself back into the queue; one that was killed can be put back by
//! `scontrol requeue`. Either goes on where it was.

use crate::error::Error;
use crate::estimate;
use crate::plan::Plan;
use crate::stop::TRY_AGAIN;
use crate::store::write_whole;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// What is asked of Slurm, under submitit's names.
#[derive(Clone, Debug)]
pub struct Slurm {
    /// Tasks of the array.
    pub shards: usize,
    /// Processors of a task.
    pub cpus_per_task: usize,
    /// Tasks that may run at once; all where none is said.
    pub array_parallelism: Option<usize>,
    /// How often a task may put itself back into the queue.
    pub max_num_timeout: usize,
    /// Seconds before the time limit at which a task is told to stop.
    pub signal_delay_s: usize,
    /// Further options of sbatch, with their values.
    pub options: Vec<(&'static str, String)>,
}

/// Options that are handed to sbatch as they are: name, value, meaning.
pub const OPTIONS: &[(&str, &str, &str)] = &[
    ("time", "TIME", "Time limit of a task, as sbatch has it: minutes, or HH:MM:SS [default: the partition's]"),
    ("mem", "SIZE", "Memory of a task, as sbatch has it [default: the cluster's]"),
    ("partition", "NAME", "Partition [default: the cluster's]"),
    ("account", "NAME", "Account to charge"),
    ("qos", "NAME", "Quality of service"),
    ("constraint", "LIST", "Features that nodes must have"),
];

/// Name of the array's script in a run folder.
const ARRAY: &str = "submit.sbatch";

/// Name of the gathering job's.
const GATHER: &str = "gather.sbatch";

/// Folder of what the jobs print.
const LOGS: &str = "slurm";

/// Work that a task should have at least, in seconds: scheduling costs about one.
const WORTH_A_TASK: f64 = 60.0;

/// Most tasks unless told otherwise: an array may have 1001 on a cluster that says nothing about it (`MaxArraySize`).
const MOST_TASKS: usize = 1000;

/// Shards of a plan unless told otherwise: a minute of work for each at least, and no more than there are cells.
pub fn shards(plan: &Plan, cpus_per_task: usize) -> usize {
    let worth = estimate::total(plan) / cpus_per_task as f64 / WORTH_A_TASK;
    (worth.ceil() as usize).clamp(1, MOST_TASKS.min(plan.rows()))
}

/// A word that a shell takes as it stands.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

impl Slurm {
    /// The script of the array; `program` is what it runs.
    pub fn array(&self, program: &str) -> String {
        let Slurm { shards, cpus_per_task, max_num_timeout, .. } = self;
        let parallelism = self.array_parallelism.map_or(String::new(), |n| format!("%{n}"));
        let mut text = format!("#!/bin/bash\n# {shards} shards of the plan beside this file.\n");
        let mut option = |name: &str, value: &str| {
            let _ = writeln!(text, "#SBATCH --{name}={value}");
        };
        option("job-name", "mta-sim");
        option("array", &format!("1-{shards}{parallelism}"));
        option("cpus-per-task", &cpus_per_task.to_string());
        self.options.iter().for_each(|(name, value)| option(name, value));
        option("signal", &format!("USR1@{}", self.signal_delay_s));
        option("output", &format!("{LOGS}/%A_%a.out"));
        option("open-mode", "append");
        let program = quoted(program);
        text += &format!(
            "#SBATCH --requeue\n\n\
             srun --ntasks=1 --cpus-per-task={cpus_per_task} \\\n  \
             {program} sweep run . --shard \"$SLURM_ARRAY_TASK_ID/{shards}\" --threads {cpus_per_task}\n\
             code=$?\n\n\
             # {TRY_AGAIN}: stopped before the end, by a time limit or somebody who wants the node. Back into the queue, and on from there.\n\
             if [ \"$code\" -eq {TRY_AGAIN} ] && [ \"${{SLURM_RESTART_COUNT:-0}}\" -lt {max_num_timeout} ]; then\n  \
             scontrol requeue \"$SLURM_JOB_ID\"\n\
             fi\n\
             exit \"$code\"\n"
        );
        text
    }

    /// The script of the job that gathers.
    pub fn gather(&self, program: &str) -> String {
        let passed = self.options.iter().map(|(name, value)| format!("#SBATCH --{name}={value}\n")).collect::<String>();
        format!(
            "#!/bin/bash\n# Merges the shards once all of them have ended.\n#SBATCH --job-name=mta-sim-gather\n{passed}#SBATCH --output={LOGS}/gather_%j.out\n\n\
             {} sweep gather .\n",
            quoted(program)
        )
    }

    /// Both scripts, and the commands that submit them.
    pub fn describe(&self, program: &str, folder: &Path) -> String {
        format!(
            "# {}\n{}\n# {}\n{}\n# submitted by\ncd {}\nsbatch {ARRAY}\nsbatch --dependency=afterany:<its number> {GATHER}\n",
            folder.join(ARRAY).display(),
            self.array(program),
            folder.join(GATHER).display(),
            self.gather(program),
            quoted(&folder.display().to_string()),
        )
    }

    /// Writes the scripts into `folder` and submits them; gives the numbers of the array and of the job that gathers.
    ///
    /// # Errors
    /// When they cannot be written, or sbatch cannot be started or refuses.
    pub fn submit(&self, program: &str, folder: &Path) -> Result<(String, String), Error> {
        let logs = folder.join(LOGS);
        std::fs::create_dir_all(&logs).map_err(Error::file(&logs, "is no folder to write to"))?;
        write_whole(&folder.join(ARRAY), self.array(program).as_bytes())?;
        write_whole(&folder.join(GATHER), self.gather(program).as_bytes())?;
        let array = sbatch(folder, &[ARRAY])?;
        let gather = sbatch(folder, &[&format!("--dependency=afterany:{array}"), GATHER])?;
        Ok((array, gather))
    }
}

/// Submits a script and gives the job's number.
fn sbatch(folder: &Path, arguments: &[&str]) -> Result<String, Error> {
    let started = Command::new("sbatch").arg("--parsable").args(arguments).current_dir(folder).output();
    let output = started.map_err(|e| Error::Usage(format!("sbatch cannot be started ({e}); --dry-run shows what would be submitted")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Error::Usage(format!("sbatch refuses: {}", said.trim().replace('\n', "; "))));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(said.trim().split(';').next().unwrap_or_default().to_string())
}

//! Slurm: the scripts that are submitted, and a cluster of one node that runs them.

#![cfg(unix)]

mod program;

use program::{program, run, succeed, tables};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

const SETTINGS: &str = "--alignment 0.1..0.9 --vocab 8 --prompts 2 --held-out 4 --steps 2 --seeds 8 --recipes standard,random";

#[test]
fn the_scripts_are_what_was_reviewed() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &format!("sweep plan {SETTINGS} --out run"));
    let more = "--shards 8 --cpus-per-task 4 --array_parallelism 2 --time 30 --mem 4G --partition short --account me";
    let text = succeed(folder.path(), &format!("sweep submit run --slurm --dry-run {more}"));
    let text = text.replace(env!("CARGO_BIN_EXE_mta-sim"), "mta-sim");
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, { insta::assert_snapshot!("slurm", text) });
    assert!(!folder.path().join("run/submit.sbatch").exists(), "a dry run writes nothing");
    let small = succeed(folder.path(), "sweep submit run --slurm --dry-run");
    assert!(small.contains("#SBATCH --array=1-1\n"), "a minute of work for each task: {small}");
}

/// A folder whose `sbatch` does what `script` says.
fn with_sbatch(folder: &Path, script: &str) -> String {
    let path = folder.join("bin/sbatch");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", path.parent().unwrap().display(), std::env::var("PATH").unwrap_or_default())
}

#[test]
fn submitting_writes_the_scripts_and_asks_sbatch_twice() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &format!("sweep plan {SETTINGS} --out run"));
    let submit = |path: &str| {
        program(folder.path()).args(["sweep", "submit", "run", "--slurm", "--shards", "3"]).env("PATH", path).output().unwrap()
    };
    let path = with_sbatch(folder.path(), "#!/bin/sh\necho \"$PWD $*\" >> ../asked\necho '42;cluster'\n");
    let output = submit(&path);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "array 42 runs 3 shards, job 42 gathers them: mta-sim sweep status run\n");
    let asked = fs::read_to_string(folder.path().join("asked")).unwrap();
    let asked: Vec<&str> = asked.lines().map(|line| line.split_once("/run ").unwrap().1).collect();
    assert_eq!(asked, ["--parsable submit.sbatch", "--parsable --dependency=afterany:42 gather.sbatch"]);
    assert!(folder.path().join("run/slurm").is_dir() && folder.path().join("run/gather.sbatch").exists());
    let refused = with_sbatch(folder.path(), "#!/bin/sh\necho 'sbatch: error: no such partition' >&2\nexit 1\n");
    for (path, said) in [(refused.as_str(), "sbatch refuses: sbatch: error: no such partition"), ("/nowhere", "sbatch cannot be started")] {
        let output = submit(path);
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && message.contains(said) && message.lines().count() == 1, "{message}");
    }
}

/// The task's part of the array's script as a shell runs it, with `srun` and `scontrol` that only note what they were asked.
#[test]
fn a_task_that_was_stopped_goes_back_into_the_queue_and_no_other_does() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &format!("sweep plan {SETTINGS} --out run"));
    let path = with_sbatch(folder.path(), "#!/bin/sh\necho 7\n");
    program(folder.path()).args(["sweep", "submit", "run", "--slurm", "--shards", "3"]).env("PATH", &path).output().unwrap();
    let tool = |name: &str, script: &str| {
        fs::write(folder.path().join("bin").join(name), script).unwrap();
        fs::set_permissions(folder.path().join("bin").join(name), fs::Permissions::from_mode(0o755)).unwrap();
    };
    tool("scontrol", "#!/bin/sh\necho \"$*\"\n");
    let task = |code: u8, restarts: &str| {
        tool("srun", &format!("#!/bin/sh\nexit {code}\n"));
        let variables = [("SLURM_ARRAY_TASK_ID", "2"), ("SLURM_JOB_ID", "9"), ("SLURM_RESTART_COUNT", restarts), ("PATH", &path)];
        let output = Command::new("bash").arg("submit.sbatch").current_dir(folder.path().join("run")).envs(variables).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(task(75, "0"), (Some(75), "requeue 9\n".into()));
    assert_eq!(task(75, "3"), (Some(75), String::new()), "not for ever");
    assert_eq!(task(0, "0"), (Some(0), String::new()));
    assert_eq!(task(2, "0"), (Some(2), String::new()));
    assert_eq!(task(137, "0"), (Some(137), String::new()));
}

/// Minutes after which the cluster is given up; its namespaces end with it, and every process in them.
const LIMIT: &str = "15m";

/// Fetches the Debian packages into a scratch root, starts a cluster of one node there and runs eight shards on it: five minutes on two cores that ten others
/// wanted. Where that cannot be done, or `MTA_SLURM=1` does not ask for it as `.ci/run` does, it says so and passes.
#[test]
fn eight_shards_on_a_cluster_give_the_bytes_of_one_process() {
    if std::env::var_os("MTA_SLURM").is_none_or(|asked| asked != "1") {
        return eprintln!("SKIPPED: MTA_SLURM=1 asks for a cluster");
    }
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slurm/cluster.sh");
    let output = Command::new("timeout")
        .args(["--kill-after=10", LIMIT, "bash"])
        .arg(script)
        .arg(env!("CARGO_BIN_EXE_mta-sim"))
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output();
    let Ok(output) = output else { return eprintln!("SKIPPED: this system has no timeout") };
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.code() == Some(77) {
        return eprintln!("SKIPPED: {}", said.lines().last().unwrap_or_default());
    }
    assert!(output.status.success(), "{said}{errors}");
    eprintln!("{said}");
    let typed = fs::read_to_string(folder.path().join("settings")).unwrap();
    succeed(folder.path(), &format!("sweep {} --no-figures --out whole", typed.trim()));
    assert!(tables(&folder.path().join("run")) == tables(&folder.path().join("whole")));
    assert!(run(folder.path(), "sweep status run").status.success());
}

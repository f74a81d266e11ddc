//! Pass counts from the files of other programs, as those programs write them.

mod program;

use program::{run, succeed};
use std::fs;
use std::path::Path;

/// A file, the flags beside it, and the counts it holds.
const FILES: &[(&str, &str, &str, &str)] = &[
    ("canonical", "c.csv", "id,n,c\na,8,3\nb,8,0\na,2,1\n", "id,n,c\na,10,4\nb,8,0\n"),
    (
        "canonical",
        "c.jsonl",
        "{\"id\":7,\"n\":8,\"c\":3,\"step\":2}\n\n{\"id\":7,\"n\":8,\"c\":8,\"step\":null}\n",
        "id,step,n,c\n7,2,8,3\n7,,8,8\n",
    ),
    (
        "verl",
        "5.jsonl",
        "{\"input\":\"1+1\",\"output\":\"2\",\"gts\":\"2\",\"score\":1.0,\"step\":5}\n{\"input\":\"1+1\",\"output\":\"3\",\"gts\":\"2\",\"score\":-1.0,\"step\":5}\n{\"input\":\"2+2\",\"output\":\"4\",\"gts\":\"4\",\"score\":1.0,\"step\":6}\n",
        "id,step,n,c\n1+1,5,2,1\n2+2,6,1,1\n",
    ),
    (
        "rlvr-decomposed",
        "g.jsonl",
        "{\"question_id\":0,\"label\":true}\n{\"question_id\":0,\"label\":false}\n{\"question_id\":1,\"label\":true}\n",
        "id,n,c\n0,2,1\n1,1,1\n",
    ),
    (
        "tinker",
        "train_rollout_summaries.jsonl",
        "{\"schema_version\":1,\"split\":\"train\",\"iteration\":3,\"group_idx\":0,\"traj_idx\":0,\"total_reward\":1.0}\n{\"split\":\"train\",\"iteration\":3,\"group_idx\":0,\"traj_idx\":1,\"total_reward\":0.0}\n",
        "id,step,n,c\ntrain/0,3,2,1\n",
    ),
    (
        "lm-eval",
        "samples_gsm8k.jsonl",
        "{\"doc_id\":0,\"filter\":\"strict-match\",\"resps\":[[\"4\"]],\"exact_match\":1.0}\n{\"doc_id\":0,\"filter\":\"flexible-extract\",\"exact_match\":0.0}\n{\"doc_id\":1,\"filter\":\"none\",\"exact_match\":[1.0,0.0,1.0]}\n",
        "id,n,c\n0/strict-match,1,1\n0/flexible-extract,1,0\n1,3,2\n",
    ),
    (
        "lighteval",
        "details.json",
        "[{\"__doc__\":{\"id\":\"3\",\"query\":\"q\"},\"__metric__\":{\"extractive_match\":[1,0,1,1]}},{\"doc\":{\"query\":\"q2\"},\"metric\":{\"em\":0.0}}]",
        "id,n,c\n3,4,3\nq2,1,0\n",
    ),
    (
        "qwen-math",
        "math.jsonl",
        "{\"idx\":0,\"question\":\"q\",\"score\":[true,false,true]}\n{\"idx\":0,\"score\":[false]}\n",
        "id,n,c\n0,4,2\n",
    ),
    (
        "reasoning-gym",
        "chain_sum.json",
        "{\"name\":\"chain_sum\",\"mean_score\":0.5,\"results\":[{\"question\":\"q\",\"completions\":[{\"score\":1.0},{\"score\":0.01}]}]}",
        "id,n,c\nchain_sum/0,2,1\n",
    ),
    ("one-shot-rlvr", "acc_step_500.json", "{\"0\":[0.0,0.125],\"2\":[1.0,0.375]}", "id,step,n,c\n0,0,8,0\n0,1,8,1\n2,0,8,8\n2,1,8,3\n"),
];

#[test]
fn every_format_becomes_counts() {
    let folder = tempfile::tempdir().unwrap();
    for (format, name, text, counts) in FILES {
        fs::write(folder.path().join(name), text).unwrap();
        assert_eq!(&succeed(folder.path(), &format!("import {name} --from {format}")), counts, "{format}");
    }
    let all: Vec<&str> = FILES.iter().map(|(format, ..)| *format).chain(["trl"]).collect();
    assert!(mta_sim::import::IMPORTERS.iter().all(|importer| all.contains(&importer.entry.name)), "each has its file here");
}

#[test]
fn parquet_files_are_read_and_counts_are_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut table = mta_sim::sims::table::Table::new();
    table.int("step", "", [Some(4); 3]).text("prompt", "", ["a\nb", "a\nb", "c"]).float("accuracy", "", [Some(1.0), Some(0.0), Some(0.7)]);
    mta_sim::store::parquet::write(&table, &folder.path().join("completions_00004.parquet")).unwrap();
    let text = succeed(folder.path(), "import completions_00004.parquet --from trl --score accuracy");
    let hash = mta_sim::sims::digest::name("\"a\\nb\"");
    assert_eq!(text, format!("id,step,n,c\n{hash},4,2,1\nc,4,1,1\n"), "a long prompt is called by its hash");
    assert!(succeed(folder.path(), "import completions_00004.parquet --from trl --score accuracy --threshold 0.8").contains("c,4,1,0"));
    let said = succeed(folder.path(), "import completions_00004.parquet --from trl --score accuracy --out counts.csv");
    assert_eq!(said, "2 rows, 66.7 % of 3 samples correct: counts.csv\n");
    assert_eq!(succeed(folder.path(), "import counts.csv --from canonical"), text);
    assert_eq!(
        succeed(folder.path(), "import counts.csv counts.csv --from canonical"),
        text.replace(",2,1", ",4,2").replace("c,4,1,1", "c,4,2,2")
    );
}

#[test]
fn wrong_files_are_one_error_that_says_where() {
    let folder = tempfile::tempdir().unwrap();
    for (format, name, text, said) in [
        ("canonical", "a.csv", "id,n\na,8\n", "a.csv: row 1 has no 'c'; there is 'id', 'n'"),
        ("canonical", "b.csv", "id,n,c\na,8,3\na,8,9\n", "b.csv: row 2 has c = 9 of n = 8 samples correct"),
        ("canonical", "c.csv", "id,n,c\na,8,-1\n", "must be a whole number >= 0"),
        ("canonical", "d.txt", "", "must end with .csv, .json, .jsonl or .parquet"),
        ("verl", "e.jsonl", "{\"input\":\"q\"\n", "line 1 is not JSON"),
        ("verl", "f.jsonl", "{\"step\":1,\"val-core/math/acc/mean@8\":0.5}\n", "dump the rollouts"),
        ("verl", "g.jsonl", "{\"input\":\"q\",\"score\":\"good\"}\n", "'score' = \"good\": must be a number"),
        ("trl", "h.jsonl", "{\"prompt\":\"q\",\"accuracy_reward\":1}\n", "--score names the column of scores"),
        ("lighteval", "i.jsonl", "{\"doc\":{\"id\":\"1\"},\"metric\":{\"a\":1,\"b\":0}}\n", "--score must name one of 'a', 'b'"),
        ("one-shot-rlvr", "j.json", "{\"0\":[0.1]}", "must be k/8"),
        ("trl", "k.parquet", "PAR1", "k.parquet: is truncated or damaged"),
        ("nothing", "l.csv", "", "unknown format 'nothing'"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
        let output = run(folder.path(), &format!("import {name} --from {format}"));
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && message.contains(said) && message.lines().count() == 1, "{format}: {message}");
    }
}

/// `MTA_DATA`, or a folder `shared/data` beside the repository, has the accuracy histories of a real run.
#[test]
fn the_histories_of_a_real_run_are_counts() {
    let root = std::env::var("MTA_DATA").unwrap_or_else(|_| format!("{}/../shared/data", env!("CARGO_MANIFEST_DIR")));
    let path = Path::new(&root).join("one_shot_rlvr/acc_by_epoch_even_ids.json");
    if !path.is_file() {
        return eprintln!("SKIPPED: {} is not there", path.display());
    }
    let folder = tempfile::tempdir().unwrap();
    let said = succeed(folder.path(), &format!("import {} --from one-shot-rlvr --out counts.csv", path.display()));
    assert!(said.contains("rows, "), "{said}");
    eprintln!("{said}");
}

//! `mta-sim llm grow`, `train` and `eval` as a user meets them, on a model so small that everything takes seconds.

mod program;

use mta_sim::sims::claims::settings::GROWN;
use mta_sim::sims::config::Train;
use program::{program, run, state, succeed};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// Two grown models, of alignment 0.2 and 0.8.
static FAMILY: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &format!("llm grow --alignment 0.2,0.8 {TINY} --out family"));
    folder
});

const TINY: &str = "--grow-steps 30 --grow-batch 16 --hidden-size 16 --layers 1 --vocab 8 --prompts 8 --held-out 16 --terms 4 --samples 4";

/// A short run with evaluations.
const SHORT: &str = "--steps 4 --eval-every 2 --eval-samples 4 --group-size 4 --train-batch-size 4 --save-steps 2";

fn family() -> PathBuf {
    FAMILY.path().join("family")
}

/// A copy of the model of alignment 0.8 at `model` in a new folder.
fn model() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("model");
    fs::create_dir(&copy).unwrap();
    for entry in fs::read_dir(family().join("alignment-0.8")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
    }
    folder
}

/// Exit code 2, one message with `part` in it, and nothing left behind.
fn refused(folder: &Path, arguments: &str, part: &str) {
    let before = state(folder);
    let output = run(folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "mta-sim {arguments}\n{said}");
    assert!(said.starts_with("error: ") && said.contains(part), "mta-sim {arguments}\n{said}");
    assert_eq!(state(folder), before, "mta-sim {arguments} left something behind");
}

/// What is typed after `mta-sim llm`, beside a model at `model`, and a part of the one message it must end with.
const WRONG: &[(&str, &str)] = &[
    ("grow", "--out <FOLDER>"),
    ("grow --out family --alignment 2", "--alignment = 2: must be a number in [-1, 1]"),
    ("grow --out family --held-out 8,16", "--held-out = 8,16: must be one number here: only alignment takes a grid"),
    ("grow --out family --terms 20", "--terms = 20: must be in [2, 12]"),
    ("grow --out family --leak 1", "--leak = 1: must be in [0, 1)"),
    ("grow --out family --leak -1", "'-1'"),
    ("grow --out family --hidden-size 20", "--hidden-size 20: must be a multiple of 16"),
    ("grow --out family --prompts 2000", "--prompts = 2128: with held_out must be at most half of the 3125 questions"),
    ("grow --out family --depth 2", "--depth"),
    ("eval", "--model <FOLDER>"),
    ("eval --model nowhere", "nowhere/config.json: cannot be read"),
    ("eval --model model --samples 4 --k 1,8", "--k 8: must be at most --samples = 4"),
    ("eval --model model --k 0", "--k"),
    ("eval --model model --temperature 0", "--temperature 0: must be in"),
    ("eval --model model --top-p 2", "--top-p 2: must be in (0, 1]"),
    ("eval --model model --data questions.txt", "questions.txt: is no question file"),
    ("eval --model model --data none.jsonl", "none.jsonl: cannot be read"),
    ("eval --model model --data empty.jsonl", "empty.jsonl: holds no questions"),
    ("eval --model model --data damaged.jsonl", "damaged.jsonl: line 1"),
    ("eval --model model --data fine.jsonl --template boxt", "unknown template 'boxt'"),
    ("eval --model model --data fine.jsonl --template plain", "--max-completion-length 512: with the longest prompt"),
    ("eval --model model --data fine.jsonl --template plain --max-prompt-length 2", "max_prompt_length is 2; every prompt is longer"),
    ("eval --model model --adapter model", "adapter_config.json"),
    ("eval --model model --out model/config.json", "model/config.json: is no folder to write to"),
    ("train --model model", "--out: missing"),
    ("train --model model --out run --recipe standart", "did you mean 'standard'?"),
    ("train --model model --out run --rule grop", "unknown rule 'grop'"),
    ("train --model model --out run --steps 1,2", "--steps = 1,2: must be one number here"),
    ("train --model model --out run --learning-rate -1", "--learning-rate = -1: must be a number in"),
    ("train --model model --out run --mode exact", "--mode = exact: must be sampled"),
    ("train --model model --out run --group-size 1", "group_size = 1: must be at least 2"),
    ("train --model model --out run --alignment 0.5", "--alignment"),
    ("train --model model --out run --recipe distill", "--teacher: missing; recipe distill imitates one"),
    ("train --model model --out run --teacher model", "--teacher model: recipe standard samples from the model itself"),
    ("train --model model --out run --eval-data fine.jsonl", "--eval-data: needs --data beside it"),
    ("train --model model --out run --lora-rank 2 --lora-alpha 0", "LoRA's alpha is 0"),
    ("train --model model --out run --recipe sft --temperature 0.5", "--temperature 0.5: must be 1 with --recipe sft"),
    ("train --model model --out run --few 9 --regime few", "few = 9: must be at most prompts = 8"),
    ("train --model model --out model/config.json/run", "cannot be made"),
];

#[test]
fn what_is_wrong_ends_with_one_message_before_any_work() {
    let folder = model();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("questions.txt", "");
    write("empty.jsonl", "\n");
    write("damaged.jsonl", "{");
    write("fine.jsonl", QUESTIONS);
    for (arguments, part) in WRONG {
        let output = run(folder.path(), &format!("llm {arguments}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "mta-sim llm {arguments}\n{said}");
        assert!(said.contains(part), "mta-sim llm {arguments}\n{said}");
        assert!(!folder.path().join("run").exists() && !folder.path().join("family").exists(), "mta-sim llm {arguments}");
    }
}

/// Each way a folder can be damaged, in a folder of its own.
#[test]
fn damaged_model_folders_are_refused() {
    let weights = |change: fn(Vec<u8>) -> Vec<u8>| {
        move |model: &Path| {
            let path = model.join("model.safetensors");
            fs::write(&path, change(fs::read(&path).unwrap())).unwrap();
        }
    };
    let replaced = |file: &'static str, from: &'static str, to: &'static str| {
        move |model: &Path| {
            let text = fs::read_to_string(model.join(file)).unwrap();
            assert!(text.contains(from), "{file} has no {from}");
            fs::write(model.join(file), text.replacen(from, to, 1)).unwrap();
        }
    };
    let shards = |model: &Path| {
        fs::rename(model.join("model.safetensors"), model.join("model-00001-of-00002.safetensors")).unwrap();
        let index = r#"{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}"#;
        fs::write(model.join("model.safetensors.index.json"), index).unwrap();
    };
    let halved = weights(|bytes| bytes[..bytes.len() / 2].to_vec());
    let whole_numbers = weights(|bytes| {
        String::from_utf8_lossy(&bytes[..200]).replacen("F32", "I32", 1).into_bytes().into_iter().chain(bytes[200..].to_vec()).collect()
    });
    type Damage = Box<dyn Fn(&Path)>;
    let cases: Vec<(Damage, &str)> = vec![
        (Box::new(halved), "not a whole safetensors file"),
        (Box::new(|model| fs::remove_file(model.join("model.safetensors")).unwrap()), "neither model.safetensors nor"),
        (Box::new(shards), "names the shard model-00002-of-00002.safetensors, which is not in the folder"),
        (Box::new(whole_numbers), "has dtype I32; allowed: F64, F32, BF16, F16"),
        (Box::new(replaced("config.json", "\"qwen3\"", "\"gpt2\"")), "gpt2"),
        (Box::new(replaced("config.json", "\"hidden_size\": 16", "\"hidden_size\": 32")), "asks for"),
        (Box::new(replaced("world.json", "\"vocab\": 8.0", "\"vocab\": 9.0")), "tells a world of"),
        (Box::new(replaced("world.json", "\"confidence\"", "\"confidense\"")), "field world.confidense is no knob of a world"),
        (Box::new(replaced("world.json", "\"prompts\": 8.0", "\"prompts\": -8")), "field world.prompts = -8: must be a whole number"),
        (Box::new(replaced("world.json", "{", "")), "world.json: not JSON"),
    ];
    for (damage, part) in cases {
        let folder = model();
        damage(&folder.path().join("model"));
        refused(folder.path(), "llm eval --model model --samples 1", part);
        refused(folder.path(), "llm train --model model --out run", part);
    }
    let folder = model();
    replaced("tokenizer.json", "\"m7\": 16", "\"m7\": 99")(&folder.path().join("model"));
    fs::write(folder.path().join("fine.jsonl"), QUESTIONS).unwrap();
    refused(folder.path(), "llm eval --model model --data fine.jsonl", "its largest token is 99; the model's embedding allows 0 to");
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_device_that_is_not_there_is_refused() {
    let folder = model();
    for command in ["eval --model model", "train --model model --out run"] {
        refused(
            folder.path(),
            &format!("llm {command} --device cuda"),
            "--device cuda: this build lacks the feature cuda; allowed: cpu, or cuda after cargo build --release --features cuda",
        );
    }
}

/// With the feature, a machine without a GPU is one clear error as well.
#[cfg(feature = "cuda")]
#[test]
fn a_gpu_answers_or_is_missed() {
    let folder = model();
    if mta_llm::device::named("cuda").is_ok() {
        assert!(succeed(folder.path(), "llm eval --model model --samples 1 --device cuda").contains("pass@1"));
    } else {
        refused(folder.path(), "llm eval --model model --samples 1 --device cuda", "--device cuda: no GPU answers: ");
        refused(folder.path(), "llm train --model model --out run --device cuda", "--device cuda: no GPU answers: ");
    }
}

/// Members differ in alignment alone, and the same command gives the same bytes.
#[test]
fn a_family_differs_in_alignment_and_in_nothing_else() {
    let world = |member: &str| fs::read_to_string(family().join(member).join("world.json")).unwrap();
    assert_eq!(world("alignment-0.2").replace("\"alignment\": 0.2", "\"alignment\": 0.8"), world("alignment-0.8"));
    let table = fs::read_to_string(family().join("family.csv")).unwrap();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    let of = |name: &str, row: usize| rows[row][rows[0].iter().position(|n| *n == name).unwrap()].parse::<f64>().unwrap();
    assert_eq!((rows.len(), of("documents", 1), of("documents", 2)), (3, 480.0, 480.0));
    assert!(of("pass@4", 1) >= of("pass@1", 1) && of("perplexity", 1) > 1.0);
    assert!(table.lines().nth(1).unwrap().contains(",,"), "4 samples say nothing of pass@8: {table}");
    let again = tempfile::tempdir().unwrap();
    succeed(again.path(), &format!("llm grow --alignment 0.8 {TINY} --out family"));
    assert_eq!(
        state(&again.path().join("family/alignment-0.8")).into_values().collect::<Vec<_>>(),
        state(&family().join("alignment-0.8")).into_values().collect::<Vec<_>>()
    );
    succeed(again.path(), &format!("llm grow --alignment 0.8 {TINY} --leak 0.5 --out leaked"));
    let weights = |path: &Path| fs::read(path.join("model.safetensors")).unwrap();
    assert_ne!(weights(&again.path().join("leaked/alignment-0.8")), weights(&family().join("alignment-0.8")));
}

/// Questions of the tiny models' own words; two are the sums of their digits modulo 10.
const QUESTIONS: &str = "\
{\"question\": \"<bos> 1 2 3 4 =\", \"answer\": \"0\"}
{\"question\": \"<bos> 0 1 0 1 =\", \"answer\": \"2\", \"id\": \"easy\"}
{\"question\": \"<bos> 0 3 0 1 =\", \"answer\": \"4\"}
{\"question\": \"<bos> 0 4 0 1 =\", \"answer\": \"0\"}
";

/// The table says what counts.csv holds, for grown worlds and for files.
#[test]
fn counts_and_table_agree() {
    let folder = model();
    fs::write(folder.path().join("q.jsonl"), QUESTIONS).unwrap();
    for (asked, questions, rest) in [("", 16, "in the corpus"), ("--data q.jsonl --template plain --max-completion-length 7", 4, "")] {
        let text = succeed(folder.path(), &format!("llm eval --model model {asked} --samples 8 --k 1,8 --out out"));
        let counts = fs::read_to_string(folder.path().join("out/counts.csv")).unwrap();
        let c = |line: &str| line.split(',').nth(2).unwrap().parse::<f64>().unwrap();
        let total: f64 = counts.lines().skip(1).map(c).sum();
        assert_eq!((counts.lines().next(), counts.lines().count()), (Some("id,n,c"), questions + 1));
        let pass: f64 = text.lines().find_map(|l| l.strip_prefix("pass@1 ")).unwrap().split_whitespace().next().unwrap().parse().unwrap();
        assert!((pass - total / (8 * questions) as f64).abs() < 1e-4, "{text}\n{counts}");
        assert!(text.contains("perplexity of given ones") && text.contains(rest), "{text}");
        let responses = fs::read_to_string(folder.path().join("out/responses.jsonl")).unwrap();
        let correct = responses.lines().filter(|line| line.contains("\"correct\":true")).count();
        assert_eq!((responses.lines().count(), correct as f64), (8 * questions, total));
    }
}

#[test]
fn a_dry_run_says_what_would_run_and_leaves_nothing() {
    let folder = model();
    let before = state(folder.path());
    let text = succeed(folder.path(), "llm train --model model --recipe one-shot --lora-rank 2 --dry-run");
    let Train { steps, train_batch_size, group_size, learning_rate, .. } = GROWN.recipe("one-shot", 0.8, |_| ()).config.train;
    let usual = format!("grpo, {steps} steps of {train_batch_size} prompts x {group_size} responses, learning rate {learning_rate}\n");
    for part in ["of them trained: an adapter of", "8 questions to train on, 16 held out", &usual, "peak"] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
    assert_eq!(state(folder.path()), before);
    fs::remove_file(folder.path().join("model/world.json")).unwrap();
    fs::remove_file(folder.path().join("model/model.safetensors")).unwrap();
    assert!(succeed(folder.path(), "llm train --model model --dry-run").contains("no questions: memory from shapes alone"));
}

/// Every way to train: on a world and on a file, all parameters and an adapter, with a teacher, by imitation; what comes out can be evaluated.
#[test]
fn what_was_trained_can_be_evaluated() {
    let folder = model();
    fs::write(folder.path().join("q.jsonl"), QUESTIONS).unwrap();
    let file = "--data q.jsonl --eval-data q.jsonl --template plain --max-completion-length 7";
    let teacher = family().join("alignment-0.2").display().to_string();
    let ways = [
        ("plain", String::new(), "--model plain/model".to_string()),
        ("adapter", "--lora-rank 2 --recipe one-shot".into(), "--model model --adapter adapter/adapter".into()),
        ("file", format!("{file} --recipe majority"), format!("--model file/model {}", file.replace("--eval-data q.jsonl", ""))),
        ("taught", format!("--recipe distill --teacher {teacher}"), "--model taught/model".into()),
        ("sft", "--recipe sft".into(), "--model sft/model".into()),
        ("sft-file", format!("{file} --recipe sft"), "--model sft-file/model".into()),
    ];
    for (name, flags, evaluated) in ways {
        let text = succeed(folder.path(), &format!("llm train --model model {SHORT} --out {name} {flags}"));
        assert!(text.starts_with("step") && text.lines().count() >= 4, "{text}");
        succeed(folder.path(), &format!("llm eval {evaluated} --samples 2 --k 1"));
    }
}

/// Ctrl-C ends a run after its step, with exit code 130; the same command goes on to the same bytes.
#[cfg(unix)]
#[test]
fn an_interrupted_run_ends_as_if_never_interrupted() {
    let folder = model();
    let command = |out: &str| {
        format!(
            "llm train --model model --steps 150 --eval-every 150 --eval-samples 2 --group-size 8 --save-steps 1000 --rule ppo --kl-beta 0.1 --out {out}"
        )
    };
    let mut child =
        program(folder.path()).args(command("cut").split_whitespace()).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let metrics = folder.path().join("cut/metrics.jsonl");
    let patience = Instant::now();
    while fs::read_to_string(&metrics).map_or(0, |text| text.lines().count()) < 4 && patience.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let shelf = folder.path().join("cut/checkpoints");
    assert_eq!(fs::read_dir(&shelf).unwrap().count(), 1, "one checkpoint, of the step that was finished");
    assert!(!shelf.join("step-150").exists(), "it ended too early to be interrupted");
    succeed(folder.path(), &command("cut"));
    succeed(folder.path(), &command("whole"));
    assert_eq!(
        state(&folder.path().join("cut/model")).into_values().collect::<Vec<_>>(),
        state(&folder.path().join("whole/model")).into_values().collect::<Vec<_>>()
    );
}

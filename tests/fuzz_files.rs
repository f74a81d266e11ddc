//! Nothing that lies in a run folder, and no file of another program, makes the program panic: damaged plans, shards and pass counts are an error of one line.
//!
//! `MTA_FUZZ_SECONDS=900 cargo test --release --test fuzz_files` attacks each for a quarter of an hour; settings are attacked by `fuzz_config`.

use mta_sim::error::Error;
use mta_sim::id::Id;
use mta_sim::import::{self, Asked, IMPORTERS, Importer, THRESHOLD};
use mta_sim::plan::Plan;
use mta_sim::settings::Settings;
use mta_sim::sims::record::{Curves, METRICS};
use mta_sim::store::cells::Cells;
use mta_sim::store::published::{self, Published};
use mta_sim::store::{journal, parquet, planned};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestRunner;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// Tries `usual` cases, and goes on for as long as `MTA_FUZZ_SECONDS` says.
fn attack<S: Strategy>(what: &str, usual: u32, strategy: S, test: impl Fn(S::Value)) {
    let seconds = std::env::var("MTA_FUZZ_SECONDS").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
    let (clock, mut cases) = (Instant::now(), 0_u64);
    while cases == 0 || clock.elapsed() < Duration::from_secs(seconds) {
        let config = ProptestConfig { cases: usual, failure_persistence: None, max_shrink_iters: 2000, ..ProptestConfig::default() };
        let ran = TestRunner::new(config).run(&strategy, |value| {
            test(value);
            Ok(())
        });
        ran.unwrap_or_else(|e| panic!("{what}: {e}"));
        cases += u64::from(usual);
    }
    eprintln!("{what}: {cases} cases in {:.0} s", clock.elapsed().as_secs_f64());
}

/// A change of some bytes.
#[derive(Clone, Debug)]
enum Damage {
    Set(Index, u8),
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Cut(Index),
    Copy(Index, Index, usize),
}

/// Words that parsers stumble over.
const WORDS: &[&str] = &[
    "null",
    "true",
    "-1",
    "1e999",
    "1e-999",
    "18446744073709551616",
    "9223372036854775807",
    "0.5",
    "\"\"",
    "[]",
    "{}",
    "{\"a\":",
    "[[",
    "\n",
    "\r\n",
    "\0",
    "\"\\ud800\"",
    ",",
    "\"",
    "\u{feff}",
    "NaN",
    "\u{202e}",
];

fn damage() -> impl Strategy<Value = Damage> {
    let bytes = prop_oneof![prop::collection::vec(any::<u8>(), 1..9), select(WORDS).prop_map(|word| word.as_bytes().to_vec())];
    prop_oneof![
        3 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        3 => (any::<Index>(), 0..8u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        3 => (any::<Index>(), bytes).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        2 => (any::<Index>(), 1..40usize).prop_map(|(at, length)| Damage::Remove(at, length)),
        1 => any::<Index>().prop_map(Damage::Cut),
        2 => (any::<Index>(), any::<Index>(), 1..60usize).prop_map(|(from, to, length)| Damage::Copy(from, to, length)),
    ]
}

fn damaged(whole: &[u8], all: &[Damage]) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for damage in all {
        if bytes.is_empty() {
            break;
        }
        match damage {
            Damage::Set(at, byte) => *at.get_mut(&mut bytes) = *byte,
            Damage::Flip(at, bit) => *at.get_mut(&mut bytes) ^= 1 << bit,
            Damage::Insert(at, more) => drop(bytes.splice(at.index(bytes.len())..at.index(bytes.len()), more.iter().copied())),
            Damage::Remove(at, length) => {
                let from = at.index(bytes.len());
                bytes.drain(from..(from + length).min(bytes.len()));
            }
            Damage::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Damage::Copy(from, to, length) => {
                let from = from.index(bytes.len());
                let piece = bytes[from..(from + length).min(bytes.len())].to_vec();
                let to = to.index(bytes.len());
                bytes.splice(to..to, piece);
            }
        }
    }
    bytes
}

/// What was read, unless it is an error of one line, or one that shows a place in a TOML file.
fn accept<T>(result: Result<T, Error>) -> Option<T> {
    let fine = |text: &str| text.lines().count() == 1 || text.contains("TOML parse error");
    result.map_err(|e| assert!(fine(&e.to_string()) && e.exit_code() == 2, "{e}")).ok()
}

fn some_damage() -> impl Strategy<Value = Vec<Damage>> {
    prop::collection::vec(damage(), 1..6)
}

fn plan() -> Plan {
    let text = "alignment = [0.1, 0.25]\nsteps = [1, 2]\nvocab = 8\nseeds = 3\nrecipes = ['standard', 'a \"q\" é']\n[recipe.'a \"q\" é']\nlr = 2\n";
    Plan::new(&Settings::parse(text, Path::new("c.toml")).unwrap()).unwrap()
}

#[test]
fn a_damaged_plan_is_a_plan_or_an_error() {
    let (folder, plan) = (tempfile::tempdir().unwrap(), plan());
    planned::write(&plan, folder.path()).unwrap();
    for name in [planned::NAME, planned::SETTINGS] {
        let path = folder.path().join(name);
        let whole = fs::read(&path).unwrap();
        attack(name, 500, some_damage(), |all| {
            fs::write(&path, damaged(&whole, &all)).unwrap();
            if let Some(read) = accept(planned::read(folder.path())) {
                assert_eq!((read.ids.len(), read.costs.len()), (read.rows(), read.settings()));
                (0..read.settings()).for_each(|at| {
                    accept(read.confirm(at, read.backend.engine()));
                });
            }
        });
        fs::write(&path, &whole).unwrap();
    }
}

fn curves(i: usize) -> Curves {
    let values = (0..METRICS).map(|m| (0..3).map(|at| (m != i).then(|| (i * 7 + m) as f64 / (at + 3) as f64)).collect());
    Curves { alignment: 0.1 * i as f64, chosen: (0..i % 3).collect(), steps: vec![0, 2, i + 3], values: values.collect() }
}

/// Reads all cells of a run folder, as gathering does.
fn read_cells(folder: &Path) {
    let Some(mut cells) = accept(Cells::open(folder)) else { return };
    for id in cells.ids().copied().collect::<Vec<_>>() {
        if let Some(curves) = accept(cells.curves(&id)) {
            assert!(curves.expect("it is there").is_whole());
        }
    }
    accept(cells.conflicts());
}

#[test]
fn a_damaged_shard_is_an_error_even_where_its_name_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let shards = folder.path().join("shards");
    fs::create_dir(&shards).unwrap();
    let path = published::publish(&shards, "1-of-1", (0..5).map(|i| Ok((Id::of(&i.to_string()), curves(i))))).unwrap();
    let whole = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    attack("shard", 200, some_damage(), |all| {
        let bytes = damaged(&whole, &all);
        let path = shards.join(format!("1-of-1-{}.parquet", &blake3::hash(&bytes).to_hex()[..16]));
        fs::write(&path, &bytes).unwrap();
        if let Some(file) = accept(Published::open(&path)) {
            accept(file.entries());
        }
        read_cells(folder.path());
        accept(parquet::read(&path));
        fs::remove_file(&path).unwrap();
    });
}

#[test]
fn a_damaged_journal_is_cells_or_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("shards")).unwrap();
    let path = folder.path().join("shards/1-of-1.jsonl");
    let whole: String = (0..4).map(|i| journal::line(Id::of(&i.to_string()), &curves(i))).collect();
    attack("journal", 300, some_damage(), |all| {
        fs::write(&path, damaged(whole.as_bytes(), &all)).unwrap();
        read_cells(folder.path());
    });
}

/// Files that are right, to be made wrong.
const RIGHT: &[(&str, &str)] = &[
    ("csv", "id,n,c,step\na,8,3,1\n\"b,\"\"\",8,0,\n"),
    (
        "jsonl",
        "{\"id\":7,\"n\":8,\"c\":3,\"step\":2}\n{\"input\":\"1+1\",\"prompt\":[{\"role\":\"user\"}],\"score\":1.0,\"reward\":0.5,\"step\":5}\n",
    ),
    (
        "jsonl",
        "{\"question_id\":0,\"label\":true,\"split\":\"train\",\"iteration\":3,\"group_idx\":0,\"total_reward\":1.0,\"doc_id\":0,\"filter\":\"none\",\"exact_match\":[1.0]}\n",
    ),
    ("json", "[{\"__doc__\":{\"id\":\"3\",\"query\":\"q\"},\"__metric__\":{\"em\":[1,0]},\"idx\":0,\"score\":[true,false]}]"),
    ("json", "{\"name\":\"chain_sum\",\"results\":[{\"completions\":[{\"score\":1.0},{\"score\":0.01}]}],\"0\":[0.0,0.125]}"),
];

fn read_as(importer: &Importer, path: &Path, score: Option<String>) {
    let asked = Asked { score, threshold: THRESHOLD };
    if let Some(counts) = accept(import::read(importer, &[path], &asked)) {
        assert!(counts.iter().all(|count| count.c <= count.n), "{counts:?}");
        import::table(&counts).to_csv();
    }
}

#[test]
fn damaged_files_of_other_programs_are_counts_or_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let strategy = (select(RIGHT), some_damage(), select(IMPORTERS));
    attack("importers", 1000, strategy, |((ending, text), all, importer)| {
        let path = folder.path().join(format!("f.{ending}"));
        fs::write(&path, damaged(text.as_bytes(), &all)).unwrap();
        read_as(importer, &path, None);
    });
}

/// Names that importers look for.
const KEYS: &[&str] = &[
    "id",
    "n",
    "c",
    "step",
    "input",
    "prompt",
    "score",
    "reward",
    "question_id",
    "label",
    "split",
    "iteration",
    "group_idx",
    "total_reward",
    "doc_id",
    "filter",
    "exact_match",
    "__doc__",
    "__metric__",
    "doc",
    "metric",
    "query",
    "idx",
    "results",
    "completions",
    "name",
    "0",
    "mean@8",
    "é\n",
];

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        (0..9u64).prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
        select(WORDS).prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        let object = prop::collection::vec((select(KEYS), inner.clone()), 0..8);
        let object =
            object.prop_map(|pairs| serde_json::Value::Object(pairs.into_iter().map(|(key, value)| (key.to_string(), value)).collect()));
        prop_oneof![1 => prop::collection::vec(inner, 0..5).prop_map(serde_json::Value::Array), 3 => object]
    })
}

#[test]
fn any_json_is_counts_or_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.json");
    attack("JSON", 1000, (any_json(), select(IMPORTERS), prop::option::of(select(KEYS))), |(value, importer, score)| {
        fs::write(&path, value.to_string()).unwrap();
        read_as(importer, &path, score.map(String::from));
    });
}

#[test]
fn a_damaged_parquet_file_of_samples_is_counts_or_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.parquet");
    let mut table = mta_sim::sims::table::Table::new();
    table.int("step", "", (0..20).map(Some)).text("prompt", "", (0..20).map(|i| format!("p{}", i % 7))).float(
        "reward",
        "",
        (0..20).map(|i| Some(f64::from(i % 2))),
    );
    parquet::write(&table, &path).unwrap();
    let whole = fs::read(&path).unwrap();
    let trl = IMPORTERS.iter().find(|importer| importer.entry.name == "trl").unwrap();
    attack("Parquet samples", 300, some_damage(), |all| {
        fs::write(&path, damaged(&whole, &all)).unwrap();
        read_as(trl, &path, None);
    });
}

//! Weights & Biases, offline: a folder per run, as its client leaves them, for `wandb sync`.
//!
//! A `.wandb` file is a log of blocks of 32 KiB after a header of seven bytes; a record is cut where a block ends, each piece being
//! `crc32(kind, piece): u32, length: u16, kind: u8, piece`. Records are protocol buffers (`wandb/proto/wandb_internal.proto`); only the fields that are
//! needed stand here.

use super::source::{Run, Source};
use super::{Format, Names, count_runs};
use crate::error::Error;
use crate::store::write_whole;
use jiff::Timestamp;
use mta_sims::digest;
use mta_sims::registry::Entry;
use prost::{Message, Oneof};
use serde_json::Value;
use std::path::Path;

/// Offline runs of Weights & Biases.
pub static WANDB_OFFLINE: Format = Format {
    entry: Entry {
        name: "wandb-offline",
        aliases: &["wandb"],
        doc: "a folder wandb/ of offline runs, for wandb sync wandb/offline-run-*",
        formula: "",
        source: "wandb/sdk/internal/datastore.py, wandb/proto/wandb_internal.proto",
        elsewhere: &[],
    },
    write,
};

/// The project that runs are filed under; `wandb sync --project` says otherwise.
const PROJECT: &str = "mta-sim";

/// Digits of a run's id.
const ID_DIGITS: usize = 16;

/// A record of the log.
#[derive(Message)]
struct Record {
    #[prost(int64, tag = "1")]
    num: i64,
    #[prost(oneof = "Kind", tags = "2, 3, 17, 18, 21, 22")]
    kind: Option<Kind>,
}

/// What a record says.
#[derive(Oneof)]
enum Kind {
    #[prost(message, tag = "2")]
    History(History),
    #[prost(message, tag = "3")]
    Summary(Items),
    #[prost(message, tag = "17")]
    Run(About),
    #[prost(message, tag = "18")]
    Exit(Exit),
    #[prost(message, tag = "21")]
    Header(Header),
    #[prost(message, tag = "22")]
    Footer(Footer),
}

/// What was measured at a step.
#[derive(Message)]
struct History {
    #[prost(message, repeated, tag = "1")]
    item: Vec<Item>,
    #[prost(message, optional, tag = "2")]
    step: Option<Step>,
}

#[derive(Message)]
struct Step {
    #[prost(int64, tag = "1")]
    num: i64,
}

/// Named values.
#[derive(Message)]
struct Items {
    #[prost(message, repeated, tag = "1")]
    update: Vec<Item>,
}

/// A name and its value.
#[derive(Clone, Message)]
struct Item {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "16")]
    value_json: String,
}

/// What a run is.
#[derive(Message)]
struct About {
    #[prost(string, tag = "1")]
    run_id: String,
    #[prost(string, tag = "3")]
    project: String,
    #[prost(message, optional, tag = "4")]
    config: Option<Items>,
    #[prost(string, tag = "6")]
    run_group: String,
    #[prost(string, tag = "8")]
    display_name: String,
    #[prost(message, optional, tag = "17")]
    start_time: Option<Time>,
}

/// Seconds since 1970.
#[derive(Message)]
struct Time {
    #[prost(int64, tag = "1")]
    seconds: i64,
}

#[derive(Message)]
struct Exit {
    #[prost(int32, tag = "1")]
    exit_code: i32,
    #[prost(int32, tag = "2")]
    runtime: i32,
}

#[derive(Message)]
struct Header {
    #[prost(message, optional, tag = "1")]
    version_info: Option<Version>,
}

#[derive(Message)]
struct Version {
    #[prost(string, tag = "1")]
    producer: String,
    #[prost(string, tag = "2")]
    min_consumer: String,
}

#[derive(Message)]
struct Footer {}

fn write(source: &Source, folder: &Path) -> Result<(), Error> {
    let (began, group) = (source.written(), source.name());
    let (mut names, mut done) = (Names::default(), 0);
    source.runs(&mut |run| {
        count_runs(source, done)?;
        done += 1;
        let name = names.of(&run.name());
        let id = digest::name(&format!("{group} {name}"))[..ID_DIGITS].to_string();
        let place = folder.join("wandb").join(format!("offline-run-{}-{id}", began.strftime("%Y%m%d_%H%M%S")));
        let files = place.join("files");
        std::fs::create_dir_all(&files).map_err(Error::file(&files, "is no folder to write to"))?;
        let about = About {
            project: PROJECT.into(),
            config: Some(Items { update: run.settings().map(|(name, value)| item(name, &value)).collect() }),
            run_group: group.clone(),
            display_name: name,
            start_time: Some(Time { seconds: began.as_second() }),
            run_id: id.clone(),
        };
        write_whole(&place.join(format!("run-{id}.wandb")), &log(run, about, began))
    })
}

fn item(key: &str, value: &Value) -> Item {
    Item { key: key.into(), value_json: value.to_string() }
}

/// The log of a run.
fn log(run: &Run, about: About, began: Timestamp) -> Vec<u8> {
    let version = Version { producer: env!("CARGO_PKG_VERSION").into(), min_consumer: String::new() };
    let mut kinds = vec![Kind::Header(Header { version_info: Some(version) }), Kind::Run(about)];
    let (mut last, mut runtime) = (Vec::new(), 0);
    for (step, metrics) in run.points() {
        last = metrics.iter().map(|(name, value)| item(name, &Value::from(*value))).collect::<Vec<_>>();
        let own = [("_step", Value::from(step)), ("_runtime", step.into()), ("_timestamp", (began.as_second() + step).into())];
        let items = last.iter().cloned().chain(own.iter().map(|(name, value)| item(name, value))).collect();
        kinds.push(Kind::History(History { item: items, step: Some(Step { num: step }) }));
        runtime = i32::try_from(step).unwrap_or(i32::MAX);
    }
    kinds.extend([Kind::Summary(Items { update: last }), Kind::Exit(Exit { exit_code: 0, runtime }), Kind::Footer(Footer {})]);
    let mut log = Log::new();
    (1..).zip(kinds).for_each(|(num, kind)| log.add(&Record { num, kind: Some(kind) }.encode_to_vec()));
    log.0
}

/// Bytes of a block, and of what stands before each piece of a record.
const BLOCK: usize = 32_768;
const HEAD: usize = 7;

/// A log in the format of LevelDB's, with its client's own header and checksum.
struct Log(Vec<u8>);

impl Log {
    fn new() -> Self {
        Log([&b":W&B"[..], &0xbee1_u16.to_le_bytes(), &[0]].concat())
    }

    fn add(&mut self, record: &[u8]) {
        let room = |log: &Self| BLOCK - log.0.len() % BLOCK;
        let (mut rest, mut first) = (record, true);
        while first || !rest.is_empty() {
            if room(self) < HEAD {
                self.0.resize(self.0.len() + room(self), 0);
            }
            let (piece, after) = rest.split_at(rest.len().min(room(self) - HEAD));
            self.piece(piece, first, after.is_empty());
            (rest, first) = (after, false);
        }
    }

    fn piece(&mut self, piece: &[u8], first: bool, last: bool) {
        let kind: u8 = match (first, last) {
            (true, true) => 1,
            (true, false) => 2,
            (false, false) => 3,
            (false, true) => 4,
        };
        let mut check = crc32fast::Hasher::new();
        check.update(&[kind]);
        check.update(piece);
        self.0.extend(check.finalize().to_le_bytes());
        self.0.extend(u16::try_from(piece.len()).expect("a piece fits into a block").to_le_bytes());
        self.0.push(kind);
        self.0.extend(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::source::tests::{POINTS, trained};

    fn values(items: &[Item]) -> Vec<(&str, Value)> {
        items.iter().map(|item| (item.key.as_str(), serde_json::from_str(&item.value_json).unwrap())).collect()
    }

    #[test]
    fn every_number_is_there_at_its_step_and_the_last_in_the_summary() {
        let (folder, source) = trained();
        write(&source, folder.path()).unwrap();
        let run = std::fs::read_dir(folder.path().join("wandb")).unwrap().next().unwrap().unwrap().path();
        let file = std::fs::read_dir(&run).unwrap().map(|e| e.unwrap().path()).find(|path| path.is_file()).unwrap();
        let records: Vec<Record> = records(&std::fs::read(file).unwrap()).iter().map(|r| Record::decode(r.as_slice()).unwrap()).collect();
        assert!(records.iter().zip(1..).all(|(record, num)| record.num == num));
        let [
            Some(Kind::Header(_)),
            Some(Kind::Run(about)),
            history @ ..,
            Some(Kind::Summary(last)),
            Some(Kind::Exit(exit)),
            Some(Kind::Footer(_)),
        ] = &records.iter().map(|r| r.kind.as_ref()).collect::<Vec<_>>()[..]
        else {
            panic!("{} records", records.len())
        };
        let settings = values(&about.config.as_ref().unwrap().update);
        assert_eq!(
            (about.display_name.as_str(), settings),
            ("majority,seed=3.0", vec![("recipe", "majority".into()), ("seed", 3.0.into())])
        );
        assert_eq!((exit.exit_code, exit.runtime), (0, 4));
        for (record, (step, metrics)) in history.iter().zip(POINTS) {
            let Some(Kind::History(history)) = record else { panic!("a history") };
            let mut expected: Vec<(&str, Value)> = metrics.iter().map(|(name, value)| (*name, Value::from(*value))).collect();
            expected.extend([("_step", step.into()), ("_runtime", step.into())]);
            let began = about.start_time.as_ref().unwrap().seconds;
            expected.push(("_timestamp", (began + step).into()));
            assert_eq!((history.step.as_ref().unwrap().num, values(&history.item)), (step, expected));
        }
        assert_eq!((history.len(), values(&last.update)), (POINTS.len(), vec![("reward", 0.5.into())]));
    }

    /// Records of a log, as its reader puts them together.
    fn records(log: &[u8]) -> Vec<Vec<u8>> {
        let (mut at, mut all): (usize, Vec<Vec<u8>>) = (HEAD, Vec::new());
        while at < log.len() {
            if BLOCK - at % BLOCK < HEAD {
                at += BLOCK - at % BLOCK;
                continue;
            }
            let length = usize::from(u16::from_le_bytes([log[at + 4], log[at + 5]]));
            let piece = &log[at + HEAD..at + HEAD + length];
            assert_eq!(crc32fast::hash(&log[at + HEAD - 1..at + HEAD + length]).to_le_bytes(), log[at..at + 4]);
            if log[at + 6] <= 2 {
                all.push(Vec::new());
            }
            all.last_mut().unwrap().extend(piece);
            at += HEAD + length;
        }
        all
    }

    #[test]
    fn records_come_back_wherever_blocks_end() {
        let (mut log, mut written) = (Log::new(), Vec::new());
        for length in [0, 1, 10, BLOCK - 50, 9, 3, 2 * BLOCK, 7, BLOCK, 70_000, 5] {
            let record: Vec<u8> = (0..length).map(|i| (i * 7 + length) as u8).collect();
            log.add(&record);
            written.push(record);
        }
        assert_eq!(records(&log.0), written);
    }
}

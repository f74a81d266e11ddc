//! TensorBoard: a folder per run with one event file of its curves.
//!
//! An event file is a sequence of records, each `length: u64, check(length): u32, data, check(data): u32`, little-endian, the check being a masked CRC-32C;
//! data are protocol buffers (`tensorflow/core/util/event.proto`). Simulated steps have no time of day: a step is taken to last a second, the first
//! beginning when the run's tables were written.

use super::source::{Run, Source};
use super::{Format, Names, count_runs};
use crate::error::Error;
use crate::store::write_whole;
use mta_sims::registry::Entry;
use prost::Message;
use std::path::Path;

/// TensorBoard's event files.
pub static TENSORBOARD: Format = Format {
    entry: Entry {
        name: "tensorboard",
        aliases: &["tb"],
        doc: "a folder of event files per run, for tensorboard --logdir",
        formula: "",
        source: "tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto",
        elsewhere: &[],
    },
    write,
};

/// Name of an event file: TensorBoard wants `tfevents` in it.
const FILE: &str = "events.out.tfevents.0000000000.mta-sim";

/// A point in time of a log.
#[derive(Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

/// What was measured then.
#[derive(Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Scalar>,
}

/// One of these numbers.
#[derive(Message)]
struct Scalar {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

fn write(source: &Source, folder: &Path) -> Result<(), Error> {
    let (mut names, mut done, began) = (Names::default(), 0, source.written().as_second());
    source.runs(&mut |run| {
        count_runs(source, done)?;
        done += 1;
        let place = folder.join(names.of(&run.name()));
        std::fs::create_dir_all(&place).map_err(Error::file(&place, "is no folder to write to"))?;
        write_whole(&place.join(FILE), &events(run, began))
    })
}

/// The event file of a run.
fn events(run: &Run, began: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    record(&mut bytes, &Event { wall_time: began as f64, file_version: Some("brain.Event:2".into()), ..Event::default() });
    for (step, metrics) in run.points() {
        let scalar = |(tag, value): (&str, f64)| Scalar { tag: tag.into(), simple_value: Some(value as f32) };
        let summary = Summary { value: metrics.into_iter().map(scalar).collect() };
        record(&mut bytes, &Event { wall_time: (began + step) as f64, step, file_version: None, summary: Some(summary) });
    }
    bytes
}

fn record(out: &mut Vec<u8>, event: &Event) {
    let data = event.encode_to_vec();
    let length = (data.len() as u64).to_le_bytes();
    out.extend(length);
    out.extend(masked(&length));
    out.extend(&data);
    out.extend(masked(&data));
}

/// CRC-32C, turned by 15 bits and shifted, as TensorFlow's record files have it.
fn masked(data: &[u8]) -> [u8; 4] {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::source::tests::{POINTS, trained};

    /// Events of a file as its reader sees them: lengths and checks must be right.
    fn read(mut bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        while !bytes.is_empty() {
            let (length, rest) = bytes.split_at(8);
            let size = u64::from_le_bytes(length.try_into().unwrap()) as usize;
            assert_eq!(rest[..4], masked(length));
            assert_eq!(rest[4 + size..8 + size], masked(&rest[4..4 + size]));
            events.push(Event::decode(&rest[4..4 + size]).unwrap());
            bytes = &rest[8 + size..];
        }
        events
    }

    #[test]
    fn every_number_is_there_at_its_step() {
        let (folder, source) = trained();
        write(&source, folder.path()).unwrap();
        let events = read(&std::fs::read(folder.path().join("majority,seed=3.0").join(FILE)).unwrap());
        assert_eq!(events[0].file_version.as_deref(), Some("brain.Event:2"));
        let began = events[0].wall_time;
        let points: Vec<(i64, Vec<(&str, f64)>)> = events[1..]
            .iter()
            .map(|event| {
                assert_eq!(event.wall_time, began + event.step as f64);
                let scalars = event.summary.iter().flat_map(|s| &s.value);
                (event.step, scalars.map(|s| (s.tag.as_str(), f64::from(s.simple_value.unwrap()))).collect())
            })
            .collect();
        assert_eq!(points, POINTS.map(|(step, metrics)| (step, metrics.to_vec())));
    }

    #[test]
    fn checks_are_those_of_tensorflow() {
        // The first twelve bytes of a file that TensorFlow 2 wrote: a record of 24 bytes.
        assert_eq!([&24u64.to_le_bytes()[..], &masked(&24u64.to_le_bytes())].concat(), [24, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22]);
    }
}

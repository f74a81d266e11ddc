#![doc = include_str!("../README.md")]
//!
//! # The program as a library: from settings to cells, tables and figures
//!
//! ```text
//! cli        the command line, made from the list of knobs
//! settings   file and flags in layers            grid      numbers as people write them
//! plan       grid points x recipes x seeds       resolved  the settings as run
//! engine     what runs a cell                    gpu, greenhouse  a GPU and grown transformers as engines
//! bridge     forecasts, then transformers, then verdicts: the llm rung
//! shard      the parts of a plan, run anywhere   gather    their cells as tables
//! runner     pending cells on all threads        stop      being asked to stop
//! status     how far shards have come            slurm     an array of shards
//! store/     plan, journals, Parquet, locks      tables    results and history
//! id         names of cells                      estimate  --dry-run: what a plan is expected to take
//! groups     results by grid point and recipe    report    the table and the sentence
//! sweep      from the plan to the tables         progress  bars on a terminal
//! page/      runs as one HTML file, and served   commands/ one file per subcommand
//! verify     seeds until claims are decided      verdicts  their table, Markdown and JSON
//! study      the runs that figures need         bench      engines against the machine
//! export/    runs for other tools               import/    pass counts from other tools
//! ```
//!
//! Data flows one way: this crate -> [`mta_figures`], [`mta_llm`] -> [`mta_sims`] -> [`mta_theory`].

pub use {mta_figures as figures, mta_llm as llm, mta_sims as sims, mta_theory as theory};

pub mod bench;
pub mod bridge;
pub mod cli;
pub mod commands;
pub mod engine;
pub mod error;
pub mod estimate;
pub mod export;
pub mod gather;
pub mod gpu;
pub mod greenhouse;
pub mod grid;
pub mod groups;
pub mod id;
pub mod import;
pub mod page;
pub mod plan;
pub mod progress;
pub mod report;
pub mod resolved;
pub mod runner;
pub mod settings;
pub mod shard;
pub mod slurm;
pub mod status;
pub mod stop;
pub mod store;
pub mod study;
pub mod sweep;
pub mod tables;
pub mod verdicts;
pub mod verify;

#![doc = include_str!("../README.md")]
//!
//! # The program as a library: from settings to cells, tables and figures
//!
//! ```text
//! cli        the command line, made from the list of knobs
//! settings   file and flags in layers            grid      numbers as people write them
//! plan       grid points x recipes x seeds       resolved  the settings as run
//! engine     what runs a cell                    greenhouse  grown transformers as an engine
//! bridge     forecasts, then transformers, then verdicts: the llm rung
//! runner     pending cells on all threads        estimate  --dry-run
//! store/     journal, Parquet, manifest          tables    results and history
//! groups     results by grid point and recipe    report    the table and the sentence
//! page/      runs as one HTML file, and served   commands/ one file per subcommand
//! verify     seeds until claims are decided      verdicts  their table, Markdown and JSON
//! study      the runs that figures need         bench      engines against the machine
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
pub mod greenhouse;
pub mod grid;
pub mod groups;
pub mod page;
pub mod plan;
pub mod report;
pub mod resolved;
pub mod runner;
pub mod settings;
pub mod store;
pub mod study;
pub mod tables;
pub mod verdicts;
pub mod verify;

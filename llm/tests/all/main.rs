//! What language models are held to, in one program: a file for each subject.

mod cells;
mod chat;
mod common;
mod config;
mod data;
mod folder;
mod fused;
mod grown;
mod lora;
mod math;
mod measure;
mod memory;
mod optimizer;
mod parity;
mod real_outputs;
mod rl_step;
mod rules;
mod tasks;
mod train;

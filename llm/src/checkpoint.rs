//! Checkpoints: everything a training run needs to go on as if it had never stopped.
//!
//! ```text
//! checkpoints/step-20/    the model as a Hugging Face folder, or the adapter as peft's
//!   optimizer.safetensors    moments of AdamW: NAME.exp_avg, NAME.exp_avg_sq
//!   trainer_state.json       steps done, PPO's critic, the prompts trained on
//! ```
//! A checkpoint appears whole or not at all (see [`atomic`]); folders that begin with a dot are none.

use crate::architecture::Parameter;
use crate::atomic;
use crate::error::{Error, Result};
use crate::folder::{self, Generation, Wanted};
use crate::json;
use crate::lora::Adapter;
use crate::model::Model;
use crate::policy::LanguageModel;
use candle_core::Tensor;
use mta_sims::run::Progress;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

const OPTIMIZER: &str = "optimizer.safetensors";
const STATE: &str = "trainer_state.json";
/// What torch calls the two moments.
const MOMENTS: [&str; 2] = ["exp_avg", "exp_avg_sq"];

/// What a run remembers besides numbers of the model and its optimiser.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Updates of the optimiser.
    pub optimizer_steps: usize,
    /// Steps done, and the critic.
    pub progress: Progress,
    /// Prompts trained on.
    pub chosen: Vec<usize>,
}

/// The folder of a run's checkpoints.
pub fn shelf(run: &Path) -> PathBuf {
    run.join("checkpoints")
}

/// Saves what `policy` has become after `state`, beside the other checkpoints of `run`; `base` is the folder the model came from.
///
/// # Errors
/// When the disk refuses.
pub fn save(run: &Path, policy: &LanguageModel, state: &State, base: &Path) -> Result<()> {
    let place = shelf(run).join(format!("step-{}", state.progress.step));
    atomic::folder(&place, |partial| {
        model_to(partial, &policy.model, base)?;
        moments_to(&partial.join(OPTIMIZER), policy)?;
        folder::write(&partial.join(STATE), &serde_json::to_value(state).expect("numbers always serialise"))
    })
}

/// Puts the trained part at `folder`: the adapter where there is one, else the model with the companions of `base`.
///
/// # Errors
/// When the disk refuses.
pub fn model_to(folder: &Path, model: &Model, base: &Path) -> Result<()> {
    match model.weights.adapter() {
        Some(adapter) => adapter.save(folder),
        None => folder::save(folder, model, &Generation::read(base)?, Some(base)),
    }
}

fn moments_to(path: &Path, policy: &LanguageModel) -> Result<()> {
    let trained = policy.model.trainable();
    let moments = policy.adam.moments(trained.vars())?;
    let named: Vec<(String, &Tensor)> = trained
        .iter()
        .zip(&moments)
        .flat_map(|((name, _), (mean, square))| MOMENTS.into_iter().zip([mean, square]).map(move |(m, t)| (format!("{name}.{m}"), t)))
        .collect();
    folder::tensors_to(path, &named.iter().map(|(name, tensor)| (name.as_str(), *tensor)).collect::<Vec<_>>())
}

/// The checkpoints of `run` by step, the last one last.
///
/// # Errors
/// When the folder is there and cannot be listed.
pub fn list(run: &Path) -> Result<Vec<(usize, PathBuf)>> {
    let shelf = shelf(run);
    if !shelf.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&shelf).map_err(Error::file(&shelf, "cannot be listed"))? {
        let path = entry.map_err(Error::file(&shelf, "cannot be listed"))?.path();
        let step = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_prefix("step-")).and_then(|n| n.parse().ok());
        found.extend(step.map(|step| (step, path)));
    }
    found.sort_unstable();
    Ok(found)
}

/// Removes all but the last `limit` checkpoints (Hugging Face: `save_total_limit`).
///
/// # Errors
/// When the disk refuses.
pub fn prune(run: &Path, limit: usize) -> Result<()> {
    let all = list(run)?;
    let old = all.len().saturating_sub(limit);
    all[..old].iter().try_for_each(|(_, path)| std::fs::remove_dir_all(path).map_err(Error::file(path, "cannot be removed")))
}

/// Puts `policy`, which must hold the base model, where the checkpoint at `path` left it.
///
/// # Errors
/// A missing or damaged file, or one of another model.
pub fn restore(path: &Path, policy: &mut LanguageModel) -> Result<State> {
    let state_path = path.join(STATE);
    let damaged = |e: serde_json::Error| Error::damaged(&state_path, format!("not the state of a run: {e}"));
    let state: State = serde_json::from_value(json::read(&state_path)?).map_err(damaged)?;
    policy.model = trained(path, &policy.model)?;
    let moments = moments(&path.join(OPTIMIZER), &policy.model)?;
    policy.adam.restore(state.optimizer_steps, &moments)?;
    Ok(state)
}

/// `base` with the trained part that lies at `path`.
fn trained(path: &Path, base: &Model) -> Result<Model> {
    let (dtype, device) = (base.weights.dtype(), base.weights.device());
    if base.weights.adapter().is_some() {
        let adapter = Adapter::load(path, &base.architecture, dtype, device)?;
        return Ok(Model { architecture: base.architecture.clone(), weights: base.weights.clone().adapted(adapter) });
    }
    let model = folder::load(path, dtype, device)?;
    if model.architecture == base.architecture {
        Ok(model)
    } else {
        Err(Error::damaged(path, "holds a model of another shape than its run's"))
    }
}

fn moments(path: &Path, model: &Model) -> Result<Vec<(Tensor, Tensor)>> {
    let trained = model.trainable();
    let shapes =
        trained.iter().flat_map(|(name, var)| MOMENTS.map(|m| Parameter { name: format!("{name}.{m}"), shape: var.dims().to_vec() }));
    let wanted = Wanted { parameters: shapes.collect(), config: "the model", passed_over: |_| false };
    let read = wanted.read(path, std::slice::from_ref(&path.to_path_buf()), trained.dtype(), trained.device())?;
    let tensors: Vec<Tensor> = read.iter().map(|(_, var)| var.as_tensor().clone()).collect();
    Ok(tensors.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect())
}

//! Wrong labels on a share of the prompts, fixed for the prompt: there a wrong answer earns 1 and the truth 0.

use super::{Signal, indicator};
use crate::registry::Entry;
use crate::rollout::{Group, Rollout};

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "label_noise",
        aliases: &[],
        doc: "Wrong labels on a share of the prompts, fixed for the prompt: there a wrong answer earns 1 and the truth 0.",
        formula: "r = 1[answer = label(x)], label(x) wrong with probability label_noise",
        source: "One-Shot-RLVR, author's remarks; correlated within a prompt, unlike noisy",
        elsewhere: &[],
    },
    label_free: false,
    params: &["label_noise"],
    shuffles: false,
    pay: |group, p| indicator(group, |r| matches_label(group, r, p.label_noise)),
};

fn matches_label(group: &Group, rollout: &Rollout, noise: f64) -> bool {
    if group.label.luck < noise { Some(rollout.answer) == group.label.wrong } else { rollout.correct }
}

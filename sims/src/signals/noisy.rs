//! A verifier that errs independently on every rollout.

use super::{Signal, coin};
use crate::registry::Entry;

/// The signal.
pub(super) static SIGNAL: Signal = Signal {
    entry: Entry {
        name: "noisy",
        aliases: &[],
        doc: "A verifier that errs independently on every rollout.",
        formula: "P(r = 1 | correct) = tpr, P(r = 1 | incorrect) = fpr; J = tpr - fpr",
        source: "Rad et al., arXiv 2601.04411",
        elsewhere: &[],
    },
    label_free: false,
    params: &["tpr", "fpr"],
    shuffles: false,
    pay: |group, p| coin(group, |r| if r.correct { p.tpr } else { p.fpr }),
};

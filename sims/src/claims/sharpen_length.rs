//! What a sum of log-probabilities does to length, and what their mean does.

use super::lab::{first, last, recipe};
use super::settings::paid_by;
use super::{Claim, Part, Rung, SHARPENING, Trial, Verdict};
use mta_theory::length::{normalised_drift, summed_drift};

/// The longest response.
const DEPTH: usize = 12;

/// Log-odds of the end token that make a step stop with probability .24, and .73: the likeliest other token, of three, stands at 4 sqrt 2 nats.
const RARE_STOP: f64 = 4.5;
const LIKELY_STOP: f64 = 6.66;

/// By how much the mean length must change, as a share of the longest.
const CHANGE: f64 = 0.02;

pub(super) static CLAIM: Claim = Claim {
    id: "sharpen-length",
    paper: SHARPENING,
    statement: "Summed log-probability shortens responses, the length-normalised one lengthens them.",
    prediction: "mean length falls by at least 2 % of the longest with log_policy, and rises by as much with logprob_mean; both in most worlds; in \
                 theory the signs of both drifts",
    finding: "The second half has a condition: the normalised reward lengthens only where a step is less likely to stop than to go on (P21); a base model \
              that prefers to stop is shortened by both. The paper's version holds for long responses.",
    trials: &[
        Trial {
            rung: Rung::Theory,
            expected: Verdict::Holds,
            parts: || [0.05, 0.2, 0.45].into_iter().flat_map(drifts).collect(),
            dropped: "stopping is rarer than going on: stop probability .8",
            counterexample: || vec![Part::exact("normalised, stop .8", -normalised_drift(0.8))],
        },
        Trial {
            rung: Rung::Tree,
            expected: Verdict::Holds,
            parts: || vec![shortens("log_policy", RARE_STOP), lengthens("logprob_mean", RARE_STOP)],
            dropped: "stopping is rarer than going on: the end token far likelier than any other",
            counterexample: || vec![lengthens("logprob_mean", LIKELY_STOP)],
        },
    ],
};

fn drifts(stop: f64) -> [Part; 2] {
    [
        Part::exact(format!("summed, stop {stop}"), summed_drift(stop, 1.0)),
        Part::exact(format!("normalised, stop {stop}"), -normalised_drift(stop)),
    ]
}

fn shortens(signal: &'static str, end_logit: f64) -> Part {
    changes(format!("{signal} shortens"), signal, end_logit, -1.0)
}

fn lengthens(signal: &'static str, end_logit: f64) -> Part {
    changes(format!("{signal} lengthens"), signal, end_logit, 1.0)
}

fn changes(place: String, signal: &'static str, end_logit: f64, sign: f64) -> Part {
    Part::in_most_worlds(place, move |lab| {
        let ready = recipe("self-sharpen", |c| {
            (c.world.end_token, c.world.end_logit, c.world.depth) = (true, end_logit, DEPTH);
            (c.world.vocab, c.world.good_tokens, c.world.bad_quality) = (3, 1, 0.0);
            (c.world.alignment, c.world.confidence, c.world.idiosyncrasy) = (1.0, 4.0, 0.2);
            (c.world.prompts, c.world.held_out) = (16, 16);
        });
        let curves = lab.run(&paid_by(ready, signal));
        let length = "held_out/mean_length";
        sign * (last(&curves, length) - first(&curves, length)) / DEPTH as f64 >= CHANGE
    })
}

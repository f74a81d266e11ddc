//! The task: which responses are right. It depends on the seed and on the task's own knobs, never on alignment or any other part of the prior.

use crate::config::World as Settings;
use crate::knob::KnobError;
use crate::leaves::Leaves;
use crate::rollout::Label;
use crate::stream::{Purpose, Seed};
use ndarray::{Array1, Array2, Array3, Axis};
use ndarray_rand::RandomExt;
use ndarray_rand::rand_distr::{Beta, Open01, StandardNormal};
use rand::Rng;
use std::sync::Arc;

/// Prompts and the truth about every token.
///
/// A response is a path of at most H tokens out of V. It is correct iff every token is right for the prompt and keeps the response well formed, and
/// (worlds with an end token) it has at least as many tokens as the prompt needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// The knobs it was made with.
    pub settings: Settings,
    /// Chance `q[h, v]` that token v is right at depth h, `[H, V]`.
    pub quality: Array2<f64>,
    /// Whether token v is right for prompt x at depth h and well formed, `[P + P', H, V]`.
    right: Array3<bool>,
    /// Whether a token keeps the response well formed, `[H, V]`.
    formatted: Array2<bool>,
    /// Tokens a correct response needs, `[P + P']`.
    work: Vec<usize>,
    labels: Vec<Label>,
    /// The right ones among the responses whose tokens are all right, where they are listed.
    leaves: Option<Arc<Leaves>>,
}

/// What a verifier says about a response.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// The answer given.
    pub answer: u128,
    /// Whether it is right.
    pub correct: bool,
    /// Whether it is well formed.
    pub formatted: bool,
}

impl Task {
    /// Draws the task of `seed`. Every row of the truth table has its own stream, so prompts, depths and tokens can be added without changing the rest.
    ///
    /// # Errors
    /// When all qualities of a depth are equal, so that no prior can correlate with them.
    pub fn new(settings: &Settings, seed: Seed) -> Result<Self, KnobError> {
        let quality = qualities(settings, seed);
        if quality.axis_iter(Axis(0)).any(|row| row.iter().all(|q| *q == row[0])) {
            return Err(KnobError::new(
                "good_tokens",
                settings.good_tokens,
                "leaves tokens of equal quality only; alignment needs some to be better than others",
            ));
        }
        let formatted = well_formed(settings, seed);
        let right = truth(settings, seed, &quality, &formatted);
        let work = (0..settings.all_prompts()).map(|x| work(settings, seed, x)).collect();
        Ok(Task { settings: settings.clone(), quality, right, formatted, work, labels: Vec::new(), leaves: None }.labelled(seed))
    }

    /// A task whose truth is given: `right[x, h, v]` says whether token v is right for prompt x at depth h. The first `prompts` prompts are trained on, the
    /// rest held out; every response is well formed and long enough. The quality of a token is the share of prompts it is right for.
    ///
    /// # Panics
    /// When `right` is empty in any direction, or has fewer than `prompts` prompts.
    pub fn explicit(right: Array3<bool>, prompts: usize, seed: Seed) -> Self {
        let (all, depth, vocab) = right.dim();
        assert!(all >= prompts && all * depth * vocab > 0, "a task needs prompts, depths and tokens, not {:?}", right.dim());
        let settings = Settings { prompts, held_out: all - prompts, depth, vocab, ..Settings::DEFAULT };
        let quality = right.mapv(f64::from).mean_axis(Axis(0)).expect("there are prompts");
        let formatted = Array2::from_elem((depth, vocab), true);
        Task { settings, quality, right, formatted, work: vec![0; all], labels: Vec::new(), leaves: None }.labelled(seed)
    }

    /// The same task where a response with a token that `formatted[h, v]` denies is ill formed, and never correct.
    ///
    /// # Panics
    /// When the shape is not `[H, V]`.
    pub fn gated(mut self, formatted: Array2<bool>) -> Self {
        assert_eq!(formatted.dim(), self.formatted.dim(), "one flag per depth and token");
        for ((_, h, v), right) in self.right.indexed_iter_mut() {
            *right &= formatted[[h, v]];
        }
        self.formatted = formatted;
        self
    }

    /// The same task where of the responses to any prompt only those of `leaves` are right.
    pub(crate) fn listed(mut self, leaves: Leaves, seed: Seed) -> Self {
        self.leaves = Some(Arc::new(leaves));
        self.labelled(seed)
    }

    /// The right responses, where they are listed.
    pub(crate) fn leaves(&self) -> Option<&Leaves> {
        self.leaves.as_deref()
    }

    fn labelled(mut self, seed: Seed) -> Self {
        self.labels = (0..self.settings.all_prompts()).map(|x| self.draw_label(seed, x)).collect();
        self
    }

    /// Whether token `v` is right (and well formed) for `prompt` at `depth`.
    pub fn is_right(&self, prompt: usize, depth: usize, v: usize) -> bool {
        self.right[[prompt, depth, v]]
    }

    /// Whether each token keeps a response well formed, `[H, V]`.
    pub fn formatted(&self) -> &Array2<bool> {
        &self.formatted
    }

    /// Whether each token is right for `prompt` at `depth`, `[V]`.
    pub fn right_row(&self, prompt: usize, depth: usize) -> &[bool] {
        let start = (prompt * self.settings.depth + depth) * self.settings.vocab;
        &self.right.as_slice().expect("the table is contiguous")[start..start + self.settings.vocab]
    }

    /// Right tokens that `prompt` needs for an answer.
    pub fn needs(&self, prompt: usize) -> usize {
        self.work[prompt]
    }

    /// Whether stopping after `tokens` right tokens answers `prompt`.
    pub fn is_enough(&self, prompt: usize, tokens: usize) -> bool {
        tokens >= self.needs(prompt)
    }

    /// The label of `prompt` in a noisy data set.
    pub fn label(&self, prompt: usize) -> Label {
        self.labels[prompt]
    }

    /// The truth table, `[P + P', H, V]`.
    pub fn truth(&self) -> &Array3<bool> {
        &self.right
    }

    /// Judges the response `tokens` (with its end token, if it has one).
    pub fn judge(&self, prompt: usize, tokens: impl Iterator<Item = u32> + Clone) -> Verdict {
        let content = tokens.clone().filter(|t| (*t as usize) < self.settings.vocab).enumerate();
        let formatted = content.clone().all(|(h, t)| self.formatted[[h, t as usize]]);
        let right = content.clone().all(|(h, t)| self.is_right(prompt, h, t as usize));
        let listed =
            self.leaves().is_none_or(|leaves| leaves.contains(content.clone().fold(0, |code, (_, t)| leaves.extend(code, t as usize))));
        Verdict { answer: self.code(tokens), correct: right && listed && self.is_enough(prompt, content.count()), formatted }
    }

    /// A number that names a path of tokens; no two paths share one.
    pub fn code(&self, tokens: impl Iterator<Item = u32>) -> u128 {
        tokens.fold(0, |code, t| self.extend(code, t))
    }

    /// The code of a path one token longer.
    pub fn extend(&self, code: u128, token: u32) -> u128 {
        code * (self.settings.widest() as u128 + 1) + u128::from(token) + 1
    }

    /// The path with this code.
    pub(crate) fn tokens(&self, code: u128) -> Vec<u32> {
        let base = self.settings.widest() as u128 + 1;
        let shorter = |code: &u128| Some((code - 1) / base).filter(|code| *code > 0);
        let mut tokens: Vec<u32> =
            std::iter::successors(Some(code).filter(|code| *code > 0), shorter).map(|code| ((code - 1) % base) as u32).collect();
        tokens.reverse();
        tokens
    }

    /// The label of prompt `x`: its luck, and the first wrong answer of 64 uniformly random ones.
    fn draw_label(&self, seed: Seed, x: usize) -> Label {
        let mut stream = seed.stream(Purpose::Label, 0, slot(&self.settings, x));
        let luck = stream.sample(Open01);
        let vocab = self.settings.vocab as u32;
        let mut path = || (0..self.settings.depth).map(|_| stream.random_range(0..vocab)).collect::<Vec<_>>();
        let wrong = (0..64).map(|_| self.judge(x, path().into_iter())).find(|v| !v.correct).map(|v| v.answer);
        Label { luck, wrong }
    }
}

/// The stream slot of a prompt: held-out prompts count from 2^31, so that the number of training prompts does not change them.
pub(crate) fn slot(settings: &Settings, prompt: usize) -> usize {
    if prompt < settings.prompts { prompt } else { (1 << 31) + prompt - settings.prompts }
}

/// q after the `difficulty` shift, `[H, V]`: the good tokens first.
fn qualities(s: &Settings, seed: Seed) -> Array2<f64> {
    let mut quality = Array2::zeros((s.depth, s.vocab));
    for (h, mut row) in quality.axis_iter_mut(Axis(0)).enumerate() {
        let drawn = bad_qualities(s.bad_quality, s.vocab, seed, h);
        row.iter_mut().zip(drawn).enumerate().for_each(|(v, (q, bad))| *q = if v < s.good_tokens { s.good_quality } else { bad });
        row.mapv_inplace(|q| harder(q, s.difficulty));
    }
    quality
}

fn bad_qualities(mean: f64, vocab: usize, seed: Seed, depth: usize) -> Array1<f64> {
    let mut stream = seed.stream(Purpose::Quality, depth, 0);
    match Beta::new(1.0, 1.0 / mean - 1.0) {
        Ok(law) => Array1::random_using(vocab, law, &mut stream),
        Err(_) => Array1::zeros(vocab),
    }
}

/// The probability whose log-odds are `nats` lower.
fn harder(q: f64, nats: f64) -> f64 {
    if nats == 0.0 { q } else { 1.0 / (1.0 + (1.0 - q) / q * nats.exp()) }
}

fn well_formed(s: &Settings, seed: Seed) -> Array2<bool> {
    let mut formatted = Array2::from_elem((s.depth, s.vocab), true);
    for (h, mut row) in formatted.axis_iter_mut(Axis(0)).enumerate() {
        let mut stream = seed.stream(Purpose::Format, h, 0);
        row.mapv_inplace(|_| stream.random::<f64>() < s.format_rate);
    }
    formatted
}

fn truth(s: &Settings, seed: Seed, quality: &Array2<f64>, formatted: &Array2<bool>) -> Array3<bool> {
    let mut right = Array3::from_elem((s.all_prompts(), s.depth, s.vocab), false);
    for ((x, h), mut row) in right.lanes_mut(Axis(2)).into_iter().enumerate().map(|(i, row)| ((i / s.depth, i % s.depth), row)) {
        let own: f64 = seed.stream(Purpose::Difficulty, 0, slot(s, x)).sample(StandardNormal);
        let mut stream = seed.stream(Purpose::Truth, h, slot(s, x));
        for (v, cell) in row.iter_mut().enumerate() {
            let lucky = stream.random::<f64>() < harder(quality[[h, v]], s.difficulty_spread * own);
            *cell = lucky && formatted[[h, v]];
        }
    }
    right
}

/// Tokens prompt `x` needs: uniform on 1..=H with an end token, else any full response is long enough.
fn work(s: &Settings, seed: Seed, x: usize) -> usize {
    if s.end_token { seed.stream(Purpose::Work, 0, slot(s, x)).random_range(1..=s.depth) } else { 0 }
}

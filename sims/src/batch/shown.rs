//! What the draws of one group show to a signal, replica by replica: the batched engine's side of [`Seen`].

use super::flow::{Flow, Pushes};
use super::lanes::Lanes;
use super::memory;
use super::number::{Lane, Mask, Threshold};
use crate::seen::Seen;
use crate::signals::{Params, Rates, Written};
use std::f32::consts::LN_2;

/// The draws of one group in one vector of replicas.
#[derive(Clone, Copy)]
pub struct Shown<'a, S: Lanes> {
    /// The backend.
    pub s: S,
    /// Parameters of amounts.
    pub params: &'a Params<Lane<S>>,
    /// Coins.
    pub coins: Coins<'a, S>,
    /// What tells the answer of every draw from the others: `arm * LANES + lane` in a bandit, else the number of the first draw of the same path.
    pub answer: &'a [S::u32s],
    /// `token * LANES + lane` of the first token of every draw.
    pub opening: &'a [S::u32s],
    /// Whether each draw is right.
    pub right: &'a [S::m32s],
    /// Whether each draw is well formed.
    pub formatted: &'a [S::m32s],
    /// Log-probabilities, entropies and certainties.
    pub scores: Scores<'a, S>,
    /// Whether the label is wrong.
    pub mislabelled: S::m32s,
    /// The answer a wrong label names; no draw's where none gives it.
    pub wrong_label: S::u32s,
    /// Chance that others succeed.
    pub others_succeed: S::f32s,
    /// Votes of the group, where a signal looks at them.
    pub votes: Votes<'a, S>,
    /// Lane numbers.
    pub iota: S::u32s,
}

/// What is done with coins.
#[derive(Clone, Copy)]
pub enum Coins<'a, S: Lanes> {
    /// They are tossed.
    Tossed {
        /// A word for each draw.
        words: &'a [S::u32s],
        /// Words that pay.
        rates: &'a Rates<Threshold<S>>,
    },
    /// Their probability is told.
    Split(&'a Rates<Lane<S>>),
}

/// Log-probabilities, entropies and certainties of the draws of one group. A struct and not an enum, whose parts would be copied about in memory.
#[derive(Clone, Copy)]
pub struct Scores<'a, S: Lanes> {
    /// Those of every draw, where draws are paths. All but the length is no number where the formula does not say that it looks at scores. Of arms, they are found
    /// when they are asked for, in what follows.
    pub paths: Option<&'a [Path<S>]>,
    /// Where the draws are all arms in order, each once: their log-probabilities under the base model, in nats.
    pub listed: Option<&'a [Lane<S>]>,
    /// Logits by arm, in units of log 2.
    pub logits: &'a [S::f32s],
    /// What is still to be added to them, where something is.
    pub gained: Option<&'a [S::f32s]>,
    /// log2 of the sum of weights 2^logit.
    pub log_sum: S::f32s,
    /// Base log-probabilities by arm, in units of log 2.
    pub base: &'a [S::f32s],
    /// Entropy of the policy, in nats.
    pub entropy: S::f32s,
    /// Its certainty, in nats; no number until the draws are about to be paid.
    pub certainty: S::f32s,
}

/// Sums and means over the tokens of a path, in nats.
#[derive(Clone, Copy)]
pub struct Path<S: Lanes> {
    /// Number of tokens.
    pub length: S::f32s,
    /// log pi.
    pub logprob: S::f32s,
    /// log pi under the base model.
    pub ref_logprob: S::f32s,
    /// Mean entropy.
    pub entropy: S::f32s,
    /// Mean over tokens of the mean of -log pi over actions.
    pub certainty: S::f32s,
}

/// How a group votes.
#[derive(Clone, Copy)]
pub struct Votes<'a, S: Lanes> {
    /// Position of the majority's answer.
    pub majority: S::u32s,
    /// Whether it is wrong.
    pub wrong: S::m32s,
    /// Share of the votes for the answer of each draw.
    pub share: &'a [S::f32s],
    /// Whether all answers differ.
    pub scattered: S::m32s,
}

/// What becomes of what the draws of a group earn.
pub enum Sink<'s, 'a, S: Lanes> {
    /// It is kept.
    Rewards(&'s mut [S::f32s]),
    /// It pushes the policy.
    Pushes(&'s mut Pushes<'a, S>),
    /// It pushes the policy, step after step.
    Flow(&'s mut Flow<'a, S>),
}

impl<'a, S: Lanes> Scores<'a, S> {
    /// Those of paths.
    #[inline(always)]
    pub(super) fn of(s: S, paths: &'a [Path<S>]) -> Self {
        let none = s.splat_f32s(f32::NAN);
        Scores { paths: Some(paths), listed: None, logits: &[], gained: None, log_sum: none, base: &[], entropy: none, certainty: none }
    }

    /// A logit, each table being looked into by `entry`.
    #[inline(always)]
    fn logit(&self, s: S, entry: impl Fn(&[S::f32s]) -> S::f32s) -> S::f32s {
        let logit = entry(self.logits);
        match self.gained {
            Some(gained) => s.add_f32s(logit, entry(gained)),
            None => logit,
        }
    }

    /// The same, with what `F` looks at of a whole policy found once for all draws.
    #[inline(always)]
    pub(super) fn summed<F: Written>(self, s: S) -> Self {
        let found = F::CERTAINTY && self.paths.is_none();
        Scores { certainty: if found { self.arms_certainty(s) } else { self.certainty }, ..self }
    }

    /// Mean over arms of -log pi, in nats.
    #[inline(always)]
    fn arms_certainty(&self, s: S) -> S::f32s {
        let mut sum = s.splat_f32s(0.0);
        for arm in 0..self.logits.len() {
            let logit = self.logit(
                s,
                #[inline(always)]
                |table| table[arm],
            );
            sum = s.add_f32s(sum, s.sub_f32s(self.log_sum, logit));
        }
        s.mul_f32s(s.mul_f32s(sum, s.splat_f32s(1.0 / self.logits.len() as f32)), s.splat_f32s(LN_2))
    }
}

impl<'a, S: Lanes> Shown<'a, S> {
    /// A copy to pay by `F` from, with `params` of its own: rewards cannot be written into it, so what it holds is read once.
    #[inline(always)]
    pub(crate) fn own<F: Written>(&self, params: &'a Params<Lane<S>>) -> Self {
        Shown { params, scores: self.scores.summed::<F>(self.s), ..*self }
    }
}

impl<S: Lanes> Shown<'_, S> {
    #[inline(always)]
    fn lane(&self, x: S::f32s) -> Lane<S> {
        Lane { s: self.s, x }
    }
}

/// One draw of a group.
pub struct Draw<'a, S: Lanes> {
    /// The group.
    pub shown: &'a Shown<'a, S>,
    /// Which.
    pub index: usize,
}

impl<S: Lanes> Draw<'_, S> {
    #[inline(always)]
    fn lane(&self, x: S::f32s) -> Lane<S> {
        self.shown.lane(x)
    }

    /// log pi under the base model less log pi, nats.
    #[inline(always)]
    pub(super) fn log_ratio(&self) -> Lane<S> {
        self.ref_logprob() - self.logprob()
    }

    #[inline(always)]
    fn mask(&self, m: S::m32s) -> Mask<S> {
        Mask { s: self.shown.s, m }
    }

    /// The draw as a path, where draws are.
    #[inline(always)]
    fn path(&self) -> Option<&Path<S>> {
        self.shown.scores.paths.map(|paths| &paths[self.index])
    }

    /// What a table by arm holds for the draw, which is its own arm where all are enumerated.
    #[inline(always)]
    fn entry(&self, table: &[S::f32s]) -> S::f32s {
        if self.shown.scores.listed.is_some() {
            table[self.index]
        } else {
            self.shown.s.gather(memory::flat::<S>(table), self.shown.answer[self.index])
        }
    }

    #[inline(always)]
    fn nats(&self, x: S::f32s) -> Lane<S> {
        self.lane(self.shown.s.mul_f32s(x, self.shown.s.splat_f32s(LN_2)))
    }
}

impl<S: Lanes> Seen for Draw<'_, S> {
    type Number = Lane<S>;
    type Truth = Mask<S>;

    #[inline(always)]
    fn number(&self, x: f64) -> Lane<S> {
        self.lane(self.shown.s.splat_f32s(x as f32))
    }
    #[inline(always)]
    fn always(&self) -> Mask<S> {
        let zero = self.shown.s.splat_u32s(0);
        self.mask(self.shown.s.equal_u32s(zero, zero))
    }
    #[inline(always)]
    fn correct(&self) -> Mask<S> {
        self.mask(self.shown.right[self.index])
    }
    #[inline(always)]
    fn formatted(&self) -> Mask<S> {
        self.mask(self.shown.formatted[self.index])
    }
    #[inline(always)]
    fn opens_with(&self, token: u32) -> Mask<S> {
        let s = self.shown.s;
        let at = s.add_u32s(s.splat_u32s(token * S::LANES as u32), self.shown.iota);
        self.mask(s.equal_u32s(self.shown.opening[self.index], at))
    }
    #[inline(always)]
    fn length(&self) -> Lane<S> {
        self.path().map_or(self.number(1.0), |path| self.lane(path.length))
    }
    #[inline(always)]
    fn logprob(&self) -> Lane<S> {
        let (s, scores) = (self.shown.s, &self.shown.scores);
        match self.path() {
            Some(path) => self.lane(path.logprob),
            None => {
                let logit = scores.logit(
                    s,
                    #[inline(always)]
                    |table| self.entry(table),
                );
                self.nats(s.sub_f32s(logit, scores.log_sum))
            }
        }
    }
    #[inline(always)]
    fn ref_logprob(&self) -> Lane<S> {
        match (self.path(), self.shown.scores.listed) {
            (Some(path), _) => self.lane(path.ref_logprob),
            (None, Some(listed)) => listed[self.index],
            (None, None) => self.nats(self.entry(self.shown.scores.base)),
        }
    }
    #[inline(always)]
    fn mean_logprob(&self) -> Lane<S> {
        if self.path().is_some() { self.logprob() / self.length() } else { self.logprob() }
    }
    #[inline(always)]
    fn mean_ref_logprob(&self) -> Lane<S> {
        if self.path().is_some() { self.ref_logprob() / self.length() } else { self.ref_logprob() }
    }
    #[inline(always)]
    fn mean_entropy(&self) -> Lane<S> {
        self.lane(self.path().map_or(self.shown.scores.entropy, |path| path.entropy))
    }
    #[inline(always)]
    fn mean_certainty(&self) -> Lane<S> {
        self.lane(self.path().map_or(self.shown.scores.certainty, |path| path.certainty))
    }
    #[inline(always)]
    fn in_majority(&self) -> Mask<S> {
        self.mask(self.shown.s.equal_u32s(self.shown.answer[self.index], self.shown.votes.majority))
    }
    #[inline(always)]
    fn majority_is_wrong(&self) -> Mask<S> {
        self.mask(self.shown.votes.wrong)
    }
    #[inline(always)]
    fn share(&self) -> Lane<S> {
        self.lane(self.shown.votes.share[self.index])
    }
    #[inline(always)]
    fn scattered(&self) -> Mask<S> {
        self.mask(self.shown.votes.scattered)
    }
    #[inline(always)]
    fn mislabelled(&self) -> Mask<S> {
        self.mask(self.shown.mislabelled)
    }
    #[inline(always)]
    fn as_mislabelled(&self) -> Mask<S> {
        self.mask(self.shown.s.equal_u32s(self.shown.answer[self.index], self.shown.wrong_label))
    }
    #[inline(always)]
    fn others_succeed(&self) -> Lane<S> {
        self.lane(self.shown.others_succeed)
    }
}

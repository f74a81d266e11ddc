//! What the draws of one group show to a signal, replica by replica: the bandit's side of [`Seen`].

use super::lanes::Lanes;
use super::number::{Lane, Mask, Threshold};
use crate::seen::Seen;
use crate::signals::{Params, Rates};
use std::f32::consts::LN_2;

/// The draws of one group in one vector of replicas.
pub struct Shown<'a, S: Lanes> {
    /// The backend.
    pub s: S,
    /// Parameters of amounts.
    pub params: Params<Lane<S>>,
    /// Coins.
    pub coins: Coins<'a, S>,
    /// Whether the draws are all arms in order, each once.
    pub enumerated: bool,
    /// `arm * LANES + lane` of every draw.
    pub position: &'a [S::u32s],
    /// Whether each draw is right.
    pub right: &'a [S::m32s],
    /// Whether each draw is well formed.
    pub formatted: &'a [S::m32s],
    /// Logits by arm, in units of log 2, and what they exceed the log-probabilities by.
    pub logits: &'a [f32],
    /// log2 of the sum of weights 2^logit.
    pub log_sum: S::f32s,
    /// Base log-probabilities by arm, in units of log 2.
    pub base: &'a [f32],
    /// Entropy of the policy, in nats.
    pub entropy: S::f32s,
    /// Whether the label is wrong.
    pub mislabelled: S::m32s,
    /// `arm * LANES + lane` of the answer a wrong label names; of no arm where there is none.
    pub wrong_label: S::u32s,
    /// Chance that others succeed.
    pub others_succeed: S::f32s,
    /// Votes of the group, where a signal looks at them.
    pub votes: Votes<'a, S>,
    /// Lane numbers.
    pub iota: S::u32s,
}

/// What is done with coins.
pub enum Coins<'a, S: Lanes> {
    /// They are tossed.
    Tossed {
        /// A word for each draw.
        words: &'a [S::u32s],
        /// Words that pay.
        rates: Rates<Threshold<S>>,
    },
    /// Their probability is told.
    Split(Rates<Lane<S>>),
}

/// How a group votes.
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
        Lane { s: self.shown.s, x }
    }

    #[inline(always)]
    fn mask(&self, m: S::m32s) -> Mask<S> {
        Mask { s: self.shown.s, m }
    }

    /// What a table by arm holds for the draw.
    #[inline(always)]
    fn entry(&self, table: &[f32]) -> S::f32s {
        if self.shown.enumerated {
            pulp::bytemuck::cast_slice::<f32, S::f32s>(table)[self.index]
        } else {
            self.shown.s.gather(table, self.shown.position[self.index])
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
        self.mask(s.equal_u32s(self.shown.position[self.index], at))
    }
    #[inline(always)]
    fn length(&self) -> Lane<S> {
        self.number(1.0)
    }
    #[inline(always)]
    fn logprob(&self) -> Lane<S> {
        let s = self.shown.s;
        self.nats(s.sub_f32s(self.entry(self.shown.logits), self.shown.log_sum))
    }
    #[inline(always)]
    fn ref_logprob(&self) -> Lane<S> {
        self.nats(self.entry(self.shown.base))
    }
    #[inline(always)]
    fn mean_logprob(&self) -> Lane<S> {
        self.logprob()
    }
    #[inline(always)]
    fn mean_ref_logprob(&self) -> Lane<S> {
        self.ref_logprob()
    }
    #[inline(always)]
    fn mean_entropy(&self) -> Lane<S> {
        self.lane(self.shown.entropy)
    }
    #[inline(always)]
    fn mean_certainty(&self) -> Lane<S> {
        let (s, arms) = (self.shown.s, self.shown.logits.len() / S::LANES);
        let logits: &[S::f32s] = pulp::bytemuck::cast_slice(self.shown.logits);
        let mut sum = s.splat_f32s(0.0);
        for logit in logits {
            sum = s.add_f32s(sum, s.sub_f32s(self.shown.log_sum, *logit));
        }
        self.nats(s.mul_f32s(sum, s.splat_f32s(1.0 / arms as f32)))
    }
    #[inline(always)]
    fn in_majority(&self) -> Mask<S> {
        self.mask(self.shown.s.equal_u32s(self.shown.position[self.index], self.shown.votes.majority))
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
        self.mask(self.shown.s.equal_u32s(self.shown.position[self.index], self.shown.wrong_label))
    }
    #[inline(always)]
    fn others_succeed(&self) -> Lane<S> {
        self.lane(self.shown.others_succeed)
    }
}

//! Philox4x32-10 with one key per lane: the words of [`crate::stream`], many seeds at once, with everything that does not depend on the step computed once.
//!
//! The counter is `(block, 0, slot, step << 8 | purpose)`. Block and slot are the same in all lanes, and the step enters only through the last word, so the
//! first round is one xor and rounds two and three need one product each instead of two: 16 wide products a block instead of 20.

use super::lanes::Lanes;
use crate::stream::Purpose;

const M0: u32 = 0xD251_1F53;
const M1: u32 = 0xCD9E_8D57;
const W0: u32 = 0x9E37_79B9;
const W1: u32 = 0xBB67_AE85;

/// Words in a block.
pub(super) const BLOCK: usize = 4;

/// The round keys of one vector of seeds.
#[derive(Clone)]
pub struct Keys<S: Lanes>([[S::Pair; 2]; 10]);

impl<S: Lanes> Keys<S> {
    /// Of the 64-bit seeds with these low and high words.
    #[inline(always)]
    pub fn new(s: S, seeds: [S::u32s; 2]) -> Self {
        let zero = s.split(s.splat_u32s(0));
        let mut keys = [[zero; 2]; 10];
        for (round, [k0, k1]) in keys.iter_mut().enumerate() {
            *k0 = s.split(s.add_u32s(seeds[0], s.splat_u32s(W0.wrapping_mul(round as u32))));
            *k1 = s.split(s.add_u32s(seeds[1], s.splat_u32s(W1.wrapping_mul(round as u32))));
        }
        Keys(keys)
    }
}

/// The streams of one slot.
#[derive(Clone)]
pub struct Streams<S: Lanes> {
    /// `low(M1 slot) ^ key0` of round 2.
    second: S::Pair,
    /// `low(M0 c0) ^ key1` of round 3.
    third: S::Pair,
    /// Per block: the product of round 3 that does not depend on the step, and its high half xor key0.
    blocks: Vec<[S::Pair; 2]>,
}

impl<S: Lanes> Streams<S> {
    /// Streams of `slot` for at least `words` words.
    #[inline(always)]
    pub fn new(s: S, keys: &Keys<S>, slot: u32, words: usize) -> Self {
        let (slot, zero) = (u64::from(M1) * u64::from(slot), splat(s, 0));
        let c0 = s.xor_pair(keys.0[0][0], splat(s, (slot >> 32) as u32));
        let p0 = s.mul_wide(c0, M0);
        let mut blocks = Vec::with_capacity(words.div_ceil(BLOCK));
        for block in 0..words.div_ceil(BLOCK) as u32 {
            let c2 = s.high_xor(p0, splat(s, M0.wrapping_mul(block)), keys.0[1][1]);
            let p1 = s.mul_wide(c2, M1);
            blocks.push([p1, s.high_xor(p1, keys.0[2][0], zero)]);
        }
        Streams { second: s.xor_pair(keys.0[1][0], splat(s, slot as u32)), third: s.xor_pair(p0, keys.0[2][1]), blocks }
    }

    /// Writes the first words of the streams at `step` for `purpose`; `out` is a whole number of blocks long.
    #[inline(always)]
    pub fn fill(&self, s: S, keys: &Keys<S>, purpose: Purpose, step: usize, out: &mut [S::u32s]) {
        let tag = (step as u32) << 8 | purpose as u32;
        let last = out.len() / BLOCK - 1;
        let mut pairs = out.chunks_exact_mut(2 * BLOCK);
        for (i, pair) in pairs.by_ref().enumerate() {
            let (first, second) = pair.split_at_mut(BLOCK);
            self.interleaved(s, keys, tag, [2 * i, 2 * i + 1], [first, second]);
        }
        let rest = pairs.into_remainder();
        if !rest.is_empty() {
            self.interleaved(s, keys, tag, [last], [rest]);
        }
    }

    /// Writes the blocks with these numbers; their rounds interleave.
    #[inline(always)]
    fn interleaved<const N: usize>(&self, s: S, keys: &Keys<S>, tag: u32, blocks: [usize; N], out: [&mut [S::u32s]; N]) {
        let zero = splat(s, 0);
        let mut c = [[zero; 4]; N];
        for (c, block) in c.iter_mut().zip(blocks) {
            let high = (u64::from(M0) * block as u64) >> 32;
            let c2 = s.xor_pair(keys.0[0][1], splat(s, high as u32 ^ tag));
            let p1 = s.mul_wide(c2, M1);
            let p0 = s.mul_wide(s.high_xor(p1, self.second, zero), M0);
            let [fixed, high] = self.blocks[block];
            *c = [s.xor_pair(p1, high), fixed, s.high_xor(p0, self.third, zero), p0];
        }
        for [k0, k1] in &keys.0[3..] {
            for c in &mut c {
                let (p0, p1) = (s.mul_wide(c[0], M0), s.mul_wide(c[2], M1));
                *c = [s.high_xor(p1, c[1], *k0), p1, s.high_xor(p0, c[3], *k1), p0];
            }
        }
        for (out, c) in out.into_iter().zip(c) {
            for (out, c) in out.iter_mut().zip(c) {
                *out = s.join(c);
            }
        }
    }
}

/// The same word in every lane.
#[inline(always)]
fn splat<S: Lanes>(s: S, x: u32) -> S::Pair {
    s.split(s.splat_u32s(x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::lanes::{Job, Vectors, dispatch};
    use crate::batch::memory;
    use crate::stream::Seed;
    use rand::Rng;

    /// Compares the words of one address in every lane with those of [`crate::stream`].
    struct Compare {
        seeds: Vec<u64>,
        purpose: Purpose,
        step: usize,
        slot: usize,
        words: usize,
    }

    impl Job for &Compare {
        type Output = ();
        #[inline(always)]
        fn run<S: Lanes>(self, s: S) {
            let half = |shift: u32| memory::word_vector::<S>(|lane| (self.seeds[lane] >> shift) as u32);
            let keys = Keys::new(s, [half(0), half(32)]);
            let mut out = memory::words(s, self.words.next_multiple_of(BLOCK));
            Streams::new(s, &keys, self.slot as u32, self.words).fill(s, &keys, self.purpose, self.step, &mut out);
            for (i, word) in memory::flat_words::<S>(&out).iter().enumerate() {
                let (index, lane) = (i / S::LANES, i % S::LANES);
                let stream = Seed(self.seeds[lane]).stream(self.purpose, self.step, self.slot);
                assert_eq!(*word, stream.word(index as u64), "word {index} of lane {lane}");
            }
        }
    }

    #[test]
    fn words_are_those_of_the_streams() {
        let mut dice = Seed(5).stream(Purpose::Population, 0, 0);
        for _ in 0..200 {
            let purpose = *dice.pick(3, &[Purpose::Rollout, Purpose::Reward, Purpose::Prompts]);
            let compare = Compare {
                seeds: (0..16).map(|_| dice.random()).collect(),
                purpose,
                step: dice.random_range(0..1 << 24),
                slot: dice.random_range(0..1 << 20),
                words: dice.random_range(1..40),
            };
            for vectors in [Vectors::Scalar, Vectors::V3, Vectors::V4] {
                dispatch(vectors, &compare);
            }
        }
    }
}

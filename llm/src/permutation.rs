//! Seeded permutations of any range of numbers, without memory: the order in which a draw meets a family's questions.

use mta_sims::digest;
use mta_sims::stream::{Purpose, Seed, Stream};

/// Rounds of the network.
const ROUNDS: usize = 8;

/// A permutation of `0..size`: a balanced Feistel network on the least even number of bits that holds `size`, each round's function a Philox stream, walked
/// along until it falls into the range.
///
/// Round r of a family's level l reads [`Purpose::Question`] at step `8 l + r`, in the slot that is the hash of the family's name, at the words of the half it
/// mixes in.
///
/// # Source
/// Luby and Rackoff, "How to construct pseudorandom permutations from pseudorandom functions", SIAM J. Comput. 17 (1988) 373-386; cycle walking: Black and
/// Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002.
#[derive(Clone, Debug)]
pub struct Permutation {
    rounds: Vec<Stream>,
    half_bits: u32,
    size: u128,
}

impl Permutation {
    /// The permutation of `0..size` for `level` of the family called `name`; `size` at most 2^124.
    pub fn new(seed: Seed, level: u32, name: &str, size: u128) -> Permutation {
        let rounds = (0..ROUNDS).map(|r| seed.stream(Purpose::Question, ROUNDS * level as usize + r, slot(name))).collect();
        let bits = u128::BITS - size.saturating_sub(1).leading_zeros();
        Permutation { rounds, half_bits: bits.div_ceil(2).max(1), size }
    }

    /// Where `i`, less than the size, goes.
    ///
    /// # Example
    /// ```
    /// use mta_llm::permutation::Permutation;
    /// let order = Permutation::new(mta_sims::stream::Seed(1), 1, "x", 5);
    /// let mut places: Vec<u128> = (0..5).map(|i| order.at(i)).collect();
    /// places.sort();
    /// assert_eq!(places, [0, 1, 2, 3, 4]);
    /// ```
    pub fn at(&self, i: u128) -> u128 {
        let mut place = self.mix(i);
        while place >= self.size {
            place = self.mix(place);
        }
        place
    }

    fn mix(&self, x: u128) -> u128 {
        let mask = (1u128 << self.half_bits) - 1;
        let (left, right) =
            self.rounds.iter().fold((x >> self.half_bits, x & mask), |(l, r), stream| (r, l ^ (function(stream, r) & mask)));
        left << self.half_bits | right
    }
}

/// Two words of the stream at twice `half`, which is below 2^62.
fn function(stream: &Stream, half: u128) -> u128 {
    let at = 2 * half as u64;
    u128::from(stream.word(at)) | u128::from(stream.word(at + 1)) << 32
}

/// The slot of a family's streams: the first four bytes of the BLAKE3 hash of its name.
pub(crate) fn slot(name: &str) -> usize {
    digest::number(name.as_bytes()) as u32 as usize
}

//! Counter-based randomness: every draw has an address, and depends on nothing else.
//!
//! The generator is Philox4x32-10. Its key is the 64-bit seed; its 128-bit counter is the address
//! `(block: 64 bits, slot: 32 bits, step: 24 bits, purpose: 8 bits)`. Two addresses never share a word, so threads, shards, order and resume cannot
//! change a result. The alignment, the recipe and every other knob are *not* part of the address: cells of one seed see the same task, the same noise
//! and the same dice, which pairs every comparison.
//!
//! # Source
//! Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

use rand::RngCore;

/// What a stream of draws is for. Each purpose has its own streams; the numbers are part of the format and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// Token qualities q.
    Quality = 0,
    /// Which tokens are right for which prompt.
    Truth = 1,
    /// Work a prompt needs (worlds with an end token).
    Work = 2,
    /// Which tokens keep a response well formed.
    Format = 3,
    /// The part of the prior that knows nothing of the task.
    Noise = 4,
    /// The prompt-specific part of the prior.
    Idiosyncrasy = 5,
    /// How hard each prompt is.
    Difficulty = 6,
    /// Labels: which are wrong, and what they say instead.
    Label = 7,
    /// Which prompts a data regime keeps.
    Selection = 8,
    /// Which prompts a step trains on.
    Prompts = 9,
    /// The tokens of rollouts.
    Rollout = 10,
    /// The coins of stochastic rewards.
    Reward = 11,
    /// Shuffles of rewards inside a group.
    Shuffle = 12,
    /// Seeds of independent repetitions.
    Replicate = 13,
    /// Populations of prompts that a simulation draws for itself.
    Population = 14,
    /// Fresh parameters of a transformer.
    Weights = 15,
    /// Questions of procedural tasks.
    Question = 16,
    /// Documents of a pretraining corpus.
    Document = 17,
    /// Rollouts that only measure.
    Evaluation = 18,
}

/// All draws of one master seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// The stream at (`purpose`, `step`, `slot`).
    ///
    /// # Panics
    /// When `step` needs more than 24 bits; configurations are checked for that before they run.
    pub fn stream(self, purpose: Purpose, step: usize, slot: usize) -> Stream {
        assert!(step < MAX_STEPS, "step {step} does not fit the stream's address");
        let high = [slot as u32, (step as u32) << 8 | purpose as u32];
        Stream { key: [self.0 as u32, (self.0 >> 32) as u32], high, next: 0, block: [0; 4] }
    }
}

/// Steps a stream can address.
pub const MAX_STEPS: usize = 1 << 24;

/// One stream of 32-bit words, readable at any index, or in order as a [`RngCore`].
#[derive(Clone, Debug)]
pub struct Stream {
    key: [u32; 2],
    high: [u32; 2],
    /// Index of the next word read in order, and the block it is from unless it is the first of one.
    next: u64,
    block: [u32; 4],
}

impl Stream {
    /// The word at `index`.
    pub fn word(&self, index: u64) -> u32 {
        self.block(index / 4)[(index % 4) as usize]
    }

    /// A uniform in (0, 1) from the word at `index`: `(word + 1/2) / 2^32`.
    pub fn uniform(&self, index: u64) -> f64 {
        (f64::from(self.word(index)) + 0.5) * 2f64.powi(-32)
    }

    /// One of `among`, each as likely, by the word at `index`: number `floor(u n)` of n, from 0.
    ///
    /// # Panics
    /// When there is none to choose.
    pub fn pick<'t, T>(&self, index: u64, among: &'t [T]) -> &'t T {
        &among[(self.uniform(index) * among.len() as f64) as usize]
    }

    fn block(&self, block: u64) -> [u32; 4] {
        philox4x32_10([block as u32, (block >> 32) as u32, self.high[0], self.high[1]], self.key)
    }
}

impl RngCore for Stream {
    fn next_u32(&mut self) -> u32 {
        let within = (self.next % 4) as usize;
        if within == 0 {
            self.block = self.block(self.next / 4);
        }
        self.next += 1;
        self.block[within]
    }

    fn next_u64(&mut self) -> u64 {
        u64::from(self.next_u32()) | u64::from(self.next_u32()) << 32
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(4) {
            chunk.copy_from_slice(&self.next_u32().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Ten rounds of Philox4x32 on `counter` under `key`.
///
/// # Example
/// The first known-answer vector of the authors' library:
/// ```
/// let words = mta_sims::stream::philox4x32_10([0; 4], [0; 2]);
/// assert_eq!(words, [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
/// ```
pub const fn philox4x32_10(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    let mut round = 0;
    while round < 10 {
        let left = 0xD251_1F53_u64 * counter[0] as u64;
        let right = 0xCD9E_8D57_u64 * counter[2] as u64;
        counter = [(right >> 32) as u32 ^ counter[1] ^ key[0], right as u32, (left >> 32) as u32 ^ counter[3] ^ key[1], left as u32];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
        round += 1;
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        assert_eq!(philox4x32_10([!0; 4], [!0; 2]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
        let digits = ([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]);
        assert_eq!(philox4x32_10(digits.0, digits.1), [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]);
    }

    #[test]
    fn reading_in_order_equals_reading_by_index() {
        let stream = Seed(7).stream(Purpose::Rollout, 3, 11);
        let mut ordered = stream.clone();
        for i in 0..9 {
            assert_eq!(ordered.next_u32(), stream.word(i));
        }
    }

    #[test]
    fn addresses_do_not_collide() {
        let mut first_words = std::collections::HashSet::new();
        for purpose in [Purpose::Rollout, Purpose::Reward] {
            for (step, slot) in (0..50).flat_map(|s| (0..50).map(move |p| (s, p))) {
                assert!(first_words.insert(Seed(1).stream(purpose, step, slot).block(0)));
            }
        }
    }
}

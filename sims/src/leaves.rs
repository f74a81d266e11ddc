//! Trees whose right responses are listed one by one, with what lies below every prefix under the base model.

/// Most responses of a tree that lists the right ones.
pub const MAX_LEAVES: usize = 1 << 24;

/// The right ones among all responses of H tokens out of V, by code: `((y_1 V + y_2) V + ...) + y_H`.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaves {
    tokens: usize,
    depth: usize,
    /// One bit for each response.
    right: Vec<u32>,
    /// Chance of a right response below each child of every prefix, under the base model: by depth but the last, prefix and token.
    chances: Vec<Vec<f32>>,
    /// Whether that is above 0, as bits.
    open: Vec<Vec<u32>>,
}

impl Leaves {
    /// Those of `right`, one entry for each response, under a base model of probabilities `probs[h][v]`.
    ///
    /// # Panics
    /// When `right` has not `V^H` entries, at least one and at most [`MAX_LEAVES`], or the rows of `probs` are not of one length.
    pub fn new(right: &[bool], probs: &[Vec<f64>]) -> Self {
        let (depth, tokens) = (probs.len(), probs.first().map_or(0, Vec::len));
        let leaves = tokens.checked_pow(depth as u32).filter(|count| (1..=MAX_LEAVES).contains(count));
        assert!(leaves == Some(right.len()) && probs.iter().all(|row| row.len() == tokens), "one entry for each of V^H responses");
        let chances = chances(right, probs);
        let open = chances.iter().map(|below| bits(below.iter().map(|chance| *chance > 0.0))).collect();
        Leaves { tokens, depth, right: bits(right.iter().copied()), chances, open }
    }

    /// Whether the response with this code is right.
    pub fn contains(&self, code: usize) -> bool {
        self.right[code / 32] >> (code % 32) & 1 == 1
    }

    /// The code of the prefix one token longer.
    pub fn extend(&self, prefix: usize, token: usize) -> usize {
        prefix * self.tokens + token
    }

    /// One bit for each response, 32 to a word.
    pub(crate) fn words(&self) -> &[u32] {
        &self.right
    }

    /// The chance of a right response below every child of every prefix but the longest, under the base model: by depth, prefix and token.
    #[cfg(any(test, feature = "cuda"))]
    pub(crate) fn chances(&self) -> impl Iterator<Item = f32> {
        self.chances.iter().flatten().copied()
    }

    /// Writes the chance of a right response below every child of a prefix of `h` tokens, at least two less than a response has, under the base model, by token.
    #[inline(always)]
    pub(crate) fn write_below(&self, h: usize, prefix: usize, below: &mut [f32]) {
        let row = &self.chances[h][self.extend(prefix, 0)..][..self.tokens];
        match (<&mut [f32; 8]>::try_from(&mut *below), <&[f32; 8]>::try_from(row)) {
            // as many as there mostly are, without a call
            (Ok(below), Ok(row)) => *below = *row,
            _ => below.copy_from_slice(row),
        }
    }

    /// Whether a right response lies below a prefix, as bits like [`Leaves::words`]: by number of tokens, at least one and not all.
    pub(crate) fn open(&self) -> &[Vec<u32>] {
        &self.open
    }
}

/// What is said of each, 32 to a word.
fn bits(said: impl ExactSizeIterator<Item = bool>) -> Vec<u32> {
    let mut bits = vec![0; said.len().div_ceil(32)];
    said.enumerate().for_each(|(i, said)| bits[i / 32] |= u32::from(said) << (i % 32));
    bits
}

/// By depth but the last, the chance of a right response below every node of the depth below.
fn chances(right: &[bool], probs: &[Vec<f64>]) -> Vec<Vec<f32>> {
    let mut below: Vec<f64> = right.iter().map(|right| f64::from(u8::from(*right))).collect();
    let mut all = Vec::new();
    for row in probs[1..].iter().rev() {
        below = below.chunks(row.len()).map(|below| below.iter().zip(row).map(|(x, p)| x * p).sum()).collect();
        all.push(below.iter().map(|x| *x as f32).collect());
    }
    all.reverse();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_are_means_over_what_lies_below() {
        let probs = [vec![0.5, 0.5], vec![0.25, 0.75], vec![0.5, 0.5]];
        let leaves = Leaves::new(&[true, false, false, false, false, true, true, true], &probs);
        assert!(leaves.contains(0) && !leaves.contains(4));
        let below = |h: usize, prefix: usize| {
            let mut below = [f32::NAN; 2];
            leaves.write_below(h, prefix, &mut below);
            below
        };
        assert_eq!(leaves.open(), [vec![0b11], vec![0b1101]]);
        assert_eq!((below(0, 0), below(1, 0), below(1, 1)), ([0.125, 0.875], [0.5, 0.0], [0.5, 1.0]));
    }
}

//! Picking an arm by its uniform: binary search in running sums of weights, and the facts about the arm found.

use super::lanes::Lanes;
use super::memory;

/// Levels of the search that choose among boundaries held in registers.
const TOP: usize = 4;

/// Rows of a table of running sums for `arms` arms; those past the last arm must be infinite.
pub(super) fn padded(arms: usize) -> usize {
    arms.next_power_of_two().max(1 << TOP)
}

/// Running sums, ready to be searched.
pub(super) struct Search<'a, S: Lanes> {
    /// Arms between the boundaries.
    stride: usize,
    boundaries: [S::f32s; (1 << TOP) - 1],
    sums: &'a [f32],
}

impl<'a, S: Lanes> Search<'a, S> {
    #[inline(always)]
    pub(super) fn new(sums: &'a [S::f32s]) -> Self {
        let stride = sums.len() >> TOP;
        let mut boundaries = [sums[0]; (1 << TOP) - 1];
        for (i, boundary) in boundaries.iter_mut().enumerate() {
            *boundary = sums[(i + 1) * stride - 1];
        }
        Search { stride, boundaries, sums: memory::flat::<S>(sums) }
    }

    /// `arm * LANES + lane` of the first arm whose running sum exceeds `target`.
    #[inline(always)]
    pub(super) fn find(&self, s: S, target: S::f32s, iota: S::u32s) -> S::u32s {
        let mut position = iota;
        let mut open = self.boundaries;
        let mut width = 1 << TOP;
        while width > 1 {
            let half = width / 2;
            let above = s.greater_than_or_equal_f32s(target, open[half - 1]);
            for i in 0..half - 1 {
                open[i] = s.select_f32s(above, open[half + i], open[i]);
            }
            position = advance(s, above, position, half * self.stride);
            width = half;
        }
        let mut half = self.stride / 2;
        while half > 0 {
            let sum = s.gather(&self.sums[(half - 1) * S::LANES..], position);
            position = advance(s, s.greater_than_or_equal_f32s(target, sum), position, half);
            half /= 2;
        }
        position
    }
}

/// The most vectors of running sums of one replica that are worth turning.
const MOST: usize = 8;
/// Replicas whose searches run side by side, so that none waits for the last comparison of its own; lanes are a multiple of it.
const SIDE_BY_SIDE: usize = 8;

/// Vectors that hold the running sums of one replica, where these are better turned, so that they and its draws lie in vectors of their own.
pub(super) fn turned<S: Lanes>(sums: usize) -> Option<usize> {
    (S::LANES.is_multiple_of(SIDE_BY_SIDE) && sums <= MOST * S::LANES).then_some(sums / S::LANES)
}

/// Replaces as many targets as lanes by the positions of the arms whose running sums they are the first to fall below. The sums are turned: of replica `r`, row
/// `r` holds at `q`, for every `j`, the sum up to arm `j * ACROSS + q`.
#[inline(always)]
pub(super) fn find_turned<S: Lanes, const ACROSS: usize>(s: S, sums: &[[S::f32s; ACROSS]], targets: &mut [[S::f32s; 1]]) {
    s.turn(targets);
    let (targets_of, sums_of) = (targets.as_chunks_mut::<SIDE_BY_SIDE>().0, sums.as_chunks::<SIDE_BY_SIDE>().0);
    for (targets, sums) in targets_of.iter_mut().zip(sums_of) {
        find_side_by_side(s, sums, targets);
    }
    s.turn(targets);
}

/// The same for some replicas, whose searches wait for nothing but each other.
#[inline(always)]
fn find_side_by_side<S: Lanes, const ACROSS: usize>(
    s: S,
    sums: &[[S::f32s; ACROSS]; SIDE_BY_SIDE],
    targets: &mut [[S::f32s; 1]; SIDE_BY_SIDE],
) {
    let lanes = S::LANES as u32;
    let mut blocks = [s.splat_u32s(0); SIDE_BY_SIDE];
    for level in (0..lanes.trailing_zeros()).rev() {
        for ((block, [target]), sums) in blocks.iter_mut().zip(&*targets).zip(sums) {
            let sum = s.pick(sums[ACROSS - 1], s.add_u32s(*block, s.splat_u32s((1 << level) - 1)));
            *block = s.add_where(s.greater_than_or_equal_f32s(*target, sum), *block, s.splat_u32s(1 << level));
        }
    }
    let mut positions = blocks;
    for position in &mut positions {
        *position = s.mul_u32s(*position, s.splat_u32s(ACROSS as u32 * lanes));
    }
    for q in 0..ACROSS - 1 {
        for (((position, block), [target]), sums) in positions.iter_mut().zip(&blocks).zip(&*targets).zip(sums) {
            let above = s.greater_than_or_equal_f32s(*target, s.pick(sums[q], *block));
            *position = s.add_where(above, *position, s.splat_u32s(lanes));
        }
    }
    for ([target], position) in targets.iter_mut().zip(positions) {
        *target = s.transmute_f32s_u32s(position);
    }
}

/// Moves the lanes in `which` on by `arms` arms.
#[inline(always)]
fn advance<S: Lanes>(s: S, which: S::m32s, position: S::u32s, arms: usize) -> S::u32s {
    s.add_where(which, position, s.splat_u32s((arms * S::LANES) as u32))
}

/// Rows of a table of one bit per arm.
pub(super) fn bit_rows(arms: usize) -> usize {
    arms.div_ceil(32)
}

/// Whether arms have a property: one bit for each, a row for every 32 arms.
pub(super) struct Bits<'a, S: Lanes> {
    first: [S::u32s; 2],
    all: &'a [S::u32s],
    iota: S::u32s,
}

impl<'a, S: Lanes> Bits<'a, S> {
    #[inline(always)]
    pub(super) fn new(all: &'a [S::u32s], iota: S::u32s) -> Self {
        Bits { first: [all[0], all[all.len().min(2) - 1]], all, iota }
    }

    /// Whether `arm` has it.
    #[inline(always)]
    pub(super) fn at(&self, s: S, arm: usize) -> S::m32s {
        s.meets(self.all[arm / 32], s.splat_u32s(1 << (arm % 32)))
    }

    /// Whether the arm at `position` has it.
    #[inline(always)]
    pub(super) fn of(&self, s: S, position: S::u32s) -> S::m32s {
        let lanes = S::LANES as u32;
        let arm = s.wrapping_dyn_shr_u32s(position, s.splat_u32s(lanes.trailing_zeros()));
        let word = match self.all.len() {
            1 => self.first[0],
            2 => s.select_u32s(s.less_than_u32s(arm, s.splat_u32s(32)), self.first[0], self.first[1]),
            _ => {
                let row = s.wrapping_dyn_shr_u32s(arm, s.splat_u32s(5));
                let index = s.add_u32s(s.mul_u32s(row, s.splat_u32s(lanes)), self.iota);
                s.transmute_u32s_f32s(s.gather(memory::bits::<S>(self.all), index))
            }
        };
        s.bit(word, arm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::lanes::{Job, Vectors, dispatch};
    use crate::stream::{Purpose, Seed};
    use rand::Rng;

    /// Looks up targets in running sums of random weights both ways.
    struct LookUp {
        arms: usize,
        seed: u64,
    }

    impl LookUp {
        /// Finds arms of a square of targets, if sums are turned for so many arms on this backend.
        #[inline(always)]
        fn turned<S: Lanes, const ACROSS: usize>(s: S, sums: &[S::f32s], targets: &[S::f32s]) -> Vec<S::u32s> {
            let (mut rows, mut found) = (sums.as_chunks::<ACROSS>().0.to_vec(), targets.as_chunks::<1>().0.to_vec());
            s.turn(&mut rows);
            find_turned(s, &rows, &mut found);
            found.iter().map(|[x]| s.transmute_u32s_f32s(*x)).collect()
        }
    }

    impl Job for &LookUp {
        type Output = ();
        #[inline(always)]
        fn run<S: Lanes>(self, s: S) {
            let mut dice = Seed(self.seed).stream(Purpose::Population, 0, 0);
            let (iota, zero) = (memory::word_vector::<S>(|lane| lane as u32), s.splat_f32s(0.0));
            let (mut sums, mut total) = (vec![s.splat_f32s(f32::INFINITY); padded(self.arms)], zero);
            for sum in &mut sums[..self.arms] {
                // some weigh nothing, as those of arms that have become too unlikely
                let weight = memory::vector::<S>(|_| if dice.random_bool(0.2) { 0.0 } else { dice.random::<f32>() });
                total = s.add_f32s(total, weight);
                *sum = total;
            }
            sums[self.arms - 1] = s.splat_f32s(f32::INFINITY);
            let mut targets = vec![zero; S::LANES];
            for target in &mut targets[1..] {
                *target = s.mul_f32s(memory::vector::<S>(|_| dice.random()), total);
            }
            let search = Search::<S>::new(&sums);
            let each: Vec<S::u32s> = targets.iter().map(|target| search.find(s, *target, iota)).collect();
            let turned: Vec<S::u32s> = match turned::<S>(sums.len()) {
                Some(1) => LookUp::turned::<S, 1>(s, &sums, &targets),
                Some(2) => LookUp::turned::<S, 2>(s, &sums, &targets),
                Some(4) => LookUp::turned::<S, 4>(s, &sums, &targets),
                Some(_) => LookUp::turned::<S, 8>(s, &sums, &targets),
                None => each.iter().map(|x| s.sub_u32s(*x, iota)).collect(),
            };
            for (g, target) in targets.iter().enumerate() {
                for lane in 0..S::LANES {
                    let below = |sum: &S::f32s| memory::lane::<S>(*sum, lane) <= memory::lane::<S>(*target, lane);
                    let arm = sums.iter().position(|sum| !below(sum)).expect("the last sum is infinite") as u32;
                    let at = |found: &[S::u32s]| memory::word::<S>(&found[g], lane);
                    assert_eq!([at(&each), at(&turned) + lane as u32], [arm * S::LANES as u32 + lane as u32; 2], "draw {g} of lane {lane}");
                }
            }
        }
    }

    #[test]
    fn both_searches_find_the_first_arm_above() {
        for seed in 0..60 {
            let arms = [1, 2, 7, 16, 17, 32, 33, 64, 65, 128, 129, 300][seed as usize % 12];
            for vectors in [Vectors::Scalar, Vectors::V3, Vectors::V4] {
                dispatch(vectors, &LookUp { arms, seed });
            }
        }
    }
}

//! Vectors of replicas: what the engine needs beyond [`pulp::Simd`]. A replica is a lane, and every operation means the same in every lane on every backend,
//! bit for bit. AVX-512, AVX2 and plain scalars are spelled out; other machines, NEON among them, run the scalars.
//!
//! The only `unsafe` of the engine is here: gathers, scatters and the rows of tiles, each behind a check of its indices, and what a cache line holds.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod x86;

use super::memory;
use super::shown::{Shown, Sink};
use crate::signals::Formula;
use pulp::{Simd, bytemuck};

/// Numbers of a row: what tables hold that lanes read each at a place of its own.
pub const ROW: usize = 8;
/// Eight consecutive numbers of a table.
pub type Row = [f32; ROW];

/// A cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line([u32; 16]);

// SAFETY: sixteen words without padding, of which any bits are valid.
unsafe impl bytemuck::Zeroable for Line {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for Line {}

/// A computation for one backend. `run` must be `#[inline(always)]`, so that it is compiled with the backend's instructions.
pub trait Kernel<S: Lanes> {
    /// What it gives.
    type Output;
    /// Runs with `s`.
    fn run(self, s: S) -> Self::Output;
}

/// A computation for any backend, with the same demand.
pub trait Job {
    /// What it gives.
    type Output;
    /// Runs with `s`.
    fn run<S: Lanes>(self, s: S) -> Self::Output;
}

impl<S: Lanes, J: Job> Kernel<S> for J {
    type Output = J::Output;
    #[inline(always)]
    fn run(self, s: S) -> J::Output {
        Job::run(self, s)
    }
}

/// A SIMD backend that can run replica-per-lane kernels.
pub trait Lanes: Simd + 'static {
    /// One 64-bit cell per lane. Only the low halves count, except in the products of [`Lanes::mul_wide`].
    type Pair: Copy;

    /// Lanes per vector.
    const LANES: usize = Self::F32_LANES;

    /// Pays a group's draws by `formula`, compiled for this backend.
    fn pay(self, formula: &dyn Formula, shown: &Shown<Self>, sink: Sink<Self>);

    /// Runs `kernel` compiled for this backend.
    fn enter<K: Kernel<Self>>(self, kernel: K) -> K::Output;

    /// Spreads 32-bit lanes over 64-bit cells.
    fn split(self, a: Self::u32s) -> Self::Pair;
    /// Collects the low halves.
    fn join(self, a: Self::Pair) -> Self::u32s;
    /// `low(a) * b` as 64-bit products; their low halves are the products modulo 2^32.
    fn mul_wide(self, a: Self::Pair, b: u32) -> Self::Pair;
    /// `high(product) ^ a ^ b` in the low halves.
    fn high_xor(self, product: Self::Pair, a: Self::Pair, b: Self::Pair) -> Self::Pair;
    /// `a ^ b` in the low halves.
    fn xor_pair(self, a: Self::Pair, b: Self::Pair) -> Self::Pair;

    /// Exact conversion of integers below 2^24.
    fn to_f32(self, a: Self::u32s) -> Self::f32s;
    /// Whether any lane is set.
    fn any(self, mask: Self::m32s) -> bool;
    /// `a + b` where `mask` holds, else `a`.
    fn add_where(self, mask: Self::m32s, a: Self::u32s, b: Self::u32s) -> Self::u32s;
    /// `x`, no further from 0 than `limit`, which is positive.
    #[inline(always)]
    fn limited(self, x: Self::f32s, limit: Self::f32s) -> Self::f32s {
        self.max_f32s(self.min_f32s(x, limit), self.neg_f32s(limit))
    }
    /// The same, but no number where `x` is none; and where [`Lanes::scale`] takes any n, `x` may be larger than `limit`.
    #[inline(always)]
    fn confined(self, x: Self::f32s, limit: Self::f32s) -> Self::f32s {
        // of a number and none, vector instructions give the second
        self.max_f32s(self.neg_f32s(limit), self.min_f32s(limit, x))
    }
    /// `x - n` for the integer n nearest to x, exactly, and a form of n for [`Lanes::scale`]; |x| < 2^21.
    #[inline(always)]
    fn split_power(self, x: Self::f32s) -> (Self::f32s, Self::f32s) {
        // adding 3/2 2^23 leaves n in the low bits
        let magic = self.splat_f32s(12_582_912.0);
        let rounded = self.add_f32s(x, magic);
        (self.sub_f32s(x, self.sub_f32s(rounded, magic)), rounded)
    }
    /// `a * 2^n` for `n` from [`Lanes::split_power`]; factors and result must be normal.
    #[inline(always)]
    fn scale(self, a: Self::f32s, n: Self::f32s) -> Self::f32s {
        let power = self.shl23(self.transmute_u32s_f32s(n));
        self.transmute_f32s_u32s(self.add_u32s(self.transmute_u32s_f32s(a), power))
    }
    /// Whether bit `index % 32` of `word` is set.
    #[inline(always)]
    fn bit(self, word: Self::u32s, index: Self::u32s) -> Self::m32s {
        let one = self.splat_u32s(1);
        self.equal_u32s(self.and_u32s(self.wrapping_dyn_shr_u32s(word, index), one), one)
    }
    /// Whether `word` and `bits` share a set bit.
    #[inline(always)]
    fn meets(self, word: Self::u32s, bits: Self::u32s) -> Self::m32s {
        self.not_m32s(self.equal_u32s(self.and_u32s(word, bits), self.splat_u32s(0)))
    }
    /// `a << 23`.
    fn shl23(self, a: Self::u32s) -> Self::u32s;
    /// `a >> COUNT`.
    fn shr<const COUNT: u32>(self, a: Self::u32s) -> Self::u32s;
    /// `table[index]` per lane.
    ///
    /// # Panics
    /// When an index is not below `table.len()`.
    fn gather(self, table: &[f32], index: Self::u32s) -> Self::f32s;
    /// Adds `x` to `table[index]`, row after row and lane after lane. Indices and numbers are read back from memory one by one: quicker than taking vectors
    /// apart.
    ///
    /// # Panics
    /// When an index is not below `table.len()`.
    #[inline(always)]
    fn scatter_add_rows(self, table: &mut [f32], index: &[Self::u32s], x: &[Self::f32s]) {
        let mut last = self.splat_u32s(0);
        for index in index {
            last = self.max_u32s(last, *index);
        }
        assert!(self.all_below(last, table.len()), "an index is outside the table");
        if Self::LANES > 1 {
            // indices by twos, the first in the low half, for what takes the time here is loads
            for (&index, x) in bytemuck::cast_slice::<_, u64>(index).iter().zip(bytemuck::cast_slice::<_, [f32; 2]>(x)) {
                // SAFETY: every index is below the table's length, just checked.
                unsafe { *table.get_unchecked_mut(index as u32 as usize) += x[0] };
                unsafe { *table.get_unchecked_mut((index >> 32) as usize) += x[1] };
            }
        } else {
            for (&index, &x) in bytemuck::cast_slice::<_, u32>(index).iter().zip(bytemuck::cast_slice::<_, f32>(x)) {
                // SAFETY: every index is below the table's length, just checked.
                unsafe { *table.get_unchecked_mut(index as usize) += x };
            }
        }
    }
    /// The same of one row.
    #[inline(always)]
    fn scatter_add(self, table: &mut [f32], index: &Self::u32s, x: &Self::f32s) {
        self.scatter_add_rows(table, std::slice::from_ref(index), std::slice::from_ref(x));
    }
    /// `table[index]` per lane.
    ///
    /// # Panics
    /// When an index is not below `table.len()`.
    #[inline(always)]
    fn gather_words(self, table: &[u32], index: Self::u32s) -> Self::u32s {
        self.transmute_u32s_f32s(self.gather(bytemuck::cast_slice(table), index))
    }
    /// The lanes of a mask as bits, lane 0 lowest.
    fn bits(self, mask: Self::m32s) -> u32;
    /// Numbers the lanes of a mask from `first` on, lane 0 lowest; the others are 0.
    #[inline(always)]
    fn number(self, mask: Self::m32s, first: u32) -> Self::u32s {
        let (bits, mut next) = (self.bits(mask), first);
        memory::word_vector::<Self>(|lane| {
            let own = bits >> lane & 1;
            next += own;
            own * next.wrapping_sub(1)
        })
    }
    /// The words of the lanes of a mask side by side, in their order; what comes after them is anything.
    #[inline(always)]
    fn compress(self, mask: Self::m32s, words: Self::u32s) -> Self::u32s {
        let (mut bits, words) = (self.bits(mask), [words]);
        memory::word_vector::<Self>(|_| {
            let lane = bits.trailing_zeros() as usize % Self::LANES;
            bits &= bits.wrapping_sub(1);
            memory::flat_words::<Self>(&words)[lane]
        })
    }
    /// Asks for the entries of `table` that the lanes name, which will be read soon; changes nothing, and indices may lie outside.
    #[inline(always)]
    fn prefetch<T>(self, table: &[T], index: Self::u32s) {
        let _ = (table, index);
    }
    /// The rows of `table` that the lanes name, row by row: a tile in row form, which only [`Lanes::transpose`] and those that write rows understand.
    ///
    /// # Panics
    /// When an index is not below `table.len()`.
    fn load_rows(self, table: &[Row], index: Self::u32s) -> [Self::f32s; ROW];
    /// Turns a tile from row form to lane form (vector `a` holds number `a` of every lane's row) or back.
    fn transpose(self, tile: [Self::f32s; ROW]) -> [Self::f32s; ROW];
    /// Turns squares of as many vectors as there are lanes, which lie side by side: number `i` of vector `j` becomes number `j` of vector `i`.
    ///
    /// # Panics
    /// When there are more or fewer rows than lanes.
    fn turn<const SQUARES: usize>(self, rows: &mut [[Self::f32s; SQUARES]]);
    /// Of the numbers of one vector, those with these indices, which count modulo the number of lanes.
    fn pick(self, numbers: Self::f32s, index: Self::u32s) -> Self::f32s;
    /// Adds the rows of a tile in row form to the rows of `table` that the lanes name, lane after lane.
    ///
    /// # Panics
    /// When an index is not below `table.len()`.
    fn add_rows(self, table: &mut [Row], index: Self::u32s, tile: [Self::f32s; ROW]);
    /// Writes the rows of a tile in row form to the rows of `table` that the lanes name, lane after lane.
    ///
    /// # Panics
    /// When an index is not below `table.len()`.
    fn put_rows(self, table: &mut [Row], index: Self::u32s, tile: [Self::f32s; ROW]);
    /// Whether every index is below `len`.
    #[inline(always)]
    fn all_below(self, index: Self::u32s, len: usize) -> bool {
        !self.any(self.greater_than_or_equal_u32s(index, self.splat_u32s(u32::try_from(len).unwrap_or(u32::MAX))))
    }
}

impl Lanes for pulp::Scalar {
    type Pair = u64;

    #[inline(always)]
    fn pay(self, formula: &dyn Formula, shown: &Shown<Self>, sink: Sink<Self>) {
        formula.scalar(self, shown, sink);
    }

    // by itself, as the others do, for a compiler's sake
    #[inline(never)]
    fn enter<K: Kernel<Self>>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }

    #[inline(always)]
    fn split(self, a: u32) -> u64 {
        u64::from(a)
    }
    #[inline(always)]
    fn join(self, a: u64) -> u32 {
        a as u32
    }
    #[inline(always)]
    fn mul_wide(self, a: u64, b: u32) -> u64 {
        u64::from(a as u32) * u64::from(b)
    }
    #[inline(always)]
    fn high_xor(self, product: u64, a: u64, b: u64) -> u64 {
        (product >> 32) ^ a ^ b
    }
    #[inline(always)]
    fn xor_pair(self, a: u64, b: u64) -> u64 {
        a ^ b
    }
    #[inline(always)]
    fn confined(self, x: f32, limit: f32) -> f32 {
        x.clamp(-limit, limit)
    }
    #[inline(always)]
    fn to_f32(self, a: u32) -> f32 {
        a as f32
    }
    #[inline(always)]
    fn any(self, mask: bool) -> bool {
        mask
    }
    #[inline(always)]
    fn add_where(self, mask: bool, a: u32, b: u32) -> u32 {
        if mask { a.wrapping_add(b) } else { a }
    }
    #[inline(always)]
    fn shl23(self, a: u32) -> u32 {
        a << 23
    }
    #[inline(always)]
    fn shr<const COUNT: u32>(self, a: u32) -> u32 {
        a >> COUNT
    }
    #[inline(always)]
    fn gather(self, table: &[f32], index: u32) -> f32 {
        table[index as usize]
    }
    #[inline(always)]
    fn bits(self, mask: bool) -> u32 {
        u32::from(mask)
    }
    #[inline(always)]
    fn load_rows(self, table: &[Row], index: u32) -> Row {
        table[index as usize]
    }
    #[inline(always)]
    fn transpose(self, tile: Row) -> Row {
        tile
    }
    #[inline(always)]
    fn turn<const SQUARES: usize>(self, rows: &mut [[f32; SQUARES]]) {
        assert_eq!(rows.len(), 1, "a square of one lane has one number");
    }
    #[inline(always)]
    fn pick(self, numbers: f32, _: u32) -> f32 {
        numbers
    }
    #[inline(always)]
    fn add_rows(self, table: &mut [Row], index: u32, tile: Row) {
        for (x, y) in table[index as usize].iter_mut().zip(tile) {
            *x += y;
        }
    }
    #[inline(always)]
    fn put_rows(self, table: &mut [Row], index: u32, tile: Row) {
        table[index as usize] = tile;
    }
}

/// Which vector instructions to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Vectors {
    /// The widest this machine has.
    #[default]
    Widest,
    /// AVX-512.
    V4,
    /// AVX2.
    V3,
    /// None.
    Scalar,
}

/// Runs `job` with the vector instructions asked for, or with narrower ones where this machine has not got them. The result is the same.
pub fn dispatch<J: Job>(vectors: Vectors, job: J) -> J::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if let (Vectors::Widest | Vectors::V4, Some(s)) = (vectors, pulp::x86::V4::try_new()) {
            return s.enter(job);
        }
        if let (Vectors::Widest | Vectors::V4 | Vectors::V3, Some(s)) = (vectors, pulp::x86::V3::try_new()) {
            return s.enter(job);
        }
    }
    let _ = vectors;
    pulp::Scalar::new().enter(job)
}

/// Lanes of the vectors that [`dispatch`] chooses.
pub fn width(vectors: Vectors) -> usize {
    struct Width;
    impl Job for Width {
        type Output = usize;
        #[inline(always)]
        fn run<S: Lanes>(self, _: S) -> usize {
            S::LANES
        }
    }
    dispatch(vectors, Width)
}
